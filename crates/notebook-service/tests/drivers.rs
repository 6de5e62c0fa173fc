//! The two drivers side by side: what holds for an instance whatever it is, and that docs/machines.md names what does not, each
//! difference with the test that shows it. Machines are there in `make test-boot` only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests, one of which prints figures")]

mod support;

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use reveille_instance_model::{Hook, NotebookInstanceStatus};
use reveille_notebook_service::Machines;
use support::{TestService, until};

/// Both drivers, by name; machines only where there is a root of them. What is stopped has so long to end.
async fn worlds(kill_grace: Duration) -> Vec<(&'static str, TestService)> {
    let mut worlds = Vec::new();
    for (name, machines) in [
        ("folder", None),
        ("machine", env::var_os("REVEILLE_MACHINE_ROOT").map(|root| Some(Machines::new(root))).unwrap_or_default()),
    ] {
        if name == "machine" && machines.is_none() {
            eprintln!("skipped: REVEILLE_MACHINE_ROOT names no root of machines");
            continue;
        }
        let mut config = support::config();
        config.machines = machines;
        config.kill_grace = kill_grace;
        config.timings.script_limit = Duration::from_secs(100);
        config.environment.insert("GREETING".to_owned(), "good morning".to_owned());
        worlds.push((name, TestService::with(config).await));
    }
    worlds
}

/// What is told to end ends within it, or is killed.
const SHORT: Duration = Duration::from_secs(1);
/// Nothing that a test starts takes so long to end.
const LONG: Duration = Duration::from_hours(1);

const ROUNDS: usize = 5;

const SCRIPT: &str = r#"#!/bin/bash
root=${REVEILLE_ROOT-}
notebooks=$root/home/ec2-user/SageMaker
echo "hello, $GREETING"
grep -o 'notebook-instance/[a-z]*' "$root/opt/ml/metadata/resource-metadata.json"
[ "$PWD" = "${root:-/}" ] && echo "in the root"
[ "$HOME" = "$root/root" ] && echo "at home"
ls "$notebooks" "$root/opt/mine" 2>/dev/null | grep -x -e kept -e lost
mkdir -p "$root/opt/mine" && touch "$notebooks/kept" "$root/opt/mine/lost"
cat "$root/proc/sys/kernel/random/boot_id" >"$notebooks/boot"
setsid sleep 4004 </dev/null >/dev/null 2>&1 &
echo "and an error" >&2
"#;

/// What a boot of it says, on the first boot and on all others.
const FIRST: &str = "hello, good morning\nnotebook-instance/nightly\nin the root\nat home\nand an error\n";
const LATER: &str = "hello, good morning\nnotebook-instance/nightly\nin the root\nat home\nkept\nand an error\n";

/// Waits until the script's log is this: what came last may be written after the script's end. Standard output and error are two
/// pipes, so their lines may change places.
async fn says(world: &TestService, script: Hook, expected: &str) {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let log = world.service.log_file("nightly", script);
    until(|| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if sorted(&said) == sorted(expected) { Ok(()) } else { Err(format!("{}: {said}", log.display())) }
    })
    .await;
}

#[tokio::test]
async fn an_instance_is_the_same_whatever_it_is() {
    for (driver, world) in worlds(SHORT).await {
        world.create("nightly", SCRIPT);
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        let boots = fs::canonicalize(world.service.machine("nightly").notebooks()).unwrap().join("boot");
        let first = world.service.boot_id("nightly").unwrap();
        says(&world, Hook::OnStart, FIRST).await;
        assert_eq!(fs::read_to_string(&boots).unwrap().trim(), first, "{driver}");
        // What a script leaves behind lives on.
        world.has("nightly", b"sleep\x004004\0", 1).await;

        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
        assert_eq!(world.service.processes("nightly").unwrap(), Vec::<i32>::new(), "{driver}: Stopped means dead");
        assert_eq!(world.service.boot_id("nightly"), None, "{driver}");

        world.start("nightly");
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        says(&world, Hook::OnStart, &format!("{FIRST}{LATER}")).await;
        let second = world.service.boot_id("nightly").unwrap();
        assert_ne!(second, first, "{driver}");
        assert_eq!(fs::read_to_string(&boots).unwrap().trim(), second, "{driver}");

        world.create("failing", "#!/bin/bash\nsetsid sleep 4005 &\nexit 3\n");
        world.reaches("failing", NotebookInstanceStatus::Failed).await;
        let reason = world.service.snapshot("failing").unwrap().view.failure_reason.unwrap();
        assert!(reason.starts_with("Notebook Instance Lifecycle Config '"), "{driver}: {reason}");
        assert_eq!(world.service.processes("failing").unwrap(), Vec::<i32>::new(), "{driver}");
        world.end().await;
    }
}

#[tokio::test]
async fn on_create_runs_before_on_start_at_the_first_boot_only_whatever_the_instance_is() {
    let writes = |word: &str| {
        let here = r#"[ "$PWD" = "${REVEILLE_ROOT:-/}" ]"#;
        format!("{here} && echo {word} | tee -a ${{REVEILLE_ROOT-}}/home/ec2-user/SageMaker/order\n")
    };
    for (driver, world) in worlds(SHORT).await {
        world.create_with("nightly", None, Some(&writes("create")), &writes("start"));
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
        world.start("nightly");
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        let order = fs::read_to_string(world.service.machine("nightly").notebooks().join("order")).unwrap();
        assert_eq!(order, "create\nstart\nstart\n", "{driver}");
        says(&world, Hook::OnCreate, "create\n").await;
        world.end().await;
    }
}

/// A process that a script leaves behind, and what it does when it is told to end. Its readiness is a file, so that nobody stops it
/// before it listens.
fn listening(answer: &str) -> String {
    format!(
        "#!/bin/bash\ncd ${{REVEILLE_ROOT-}}/home/ec2-user/SageMaker\n\
         setsid bash -c 'trap \"{answer}\" TERM; touch ready; while :; do sleep 0.1; [ -z \"$told\" ] || printf . >>ticks; done' </dev/null >/dev/null 2>&1 &\n\
         until [ -e ready ]; do sleep 0.1; done\n"
    )
}

#[tokio::test]
async fn what_is_told_to_end_has_its_time_whatever_the_instance_is() {
    for (driver, world) in worlds(LONG).await {
        world.create("nightly", &listening("sleep 2; touch ended; exit"));
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
        assert!(world.service.machine("nightly").notebooks().join("ended").exists(), "{driver}: it was cut off");
        world.end().await;
    }
}

#[tokio::test]
async fn what_does_not_listen_is_killed_when_its_time_is_over_whatever_the_instance_is() {
    for (driver, world) in worlds(SHORT).await {
        world.create("nightly", &listening("told=yes"));
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
        // systemd alone gives it a minute and a half, which is 900 ticks of its own; on a busy machine it comes to fewer.
        let ticks = fs::read(world.service.machine("nightly").notebooks().join("ticks")).unwrap_or_default().len();
        assert!(ticks < 800, "{driver}: it lived for {ticks} ticks after it was told to end");
        assert_eq!(world.service.processes("nightly").unwrap(), Vec::<i32>::new(), "{driver}");
        world.end().await;
    }
}

/// Prints how long instances take with each driver, in seconds. Figures, which no test may depend on: see docs/machines.md.
#[tokio::test]
#[ignore = "prints figures: cargo test --locked --workspace --test drivers -- --ignored --nocapture"]
async fn how_long_a_start_and_a_stop_take() {
    println!("| driver | start, median of {ROUNDS} | slowest | stop, median | memory of an idle boot | its disk |");
    for (driver, world) in worlds(LONG).await {
        world.create("nightly", "#!/bin/bash\nsetsid sleep 4006 </dev/null >/dev/null 2>&1 &\n");
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        let memory = resident(&world.service.processes("nightly").unwrap());
        let disk = used(&world.directory.join("machines")) + used(&world.directory.join("instances"));
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            world.stop("nightly");
            world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
            stops.push(begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            world.start("nightly");
            world.reaches("nightly", NotebookInstanceStatus::InService).await;
            starts.push(begun.elapsed().as_secs_f64());
        }
        for times in [&mut starts, &mut stops] {
            times.sort_by(f64::total_cmp);
        }
        let (middle, last) = (ROUNDS / 2, ROUNDS - 1);
        println!(
            "| {driver} | {:.1} s | {:.1} s | {:.1} s | {memory} MiB | {:.1} MiB |",
            starts[middle], starts[last], stops[middle], disk
        );
        world.end().await;
    }
}

/// What the files of a folder take on the disk, in MiB. Where a machine sees all of its root, nothing is counted twice.
fn used(folder: &Path) -> f64 {
    let run = Command::new("du").args(["-sxk", "--"]).arg(folder).output().unwrap();
    let kib = String::from_utf8_lossy(&run.stdout).split_whitespace().next().and_then(|kib| kib.parse::<u32>().ok());
    f64::from(kib.unwrap_or_default()) / 1024.0
}

/// What these processes have in memory, each counted for itself.
fn resident(pids: &[i32]) -> u64 {
    let of = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default()
    };
    pids.iter().map(of).sum::<u64>() / 1024
}

/// The rows of the first table below a heading of a page, without its head.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let below = page.split_once(heading).unwrap_or_else(|| panic!("{heading}")).1;
    let rows = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

#[test]
fn each_difference_that_is_documented_is_shown_by_a_test() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(project.join("docs/machines.md")).unwrap();
    let differences = table(&page, "## What differs from a folder");
    for row in &differences {
        let [what, folder, machine] = row.as_slice() else { panic!("three cells: {row:?}") };
        assert_ne!(folder, machine, "{what}");
    }
    let rows = table(&page, "## Which tests show it");
    assert!(rows.len() > 10, "{rows:?}");
    let whats = |rows: &[Vec<String>]| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(whats(&rows), whats(&differences), "each difference has its tests");
    let tests: String = ["crates/notebook-service/tests", "tests/e2e/tests/boot", "tests/e2e/tests/e2e"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(project.join(folder)).unwrap().flatten())
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .collect();
    for row in rows {
        let [what, shown] = row.as_slice() else { panic!("two cells: {row:?}") };
        for name in shown.split(", ").map(|name| name.trim_matches('`')) {
            let named = tests.contains(&format!("fn {name}(")) || tests.contains(&format!("\"{name}\""));
            assert!(named, "{what} is shown by {name}, which is no test");
        }
    }
}
