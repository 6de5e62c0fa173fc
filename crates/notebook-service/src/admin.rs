//! The admin endpoint: faults in, facts out. It is no part of the `SageMaker` API.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use reveille_instance_model::{
    ArmedFault, CallOutcome, FaultId, FaultKind, InstanceCalls, InstanceFault, Moment, Operation, RecordedCall,
    Snapshot,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    responses::seconds,
    shared::Shared,
    wire::{answer, body},
};

const JSON: &str = "application/json";

type Handle = State<Arc<Shared>>;

fn ok(value: &Value) -> Response {
    answer(200, JSON, value)
}

fn refuse(status: u16, message: &str) -> Response {
    answer(status, JSON, &json!({"message": message}))
}

/// A fault as it is asked for: flat, because each kind has at most two fields of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FaultRequest {
    kind: String,
    instance: Option<String>,
    times: Option<u32>,
    #[serde(default)]
    until_cleared: bool,
    operation: Option<String>,
    after_effect: Option<bool>,
    after_ms: Option<u64>,
    age_ms: Option<u64>,
    pending_ms: Option<u64>,
    lasting_ms: Option<u64>,
}

const KINDS: &str = "missing-capacity (afterMs), start-dropped (pendingMs), quota, throttle (operation), server-error (operation, afterEffect), stale-describe (ageMs), stuck-pending, stuck-stopping, maintenance (pendingMs, lastingMs), lifecycle-failure";

impl FaultRequest {
    /// The fault. Fields that its kind does not have are refused by name.
    fn fault(mut self) -> Result<InstanceFault, String> {
        let kind = self.kind()?;
        let times = match (self.times, self.until_cleared) {
            (Some(_), true) => return Err("times and untilCleared exclude each other; give one".to_owned()),
            (times, false) => Some(times.unwrap_or(1)),
            (None, true) => None,
        };
        let left = [
            ("operation", self.operation.is_some()),
            ("afterEffect", self.after_effect.is_some()),
            ("afterMs", self.after_ms.is_some()),
            ("ageMs", self.age_ms.is_some()),
            ("pendingMs", self.pending_ms.is_some()),
            ("lastingMs", self.lasting_ms.is_some()),
        ];
        if let Some((field, _)) = left.iter().find(|(_, given)| *given) {
            return Err(format!("a fault of kind {} has no field {field}; remove it", self.kind));
        }
        Ok(InstanceFault { instance: self.instance, times, kind })
    }

    fn kind(&mut self) -> Result<FaultKind, String> {
        let millis = |value: Option<u64>, field: &str| {
            let value = value.ok_or_else(|| format!("the field {field} is missing; give milliseconds"))?;
            // A year: a bound so that times stay representable.
            if value > 31_536_000_000 {
                return Err(format!("the field {field} is more than a year; give less"));
            }
            Ok(Duration::from_millis(value))
        };
        Ok(match self.kind.as_str() {
            "missing-capacity" => FaultKind::MissingCapacity { after: millis(self.after_ms.take(), "afterMs")? },
            "start-dropped" => FaultKind::StartDropped { pending: millis(self.pending_ms.take(), "pendingMs")? },
            "quota" => FaultKind::Quota,
            "throttle" => FaultKind::Throttle { operation: self.operation()? },
            "server-error" => FaultKind::ServerError {
                operation: self.operation()?,
                moment: match self.after_effect.take() {
                    Some(true) => Moment::AfterEffect,
                    Some(false) | None => Moment::BeforeEffect,
                },
            },
            "stale-describe" => FaultKind::StaleDescribe { age: millis(self.age_ms.take(), "ageMs")? },
            "stuck-pending" => FaultKind::StuckPending,
            "stuck-stopping" => FaultKind::StuckStopping,
            "maintenance" => FaultKind::Maintenance {
                pending: millis(self.pending_ms.take(), "pendingMs")?,
                lasting: millis(self.lasting_ms.take(), "lastingMs")?,
            },
            "lifecycle-failure" => FaultKind::LifecycleFailure,
            other => return Err(format!("there is no fault '{other}'; there are: {KINDS}")),
        })
    }

    fn operation(&mut self) -> Result<Option<Operation>, String> {
        let Some(name) = self.operation.take() else { return Ok(None) };
        match Operation::parse(&name) {
            Some(operation) => Ok(Some(operation)),
            None => Err(format!("there is no operation '{name}' here; give one like StartNotebookInstance")),
        }
    }
}

fn kind_json(kind: &FaultKind) -> (&'static str, Map<String, Value>) {
    let millis = |duration: &Duration| json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    let operation = |operation: &Option<Operation>| json!(operation.map(Operation::as_str));
    let (name, fields) = match kind {
        FaultKind::MissingCapacity { after } => ("missing-capacity", vec![("afterMs", millis(after))]),
        FaultKind::StartDropped { pending } => ("start-dropped", vec![("pendingMs", millis(pending))]),
        FaultKind::Quota => ("quota", vec![]),
        FaultKind::Throttle { operation: only } => ("throttle", vec![("operation", operation(only))]),
        FaultKind::ServerError { operation: only, moment } => {
            let after = json!(*moment == Moment::AfterEffect);
            ("server-error", vec![("operation", operation(only)), ("afterEffect", after)])
        }
        FaultKind::StaleDescribe { age } => ("stale-describe", vec![("ageMs", millis(age))]),
        FaultKind::StuckPending => ("stuck-pending", vec![]),
        FaultKind::StuckStopping => ("stuck-stopping", vec![]),
        FaultKind::Maintenance { pending, lasting } => {
            ("maintenance", vec![("pendingMs", millis(pending)), ("lastingMs", millis(lasting))])
        }
        FaultKind::LifecycleFailure => ("lifecycle-failure", vec![]),
    };
    (name, fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
}

fn fault_json(armed: &ArmedFault) -> Value {
    let (kind, mut map) = kind_json(&armed.fault.kind);
    map.insert("id".to_owned(), json!(armed.id.0));
    map.insert("kind".to_owned(), json!(kind));
    map.insert("instance".to_owned(), json!(armed.fault.instance));
    map.insert("times".to_owned(), json!(armed.fault.times));
    map.insert("fired".to_owned(), json!(armed.fired));
    Value::Object(map)
}

fn call_json(call: &RecordedCall) -> Value {
    let (outcome, code, message) = match &call.outcome {
        CallOutcome::Accepted => ("accepted", None, None),
        CallOutcome::AnswerLost => ("answerLost", None, None),
        CallOutcome::Refused { code, message } => ("refused", Some(*code), Some(message)),
    };
    json!({
        "at": seconds(call.at),
        "caller": call.caller,
        "operation": call.operation.as_str(),
        "outcome": outcome,
        "code": code,
        "message": message,
    })
}

fn calls_json(calls: &InstanceCalls) -> Value {
    let counts: Map<String, Value> = calls
        .counts()
        .map(|(operation, counts)| {
            let counts = json!({"accepted": counts.accepted, "refused": counts.refused});
            (operation.as_str().to_owned(), counts)
        })
        .collect();
    let log: Vec<Value> = calls.log().map(call_json).collect();
    json!({"counts": counts, "log": log})
}

fn instance_json(shared: &Shared, name: &str, snapshot: Option<&Snapshot>, calls: &InstanceCalls) -> Value {
    let view = snapshot.map(|snapshot| &snapshot.view);
    json!({
        "name": name,
        "exists": snapshot.is_some(),
        "arn": view.map(|view| &view.arn),
        "status": view.map(|view| view.status.as_str()),
        "failureReason": view.and_then(|view| view.failure_reason.as_ref()),
        "lastModifiedTime": view.map(|view| seconds(view.modified)),
        "bootId": snapshot.and_then(|snapshot| shared.boot_id(snapshot)),
        "boots": snapshot.map_or(0, |snapshot| snapshot.boots),
        "root": shared.machine(name).root(),
        "calls": calls_json(calls),
    })
}

pub(crate) async fn health() -> Response {
    ok(&json!({"service": "notebook_service", "status": "running"}))
}

/// Every name that exists or was called, with the truth about it and its calls.
pub(crate) async fn instances(State(shared): Handle) -> Response {
    let facts: Vec<(String, Option<Snapshot>, InstanceCalls)> = {
        let account = shared.account();
        let names: BTreeSet<&str> = account.names().chain(account.called_names()).collect();
        names
            .into_iter()
            .map(|name| {
                let calls = account.calls(name).cloned().unwrap_or_default();
                (name.to_owned(), account.snapshot(name), calls)
            })
            .collect()
    };
    let list: Vec<Value> =
        facts.iter().map(|(name, snapshot, calls)| instance_json(&shared, name, snapshot.as_ref(), calls)).collect();
    ok(&json!({"instances": list}))
}

pub(crate) async fn faults(State(shared): Handle) -> Response {
    let list: Vec<Value> = shared.account().faults().iter().map(fault_json).collect();
    ok(&json!({"faults": list}))
}

pub(crate) async fn arm(State(shared): Handle, request: Request) -> Response {
    let armed = match body(request.into_body()).await {
        Err(message) => return refuse(413, &message),
        Ok(bytes) => serde_json::from_slice::<FaultRequest>(&bytes)
            .map_err(|error| format!("the body is no fault: {error}; a fault is like {{\"kind\":\"quota\",\"instance\":\"nightly\",\"times\":1}}, and the kinds are: {KINDS}"))
            .and_then(FaultRequest::fault)
            .and_then(|fault| shared.arm(fault).map_err(|error| error.to_string())),
    };
    match armed {
        Ok(id) => ok(&json!({"id": id.0})),
        Err(message) => refuse(400, &message),
    }
}

pub(crate) async fn clear_all(State(shared): Handle) -> Response {
    ok(&json!({"cleared": shared.clear(None)}))
}

pub(crate) async fn clear_one(State(shared): Handle, Path(id): Path<String>) -> Response {
    let cleared = id.parse().map(|id| shared.clear(Some(FaultId(id))));
    match cleared {
        Ok(1..) => ok(&json!({"cleared": 1})),
        Ok(0) | Err(_) => refuse(404, &format!("there is no fault {id}; GET /_reveille/faults lists them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> Result<InstanceFault, String> {
        let request: FaultRequest = serde_json::from_str(body).map_err(|error| error.to_string())?;
        request.fault()
    }

    #[test]
    fn every_kind_can_be_asked_for_and_is_listed_as_it_was_asked_for() {
        for body in [
            r#"{"kind":"missing-capacity","afterMs":5}"#,
            r#"{"kind":"start-dropped","pendingMs":0}"#,
            r#"{"kind":"quota"}"#,
            r#"{"kind":"throttle","operation":"StartNotebookInstance"}"#,
            r#"{"kind":"server-error","operation":"StopNotebookInstance","afterEffect":true}"#,
            r#"{"kind":"stale-describe","ageMs":7}"#,
            r#"{"kind":"stuck-pending"}"#,
            r#"{"kind":"stuck-stopping"}"#,
            r#"{"kind":"maintenance","pendingMs":1,"lastingMs":2}"#,
            r#"{"kind":"lifecycle-failure"}"#,
        ] {
            let asked: Map<String, Value> = serde_json::from_str(body).unwrap();
            let fault = fault(body).unwrap();
            assert_eq!(fault.times, Some(1), "{body}");
            let listed = fault_json(&ArmedFault { id: FaultId(3), fault, fired: 0 });
            for (field, value) in asked {
                assert_eq!(listed[&field], value, "{body}");
            }
        }
    }

    #[test]
    fn the_scope_of_a_fault_is_taken_over() {
        let armed = fault(r#"{"kind":"quota","instance":"a","times":3}"#).unwrap();
        assert_eq!(armed, InstanceFault::once(FaultKind::Quota).on("a").times(3));
        let armed = fault(r#"{"kind":"quota","untilCleared":true}"#).unwrap();
        assert_eq!(armed, InstanceFault::once(FaultKind::Quota).until_cleared());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (body, part) in [
            (r#"{"kind":"quotas"}"#, "quotas"),
            (r#"{"kind":"quota","time":1}"#, "`time`"),
            (r#"{"kind":"quota","ageMs":1}"#, "ageMs"),
            (r#"{"kind":"stale-describe"}"#, "ageMs"),
            (r#"{"kind":"stale-describe","ageMs":99999999999999}"#, "ageMs"),
            (r#"{"kind":"throttle","operation":"Fly"}"#, "Fly"),
            (r#"{"kind":"quota","times":1,"untilCleared":true}"#, "untilCleared"),
            (r#"{"instance":"a"}"#, "kind"),
        ] {
            let message = fault(body).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
