//! Waiting until an API server answers.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::backend::Backend;
use crate::error::{StartError, tail_of};

/// Waits until `/readyz` says yes and the namespace `default`, which every user of a cluster expects, is there.
pub(super) async fn await_ready(
    client: &Client,
    backend: &dyn Backend,
    within: Duration,
) -> Result<(), StartError> {
    const BETWEEN: Duration = Duration::from_millis(25);
    let started = Instant::now();
    loop {
        let last = match tokio::time::timeout(Duration::from_secs(5), probe(client)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => "no answer for 5 s".to_owned(),
        };
        let dead = backend.dead().await;
        if dead.is_some() || started.elapsed() >= within {
            let log = backend.server_log().unwrap_or_default();
            return Err(StartError::NotReady {
                awaited: format!("the API server at {} to be ready", backend.server()),
                waited: started.elapsed(),
                last: dead.unwrap_or(last),
                tail: tail_of(&log),
                log,
            });
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

async fn probe(client: &Client) -> Result<(), String> {
    let request = http::Request::get("/readyz").body(Vec::new()).expect("a constant request is valid");
    client.request_text(request).await.map_err(|error| describe(&error))?;
    Api::<Namespace>::all(client.clone()).get("default").await.map_err(|error| describe(&error))?;
    Ok(())
}

/// An error with its causes: hyper's own sentence says nothing but "client error (Connect)".
fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
