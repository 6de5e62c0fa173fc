//! What is found out of a stack, and what changes it: `doctor`, `explain`, `deploy`, `destroy`, `attach` and `detach`.

use serde_json::{Value, json};

use super::super::{lines, time};
use super::{all, code, flag, list, one_of, or_null, runs, some, text};

pub(super) fn finding() -> Value {
    all(
        &[
            ("check", text("Its name in docs/cli.md.")),
            ("verdict", one_of(&["ok", "warn", "fail", "notChecked"], "The verdict.")),
            ("about", or_null(text("The trigger or the instance; null: the stack, or where the command runs."))),
            ("what", text("What was found.")),
            ("cure", or_null(text("A command to copy, or a page to read."))),
            ("permission", or_null(text("The permission that the check lacked."))),
        ],
        "A check.",
    )
}

/// A run, a file or a code was asked for, or all codes.
pub(super) fn explain() -> Value {
    let fact = all(
        &[
            ("at", or_null(time("When; null: it is so now."))),
            ("what", text("A sentence.")),
            ("source", text("What says so.")),
        ],
        "A fact.",
    );
    let facts = ("facts", list(fact, "In order of time."));
    let next = ("next", lines("Commands that help."));
    let about = ("about", text("What it means."));
    let run = all(
        &[
            ("run", runs::run(&[])),
            ("code", or_null(code())),
            (
                "isComplete",
                or_null(flag(
                    "Whether every execution that it may have waited for was looked at; null: it has no outcome yet.",
                )),
            ),
            facts.clone(),
            next.clone(),
        ],
        "Why a run ended as it did.",
    );
    let file = all(
        &[
            ("file", text("The file, as an S3 URI.")),
            ("started", flag("Whether it started a run.")),
            ("isComplete", flag("Whether every execution that it may have started was looked at.")),
            ("verdict", text("The answer in a sentence.")),
            ("runs", list(runs::run(&[]), "The runs that it started.")),
            facts,
            next,
        ],
        "Why a file did or did not start a run.",
    );
    let page = all(
        &[("code", code()), about.clone(), ("page", text("Its page in docs/errors, in Markdown."))],
        "An error code.",
    );
    let codes = list(all(&[("code", code()), about], "An error code."), "All error codes.");
    json!({"description": "The answer about a run, a file, a code, or all codes.", "anyOf": [run, file, page, codes]})
}

pub(super) fn deploy() -> Value {
    let change = all(
        &[
            ("change", text("What happens to it.")),
            ("resource", text("Its logical id in the template.")),
            ("type", text("Its type.")),
            ("properties", lines("Its properties that change, as far as they are known.")),
        ],
        "A resource.",
    );
    let parameter = all(
        &[
            ("name", text("Its name.")),
            ("before", or_null(text("Its value before."))),
            ("after", or_null(text("Its value afterwards."))),
        ],
        "A parameter.",
    );
    let outputs = json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "The stack's outputs, when it was deployed."});
    some(
        &[
            ("stack", text("Its name.")),
            ("status", or_null(text("Its status; null: it was only shown what would change."))),
        ],
        &[
            ("changes", list(change, "The resources that change.")),
            ("parameters", list(parameter, "The parameters that change.")),
            ("outputs", outputs),
            ("failure", or_null(text("With --follow: why the change failed."))),
        ],
        "A stack, and what changes or has changed.",
    )
}

pub(super) fn destroy() -> Value {
    some(
        &[
            ("stack", text("Its name.")),
            ("status", text("Its status.")),
            ("deletes", lines("The resources that are deleted.")),
            ("keeps", lines("The resources that are kept.")),
            ("bucket", or_null(text("The runs bucket, if it is kept."))),
            ("instances", lines("Instances that have the lifecycle configuration of this stack's runner.")),
            ("runs", lines("The ids of the runs under way.")),
            ("triggers", lines("The commands that remove triggers which would be left.")),
            ("notChecked", lines("What could not be looked at.")),
        ],
        &[
            ("objection", or_null(text("With --dry-run: why it would be refused."))),
            ("remains", lines("What is left, in sentences.")),
        ],
        "What goes with the stack, and what stays.",
    )
}

fn change_of_instance(more: &[(&str, Value)]) -> Value {
    let fields = [
        ("instance", text("The notebook instance.")),
        ("stack", text("The stack of its runner.")),
        ("lifecycleConfiguration", or_null(text("The lifecycle configuration that it has afterwards."))),
    ];
    all(&[&fields[..], more].concat(), "What changes or has changed.")
}

pub(super) fn attach() -> Value {
    change_of_instance(&[
        ("attaches", flag("Whether the lifecycle configuration is put on the instance.")),
        ("replaces", or_null(text("The one that it had before."))),
        ("warnings", lines("What you should know before you agree.")),
    ])
}

pub(super) fn detach() -> Value {
    change_of_instance(&[
        ("detaches", flag("Whether the lifecycle configuration is taken off the instance.")),
        ("deletesStack", flag("Whether its runner's stack is deleted.")),
    ])
}
