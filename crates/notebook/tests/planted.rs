//! A notebook that puts something else in the place of the files that are read after it: nobody waits for it, follows it, or
//! reads it without an end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use reveille_notebook::{CellProgress, NotebookProcess, Output, Verdict};
use support::Bench;

/// A thread that is blocked by a FIFO is blocked for ever; a busy machine is given its time.
const PATIENCE: Duration = Duration::from_mins(10);

/// Puts the same thing in the place of each file that is read or written at the end, and kills the driver, which would
/// replace them.
fn planting(way: &str) -> String {
    format!(
        "import os, signal
folder = os.path.abspath('../out {{x}}')
os.kill(os.getppid(), signal.SIGSTOP)
for name in ['result.json', 'progress.json', 'spec.json', 'output.ipynb', 'output.html', 'log.txt']:
    path = os.path.join(folder, name)
    if os.path.lexists(path): os.unlink(path)
    {way}
open('planted', 'w').close()
os.kill(os.getppid(), signal.SIGKILL)"
    )
}

/// What is left after a notebook that planted this; on a thread of its own, which may hang for ever.
fn after(way: &'static str) -> (Verdict, Vec<Output>, CellProgress, Bench) {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let bench = Bench::of_cells(&[&planting(way)]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (verdict, outputs) = runtime.block_on(async {
            let mut execution = bench.start();
            let verdict = execution.wait().await;
            (verdict, execution.outputs().into_iter().map(|(output, _)| output).collect())
        });
        let progress = NotebookProcess::progress_in(&bench.job.output_dir);
        // Whoever waits may have given up.
        let _ = sender.send((verdict, outputs, progress, bench));
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("blocked by: {way}"))
}

#[test]
fn nobody_waits_for_a_fifo() {
    let (verdict, outputs, progress, bench) = after("os.mkfifo(path)");
    assert!(bench.job.working_dir.join("planted").exists());
    let Verdict::EngineBroken { message, .. } = verdict else { panic!("{verdict:?}") };
    assert!(message.contains("SIGKILL"), "{message}");
    assert!(!outputs.contains(&Output::Notebook) && !outputs.contains(&Output::Html), "{outputs:?}");
    assert_eq!(progress, CellProgress::default());
}

#[test]
fn a_link_to_a_device_is_neither_read_nor_uploaded() {
    let (verdict, outputs, progress, _bench) = after("os.symlink('/dev/zero', path)");
    assert!(matches!(verdict, Verdict::EngineBroken { .. }), "{verdict:?}");
    assert!(!outputs.contains(&Output::Notebook) && !outputs.contains(&Output::Html), "{outputs:?}");
    assert_eq!(progress, CellProgress::default());
}

#[test]
fn a_link_to_a_file_is_neither_written_through_nor_uploaded() {
    let (verdict, outputs, _, bench) =
        after("open('kept', 'w').write('kept'); os.symlink(os.path.abspath('kept'), path)");
    assert!(matches!(verdict, Verdict::EngineBroken { .. }), "{verdict:?}");
    assert!(!outputs.contains(&Output::Notebook) && !outputs.contains(&Output::Html), "{outputs:?}");
    assert_eq!(fs::read_to_string(bench.job.working_dir.join("kept")).unwrap(), "kept");
}
