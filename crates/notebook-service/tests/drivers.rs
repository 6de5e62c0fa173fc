//! The two drivers side by side: what holds for an instance whatever it is, and that docs/machines.md names what does not, each
//! difference with the test that shows it. Machines are there in `make test-boot` only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests, one of which prints figures")]

mod support;

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use reveille_instance_model::NotebookInstanceStatus;
use reveille_notebook_service::Machines;
use support::TestService;

/// Both drivers, by name; machines only where there is a root of them.
async fn worlds() -> Vec<(&'static str, TestService)> {
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
        config.timings.script_limit = Duration::from_secs(100);
        config.environment.insert("GREETING".to_owned(), "good morning".to_owned());
        worlds.push((name, TestService::with(config).await));
    }
    worlds
}

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

/// Waits until the log is this: what came last may be written after the script's end. Standard output and error are two pipes,
/// so their lines may change places.
async fn says(world: &TestService, expected: &str) {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let begun = Instant::now();
    while sorted(&world.log("nightly")) != sorted(expected) {
        assert!(begun.elapsed() < support::PATIENCE, "{}", world.log("nightly"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_instance_is_the_same_whatever_it_is() {
    for (driver, world) in worlds().await {
        world.create("nightly", SCRIPT);
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        let boots = fs::canonicalize(world.service.machine("nightly").notebooks()).unwrap().join("boot");
        let first = world.service.boot_id("nightly").unwrap();
        says(&world, FIRST).await;
        assert_eq!(fs::read_to_string(&boots).unwrap().trim(), first, "{driver}");
        // What a script leaves behind lives on.
        world.has("nightly", b"sleep\x004004\0", 1).await;

        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
        assert_eq!(world.service.processes("nightly").unwrap(), Vec::<i32>::new(), "{driver}: Stopped means dead");
        assert_eq!(world.service.boot_id("nightly"), None, "{driver}");

        world.start("nightly");
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        says(&world, &format!("{FIRST}{LATER}")).await;
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

/// Prints how long instances take with each driver, in seconds. Figures, which no test may depend on: see docs/machines.md.
#[tokio::test]
#[ignore = "prints figures: cargo test --locked --workspace --test drivers -- --ignored --nocapture"]
async fn how_long_a_start_and_a_stop_take() {
    println!("| driver | start, median of {ROUNDS} | slowest | stop, median | memory of an idle boot |");
    for (driver, world) in worlds().await {
        world.create("nightly", "#!/bin/bash\nsetsid sleep 4006 </dev/null >/dev/null 2>&1 &\n");
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        let memory = resident(&world.service.processes("nightly").unwrap());
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
            "| {driver} | {:.1} s | {:.1} s | {:.1} s | {memory} MiB |",
            starts[middle], starts[last], stops[middle]
        );
        world.end().await;
    }
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
    let rows = table(&page, "## What differs from a folder");
    assert!(rows.len() > 10, "{rows:?}");
    let tests: String = ["crates/notebook-service/tests", "tests/e2e/tests/boot", "tests/e2e/tests/e2e"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(project.join(folder)).unwrap().flatten())
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .collect();
    for row in rows {
        let [what, folder, machine, shown] = row.as_slice() else { panic!("four cells: {row:?}") };
        assert_ne!(folder, machine, "{what}");
        for name in shown.split(", ").map(|name| name.trim_matches('`')) {
            let named = tests.contains(&format!("fn {name}(")) || tests.contains(&format!("\"{name}\""));
            assert!(named, "{what} is shown by {name}, which is no test");
        }
    }
}
