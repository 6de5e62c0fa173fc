//! What a hostile notebook tries though its policy denies it. That it had an effect breaks a guarantee.

use reveille_domain::layout::AttemptRef;
use serde_json::json;

use super::{ANOTHER, Role};
use crate::hostility::Hostility;
use crate::world::boots::By;

impl Role<'_> {
    /// Tries what its policy denies, and is held to that.
    pub(super) fn reach_out(&mut self, kind: Hostility, me: &AttemptRef) {
        let own = format!("runs/{}/{}/", me.instance, me.run);
        match kind {
            Hostility::WritesForFunctions => {
                let outcome = json!({"run": me.run, "attempt": me.attempt, "status": "SUCCEEDED", "instance": ANOTHER});
                for key in [
                    format!("{own}request.json"),
                    format!("{own}{}/outcome.json", me.attempt),
                    format!("inbox/{}/{}", me.instance, me.run),
                ] {
                    self.put_json(&key, &outcome);
                }
            }
            Hostility::ReachesAnotherInstance => {
                let others = self.world.ledger.executions().into_iter().filter(|known| known.instance != me.instance);
                let keys: Vec<String> = others
                    .flat_map(|other| {
                        let run = format!("runs/{}/{}/1/", other.instance, other.run);
                        let inbox = format!("inbox/{}/{}", other.instance, other.run);
                        [run.clone() + "claim.json", run + "report.json", inbox]
                    })
                    .chain(self.world.schedule.instances.iter().map(|plan| format!("leases/{}.json", plan.name)))
                    .chain([format!("leases/{ANOTHER}.json"), format!("inbox/{ANOTHER}/r")])
                    .filter(|key| *key != format!("leases/{}.json", me.instance))
                    .collect();
                for key in keys {
                    self.read(&key);
                    self.put_json(&key, &json!({}));
                    self.delete(&key);
                }
            }
            Hostility::ReachesTheStack => {
                let triggers = self.world.bucket.list("triggers/", None, usize::MAX);
                let of_the_stack = ["sweeper.json", "runner.sha256", "artifacts/reveille-runner"].map(String::from);
                for key in triggers.into_iter().chain(of_the_stack) {
                    self.put_json(&key, &json!({}));
                    self.delete(&key);
                }
            }
            Hostility::RemovesPutOnce => {
                for key in self.world.bucket.list(&format!("runs/{}/", me.instance), None, usize::MAX) {
                    self.delete(&key);
                }
            }
            _ => {
                let others = self.world.schedule.instances.iter().filter(|plan| plan.name != me.instance);
                let others: Vec<String> = others.map(|plan| plan.name.clone()).collect();
                for other in others {
                    let resource = format!("notebook-instance/{other}");
                    if self.may("sagemaker:StopNotebookInstance", &resource) {
                        self.struck = self.world.stop(&other, By::Person, "a notebook").is_ok();
                    }
                }
                for (action, resource) in [
                    ("sagemaker:StartNotebookInstance", format!("notebook-instance/{}", me.instance)),
                    ("states:StartExecution", "stateMachine:notebook-run".into()),
                    ("states:StopExecution", "execution".into()),
                    ("events:PutEvents", "event-bus/default".into()),
                ] {
                    self.struck |= self.may(action, &resource);
                }
            }
        }
        if self.struck {
            let what = format!("a notebook on {} did what is denied: {}", self.instance, kind.name());
            self.world.ledger.violation("G2", self.world.now_ms(), what);
        }
    }
}
