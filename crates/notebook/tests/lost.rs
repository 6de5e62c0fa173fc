//! Kernels that a cell leaves without what they need: a place to print to, memory, the loop that they run in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use reveille_notebook::{KernelEnd, Verdict};
use serde_json::Value;
use support::Bench;
use support::changed::changed_driver;

const AFTER: &str = "open('reached', 'w')";

/// The driver asks a kernel at once what it asks after half a minute. A word that it still has is waited for as long as it takes, where
/// one comes.
fn answer(cell: &str, hush: u32) -> (Bench, Value) {
    let bench = Bench::of_cells(&[cell, AFTER]);
    let script = format!(
        "from reveille_driver import client, exchange, main\n\
         exchange.SILENT_SECONDS, exchange.HUSH_SECONDS, client.OUTPUT_LAG_SECONDS = 0.2, {hush}, 1\nmain.main()"
    );
    changed_driver(&bench, &script);
    let answer = serde_json::from_str(&bench.output("result.json")).unwrap();
    (bench, answer)
}

fn reached(bench: &Bench) -> bool {
    bench.job.working_dir.join("reached").exists()
}

/// A common way to print into a file as well lacks `flush`; a file that is closed has none either. ipykernel flushes before it answers,
/// and answered nothing any more: the run waited for its limit.
#[test]
fn a_cell_that_takes_away_what_the_kernel_prints_to_fails() {
    for (cell, name, text) in [
        (
            "import sys\nclass Tee:\n    def write(self, text): pass\nsys.stdout = Tee()",
            "AttributeError",
            "no attribute 'flush'",
        ),
        ("import sys\nwith open('log.txt', 'w') as sys.stdout: print('x')", "ValueError", "closed file"),
        ("import sys\nwith open('log.txt', 'w') as sys.stderr: pass", "ValueError", "closed file"),
        (
            "import sys\nclass Full:\n    def write(self, text): pass\n    \
             def flush(self): raise OSError(28, 'No space left on device')\nsys.stdout = Full()",
            "OSError",
            "No space left",
        ),
    ] {
        let (bench, answer) = answer(cell, 2);
        assert_eq!(
            (&answer["kind"], &answer["cell_index"]),
            (&"notebook_failed".into(), &0.into()),
            "{cell}: {answer}"
        );
        // ipykernel 7 prints why into the cell; the one before it into its log only.
        let (ename, told) = (answer["ename"].as_str().unwrap(), answer["evalue"].as_str().unwrap());
        assert!(ename.is_empty() || (ename == name && told.contains(text)), "{cell}: {answer}");
        assert!(told.contains("the kernel does not go on after this cell"), "{cell}: {told}");
        let cells = bench.output_notebook()["cells"].clone();
        assert!(cells.to_string().contains("does not go on"), "the cell shows it: {cell}");
        assert!(!reached(&bench), "{cell}");
    }
}

/// A cell that has its kernel's requests served meanwhile, as libraries do that wait for a widget: ipykernel 7 keeps others out by a lock.
const SERVES: &str = "import asyncio
kernel = get_ipython().kernel
lock = getattr(kernel, '_main_asyncio_lock', None)
if lock: lock.release()
await asyncio.sleep(3)
if lock: await lock.acquire()";

/// What a kernel says late, and what it answers in the middle of its cell, is no loss. (ipykernel then takes the request for the cell's
/// own when it says that it has done with that: that word is not waited for here.)
#[test]
fn a_cell_that_takes_long_or_serves_its_kernels_requests_goes_on() {
    for cell in ["import time\ntime.sleep(3)", "import asyncio\nawait asyncio.sleep(3)", SERVES] {
        let (bench, answer) = answer(cell, 600);
        assert_eq!(answer["kind"], "succeeded", "{cell}: {answer}");
        assert!(reached(&bench), "{cell}");
    }
}

/// What fills the memory is still there when the kernel is asked what was raised: it did not answer, for a minute.
#[tokio::test]
async fn a_cell_that_uses_up_all_memory_fails_with_its_error() {
    let fills = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\nx = []\n\
                 while True: x.append(bytearray(1 << 20))";
    let bench = Bench::of_cells(&[fills, AFTER]);
    let Verdict::NotebookFailed(failure) = bench.run().await else { panic!("it does not fail") };
    assert_eq!((failure.cell_index, failure.ename.as_str()), (Some(0), "MemoryError"), "{failure:?}");
    assert!(!reached(&bench));
}

/// The kernel ends when its loop is stopped, however that is done: the cell that did it is named, and not the next one.
#[tokio::test]
async fn a_cell_that_stops_the_kernels_loop_is_where_the_kernel_died() {
    for cell in ["import asyncio\nasyncio.get_running_loop().stop()", "get_ipython().kernel.io_loop.stop()"] {
        let bench = Bench::of_cells(&["print('first')", cell, AFTER]);
        let Verdict::KernelDied { cell_index, message, how } = bench.run().await else { panic!("{cell}") };
        assert_eq!((cell_index, how), (Some(1), KernelEnd::Exited), "{cell}: {message}");
        assert!(!reached(&bench), "{cell}");
    }
}
