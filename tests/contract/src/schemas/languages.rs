//! What parameters may be in the language of a kernel that goes by a well-known name.

use reveille_domain::input::Language;
use serde_json::{Value, json};

/// What parameters are for a kernel whose name tells its language. A pattern sees no kernel that is absent or null: that is Python's.
pub(super) fn of_language(language: &Language) -> Value {
    let whole = language.kernels.iter().map(|kernel| format!("^{}$", either_case(kernel)));
    let parts = language.parts.iter().map(|part| either_case(part));
    let pattern = whole.chain(parts).collect::<Vec<_>>().join("|");
    let kernel = if language.name == "Python" {
        json!({"properties": {"kernel": {"pattern": pattern}}})
    } else {
        json!({"properties": {"kernel": {"type": "string", "pattern": pattern}}, "required": ["kernel"]})
    };
    let mut names = json!({"not": {"enum": language.reserved().collect::<Vec<_>>()}});
    if language.no_leading_underscore {
        names["pattern"] = json!("^[^_]");
    }
    let mut parameters = json!({"propertyNames": names});
    if language.flat {
        parameters["additionalProperties"] =
            json!({"not": {"type": "object"}, "items": {"not": {"type": ["array", "object"]}}});
    }
    if !language.has_null {
        parameters["additionalProperties"] = json!({"not": {"type": "null"}});
    }
    json!({
        "description": format!("A parameter becomes a variable of the kernel's language, {}.", language.name),
        "if": kernel,
        "then": {"properties": {"parameters": parameters}}
    })
}

fn either_case(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '.' => "\\.".to_owned(),
            _ if char.is_ascii_alphabetic() => format!("[{}{char}]", char.to_ascii_uppercase()),
            _ => char.to_string(),
        })
        .collect()
}
