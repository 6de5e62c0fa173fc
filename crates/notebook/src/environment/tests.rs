use super::*;

fn environment() -> (tempfile::TempDir, Environment) {
    let root = tempfile::tempdir().unwrap();
    let environment = Environment::of(root.path());
    (root, environment)
}

fn put(folder: &Path, content: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(COMPLETE), content).unwrap();
}

fn content(environment: &Environment) -> String {
    fs::read_to_string(environment.folder().join(COMPLETE)).unwrap()
}

fn names(environment: &Environment) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(&environment.home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_marker_says_whether_it_is_whole_and_of_these_pins() {
    let (_root, environment) = environment();
    assert_eq!(environment.state(), State::Absent);
    fs::create_dir_all(environment.folder().join("bin")).unwrap();
    assert_eq!(environment.state(), State::Absent, "an installation that was cut off");
    put(&environment.folder(), "");
    assert_eq!(environment.state(), State::Old, "the marker of earlier versions is empty");
    put(&environment.folder(), &(pins::fingerprint() + "\n"));
    assert_eq!(environment.state(), State::Current);
    environment.condemn().unwrap();
    assert_eq!(environment.state(), State::Absent);
}

#[test]
fn a_new_environment_takes_the_place_of_whatever_is_there() {
    let (_root, environment) = environment();
    for old in ["nothing", "an environment", "a file", "a dangling link"] {
        let place = environment.folder();
        remove(&place).unwrap();
        match old {
            "an environment" => put(&place, "old"),
            "a file" => fs::write(&place, "").unwrap(),
            "a dangling link" => std::os::unix::fs::symlink("/no/where", &place).unwrap(),
            _ => {}
        }
        let stage = environment.stage().unwrap();
        put(&stage.environment(), "new");
        environment.replace(&stage.environment()).unwrap();
        drop(stage);
        assert_eq!(content(&environment), "new", "over {old}");
        assert_eq!(names(&environment), [NAME], "over {old}");
    }
}

/// Cut off after each step of a replacement, the next start finds the old one or the new one, whole.
#[test]
fn a_replacement_that_is_cut_off_leaves_a_whole_environment() {
    let (_root, environment) = environment();
    put(&environment.home.join("engine.new.1/engine"), "new");
    put(&environment.home.join(OLD), "old");
    environment.settle();
    assert_eq!(content(&environment), "old", "between the two moves");

    put(&environment.home.join(OLD), "older");
    environment.settle();
    assert_eq!(content(&environment), "old", "after the second move");

    let stage = environment.stage().unwrap();
    put(&stage.environment(), "new");
    environment.replace(&stage.environment()).unwrap();
    drop(stage);
    assert_eq!((content(&environment).as_str(), names(&environment)), ("new", vec![NAME.to_owned()]));
}

#[test]
fn what_is_not_there_yet_does_not_harm_what_is() {
    let (_root, environment) = environment();
    put(&environment.folder(), "old");
    let stage = environment.stage().unwrap();
    environment.replace(&stage.environment()).unwrap_err();
    assert_eq!(content(&environment), "old", "put back");
}
