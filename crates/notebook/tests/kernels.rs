//! Which kernel runs a notebook, in which environment, and what can be passed to it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::Verdict;
use serde_json::{Value, json};
use support::{Bench, IPYKERNEL, KERNEL_WITHOUT_SOCKETS, kernel, notebook};

#[tokio::test]
async fn a_value_that_the_language_lacks_is_refused_by_name() {
    // Of all that the value holds, what is lacking is named.
    let cases = [
        ("bash", json!({"k": ["a", 1]}), "an object"),
        ("C#", Value::Null, "holds, null"),
        ("C#", json!([1, "a", null]), "holds, null"),
        ("klingon", json!(1), "klingon"),
    ];
    for (language, value, word) in cases {
        let mut bench = Bench::of_cells(&["1"]);
        kernel(&bench, "other", "special", language, &IPYKERNEL, &json!({}));
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
    let mut bench = Bench::of(&source);
    kernel(&bench, "other", "special", "no language at all", &IPYKERNEL, &json!({}));
    bench.job.parameters.insert("x".to_owned(), Value::Null);
    assert_eq!(bench.run().await, Verdict::Succeeded);
}

#[tokio::test]
async fn a_kernel_of_python_that_is_not_ipykernel_gets_ports() {
    let mut source = notebook(&["print('ran', x)"]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_other");
    let mut bench = Bench::of(&source);
    let program = bench.folder.path().join("other_python_kernel.py");
    fs::write(&program, KERNEL_WITHOUT_SOCKETS).unwrap();
    kernel(&bench, "other", "special", "python", &[program.to_str().unwrap(), "-f", "{connection_file}"], &json!({}));
    bench.job.parameters.insert("x".to_owned(), json!(1));
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert!(!bench.output("log.txt").contains("try 1"), "at the first try");
}

/// A kernel as xeus-python, which runs cells with IPython and says that all is well where IPython only printed the error.
const SAYS_OK: &str = "from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
class Kernel(IPythonKernel):
    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **named):
        reply = await super().do_execute(code, silent, store_history, user_expressions, allow_stdin, **named)
        if reply['status'] == 'error' and 'shown' not in code:
            answers = self.shell.user_expressions(user_expressions or {})
            reply = {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': answers}
        return reply
IPKernelApp.launch_instance(kernel_class=Kernel)";

/// docs/output.md: "An error that the kernel reports without showing it in the cell"
#[tokio::test]
async fn a_kernel_that_says_all_is_well_after_an_error_is_asked_again() {
    for (cell, name, text) in [
        ("%nosuchmagic 1", "UsageError", "nosuchmagic"),
        ("class Odd(Exception): pass\nraise Odd('seen by nobody')", "Odd", "seen by nobody"),
        ("raise ValueError('shown')", "ValueError", "shown"),
    ] {
        let mut source = notebook(&["print('first')", cell, "open('reached', 'w')"]);
        source["metadata"]["kernelspec"]["name"] = json!("xpython");
        let bench = Bench::of(&source);
        let program = bench.folder.path().join("xpython_like.py");
        fs::write(&program, SAYS_OK).unwrap();
        kernel(
            &bench,
            "other",
            "xpython",
            "python",
            &[program.to_str().unwrap(), "-f", "{connection_file}"],
            &json!({}),
        );
        let Verdict::NotebookFailed(failure) = bench.run().await else { panic!("{cell}") };
        assert_eq!((failure.cell_index, failure.ename.as_str()), (Some(1), name), "{failure:?}");
        assert!(failure.evalue.contains(text), "{failure:?}");
        assert!(!bench.job.working_dir.join("reached").exists(), "{cell}");
        source["cells"][1]["metadata"] = json!({"tags": ["raises-exception"]});
        let expected = Bench::of(&source);
        kernel(
            &expected,
            "other",
            "xpython",
            "python",
            &[program.to_str().unwrap(), "-f", "{connection_file}"],
            &json!({}),
        );
        assert_eq!(expected.run().await, Verdict::Succeeded, "{cell}");
    }
}

#[tokio::test]
async fn a_conda_environment_is_activated() {
    let cell = "import json, os\nopen('seen.json', 'w').write(json.dumps(dict(os.environ)))";
    let mut source = notebook(&[cell]);
    source["metadata"]["kernelspec"]["name"] = json!("conda_geo");
    let bench = Bench::of(&source);
    let env = kernel(&bench, "geo", "special", "python", &IPYKERNEL, &json!({"OWN": "${HOME}/x"}));
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
    let bench = Bench::of(&source);
    let own = bench.folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let text = r#"{"session_configs": {"driverMemory": "1000M"}, "all_errors_are_fatal": false}"#;
    fs::write(own.join("config.json"), text).unwrap();
    let program = bench.folder.path().join("sparkmagic/kernel.py");
    fs::create_dir(program.parent().unwrap()).unwrap();
    fs::write(&program, "import runpy\nrunpy.run_module('ipykernel_launcher', run_name='__main__')").unwrap();
    let argv = [program.to_str().unwrap(), "-f", "{connection_file}"];
    kernel(&bench, "spark", "special", "python", &argv, &json!({"SPARKMAGIC_CONF_DIR": own}));
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let seen: Value = serde_json::from_slice(&fs::read(bench.job.working_dir.join("seen.json")).unwrap()).unwrap();
    assert_eq!(
        (&seen["all_errors_are_fatal"], &seen["spark_statement_errors_are_fatal"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(seen["session_configs"]["driverMemory"], "1000M");
    assert_eq!(fs::read_to_string(own.join("config.json")).unwrap(), text);
}

/// `%load_ext sparkmagic.magics` in a Python kernel: the same configuration, unless a cell writes one of its own.
#[tokio::test]
async fn a_python_notebook_that_uses_sparkmagic_has_the_same_configuration() {
    let shows = "import json, os\nfolder, file = (os.environ.get('SPARK' 'MAGIC_CONF_' + x, 'config.json') for x in ('DIR', 'FILE'))\n\
                 open('seen.json', 'w').write(open(os.path.join(folder, file)).read())";
    let uses = [
        ("# %load_ext sparkmagic.magics", true),
        ("'get_ipython().run_line_magic(\"load_ext\", \"sparkmagic\")'", true),
        ("\"\"\"\n%%spark\n\"\"\"", true),
        ("'%load_ext sparkmagic.magics'; home = '~/.sparkmagic/config.json'", false),
        ("'the spark magic'", false),
    ];
    for (cell, fatal) in uses {
        let mut source = notebook(&[cell, shows]);
        source["metadata"]["kernelspec"]["name"] = json!("conda_spark");
        let bench = Bench::of(&source);
        let own = bench.folder.path().join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("config.json"), r#"{"session_configs": {"driverMemory": "1000M"}}"#).unwrap();
        kernel(&bench, "spark", "python3", "python", &IPYKERNEL, &json!({"SPARKMAGIC_CONF_DIR": own}));
        assert_eq!(bench.run().await, Verdict::Succeeded, "{cell}: {}", bench.output("log.txt"));
        let seen: Value = serde_json::from_slice(&fs::read(bench.job.working_dir.join("seen.json")).unwrap()).unwrap();
        assert_eq!(seen["all_errors_are_fatal"] == true, fatal, "{cell}");
        assert_eq!(seen["session_configs"]["driverMemory"], "1000M", "{cell}");
        let told = bench.output("log.txt").contains("A cell chooses sparkmagic's configuration");
        assert_eq!(told, cell.contains(".sparkmagic"), "{cell}");
    }
}
