//! Whether a bucket sends its events to EventBridge, and how to turn that on without changing its other notifications.

use aws_sdk_s3::{
    operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput,
    types::{EventBridgeConfiguration, NotificationConfiguration},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Account, eventually};
use crate::error::CliError;

impl Account {
    /// Whether it does.
    ///
    /// # Errors
    /// There is no such bucket, or its notifications may not be read.
    pub(crate) async fn sends_events(&self, bucket: &str) -> Result<bool, CliError> {
        Ok(self.notifications(bucket).await?.event_bridge_configuration.is_some())
    }

    /// Turns it on: S3 takes a bucket's notifications as a whole only, so they are read, added to, and put back. The answer is how many others there
    /// are. What somebody changes between the reading and the writing is lost: S3 has no condition for it.
    ///
    /// # Errors
    /// Somebody changed them after the writing, so that they may have to be put right.
    pub(crate) async fn send_events(&self, bucket: &str) -> Result<usize, CliError> {
        let wanted = with_events(self.notifications(bucket).await?);
        let call = self.s3.put_bucket_notification_configuration().bucket(bucket);
        // Its other destinations do not change, and may be ones that S3 could not check now.
        let call = call.skip_destination_validation(true).notification_configuration(wanted.clone());
        call.send().await.map_err(|error| {
            let maybe = format!("{bucket} may send its events to EventBridge now");
            let find_out = format!("aws s3api get-bucket-notification-configuration --bucket {bucket}");
            CliError::changing(format!("change the event notifications of {bucket}"), &error, maybe, find_out)
        })?;
        let changed = eventually::shown(async || {
            let now = self.notifications(bucket).await.map_err(|error| CliError::Afterwards {
                done: format!("{bucket} was made to send its events to EventBridge"),
                error: Box::new(error),
                next: "the same command again".to_owned(),
            })?;
            let is_there = now.event_bridge_configuration.is_some() && same(&wanted, &with_events(now));
            Ok(is_there.then(|| others(&wanted)))
        });
        changed.await?.ok_or_else(|| {
            CliError::NotNow(format!(
                "somebody else changed the event notifications of {bucket} at the same time, so no rule was made; check that they are still right: aws s3api get-bucket-notification-configuration --bucket {bucket}"
            ))
        })
    }

    async fn notifications(&self, bucket: &str) -> Result<GetBucketNotificationConfigurationOutput, CliError> {
        let call = self.s3.get_bucket_notification_configuration().bucket(bucket);
        call.send().await.map_err(|error| match error.code() {
            Some("NoSuchBucket") => CliError::NotThere(format!("there is no bucket {bucket}; to list yours: aws s3 ls")),
            Some("PermanentRedirect" | "IllegalLocationConstraintException") => CliError::NotNow(format!(
                "the bucket {bucket} is in another region than the stack, and a bucket's events reach only the rules of its own region"
            )),
            _ => CliError::asked(format!("read the event notifications of {bucket}"), &error),
        })
    }
}

fn with_events(found: GetBucketNotificationConfigurationOutput) -> NotificationConfiguration {
    NotificationConfiguration::builder()
        .set_topic_configurations(found.topic_configurations)
        .set_queue_configurations(found.queue_configurations)
        .set_lambda_function_configurations(found.lambda_function_configurations)
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build()
}

fn others(all: &NotificationConfiguration) -> usize {
    all.topic_configurations().len() + all.queue_configurations().len() + all.lambda_function_configurations().len()
}

/// In any order: S3 promises none.
fn same(one: &NotificationConfiguration, other: &NotificationConfiguration) -> bool {
    fn each_in<T: PartialEq>(some: &[T], others: &[T]) -> bool {
        some.len() == others.len() && some.iter().all(|item| others.contains(item))
    }
    each_in(one.topic_configurations(), other.topic_configurations())
        && each_in(one.queue_configurations(), other.queue_configurations())
        && each_in(one.lambda_function_configurations(), other.lambda_function_configurations())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{
        operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput as Found,
        types::{Event, QueueConfiguration},
    };

    use super::{others, same, with_events};

    fn queue(arn: &str) -> QueueConfiguration {
        QueueConfiguration::builder().queue_arn(arn).events(Event::S3ObjectCreated).build().unwrap()
    }

    #[test]
    fn what_a_bucket_tells_others_stays() {
        let found = Found::builder().queue_configurations(queue("a")).queue_configurations(queue("b")).build();
        let wanted = with_events(found);
        assert!(wanted.event_bridge_configuration().is_some());
        assert_eq!((wanted.queue_configurations(), others(&wanted)), (&[queue("a"), queue("b")][..], 2));
        let again = |queues: &[&str]| {
            let queues = queues.iter().map(|arn| queue(arn)).collect();
            with_events(Found::builder().set_queue_configurations(Some(queues)).build())
        };
        assert!(same(&wanted, &again(&["b", "a"])));
        assert!(!same(&wanted, &again(&["a"])) && !same(&wanted, &again(&["a", "c"])));
    }
}
