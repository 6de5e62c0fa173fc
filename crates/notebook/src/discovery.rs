//! Finds a Python with papermill, or makes one.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::environment::{self, Environment, Failed, Source, Stage, State};
use crate::error::EngineError;
use crate::interpreters::{self, Interpreter, Use};
use crate::pins;
use crate::wheelhouse::{self, Supplies};

/// Fetching 17 MB within a region takes a second.
const FETCH_LIMIT: Duration = Duration::from_mins(5);
/// What an error tells of all that was tried: a failure has room for 2,000 characters, and the remedy must fit in.
const REASONS_CHARS: usize = 900;

/// What the environment says about where to look.
pub(crate) struct Hints {
    /// `REVEILLE_PYTHON`.
    pub(crate) python: Option<OsString>,
    /// `PATH`.
    pub(crate) path: OsString,
}

impl Hints {
    pub(crate) fn from_env() -> Self {
        Self { python: env::var_os("REVEILLE_PYTHON"), path: env::var_os("PATH").unwrap_or_default() }
    }
}

/// Finds a Python with papermill, or makes one; see [`crate::Engine::discover`].
pub(crate) async fn find(root: &Path, hints: &Hints, supplies: &impl Supplies) -> Result<PathBuf, EngineError> {
    if let Some(python) = hints.python.as_ref().filter(|python| !python.is_empty()) {
        return named(PathBuf::from(python)).await;
    }
    let own = Environment::of(root);
    own.settle();
    let state = own.state();
    let works = match state {
        State::Absent => false,
        State::Old | State::Current => matches!(fit(&own.python()).await, Ok((_, Use::Engine))),
    };
    if works && state == State::Current {
        return Ok(own.python());
    }
    let survey = Survey::of(root, hints).await;
    // Who has made an environment keeps to it; else whatever somebody has equipped will do.
    if state == State::Absent
        && let Some(engine) = survey.engine()
    {
        supplies.log(&format!("the engine is {} (Python {})", engine.python.display(), engine.version()));
        return Ok(engine.python.clone());
    }
    let Err(failed) = Maker { root, own: &own, supplies }.make(&survey).await else {
        return Ok(own.python());
    };
    let instead = if works { Some(own.python()) } else { survey.engine().map(|engine| engine.python.clone()) };
    match instead {
        Some(python) => {
            supplies.log(&format!("{failed}; the engine is {} instead", python.display()));
            Ok(python)
        }
        None => Err(failed),
    }
}

/// The Python that `REVEILLE_PYTHON` names: it, or an error.
async fn named(python: PathBuf) -> Result<PathBuf, EngineError> {
    let (reason, remedy) = match fit(&python).await {
        Ok((_, Use::Engine)) => return Ok(python),
        Ok((_, Use::Base(reason))) => (reason, install_with(&python)),
        Ok((_, Use::Nothing(reason))) | Err(reason) => (reason, "name a Python that has papermill".to_owned()),
    };
    Err(EngineError::PythonUnusable { python, reason, remedy })
}

async fn fit(python: &Path) -> Result<(Interpreter, Use), String> {
    let interpreter = interpreters::probe(python).await?;
    let good_for = interpreter.good_for();
    Ok((interpreter, good_for))
}

/// How a Python gets what it lacks, as a command to be typed.
pub(crate) fn install_with(python: &Path) -> String {
    format!("install it with `{} -m pip install {}`", shell(python), pins::quoted())
}

/// A path as a shell takes it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Every Python of the machine, asked once.
struct Survey {
    /// Those that are new enough, with what they are good for; the likelier engines first.
    usable: Vec<(Interpreter, Use)>,
    /// Why the others are not used.
    passed_over: Vec<String>,
}

impl Survey {
    async fn of(root: &Path, hints: &Hints) -> Self {
        let mut survey = Self { usable: Vec::new(), passed_over: Vec::new() };
        for python in interpreters::candidates(root, &hints.path) {
            match fit(&python).await {
                Ok((_, Use::Nothing(reason))) | Err(reason) => survey.passed_over.push(reason),
                Ok(usable) => survey.usable.push(usable),
            }
        }
        survey
    }

    /// Why each of them is no engine.
    fn looked_at(&self) -> Vec<String> {
        let lacks = self.usable.iter().filter_map(|(_, good_for)| match good_for {
            Use::Base(reason) | Use::Nothing(reason) => Some(reason.clone()),
            Use::Engine => None,
        });
        lacks.chain(self.passed_over.iter().cloned()).collect()
    }

    fn engine(&self) -> Option<&Interpreter> {
        self.usable.iter().find(|(_, good_for)| *good_for == Use::Engine).map(|(interpreter, _)| interpreter)
    }

    /// Those that an environment can be made with, the best first.
    fn bases(&self, root: &Path) -> Vec<&Interpreter> {
        let mut bases: Vec<_> = self.usable.iter().map(|(interpreter, _)| interpreter).collect();
        bases.sort_by_key(|interpreter| interpreters::rank(root, interpreter));
        bases
    }
}

/// Makes the engine's own environment.
struct Maker<'a, S> {
    root: &'a Path,
    own: &'a Environment,
    supplies: &'a S,
}

impl<S: Supplies> Maker<'_, S> {
    async fn make(&self, survey: &Survey) -> Result<(), EngineError> {
        let bases = survey.bases(self.root);
        let looked_at = survey.looked_at();
        for reason in &looked_at {
            self.supplies.log(&format!("not used as the engine: {reason}"));
        }
        let begun = Instant::now();
        let mut reasons = Vec::new();
        if self.try_all(&bases, &mut reasons).await {
            let (folder, seconds) = (self.own.folder(), begun.elapsed().as_secs());
            self.supplies.log(&format!("the engine's environment {} was made in {seconds} s", folder.display()));
            return Ok(());
        }
        reasons.extend(looked_at);
        let reasons = reasons.join("; ");
        Err(EngineError::NotInstalled {
            folder: self.own.folder(),
            remedy: known_cure(&reasons).to_owned() + &self.remedy(bases.first().copied()),
            reasons: reasons.chars().take(REASONS_CHARS).collect(),
        })
    }

    /// Whether one of the Pythons could be equipped: from an archive, else from the index.
    async fn try_all(&self, bases: &[&Interpreter], reasons: &mut Vec<String>) -> bool {
        if bases.is_empty() {
            reasons.push("no Python that is new enough was found".to_owned());
            return false;
        }
        let own = self.own.clone();
        let stage = environment::blocking(move || own.stage().map_err(|error| error.to_string())).await;
        let stage = match stage {
            Ok(stage) => stage,
            Err(error) => {
                reasons.push(format!("the folder cannot be used ({error})"));
                return false;
            }
        };
        let made = self.try_archives(&stage, bases, reasons).await || self.try_index(&stage, bases, reasons).await;
        // What is left to remove may be a whole environment that did not work.
        environment::discard(stage).await;
        made
    }

    async fn try_archives(&self, stage: &Stage, bases: &[&Interpreter], reasons: &mut Vec<String>) -> bool {
        let mut asked = Vec::new();
        for base in bases {
            let name = wheelhouse::name(base);
            if asked.contains(&name) {
                continue;
            }
            let place = self.supplies.place(&name);
            let archive = stage.archive();
            let fetching = self.supplies.fetch(&name, &archive, wheelhouse::MAX_BYTES);
            match tokio::time::timeout(FETCH_LIMIT, fetching).await {
                Err(_) => reasons.push(format!("{place} was not fetched within {} s", FETCH_LIMIT.as_secs())),
                Ok(Err(reason)) => reasons.push(reason),
                Ok(Ok(false)) => reasons.push(format!("there is no {place}")),
                Ok(Ok(true)) => {
                    if self.equip(stage, base, Source::Wheelhouse(&archive), &place, reasons).await.is_ok() {
                        return true;
                    }
                }
            }
            asked.push(name);
        }
        false
    }

    async fn try_index(&self, stage: &Stage, bases: &[&Interpreter], reasons: &mut Vec<String>) -> bool {
        for base in bases {
            match self.equip(stage, base, Source::Index, "the package index", reasons).await {
                Ok(()) => return true,
                // The next Python may make one.
                Err(Failed::Base(_)) => {}
                // What the index does not have or cannot give, it cannot give to another Python either.
                Err(Failed::Packages(_)) => return false,
            }
        }
        false
    }

    async fn equip(
        &self,
        stage: &Stage,
        base: &Interpreter,
        source: Source<'_>,
        place: &str,
        reasons: &mut Vec<String>,
    ) -> Result<(), Failed> {
        let (python, version) = (base.python.display(), base.version());
        let what = format!("{python} (Python {version}) and {place}");
        self.supplies.log(&format!("making the engine's environment in {} with {what}", self.own.folder().display()));
        let mut made = stage.make(base, source).await;
        if made.is_ok() {
            let (own, new) = (self.own.clone(), stage.environment());
            let moved = environment::blocking(move || own.replace(&new).map_err(|error| error.to_string())).await;
            made = moved.map_err(|error| Failed::Packages(format!("it cannot be moved into its place: {error}")));
        }
        if let Err(Failed::Base(reason) | Failed::Packages(reason)) = &made {
            self.supplies.log(&format!("with {what} it failed: {reason}"));
            reasons.push(format!("with {what}: {reason}"));
        }
        made
    }

    /// What to do, in commands that work as they stand.
    fn remedy(&self, base: Option<&Interpreter>) -> String {
        let other = "name a Python that has papermill in REVEILLE_PYTHON";
        let Some(base) = base else {
            let (major, minor) = pins::OLDEST_PYTHON;
            return format!("Install Python {major}.{minor} or newer with its venv module, or {other}");
        };
        let name = wheelhouse::name(base);
        format!(
            "If the instance has no way to PyPI, type `make wheelhouse{}` in a checkout of this version of Reveille, then \
             `aws s3 cp target/wheelhouse/{name} {}`, and start the notebook again; or {other}",
            variables(base),
            self.supplies.place(&name),
        )
    }
}

/// What helps against causes that pip and Python name in words of their own.
fn known_cure(reasons: &str) -> &'static str {
    if reasons.contains("CERTIFICATE_VERIFY_FAILED") {
        "If a proxy or an index has an authority of its own, name a file with its certificate as PIP_CERT in the on-start script \
         (AWS_CA_BUNDLE, if requests to AWS go the same way). "
    } else if reasons.contains("No space left on device") || reasons.contains("Disk quota exceeded") {
        "Make room on the instance's volume: the environment takes some 200 MB, and as much again while it is being made. "
    } else {
        ""
    }
}

/// What `make wheelhouse` has to be told, which is for Python 3.10 on x86_64 otherwise.
fn variables(base: &Interpreter) -> String {
    let (version, machine) = (base.minor_version(), base.machine());
    let version = if version == "3.10" { String::new() } else { format!(" WHEELHOUSE_PYTHON={version}") };
    let machine = if machine == "x86_64" { String::new() } else { format!(" WHEELHOUSE_MACHINE={machine}") };
    version + &machine
}

#[cfg(test)]
mod tests;
