//! The example notebooks do what their README says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;

use reveille_notebook::Verdict;
use serde_json::json;
use support::Bench;

fn example(name: &str) -> Bench {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let mut bench = Bench::of_bytes(&fs::read(path).unwrap());
    bench.job.parameters.insert("source".to_owned(), json!("s3://bucket/it's <new> \"data\".csv"));
    bench.job.parameters.insert("day".to_owned(), json!("2026-02-03"));
    bench
}

#[tokio::test]
async fn summarize_shows_its_parameters_and_a_table() {
    let bench = example("summarize.ipynb");
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let log = bench.output("log.txt");
    assert!(log.contains("Summarizing s3://bucket/it's <new> \"data\".csv") && log.contains("for 2026-02-03"), "{log}");
    let html = bench.output("output.html");
    assert!(html.contains("Orders of 2026-02-03 from s3://bucket/it's &lt;new&gt;"), "no table");
}

#[tokio::test]
async fn the_failing_one_fails_in_its_third_cell() {
    let bench = example("fails_in_cell_3.ipynb");
    let Verdict::NotebookFailed(failure) = bench.run().await else { panic!("it did not fail") };
    assert_eq!((failure.cell_index, failure.ename.as_str()), (Some(2), "ValueError"));
    assert!(failure.evalue.contains("lacks the column amount"), "{}", failure.evalue);
    assert!(!bench.output("log.txt").contains("never reached"));
}
