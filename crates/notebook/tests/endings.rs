//! The end at the limit: whatever a cell does, its outputs are kept, it is marked, and nothing of the run is left.
//! No test relies on how fast the machine is. The limit is called when the cell says that it has begun. A text that is
//! expected in the notebook was saved before, or the cell answers the interrupt, for which it has all the time there is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reveille_notebook::{Patience, Place, Verdict, end_leftovers};
use serde_json::Value;
use support::{ALL_THE_TIME, Bench, DEAF, STOPPED, appears, notebook, python, saved};

/// Rounds for each cell: what was lost before was lost in more than every second one.
const ROUNDS: usize = 3;
const BEGUN: &str = "open('begun', 'w').close()";

/// Runs to the point where the second cell has begun, then to the limit.
async fn timed_out(cell: &str, patience: Patience) -> (Bench, Option<Place>) {
    timed_out_in(cell, patience, python()).await
}

async fn timed_out_in(cell: &str, patience: Patience, python: PathBuf) -> (Bench, Option<Place>) {
    let mut bench = Bench::of_cells(&["print('fir' + 'st')", cell, "print('ne' + 'ver')"]);
    bench.job.patience = patience;
    let mut execution = bench.start_with(python);
    appears(&bench.job.working_dir.join("begun")).await;
    let verdict = execution.time_out().await;
    assert_eq!(bench.left(), 0, "processes of the run are left");
    assert_eq!(execution.wait().await, verdict, "asked again it says the same");
    let Verdict::TimedOut { after, at } = verdict else { panic!("{verdict:?}") };
    assert_eq!(after, bench.job.limit);
    (bench, at)
}

/// What is right of every cell that is ended: the first one's output, the mark, no later cell, a page.
fn kept(bench: &Bench) -> Value {
    let output = bench.output_notebook();
    let text = output.to_string();
    for kept in ["first", "Interrupted: Reveille ended the run in this cell", "papermill-error-cell"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(!text.contains("never"), "{text}");
    let cells = output["cells"].as_array().unwrap();
    let status: Vec<&str> = cells.iter().filter_map(|cell| cell["metadata"]["papermill"]["status"].as_str()).collect();
    assert_eq!(status, ["completed", "failed", "pending"]);
    assert!(output["metadata"]["papermill"]["end_time"].is_string());
    assert!(bench.output("output.html").contains("first"));
    output
}

async fn every_round_keeps(cell: &str, patience: Patience, printed: &str) {
    for round in 0..ROUNDS {
        let (bench, _) = timed_out(cell, patience).await;
        let output = kept(&bench).to_string();
        assert!(output.contains(printed), "round {round}: {output}");
    }
}

/// Line 99 was printed when the limit strikes, and hardly saved: the cell's answer to the interrupt comes after it.
#[tokio::test]
async fn a_cell_that_prints_two_thousand_lines_a_second() {
    let cell = format!(
        "import time\nfor i in range(10**9):\n    print('line', i, flush=True); time.sleep(0.0005)\n    if i == 99: {BEGUN}"
    );
    every_round_keeps(&cell, ALL_THE_TIME, "line 99").await;
}

#[tokio::test]
async fn a_cell_that_prints_a_hundred_lines_a_second() {
    let cell =
        format!("import time\nfor i in range(10**9):\n    print('line', i); time.sleep(0.01)\n    if i == 99: {BEGUN}");
    every_round_keeps(&cell, ALL_THE_TIME, "line 99").await;
}

#[tokio::test]
async fn a_cell_that_computes_says_where_it_was() {
    let cell = format!(
        "print('comp' + 'uting', flush=True)\nx = 0\nwhile True:  # here it hangs\n    x += 1\n    if x == 9: {BEGUN}"
    );
    let (bench, at) = timed_out(&cell, ALL_THE_TIME).await;
    let at = at.expect("the cell is known");
    assert_eq!(at.cell_index, 1);
    let tail = at.traceback_tail.join("\n");
    assert!(tail.contains("here it hangs") && tail.contains("KeyboardInterrupt"), "{tail}");
    assert!(kept(&bench).to_string().contains("computing"));
}

/// Interrupted in an `await`, ipykernel sleeps on; a pool waits for its threads when it is left. How long an answer may take is no
/// part of what is tested: a machine that is busy gets more time.
#[tokio::test]
async fn a_cell_that_waits_for_others_says_where_it_was() {
    for wait in [
        "import asyncio\nawait asyncio.sleep(600)  # here it hangs",
        "import time\nfrom concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    \
         pool.submit(time.sleep, 600).result()  # here it hangs",
    ] {
        let mut interrupt = Duration::from_secs(5);
        loop {
            let (_, at) = timed_out(&format!("{BEGUN}\n{wait}"), Patience { interrupt, ..ALL_THE_TIME }).await;
            if at.expect("the cell is known").traceback_tail.join("\n").contains("here it hangs") {
                break;
            }
            interrupt *= 3;
            assert!(interrupt < ALL_THE_TIME.interrupt, "it does not say where it was: {wait}");
        }
    }
}

#[tokio::test]
async fn a_c_call_that_knows_no_interrupts() {
    let cell = format!("{}{BEGUN}\nsum(range(10**15))", saved("before"));
    let (bench, at) = timed_out(&cell, DEAF).await;
    assert_eq!(at, Some(Place { cell_index: 1, traceback_tail: Vec::new() }));
    assert!(kept(&bench).to_string().contains("before"));
}

#[tokio::test]
async fn a_cell_that_catches_everything() {
    let cell = format!(
        "{}while True:\n    try:\n        {BEGUN}; print('more', flush=True); time.sleep(0.01)\n    except BaseException: pass",
        saved("printed")
    );
    every_round_keeps(&cell, DEAF, "printed").await;
}

#[tokio::test]
async fn a_cell_that_ends_well_when_it_is_interrupted_is_the_last_one() {
    let cell =
        format!("import time\ntry:\n    {BEGUN}; time.sleep(600)\nexcept KeyboardInterrupt: print('ca' + 'ught')");
    let (bench, _) = timed_out(&cell, ALL_THE_TIME).await;
    assert!(kept(&bench).to_string().contains("caught"));
}

/// A shell starts what is behind `&` so, also `nohup make test &`; it is inherited, and ipykernel does not change it.
#[tokio::test]
async fn a_kernel_is_interrupted_whatever_ignores_interrupts_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let deaf = folder.path().join("python");
    fs::write(&deaf, format!("#!/bin/sh\ntrap '' INT QUIT\nexec '{}' \"$@\"\n", python().display())).unwrap();
    fs::set_permissions(&deaf, fs::Permissions::from_mode(0o755)).unwrap();
    let cell =
        format!("import time\ntry:\n    {BEGUN}; time.sleep(600)\nexcept KeyboardInterrupt: print('ca' + 'ught')");
    let (bench, _) = timed_out_in(&cell, ALL_THE_TIME, deaf).await;
    assert!(kept(&bench).to_string().contains("caught"));
}

#[tokio::test]
async fn a_kernel_has_a_grace_after_sigterm() {
    let cell = format!(
        "import signal, sys, time\n\
         def bye(*_):\n    time.sleep(0.5); open('cleaned', 'w').close(); sys.exit(2)\n\
         signal.signal(signal.SIGTERM, bye)\n{BEGUN}\ntime.sleep(600)"
    );
    let (bench, _) = timed_out(&cell, ALL_THE_TIME).await;
    assert!(bench.job.working_dir.join("cleaned").exists());
    kept(&bench);
}

/// SIGTERM would end it without what the notebook registered for its kernel's end. Papermill's limit heeds that, too.
#[tokio::test]
async fn a_kernel_without_a_handler_for_sigterm_is_told_to_end() {
    for (ignored, file) in
        [("", "cleaned"), ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n", "cleaned, deaf to SIGTERM")]
    {
        let cell = format!(
            "import atexit, signal, time\n{ignored}\
             @atexit.register\ndef bye():\n    time.sleep(0.5); open('{file}', 'w').close()\n{BEGUN}\ntime.sleep(600)"
        );
        let (bench, _) = timed_out(&cell, ALL_THE_TIME).await;
        assert!(bench.job.working_dir.join(file).exists(), "{file}");
        kept(&bench);
    }
}

#[tokio::test]
async fn a_kernel_that_ignores_signals_is_killed() {
    let cell = format!(
        "import signal, time\nfor s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n\
         {}{BEGUN}\ntime.sleep(600)",
        saved("deaf")
    );
    let (bench, _) = timed_out(&cell, DEAF).await;
    assert!(kept(&bench).to_string().contains("deaf"));
}

/// The driver gets no chance to save or mark: what was saved while the cell ran is marked by another process.
#[tokio::test]
async fn a_driver_that_hangs_loses_neither_what_was_printed_nor_the_mark() {
    let cell =
        format!("import os, signal\n{}os.kill(os.getppid(), signal.SIGSTOP)\n{BEGUN}\ntime.sleep(600)", saved("there"));
    let (bench, at) = timed_out(&cell, STOPPED).await;
    assert_eq!(at, None, "nobody could be asked");
    assert!(kept(&bench).to_string().contains("there"));
    assert!(bench.output("output.html").contains("Interrupted"));
}

/// Where the machine is about to go, less is waited for: the driver's usual time would be too long.
#[tokio::test]
async fn a_run_whose_machine_is_about_to_go_is_ended_in_its_own_time() {
    let hangs = "os.kill(os.getppid(), signal.SIGSTOP)\n";
    for (hang, hurry) in [("", ALL_THE_TIME.hurry), (hangs, STOPPED.save)] {
        let cell = format!("import os, signal\n{}{hang}{BEGUN}\ntime.sleep(600)", saved("there"));
        let mut bench = Bench::of_cells(&["print('fir' + 'st')", &cell, "print('ne' + 'ver')"]);
        bench.job.patience = Patience { hurry, ..ALL_THE_TIME };
        let mut execution = bench.start();
        appears(&bench.job.working_dir.join("begun")).await;
        execution.cancel_soon().await;
        assert_eq!(execution.wait().await, Verdict::Cancelled);
        assert_eq!(bench.left(), 0, "processes of the run are left");
        let output = bench.output_notebook().to_string();
        assert!(output.contains("first") && output.contains("there") && !output.contains("never"), "{output}");
        // Marked by the driver; where it hangs, by another process, which has little time for it.
        assert!(!hang.is_empty() || output.contains("Interrupted: Reveille ended the run in this cell"), "{output}");
    }
}

#[tokio::test]
async fn a_driver_that_is_killed_loses_no_more() {
    let cell = format!("import os, signal\n{}os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)", saved("there"));
    let bench = Bench::of_cells(&["print('fir' + 'st')", &cell]);
    let Verdict::EngineBroken { message, .. } = bench.run().await else { panic!("it was not noticed") };
    assert!(message.contains("SIGKILL"), "{message}");
    let output = bench.output_notebook().to_string();
    assert!(output.contains("there") && output.contains("papermill-error-cell"), "{output}");
}

/// Where a kernel's connection file is: it holds the key to the kernel, and its sockets are beside it.
const TOLD: &str = "import os, signal, time\n\
    from ipykernel.connect import get_connection_file\n\
    with open('begun', 'w') as told: told.write(get_connection_file())\n\
    os.replace('begun', 'told')\n";

/// The folder of the kernel that told where it is.
fn kernel_folder(bench: &Bench) -> PathBuf {
    let file = fs::read_to_string(bench.job.working_dir.join("told")).unwrap();
    let folder = Path::new(&file).parent().unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    assert!(folder.parent() == Some(Path::new("/tmp")) && name.starts_with("reveille-"), "{file}");
    folder.to_owned()
}

#[tokio::test]
async fn a_killed_driver_leaves_no_file_of_its_kernel() {
    let bench = Bench::of_cells(&[&format!("{TOLD}os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)")]);
    assert!(matches!(bench.run().await, Verdict::EngineBroken { .. }));
    assert!(!kernel_folder(&bench).exists());
}

#[tokio::test]
async fn neither_does_an_execution_that_is_dropped_nor_one_whose_supervisor_died() {
    for supervisor_dies in [false, true] {
        let bench = Bench::of_cells(&[&format!("{TOLD}time.sleep(600)")]);
        let execution = bench.start();
        appears(&bench.job.working_dir.join("told")).await;
        let folder = kernel_folder(&bench);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        if supervisor_dies {
            // What a dead process would have dropped.
            std::mem::forget(execution);
            assert!(end_leftovers(&bench.job.marker).await);
        } else {
            drop(execution);
        }
        assert!(!folder.exists(), "supervisor_dies: {supervisor_dies}");
    }
}

/// A link there would have the kernel's files somewhere else. It is removed, and not what it leads to.
#[tokio::test]
async fn a_link_in_the_place_of_the_kernels_folder_is_not_followed() {
    let first = Bench::of_cells(&[TOLD]);
    assert_eq!(first.run().await, Verdict::Succeeded);
    let folder = kernel_folder(&first);
    let elsewhere = first.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("kept"), "kept").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
    assert_eq!(first.run().await, Verdict::Succeeded);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1, "the link was followed");
    assert!(!folder.is_symlink() && !kernel_folder(&first).exists());
}

#[tokio::test]
async fn the_limit_counts_by_itself_wherever_the_run_is() {
    let mut bench = Bench::of_cells(&["import time\ntime.sleep(600)"]);
    bench.job.limit = Duration::from_secs(2);
    bench.job.patience = DEAF;
    let verdict = bench.run().await;
    assert!(matches!(verdict, Verdict::TimedOut { after, .. } if after == bench.job.limit), "{verdict:?}");
}

#[tokio::test]
async fn work_at_the_kernels_own_end_is_waited_for() {
    let cell = "import atexit, time\n\
                @atexit.register\ndef _():\n    time.sleep(7); open('flushed', 'w').close()";
    let bench = Bench::of_bytes(notebook(&[cell]).to_string().as_bytes());
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(fs::exists(bench.job.working_dir.join("flushed")).unwrap());
}

/// All cells have run: what one of them left for the kernel's loop, and never ends, is no reason to wait for the limit.
#[tokio::test]
async fn a_kernel_that_is_busy_after_the_last_cell_holds_up_nothing() {
    let cell = "import asyncio, time\nasync def forever():\n    while True: time.sleep(1)\ntask = asyncio.create_task(forever())";
    let mut bench = Bench::of_cells(&[cell]);
    bench.job.patience = Patience { exit: Duration::from_secs(1), ..ALL_THE_TIME };
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(bench.output("output.html").contains("forever"));
}

/// Played with the kernel's own threads: the one that answers a request to shut down prints after the main thread ended the
/// one that sends what is printed, and before it took that one's pipes away. Then neither ends: seen once in some hundred runs.
#[tokio::test]
async fn a_kernel_ends_whatever_its_control_thread_prints() {
    // At its end IPython empties the notebook's names: nothing of them is used then.
    let cell = "import sys, threading, time\n\
                thread = sys.stdout.pub_thread\n\
                join = thread.thread.join\n\
                def joined(timeout=None, join=join, sleep=time.sleep): join(timeout); sleep(3)\n\
                thread.thread.join = joined\n\
                def schedule(call, thread=thread, current=threading.current_thread, sleep=time.sleep):\n    \
                    alive = thread.thread.is_alive()\n    \
                    while current().name == 'Control' and thread.thread.is_alive(): sleep(0.01)\n    \
                    if alive: thread._events.append(call); thread._event_pipe.send(b'')\n    \
                    else: call()\n\
                thread.schedule = schedule";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(!bench.output("log.txt").contains("still busy"), "{}", bench.output("log.txt"));
}
