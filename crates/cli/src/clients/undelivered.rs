//! The queue of what EventBridge could not deliver. Reading takes a message out of sight for a while, and nothing else; it is put back at once,
//! also where a person ends the command meanwhile.

use std::collections::BTreeMap;

use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
        QueueAttributeName,
    },
};
use chrono::{DateTime, Utc};

use super::Account;
use crate::error::CliError;

/// The most that ReceiveMessage gives, and ChangeMessageVisibilityBatch takes.
const PAGE: u8 = 10;
/// More than anybody looks through. Whoever reads so many is told that there may be more.
pub(crate) const MOST: usize = 1_000;
/// Receives without anything new, after which the queue has no more: one may come back empty by chance, although each asks all servers.
const EMPTY: usize = 2;
/// A wait of a second makes SQS ask all of its servers, and not a sample of them.
const WAIT_SECONDS: i32 = 1;
/// How long a message is out of sight if the command is killed: longer than a thousand starts take.
const HOLD_SECONDS: i32 = 300;

/// What could not deliver the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Rule(String),
    Schedule {
        arn: String,
        time: Option<String>,
    },
    /// Somebody put it there by hand, perhaps.
    Unknown,
}

/// A message of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    pub(crate) id: String,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) source: Source,
    /// A rule's event, or the input of a schedule's run.
    pub(crate) body: String,
    /// Scheduler cut the body.
    pub(crate) is_cut: bool,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) attempts: Option<String>,
    receipt: String,
}

impl Account {
    /// The queue's client and its URL.
    fn undelivered_queue(&self) -> Result<(Client, String), CliError> {
        Ok((Client::new(&self.config), self.output("UndeliveredEventsUrl")?))
    }

    /// All messages, or [`MOST`] and a few, the oldest of them first. They are out of sight until [`Account::put_back`].
    ///
    /// # Errors
    /// The queue cannot be read, or `stop` says that a person ended the command; then all are put back.
    pub(crate) async fn undelivered(&self, stop: &dyn Fn() -> bool) -> Result<Vec<Undelivered>, CliError> {
        let (client, url) = self.undelivered_queue()?;
        let mut found: BTreeMap<String, Undelivered> = BTreeMap::new();
        let mut without_news = 0;
        while without_news < EMPTY && found.len() < MOST {
            let call = client.receive_message().queue_url(&url).max_number_of_messages(PAGE.into());
            let call = call.wait_time_seconds(WAIT_SECONDS).visibility_timeout(HOLD_SECONDS);
            let call =
                call.message_attribute_names("All").message_system_attribute_names(MessageSystemAttributeName::All);
            let (received, problem) = match call.send().await {
                Ok(received) => (received.messages.unwrap_or_default(), None),
                Err(error) => {
                    let action = format!("read the queue of undelivered events, {url}");
                    (Vec::new(), Some(CliError::asked(action, &error)))
                }
            };
            let before = found.len();
            found.extend(received.into_iter().filter_map(read).map(|message| (message.id.clone(), message)));
            if let Some(problem) = problem.or_else(|| stop().then_some(CliError::Interrupted)) {
                self.put_back(&found.into_values().collect::<Vec<_>>()).await;
                return Err(problem);
            }
            without_news = if found.len() == before { without_news + 1 } else { 0 };
        }
        let mut all: Vec<Undelivered> = found.into_values().collect();
        all.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        Ok(all)
    }

    /// How many messages nobody can see now, because somebody is reading them; `None`: it cannot be told.
    pub(crate) async fn being_read(&self) -> Option<usize> {
        let (client, url) = self.undelivered_queue().ok()?;
        let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let asked = client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
        asked.ok()?.attributes?.get(&name)?.parse().ok()
    }

    /// Lets others see messages again. If that fails, they come back by themselves.
    pub(crate) async fn put_back(&self, messages: &[Undelivered]) {
        let Ok((client, url)) = self.undelivered_queue() else { return };
        for page in messages.chunks(PAGE.into()) {
            let entries = page.iter().enumerate().filter_map(|(index, message)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&message.receipt).visibility_timeout(0).build().ok()
            });
            let call = client.change_message_visibility_batch().queue_url(&url);
            let _ = call.set_entries(Some(entries.collect())).send().await;
        }
    }

    /// Takes a message out of the queue for good.
    pub(crate) async fn discard(&self, message: &Undelivered) -> Result<(), CliError> {
        let (client, url) = self.undelivered_queue()?;
        let deleted = client.delete_message().queue_url(url).receipt_handle(&message.receipt).send().await;
        deleted.map(drop).map_err(|error| {
            let maybe = "the message may still be in the queue";
            CliError::changing(
                format!("take the message {} out of the queue", message.id),
                &error,
                maybe,
                "reveille undelivered",
            )
        })
    }
}

fn read(message: Message) -> Option<Undelivered> {
    let attributes = message.message_attributes.unwrap_or_default();
    let text = |name: &str| attributes.get(name).and_then(MessageAttributeValue::string_value).map(str::to_owned);
    let source = match (text("RULE_ARN"), text("SCHEDULE_ARN")) {
        (Some(arn), _) => Source::Rule(arn),
        (None, Some(arn)) => Source::Schedule { arn, time: text("SCHEDULED_TIME") },
        (None, None) => Source::Unknown,
    };
    let sent = message.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
    Some(Undelivered {
        id: message.message_id?,
        since: sent.and_then(|sent| DateTime::from_timestamp_millis(sent.parse().ok()?)),
        source,
        body: message.body.unwrap_or_default(),
        is_cut: text("IS_PAYLOAD_TRUNCATED").is_some_and(|cut| cut == "true"),
        code: text("ERROR_CODE"),
        message: text("ERROR_MESSAGE"),
        attempts: text("RETRY_ATTEMPTS"),
        receipt: message.receipt_handle?,
    })
}

#[cfg(test)]
pub(crate) fn of_test(source: Source, body: &str) -> Undelivered {
    Undelivered {
        id: "0b1f6f3c-5555-4444-3333-222211110000".to_owned(),
        since: None,
        source,
        body: body.to_owned(),
        is_cut: false,
        code: None,
        message: None,
        attempts: None,
        receipt: String::new(),
    }
}
