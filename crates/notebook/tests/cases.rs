//! Notebooks as people write them: each ends as its author meant, and keeps what it printed as Jupyter would show it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::{CellFailure, KernelEnd, Verdict};
use serde_json::{Value, json};
use support::{Bench, code_cell, notebook, python};

fn tagged(source: &str, tags: &Value) -> Value {
    let mut cell = code_cell(source);
    cell["metadata"] = json!({"tags": tags});
    cell
}

async fn failure(bench: &Bench) -> CellFailure {
    match bench.run().await {
        Verdict::NotebookFailed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// A run that succeeds and has its page.
async fn succeeds(bench: &Bench) -> String {
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert_eq!(execution.html_error(), None);
    bench.output("output.html")
}

#[tokio::test]
async fn exit_and_quit_end_the_notebook_with_success() {
    for end in ["exit()", "quit()", "import sys\nsys.exit(None)", "raise SystemExit(False)"] {
        let bench = Bench::of_cells(&[&format!("print('one')\n{end}"), "open('reached', 'w')"]);
        assert_eq!(bench.run().await, Verdict::Succeeded, "{end}");
        assert!(!bench.job.working_dir.join("reached").exists(), "{end}");
        assert!(bench.output("output.ipynb").contains("one"));
    }
}

#[tokio::test]
async fn a_kernel_that_a_cell_shut_down_died_in_that_cell() {
    let bench = Bench::of_cells(&[
        "from traitlets.config import Application\nApplication.instance().kernel.do_shutdown(True)",
        "print('two')",
    ]);
    let Verdict::KernelDied { cell_index, message, how } = bench.run().await else { panic!("it did not die") };
    assert_eq!((cell_index, how), (Some(0), KernelEnd::Exited));
    assert!(message.contains("status 0"), "{message}");
}

#[tokio::test]
async fn errors_that_stand_only_in_the_reply_have_their_name_and_text() {
    let groups = "raise ExceptionGroup('many', [ValueError('a'), KeyError('b')])";
    let custom = "get_ipython().set_custom_exc((ValueError,), lambda *_: None)\nraise ValueError('seen by nobody')";
    let memory =
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\nx = bytearray(1 << 30)";
    let mut cases = vec![
        ("%nosuchmagic 1", "UsageError", "nosuchmagic"),
        (custom, "ValueError", "seen by nobody"),
        (memory, "MemoryError", ""),
        ("from IPython.display import Image\nImage('nosuch.png')", "FileNotFoundError", "nosuch.png"),
    ];
    let version = std::process::Command::new(python()).args(["-c", "ExceptionGroup"]).status().unwrap();
    if version.success() {
        cases.push((groups, "ExceptionGroup", "many"));
    }
    for (cell, name, text) in cases {
        let bench = Bench::of_cells(&[cell, "open('reached', 'w')"]);
        let failure = failure(&bench).await;
        assert_eq!((failure.cell_index, failure.ename.as_str()), (Some(0), name));
        assert!(failure.evalue.contains(text), "{failure:?}");
        assert!(bench.output("output.html").contains(name), "the cell shows it");
        assert!(!bench.job.working_dir.join("reached").exists());
        if name == "ExceptionGroup" {
            assert!(failure.traceback_tail.join("\n").contains("KeyError"), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn an_error_that_is_expected_or_only_shown_fails_nothing() {
    let mut source =
        notebook(&["", "try:\n    1 / 0\nexcept Exception:\n    get_ipython().showtraceback()", "print('last')"]);
    source["cells"][0] = tagged("raise ValueError('expected')", &json!(["raises-exception"]));
    let html = succeeds(&Bench::of(&source)).await;
    for shown in ["expected", "ZeroDivisionError", "last"] {
        assert!(html.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn a_cell_tagged_skip_execution_is_skipped() {
    let mut source = notebook(&["", "print('af' + 'ter')"]);
    source["cells"][0] = tagged("raise ValueError", &json!(["skip-execution"]));
    let bench = Bench::of(&source);
    assert!(succeeds(&bench).await.contains("after"));
    let cells = bench.output_notebook()["cells"].clone();
    assert_eq!((&cells[0]["outputs"], &cells[0]["execution_count"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_stream_is_one_output_as_jupyter_shows_it() {
    let cell = "import sys, time\n\
                for i in range(20): print('.', end='', flush=True); time.sleep(0.01)\n\
                print(' done', flush=True)\n\
                for i in range(101): print(f'\\r{i:3}%', end='', flush=True, file=sys.stderr)\n\
                print('\\nabc\\rX', flush=True, file=sys.stderr)\n\
                print('12\\b3')";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded);
    let output = bench.output_notebook();
    let texts: Vec<String> = output["cells"][0]["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| output["text"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect())
        .collect();
    assert_eq!(texts.concat().matches('.').count(), 20);
    for whole in ["....................", " done\n", "100%\nXbc\n", "13\n"] {
        assert!(texts.iter().any(|text| text.contains(whole)), "{whole:?} in {texts:?}");
    }
    assert!(texts.len() <= 3, "{texts:?}");
    assert!(!texts.concat().contains(" 99%"), "what was written over is gone: {texts:?}");
}

#[tokio::test]
async fn output_is_bounded_whatever_brings_it() {
    let update = "from IPython.display import display, HTML\nh = display(HTML('a'), display_id=True)\nh.update(HTML('y' * 60_000_000))\nprint('ok')";
    let error = "raise ValueError('y' * 60_000_000)";
    let lines = "print('\\n' * 20_000_000)";
    let controls = "print('\\x01' * 20_000_000)";
    for cell in [update, error, lines, controls] {
        let bench = Bench::of_cells(&[cell]);
        bench.run().await;
        for name in ["output.ipynb", "output.html"] {
            let length = fs::metadata(bench.job.output_dir.join(name)).unwrap().len();
            assert!(length < 40 << 20, "{cell}: {name} has {length} bytes");
        }
        assert!(bench.output("output.ipynb").contains("is left out by Reveille"), "{cell}");
    }
}

#[tokio::test]
async fn what_jupyter_opens_is_run_and_shown() {
    let odd = [
        json!({"cells": [tagged("print('ran')", &Value::Null)]}),
        json!({"cells": [tagged("print('ran')", &json!("one, two"))]}),
        json!({"metadata": {"papermill": null}}),
        json!({"metadata": {"kernelspec": {"display_name": "Python 3.8"}, "language_info": {"name": "python"}}}),
        json!({"metadata": {"kernelspec": {"name": "python", "display_name": "Python"}}}),
        json!({"metadata": null}),
        json!({"nbformat_minor": null}),
        json!({"cells": [{"cell_type": "code", "id": "not an id!", "source": ["print(", "'ran')"], "collapsed": true}]}),
        json!({"cells": [{"cell_type": "code"}, {"cell_type": "raw", "source": null}, code_cell("print('ran')")]}),
        json!({"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [
            {"cell_type": "heading", "level": 1, "source": ["Old"]},
            {"cell_type": "code", "language": "python", "input": ["print('ran')"], "outputs": [], "collapsed": false},
        ]}]}),
    ];
    for change in odd {
        let mut source = notebook(&["print('ran')"]);
        for (field, value) in change.as_object().unwrap() {
            source[field] = value.clone();
        }
        let mut bench = Bench::of(&source);
        bench.job.parameters.insert("x".to_owned(), json!(1));
        assert!(succeeds(&bench).await.contains("ran"), "{change}");
    }
}

#[tokio::test]
async fn pasted_pictures_never_cost_the_page() {
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let mut source = notebook(&["print('ran')"]);
    for text in
        ["![i](attachment:%D1%81%D0%BD%201.png)", "![i](attachment:missing.png)", "```mermaid\ngraph TD; A-->B\n```"]
    {
        let cell = json!({"cell_type": "markdown", "metadata": {}, "source": text, "attachments": {"сн 1.png": {"image/png": picture}}});
        source["cells"].as_array_mut().unwrap().push(cell);
    }
    let html = succeeds(&Bench::of(&source)).await;
    assert!(html.contains(picture), "the picture is in the page");
}

/// What nbconvert cannot show, although the format allows it: a note stands in its place, and the rest is there.
#[tokio::test]
async fn one_output_never_costs_the_page() {
    let show = |data: &Value, metadata: &Value| {
        let told = json!({"data": data, "metadata": metadata}).to_string();
        format!(
            "import json\nfrom IPython.display import publish_display_data\npublish_display_data(**json.loads({told:?}))\nprint('bes' + 'ide')"
        )
    };
    let widget = json!({"application/vnd.jupyter.widget-view+json": 5});
    let odd = [
        show(&json!({"image/png": "iVBORw0KGgo="}), &json!({"image/png": 5})),
        show(&widget, &json!({})),
        show(&json!({"text/markdown": ["a", "b"], "image/svg+xml": "<svg"}), &json!({})),
    ];
    let mut source = notebook(&[&odd[0], &odd[1], &odd[2], "print('la' + 'st')"]);
    source["metadata"]["language_info"]["pygments_lexer"] = json!(5);
    source["metadata"]["widgets"] = json!({"application/vnd.jupyter.widget-state+json": 5});
    let html = succeeds(&Bench::of(&source)).await;
    assert_eq!(html.matches("beside").count(), 3, "{html}");
    assert!(html.contains("last") && html.contains("this output cannot be shown on the page"));
}

#[tokio::test]
async fn a_page_is_whole_in_itself() {
    let mut source = notebook(&["print('ran')"]);
    source["cells"].as_array_mut().unwrap().push(json!({"cell_type": "markdown", "metadata": {}, "source": "$x^2$"}));
    let html = succeeds(&Bench::of(&source)).await;
    for loaded in ["<script src", "<link", "@import", "cdnjs.cloudflare.com"] {
        assert!(!html.contains(loaded), "{loaded}");
    }
}

#[tokio::test]
async fn tags_take_cells_and_their_parts_out_of_the_page() {
    let mut source = notebook(&["", "", "", "print('vis' + 'ible')"]);
    source["cells"][0] = tagged("hidden_input = 'abc'\nprint('shown' + ' output')", &json!(["remove-input"]));
    source["cells"][1] = tagged("print('hidden' + ' output')", &json!(["remove_output"]));
    source["cells"][2] = tagged("hidden_cell = 1", &json!(["remove-cell"]));
    let html = succeeds(&Bench::of(&source)).await;
    for gone in ["hidden_input", "hidden output", "hidden_cell"] {
        assert!(!html.contains(gone), "{gone}");
    }
    assert!(html.contains("shown output") && html.contains("visible"));
}

/// The injected cell stands for the one with the defaults: hidden as that is, on the page alone.
#[tokio::test]
async fn what_hides_the_defaults_hides_the_values() {
    for (tag, shown) in [("remove-input", false), ("remove_cell", false), ("hide-input", true)] {
        let mut source = notebook(&["", "print(len(token))"]);
        source["cells"][0] = tagged("token = 'def' + 'ault'", &json!(["parameters", tag]));
        let mut bench = Bench::of(&source);
        bench.job.parameters.insert("token".to_owned(), json!("hunter2"));
        assert_eq!(succeeds(&bench).await.contains("hunter2"), shown, "{tag}");
        let injected = bench.output_notebook()["cells"][1].clone();
        assert_eq!(injected["metadata"]["tags"], json!(["injected-parameters"]), "{tag}");
        assert!(injected["source"].to_string().contains("hunter2"), "{tag}");
    }
}

#[tokio::test]
async fn a_cell_that_removes_the_runs_folder_does_not_lose_the_run() {
    for after in ["pass", "open(folder, 'w').close()"] {
        // The driver writes there meanwhile.
        let cell = format!(
            "import os, shutil\nfolder = os.readlink(f'/proc/{{os.getppid()}}/cwd')\nwhile True:\n    try:\n        \
             shutil.rmtree(folder)\n        {after}\n        break\n    except OSError: pass"
        );
        let bench = Bench::of_cells(&["print('first')", &cell, "print('last')"]);
        // The log is gone with the folder.
        let mut execution = bench.start();
        assert_eq!(execution.wait().await, Verdict::Succeeded, "{after}");
        assert_eq!(execution.html_error(), None, "{after}");
        assert!(bench.output("output.html").contains("last"), "{after}");
    }
}

/// What the format does not allow would cost the notebook its readers. What can be read in one way only is kept so, as Jupyter shows
/// it; the rest is left out, and the cell says so.
#[tokio::test]
async fn a_message_that_is_no_output_is_kept_as_far_as_it_can_be() {
    let cell = "from ipykernel.kernelapp import IPKernelApp\n\
                kernel = IPKernelApp.instance().kernel\n\
                def send(kind, **content): kernel.send_response(kernel.iopub_socket, kind, content)\n\
                def nested(levels): return [nested(levels - 1)] if levels else 1\n\
                send('display_data', data={'text/plain': 5, 'text/html': None, 'image/png': {'a': 1}}, metadata={})\n\
                send('display_data', data={'text/plain': 'no' + ' metadata'})\n\
                send('error', ename='Odd', evalue=None, traceback='a' + ' text')\n\
                send('execute_result', data={'text/plain': 'counted'}, metadata=[], execution_count='one')\n\
                send('stream', name=None, text=['in ', 'lines\\n'])\n\
                send('display_data', data={'application/x+json': {'kept': 1}, 'text/plain': ['two ', 'parts']}, metadata={})\n\
                send('display_data', data=['a' + ' list'], metadata={})\n\
                send('display_data', data={'text/html': None}, metadata={})\n\
                send('display_data', data={'application/json': nested(400)}, metadata={})\n\
                print('after')";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let outputs = bench.output_notebook()["cells"][0]["outputs"].clone();
    assert_eq!(outputs[0]["data"], json!({"text/plain": ["5"]}));
    assert_eq!((&outputs[1]["data"], &outputs[1]["metadata"]), (&json!({"text/plain": ["no metadata"]}), &json!({})));
    assert_eq!((&outputs[2]["ename"], &outputs[2]["traceback"]), (&json!("Odd"), &json!(["a text"])));
    assert_eq!((&outputs[3]["execution_count"], &outputs[3]["metadata"]), (&Value::Null, &json!({})));
    assert_eq!((&outputs[4]["name"], &outputs[4]["text"]), (&json!("stdout"), &json!(["in lines\n"])));
    assert_eq!(outputs[5]["data"], json!({"application/x+json": {"kept": 1}, "text/plain": ["two ", "parts"]}));
    let note = "[an output that the notebook's format does not hold is left out by Reveille]\n";
    assert_eq!(outputs[6]["text"], json!([note, note, note]));
    assert_eq!((&outputs[7]["text"], outputs.as_array().unwrap().len()), (&json!(["after\n"]), 8), "{outputs}");
    let script = "import nbformat, sys\nnbformat.validate(nbformat.read(sys.argv[1], as_version=4))";
    let file = bench.job.output_dir.join("output.ipynb");
    let valid = std::process::Command::new(python()).args(["-c", script]).arg(file).status().unwrap();
    assert!(valid.success(), "the output notebook is what the format allows");
}

/// An update of a display is no output of its own, and changes one: it is held to the same format.
#[tokio::test]
async fn an_update_of_a_display_is_kept_as_far_as_it_can_be() {
    let cell = "from IPython.display import display\nhandle = display('first', display_id='one')\n\
                display({'text/plain': 7, 'text/html': None}, display_id='one', update=True, raw=True)";
    let bench = Bench::of_cells(&[cell]);
    let html = succeeds(&bench).await;
    assert_eq!(bench.output_notebook()["cells"][0]["outputs"][0]["data"], json!({"text/plain": ["7"]}));
    assert!(html.contains("<pre>7</pre>"), "{html}");
}

/// A cell of a type that nobody knows is shown as text by Jupyter, and so here; the log says that it was not executed.
#[tokio::test]
async fn a_cell_of_an_unknown_type_is_not_executed_and_said_not_to_be() {
    let mut source = notebook(&["print('ran')", "select 1"]);
    source["cells"][1]["cell_type"] = json!("sql\u{1b}[2J");
    let bench = Bench::of(&source);
    assert!(succeeds(&bench).await.contains("select 1"));
    let log = bench.output("log.txt");
    assert!(log.contains("Cell 2 is kept as text and not executed: its type is 'sql'."), "{log}");
}
