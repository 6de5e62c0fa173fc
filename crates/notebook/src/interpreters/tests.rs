use std::fs;

use super::*;

fn interpreter(version: (u32, u32, u32), implementation: &str, packages: &[(&str, &str)]) -> Interpreter {
    let packages = packages.iter().map(|(name, version)| ((*name).to_owned(), Some((*version).to_owned()))).collect();
    let facts = Facts { version, machine: "x86_64".to_owned(), implementation: implementation.to_owned(), packages };
    Interpreter { python: PathBuf::from("/a/python"), facts }
}

const EQUIPPED: [(&str, &str); 3] = [("papermill", "2.7.0"), ("nbconvert", "7.17.2"), ("ipykernel", "7.3.0")];

#[test]
fn a_python_is_judged_by_its_version_and_by_those_of_its_packages() {
    assert_eq!(interpreter((3, 10, 0), "cpython", &EQUIPPED).good_for(), Use::Engine);
    assert_eq!(interpreter((3, 14, 2), "cpython", &EQUIPPED).good_for(), Use::Engine);

    let Use::Nothing(reason) = interpreter((3, 9, 20), "cpython", &EQUIPPED).good_for() else { panic!() };
    assert_eq!(reason, "/a/python is Python 3.9.20, and 3.10 or newer is needed");
    let Use::Nothing(reason) = interpreter((3, 10, 14), "pypy", &EQUIPPED).good_for() else { panic!() };
    assert!(reason.contains("pypy"), "{reason}");

    for (at, old) in ["2.4.0", "6.5.4", "5.1"].into_iter().enumerate() {
        let mut packages = EQUIPPED;
        packages[at].1 = old;
        let Use::Base(reason) = interpreter((3, 11, 1), "cpython", &packages).good_for() else { panic!("{old}") };
        assert!(
            reason.contains(&format!("{} {old} (", packages[at].0)) && reason.ends_with("is supported)"),
            "{reason}"
        );
    }
    let Use::Base(reason) = interpreter((3, 11, 1), "cpython", &EQUIPPED[1..]).good_for() else { panic!() };
    assert_eq!(reason, "/a/python is Python 3.11.1 and has no papermill");
}

#[test]
fn conda_and_tested_versions_come_first_for_a_new_environment() {
    let root = Path::new("/");
    let at =
        |python: &str, version| Interpreter { python: PathBuf::from(python), ..interpreter(version, "cpython", &[]) };
    let conda = at("/home/ec2-user/anaconda3/envs/python3/bin/python", (3, 10, 14));
    let system = at("/usr/bin/python3", (3, 12, 0));
    let newest = at("/home/ec2-user/anaconda3/bin/python", (3, 14, 0));
    let mut all = [&newest, &system, &conda];
    all.sort_by_key(|interpreter| rank(root, interpreter));
    assert_eq!(
        all.map(|interpreter| &interpreter.python),
        [&conda, &system, &newest].map(|interpreter| &interpreter.python)
    );
}

#[test]
fn every_place_is_looked_at_once() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let touch = |path: &str| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), "").unwrap();
        root.join(path)
    };
    let (system, local) = (touch("usr/bin/python3"), touch("usr/local/bin/python3"));
    let newer = touch("usr/bin/python3.11");
    let conda = touch("home/ec2-user/anaconda3/envs/python3/bin/python");
    let jupyter = touch("home/ec2-user/anaconda3/envs/JupyterSystemEnv/bin/python");
    std::os::unix::fs::symlink(root.join("usr/bin"), root.join("bin")).unwrap();
    let path = env::join_paths(["usr/bin", "bin", "usr/local/bin", "none"].map(|folder| root.join(folder))).unwrap();
    let mut path_with_gaps = path.clone();
    path_with_gaps.push(":.:relative:");
    for path in [path, path_with_gaps] {
        assert_eq!(candidates(&root, &path), [&system, &local, &conda, &jupyter, &newer].map(Clone::clone));
    }
}

#[tokio::test]
async fn a_real_python_answers_and_another_program_does_not() {
    let python = env::split_paths(&env::var_os("PATH").unwrap())
        .map(|folder| folder.join("python3"))
        .find(|python| python.is_file());
    let found = probe(&python.expect("the tests need a python3")).await.unwrap();
    assert!(found.facts.version >= (3, 0, 0) && found.machine() == found.facts.machine, "{found:?}");
    assert!(probe(Path::new("/bin/echo")).await.unwrap_err().contains("did not answer as a Python does"));
    assert!(probe(Path::new("/bin/false")).await.unwrap_err().contains("/bin/false ended with"));
    assert!(probe(Path::new("/no/python")).await.unwrap_err().contains("cannot be started"));
}
