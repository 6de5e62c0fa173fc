//! The real sparkmagic, which comes with instances: a statement that Spark refuses fails its cell, and so the notebook.
//!
//! Only where `REVEILLE_TEST_SPARKMAGIC` names a Python that has sparkmagic: it needs an environment of its own, and Kerberos
//! or a way round it (docs/testing.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reveille_notebook::Verdict;
use serde_json::json;
use support::{Bench, notebook, python};

/// A Livy server that ends with the test.
struct Livy(Child);

impl Livy {
    fn start() -> (Self, u16) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/livy.py");
        let mut child = Command::new(python()).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line.trim().parse().unwrap())
    }
}

impl Drop for Livy {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// A notebook of these cells for the kernel PySpark, whose person's own configuration asks for the opposite.
fn pyspark(sparkmagic: &str, port: u16, cells: &[&str]) -> Bench {
    let mut source = notebook(cells);
    source["metadata"]["kernelspec"]["name"] = json!("pysparkkernel");
    let bench = Bench::of_bytes(source.to_string().as_bytes());
    let home = bench.folder.path().join("home");
    fs::create_dir_all(home.join(".sparkmagic")).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let config = json!({
        "kernel_python_credentials": {"username": "", "password": "", "url": url, "auth": "None"},
        "all_errors_are_fatal": false, "spark_statement_errors_are_fatal": false,
    });
    fs::write(home.join(".sparkmagic/config.json"), config.to_string()).unwrap();
    let spec = bench.folder.path().join("home/ec2-user/anaconda3/envs/spark/share/jupyter/kernels/pysparkkernel");
    fs::create_dir_all(&spec).unwrap();
    let argv = [sparkmagic, "-m", "sparkmagic.kernels.pysparkkernel.pysparkkernel", "-f", "{connection_file}"];
    let spec_json = json!({"argv": argv, "display_name": "PySpark", "language": "python3", "env": {"HOME": home}});
    fs::write(spec.join("kernel.json"), spec_json.to_string()).unwrap();
    bench
}

#[tokio::test]
async fn a_statement_that_spark_refuses_fails_the_notebook() {
    let Ok(sparkmagic) = std::env::var("REVEILLE_TEST_SPARKMAGIC") else {
        eprintln!("skipped: REVEILLE_TEST_SPARKMAGIC names no Python with sparkmagic");
        return;
    };
    let (_livy, port) = Livy::start();
    let bench = pyspark(&sparkmagic, port, &["x = 1"]);
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert!(bench.output("output.ipynb").contains("Spark ran"), "{}", bench.output("output.ipynb"));

    let bench = pyspark(&sparkmagic, port, &["x = 1", "boom", "y = 2"]);
    let Verdict::NotebookFailed(failure) = bench.run().await else { panic!("{}", bench.output("log.txt")) };
    assert_eq!(failure.cell_index, Some(1), "{failure:?}");
    assert!(bench.output("output.ipynb").contains("no such table"), "{failure:?}");

    // Nobody listens there: no session, and a cell that cannot run fails.
    let bench = pyspark(&sparkmagic, 9, &["x = 1", "y = 2"]);
    let Verdict::NotebookFailed(failure) = bench.run().await else { panic!("{}", bench.output("log.txt")) };
    assert_eq!(failure.cell_index, Some(0), "{failure:?}");
}

/// The magics in a Python kernel, which has no sparkmagic in its command.
#[tokio::test]
async fn a_statement_that_spark_refuses_fails_a_python_notebook() {
    let Ok(sparkmagic) = std::env::var("REVEILLE_TEST_SPARKMAGIC") else {
        eprintln!("skipped: REVEILLE_TEST_SPARKMAGIC names no Python with sparkmagic");
        return;
    };
    let (_livy, port) = Livy::start();
    let load = format!("%load_ext sparkmagic.magics\n%spark add -s one -l python -u http://127.0.0.1:{port} -t None");
    for (statement, failed) in [("x = 1", None), ("boom", Some(1))] {
        let mut source = notebook(&[&load, &format!("%%spark\n{statement}"), "print('the end')"]);
        source["metadata"]["kernelspec"]["name"] = json!("conda_spark");
        let bench = Bench::of(&source);
        let home = bench.folder.path().join("home");
        let spec = bench.folder.path().join("home/ec2-user/anaconda3/envs/spark/share/jupyter/kernels/python3");
        fs::create_dir_all(&spec).unwrap();
        let argv = [&sparkmagic, "-m", "ipykernel_launcher", "-f", "{connection_file}"];
        let content = json!({"argv": argv, "display_name": "Python", "language": "python", "env": {"HOME": home}});
        fs::write(spec.join("kernel.json"), content.to_string()).unwrap();
        match (bench.run().await, failed) {
            (Verdict::Succeeded, None) => {}
            (Verdict::NotebookFailed(failure), Some(cell)) => assert_eq!(failure.cell_index, Some(cell), "{failure:?}"),
            (other, _) => panic!("{statement}: {other:?}: {}", bench.output("log.txt")),
        }
    }
}
