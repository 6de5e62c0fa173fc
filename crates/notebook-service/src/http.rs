//! The wire protocol: awsJson1.1 on `POST /`, and the admin paths.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::Response,
    routing::{get, post},
};
use reveille_instance_model::{ApiError, Operation};
use serde_json::{Value, json};

use crate::{admin, guard, requests, responses, service::Shared, uuid};

/// The largest request: two scripts of 16,384 characters and fifty tags fit many times over.
const BODY_LIMIT: usize = 256 * 1024;
/// How much of a user agent stands in the call log.
const USER_AGENT_LIMIT: usize = 120;
pub(crate) const AWS_JSON: &str = "application/x-amz-json-1.1";

/// An error answer of the wire protocol.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The service's own errors.
    Api(ApiError),
    /// The body is no JSON object, or a member has the wrong type.
    Serialization(String),
    /// No such operation here.
    UnknownOperation(String),
    /// Too large a body, or one that was cut off.
    Body(String),
}

impl From<ApiError> for WireError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl WireError {
    fn parts(self) -> (u16, &'static str, String) {
        match self {
            Self::Api(error) => (error.http_status(), error.code(), error.to_string()),
            Self::Serialization(message) => (400, "SerializationException", message),
            Self::UnknownOperation(message) => (400, "UnknownOperationException", message),
            Self::Body(message) => (413, "RequestEntityTooLargeException", message),
        }
    }
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", post(api))
        .route("/_reveille/health", get(admin::health))
        .route("/_reveille/instances", get(admin::instances))
        .route("/_reveille/faults", post(admin::arm).get(admin::faults).delete(admin::clear_all))
        .route("/_reveille/faults/{id}", axum::routing::delete(admin::clear_one))
        .fallback(nothing_here)
        // Over everything, the fallback and methods that are not allowed too.
        .layer(from_fn_with_state(shared.clone(), guard::check))
        .with_state(shared)
}

/// Reads a body within the limit.
pub(crate) async fn body(request: Body) -> Result<Vec<u8>, String> {
    let read = to_bytes(request, BODY_LIMIT).await;
    read.map(|bytes| bytes.to_vec())
        .map_err(|error| format!("The body could not be read within {BODY_LIMIT} bytes: {error}"))
}

/// An answer with a JSON body.
pub(crate) fn answer(status: u16, content_type: &'static str, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id = uuid::fresh().ok().and_then(|id| HeaderValue::from_str(&id).ok());
    if let Some(id) = id {
        headers.insert("x-amzn-requestid", id);
    }
    response
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
    let response = shared.apply(&caller(headers), command)?;
    Ok(responses::json(&response))
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
