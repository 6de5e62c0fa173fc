//! What the template tells a function through its environment.

use reveille_aws::{Aws, Credentials};
use reveille_domain::layout::Layout;
use reveille_domain::limits::{Bounds, HEARTBEAT_SECONDS, LIVE_OUTPUT_SECONDS, MAX_WAITING_RUNS};
use reveille_protocol::Stack;
use reveille_protocol::step::Step;

use crate::handler::Handler;

/// Reads `REVEILLE_BUCKET`, `REVEILLE_PREFIX`, `REVEILLE_EVENT_BUS`, `REVEILLE_HEARTBEAT_SECONDS`, AwaitRun's
/// `REVEILLE_MAX_WAITING_RUNS` and `REVEILLE_LIVE_OUTPUT_SECONDS`, and the sweeper's `REVEILLE_STATE_MACHINE`.
pub async fn read(handler: Handler) -> Result<(Stack, Aws), String> {
    let layout = Layout { bucket: required("REVEILLE_BUCKET")?, prefix: prefix()? };
    let stack = Stack {
        layout: layout.clone(),
        heartbeat_seconds: heartbeat()?,
        live_output_seconds: optional("REVEILLE_LIVE_OUTPUT_SECONDS", LIVE_OUTPUT_SECONDS)?,
        max_waiting_runs: optional("REVEILLE_MAX_WAITING_RUNS", MAX_WAITING_RUNS)?,
    };
    let event_bus = required("REVEILLE_EVENT_BUS")?;
    let aws = Aws::from_env(Credentials::Environment, None, layout, event_bus).await;
    // Only the sweeper's environment names it: the machine's own functions cannot, since it names them.
    let is_sweeper = handler == Handler::Step(Step::Sweep);
    let state_machine = if is_sweeper { required("REVEILLE_STATE_MACHINE")? } else { String::new() };
    Ok((stack, aws.with_state_machine(state_machine)))
}

fn required(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(_) => Err(format!("{name} is not set. The template sets it for every function: deploy it again.")),
    }
}

fn prefix() -> Result<String, String> {
    let prefix = std::env::var("REVEILLE_PREFIX").unwrap_or_default();
    if prefix.is_empty() || prefix.ends_with('/') {
        Ok(prefix)
    } else {
        Err(format!("REVEILLE_PREFIX is {prefix:?}; it must be empty or end with '/'. Correct the stack's parameter."))
    }
}

fn heartbeat() -> Result<u32, String> {
    number("REVEILLE_HEARTBEAT_SECONDS", &required("REVEILLE_HEARTBEAT_SECONDS")?, HEARTBEAT_SECONDS)
}

/// What only AwaitRun's environment has.
fn optional(name: &str, bounds: Bounds) -> Result<u32, String> {
    match std::env::var_os(name) {
        None => Ok(bounds.default),
        Some(text) => number(name, &text.to_string_lossy(), bounds),
    }
}

fn number(name: &str, text: &str, bounds: Bounds) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (bounds.min..=bounds.max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!(
            "{name} is {text:?}; it must be a number from {} to {}. Correct the stack's parameter.",
            bounds.min, bounds.max
        )),
    }
}
