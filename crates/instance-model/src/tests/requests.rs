//! What is malformed is refused, in AWS's words.

use super::*;

#[test]
fn names_are_letters_digits_and_inner_hyphens() {
    let mut world = World::new();
    let long = "x".repeat(64);
    for bad in ["", "-a", "a-", "a_b", "../a", "a b", "ä", "a/b", "ab\u{e9}", &long] {
        let error = world.create(bad, None).unwrap_err();
        assert_eq!(error.code(), "ValidationException");
        let start = format!(
            "1 validation error detected: Value '{bad}' at 'notebookInstanceName' failed to satisfy constraint: Member must"
        );
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    for good in ["a", "A9", "a--b", &"x".repeat(63)] {
        world.create(good, None).unwrap();
    }
}

#[test]
fn names_that_differ_in_case_only_are_one_name() {
    let mut world = World::new();
    world.create("Nightly", None).unwrap();
    let error = world.create("nightly", None).unwrap_err();
    assert_eq!(error.to_string(), format!("Cannot create a duplicate Notebook Instance ({ARN})"));
}

#[test]
fn every_setting_is_checked() {
    let bad = |change: fn(&mut InstanceSettings)| {
        let mut world = World::new();
        let mut settings = InstanceSettings::new("ml.t3.medium", ROLE);
        change(&mut settings);
        let new = CreateInstance { name: NAME.to_owned(), settings, tags: [].into() };
        world.apply(Command::CreateInstance(new)).unwrap_err().to_string()
    };
    for (message, part) in [
        (bad(|s| s.instance_type = "t3.medium".to_owned()), "'instanceType'"),
        (bad(|s| s.instance_type = "ml..medium".to_owned()), "'instanceType'"),
        (bad(|s| s.instance_type = "ml.t3.me;dium".to_owned()), "'instanceType'"),
        (bad(|s| s.role_arn = "arn:aws:iam::1:role/x".to_owned()), "'roleArn'"),
        (bad(|s| s.role_arn = "admin".to_owned()), "'roleArn'"),
        (bad(|s| s.lifecycle_config = Some("a b".to_owned())), "'lifecycleConfigName'"),
        (bad(|s| s.volume_gb = 4), "'volumeSizeInGB'"),
        (bad(|s| s.root_access = "Yes".to_owned()), "'rootAccess'"),
        (bad(|s| s.direct_internet_access = "Yes".to_owned()), "'directInternetAccess'"),
        (bad(|s| s.imds_version = "3".to_owned()), "minimumInstanceMetadataServiceVersion"),
        (bad(|s| s.platform = "notebook-al9".to_owned()), "'platformIdentifier'"),
        (bad(|s| s.platform = "notebook-al2-v3".to_owned()), "end of life"),
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_missing_member_is_said_to_be_null() {
    assert_eq!(
        ApiError::missing("notebookInstanceName").to_string(),
        "1 validation error detected: Value null at 'notebookInstanceName' failed to satisfy constraint: Member must not be null"
    );
}
