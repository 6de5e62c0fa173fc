//! What goes over the wire: bodies within a limit, answers, and errors in the form of awsJson1.1.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use reveille_instance_model::ApiError;
use serde_json::Value;

use crate::uuid;

/// The largest request: two scripts of 16,384 characters and fifty tags fit many times over.
const BODY_LIMIT: usize = 256 * 1024;
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
    /// The caller's role may not.
    Denied(String),
    /// What the caller's role may is not known now.
    Unasked(String),
}

impl From<ApiError> for WireError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl WireError {
    pub(crate) fn parts(self) -> (u16, &'static str, String) {
        match self {
            Self::Api(error) => (error.http_status(), error.code(), error.to_string()),
            Self::Serialization(message) => (400, "SerializationException", message),
            Self::UnknownOperation(message) => (400, "UnknownOperationException", message),
            // As AWS answers SageMaker's denials: 400, and no 403.
            Self::Denied(message) => (400, "AccessDeniedException", message),
            Self::Unasked(message) => (503, "ServiceUnavailable", message),
            Self::Body(message) => (413, "RequestEntityTooLargeException", message),
        }
    }
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
