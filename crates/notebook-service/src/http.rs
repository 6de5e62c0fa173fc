//! The wire protocol: awsJson1.1 on `POST /`, and the admin paths.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use reveille_instance_model::Operation;
use serde_json::{Value, json};

use crate::{
    admin, requests, responses, roles,
    shared::Shared,
    wire::{AWS_JSON, WireError, answer, body},
};

/// How much of a user agent is in the call log.
const USER_AGENT_LIMIT: usize = 120;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", post(api))
        .route("/_reveille/health", get(admin::health))
        .route("/_reveille/instances", get(admin::instances))
        .route("/_reveille/faults", post(admin::arm).get(admin::faults).delete(admin::clear_all))
        .route("/_reveille/faults/{id}", axum::routing::delete(admin::clear_one))
        .fallback(nothing_here)
        // Over everything, the fallback and methods that are not allowed too.
        .layer(from_fn_with_state(shared.clone(), check))
        .with_state(shared)
}

/// Lets a request pass, or answers that it is refused. It runs before everything else, for every path and method.
async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let guard = &shared.guard;
    let Some(refusal) = guard.refusal(request.headers(), request.uri().query()) else { return next.run(request).await };
    shared.log(&format!("{} {}: refused ({refusal:?})", request.method(), request.uri().path().escape_debug()));
    let body = json!({"__type": "AccessDeniedException", "message": guard.words(&refusal)});
    answer(StatusCode::FORBIDDEN.as_u16(), AWS_JSON, &body)
}

async fn nothing_here(request: Request) -> Response {
    let message = format!(
        "{} {} is not served here. The SageMaker API is POST /; see /_reveille/instances and /_reveille/faults for the rest.",
        request.method(),
        request.uri().path()
    );
    answer(404, "application/json", &json!({"message": message}))
}

async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, content) = request.into_parts();
    match handle(&shared, &parts.headers, content).await {
        Ok(value) => answer(200, AWS_JSON, &value),
        Err(error) => {
            let (status, code, message) = error.parts();
            answer(status, AWS_JSON, &json!({"__type": code, "message": message}))
        }
    }
}

async fn handle(shared: &Shared, headers: &HeaderMap, content: Body) -> Result<Value, WireError> {
    let operation = operation(headers)?;
    let bytes = body(content).await.map_err(WireError::Body)?;
    let command = requests::command(operation, &bytes)?;
    let resource = || match command.instance() {
        Some(name) => shared.account().instance_arn(name),
        None => "*".to_owned(),
    };
    if let Some(role) = roles::of(headers) {
        may(shared, role, operation, resource()).await?;
    }
    let response = shared.apply(&caller(headers), command)?;
    Ok(responses::json(&response))
}

/// Notes the call of a role, and lets it pass if the role's policies do.
async fn may(shared: &Shared, role: &str, operation: Operation, resource: String) -> Result<(), WireError> {
    let action = format!("sagemaker:{operation}");
    shared.roles.note(role, &action, &resource);
    let Some(authorizer) = &shared.authorizer else { return Ok(()) };
    match authorizer.denial(role, &action, &resource).await {
        Ok(None) => Ok(()),
        Ok(Some(sentence)) => Err(WireError::Denied(sentence)),
        Err(why) => Err(WireError::Unasked(why)),
    }
}

fn operation(headers: &HeaderMap) -> Result<Operation, WireError> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let name = target.strip_prefix("SageMaker.").unwrap_or(target);
    let known = target.starts_with("SageMaker.").then(|| Operation::parse(name)).flatten();
    known.ok_or_else(|| {
        WireError::UnknownOperation(format!(
            "The operation '{name}' is unknown here: this service has notebook instances, their lifecycle configurations and their tags. Set X-Amz-Target to SageMaker.<operation>."
        ))
    })
}

/// Who calls: the user agent. All have the same access key, which is a secret and stays out of logs.
fn caller(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("no user agent");
    agent.chars().take(USER_AGENT_LIMIT).collect()
}
