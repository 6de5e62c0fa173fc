//! The stack's own bucket.

use super::finding::{Check, Finding};
use crate::clients::checkup::BucketFacts;

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
    vec![place, public(name, facts), versions(name, adopted, facts)]
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
        clients::checkup::{BucketFacts, Unknown},
        commands::doctor::finding::{Check, Verdict, tests::found},
    };

    fn facts() -> BucketFacts {
        BucketFacts { place: Ok(Some("eu-west-1".to_owned())), blocks_public: Ok(true), keeps_versions: Ok(true) }
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
}
