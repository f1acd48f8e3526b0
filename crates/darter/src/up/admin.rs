//! The admin address: metrics for Prometheus, health for whoever restarts us. It must never be the public one, and it
//! says nothing about tenants beyond numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use darter_gateway::Gateway;
use darter_platform::{Platform, metrics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the admin address shows.
#[derive(Clone)]
pub struct Admin {
    pub platform: Arc<Platform>,
    pub gateway: Gateway,
    /// Requests are served: true between `ready` and the first signal.
    pub ready: Arc<AtomicBool>,
}

/// Serves until `stop`.
pub async fn serve(socket: TcpListener, admin: Admin, stop: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .with_state(admin);
    let served = axum::serve(socket, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin address is no longer served");
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    }
}

async fn numbers(State(admin): State<Admin>) -> impl IntoResponse {
    let mut text = metrics::metrics_text(&admin.platform);
    let gateway = admin.gateway.snapshot();
    let own = [
        ("darter_gateway_connections", "gauge", "Open client connections", gateway.connections_open),
        (
            "darter_gateway_requests",
            "counter",
            "Requests since the start, the console's included",
            gateway.requests_total,
        ),
        ("darter_gateway_requests_in_flight", "gauge", "Requests being answered", gateway.requests_in_flight),
        ("darter_gateway_tunnels", "gauge", "Open WebSockets", gateway.tunnels_open),
        ("darter_gateway_rate_limited", "counter", "Requests answered 429", gateway.rate_limited_total),
    ];
    let end = text.rfind("# EOF").unwrap_or(text.len());
    let lines: String = own.iter().map(|(name, kind, help, value)| line(name, kind, help, *value)).collect();
    text.insert_str(end, &lines);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

fn line(name: &str, kind: &str, help: &str, value: u64) -> String {
    let suffix = if kind == "counter" { "_total" } else { "" };
    format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{suffix} {value}\n")
}
