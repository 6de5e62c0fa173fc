//! Changing an instance's lifecycle configuration: only while it is as a person was shown it, not after Ctrl-C, and waited for within a limit.
//! Never decides which configuration.

use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use tokio::time::{Instant, sleep};

use crate::{
    clients::{Attach, SageMaker},
    commands::stop::Stop,
    error::CliError,
    ui::terminal::{Terminal, Tone},
};

/// How long SageMaker is waited for. A change takes seconds.
#[derive(Clone, Copy)]
struct Patience {
    look: Duration,
    limit: Duration,
}

const PATIENCE: Patience = Patience { look: Duration::from_secs(2), limit: Duration::from_mins(5) };

/// An instance, as far as a change depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Seen {
    pub(in crate::commands) status: Status,
    pub(in crate::commands) configuration: Option<String>,
    pub(in crate::commands) role: Option<String>,
}

/// SageMaker changes a lifecycle configuration only then. Nobody is stopped for it.
pub(in crate::commands) fn is_at_rest(status: &Status) -> bool {
    matches!(status, Status::Stopped | Status::Failed)
}

/// What a person does about an instance that is on.
pub(in crate::commands) fn not_at_rest(instance: &str, status: &Status) -> CliError {
    CliError::NotNow(format!(
        "{instance} is {}, and SageMaker changes the lifecycle configuration of a stopped instance only. If nobody works on it, stop it, and type this again: aws sagemaker stop-notebook-instance --notebook-instance-name {instance} && aws sagemaker wait notebook-instance-stopped --notebook-instance-name {instance}",
        status.as_str()
    ))
}

/// One instance that is to be changed.
pub(in crate::commands) struct Putting<'a> {
    pub(in crate::commands) terminal: &'a Terminal,
    pub(in crate::commands) sagemaker: &'a SageMaker,
    pub(in crate::commands) stop: &'a Stop,
    pub(in crate::commands) instance: &'a str,
    /// The command that goes on where this one ended.
    pub(in crate::commands) again: &'a str,
}

impl Putting<'_> {
    /// Before what cannot be taken back: minutes may have passed since the instance was shown. `None`: there was none. `rests`: it must be stopped.
    ///
    /// # Errors
    /// It has changed, or a person ends the command.
    pub(in crate::commands) async fn is_still(&self, shown: Option<&Seen>, rests: bool) -> Result<(), CliError> {
        let now = self.sagemaker.instance(self.instance).await?;
        let now = now.map(|it| Seen { status: it.status, configuration: it.lifecycle_configuration, role: it.role });
        still(self.instance, shown, now.as_ref(), rests, self.again)?;
        self.goes_on()
    }

    /// # Errors
    /// A person ends the command.
    pub(in crate::commands) fn goes_on(&self) -> Result<(), CliError> {
        if self.stop.is_asked() { Err(CliError::Interrupted) } else { Ok(()) }
    }

    /// Changes the lifecycle configuration, and waits until SageMaker has done so.
    ///
    /// # Errors
    /// AWS refuses, a person ends the command, or the instance ends as something else than stopped.
    pub(in crate::commands) async fn put(&self, attach: Attach<'_>) -> Result<(), CliError> {
        self.goes_on()?;
        self.sagemaker.attach(self.instance, attach).await?;
        let settled = self.settled(PATIENCE, async || {
            Ok(self.sagemaker.instance(self.instance).await?.map(|facts| (facts.status, facts.failure)))
        });
        settled.await?;
        self.terminal.clear();
        Ok(())
    }

    async fn settled(
        &self,
        patience: Patience,
        look: impl AsyncFn() -> Result<Option<(Status, Option<String>)>, CliError>,
    ) -> Result<(), CliError> {
        let Self { terminal, instance, again, .. } = self;
        let began = Instant::now();
        loop {
            match look().await? {
                None => return Err(CliError::NotThere(format!("the instance {instance} was deleted meanwhile"))),
                Some((Status::Updating, _)) => {}
                // Whoever starts it meanwhile starts it with the new configuration.
                Some((Status::Stopped | Status::Pending | Status::InService, _)) => return Ok(()),
                Some((status, failure)) => {
                    return Err(CliError::NotNow(format!(
                        "the instance {instance} is {} ({}); when it is stopped: {again}",
                        status.as_str(),
                        failure.as_deref().unwrap_or("SageMaker gives no reason")
                    )));
                }
            }
            if self.stop.is_asked() {
                terminal.clear();
                terminal
                    .note(&format!("SageMaker goes on with the change of {instance}. The rest is done by: {again}"));
                return Err(CliError::Detached);
            }
            if began.elapsed() >= patience.limit {
                return Err(CliError::NotNow(format!(
                    "SageMaker has been changing {instance} for {} s, and goes on; when `aws sagemaker describe-notebook-instance --notebook-instance-name {instance}` says Stopped: {again}",
                    began.elapsed().as_secs()
                )));
            }
            terminal.passing(Tone::Moving, &format!("  SageMaker changes {instance}"));
            tokio::select! {
                () = sleep(patience.look) => {}
                () = self.stop.asked() => {}
            }
        }
    }
}

/// # Errors
/// It is not as it was shown.
fn still(instance: &str, shown: Option<&Seen>, now: Option<&Seen>, rests: bool, again: &str) -> Result<(), CliError> {
    let changed = match (shown, now) {
        (Some(_), None) => "it is not there any more".to_owned(),
        (None, Some(_)) => "it is there again".to_owned(),
        (Some(shown), Some(now)) if shown.configuration != now.configuration => {
            let name = |seen: &Seen| seen.configuration.clone().unwrap_or_else(|| "none".to_owned());
            format!("its lifecycle configuration was {} and is now {}", name(shown), name(now))
        }
        (Some(shown), Some(now)) if shown.role != now.role => {
            let name = |seen: &Seen| seen.role.clone().unwrap_or_else(|| "none".to_owned());
            format!("its role was {} and is now {}", name(shown), name(now))
        }
        (_, Some(now)) if rests && !is_at_rest(&now.status) => return Err(not_at_rest(instance, &now.status)),
        // Or there is none, as before.
        _ => return Ok(()),
    };
    Err(CliError::NotNow(format!(
        "somebody else changed {instance} since it was shown: {changed}. The instance was left as it is; to look again: {again}"
    )))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_config::SdkConfig;
    use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;

    use super::{Patience, Putting, SageMaker, Seen, still};
    use crate::{commands::stop::Stop, error::CliError, ui::terminal::Terminal};

    const AGAIN: &str = "reveille attach nightly";

    fn seen(configuration: Option<&str>) -> Seen {
        Seen {
            status: Status::Stopped,
            configuration: configuration.map(str::to_owned),
            role: Some("arn:aws:iam::1:role/mine".to_owned()),
        }
    }

    #[test]
    fn what_changed_since_it_was_shown_is_left_as_it_is() {
        let shown = seen(Some("mine"));
        for (now, said) in [
            (seen(Some("theirs")), "was mine and is now theirs"),
            (seen(None), "was mine and is now none"),
            (Seen { role: None, ..shown.clone() }, "its role was arn:aws:iam::1:role/mine and is now none"),
            (Seen { status: Status::InService, ..shown.clone() }, "aws sagemaker stop-notebook-instance"),
        ] {
            let message = still("nightly", Some(&shown), Some(&now), true, AGAIN).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
        let gone = still("nightly", Some(&shown), None, true, AGAIN).unwrap_err().to_string();
        assert!(gone.contains("not there any more") && gone.ends_with(AGAIN), "{gone}");
        assert!(still("nightly", None, Some(&shown), false, AGAIN).is_err());
        assert!(still("nightly", None, None, false, AGAIN).is_ok());
        assert!(still("nightly", Some(&shown), Some(&shown), true, AGAIN).is_ok());
        let on = Seen { status: Status::InService, ..shown.clone() };
        assert!(still("nightly", Some(&shown), Some(&on), false, AGAIN).is_ok(), "nothing of it changes");
    }

    async fn settled(stop: &Stop, limit: Duration, status: Option<Status>) -> Result<(), CliError> {
        let sagemaker =
            SageMaker::of(&SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build());
        let terminal = Terminal::plain(80);
        let putting = Putting { terminal: &terminal, sagemaker: &sagemaker, stop, instance: "nightly", again: AGAIN };
        let patience = Patience { look: Duration::from_millis(1), limit };
        putting.settled(patience, async || Ok(status.clone().map(|status| (status, None)))).await
    }

    #[tokio::test]
    async fn a_change_that_does_not_end_is_not_waited_for_without_an_end() {
        let stop = Stop::listening();
        let late = settled(&stop, Duration::ZERO, Some(Status::Updating)).await.unwrap_err().to_string();
        assert!(late.contains("has been changing nightly") && late.ends_with(AGAIN), "{late}");
        assert!(settled(&stop, Duration::ZERO, Some(Status::Stopped)).await.is_ok());
        let failed = settled(&stop, Duration::ZERO, Some(Status::Failed)).await.unwrap_err().to_string();
        assert!(failed.contains("nightly is Failed") && failed.ends_with(AGAIN), "{failed}");
        assert!(matches!(settled(&stop, Duration::ZERO, None).await, Err(CliError::NotThere(_))));
    }

    #[tokio::test]
    async fn ctrl_c_ends_the_wait() {
        let ended = settled(&Stop::was_asked(), Duration::MAX, Some(Status::Updating)).await;
        assert!(matches!(ended, Err(CliError::Detached)), "{ended:?}");
    }
}
