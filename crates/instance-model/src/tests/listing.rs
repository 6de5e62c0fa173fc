//! Filters, order and pages.

use super::*;
use crate::{ConfigSort, InstanceFilter, InstanceSort, ListQuery, Page};

fn world() -> World {
    let mut world = World::new();
    world.config("wake");
    for (name, config) in [("a-1", None), ("b-2", Some("wake"))] {
        world.create(name, config).unwrap();
        world.wait(1);
    }
    let mut settings = InstanceSettings::new("ml.t3.medium", ROLE);
    settings.default_code_repository = Some("https://example.com/a.git".to_owned());
    settings.additional_code_repositories = vec!["tools".to_owned()];
    let new = CreateInstance { name: "a-3".to_owned(), settings, tags: [].into() };
    world.apply(Command::CreateInstance(new)).unwrap();
    world.wait(1);
    world.wait(20);
    world.apply(Command::Stop { name: "a-1".to_owned() }).unwrap();
    world
}

type Query = ListQuery<InstanceSort>;

fn names(world: &mut World, query: Query) -> Vec<String> {
    page(world, query).unwrap().items.into_iter().map(|view| view.name).collect()
}

fn page(world: &mut World, query: Query) -> Result<Page<InstanceView>, ApiError> {
    filtered(world, query, InstanceFilter::default())
}

fn filtered(world: &mut World, query: Query, filter: InstanceFilter) -> Result<Page<InstanceView>, ApiError> {
    match world.apply(Command::ListInstances(query, filter))? {
        Response::Instances(page) => Ok(page),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_is_by_name_and_every_filter_filters() {
    let mut world = world();
    let all = ListQuery::default();
    assert_eq!(names(&mut world, all.clone()), ["a-1", "a-3", "b-2"]);
    let second = world.account.snapshot("b-2").unwrap().view.created;
    let text = |text: &str| Some(text.to_owned());
    for (query, expected) in [
        (ListQuery { name_contains: text("a-"), ..all.clone() }, ["a-1", "a-3"].as_slice()),
        (ListQuery { created_before: Some(second), ..all.clone() }, &["a-1"]),
        (ListQuery { created_after: Some(second), ..all.clone() }, &["a-3"]),
        (ListQuery { modified_after: Some(world.now), ..all.clone() }, &[]),
        (ListQuery { modified_before: Some(world.now), ..all.clone() }, &["a-3", "b-2"]),
        (ListQuery { descending: true, ..all.clone() }, &["b-2", "a-3", "a-1"]),
        (ListQuery { sort_by: InstanceSort::CreationTime, ..all.clone() }, &["a-1", "b-2", "a-3"]),
        (ListQuery { sort_by: InstanceSort::Status, ..all.clone() }, &["a-3", "b-2", "a-1"]),
    ] {
        assert_eq!(names(&mut world, query.clone()), expected, "{query:?}");
    }
    let none = InstanceFilter::default();
    for (filter, expected) in [
        (InstanceFilter { status: Some(NotebookInstanceStatus::Stopping), ..none.clone() }, ["a-1"].as_slice()),
        (InstanceFilter { config_contains: text("wa"), ..none.clone() }, &["b-2"]),
        (InstanceFilter { default_repository_contains: text("example"), ..none.clone() }, &["a-3"]),
        (InstanceFilter { default_repository_contains: text("other"), ..none.clone() }, &[]),
        (InstanceFilter { additional_repository: text("tools"), ..none.clone() }, &["a-3"]),
        (InstanceFilter { additional_repository: text("tool"), ..none }, &[]),
    ] {
        let page = filtered(&mut world, all.clone(), filter.clone()).unwrap();
        let names: Vec<String> = page.items.into_iter().map(|view| view.name).collect();
        assert_eq!(names, expected, "{filter:?}");
    }
}

#[test]
fn times_are_compared_as_they_are_shown() {
    let mut world = World::new();
    world.now += Duration::from_nanos(1_234_567_899);
    world.create(NAME, None).unwrap();
    let created = world.account.snapshot(NAME).unwrap().view.created;
    let shown = crate::shown(created);
    assert_ne!(created, shown);
    let before = shown - Duration::from_millis(1);
    let found = |world: &mut World, query: Query| !names(world, query).is_empty();
    for time in [shown, created] {
        assert!(!found(&mut world, ListQuery { created_after: Some(time), ..Query::default() }));
        assert!(!found(&mut world, ListQuery { created_before: Some(time), ..Query::default() }));
        assert!(!found(&mut world, ListQuery { modified_after: Some(time), ..Query::default() }));
        assert!(!found(&mut world, ListQuery { modified_before: Some(time), ..Query::default() }));
    }
    assert!(found(&mut world, ListQuery { created_after: Some(before), ..Query::default() }));
    world.now += Duration::from_micros(50);
    world.create("a-twin", None).unwrap();
    let latest_first = ListQuery { sort_by: InstanceSort::CreationTime, descending: true, ..Query::default() };
    assert_eq!(names(&mut world, latest_first), [NAME, "a-twin"], "the same time as shown, so by name");
}

#[test]
fn pages_follow_each_other() {
    let mut world = world();
    let mut query = ListQuery { max_results: Some(2), ..ListQuery::default() };
    let first = page(&mut world, query.clone()).unwrap();
    assert_eq!(first.items.len(), 2);
    query.next_token = first.next_token;
    let second = page(&mut world, query.clone()).unwrap();
    assert_eq!((second.items.len(), second.next_token), (1, None));
    query.next_token = Some("x".to_owned());
    page(&mut world, query).unwrap_err();
}

#[test]
fn configurations_are_listed_too() {
    let mut world = world();
    world.config("other");
    world.wait(1);
    world.config("third");
    world.wait(1);
    let change = CreateConfig { name: "other".to_owned(), ..CreateConfig::default() };
    world.apply(Command::UpdateConfig(change)).unwrap();
    for (sort_by, expected) in [
        (ConfigSort::Name, ["other", "third", "wake"]),
        (ConfigSort::CreationTime, ["wake", "other", "third"]),
        (ConfigSort::LastModifiedTime, ["wake", "third", "other"]),
    ] {
        let query = ListQuery { sort_by, ..ListQuery::default() };
        let Ok(Response::Configs(page)) = world.apply(Command::ListConfigs(query)) else {
            panic!("no configurations");
        };
        let names: Vec<&str> = page.items.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, expected);
    }
}
