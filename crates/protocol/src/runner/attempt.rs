//! One attempt, from its ticket to its answer: claim, execute, upload, report, answer.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{
    AskedToEnd, Call, Clock, ExecuteNotebook, ExecutedNotebook, Log, OutputFile, RunningNotebook, SendTaskHeartbeat,
    Sleep, TokenAnswer,
};
use reveille_domain::records::{Claim, Claimant, Report, Request, Ticket};
use reveille_domain::{Code, Failure, Unreadable};

use super::decide::beat_every;
use super::reports::{begun, lost, taken_away};
use super::{Runner, RunnerPorts};
use crate::store::{self, StoreError, Stored};
use crate::token;

/// Tries of an upload and of the report: with the pauses below about a minute, in which S3 recovers or does not.
pub(super) const UPLOAD_TRIES: u32 = 6;
/// The first pause between tries; it doubles.
const UPLOAD_PAUSE: Duration = Duration::from_secs(1);
/// Tries of a read without which a claimed attempt ends: with the pauses between them seven seconds.
const READ_TRIES: u32 = 4;
/// How often the cells are looked at for progress.json: a person who watches is content with this.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Tickets that can replace each other while they are answered: each needs a heartbeat to run out first.
const ANSWER_TRIES: u32 = 5;

/// Whether the attempt may be executed here.
pub(super) enum Fence {
    /// It is ours.
    Claimed(DateTime<Utc>),
    /// There is a verdict.
    Reported(Report),
    /// Somebody else owns it.
    Taken,
}

impl<P: RunnerPorts> Runner<'_, P> {
    /// Serves the oldest ticket. A run of which a record cannot be read is not executed, and holds up no other: its
    /// execution is told at once, and names the record in its outcome. A call that failed says nothing of the run.
    pub(super) async fn serve_first(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        match self.serve_ticket(stored).await {
            Err(StoreError::Unreadable(unreadable)) => {
                // The run came to this boot, and whichever step met the record, it holds the lease no longer.
                self.served.set(true);
                self.next_look.set(self.ports.now());
                self.release_lease().await;
                self.refuse(stored, &unreadable).await
            }
            served @ (Ok(()) | Err(StoreError::Call(_) | StoreError::Contended { .. })) => served,
        }
    }

    /// Tells the execution which record of its run cannot be read, and takes the run out of the queue. A notebook that ended
    /// keeps its verdict as far as one can be told.
    pub(super) async fn refuse(&self, stored: &Stored<Ticket>, unreadable: &Unreadable) -> Result<(), StoreError> {
        let ticket = &stored.record;
        let at = self.attempt_of(ticket);
        let pending = self.begun.borrow_mut().get_mut(&at).and_then(Option::take);
        let damaged = Failure::from(unreadable.clone());
        let failure = match pending.map(|report| report.failure) {
            Some(Some(failure)) => failure.retries_exhausted().also(&damaged.message),
            Some(None) => Failure::new(Code::Internal, "The notebook succeeded, but its report could not be recorded.")
                .also(&damaged.message),
            None => damaged,
        };
        token::answer_failure(&self.ports, ticket, &failure).await?;
        // Only its own ticket: one that was submitted again meanwhile is met at the next look.
        self.remove_ticket(stored).await?;
        self.ports.log(&format!("run {} attempt {} is refused: {failure}", ticket.run, ticket.attempt));
        Ok(())
    }

    async fn serve_ticket(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        let ticket = &stored.record;
        let at = self.attempt_of(ticket);
        if let Some(report) = store::read::<Report>(&self.ports, &self.layout.report(&at)).await? {
            return self.answer(&at, &report.record).await;
        }
        // A run that was aborted while it was in the queue is not executed.
        if !self.is_waited_for(stored).await? || !self.hold_lease(&at).await? {
            return Ok(());
        }
        // The next boot's runner executes it.
        if self.leaving.get() {
            self.release_lease().await;
            return Ok(());
        }
        let report = match self.fence(&at).await? {
            Fence::Claimed(claimed_at) => {
                // What this process executed it never executes again.
                let before = self.begun.borrow().get(&at).cloned();
                let report = match before {
                    // Its report is still being put.
                    Some(Some(_)) => return Ok(()),
                    Some(None) => lost(&at, claimed_at, self.ports.now()),
                    None => {
                        self.begun.borrow_mut().insert(at.clone(), None);
                        self.execute_beside_upkeep(&at, ticket, claimed_at).await
                    }
                };
                self.begun.borrow_mut().insert(at.clone(), Some(report.clone()));
                let existing = self.put_report(&at, report.clone()).await?;
                self.begun.borrow_mut().insert(at.clone(), None);
                self.add_outputs(&at, &existing, &report).await;
                self.served.set(true);
                self.next_look.set(self.ports.now());
                Some(existing)
            }
            Fence::Reported(report) => Some(report),
            Fence::Taken => None,
        };
        self.release_lease().await;
        match report {
            Some(report) => self.answer(&at, &report).await,
            None => self.drop_ticket(stored).await,
        }
    }

    /// Whether somebody waits under the ticket's token. If not, the ticket is as good as gone.
    pub(super) async fn is_waited_for(&self, stored: &Stored<Ticket>) -> Call<bool> {
        let Ticket { run, task_token, .. } = &stored.record;
        let waits = self.ports.send_task_heartbeat(task_token).await? == TokenAnswer::Accepted;
        if !waits {
            self.queue.silence(run, task_token);
        }
        Ok(waits)
    }

    /// Removes this very ticket; one that was put in its place meanwhile stays.
    pub(super) async fn remove_ticket(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        let run = &stored.record.run;
        let key = self.layout.ticket(&self.me.instance, run);
        let read = if store::remove(&self.ports, &key, &stored.etag).await? {
            None
        } else {
            store::or_evidence(store::read::<Ticket>(&self.ports, &key).await, &mut Vec::new())?
        };
        self.queue.learn(&self.me.instance, run, read);
        Ok(())
    }

    pub(super) fn attempt_of(&self, ticket: &Ticket) -> AttemptRef {
        AttemptRef { instance: self.me.instance.to_string(), run: ticket.run.clone(), attempt: ticket.attempt }
    }

    pub(super) async fn drop_ticket(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        self.remove_ticket(stored).await?;
        let run = &stored.record.run;
        self.ports.log(&format!("run {run} is another's: its ticket is removed"));
        Ok(())
    }

    /// Puts the claim, or finds out whose it is.
    pub(super) async fn fence(&self, at: &AttemptRef) -> Result<Fence, StoreError> {
        let key = self.layout.claim(at);
        let mine = Claim {
            boot_id: Some(self.me.boot_id.clone()),
            ..Claim::of(at, Claimant::Runner, self.nonce.clone(), self.ports.now())
        };
        if store::put_once(&self.ports, &key, &mine).await? {
            return Ok(Fence::Claimed(mine.at));
        }
        let Some(claim) = store::read::<Claim>(&self.ports, &key).await? else { return Ok(Fence::Taken) };
        let claim = claim.record;
        if claim.nonce == self.nonce {
            // Our own, whose answer was lost.
            return Ok(Fence::Claimed(claim.at));
        }
        if claim.boot_id.as_deref() != Some(&self.me.boot_id) {
            return Ok(Fence::Taken);
        }
        // An earlier runner process of this boot claimed it and died; what it left was killed when we began.
        let report = self.with_what_was_left(at, lost(at, claim.at, self.ports.now()));
        let existing = self.put_report(at, report.clone()).await?;
        self.add_outputs(at, &existing, &report).await;
        Ok(Fence::Reported(existing))
    }

    /// Executes the notebook, and composes the report.
    pub(super) async fn execute(&self, at: &AttemptRef, ticket: &Ticket, claimed_at: DateTime<Utc>) -> Report {
        let mut report = begun(at, ticket, Some(claimed_at), claimed_at);
        let key = self.layout.request(&at.instance, &at.run);
        let request = match self.read_request(&key, ticket.request_sha256.as_deref()).await {
            Ok(Some(request)) => request,
            Ok(None) => {
                let failure = Failure::new(
                    Code::Internal,
                    format!("The request {key} is gone. Redrive the execution: it is then recorded again."),
                );
                return Report { failure: Some(failure), ..report };
            }
            Err(error) => return Report { failure: Some(Failure::from(error).retries_exhausted()), ..report },
        };
        self.ports.log(&format!("run {} attempt {}: the notebook starts", at.run, at.attempt));
        let execution = self.run_notebook(at, &request.record, ticket).await;
        report.failure = execution.failure;
        report.source_sha256 = execution.source_sha256;
        report.html_error = execution.html_error;
        let uploaded = tokio::select! {
            biased;
            uploaded = self.upload(at, &execution.files, &mut report.outputs) => uploaded,
            () = self.uploads_are_late() => Err(not_in_time(at)),
        };
        if let Err(failure) = uploaded {
            // The first error wins: a notebook that failed stays a notebook that failed.
            report.failure.get_or_insert(failure);
        }
        report.ended_at = self.ports.now();
        report
    }

    /// Reads the request, patiently: the attempt is claimed, so that a hiccup would be its end. Only the one whose SHA-256 the
    /// ticket names is executed, and it is these very bytes that were compared.
    async fn read_request(&self, key: &str, sha256: Option<&str>) -> Result<Option<Stored<Request>>, StoreError> {
        let read = async || store::read_known(&self.ports, key, sha256).await;
        self.patiently(READ_TRIES, &format!("{key} was not read"), read).await
    }

    /// Tries until the call succeeds, meets a record that cannot be read, or failed so often; pauses in between, and logs why.
    pub(super) async fn patiently<T>(
        &self,
        tries: u32,
        trouble: &str,
        call: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut pause = UPLOAD_PAUSE;
        for _ in 1..tries {
            match call().await {
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => {
                    self.ports.log(&format!("{trouble}: {error}"));
                }
                // What is there stays there.
                answer @ (Ok(_) | Err(StoreError::Unreadable(_))) => return answer,
            }
            self.ports.sleep(pause).await;
            pause *= 2;
        }
        call().await
    }

    /// Runs the notebook to its end, or until its verdict is another's or its machine is about to go: then it is ended, and what
    /// it left is kept. What it has left so far is shown meanwhile, and no longer.
    async fn run_notebook(&self, at: &AttemptRef, request: &Request, ticket: &Ticket) -> ExecutedNotebook {
        let mut running = self.ports.execute_notebook(request, at.attempt).await;
        let mut elsewhere = Box::pin(self.verdict_elsewhere(at, beat_every(ticket.heartbeat_seconds)));
        let mut shown = Box::pin(self.show_live(at, ticket.live_output_seconds, running.live()));
        loop {
            self.cells.set(running.cells());
            tokio::select! {
                biased;
                execution = running.finish() => return execution,
                () = &mut elsewhere => {
                    let left = running.end().await;
                    return ExecutedNotebook { failure: Some(taken_away(at)), ..left };
                }
                () = self.ports.asked_to_end() => return self.end_for_the_machine(at, running).await,
                () = self.ports.sleep(PROGRESS_EVERY) => {}
                never = &mut shown => match never {},
            }
        }
    }

    pub(super) async fn upload(
        &self,
        at: &AttemptRef,
        files: &[OutputFile],
        outputs: &mut BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let mut first_failure = Ok(());
        for file in files {
            let key = self.layout.attempt(at) + file.file_name;
            match upload_one(&self.ports, &key, file).await {
                Ok(()) => {
                    outputs.insert(file.name.to_owned(), self.layout.uri(&key));
                }
                Err(failure) => first_failure = first_failure.and(Err(failure)),
            }
        }
        first_failure
    }

    /// Puts the reports that could not be put when their notebooks ended.
    pub(super) async fn put_pending(&self) {
        // Looked at every second, and nearly never is there one.
        let pending = |(at, report): (&AttemptRef, &Option<Report>)| report.clone().map(|report| (at.clone(), report));
        let pending: Vec<_> = self.begun.borrow().iter().filter_map(pending).collect();
        for (at, report) in pending {
            match self.try_report(&self.layout.report(&at), &report).await {
                Ok(_) => drop(self.begun.borrow_mut().insert(at, None)),
                // It never can be. Its ticket, if it is still there, is refused when its turn comes.
                Err(StoreError::Unreadable(unreadable)) => {
                    self.ports.log(&format!("the report of run {} cannot be written: {unreadable}", at.run));
                    self.begun.borrow_mut().insert(at, None);
                }
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => {
                    self.ports.log(&format!("the report of run {} is still not written: {error}", at.run));
                }
            }
        }
    }

    /// Puts the report, patiently: without it the run is lost. Answers the report that is there, which is another's when
    /// the attempt was declared lost meanwhile.
    pub(super) async fn put_report(&self, at: &AttemptRef, report: Report) -> Result<Report, StoreError> {
        let key = self.layout.report(at);
        let trouble = format!("the report of run {} was not written", at.run);
        self.patiently(UPLOAD_TRIES, &trouble, async || self.try_report(&key, &report).await).await
    }

    async fn try_report(&self, key: &str, report: &Report) -> Result<Report, StoreError> {
        if store::put_once(&self.ports, key, report).await? {
            return Ok(report.clone());
        }
        Ok(store::read(&self.ports, key).await?.map_or_else(|| report.clone(), |stored| stored.record))
    }

    /// Reads the ticket as it is now, answers its token and removes it; again, if it was replaced meanwhile.
    pub(super) async fn answer(&self, at: &AttemptRef, report: &Report) -> Result<(), StoreError> {
        let key = self.layout.ticket(&self.me.instance, &at.run);
        for _ in 0..ANSWER_TRIES {
            // What cannot be read has no token to answer; its execution looks for itself after a heartbeat.
            let read = store::or_evidence(store::read::<Ticket>(&self.ports, &key).await, &mut Vec::new())?;
            let Some(stored) = read.as_ref().filter(|read| read.record.attempt == at.attempt) else {
                self.queue.learn(&self.me.instance, &at.run, read);
                return Ok(());
            };
            token::answer(&self.ports, &stored.record, report).await?;
            if store::remove(&self.ports, &key, &stored.etag).await? {
                self.queue.learn(&self.me.instance, &at.run, None);
                break;
            }
        }
        let ended = report.failure.as_ref().map_or("succeeded", |failure| failure.code.as_str());
        self.ports.log(&format!("run {} attempt {}: {ended}", at.run, at.attempt));
        Ok(())
    }
}

async fn upload_one<P: RunnerPorts>(ports: &P, key: &str, file: &OutputFile) -> Result<(), Failure> {
    let mut pause = UPLOAD_PAUSE;
    let mut tries = 1;
    loop {
        let error = match ports.upload_file(key, &file.path, file.content_type).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if tries == UPLOAD_TRIES {
            return Err(Failure::new(
                Code::OutputNotSaved,
                format!(
                    "The notebook ran, but its {} could not be written to {key} in {UPLOAD_TRIES} tries: {error}. Fix the cause (if access was denied: the instance role's s3:PutObject on the stack's bucket), then redrive the execution.",
                    file.file_name
                ),
            ));
        }
        ports.log(&format!("upload of {} failed; trying again: {error}", file.file_name));
        ports.sleep(pause).await;
        pause *= 2;
        tries += 1;
    }
}

fn not_in_time(at: &AttemptRef) -> Failure {
    Failure::new(
        Code::OutputNotSaved,
        format!(
            "The notebook ran, but notebook instance {} was stopped before all of its outputs were uploaded. What it left is in .reveille/work/output in the notebook folder until the next run.",
            at.instance
        ),
    )
}
