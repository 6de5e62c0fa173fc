//! Parameters that cannot be passed, and that no value of one is told to anybody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::{CellFailure, Verdict};
use serde_json::json;
use support::{Bench, IPYKERNEL, kernel, notebook};

const SECRET: &str = "hunter2-secret-value";

/// Runs with one parameter and sees that its value stands nowhere but in what the run puts out itself.
async fn quiet(mut bench: Bench, name: &str) -> (Bench, Verdict) {
    bench.job.parameters.insert(name.to_owned(), json!(SECRET));
    let verdict = bench.run().await;
    assert!(!format!("{verdict:?}").contains(SECRET), "{verdict:?}");
    for entry in fs::read_dir(&bench.job.output_dir).unwrap() {
        let path = entry.unwrap().path();
        // The notebook and its page are the run's own output.
        if !path.file_name().unwrap().to_str().unwrap().starts_with("output.") {
            assert!(!fs::read_to_string(&path).unwrap().contains(SECRET), "{}", path.display());
        }
    }
    (bench, verdict)
}

#[tokio::test]
async fn a_keyword_is_refused_before_the_first_cell() {
    for keyword in ["class", "import", "None", "True", "async", "__debug__"] {
        let (bench, verdict) = quiet(Bench::of_cells(&["open('ran', 'w')"]), keyword).await;
        let Verdict::ParametersRefused { reason } = verdict else { panic!("{keyword}: {verdict:?}") };
        assert!(reason.contains(keyword), "{reason}");
        assert!(!bench.job.working_dir.join("ran").exists(), "no cell is executed");
    }
}

#[tokio::test]
async fn soft_keywords_are_variables() {
    let mut bench = Bench::of_cells(&["assert (match, type, _) == (1, 2, 3)"]);
    for (value, name) in ["match", "type", "_"].into_iter().enumerate() {
        bench.job.parameters.insert(name.to_owned(), json!(value + 1));
    }
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

/// Whatever the notebook makes of the assignment: the cell's error is told without its text.
#[tokio::test]
async fn an_error_of_the_injected_cell_quotes_nothing() {
    let hooks = [
        // A namespace that refuses the assignment and quotes the value.
        (
            "def refuse(lines):\n    raise ValueError(''.join(lines))\nget_ipython().input_transformers_cleanup.append(lambda lines: [l for l in lines] if 'secret' not in ''.join(lines) else ['raise RuntimeError(' + repr(''.join(lines)) + ')\\n'])",
            "RuntimeError",
        ),
        // An exception whose very name is the value.
        (
            "get_ipython().input_transformers_cleanup.append(lambda lines: lines if 'hunter2' not in ''.join(lines) else [\"raise type('hunter2-secret-value', (Exception,), {})('x')\\n\"])",
            "an error",
        ),
        // A syntax error, whose text is the line.
        (
            "get_ipython().input_transformers_cleanup.append(lambda lines: [l.replace('= \"hunter2', '= = \"hunter2') for l in lines])",
            "SyntaxError",
        ),
        // What the cell prints stays out of the log.
        (
            "get_ipython().input_transformers_cleanup.append(lambda lines: [*lines, 'print(day)\\n', 'import sys; print(day, file=sys.stderr)\\n', '1/0\\n'] if 'hunter2' in ''.join(lines) else lines)",
            "ZeroDivisionError",
        ),
    ];
    for (hook, name) in hooks {
        let mut source =
            notebook(&[&hook.replace(SECRET, "hunter2-' 'secret-value"), "day = 'none'", "open('ran', 'w')"]);
        source["cells"][1]["metadata"] = json!({"tags": ["parameters"]});
        let (bench, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "day").await;
        let Verdict::NotebookFailed(CellFailure { cell_index, ename, traceback_tail, .. }) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!((cell_index, ename.as_str(), traceback_tail.len()), (None, name, 0));
        assert!(!bench.job.working_dir.join("ran").exists());
    }
}

#[tokio::test]
async fn a_second_cell_that_would_set_the_value_back_is_refused() {
    let mut source = notebook(&["a = 1", "a = 2", "print('a is', a)"]);
    for cell in 0..2 {
        source["cells"][cell]["metadata"] = json!({"tags": ["parameters"]});
    }
    let (_, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "a").await;
    let Verdict::ParametersRefused { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("cells 1 and 2"), "{reason}");
    // It sets back nothing of what is passed.
    let (_, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "b").await;
    assert_eq!(verdict, Verdict::Succeeded);
}

/// However a name is set, and whichever of papermill's tags the cell below has.
#[tokio::test]
async fn whatever_sets_the_value_back_is_noticed() {
    let injected = "injected-parameters";
    let cases = [
        ("import os as day", "parameters", "parameters"),
        ("from os import *", "parameters", "parameters"),
        ("def day(): pass", "parameters", "parameters"),
        ("try: 1/0\nexcept Exception as day: pass", "parameters", "parameters"),
        ("del day", "parameters", "parameters"),
        ("day = 2", injected, injected),
        ("day = 2", injected, "parameters"),
    ];
    for (cell, first, second) in cases {
        let mut source = notebook(&["day = 1", cell, "print(day)"]);
        source["cells"][0]["metadata"] = json!({"tags": [first]});
        source["cells"][1]["metadata"] = json!({"tags": [second]});
        let (_, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "day").await;
        let Verdict::ParametersRefused { reason } = verdict else { panic!("{cell}: {verdict:?}") };
        assert!(reason.contains("cells 1 and 2") && reason.contains("set day back"), "{reason}");
    }
    // What an earlier run injected is replaced, and nothing else is.
    let mut source = notebook(&["day = 1", "day = 2", "open('ran', 'w')"]);
    source["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    source["cells"][1]["metadata"] = json!({"tags": [injected]});
    let (_, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "day").await;
    assert_eq!(verdict, Verdict::Succeeded);
}

/// A second tagged cell in a language that nobody parses here: what it has, it may set.
#[tokio::test]
async fn a_second_cell_in_another_language_is_read_for_the_names_alone() {
    for (cell, refused) in [("day <- 'none'", true), ("other <- 2", false)] {
        let mut source = notebook(&["day <- 1", cell]);
        source["metadata"]["kernelspec"]["name"] = json!("r_kernel");
        for cell in 0..2 {
            source["cells"][cell]["metadata"] = json!({"tags": ["parameters"]});
        }
        let bench = Bench::of(&source);
        kernel(&bench, "other", "r_kernel", "R", &IPYKERNEL, &json!({}));
        let (_, verdict) = quiet(bench, "day").await;
        let Verdict::ParametersRefused { reason } = verdict else { panic!("{cell}: {verdict:?}") };
        // Else the kernel is found out: it is Python's.
        assert_eq!(reason.contains("set day back"), refused, "{cell}: {reason}");
    }
}

/// No cell is tagged, or the tag is misspelt, and a cell sets the value back before any reads it.
#[tokio::test]
async fn a_value_that_nothing_would_read_is_refused() {
    let plain: &[&str] = &[];
    let lost: [(&[&str], &[&str], &str); 6] = [
        (&["import os", "day = 'none'"], plain, "cell 2 sets day back; tag cell 2 parameters"),
        (&["day = 'none'"], &["Parameters"], "tag cell 1 parameters (it is tagged Parameters)"),
        (&["day = 'none'"], &["parameter"], "tag cell 1 parameters (it is tagged parameter)"),
        (&["%matplotlib inline\nday: str = 'none'"], plain, "cell 1 sets day back"),
        (&["%%time\nday, other = 1, 2"], plain, "cell 1 sets day back"),
        (&["day = 'none'", "day = 'left from a try'"], &["parameters"], "cell 2 sets day again before a cell reads it"),
    ];
    for (cells, tags, why) in lost {
        let mut source = notebook(cells);
        source["cells"][0]["metadata"] = json!({"tags": tags});
        let (_, verdict) = quiet(Bench::of(&source), "day").await;
        let Verdict::ParametersRefused { reason } = verdict else { panic!("{cells:?}: {verdict:?}") };
        assert!(reason.contains(why), "{cells:?}: {reason}");
    }
}

/// What a notebook may do with a value that is set before its first cell.
#[tokio::test]
async fn a_value_that_is_read_is_no_lost_one() {
    let sources: [&[&str]; 7] = [
        &["try:\n    day\nexcept NameError:\n    day = 'none'"],
        &["day = day.upper()"],
        &["day = globals().get('day', 'none')"],
        &["assert day", "day = 'none'"],
        &["!: {day}", "day = 'none'"],
        &["for day in range(3): pass"],
        &["other = 1"],
    ];
    for cells in sources {
        let (bench, verdict) = quiet(Bench::of_cells(cells), "day").await;
        assert_eq!(verdict, Verdict::Succeeded, "{cells:?}");
        assert!(bench.output("log.txt").contains("No cell is tagged parameters"), "{cells:?}");
    }
    // A variable of the notebook's own, which its tagged cell does not have.
    let mut source = notebook(&["limit = 1", "day = 'none'"]);
    source["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    assert_eq!(quiet(Bench::of(&source), "day").await.1, Verdict::Succeeded);
}

#[tokio::test]
async fn a_text_cell_with_the_tag_is_refused() {
    let mut source = notebook(&["", "day = 'none'"]);
    source["cells"][0] =
        json!({"cell_type": "markdown", "source": "# Parameters", "metadata": {"tags": ["parameters"]}});
    let (_, verdict) = quiet(Bench::of_bytes(source.to_string().as_bytes()), "day").await;
    assert!(
        matches!(verdict, Verdict::ParametersRefused { ref reason } if reason.contains("is not a code cell")),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_number_that_python_cannot_read_is_refused_by_name() {
    let mut source = notebook(&["1"]);
    source["metadata"] = json!({});
    let mut bench = Bench::of_bytes(source.to_string().as_bytes());
    let deep = (0..80).fold(json!(1), |inner, _| json!([inner]));
    bench.job.parameters.insert("deep".to_owned(), deep);
    assert_eq!(bench.run().await, Verdict::Succeeded, "what Python can read is passed");
}

/// Papermill's "Passed unknown parameter": a slip in a name leaves the default, and the run succeeds with that.
#[tokio::test]
async fn a_name_that_the_parameters_cell_lacks_is_told_in_the_log() {
    let mut source = notebook(&["Day = 'none'", "print(Day)"]);
    source["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    let mut bench = Bench::of(&source);
    bench.job.parameters.insert("day".to_owned(), json!("today"));
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let log = bench.output("log.txt");
    assert!(
        log.contains("The parameters cell (cell 1) has no day; set all the same.") && !log.contains("today"),
        "{log}"
    );
    // Run again without parameters, the output sets what that run was given.
    let again = Bench::of(&bench.output_notebook());
    assert_eq!(again.run().await, Verdict::Succeeded);
    let log = again.output("log.txt");
    assert!(
        log.contains("Cell 2 sets the parameters of an earlier run (injected-parameters), and this run has none."),
        "{log}"
    );
}
