use std::cell::RefCell;
use std::fs;

use super::*;

const CONDA: &str = "home/ec2-user/anaconda3/envs/python3/bin/python";
const HOME: &str = "home/ec2-user/SageMaker/.reveille";

/// A Python that a test makes of a shell script: it answers the probe, makes "environments" that hold itself, "installs" into
/// them, and writes down what it was called with.
struct Python {
    version: &'static str,
    /// Its papermill.
    papermill: Option<&'static str>,
    /// What venv and pip do first.
    venv: &'static str,
    pip: &'static str,
}

impl Default for Python {
    fn default() -> Self {
        Self { version: "3, 10, 14", papermill: None, venv: "", pip: "" }
    }
}

struct Machine {
    root: tempfile::TempDir,
    archive: Option<&'static [u8]>,
    /// The version that it is for; all have one otherwise.
    archive_for: &'static str,
    log: RefCell<Vec<String>>,
}

impl Supplies for Machine {
    fn place(&self, name: &str) -> String {
        format!("s3://runs/artifacts/{name}")
    }

    async fn fetch(&self, name: &str, to: &Path, _max_bytes: u64) -> Result<bool, String> {
        self.archive
            .filter(|_| name.contains(self.archive_for))
            .map_or(Ok(false), |content| fs::write(to, content).map(|()| true).map_err(|error| error.to_string()))
    }

    fn log(&self, line: &str) {
        self.log.borrow_mut().push(line.to_owned());
    }
}

impl Machine {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), archive: None, archive_for: "", log: RefCell::default() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn put(&self, place: &str, python: &Python) -> PathBuf {
        let answer = |papermill: &str| {
            format!(
                r#"echo '{{"version": [{}], "machine": "x86_64", "implementation": "cpython", "packages": {papermill}}}'"#,
                python.version
            )
        };
        let packages =
            |papermill: &str| format!(r#"{{"papermill": "{papermill}", "nbconvert": "7.17.2", "ipykernel": "7.3.0"}}"#);
        let own = python.papermill.map_or_else(|| "{}".to_owned(), packages);
        let script = format!(
            "#!/bin/sh\nhere=$(dirname \"$0\")\ncase \"$*\" in\n\
             *find_spec*) if [ -e \"$here/installed\" ]; then {installed}; else {own}; fi;;\n\
             *'-m venv'*) echo \"$0 $*\" >> {calls}; {venv}\n mkdir -p \"$4/bin\"; cp \"$0\" \"$4/bin/python\";;\n\
             *'-m pip'*) echo \"$*\" >> {calls}; {pip}\n touch \"$here/installed\";;\n\
             esac\n",
            installed = answer(&packages("2.7.0")),
            own = answer(&own),
            calls = self.path("calls").display(),
            venv = python.venv,
            pip = python.pip,
        );
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = path.with_extension("text");
        fs::write(&text, script).unwrap();
        // By a process of its own: a program that this one writes cannot be executed ("text file busy") while a child
        // that another test forks in that moment has inherited the open file.
        let installed =
            std::process::Command::new("install").args(["-m", "755"]).args([&text, &path]).status().unwrap();
        assert!(installed.success());
        path
    }

    /// An environment that an earlier boot made.
    fn put_environment(&self, python: &Python, marker: Option<&str>) -> PathBuf {
        let path = self.put(&format!("{HOME}/engine/bin/python"), python);
        if let Some(marker) = marker {
            fs::write(self.path(&format!("{HOME}/engine/.reveille-complete")), marker).unwrap();
        }
        path
    }

    async fn find(&self) -> Result<PathBuf, EngineError> {
        self.find_named(None).await
    }

    async fn find_named(&self, python: Option<&Path>) -> Result<PathBuf, EngineError> {
        let hints = Hints { python: python.map(Into::into), path: self.path("bin").into() };
        let found = find(self.root.path(), &hints, self).await;
        let left: Vec<_> =
            fs::read_dir(self.path(HOME)).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        assert!(left.is_empty() || left == ["engine"], "nothing else is left: {left:?}");
        found
    }

    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn made(&self) -> PathBuf {
        self.path(&format!("{HOME}/engine/bin/python"))
    }

    fn marker(&self) -> Option<String> {
        fs::read_to_string(self.path(&format!("{HOME}/engine/.reveille-complete"))).ok()
    }
}

fn equipped() -> Python {
    Python { papermill: Some("2.7.0"), ..Python::default() }
}

#[tokio::test]
async fn each_place_is_asked_in_its_turn() {
    let machine = Machine::new();
    let conda = machine.put(CONDA, &equipped());
    machine.put("bin/python3", &Python::default());
    assert_eq!(machine.find().await.unwrap(), conda);

    let on_path = machine.put("bin/python3", &equipped());
    assert_eq!(machine.find().await.unwrap(), on_path);

    let made = machine.put_environment(&equipped(), None);
    assert_eq!(machine.find().await.unwrap(), on_path, "a half-made one is not taken");
    machine.put_environment(&equipped(), Some(&pins::fingerprint()));
    assert_eq!(machine.find().await.unwrap(), made);

    let named = machine.put("named", &equipped());
    assert_eq!(machine.find_named(Some(&named)).await.unwrap(), named);
    assert_eq!(machine.calls(), Vec::<String>::new(), "nothing was installed");
}

#[tokio::test]
async fn a_named_python_that_cannot_be_used_is_refused_with_what_to_do() {
    let machine = Machine::new();
    let refusal = async |python: &Path| machine.find_named(Some(python)).await.unwrap_err().to_string();

    let lacks = machine.put("it's named", &Python::default());
    let error = refusal(&lacks).await;
    let command = format!(r"`'{}/it'\''s named' -m pip install 'papermill>=", machine.root.path().display());
    assert!(error.contains("no papermill") && error.contains(&command), "{error}");

    let old = machine.put("old", &Python { papermill: Some("2.3.4"), ..Python::default() });
    assert!(refusal(&old).await.contains("papermill 2.3.4 (papermill>="), "{}", refusal(&old).await);

    let ancient =
        machine.put("ancient", &Python { version: "3, 9, 20", papermill: Some("2.6.0"), ..Python::default() });
    let error = refusal(&ancient).await;
    assert!(error.contains("is Python 3.9.20, and 3.10 or newer is needed; name a Python"), "{error}");

    let missing = refusal(&machine.path("missing")).await;
    assert!(missing.contains("cannot be started") && missing.contains("unset REVEILLE_PYTHON"), "{missing}");
}

#[tokio::test]
async fn an_environment_is_made_with_the_pins_and_a_python_that_is_new_enough() {
    let machine = Machine::new();
    machine.put("bin/python3", &Python { version: "3, 9, 20", papermill: Some("2.6.0"), ..Python::default() });
    machine.put("bin/python3.12", &Python { version: "3, 12, 1", papermill: Some("2.3.4"), ..Python::default() });
    let conda = machine.put(CONDA, &Python::default());
    assert_eq!(machine.find().await.unwrap(), machine.made());
    let calls = machine.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].starts_with(&format!("{} -I -m venv ", conda.display())), "{calls:?}");
    for option in ["--require-hashes", "--only-binary=:all:", "-r "] {
        assert!(calls[1].contains(option), "{calls:?}");
    }
    assert!(!calls[1].contains("--no-index"), "{calls:?}");
    assert_eq!(machine.marker().unwrap().trim(), pins::fingerprint());
    let log = machine.log.borrow().join("\n");
    assert!(log.contains("Python 3.9.20, and 3.10 or newer is needed") && log.contains("papermill 2.3.4"), "{log}");

    assert_eq!(machine.find().await.unwrap(), machine.made());
    assert_eq!(machine.calls().len(), 2, "it is made once");
}

#[tokio::test]
async fn another_python_makes_the_environment_where_the_first_has_no_venv() {
    let machine = Machine::new();
    machine.put(CONDA, &Python { venv: "echo 'No module named venv' >&2; exit 1", ..Python::default() });
    let second = machine.put("bin/python3", &Python { version: "3, 12, 1", ..Python::default() });
    assert_eq!(machine.find().await.unwrap(), machine.made());
    assert!(machine.calls()[1].starts_with(&second.display().to_string()), "{:?}", machine.calls());
}

#[tokio::test]
async fn what_cannot_be_installed_says_why_and_how() {
    let mut machine = Machine::new();
    machine.put(CONDA, &Python { pip: "echo 'no network today' >&2; exit 1", ..Python::default() });
    machine.put("bin/python3", &Python { version: "3, 9, 20", ..Python::default() });
    let error = machine.find().await.unwrap_err().to_string();
    let name = format!("reveille-engine-{}-cp310-x86_64.zip", &pins::fingerprint()[..16]);
    for part in [
        format!("there is no s3://runs/artifacts/{name}"),
        "no network today".to_owned(),
        "3.9.20, and 3.10 or newer is needed".to_owned(),
        "type `make wheelhouse` in a checkout".to_owned(),
        format!("`aws s3 cp target/wheelhouse/{name} s3://runs/artifacts/{name}`"),
        "REVEILLE_PYTHON".to_owned(),
    ] {
        assert!(error.contains(&part), "{part}: {error}");
    }
    assert!(error.chars().count() < 1_800, "a failure's message takes 2,000 characters: {error}");
    assert!(!machine.made().exists());

    machine.archive = Some(b"<html>The proxy says no.</html>");
    let error = machine.find().await.unwrap_err().to_string();
    assert!(
        error.contains("the archive cannot be used") && error.contains("no network today"),
        "both reasons: {error}"
    );
}

#[tokio::test]
async fn a_cause_with_a_known_cure_is_told_with_it() {
    for (pip, cure) in [
        (
            "echo 'SSLError(SSLCertVerificationError(1, [SSL: CERTIFICATE_VERIFY_FAILED] self-signed))' >&2; exit 1",
            "PIP_CERT",
        ),
        ("echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1", "Make room on the instance's volume"),
    ] {
        let machine = Machine::new();
        machine.put(CONDA, &Python { pip, ..Python::default() });
        let error = machine.find().await.unwrap_err().to_string();
        assert!(error.contains(cure) && error.contains("make wheelhouse"), "{error}");
        assert!(error.chars().count() < 1_800, "a failure's message takes 2,000 characters: {error}");
    }
}

#[tokio::test]
async fn an_archive_that_cannot_be_used_is_no_reason_to_give_up() {
    let machine = Machine { archive: Some(b"half of an arch"), ..Machine::new() };
    machine.put(CONDA, &Python::default());
    assert_eq!(machine.find().await.unwrap(), machine.made());
    let log = machine.log.borrow().join("\n");
    assert!(log.contains("the archive cannot be used") && log.contains("was made in"), "{log}");
}

/// Whoever put it there wants it to be used; and to try PyPI first would take minutes where nothing answers.
#[tokio::test]
async fn an_archive_for_any_of_the_pythons_comes_before_the_index_for_a_better_one() {
    const EMPTY: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (archive_for, made_with, option) in
        [("-cp311-", "bin/python3", "--no-index"), ("-cp312-", CONDA, "--no-index"), ("-cp39-", CONDA, "--only-binary")]
    {
        let machine = Machine { archive: Some(EMPTY), archive_for, ..Machine::new() };
        machine.put(CONDA, &Python { version: "3, 12, 1", ..Python::default() });
        machine.put("bin/python3", &Python { version: "3, 11, 2", ..Python::default() });
        assert_eq!(machine.find().await.unwrap(), machine.made());
        let calls = machine.calls();
        assert!(calls[0].starts_with(&machine.path(made_with).display().to_string()), "{archive_for}: {calls:?}");
        assert!(calls[1].contains(option), "{archive_for}: {calls:?}");
        assert_eq!(calls[1].contains("--no-index"), archive_for != "-cp39-", "{archive_for}: {calls:?}");
    }
}

#[tokio::test]
async fn without_any_python_there_is_an_error() {
    let machine = Machine::new();
    let error = machine.find().await.unwrap_err().to_string();
    assert!(
        error.contains("no Python that is new enough") && error.contains("Install Python 3.10 or newer"),
        "{error}"
    );
}

#[tokio::test]
async fn the_remedy_names_the_python_that_is_there() {
    let machine = Machine::new();
    machine.put("bin/python3", &Python { version: "3, 12, 1", pip: "exit 1", ..Python::default() });
    let error = machine.find().await.unwrap_err().to_string();
    assert!(
        error.contains("`make wheelhouse WHEELHOUSE_PYTHON=3.12`") && error.contains("-cp312-x86_64.zip"),
        "{error}"
    );
}

#[tokio::test]
async fn an_environment_with_other_pins_is_renewed() {
    for marker in ["", "0123456789abcdef\n"] {
        let machine = Machine::new();
        machine.put(CONDA, &Python::default());
        let old = machine.put_environment(&equipped(), Some(marker));
        machine.put("bin/python3", &equipped());
        assert_eq!(machine.find().await.unwrap(), old, "the same place, {marker:?}");
        assert_eq!(machine.marker().unwrap().trim(), pins::fingerprint());
        assert_eq!(machine.calls().len(), 2, "it was made anew");
    }
}

#[tokio::test]
async fn an_environment_whose_python_is_gone_is_renewed() {
    let machine = Machine::new();
    machine.put(CONDA, &Python::default());
    let python = machine.put_environment(&equipped(), Some(&pins::fingerprint()));
    fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/no/python3.10", &python).unwrap();
    assert_eq!(machine.find().await.unwrap(), python);
    assert_eq!(machine.calls().len(), 2);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_one_in_use_where_it_is_supported() {
    let machine = Machine::new();
    machine.put(CONDA, &Python { pip: "echo 'no network today' >&2; exit 1", ..Python::default() });
    let old = machine.put_environment(&Python { papermill: Some("2.6.0"), ..Python::default() }, Some(""));
    assert_eq!(machine.find().await.unwrap(), old);
    assert_eq!(machine.marker().as_deref(), Some(""), "it is tried again at the next start");
    let log = machine.log.borrow().join("\n");
    assert!(log.contains("no network today") && log.contains("instead"), "{log}");

    machine.put_environment(&Python { papermill: Some("2.3.4"), ..Python::default() }, Some(""));
    let error = machine.find().await.unwrap_err().to_string();
    assert!(error.contains("no network today"), "{error}");

    let equipped = machine.put("bin/python3", &equipped());
    assert_eq!(machine.find().await.unwrap(), equipped, "what somebody equipped is better than nothing");
}
