//! The driver from inside: changed before it runs a notebook, or looked at while it does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::json;
use support::{Bench, python};

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
