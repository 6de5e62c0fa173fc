//! The parameters' names: each becomes a variable of the notebook's language.

use serde_json::{Map, Value};

use super::invalid;
use crate::error::Failure;
use crate::limits::{MAX_PARAMETER_NAME, MAX_PARAMETERS};
use crate::shown;

/// What Python does not let anyone assign. Its soft keywords (`match`, `case`, `type`, `_`) can be assigned.
pub const PYTHON_KEYWORDS: [&str; 36] = [
    "False",
    "None",
    "True",
    "__debug__",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
];

/// Whether the parameters will be written as Python: the notebook's own kernel, which nearly always is one, or a kernel
/// whose name says so. Other kernels are known on the instance only, where the engine looks before the first cell.
pub(super) fn is_python(kernel: Option<&str>) -> bool {
    kernel.is_none_or(|name| {
        let name = name.to_ascii_lowercase();
        // SageMaker names the kernels of conda environments so, and those of R otherwise.
        name.starts_with("conda_") || ["python", "pyspark", "ipykernel"].iter().any(|part| name.contains(part))
    })
}

/// papermill writes a parameter as `name = value` into a cell, so a name that is no identifier would be code, and a
/// keyword an error that quotes the value.
pub(super) fn check(parameters: &Map<String, Value>, python: bool) -> Result<(), Failure> {
    if parameters.len() > MAX_PARAMETERS {
        return Err(invalid(format!(
            "parameters: there are {}; at most {MAX_PARAMETERS} are accepted",
            parameters.len()
        )));
    }
    for name in parameters.keys() {
        let identifier = name.len() <= MAX_PARAMETER_NAME
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !identifier {
            return Err(invalid(format!(
                "parameters: {} is not a parameter name: use a letter or underscore, then letters, digits and underscores, {MAX_PARAMETER_NAME} characters at most",
                shown::quoted(name)
            )));
        }
        if python && PYTHON_KEYWORDS.contains(&name.as_str()) {
            return Err(invalid(format!(
                "parameters.{name}: {name} is a Python keyword and cannot be a variable; give the parameter another name"
            )));
        }
    }
    Ok(())
}
