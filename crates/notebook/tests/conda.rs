//! The kernels of conda environments: each is found by a name, and what is broken in one harms no other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use reveille_notebook::Verdict;
use serde_json::{Value, json};
use support::{Bench, IPYKERNEL, kernel, notebook};

/// A notebook for this kernel whose cell leaves its variables.
fn asks_for(name: &str) -> Value {
    let mut source = notebook(&["import json, os\nopen('seen.json', 'w').write(json.dumps(dict(os.environ)))"]);
    source["metadata"]["kernelspec"]["name"] = json!(name);
    source
}

/// The variables of the kernel that ran.
async fn seen(bench: &Bench) -> Value {
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    serde_json::from_slice(&fs::read(bench.job.working_dir.join("seen.json")).unwrap()).unwrap()
}

/// ipykernel under another program's name.
const NOT_IPYKERNEL: [&str; 4] =
    ["-c", "import runpy; runpy.run_module('ipyk' + 'ernel_launcher', run_name='__main__')", "-f", "{connection_file}"];

#[tokio::test]
async fn each_kernel_of_an_environment_has_a_name() {
    for (name, which) in [("conda_two", "python3"), ("xpython", "xpython"), ("aaa", "aaa")] {
        let bench = Bench::of(&asks_for(name));
        for (own, argv) in [("python3", &IPYKERNEL), ("xpython", &NOT_IPYKERNEL), ("aaa", &NOT_IPYKERNEL)] {
            kernel(&bench, "two", own, "python", argv, &json!({"WHICH": own}));
        }
        assert_eq!(seen(&bench).await["WHICH"], which, "{name}");
    }
}

/// Two environments call a kernel `irk` (R's own name, `ir`, may be a kernel of this machine): the one that is named as the language has the name, the other one of its own.
#[tokio::test]
async fn two_environments_kernels_of_one_name_are_both_there() {
    for (name, which) in [("irk", "R"), ("conda_R", "R"), ("conda_my-r", "my-r"), ("conda_my-r_irk", "my-r")] {
        let bench = Bench::of(&asks_for(name));
        for env in ["R", "my-r"] {
            kernel(&bench, env, "irk", "R", &IPYKERNEL, &json!({"WHICH": env}));
        }
        assert_eq!(seen(&bench).await["WHICH"], which, "{name}");
        assert!(bench.output("log.txt").contains("Kernel irk of conda environment my-r is called conda_my-r_irk"));
    }
}

#[tokio::test]
async fn what_is_broken_in_one_environment_harms_no_other() {
    let bench = Bench::of(&asks_for("conda_good"));
    kernel(&bench, "good", "python3", "python", &IPYKERNEL, &json!({"OMP_NUM_THREADS": 4, "A=B": "x", "NULL": null}));
    let broken = [
        ("list", r#"{"argv": ["python"], "language": "python", "env": ["A=1"]}"#),
        ("text", r#"{"argv": "python", "language": "python"}"#),
        ("none", r#"{"language": "python"}"#),
        ("empty", r#"{"argv": [], "language": "python"}"#),
        ("array", "[]"),
        ("json", "{"),
        ("bytes", "\u{0}"),
    ];
    for (env, text) in broken {
        let folder = kernel(&bench, env, "python3", "python", &IPYKERNEL, &json!({}));
        fs::write(folder.join("share/jupyter/kernels/python3/kernel.json"), text).unwrap();
    }
    let file = |env: &str| {
        let file = kernel(&bench, env, "python3", "python", &IPYKERNEL, &json!({}));
        let file = file.join("share/jupyter/kernels/python3/kernel.json");
        fs::remove_file(&file).unwrap();
        file
    };
    symlink("/nowhere", file("dangling")).unwrap();
    // Who reads it waits for ever.
    assert!(Command::new("mkfifo").arg(file("fifo")).status().unwrap().success());
    let variables = seen(&bench).await;
    assert_eq!((&variables["OMP_NUM_THREADS"], &variables["NULL"]), (&json!("4"), &Value::Null));
    let log = bench.output("log.txt");
    for env in broken.map(|(env, _)| env).into_iter().chain(["fifo"]) {
        assert!(
            log.lines().any(|line| line.contains(&format!("envs/{env}/")) && line.contains("is left out")),
            "{env}"
        );
    }
    assert!(log.contains("no process can have the variable 'A=B'"), "{log}");
}

/// A kernel that Jupyter lists and nobody can start.
#[tokio::test]
async fn a_kernel_without_a_command_says_so() {
    let bench = Bench::of(&asks_for("hollow"));
    let folder = kernel(&bench, "other", "hollow", "python", &[], &json!({}));
    let file = folder.join("share/jupyter/kernels/hollow/kernel.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    spec["argv"] = json!(["/bin/sh", "a\0b"]);
    fs::write(&file, spec.to_string()).unwrap();
    let Verdict::KernelDied { message, cell_index: None, .. } = bench.run().await else { panic!("it ran") };
    assert!(message.contains("the specification of kernel hollow has no command"), "{message}");
}

/// Kernels that Jupyter lists without us. What stands in a specification may be nobody's business.
#[tokio::test]
async fn a_specification_that_cannot_be_read_says_so() {
    for (text, why) in [
        (r#"{"argv": ["a"], "display_name": "x", "env": ["TOKEN=hunter2"]}"#, "cannot be used (TraitError)"),
        ("{", "cannot be used (JSONDecodeError: "),
        (r#"{"display_name": "x"}"#, "has no command (argv)"),
        ("[]", "cannot be used (TypeError)"),
        (
            r#"{"argv": ["a"], "display_name": "x", "metadata": {"kernel_provisioner": {"provisioner_name": "nosuch"}}}"#,
            "needs a kernel provisioner",
        ),
    ] {
        let bench = Bench::of(&asks_for("hollow"));
        let folder = kernel(&bench, "JupyterSystemEnv", "hollow", "python", &IPYKERNEL, &json!({}));
        fs::write(folder.join("share/jupyter/kernels/hollow/kernel.json"), text).unwrap();
        let Verdict::KernelDied { message, cell_index: None, .. } = bench.run().await else { panic!("{text}: it ran") };
        assert!(message.contains("kernel hollow") && message.contains(why), "{text}: {message}");
        assert!(!message.contains("hunter2") && !bench.output("log.txt").contains("hunter2"), "{message}");
    }
}

/// A notebook that names no kernel, and a language that only one kernel has.
#[tokio::test]
async fn a_notebook_without_a_kernel_gets_that_of_its_language() {
    let mut source = asks_for("any");
    source["metadata"] = json!({"language_info": {"name": "Klingon"}});
    let bench = Bench::of(&source);
    kernel(&bench, "other", "tlh", "klingon", &IPYKERNEL, &json!({"WHICH": "tlh"}));
    assert_eq!(seen(&bench).await["WHICH"], "tlh");
    let bench = Bench::of(&source);
    let Verdict::KernelNotFound { wanted, .. } = bench.run().await else { panic!("python3 executed Klingon") };
    assert_eq!(wanted, "Klingon");
}

fn activated(bench: &Bench, scripts: &[(&str, &str)], state: &str) {
    let env = kernel(bench, "a geo", "python3", "python", &IPYKERNEL, &json!({}));
    for folder in ["etc/conda/activate.d", "conda-meta"] {
        fs::create_dir_all(env.join(folder)).unwrap();
    }
    for (name, text) in scripts {
        fs::write(env.join("etc/conda/activate.d").join(name), text).unwrap();
    }
    fs::write(env.join("conda-meta/state"), state).unwrap();
}

#[tokio::test]
async fn an_environment_with_a_space_is_activated() {
    let bench = Bench::of(&asks_for("conda_a geo"));
    activated(
        &bench,
        &[("a b.sh", "export FOUND=\"$CONDA_PREFIX\"")],
        r#"{"env_vars": {"A=B": "x", "N\u0000": "y", "OK": "z"}}"#,
    );
    let variables = seen(&bench).await;
    assert!(Path::new(variables["FOUND"].as_str().unwrap()).ends_with("envs/a geo"), "{}", variables["FOUND"]);
    assert_eq!(variables["OK"], "z");
}

#[tokio::test]
async fn what_an_activation_cannot_do_is_told_and_the_kernel_runs() {
    for state in ["{", "[]", r#"{"env_vars": ["A"]}"#, r#"{"env_vars": null}"#, "\u{0}"] {
        let bench = Bench::of(&asks_for("conda_a geo"));
        activated(&bench, &[("a.sh", "exit 3")], state);
        assert!(seen(&bench).await["CONDA_PREFIX"].is_string());
        let said = "conda environment a geo: its script a.sh ended the shell (status 3)";
        assert!(bench.output("log.txt").contains(said), "{state}: {}", bench.output("log.txt"));
    }
}

/// One script that ends the shell (`exit`, a failure under `set -e`) takes nothing along that it or the others set; and what a script
/// takes away is gone, as `conda activate` has it.
#[tokio::test]
async fn what_one_script_of_an_activation_does_is_its_own() {
    for end in ["exit 3", "set -e\nfalse", "set -u\necho \"$NO_SUCH_VARIABLE\"", "exec true"] {
        let bench = Bench::of(&asks_for("conda_a geo"));
        let ends = format!("export BEFORE=1\n{end}\nexport AFTER=1");
        let scripts = [
            ("a.sh", "export FIRST=1\nunset STATED\nfalse"),
            ("b.sh", ends.as_str()),
            ("c.sh", "echo BEFORE=printed\nexport LAST=\"$FIRST\""),
        ];
        activated(&bench, &scripts, r#"{"env_vars": {"STATED": "x", "KEPT": "y", "EMPTY": null}}"#);
        let variables = seen(&bench).await;
        assert_eq!(
            (&variables["FIRST"], &variables["LAST"], &variables["KEPT"]),
            (&json!("1"), &json!("1"), &json!("y")),
            "{end}"
        );
        assert!(variables["AFTER"].is_null() && variables["STATED"].is_null() && variables["EMPTY"].is_null(), "{end}");
        if end != "exec true" {
            assert_eq!(variables["BEFORE"], "1", "{end}");
        }
        assert!(!variables.to_string().contains("REVEILLE_SCRIPT") && variables["REVEILLE_RUN"].is_string(), "{end}");
        let log = bench.output("log.txt");
        assert_eq!(log.matches(" ended the shell (status ").count(), 1, "{end}: {log}");
        assert!(log.contains("its script b.sh ended"), "{end}: {log}");
    }
}
