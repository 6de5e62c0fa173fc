use std::{
    cell::Cell,
    fs, io,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{command_line, end_of_environment, environment, has, is_starting, pids, when_started};

/// Longer than any test that goes well.
const LONG: Duration = Duration::from_mins(1);

fn id(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Without waiting, one in three is seen with nothing on a quiet machine, and nearly each on a busy one.
#[test]
fn a_process_that_was_just_started_is_seen_with_what_it_was_started_with() {
    for _ in 0..200 {
        let mark = "REVEILLE_TEST=as given";
        let child = Command::new("sleep").arg("600").env("REVEILLE_TEST", "as given").spawn().unwrap();
        let line = command_line(id(&child));
        let other = Command::new("sleep").arg("600").env("REVEILLE_TEST", "as given").spawn().unwrap();
        let variables = environment(id(&other));
        end(child);
        end(other);
        assert_eq!(String::from_utf8(line.unwrap()).unwrap(), "sleep\x00600\x00");
        assert!(has(&variables.unwrap(), mark.as_bytes()));
    }
}

#[test]
fn who_has_nothing_for_good_is_not_waited_for() {
    let bare = Command::new("sleep").arg("600").env_clear().spawn().unwrap();
    assert_eq!(command_line(id(&bare)).unwrap(), b"sleep\x00600\x00");
    assert!(!is_starting(id(&bare)));
    assert_eq!(environment(id(&bare)).unwrap(), b"");
    end(bare);
    // A zombie: ended, and nobody has asked for its status.
    let mut ended = Command::new("sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = id(&ended);
    drop(ended.stdin.take());
    while !fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!is_starting(pid));
    // Some kernels say that there is none, some that it cannot be read.
    assert!(environment(pid).unwrap_or_default().is_empty() && command_line(pid).unwrap_or_default().is_empty());
    ended.wait().unwrap();
    assert!(environment(pid).is_err() && command_line(pid).is_err(), "it is gone");
}

#[test]
fn what_is_starting_is_read_again_until_it_has_started_or_is_gone() {
    let looks = Cell::new(0);
    let read = || {
        looks.set(looks.get() + 1);
        Ok(if looks.get() < 5 { Vec::new() } else { b"A=1\0".to_vec() })
    };
    assert_eq!(when_started(read, || true, LONG).unwrap(), b"A=1\0");
    assert_eq!(looks.get(), 5);
    // Through with it between the two looks.
    looks.set(3);
    assert_eq!(when_started(read, || false, LONG).unwrap(), b"A=1\0");
    let gone = || if looks.replace(0) > 0 { Ok(Vec::new()) } else { Err(io::ErrorKind::NotFound.into()) };
    assert_eq!(when_started(gone, || true, LONG).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(when_started(|| Ok(Vec::new()), || true, Duration::ZERO).unwrap(), b"", "it hangs");
}

#[test]
fn the_name_of_a_program_may_hold_anything() {
    let numbers = (1..=52 - 3).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    let stat = |name: &str| format!("7 ({name}) S {numbers}");
    for name in ["sleep", "a b", ") 0 (", ":) Z"] {
        assert_eq!(end_of_environment(&stat(name)), Some(48), "{name}");
    }
    assert_eq!(end_of_environment("7 (sleep) S 1"), None);
}

#[test]
fn all_processes_are_told_and_nothing_else() {
    let own = i32::try_from(std::process::id()).unwrap();
    let found: Vec<i32> = pids().unwrap().collect();
    assert!(found.contains(&own) && found.iter().all(|pid| *pid > 0), "{found:?}");
    assert!(has(b"A=1\0B=2\0", b"B=2") && !has(b"A=1\0B=22\0", b"B=2") && !has(b"AB=2\0", b"B=2"));
}
