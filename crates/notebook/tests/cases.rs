//! Notebooks as people write them: each ends as its author meant, and keeps what it printed as Jupyter would show it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;

use reveille_notebook::{CellFailure, Verdict};
use serde_json::{Value, json};
use support::{Bench, code_cell, notebook, python};

fn bench(source: &Value) -> Bench {
    Bench::of_bytes(source.to_string().as_bytes())
}

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

/// A kernel of a conda environment: in the folder where an instance has them, started by a script of its own.
fn kernel(bench: &Bench, env: &str, language: &str, argv: &[&str], variables: &Value) -> std::path::PathBuf {
    let env = bench.folder.path().join("home/ec2-user/anaconda3/envs").join(env);
    let spec = env.join("share/jupyter/kernels/special");
    fs::create_dir_all(&spec).unwrap();
    let real = fs::canonicalize(python().parent().unwrap()).unwrap().join("python");
    let argv: Vec<&str> = [real.to_str().unwrap()].into_iter().chain(argv.iter().copied()).collect();
    let content = json!({"argv": argv, "display_name": "Special", "language": language, "env": variables});
    fs::write(spec.join("kernel.json"), content.to_string()).unwrap();
    env
}

const IPYKERNEL: [&str; 4] = ["-m", "ipykernel_launcher", "-f", "{connection_file}"];

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
    let Verdict::KernelDied { cell_index, message, killed } = bench.run().await else { panic!("it did not die") };
    assert_eq!((cell_index, killed), (Some(0), false));
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
    let html = succeeds(&bench(&source)).await;
    for shown in ["expected", "ZeroDivisionError", "last"] {
        assert!(html.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn a_cell_tagged_skip_execution_is_skipped() {
    let mut source = notebook(&["", "print('af' + 'ter')"]);
    source["cells"][0] = tagged("raise ValueError", &json!(["skip-execution"]));
    let bench = bench(&source);
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
        let mut bench = bench(&source);
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
    let html = succeeds(&bench(&source)).await;
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
    let html = succeeds(&bench(&source)).await;
    assert_eq!(html.matches("beside").count(), 3, "{html}");
    assert!(html.contains("last") && html.contains("this output cannot be shown on the page"));
}

#[tokio::test]
async fn a_page_is_whole_in_itself() {
    let mut source = notebook(&["print('ran')"]);
    source["cells"].as_array_mut().unwrap().push(json!({"cell_type": "markdown", "metadata": {}, "source": "$x^2$"}));
    let html = succeeds(&bench(&source)).await;
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
    let html = succeeds(&bench(&source)).await;
    for gone in ["hidden_input", "hidden output", "hidden_cell"] {
        assert!(!html.contains(gone), "{gone}");
    }
    assert!(html.contains("shown output") && html.contains("visible"));
}

#[tokio::test]
async fn a_value_that_the_language_lacks_is_refused_by_name() {
    let cases = [("bash", json!({"k": 1}), "object"), ("C#", Value::Null, "null"), ("klingon", json!(1), "klingon")];
    for (language, value, word) in cases {
        let mut bench = Bench::of_cells(&["1"]);
        kernel(&bench, "other", language, &IPYKERNEL, &json!({}));
        bench.job.kernel = Some("special".to_owned());
        bench.job.parameters.insert("mine".to_owned(), value);
        let Verdict::ParametersRefused { reason } = bench.run().await else { panic!("{language}") };
        assert!(reason.contains("kernel special") && reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn the_notebooks_own_language_counts_first() {
    let mut source = notebook(&["assert x is None"]);
    source["metadata"] =
        json!({"kernelspec": {"name": "special", "display_name": "S"}, "language_info": {"name": "ipython"}});
    let mut bench = bench(&source);
    kernel(&bench, "other", "no language at all", &IPYKERNEL, &json!({}));
    bench.job.parameters.insert("x".to_owned(), Value::Null);
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

#[tokio::test]
async fn a_kernel_of_python_that_is_not_ipykernel_gets_ports() {
    let mut source = notebook(&["print('ran', x)"]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_other");
    let mut bench = bench(&source);
    let program = bench.folder.path().join("other_python_kernel.py");
    let text = "import json, runpy, sys\n\
                assert json.load(open(sys.argv[-1]))['transport'] == 'tcp', 'this kernel knows no sockets'\n\
                sys.argv = ['kernel', '-f', sys.argv[-1]]\n\
                runpy.run_module('ipykernel_launcher', run_name='__main__')";
    fs::write(&program, text).unwrap();
    kernel(&bench, "other", "python", &[program.to_str().unwrap(), "-f", "{connection_file}"], &json!({}));
    bench.job.parameters.insert("x".to_owned(), json!(1));
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert!(!bench.output("log.txt").contains("try 1"), "at the first try");
}

#[tokio::test]
async fn a_conda_environment_is_activated() {
    let cell = "import json, os\nopen('seen.json', 'w').write(json.dumps(dict(os.environ)))";
    let mut source = notebook(&[cell]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_geo");
    let bench = bench(&source);
    let env = kernel(&bench, "geo", "python", &IPYKERNEL, &json!({"OWN": "${HOME}/x"}));
    let scripts = env.join("etc/conda/activate.d");
    fs::create_dir_all(&scripts).unwrap();
    fs::write(scripts.join("a.sh"), "export PROJ_LIB=\"$CONDA_PREFIX/share/proj\"\necho noise").unwrap();
    fs::write(scripts.join("b.sh"), "export LINES_OF=$'two\\nlines'").unwrap();
    let packages = env.join("etc/conda/env_vars.d");
    fs::create_dir_all(&packages).unwrap();
    fs::write(packages.join("gdal.json"), r#"{"GDAL_DATA": "share/gdal", "MODEL_STAGE": "test"}"#).unwrap();
    fs::create_dir_all(env.join("conda-meta")).unwrap();
    fs::write(env.join("conda-meta/state"), r#"{"env_vars": {"MODEL_STAGE": "prod", "GONE": "***unset***"}}"#).unwrap();
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let seen: Value = serde_json::from_slice(&fs::read(bench.job.working_dir.join("seen.json")).unwrap()).unwrap();
    let prefix = env.to_str().unwrap();
    assert_eq!(seen["CONDA_PREFIX"], prefix);
    assert_eq!(seen["CONDA_DEFAULT_ENV"], "geo");
    assert_eq!(seen["PROJ_LIB"], format!("{prefix}/share/proj"));
    assert_eq!((&seen["MODEL_STAGE"], &seen["GDAL_DATA"]), (&json!("prod"), &json!("share/gdal")));
    assert_eq!(seen["GONE"], Value::Null, "it was taken away");
    assert_eq!(seen["LINES_OF"], "two\nlines");
    assert!(!seen["OWN"].as_str().unwrap().contains("${"), "{}", seen["OWN"]);
    assert!(seen["PATH"].as_str().unwrap().starts_with(&format!("{prefix}/bin:")));
}

#[tokio::test]
async fn sparkmagics_errors_are_made_fatal_without_touching_a_persons_file() {
    let cell = "import json, os\n\
                folder, file = os.environ['SPARKMAGIC_CONF_DIR'], os.environ['SPARKMAGIC_CONF_FILE']\n\
                open('seen.json', 'w').write(open(os.path.join(folder, file)).read())";
    let mut source = notebook(&[cell]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_spark");
    let bench = bench(&source);
    let own = bench.folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let text = r#"{"session_configs": {"driverMemory": "1000M"}, "all_errors_are_fatal": false}"#;
    fs::write(own.join("config.json"), text).unwrap();
    let program = bench.folder.path().join("sparkmagic/kernel.py");
    fs::create_dir(program.parent().unwrap()).unwrap();
    fs::write(&program, "import runpy\nrunpy.run_module('ipykernel_launcher', run_name='__main__')").unwrap();
    let argv = [program.to_str().unwrap(), "-f", "{connection_file}"];
    kernel(&bench, "spark", "python", &argv, &json!({"SPARKMAGIC_CONF_DIR": own}));
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let seen: Value = serde_json::from_slice(&fs::read(bench.job.working_dir.join("seen.json")).unwrap()).unwrap();
    assert_eq!(
        (&seen["all_errors_are_fatal"], &seen["spark_statement_errors_are_fatal"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(seen["session_configs"]["driverMemory"], "1000M");
    assert_eq!(fs::read_to_string(own.join("config.json")).unwrap(), text);
}

#[tokio::test]
async fn a_cell_that_removes_the_runs_folder_does_not_lose_the_run() {
    let cell = "import os, shutil\nshutil.rmtree(os.readlink(f'/proc/{os.getppid()}/cwd'))";
    let bench = Bench::of_cells(&["print('first')", cell, "print('last')"]);
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded);
    assert_eq!(execution.html_error(), None);
    assert!(bench.output("output.html").contains("last"));
}

/// What the format does not allow would cost the notebook its readers: it is left out, and the rest is kept.
#[tokio::test]
async fn a_message_that_is_no_output_is_left_out() {
    let cell = "from ipykernel.kernelapp import IPKernelApp\n\
                kernel = IPKernelApp.instance().kernel\n\
                def send(kind, **content): kernel.send_response(kernel.iopub_socket, kind, content)\n\
                send('display_data', data={'text/plain': 5}, metadata={})\n\
                send('display_data', data={'text/plain': 'no' + ' metadata'})\n\
                send('display_data', data=['a' + ' list'], metadata={})\n\
                send('error', ename='Odd', evalue='odd', traceback='a' + ' text')\n\
                send('display_data', data={'application/x+json': {'kept': 1}, 'text/plain': ['two ', 'parts']}, metadata={})\n\
                print('after')";
    let bench = Bench::of_cells(&[cell]);
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let outputs = bench.output_notebook()["cells"][0]["outputs"].clone();
    assert_eq!(outputs[0]["data"], json!({"application/x+json": {"kept": 1}, "text/plain": ["two ", "parts"]}));
    assert_eq!((&outputs[1]["text"], outputs.as_array().unwrap().len()), (&json!(["after\n"]), 2), "{outputs}");
    let script = "import nbformat, sys\nnbformat.validate(nbformat.read(sys.argv[1], as_version=4))";
    let file = bench.job.output_dir.join("output.ipynb");
    let valid = std::process::Command::new(python()).args(["-c", script]).arg(file).status().unwrap();
    assert!(valid.success(), "the output notebook is what the format allows");
}

/// A script that changes the driver before it runs the bench's notebook; what it wrote for people.
fn changed_driver(bench: &Bench, script: &str) -> String {
    let out = &bench.job.output_dir;
    let spec = json!({
        "mode": "execute", "unfinished": null, "exit_seconds": 600, "interrupt_seconds": 1, "grace_seconds": 1,
        "notebook": bench.job.notebook, "output_dir": out, "working_dir": bench.job.working_dir,
        "kernel_folder": bench.folder.path().join("kernel"),
        "parameters": {"x": 1}, "kernel": null, "conda_envs": "", "sanitize_html": false,
        "max_notebook_bytes": 1 << 20, "max_output_bytes": 1 << 20, "export_seconds": 60,
    });
    fs::write(out.join("spec.json"), spec.to_string()).unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver");
    let done = std::process::Command::new(python())
        .args(["-B", "-I", "-X", "utf8", "-c", script])
        .arg(driver)
        .arg(out.join("spec.json"))
        .env("JUPYTER_RUNTIME_DIR", out.join("runtime"))
        .current_dir(out)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    told
}

/// ZeroMQ throws away what finds no room on its way: the end of the output, and the word that the cell has ended.
#[tokio::test]
async fn nothing_that_a_kernel_sends_is_lost_while_the_driver_is_busy() {
    let cell = "import time\nfor i in range(5000):\n    print(f'\\r{i}', end='', flush=True)\n    time.sleep(0.001)\n\
                open('../out {x}/sent', 'w')\nprint(' all')";
    let bench = Bench::of_cells(&[cell]);
    let script = "import os, sys, time\n\
        sys.path.insert(0, sys.argv.pop(1))\n\
        from reveille_driver import main, run\n\
        start = run.Run.start_once\n\
        async def started(self, sockets):\n    await start(self, sockets)\n    take = self.client.take\n    \
        def slow(message, cell, index):\n        \
        while 'sent' in cell['source'] and not os.path.exists('sent'): time.sleep(0.1)\n        \
        take(message, cell, index)\n    self.client.take = slow\n\
        run.Run.start_once = started\n\
        main.main()";
    let told = changed_driver(&bench, script);
    assert!(!told.contains("did not end within"), "{told}");
    assert_eq!(bench.output_notebook()["cells"][1]["outputs"][0]["text"], json!(["4999 all\n"]));
}

/// The page and the notebook's file are written in pieces. They are what nbconvert and nbformat make of the whole.
#[tokio::test]
async fn what_is_written_in_pieces_is_what_was_made_whole() {
    let bench = Bench::of_cells(&[
        "print('a < b & \\'c\\' \"d\"\\n' * 20_000)",
        "print('\\x1b[31mred\\x1b[0m plain <i> \\x1b[1;32mbold\\n' * 50 + '\\x1b[m')",
        "print('\\x0b\\x1c\\u2028 \\r\\n' + 'x' * 3_000_000)\n{'a': '<b>'}",
    ]);
    let script = "import json, sys\n\
        sys.path.insert(0, sys.argv.pop(1))\n\
        from reveille_driver import main\n\
        main.main()\n\
        import nbformat\n\
        from reveille_driver import export\n\
        text = open('output.ipynb', encoding='utf-8').read()\n\
        parsed = json.loads(text)\n\
        expected = json.dumps(parsed, ensure_ascii=False, indent=1, sort_keys=True, separators=(',', ': ')) + chr(10)\n\
        assert text == expected, 'the layout of the notebook'\n\
        whole = export.exporter(False).from_notebook_node(nbformat.reads(text, 4), resources={'metadata': {'name': 'some {y} notebook'}})[0]\n\
        page = open('output.html', encoding='utf-8').read()\n\
        assert 'bold' in page and 'reveille-' not in page\n\
        plain = lambda html: export.re.sub('</?span[^>]*>', '', html)\n\
        assert plain(page) == plain(whole), 'the page'";
    changed_driver(&bench, script);
}

/// What is loaded before the first cell delays every run: nothing is added here without need.
#[tokio::test]
async fn little_is_loaded_before_the_first_cell() {
    let bench = Bench::of_cells(&["print('some output')\n1"]);
    let script = "import json, sys\n\
        sys.path.insert(0, sys.argv.pop(1))\n\
        from reveille_driver import main, run\n\
        main.Preparing.run = lambda self: None\n\
        cells = run.Run.run_cells\n\
        async def seen(self):\n    names = {name.split('.')[0] for name, module in sys.modules.items() if module is not None}\n    \
        open(self.output_dir / 'loaded.json', 'w').write(json.dumps(sorted(names - sys.stdlib_module_names)))\n    await cells(self)\n\
        run.Run.run_cells = seen\n\
        main.main()\n\
        from nbformat import validator\n\
        assert not validator.validators, 'a compiled schema takes more memory than a small notebook'\n\
        assert not {'IPython.core', 'ipython_pygments_lexers'} <= set(sys.modules), 'lexers do not need all of IPython'";
    changed_driver(&bench, script);
    let loaded: Vec<String> = serde_json::from_str(&bench.output("loaded.json")).unwrap();
    let allowed = [
        "__main__",
        "attr",
        "attrs",
        "backports",
        "colorama",
        "cython_runtime",
        "dateutil",
        "fastjsonschema",
        "idna",
        "ipykernel",
        "jsonpointer",
        "jsonschema",
        "jsonschema_specifications",
        "jupyter_client",
        "jupyter_core",
        "nbclient",
        "nbformat",
        "papermill",
        "platformdirs",
        "pygments",
        "referencing",
        "reveille_driver",
        "rpds",
        "six",
        "tornado",
        "traitlets",
        "typing_extensions",
        "zmq",
    ];
    let unexpected: Vec<&String> =
        loaded.iter().filter(|name| !name.starts_with('_') && !allowed.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} of {loaded:?}");
}
