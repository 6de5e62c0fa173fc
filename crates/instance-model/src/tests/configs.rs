//! Lifecycle configurations and tags.

use std::collections::BTreeMap;

use super::*;

fn create(world: &mut World, name: &str, on_start: Option<&str>) -> Result<Response, ApiError> {
    let new = CreateConfig { name: name.to_owned(), on_start: on_start.map(str::to_owned), ..CreateConfig::default() };
    world.apply(Command::CreateConfig(new))
}

fn describe(world: &mut World, name: &str) -> Result<crate::ConfigView, ApiError> {
    match world.apply(Command::DescribeConfig { name: name.to_owned() })? {
        Response::Config(view) => Ok(*view),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_configuration_lives_from_create_to_delete() {
    let mut world = World::new();
    let script = STANDARD.encode("one");
    let made = create(&mut world, "wake", Some(&script)).unwrap();
    assert_eq!(made, Response::ConfigArn(CONFIG_ARN.to_owned()));
    let error = create(&mut world, "wake", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Cannot create a duplicate Notebook Instance Lifecycle Config ({CONFIG_ARN})")
    );

    world.wait(7);
    let change =
        CreateConfig { name: "wake".to_owned(), on_create: Some(STANDARD.encode("two")), ..CreateConfig::default() };
    world.apply(Command::UpdateConfig(change)).unwrap();
    let view = describe(&mut world, "wake").unwrap();
    assert_eq!(view.on_start, Some(script), "what is not given stays");
    assert_eq!(view.on_create, Some(STANDARD.encode("two")));
    assert_eq!(view.modified - view.created, chrono::TimeDelta::seconds(7));

    let delete = || Command::DeleteConfig { name: "wake".to_owned() };
    world.apply(delete()).unwrap();
    for (result, verb) in
        [(describe(&mut world, "wake").map(|_| Response::Empty), "describe"), (world.apply(delete()), "delete")]
    {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "ValidationException");
        assert_eq!(
            error.to_string(),
            format!(
                "Unable to {verb} Notebook Instance Lifecycle Config '{CONFIG_ARN}'. (Details: Notebook Instance Lifecycle Config does not exist.)"
            )
        );
    }
}

#[test]
fn configurations_that_differ_in_case_only_are_one() {
    let mut world = World::new();
    create(&mut world, "Wake", None).unwrap();
    let error = create(&mut world, "wake", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Cannot create a duplicate Notebook Instance Lifecycle Config ({CONFIG_ARN})")
    );
    world.apply(Command::DeleteConfig { name: "Wake".to_owned() }).unwrap();
    create(&mut world, "wake", None).unwrap();
}

#[test]
fn a_script_is_base64() {
    let mut world = World::new();
    let error = create(&mut world, "wake", Some("no base64!")).unwrap_err();
    assert_eq!(error.code(), "ValidationException");
    assert!(error.to_string().contains("onStart"), "{error}");
    create(&mut world, "full", Some(&"A".repeat(16_384))).unwrap();
    create(&mut world, "wrapped", Some("aGVs\nbG8=\n")).unwrap();
    world.create(NAME, Some("wrapped")).unwrap();
    world.wait(10);
    let ran = world.seen.iter().find_map(|effect| match effect {
        Effect::RunLifecycleScript { script, .. } => Some(script.to_vec()),
        _ => None,
    });
    assert_eq!(ran.unwrap(), b"hello");
}

#[test]
fn an_instance_cannot_name_a_configuration_that_is_not_there() {
    let mut world = World::with_stopped();
    let missing = "does not exist";
    assert!(world.create("other", Some("none")).unwrap_err().to_string().contains(missing));
    let update = UpdateInstance {
        name: NAME.to_owned(),
        lifecycle_config: LifecycleChange::Set("none".to_owned()),
        ..UpdateInstance::default()
    };
    assert!(world.apply(Command::Update(update)).unwrap_err().to_string().contains(missing));
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn tags_are_added_replaced_listed_and_deleted() {
    let mut world = World::with_stopped();
    for arn in [ARN, CONFIG_ARN].map(str::to_owned) {
        let add = |pairs| Command::AddTags { arn: arn.clone(), tags: tags(pairs) };
        world.apply(add(&[("a", "1"), ("b", "2")])).unwrap();
        let added = world.apply(add(&[("b", "3")])).unwrap();
        assert_eq!(added, Response::Tags(tags(&[("a", "1"), ("b", "3")])));
        let delete = Command::DeleteTags { arn: arn.clone(), keys: vec!["a".to_owned(), "z".to_owned()] };
        world.apply(delete).unwrap();
        let list = Command::ListTags { arn: arn.clone() };
        assert_eq!(world.apply(list), Ok(Response::Tags(tags(&[("b", "3")]))));
    }
}

#[test]
fn tags_have_limits_and_go_with_their_resource() {
    let mut world = World::with_stopped();
    let many: BTreeMap<String, String> = (0..51).map(|n| (n.to_string(), String::new())).collect();
    let add = |tags| Command::AddTags { arn: ARN.to_owned(), tags };
    let (half, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = many.into_iter().partition(|(key, _)| key.len() == 1);
    world.apply(add(half)).unwrap();
    assert_eq!(world.apply(add(rest)).unwrap_err().code(), "ValidationException", "51 in two parts");
    world.delete().unwrap();
    world.wait(2);
    let list = Command::ListTags { arn: ARN.to_owned() };
    assert_eq!(world.apply(list), Err(ApiError::RecordNotFound));
}
