//! Runs, queues and instances.

use reveille_domain::records::Rest;
use serde_json::{Value, json};

use super::super::{lines, outcome, time};
use super::{all, arn, code, count, flag, list, notebook, number, on_instance, one_of, or_null, some, text};
use crate::names::names;

pub(super) fn run(more: &[(&str, Value)]) -> Value {
    let mut outcome = outcome();
    outcome.as_object_mut().unwrap().remove("$schema");
    let fields = [
        ("run", text("The run's id.")),
        (
            "status",
            one_of(
                &["RUNNING", "SUCCEEDED", "FAILED", "SKIPPED", "DUPLICATE", "NOT_SELECTED", "ABORTED", "TIMED_OUT"],
                "How it ended, or that it goes on. Only a run whose notebook was asked for has an outcome.",
            ),
        ),
        ("code", or_null(code())),
        ("notebook", or_null(notebook())),
        ("instance", or_null(on_instance())),
        ("trigger", text("What started it, in a few words.")),
        ("startedAt", time("When its execution started.")),
        ("endedAt", or_null(time("When its execution ended."))),
        ("executionArn", arn()),
        (
            "instanceAfter",
            or_null(
                json!({"enum": names::<Rest>(), "description": "What became of the instance, as the outcome has it."}),
            ),
        ),
        ("unreadableRecords", lines("The keys of its records that cannot be read.")),
        ("outcome", or_null(outcome)),
    ];
    all(&[&fields[..], more].concat(), "A run.")
}

pub(super) fn cost() -> Value {
    or_null(some(
        &[
            ("isEstimate", json!({"const": true, "description": "It is reckoned from the price list."})),
            ("usd", or_null(number("US dollars."))),
        ],
        &[
            ("unknown", text("Why it is not known.")),
            ("seconds", number("For how long the instance was on for the run.")),
            ("from", time("From when the instance was on for the run.")),
            ("to", time("Until when.")),
            ("goesOn", flag("Whether the cost is still growing.")),
            ("instance", text("Whether the run started the instance.")),
            ("instanceType", text("The instance's type.")),
            ("usdPerHour", number("The price of an hour.")),
            ("pricesOf", text("The day of the price list.")),
            ("pricesFrom", text("Where the price list is from.")),
        ],
        "What the instance cost for the run.",
    ))
}

pub(super) fn queue() -> Value {
    let row = all(
        &[
            ("place", or_null(count("Its place among those that wait, from 1; 0 is the one that runs."))),
            ("state", one_of(&["starting", "running", "waiting"], "What it does.")),
            ("run", text("The run's id.")),
            ("notebook", or_null(notebook())),
            ("since", time("Since when it has been in this state.")),
            ("expectedStart", or_null(time("When its turn may come, guessed from earlier runs."))),
            ("expectedEnd", or_null(time("When it may end, guessed from earlier runs."))),
            ("waitsUntil", or_null(time("When it gives up waiting; null: it does not wait."))),
            ("executionArn", arn()),
        ],
        "A run.",
    );
    all(
        &[
            ("instance", on_instance()),
            ("status", text("The instance's status, as SageMaker has it.")),
            ("runs", list(row, "In the order of the queue.")),
            (
                "isComplete",
                flag(
                    "Whether every execution under way was looked at for runs that are starting; false: only the newest 200.",
                ),
            ),
        ],
        "The queue of an instance.",
    )
}

pub(super) fn rerun() -> Value {
    all(
        &[
            ("from", text("The id of the run that was named.")),
            ("run", text("The id of the run that goes on: the same after a redrive.")),
            ("by", one_of(&["redrive", "new"], "A redrive of its execution, or a new one.")),
            ("because", or_null(text("Why it is a new one."))),
            ("executionArn", arn()),
        ],
        "What was started.",
    )
}

pub(super) fn instance() -> Value {
    all(
        &[
            ("instance", on_instance()),
            ("status", text("Its status, as SageMaker has it.")),
            ("type", or_null(text("Its type."))),
            ("since", or_null(time("When its status changed."))),
            ("on", flag("Whether it is paid for.")),
            ("why", text("Why it is on, or off.")),
            ("run", or_null(text("The id of the run that uses it."))),
            ("usdPerHour", or_null(number("The price of an hour."))),
            ("pricesOf", or_null(text("The day of the price list."))),
            ("pricesFrom", or_null(text("Where the price list is from."))),
            ("estimatedUsd", or_null(number("What it has cost since its status changed, if it is on."))),
        ],
        "A notebook instance.",
    )
}
