//! The kiro board over HTTP.

mod config;
mod error;
mod health;
mod routes;

use std::error::Error;
use std::process::ExitCode;

use kiro_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::Config;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const USAGE: &str = "\
usage: kiro-server            serve the board
       kiro-server health     ask a running server whether it is well
       kiro-server --version

environment: KIRO_ADDR, KIRO_ALLOWED_ORIGIN, DATABASE_URL, RUST_LOG";

fn main() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(message) => return fail(&message),
    };
    match std::env::args().nth(1).as_deref() {
        None => match serve(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        },
        Some("health") => match health::check(config.addr) {
            Ok(body) => {
                println!("{body}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!("not healthy: {error}")),
        },
        Some("--version" | "-V") => {
            println!("kiro-server {VERSION}");
            ExitCode::SUCCESS
        }
        Some("--help" | "-h") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!("kiro-server: unknown argument `{other}`\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("kiro-server: {message}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .init();

    let store = Store::open(&config.database_url).await?;
    let app = routes::app(store.clone(), config.allowed_origin);
    let listener = TcpListener::bind(config.addr).await?;
    tracing::info!(version = VERSION, addr = %listener.local_addr()?, "kiro is up");

    axum::serve(listener, app).with_graceful_shutdown(asked_to_stop()).await?;
    store.close().await;
    tracing::info!("kiro is down");
    Ok(())
}

/// Resolves on SIGTERM (a container stops) and SIGINT (Ctrl-C).
async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!("cannot listen for signals");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => tracing::info!("SIGTERM: finishing open requests"),
        _ = int.recv() => tracing::info!("SIGINT: finishing open requests"),
    }
}
