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

fn refusal(change: impl Fn(&mut InstanceSettings)) -> Option<String> {
    let mut settings = InstanceSettings::new("ml.t3.medium", ROLE);
    change(&mut settings);
    let new = CreateInstance { name: NAME.to_owned(), settings, tags: [].into() };
    World::new().apply(Command::CreateInstance(new)).err().map(|error| error.to_string())
}

#[test]
fn a_retired_platform_is_refused_in_awss_words() {
    assert_eq!(
        refusal(|settings| settings.platform = "notebook-al2-v1".to_owned()).unwrap(),
        "Platform identifier (notebook-al2-v1) is not supported for this service."
    );
    let mut world = World::with_stopped();
    let update = UpdateInstance {
        name: NAME.to_owned(),
        platform: Some("notebook-al2-v3".to_owned()),
        ..UpdateInstance::default()
    };
    let error = world.apply(Command::Update(update)).unwrap_err();
    assert_eq!(error.to_string(), "Platform identifier (notebook-al2-v3) is not supported for this service.");
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
}

#[test]
fn an_instance_without_internet_needs_a_subnet() {
    let offline = |settings: &mut InstanceSettings| settings.direct_internet_access = "Disabled".to_owned();
    assert!(refusal(offline).unwrap().contains("SubnetId"));
    let in_a_subnet = |settings: &mut InstanceSettings| {
        offline(settings);
        settings.subnet_id = Some("subnet-1".to_owned());
    };
    assert_eq!(refusal(in_a_subnet), None);
}

#[test]
fn a_volume_grows_and_never_shrinks() {
    let mut world = World::with_stopped();
    let mut resize = |volume_gb| {
        let update = UpdateInstance { name: NAME.to_owned(), volume_gb: Some(volume_gb), ..UpdateInstance::default() };
        let result = world.apply(Command::Update(update));
        world.wait(10);
        (result.err().map(|error| error.code()), world.describe().unwrap().settings.volume_gb)
    };
    assert_eq!(resize(20), (None, 20));
    assert_eq!(resize(19), (Some("ValidationException"), 20));
    assert_eq!(resize(20), (None, 20));
}

#[test]
fn what_an_instance_may_have_or_not_is_set_and_taken_away() {
    let mut world = World::with_stopped();
    let mut update = |change: UpdateInstance| {
        world.apply(Command::Update(UpdateInstance { name: NAME.to_owned(), ..change })).unwrap();
        world.wait(10);
        world.describe().unwrap().settings.as_ref().clone()
    };
    let url = "https://example.com/a.git".to_owned();
    let with = update(UpdateInstance {
        default_code_repository: Change::Set(url.clone()),
        additional_code_repositories: Change::Set(vec![url.clone()]),
        accelerator_types: Change::Set(vec!["ml.eia2.medium".to_owned()]),
        ip_address_type: Some("dualstack".to_owned()),
        ..UpdateInstance::default()
    });
    assert_eq!((with.default_code_repository.as_ref(), with.ip_address_type.as_str()), (Some(&url), "dualstack"));
    assert_eq!((&with.additional_code_repositories, with.accelerator_types.len()), (&vec![url], 1));
    assert_eq!(update(UpdateInstance::default()), with, "what is not given stays");
    let without = update(UpdateInstance {
        default_code_repository: Change::Remove,
        additional_code_repositories: Change::Remove,
        accelerator_types: Change::Remove,
        ..UpdateInstance::default()
    });
    assert_eq!(without.default_code_repository, None);
    assert!(without.additional_code_repositories.is_empty() && without.accelerator_types.is_empty());
}
