//! The responses.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The content type of `OpenMetrics`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns whether this replica is ready, and if not, why.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// `/metrics`, in `OpenMetrics`.
pub fn metrics(registry: Arc<Registry>) -> Router {
    let answer = move || {
        let mut text = String::new();
        let answer = match encode(&mut text, &registry) {
            Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
            Err(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics could not be encoded: {error}\n"))
                    .into_response()
            }
        };
        std::future::ready(answer)
    };
    Router::new().route("/metrics", get(answer))
}

/// `/healthz`, which answers as long as the process runs, and `/readyz`, whose body says what is wrong. A standby is
/// ready.
pub fn health(readiness: Readiness) -> Router {
    let ready = move || {
        std::future::ready(match readiness() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(because) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {because}\n")),
        })
    };
    Router::new().route("/healthz", get(|| std::future::ready("ok\n"))).route("/readyz", get(ready))
}
