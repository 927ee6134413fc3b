use std::env::{self, VarError};
use std::net::SocketAddr;

use axum::http::HeaderValue;

const DEFAULT_ADDR: &str = "0.0.0.0:8080";
const DEFAULT_DATABASE_URL: &str = "sqlite:///data/kiro.db?mode=rwc";

/// Everything that the environment decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// `KIRO_ADDR`: where to listen.
    pub addr: SocketAddr,
    /// `DATABASE_URL`: where the board is kept.
    pub database_url: String,
    /// `KIRO_ALLOWED_ORIGIN`: a page on another origin that may call the API.
    pub allowed_origin: Option<HeaderValue>,
}

impl Config {
    pub fn from_env() -> Result<Self, String> {
        let addr = var("KIRO_ADDR")?.unwrap_or_else(|| DEFAULT_ADDR.to_owned());
        let database_url = var("DATABASE_URL")?.unwrap_or_else(|| DEFAULT_DATABASE_URL.to_owned());
        let allowed_origin = var("KIRO_ALLOWED_ORIGIN")?
            .map(|origin| HeaderValue::try_from(&origin))
            .transpose()
            .map_err(|error| format!("KIRO_ALLOWED_ORIGIN: {error}"))?;
        Ok(Self { addr: addr.parse().map_err(|error| format!("KIRO_ADDR `{addr}`: {error}"))?, database_url, allowed_origin })
    }
}

/// An environment variable; unset and empty are the same.
fn var(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
    }
}
