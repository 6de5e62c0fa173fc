//! **AdmitRun**: validate the input, recognise duplicates, record the request.
//!
//! - Takes the execution, its whole input, and the attempt (1, or one more when a redrive asks for a repetition).
//! - Writes `triggers/<key>.json` and `request.json`, each put once, in this order: whoever holds the trigger is the
//!   run that answers the event. An input that is refused takes its trigger too, and has no request.
//! - Undone by nothing: both records are facts. Run twice it answers the same.

use reveille_domain::age::is_ahead;
use reveille_domain::error::{RetryClass, START_ANEW};
use reveille_domain::event::Event;
use reveille_domain::input;
use reveille_domain::limits::MAX_ATTEMPTS;
use reveille_domain::ports::{Clock, GetObject, PutObject};
use reveille_domain::records::{Execution, Request, RunRef, TriggerRecord};
use reveille_domain::{Code, Failure, InputText, RETRIED};
use serde::{Deserialize, Serialize};

use crate::stack::Stack;
use crate::store;
use decide::NotSelected;

pub mod decide;

/// What the state machine passes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmitRunInput {
    /// The execution.
    pub execution: Execution,
    /// Its whole input, as it came.
    pub input: InputText,
    /// The attempt.
    pub attempt: u32,
}

/// What it gets back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "decision", rename_all = "camelCase")]
pub enum AdmitRunOutput {
    /// Go on.
    Admitted {
        /// The run.
        run: RunRef,
    },
    /// The event is of an object that the input's `keys` do not take: nothing is run, and nothing recorded.
    OtherKey {
        /// The object's key.
        key: String,
        /// Why there was an execution all the same.
        hint: String,
    },
    /// The event is of a "folder" of the S3 console, or of Hadoop: likewise.
    Folder {
        /// The object's key.
        key: String,
        /// What makes a run.
        hint: String,
    },
    /// Another execution answers this event.
    #[serde(rename_all = "camelCase")]
    Duplicate {
        /// The execution that answers it.
        held_by: String,
        /// Its run.
        run: reveille_domain::RunId,
        /// What to do to run it again.
        hint: String,
    },
}

/// Validates the input, recognises a duplicate, and writes the request once.
///
/// # Errors
/// `InvalidRequest`, or a call's failure.
pub async fn admit_run<P>(stack: &Stack, ports: &P, call: AdmitRunInput) -> Result<AdmitRunOutput, Failure>
where
    P: Clock + GetObject + PutObject,
{
    if call.attempt > MAX_ATTEMPTS {
        return Err(Failure::new(
            Code::Internal,
            format!(
                "This run was attempted {MAX_ATTEMPTS} times, and no redrive attempts it again. Instead, {START_ANEW}."
            ),
        ));
    }
    let input = input::read(&call.input);
    if let Some((why, key)) = input.as_ref().ok().and_then(decide::not_selected) {
        let key = key.to_owned();
        return Ok(match why {
            NotSelected::OtherKey => AdmitRunOutput::OtherKey { key, hint: OTHER_KEY.to_owned() },
            NotSelected::Folder => AdmitRunOutput::Folder { key, hint: FOLDER.to_owned() },
        });
    }
    let outline = input::outline(&call.input);
    // Before its trigger is taken: the real event, when it comes, must find that free.
    decide::check_event_time(decide::event(&outline), &call.execution)?;
    let request = input.and_then(|input| decide::request(input, &call.execution, ports.now()));
    if let Some(key) = decide::trigger_key(&outline) {
        let event_time = decide::event(&outline).and_then(Event::time);
        match hold_trigger(stack, ports, &key, &call.execution).await {
            // Whether its input is refused or not: the outcome of an event is the holder's.
            Ok(holder) if decide::is_duplicate(&holder, &call.execution, event_time, ports.now()) => {
                return Ok(duplicate(holder));
            }
            Ok(_) => {}
            // The input was refused first, and trying again would not tell more.
            Err(failure) if request.is_err() && failure.code.class() == RetryClass::Never => {}
            Err(failure) => return Err(failure),
        }
    }
    let (request, sha256) = record(stack, ports, request?).await?;
    Ok(AdmitRunOutput::Admitted { run: decide::run_ref(&request, sha256, call.attempt) })
}

/// What the output of an execution says that had nothing to run.
const OTHER_KEY: &str = "The object's key does not match \"keys\" in the input (the stack's TriggerPrefix and TriggerSuffix), so there was nothing to run. Some combinations of the two are checked here and not by the rule: see \"A file lands\" in docs/deploy.md.";

/// What the output of an execution says that was started for a folder.
const FOLDER: &str = "The object is empty and its key ends with a slash or with _$folder$: the S3 console creates such an object for \"Create folder\", and Hadoop and EMR for each folder. It is not a file, so there was nothing to run. Put a file into the folder.";

/// Takes the trigger, or answers who holds it.
async fn hold_trigger<P: GetObject + PutObject>(
    stack: &Stack,
    ports: &P,
    key: &str,
    execution: &Execution,
) -> Result<TriggerRecord, Failure> {
    let key = stack.layout.trigger(key);
    let mine =
        TriggerRecord { execution_arn: execution.arn.clone(), start_time: execution.start_time, run: execution.run() };
    if store::put_once(ports, &key, &mine).await? {
        return Ok(mine);
    }
    store::read(ports, &key).await?.map(|stored| stored.record).ok_or_else(|| gone(&key))
}

/// Records the request, or answers the one that this execution recorded before. With it the SHA-256 of what is recorded.
///
/// What is there may be somebody else's: the execution's input says what was asked for, and is recorded again.
async fn record<P: Clock + GetObject + PutObject>(
    stack: &Stack,
    ports: &P,
    request: Request,
) -> Result<(Request, String), Failure> {
    let key = stack.layout.request(request.instance.as_str(), &request.run);
    let sha256 = store::sha256_of(&key, &request)?;
    if store::put_once(ports, &key, &request).await? {
        return Ok((request, sha256));
    }
    let (existing, its_sha256) = store::read_hashed::<Request>(ports, &key).await?.ok_or_else(|| gone(&key))?;
    if decide::is_same_request(&existing.record, &request) && !is_ahead(existing.record.admitted_at, ports.now()) {
        return Ok((existing.record, its_sha256));
    }
    store::swap(ports, &key, &request, Some(&existing.etag)).await?.ok_or_else(|| gone(&key))?;
    Ok((request, sha256))
}

fn duplicate(holder: TriggerRecord) -> AdmitRunOutput {
    AdmitRunOutput::Duplicate {
        hint: format!(
            "This event was already handled by {}. To run it again, redrive that execution if it failed, or start a new one with \"rerun\": true.",
            holder.execution_arn
        ),
        held_by: holder.execution_arn,
        run: holder.run,
    }
}

/// A record that was refused because there is one, and is gone or another at the next look: somebody changes records by hand.
fn gone(key: &str) -> Failure {
    Failure::new(
        Code::ServiceUnavailable,
        format!("The record {key} was removed or changed while it was read. {RETRIED}"),
    )
}
