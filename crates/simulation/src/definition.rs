//! The deployed definition: the file itself, filled in as the template does, and compiled.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use reveille_asl::definition::load;
use reveille_asl::interpreter::Machine;
use serde_json::Value;

use crate::schedule::{Parameters, Step};

/// The state machine's ARN in the simulated account.
const ARN: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:notebook-run";

/// The definition of the version before, from which a stack may be updated with runs under way (docs/upgrade.md).
pub(crate) const EARLIER: &str = "tests/contract/released/2026-11-26/notebook_run.asl.json";

thread_local! {
    static COMPILED: RefCell<Definitions> = RefCell::new(Definitions::earlier(EARLIER));
}

/// The definition of the version before, compiled once in a thread. `None`: it cannot be compiled, as another test says.
pub(crate) fn earlier(parameters: Parameters) -> Option<Rc<Machine>> {
    COMPILED.with_borrow_mut(|definitions| definitions.with(parameters)).ok()
}

/// Reads the definition that is deployed.
///
/// # Errors
/// The file cannot be read, or is no definition.
pub fn read(parameters: Parameters) -> Result<Value, String> {
    read_file(&root().join("statemachines/notebook_run.asl.json"), parameters)
}

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_file(path: &Path, parameters: Parameters) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let arn = |step: Step| format!("arn:aws:lambda:eu-west-1:123456789012:function:{}", step.name());
    let substitutions = BTreeMap::from([
        ("Partition".to_owned(), "aws".to_owned()),
        ("AdmitRunFunctionArn".to_owned(), arn(Step::AdmitRun)),
        ("CheckInstanceFunctionArn".to_owned(), arn(Step::CheckInstance)),
        ("StartInstanceFunctionArn".to_owned(), arn(Step::StartInstance)),
        ("AwaitRunFunctionArn".to_owned(), arn(Step::AwaitRun)),
        ("VerifyStoppedFunctionArn".to_owned(), arn(Step::VerifyStopped)),
        ("ConcludeRunFunctionArn".to_owned(), arn(Step::ConcludeRun)),
        ("StartPollSeconds".to_owned(), parameters.start_poll.to_string()),
        ("StopPollSeconds".to_owned(), parameters.stop_poll.to_string()),
        ("HeartbeatSeconds".to_owned(), parameters.heartbeat.to_string()),
    ]);
    load(&text, &substitutions).map_err(|error| format!("{}: {error}", path.display()))
}

/// Compiled definitions by their parameters; an edit, in a test of the simulation itself, is applied to each.
pub struct Definitions {
    edit: fn(&mut Value),
    /// An earlier version's definition, in place of the one that is deployed.
    earlier: Option<PathBuf>,
    compiled: BTreeMap<(u32, u32, u32), Rc<Machine>>,
}

impl Default for Definitions {
    fn default() -> Self {
        Self::edited(|_| ())
    }
}

impl Definitions {
    /// Definitions with an edit.
    #[must_use]
    pub fn edited(edit: fn(&mut Value)) -> Self {
        Self { edit, earlier: None, compiled: BTreeMap::new() }
    }

    /// The definition of an earlier version, by its file in the checkout: an execution that is under way when its stack is updated goes on
    /// with it, and calls the functions of this version.
    #[must_use]
    pub fn earlier(file: &str) -> Self {
        Self { edit: |_| (), earlier: Some(root().join(file)), compiled: BTreeMap::new() }
    }

    /// The definition with these parameters.
    ///
    /// # Errors
    /// It cannot be read or compiled.
    pub fn with(&mut self, parameters: Parameters) -> Result<Rc<Machine>, String> {
        let key = (parameters.start_poll, parameters.stop_poll, parameters.heartbeat);
        if let Some(machine) = self.compiled.get(&key) {
            return Ok(Rc::clone(machine));
        }
        let mut definition = match &self.earlier {
            Some(path) => read_file(path, parameters)?,
            None => read(parameters)?,
        };
        (self.edit)(&mut definition);
        let machine = Rc::new(Machine::compile(ARN, &definition).map_err(|error| error.to_string())?);
        self.compiled.insert(key, Rc::clone(&machine));
        Ok(machine)
    }
}
