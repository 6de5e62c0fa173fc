//! Each verdict, from real papermill and real kernels; after each, no process of the run is left.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use reveille_notebook::{Breakage, Engine, KernelEnd, Output, Verdict, end_leftovers};
use serde_json::json;
use support::{Bench, appears, code_cell, marked, none_left, notebook, python, saved};

#[tokio::test]
async fn succeeded() {
    let bench = Bench::of_cells(&["open('written here', 'w').write('x')", "print('hello')"]);
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded);
    assert_eq!(execution.wait().await, Verdict::Succeeded, "asked again it says the same");
    assert_eq!(bench.left(), 0);
    let outputs: Vec<Output> = execution.outputs().into_iter().map(|(output, _)| output).collect();
    assert_eq!(outputs, Output::ALL);
    assert_eq!(execution.html_error(), None);
    let progress = execution.progress();
    assert_eq!((progress.cell, progress.cells, progress.done), (2, 2, 2));
    assert!(bench.job.working_dir.join("written here").exists(), "the working directory is the notebook's");
    assert!(bench.output("output.html").contains("hello"));
    assert!(bench.output("log.txt").contains("hello"));
    let left: Vec<_> = fs::read_dir(&bench.job.output_dir).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 5, "outputs, result and progress, no scratch: {left:?}");
    let metadata = &bench.output_notebook()["metadata"]["papermill"];
    assert_eq!(metadata["input_path"], json!(bench.job.notebook));
}

#[tokio::test]
async fn a_failed_cell_is_named_by_its_place_in_the_source() {
    let mut source =
        notebook(&["day = 'none'", "1 + 1", "print('before')\nraise ValueError('no \\x1b[31mred\\x1b[0m data')", "2"]);
    source["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    source["cells"]
        .as_array_mut()
        .unwrap()
        .insert(1, json!({"cell_type": "markdown", "source": "# Text", "metadata": {}}));
    let mut bench = Bench::of_bytes(source.to_string().as_bytes());
    bench.job.parameters.insert("day".to_owned(), json!("Monday"));
    let mut execution = bench.start();
    let Verdict::NotebookFailed(failure) = execution.wait().await else { panic!("it did not fail") };
    assert_eq!(failure.cell_index, Some(3), "neither the injected cell nor the error markers count");
    assert_eq!(failure.execution_count, Some(4));
    let progress = execution.progress();
    assert_eq!((progress.cell, progress.cells, progress.done), (4, 5, 3));
    assert_eq!((failure.ename.as_str(), failure.evalue.as_str()), ("ValueError", "no red data"));
    assert!(failure.traceback_tail.last().unwrap().contains("ValueError"), "{failure:?}");
    assert!(failure.traceback_tail.iter().all(|line| !line.contains('\x1b')), "{failure:?}");
    let output = bench.output_notebook();
    assert!(output.to_string().contains("papermill-error-cell"), "the failed cell is marked");
    assert!(output.to_string().contains("before"), "what came before is kept");
    assert!(bench.output("output.html").contains("ValueError"));
}

/// Whatever an exception's name, text and traceback are made of, no control character is left of it, and no mark that reorders text.
#[tokio::test]
async fn what_a_cell_raises_cannot_move_the_cursor() {
    let hostile = r"'a\x1b[\x1b[31m2Jb\x1bc\x9b2Jc\rd\u202ee\x1b]0;title\x07f\x1b\x1b[0m[2J\u2066g\x85h\x00i'";
    let bench = Bench::of_cells(&[&format!("text = {hostile}\nraise type(text[:2], (Exception,), {{}})(text)")]);
    let Verdict::NotebookFailed(failure) = bench.start().wait().await else { panic!("it did not fail") };
    assert_eq!(failure.evalue, "a2Jbc\ndef[2Jghi", "{failure:?}");
    let mut texts = failure.traceback_tail.clone();
    texts.extend([failure.ename.clone(), failure.evalue.replace('\n', "")]);
    for text in texts {
        let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!text.contains(hidden), "{text:?}");
    }
}

#[tokio::test]
async fn an_output_notebook_can_be_run_again_and_cells_keep_their_places() {
    let mut first = Bench::of_cells(&["y = 1", "raise KeyError(x)"]);
    first.job.parameters.insert("x".to_owned(), json!(2));
    let Verdict::NotebookFailed(failure) = first.run().await else { panic!("it did not fail") };
    assert_eq!(failure.cell_index, Some(1));
    let mut second = Bench::of_bytes(first.output("output.ipynb").as_bytes());
    second.job.parameters.insert("x".to_owned(), json!(3));
    let Verdict::NotebookFailed(failure) = second.run().await else { panic!("it did not fail") };
    // Its cells: marker, injected, y = 1, marker, the failing one.
    assert_eq!(failure.cell_index, Some(4));
    // Behind new markers, whoever reads the output could not tell these places.
    assert_eq!(second.output_notebook()["metadata"]["reveille"]["source_cells"], json!([0, 3, 5]));
    assert!(first.output_notebook()["metadata"]["reveille"].is_null(), "its cells are where their order says");
    // Without parameters, what an earlier run injected is a cell like any other.
    let third = Bench::of_bytes(second.output("output.ipynb").as_bytes());
    assert!(matches!(third.run().await, Verdict::NotebookFailed(_)));
    assert_eq!(third.output_notebook()["metadata"]["reveille"]["source_cells"], json!([2, 3, 5]));
}

#[tokio::test]
async fn kernel_died_by_exit_and_by_signal() {
    for (source, words, ended) in [
        ("import os; os._exit(3)", "exited with status 3", KernelEnd::Other),
        ("import os; os._exit(0)", "exited with status 0", KernelEnd::Exited),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL", KernelEnd::Killed),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV", KernelEnd::Other),
    ] {
        let bench = Bench::of_cells(&["print('kept')", source, "2"]);
        let Verdict::KernelDied { cell_index, message, how } = bench.run().await else { panic!("{source}") };
        assert_eq!(cell_index, Some(1), "{source}");
        assert_eq!(how, ended, "{source}");
        assert!(message.contains(words), "{message}");
        let output = bench.output_notebook().to_string();
        assert!(output.contains("kept") && output.contains("KernelDied"), "{output}");
        assert!(bench.output("output.html").contains("KernelDied"));
    }
}

#[tokio::test]
async fn a_kernel_that_cannot_start_died_before_the_first_cell() {
    let bench = Bench::of_cells(&["1"]);
    let mut job = bench.job.clone();
    let env = bench.folder.path().join("home/ec2-user/anaconda3/envs/broken");
    conda_env(&env, &["python", "-c", "import sys; sys.exit(9)"]);
    fs::create_dir_all(env.join("bin")).unwrap();
    symlink(python(), env.join("bin/python")).unwrap();
    job.kernel = Some("conda_broken".to_owned());
    let verdict = Engine::with_python(python(), bench.folder.path()).start(job).unwrap().wait().await;
    let Verdict::KernelDied { cell_index, message, how } = verdict else { panic!("{verdict:?}") };
    assert_eq!((cell_index, how), (None, KernelEnd::Other));
    assert!(message.contains("did not start") && message.contains("exited with status 9"), "{message}");
}

#[tokio::test]
async fn kernel_not_found_names_those_that_are_there() {
    let mut bench = Bench::of_cells(&["1"]);
    bench.job.kernel = Some("conda_r".to_owned());
    let wanted = Verdict::KernelNotFound { wanted: "conda_r".to_owned(), available: vec!["python3".to_owned()] };
    assert_eq!(bench.run().await, wanted);

    let mut source = notebook(&["cat('x')"]);
    source["metadata"] = json!({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}});
    let verdict = Bench::of_bytes(source.to_string().as_bytes()).run().await;
    assert!(matches!(verdict, Verdict::KernelNotFound { ref wanted, .. } if wanted == "ir"), "{verdict:?}");
}

#[tokio::test]
async fn kernels_of_conda_environments_are_known_as_sagemaker_names_them() {
    let mut source = notebook(&["import os\nassert os.environ['CONDA_DEFAULT_ENV'] == 'python3'"]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_python3");
    let bench = Bench::of_bytes(source.to_string().as_bytes());
    let env = bench.folder.path().join("home/ec2-user/anaconda3/envs/python3");
    conda_env(&env, &["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]);
    let real = fs::canonicalize(python().parent().unwrap()).unwrap().join("python");
    let start = env.join("bin/python");
    fs::create_dir_all(env.join("bin")).unwrap();
    fs::write(&start, format!("#!/bin/sh\nexec '{}' \"$@\"\n", real.display())).unwrap();
    fs::set_permissions(&start, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

fn conda_env(env: &Path, argv: &[&str]) {
    let spec = env.join("share/jupyter/kernels/python3");
    fs::create_dir_all(&spec).unwrap();
    let content = json!({"argv": argv, "display_name": "Python", "language": "python"});
    fs::write(spec.join("kernel.json"), content.to_string()).unwrap();
}

#[tokio::test]
async fn cancelled() {
    let bench = Bench::of_cells(&["open('started', 'w')\nimport time\ntime.sleep(600)"]);
    let mut execution = bench.start();
    appears(&bench.job.working_dir.join("started")).await;
    execution.cancel().await;
    assert_eq!(execution.wait().await, Verdict::Cancelled);
    assert_eq!(bench.left(), 0);
    assert!(bench.job.output_dir.join("output.html").exists());
}

#[tokio::test]
async fn dropped_unfinished_it_kills_its_processes() {
    let bench = Bench::of_cells(&["open('started', 'w')\nimport time\ntime.sleep(600)"]);
    let execution = bench.start();
    appears(&bench.job.working_dir.join("started")).await;
    assert!(bench.left() >= 2, "driver and kernel");
    drop(execution);
    none_left(&bench).await;
}

#[tokio::test]
async fn what_a_dead_supervisor_left_is_ended_by_its_marker_alone() {
    let bench = Bench::of_cells(&[]);
    let sleep =
        |marker: &str| std::process::Command::new("sleep").arg("600").env("REVEILLE_RUN", marker).spawn().unwrap();
    let mut ours = sleep(&bench.job.marker);
    let mut similar = sleep(&format!("{}2", bench.job.marker));
    appears(&Path::new("/proc").join(ours.id().to_string()).join("environ")).await;
    while bench.left() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(end_leftovers(&bench.job.marker).await);
    assert!(!ours.wait().unwrap().success());
    assert!(similar.try_wait().unwrap().is_none(), "another run's process lives");
    similar.kill().unwrap();
    similar.wait().unwrap();
}

#[tokio::test]
async fn a_limit_beyond_all_clocks_is_none() {
    let mut bench = Bench::of_cells(&["1"]);
    bench.job.limit = Duration::MAX;
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

#[tokio::test]
async fn notebook_unreadable() {
    let old = json!({"nbformat": 3, "nbformat_minor": 0, "metadata": {}}).to_string();
    let new = json!({"nbformat": 5, "nbformat_minor": 0, "metadata": {}, "cells": []}).to_string();
    let no_cells = json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [1]}).to_string();
    let deep =
        format!(r#"{{"nbformat": 4, "cells": [], "metadata": {{"x": {}{}}}}}"#, "[".repeat(300), "]".repeat(300));
    let large = vec![b' '; (64 << 20) + 1];
    let merged = format!("{{\"cells\": [\n\"{}\",\n<<<<<<< HEAD\n", "x".repeat(100 << 10));
    for (bytes, words) in [
        (&b"{\"nbformat\": 4,"[..], "not JSON"),
        (b"[]", "not in notebook format 4"),
        (old.as_bytes(), "notebook format 3"),
        (new.as_bytes(), "nbformat is 5"),
        (no_cells.as_bytes(), "cells"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", "git lfs pull"),
        (b"{\n<<<<<<< HEAD\n \"cells\": []\n}", "merge in Git"),
        (merged.as_bytes(), "merge in Git"),
        (b"<!DOCTYPE html><p>Sign in", "web page"),
        (b"\xef\xbb\xbf<!DOCTYPE html><p>Sign in", "web page"),
        (b"\xef\xbb\xbf\n", "it is empty"),
        (deep.as_bytes(), "nested in it more than 200 levels"),
        (&large, "larger than"),
    ] {
        let verdict = Bench::of_bytes(bytes).run().await;
        let Verdict::NotebookUnreadable { reason } = verdict else { panic!("{words}: {verdict:?}") };
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn disk_full() {
    let bench = Bench::of_cells(&["1"]);
    // /dev/full answers every write with "no space left": the notebook is written there, then renamed.
    symlink("/dev/full", bench.job.output_dir.join("output.ipynb.partial")).unwrap();
    let verdict = bench.run().await;
    assert!(matches!(verdict, Verdict::DiskFull { ref message } if message.contains("space")), "{verdict:?}");

    // Not even the answer can be written.
    let bench = Bench::of_cells(&["1"]);
    symlink("/dev/full", bench.job.output_dir.join("result.json.partial")).unwrap();
    let verdict = bench.run().await;
    assert!(matches!(verdict, Verdict::DiskFull { ref message } if message.contains("space")), "{verdict:?}");
}

#[tokio::test]
async fn without_papermill_the_engine_is_broken_and_says_how_to_mend_it() {
    let bench = Bench::of_cells(&["1"]);
    // An environment of the same Python, with nothing in it.
    let bare = bench.folder.path().join("bare");
    let made = std::process::Command::new(python()).args(["-m", "venv", "--without-pip"]).arg(&bare).status().unwrap();
    assert!(made.success());
    let engine = Engine::with_python(bare.join("bin/python"), bench.folder.path());
    let verdict = engine.start(bench.job.clone()).unwrap().wait().await;
    let Verdict::EngineBroken { message, why: Breakage::NotImportable, .. } = verdict else { panic!("{verdict:?}") };
    assert!(
        message.contains("papermill cannot be imported") && message.contains("-m pip install 'papermill>="),
        "{message}"
    );
}

#[tokio::test]
async fn a_killed_driver_is_a_broken_engine_and_leaves_no_kernel() {
    let bench = Bench::of_cells(&[
        &saved("kept"),
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)",
    ]);
    let verdict = bench.run().await;
    let Verdict::EngineBroken { why, message, log_tail } = verdict else { panic!("{verdict:?}") };
    assert_eq!(why, Breakage::Ended { signal: 9 });
    assert_eq!(message, "the papermill process was ended by SIGKILL");
    assert!(log_tail.iter().any(|line| line.contains("kept")), "{log_tail:?}");
    assert!(bench.output("output.html").contains("kept"));
}

#[tokio::test]
async fn an_answer_of_an_earlier_attempt_in_the_folder_does_not_count() {
    let bench = Bench::of_cells(&["raise SystemError('now')"]);
    fs::write(bench.job.output_dir.join("result.json"), r#"{"kind": "succeeded"}"#).unwrap();
    assert!(matches!(bench.run().await, Verdict::NotebookFailed(_)));
}

#[tokio::test]
async fn what_cannot_be_executed_is_refused_before_a_process_is_started() {
    let engine = Engine::with_python(python(), Path::new(""));
    let bench = Bench::of_cells(&["1"]);
    let refused = |change: &dyn Fn(&mut reveille_notebook::Job)| {
        let mut job = bench.job.clone();
        change(&mut job);
        engine.start(job).err().expect("it was started").to_string()
    };
    assert!(refused(&|job| job.notebook = "/nowhere.ipynb".into()).contains("/nowhere.ipynb"));
    assert!(refused(&|job| job.working_dir = "/nowhere".into()).contains("does not exist"));
    assert!(refused(&|job| job.marker = String::new()).contains("marker"));
    assert!(refused(&|job| drop(job.parameters.insert("a; import os".to_owned(), json!(1)))).contains("identifier"));
    assert!(marked(&bench.job.marker).is_empty());
    let spawn = Engine::with_python("/nowhere/python".into(), Path::new("")).start(bench.job.clone()).err().unwrap();
    assert!(spawn.to_string().contains("/nowhere/python"), "{spawn}");
}

#[tokio::test]
async fn failing_html_changes_nothing_else() {
    let mut source = notebook(&[]);
    source["cells"] = json!([code_cell("1")]);
    let bench = Bench::of_bytes(source.to_string().as_bytes());
    // The export cannot put its file where a folder stands.
    fs::create_dir(bench.job.output_dir.join("output.html")).unwrap();
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded);
    assert!(execution.html_error().unwrap().contains("output.html"), "{:?}", execution.html_error());
    assert!(bench.output("log.txt").contains("output.html was not made"));
    assert!(execution.outputs().iter().all(|(output, _)| *output != Output::Html));
}
