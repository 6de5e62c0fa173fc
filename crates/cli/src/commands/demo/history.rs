//! Reads an execution's history as a person would tell it. Pure: events in, entries out.

use std::collections::VecDeque;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType as Type};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{clients::states, ui::terminal::Tone};

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: DateTime<Utc>,
    /// Who or what did it: a state, the instance, the runner.
    pub(crate) actor: String,
    pub(crate) what: String,
    pub(crate) tone: Tone,
}

impl Entry {
    pub(crate) fn new(at: DateTime<Utc>, actor: impl Into<String>, what: impl Into<String>, tone: Tone) -> Self {
        Self { at, actor: actor.into(), what: what.into(), tone }
    }
}

/// What an execution was told to do: the run that AdmitRun admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) run: String,
    pub(crate) instance: String,
    pub(crate) attempt: u32,
}

/// Follows a history, event by event.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    state: String,
    choice: Option<String>,
    /// Who said what in the last lines: a poll that learns nothing new says the same three again, and a person has read them.
    told: VecDeque<(String, String)>,
    pub(crate) admitted: Option<Admitted>,
}

/// The lines of one round of polling: the step's answer, the choice, the wait.
const ROUND: usize = 3;

impl Narrator {
    /// What an event means to a person, if it is worth a line.
    pub(crate) fn tell(&mut self, event: &HistoryEvent) -> Vec<Entry> {
        let mut entries = self.meaning(event);
        entries.retain(|entry| self.is_new(entry));
        entries
    }

    fn is_new(&mut self, entry: &Entry) -> bool {
        let line = (entry.actor.clone(), entry.what.clone());
        let new = !self.told.contains(&line);
        if new {
            self.told.truncate(ROUND - 1);
            self.told.push_front(line);
        }
        new
    }

    fn meaning(&mut self, event: &HistoryEvent) -> Vec<Entry> {
        let at = time(event);
        match event.r#type {
            Type::TaskSucceeded => {
                let output =
                    event.task_succeeded_event_details().and_then(|details| details.output()).unwrap_or_default();
                vec![self.answered(at, &serde_json::from_str(output).unwrap_or_default())]
            }
            Type::TaskFailed => {
                let error =
                    event.task_failed_event_details().and_then(|details| details.error()).unwrap_or("no error name");
                vec![Entry::new(at, &self.state, format!("failed: {error}"), Tone::Bad)]
            }
            Type::ChoiceStateExited => {
                self.choice = Some(self.state.clone());
                Vec::new()
            }
            _ => {
                event.state_entered_event_details().map(|details| self.entered(at, details.name())).unwrap_or_default()
            }
        }
    }

    fn entered(&mut self, at: DateTime<Utc>, name: &str) -> Vec<Entry> {
        name.clone_into(&mut self.state);
        let chosen = self.choice.take().map(|choice| Entry::new(at, choice, format!("→ {name}"), Tone::Quiet));
        let entered = match name {
            states::AWAIT_RUN => Some("waits for the runner, with a task token"),
            states::WAIT_FOR_INSTANCE => Some("waits for the instance"),
            states::WAIT_FOR_STOP => Some("waits for the instance to stop"),
            _ => None,
        };
        chosen.into_iter().chain(entered.map(|what| Entry::new(at, name, what, Tone::Quiet))).collect()
    }

    fn answered(&mut self, at: DateTime<Utc>, output: &Value) -> Entry {
        let answer = output.get("Payload").unwrap_or(output);
        let what = match self.state.as_str() {
            states::ADMIT_RUN => {
                self.admitted = admitted(&answer["run"]);
                format!("{}, run {}", decision(answer), text(&answer["run"]["id"]))
            }
            states::AWAIT_RUN => "answered by the runner".to_owned(),
            states::CONCLUDE_RUN => "outcome recorded, event published".to_owned(),
            states::VERIFY_STOPPED if answer["stopping"]["rest"] == "atRest" => "Stopped was observed".to_owned(),
            _ => decision(answer),
        };
        let done = answer["stopping"]["rest"] == "atRest" || self.state == states::AWAIT_RUN;
        Entry::new(at, &self.state, what, if done { Tone::Good } else { Tone::Plain })
    }
}

fn admitted(run: &Value) -> Option<Admitted> {
    Some(Admitted {
        run: run["id"].as_str()?.to_owned(),
        instance: run["instance"].as_str()?.to_owned(),
        attempt: u32::try_from(run["attempt"].as_u64()?).ok()?,
    })
}

fn decision(answer: &Value) -> String {
    text(&answer["decision"])
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The time of an event, in milliseconds.
fn time(event: &HistoryEvent) -> DateTime<Utc> {
    let milliseconds = event.timestamp().to_millis().unwrap_or_default();
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::types::{
        HistoryEvent, HistoryEventType as Type, StateEnteredEventDetails, TaskFailedEventDetails,
        TaskSucceededEventDetails,
    };
    use aws_smithy_types::DateTime;

    use super::{Admitted, Narrator};

    fn event(kind: Type) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder().id(1).r#type(kind).timestamp(DateTime::from_millis(1_500))
    }

    fn entered(kind: Type, name: &str) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder().name(name).build().unwrap();
        event(kind).state_entered_event_details(details).build().unwrap()
    }

    fn succeeded(output: &str) -> HistoryEvent {
        let details = TaskSucceededEventDetails::builder().resource_type("lambda").resource("invoke").output(output);
        event(Type::TaskSucceeded).task_succeeded_event_details(details.build().unwrap()).build().unwrap()
    }

    fn told(narrator: &mut Narrator, events: Vec<HistoryEvent>) -> Vec<String> {
        let entries = events.into_iter().flat_map(|event| narrator.tell(&event)).collect::<Vec<_>>();
        assert!(entries.iter().all(|entry| entry.at.timestamp_millis() == 1_500));
        entries.into_iter().map(|entry| format!("{}: {}", entry.actor, entry.what)).collect()
    }

    #[test]
    fn a_history_is_told_as_decisions() {
        let mut narrator = Narrator::default();
        let told = told(
            &mut narrator,
            vec![
                entered(Type::TaskStateEntered, "AdmitRun"),
                succeeded(
                    r#"{"Payload": {"decision": "admitted", "run": {"id": "r-1", "instance": "nightly", "attempt": 1}}}"#,
                ),
                entered(Type::TaskStateEntered, "CheckInstance"),
                succeeded(r#"{"Payload": {"decision": "ready"}}"#),
                entered(Type::ChoiceStateEntered, "IsReady"),
                event(Type::ChoiceStateExited).build().unwrap(),
                entered(Type::TaskStateEntered, "AwaitRun"),
                succeeded("{}"),
                entered(Type::TaskStateEntered, "VerifyStopped"),
                succeeded(r#"{"Payload": {"decision": "done", "stopping": {"rest": "atRest"}}}"#),
            ],
        );
        assert_eq!(
            told,
            [
                "AdmitRun: admitted, run r-1",
                "CheckInstance: ready",
                "IsReady: → AwaitRun",
                "AwaitRun: waits for the runner, with a task token",
                "AwaitRun: answered by the runner",
                "VerifyStopped: Stopped was observed",
            ]
        );
        let admitted = Admitted { run: "r-1".to_owned(), instance: "nightly".to_owned(), attempt: 1 };
        assert_eq!(narrator.admitted, Some(admitted));
    }

    #[test]
    fn polls_that_learn_nothing_new_are_told_once() {
        let poll = |answer: &str, next: &str| {
            vec![
                entered(Type::TaskStateEntered, "CheckInstance"),
                succeeded(&format!(r#"{{"Payload": {{"decision": "{answer}"}}}}"#)),
                entered(Type::ChoiceStateEntered, "IsReady"),
                event(Type::ChoiceStateExited).build().unwrap(),
                entered(Type::TaskStateEntered, next),
            ]
        };
        let wait = || poll("wait", "WaitForInstance");
        let start = poll("start", "StartInstance");
        let events = [wait(), wait(), wait(), start, wait(), wait(), poll("ready", "AwaitRun")].concat();
        let waits = ["CheckInstance: wait", "IsReady: → WaitForInstance", "WaitForInstance: waits for the instance"];
        let starts = ["CheckInstance: start", "IsReady: → StartInstance"];
        let goes_on =
            ["CheckInstance: ready", "IsReady: → AwaitRun", "AwaitRun: waits for the runner, with a task token"];
        let expected = [&waits[..], &starts, &waits, &goes_on].concat();
        assert_eq!(told(&mut Narrator::default(), events), expected);
    }

    #[test]
    fn a_failure_names_its_error() {
        let details =
            TaskFailedEventDetails::builder().resource_type("lambda").resource("invoke").error("NotebookFailed");
        let failed = event(Type::TaskFailed).task_failed_event_details(details.build().unwrap()).build().unwrap();
        let told = told(&mut Narrator::default(), vec![entered(Type::TaskStateEntered, "ConcludeRun"), failed]);
        assert_eq!(told, ["ConcludeRun: failed: NotebookFailed"]);
    }
}
