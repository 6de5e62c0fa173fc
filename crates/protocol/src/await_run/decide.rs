//! Whether one more run may wait on an instance.

use reveille_domain::layout::Layout;
use reveille_domain::records::RunRef;
use reveille_domain::{Code, Failure};

/// Whether there is room for a run beside those whose tickets are under the keys of its instance's inbox.
///
/// # Errors
/// `Busy`: as many others wait as may.
pub fn room(layout: &Layout, run: &RunRef, keys: &[String], most: u32) -> Result<(), Failure> {
    let others =
        keys.iter().filter_map(|key| layout.run_of_ticket(&run.instance, key)).filter(|other| *other != run.id).count();
    if others < most as usize {
        return Ok(());
    }
    let instance = &run.instance;
    Err(Failure::new(
        Code::Busy,
        format!(
            "Notebook instance {instance} is busy: {most} or more other runs are waiting on it, and the stack's parameter MaxWaitingRuns is {most}. Redrive the execution when some of them have ended, or raise MaxWaitingRuns."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layout() -> Layout {
        Layout { bucket: "b".into(), prefix: "team/".into() }
    }

    fn run() -> RunRef {
        serde_json::from_value(json!({
            "id": "me", "attempt": 1, "instance": "nightly", "admittedAt": "2026-11-23T12:00:00Z",
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "queue", "onRunnerLost": "fail",
        }))
        .unwrap()
    }

    fn asked(runs: &[&str], most: u32) -> Result<(), Failure> {
        let keys: Vec<String> = runs.iter().map(|run| format!("team/inbox/nightly/{run}")).collect();
        room(&layout(), &run(), &keys, most)
    }

    #[test]
    fn as_many_may_wait_as_the_stack_says_and_no_more() {
        assert_eq!(asked(&[], 1), Ok(()));
        assert_eq!(asked(&["a"], 2), Ok(()));
        for others in [&["a", "b"][..], &["a", "b", "c"]] {
            let refused = asked(others, 2).unwrap_err();
            assert_eq!(refused.code, Code::Busy);
            for told in ["nightly", "2 or more other runs", "MaxWaitingRuns is 2", "raise", "Redrive"] {
                assert!(refused.message.contains(told), "{}", refused.message);
            }
        }
    }

    #[test]
    fn neither_its_own_ticket_nor_what_is_no_ticket_takes_room() {
        for none in ["me", "", "a/b", "folder/"] {
            assert_eq!(asked(&["a", none], 2), Ok(()), "{none}");
        }
        let elsewhere = ["team/inbox/other/a".to_owned(), "inbox/nightly/a".to_owned()];
        assert_eq!(room(&layout(), &run(), &elsewhere, 1), Ok(()));
    }
}
