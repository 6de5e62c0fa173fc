//! Notebooks of every kind: parameters, early ends, none of this and too much of that.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::time::Duration;

use reveille_notebook::Verdict;
use serde_json::{Map, Value, json};
use support::{Bench, appears, notebook};

#[tokio::test]
async fn parameters_arrive_exactly_equal() {
    let parameters: Map<String, Value> = serde_json::from_value(json!({
        "quotes": "it's \"quoted\" '''thrice''' \"\"\"so\"\"\"",
        "backslashes": "C:\\new\\table \\\\ \\N{DASH} \\u0041 \\",
        "newlines": "a\nb\r\nc\td\u{2028}e\u{0}f",
        "unicode": "Grüße, 世界 🎺 \u{202e} {{ braces }} {0}",
        "shell": "$(reboot) `id` ; rm -rf ~ | & > /dev/null #",
        "huge": u64::MAX, "low": i64::MIN, "zero": 0,
        "tiny": 5e-324, "large": 1.797_693_134_862_315_7e308, "third": 0.1, "minus_zero": -0.0,
        "nothing": null, "yes": true, "no": false, "empty": "",
        "nested": {"a key": [1, [2.5, {"': \"": null}], [], {}], "": true, "\n\\": "x"},
    }))
    .unwrap();
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    let cell =
        format!("import json\nopen('arrived.json', 'w').write(json.dumps({{n: globals()[n] for n in {names:?}}}))");
    let mut bench = Bench::of_cells(&[&cell]);
    bench.job.parameters = parameters.clone();
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let arrived: Map<String, Value> =
        serde_json::from_slice(&fs::read(bench.job.working_dir.join("arrived.json")).unwrap()).unwrap();
    assert_eq!(arrived, parameters);
    assert!(arrived["huge"].is_u64() && arrived["low"].is_i64() && arrived["yes"].is_boolean());
    assert!(arrived["minus_zero"].as_f64().unwrap().is_sign_negative());
    assert_eq!(bench.output_notebook()["metadata"]["papermill"]["parameters"], Value::Object(parameters));
}

/// The text of an input, read here and written for the driver, is in the kernel what Python reads from the same text.
#[tokio::test]
async fn numbers_arrive_as_python_reads_them() {
    let text = r#"{"a": 9007199254740991, "b": -9007199254740991, "c": 1E5, "d": 1e22, "e": 6.02214076e23, "f": 0.1, "g": -0.0,
        "h": 5e-324, "i": 2.2250738585072011e-308, "j": 1.7976931348623157e308, "k": 0.12345678901234567890123456789,
        "l": 8.10109172351e-10, "m": 9007199254740993.0, "n": 1e16, "o": 3.0, "p": [1.1e-7, {"q": 123456789.987654321}],
        "r": 1.00000000000000011102230246251565404236316680908203125, "s": "\ud83d\ude00\u0000"}"#;
    let quoted = json!(text);
    let cell = format!(
        "import json\nwanted = json.loads({quoted})\nfor name, value in wanted.items():\n    assert repr(globals()[name]) == repr(value), name"
    );
    let mut bench = Bench::of_cells(&[&cell]);
    bench.job.parameters = serde_json::from_str(text).unwrap();
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

#[tokio::test]
async fn papermills_conventions_hold() {
    let mut source = notebook(&["'first'", "day = 'none'", "assert day == 'Monday', day"]);
    source["cells"][1]["metadata"] = json!({"tags": ["parameters"]});
    let mut bench = Bench::of_bytes(source.to_string().as_bytes());
    bench.job.parameters.insert("day".to_owned(), json!("Monday"));
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let output = bench.output_notebook();
    assert_eq!(output["cells"][2]["metadata"]["tags"], json!(["injected-parameters"]));
    assert_eq!(output["metadata"]["papermill"]["exception"], Value::Null);
}

#[tokio::test]
async fn sys_exit_ends_a_notebook_as_papermill_has_it() {
    let early = Bench::of_cells(&["import sys\nsys.exit(0)", "raise ValueError('not reached')"]);
    assert_eq!(early.run().await, Verdict::Succeeded);
    let Verdict::NotebookFailed(failure) = Bench::of_cells(&["import sys\nsys.exit(2)"]).run().await else {
        panic!("it did not fail")
    };
    assert_eq!((failure.ename.as_str(), failure.evalue.as_str()), ("SystemExit", "2"));
}

#[tokio::test]
async fn a_notebook_without_kernelspec_runs_on_python3() {
    let mut source = notebook(&["print('ran')"]);
    source["metadata"] = json!({});
    let mut bench = Bench::of_bytes(source.to_string().as_bytes());
    bench.job.parameters.insert("x".to_owned(), json!(1));
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(bench.output_notebook().to_string().contains("ran"));
}

#[tokio::test]
async fn a_notebook_without_code_succeeds() {
    let mut source = notebook(&[]);
    assert_eq!(Bench::of_bytes(source.to_string().as_bytes()).run().await, Verdict::Succeeded);
    source["cells"] = json!([{"cell_type": "markdown", "source": "# Only text", "metadata": {}}]);
    let bench = Bench::of_bytes(source.to_string().as_bytes());
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(bench.output("output.html").contains("Only text"));
}

#[tokio::test]
async fn huge_output_is_bounded_and_said_to_be() {
    let cell = "import sys\nfor i in range(80):\n    sys.stdout.write('x' * (1 << 20) + '\\n')\nsys.stdout.flush()";
    let bench = Bench::of_cells(&[cell, "print('the next cell')"]);
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let length = |name: &str| fs::metadata(bench.job.output_dir.join(name)).unwrap().len();
    assert!(length("output.ipynb") < 36 << 20, "{}", length("output.ipynb"));
    assert!(length("log.txt") < (2 << 20) + 1_000, "{}", length("log.txt"));
    // Both cells lost output, and both say so.
    assert_eq!(bench.output("output.ipynb").matches("is left out by Reveille").count(), 2);
    let log = bench.output("log.txt");
    assert!(log.contains("bytes are left out here"), "{} bytes, end: {}", log.len(), &log[log.len() - 300..]);
}

#[tokio::test]
async fn output_that_is_cleared_again_is_not_counted() {
    let cell = "from IPython.display import clear_output\nfor i in range(40):\n    print('x' * (1 << 20))\n    clear_output()\nprint('the last')";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let output = bench.output("output.ipynb");
    assert!(output.contains("the last") && !output.contains("is left out"), "{}", output.len());
}

#[tokio::test]
async fn half_a_surrogate_pair_is_refused_and_a_whole_one_is_not() {
    let source = notebook(&["print('half')"]).to_string();
    let whole = Bench::of_bytes(source.replace("half", r"\ud83c\udfba").as_bytes());
    assert_eq!(whole.run().await, Verdict::Succeeded);
    assert!(whole.output("log.txt").contains('🎺'));
    let verdict = Bench::of_bytes(source.replace("half", r"\ud800 half").as_bytes()).run().await;
    assert!(
        matches!(verdict, Verdict::NotebookUnreadable { ref reason } if reason.contains("surrogate")),
        "{verdict:?}"
    );
    // What an earlier run printed is made anew.
    let printed =
        source.replace(r#""outputs":[]"#, r#""outputs":[{"output_type":"stream","name":"stdout","text":"\ud800"}]"#);
    assert_ne!(printed, source);
    assert_eq!(Bench::of_bytes(printed.as_bytes()).run().await, Verdict::Succeeded);
}

#[tokio::test]
async fn a_notebook_that_is_changed_while_it_runs_is_run_as_it_was() {
    let bench = Bench::of_cells(&[
        "open('started', 'w')\nimport os, time\nwhile not os.path.exists('go on'): time.sleep(0.05)",
        "print('old')",
    ]);
    let mut execution = bench.start();
    appears(&bench.job.working_dir.join("started")).await;
    let changed = notebook(&["raise ValueError('new')"]).to_string();
    fs::write(&bench.job.notebook, &changed).unwrap();
    fs::write(bench.job.working_dir.join("go on"), "").unwrap();
    assert_eq!(execution.wait().await, Verdict::Succeeded);
    assert!(bench.output("output.ipynb").contains("old"));
    assert_eq!(fs::read_to_string(&bench.job.notebook).unwrap(), changed, "the source is never written");
}

#[tokio::test]
async fn a_process_that_a_cell_left_behind_is_ended() {
    let cell = "import subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)\nopen('pid', 'w').write(str(p.pid))\n\
                subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; while :; do sleep 1; done'], start_new_session=True)";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let pid = fs::read_to_string(bench.job.working_dir.join("pid")).unwrap();
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!command.contains("sleep"), "{command}");
}

#[tokio::test]
async fn asking_for_input_fails_and_does_not_hang() {
    let Verdict::NotebookFailed(failure) = Bench::of_cells(&["input('name? ')"]).run().await else {
        panic!("it did not fail")
    };
    assert_eq!(failure.ename, "StdinNotImplementedError");
}

#[tokio::test]
async fn progress_is_told_while_it_runs() {
    let bench = Bench::of_cells(&["1", "open('started', 'w')\nimport time\ntime.sleep(600)", "3"]);
    let mut execution = bench.start();
    appears(&bench.job.working_dir.join("started")).await;
    let progress = execution.progress();
    assert_eq!((progress.cell, progress.cells, progress.done), (2, 3, 1));
    let unfinished = tokio::time::timeout(Duration::from_millis(100), execution.wait()).await;
    assert!(unfinished.is_err(), "waiting can be given up and taken up again");
    execution.cancel().await;
    assert_eq!(execution.wait().await, Verdict::Cancelled);
}
