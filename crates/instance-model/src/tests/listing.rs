//! Filters, order and pages.

use super::*;
use crate::{ListQuery, Page, SortBy};

fn world() -> World {
    let mut world = World::new();
    world.config("wake");
    for (name, config) in [("a-1", None), ("b-2", Some("wake")), ("a-3", None)] {
        world.create(name, config).unwrap();
        world.wait(1);
    }
    world.wait(20);
    world.apply(Command::Stop { name: "a-1".to_owned() }).unwrap();
    world
}

fn names(world: &mut World, query: ListQuery) -> Vec<String> {
    page(world, query).unwrap().items.into_iter().map(|view| view.name).collect()
}

fn page(world: &mut World, query: ListQuery) -> Result<Page<InstanceView>, ApiError> {
    match world.apply(Command::ListInstances(query))? {
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
        (ListQuery { status: Some(Status::Stopping), ..all.clone() }, &["a-1"]),
        (ListQuery { config_contains: text("wa"), ..all.clone() }, &["b-2"]),
        (ListQuery { created_before: Some(second), ..all.clone() }, &["a-1"]),
        (ListQuery { created_after: Some(second), ..all.clone() }, &["a-3"]),
        (ListQuery { modified_after: Some(world.now), ..all.clone() }, &[]),
        (ListQuery { modified_before: Some(world.now), ..all.clone() }, &["a-3", "b-2"]),
        (ListQuery { descending: true, ..all.clone() }, &["b-2", "a-3", "a-1"]),
        (ListQuery { sort_by: SortBy::CreationTime, ..all.clone() }, &["a-1", "b-2", "a-3"]),
        (ListQuery { sort_by: SortBy::Status, ..all.clone() }, &["a-3", "b-2", "a-1"]),
        (ListQuery { sort_by: SortBy::LastModifiedTime, ..all.clone() }, &["b-2", "a-3", "a-1"]),
    ] {
        assert_eq!(names(&mut world, query.clone()), expected, "{query:?}");
    }
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
    for bad in [0, 101] {
        let query = ListQuery { max_results: Some(bad), ..ListQuery::default() };
        page(&mut world, query).unwrap_err();
    }
    query.next_token = Some("x".to_owned());
    page(&mut world, query).unwrap_err();
}

#[test]
fn configurations_are_listed_too() {
    let mut world = world();
    world.config("other");
    let Ok(Response::Configs(page)) = world.apply(Command::ListConfigs(ListQuery::default())) else {
        panic!("no configurations");
    };
    let names: Vec<&str> = page.items.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["other", "wake"]);
}
