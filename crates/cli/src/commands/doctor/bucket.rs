//! The stack's own bucket.

use super::finding::{Check, Finding};
use crate::clients::checkup::{BucketEvents, BucketFacts, Known};

pub(super) fn bucket(name: &str, region: &str, adopted: bool, facts: &BucketFacts) -> Vec<Finding> {
    let place = match &facts.place {
        Err(unknown) => Finding::unchecked(Check::Bucket, unknown),
        Ok(None) => {
            return vec![Finding::fail(
                Check::Bucket,
                format!(
                    "the bucket of records, {name}, does not exist any more: every run fails, and what was recorded is gone"
                ),
                "deploy a stack under another name (docs/deploy.md), or set ExistingRunsBucket (docs/bucket.md)",
            )];
        }
        Ok(Some(place)) if place != region => Finding::fail(
            Check::Bucket,
            format!("the bucket of records, {name}, is in {place}, and the stack in {region}"),
            "set ExistingRunsBucket to a bucket in the stack's region (docs/bucket.md)",
        ),
        Ok(Some(_)) => Finding::ok(Check::Bucket, format!("the bucket of records is {name}")),
    };
    let mut findings = vec![place, public(name, facts), versions(name, adopted, facts)];
    findings.extend(facts.events.as_ref().map(|sent| events(name, adopted, sent)));
    findings
}

/// Of a stack that publishes progress: S3's events about the records are how it learns of it.
fn events(name: &str, adopted: bool, sent: &Known<BucketEvents>) -> Finding {
    const TOLD: &str = "(PublishProgress)";
    match sent {
        Err(unknown) => Finding::unchecked(Check::BucketEvents, unknown),
        Ok(BucketEvents::Reach) => {
            Finding::ok(Check::BucketEvents, format!("it sends its events, so QUEUED and RUNNING are published {TOLD}"))
        }
        Ok(BucketEvents::AreNotSent) => {
            let whose = if adopted {
                "it is yours (ExistingRunsBucket), so the stack does not turn them on"
            } else {
                "the stack turned them on, and somebody turned them off"
            };
            let what = format!(
                "it does not send its events to EventBridge, so no QUEUED and RUNNING events are published {TOLD}; {whose}"
            );
            Finding::fail(Check::BucketEvents, what, turn_events_on(name))
        }
        Ok(BucketEvents::Cannot(problem)) => Finding::fail(
            Check::BucketEvents,
            format!(
                "its events reach no rule of the stack, so no QUEUED and RUNNING events are published {TOLD}: {problem}"
            ),
            "set ExistingRunsBucket to a bucket in the stack's region (docs/bucket.md)",
        ),
    }
}

/// S3 replaces a bucket's notifications as a whole, so this writes the existing ones back. It skips the validation of their destinations,
/// which do not change.
pub(super) fn turn_events_on(bucket: &str) -> String {
    let others = format!(
        "aws s3api get-bucket-notification-configuration --bucket {bucket} --query 'merge(@, {{EventBridgeConfiguration: `{{}}`}})' --output json"
    );
    format!(
        "aws s3api put-bucket-notification-configuration --bucket {bucket} --skip-destination-validation --notification-configuration \"$({others})\""
    )
}

fn public(name: &str, facts: &BucketFacts) -> Finding {
    match facts.blocks_public {
        Err(ref unknown) => Finding::unchecked(Check::BucketPublic, unknown),
        Ok(true) => Finding::ok(Check::BucketPublic, "nothing can make it public"),
        Ok(false) => Finding::warn(
            Check::BucketPublic,
            "a policy or an ACL could make it public, and it holds runs' outputs and parameters",
            format!(
                "aws s3api put-public-access-block --bucket {name} --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
            ),
        ),
    }
}

/// `adopted`: its settings are its owner's.
fn versions(name: &str, adopted: bool, facts: &BucketFacts) -> Finding {
    match facts.keeps_versions {
        Err(ref unknown) => Finding::unchecked(Check::BucketVersions, unknown),
        Ok(true) => Finding::ok(Check::BucketVersions, "it keeps versions of what is overwritten or deleted"),
        Ok(false) if adopted => {
            Finding::ok(Check::BucketVersions, "it keeps no versions; its settings are yours (ExistingRunsBucket)")
        }
        Ok(false) => Finding::warn(
            Check::BucketVersions,
            "versioning is off, although the stack turned it on. What is overwritten or deleted is lost",
            format!("aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::bucket;
    use crate::{
        clients::checkup::{BucketEvents, BucketFacts, Unknown},
        commands::doctor::finding::{Check, Verdict, tests::found},
    };

    fn facts() -> BucketFacts {
        let place = Ok(Some("eu-west-1".to_owned()));
        BucketFacts { place, blocks_public: Ok(true), keeps_versions: Ok(true), events: None }
    }

    #[test]
    fn a_bucket_is_there_private_and_keeps_versions() {
        let judge = |facts: &BucketFacts, adopted| bucket("runs", "eu-west-1", adopted, facts);
        for check in [Check::Bucket, Check::BucketPublic, Check::BucketVersions] {
            found(&judge(&facts(), false), check, Verdict::Ok, "");
        }
        found(
            &judge(&BucketFacts { place: Ok(None), ..facts() }, false),
            Check::Bucket,
            Verdict::Fail,
            "does not exist",
        );
        let elsewhere = BucketFacts { place: Ok(Some("us-east-1".to_owned())), ..facts() };
        found(&judge(&elsewhere, false), Check::Bucket, Verdict::Fail, "is in us-east-1");
        let public = BucketFacts { blocks_public: Ok(false), ..facts() };
        found(&judge(&public, false), Check::BucketPublic, Verdict::Warn, "put-public-access-block");
        let bare = BucketFacts { keeps_versions: Ok(false), ..facts() };
        found(&judge(&bare, false), Check::BucketVersions, Verdict::Warn, "put-bucket-versioning");
        found(&judge(&bare, true), Check::BucketVersions, Verdict::Ok, "yours");
        let denied = BucketFacts { place: Err(Unknown::Denied("s3:ListBucket")), ..facts() };
        found(&judge(&denied, false), Check::Bucket, Verdict::Unchecked, "s3:ListBucket");
    }

    #[test]
    fn where_progress_is_published_the_bucket_sends_its_events() {
        let judge = |events, adopted| bucket("runs", "eu-west-1", adopted, &BucketFacts { events, ..facts() });
        assert!(judge(None, true).iter().all(|finding| finding.check != Check::BucketEvents), "nobody needs them");
        let check = Check::BucketEvents;
        found(&judge(Some(Ok(BucketEvents::Reach)), true), check, Verdict::Ok, "QUEUED and RUNNING");
        let silent = Some(Ok(BucketEvents::AreNotSent));
        found(&judge(silent.clone(), true), check, Verdict::Fail, "yours (ExistingRunsBucket)");
        found(
            &judge(silent.clone(), false),
            check,
            Verdict::Fail,
            "the stack turned them on, and somebody turned them off",
        );
        let cure = "--notification-configuration \"$(aws s3api get-bucket-notification-configuration --bucket runs";
        found(&judge(silent, true), check, Verdict::Fail, cure);
        let elsewhere = BucketEvents::Cannot("the bucket runs is in another region".to_owned());
        found(&judge(Some(Ok(elsewhere)), true), check, Verdict::Fail, "in another region");
        let denied = Some(Err(Unknown::Denied("s3:GetBucketNotification")));
        found(&judge(denied, true), check, Verdict::Unchecked, "s3:GetBucketNotification");
    }
}
