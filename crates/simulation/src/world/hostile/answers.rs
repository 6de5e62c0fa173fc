//! What a hostile notebook does with the tickets of its instance, with their tokens, and with its own machine.

use reveille_domain::Code;
use serde_json::{Value, json};

use super::Role;
use crate::hostility::Hostility;
use crate::world::boots::{Boot, By};

impl Role<'_> {
    /// Tickets of its instance, with their tokens: the role may read them.
    fn tickets(&mut self) -> Vec<(String, Value)> {
        if !self.may("s3:ListBucket", "") {
            return Vec::new();
        }
        let keys = self.world.bucket.list(&format!("inbox/{}/", self.instance), None, usize::MAX);
        keys.into_iter().filter_map(|key| Some((key.clone(), self.read(&key)?))).collect()
    }

    pub(super) fn remove_ticket(&mut self) {
        let tickets = self.tickets();
        if !tickets.is_empty() {
            let (key, _) = &tickets[self.roll(tickets.len() as u64)];
            self.delete(key);
        }
    }

    pub(super) fn answer(&mut self, kind: Hostility) {
        let tickets = self.tickets();
        let callbacks = self.world.service().callbacks();
        if kind == Hostility::TokenGuessed {
            if self.may("states:SendTaskSuccess", "a token") {
                self.struck = true;
                let answered = callbacks.send_task_success("guessed-token", "{}");
                if answered.is_ok() {
                    self.world.ledger.violation("G2", self.world.now_ms(), "a guessed token was answered".into());
                }
            }
            return;
        }
        if tickets.is_empty() {
            return;
        }
        let (_, ticket) = &tickets[self.roll(tickets.len() as u64)];
        let token = ticket["taskToken"].as_str().unwrap_or_default();
        let answered = match kind {
            Hostility::TokenAnsweredWithSuccess if self.may("states:SendTaskSuccess", "a token") => {
                callbacks.send_task_success(token, &json!({"run": "another-0123456789", "attempt": 9}).to_string())
            }
            Hostility::TokenAnsweredWithFailure if self.may("states:SendTaskFailure", "a token") => {
                let code = Code::ALL[self.roll(Code::ALL.len() as u64)].as_str();
                let error = [code, "States.Timeout", "Lambda.Unknown", "Anything"][self.roll(4)];
                let cause = json!({"errorType": error, "errorMessage": "forged"}).to_string();
                callbacks.send_task_failure(token, Some(error), Some(&cause))
            }
            Hostility::TokenBeaten if self.may("states:SendTaskHeartbeat", "a token") => {
                callbacks.send_task_heartbeat(token)
            }
            _ => return,
        };
        self.struck = answered.is_ok();
        self.world.say(|| format!("  a notebook on {}: {}: {answered:?}", self.instance, kind.name()));
    }

    pub(super) fn stop(&mut self, boot: &Boot) {
        let resource = format!("notebook-instance/{}", boot.instance);
        if self.may("sagemaker:StopNotebookInstance", &resource) {
            self.struck = self.world.stop(&boot.instance, By::Person, "a notebook").is_ok();
        }
    }
}
