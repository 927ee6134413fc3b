use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kiro_domain::Invalid;
use kiro_store::StoreError;
use serde_json::json;

/// What can go wrong in a handler.
#[derive(Debug)]
pub enum ApiError {
    Invalid(Invalid),
    Store(StoreError),
}

impl From<Invalid> for ApiError {
    fn from(error: Invalid) -> Self {
        Self::Invalid(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Invalid(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            Self::Store(error @ StoreError::NoTask(_)) => (StatusCode::NOT_FOUND, error.to_string()),
            Self::Store(error) => {
                tracing::error!(%error, "request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side".to_owned())
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}
