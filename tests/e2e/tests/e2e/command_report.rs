//! The `reveille` command: the page of a report, with a run that failed and one that succeeded.

use std::fs;

use reveille_e2e_tests::{LocalAws, Notebook};

use crate::Scenario;
use crate::command::{ended, refused, reveille, said};

pub const ALL: &[Scenario] =
    &[("command_report::a_page_shows_runs_instances_and_failures", |h, w| h.block_on(a_page(w)))];

const ON: &str = "command-report";

async fn run(world: &LocalAws, code: i32, parameter: &str) -> String {
    let run = reveille(world, &["run", "run.ipynb", "--on", ON, "-p", "orders", parameter]).await;
    ended(&run, code);
    let id = said(&run).lines().find_map(|line| line.strip_prefix("run ").map(str::to_owned));
    id.expect("the run's id comes first")
}

async fn a_page(world: &LocalAws) {
    let notebook = Notebook::of(&["print(100 // orders)"]).with_parameters("orders = 1");
    world.instance_with(ON, &notebook).await;
    let (good, bad) = (run(world, 0, "4").await, run(world, 10, "0").await);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let out = path.to_str().unwrap();
    let report = reveille(world, &["report", "--since", "1d", "--out", out, "--zone", "Asia/Tokyo"]).await;
    ended(&report, 0);
    assert!(said(&report).contains(&format!("Open {out} in a browser")), "{}", said(&report));
    let page = fs::read_to_string(&path).unwrap();
    let row =
        |id: &str| page.lines().find(|line| line.starts_with("<tr") && line.ends_with(&format!("<td>{id}"))).unwrap();
    assert!(row(&good).contains("<td>succeeded<td"), "{}", row(&good));
    assert!(row(&bad).contains(" class=f") && row(&bad).contains("NotebookFailed"), "{}", row(&bad));
    // About what each cost, and its phases.
    assert!(row(&good).contains("<td>0.0") && row(&good).contains("<td style=--a:"), "{}", row(&good));
    for part in ["ZeroDivisionError", &format!("on {ON}, "), "Asia/Tokyo", "at prices of 2026-", "default-src 'none'"] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    let instance = page.lines().find(|line| line.contains(&format!("<th scope=row>{ON}<td>"))).unwrap();
    assert!(instance.contains("<b>at rest</b> (Stopped) since "), "{instance}");

    let printed = reveille(world, &["report", "--out", "-"]).await;
    ended(&printed, 0);
    assert!(said(&printed).starts_with("<!DOCTYPE html>") && said(&printed).contains(&bad));
    refused(world, &["report", "--since", "500d"], 2, "366 days").await;
    refused(world, &["report", "--zone", "berlin"], 2, "--zone Europe/Berlin").await;
    refused(world, &["report", "--out", "/no/such/folder/report.html"], 1, "/no/such/folder/report.html").await;
}
