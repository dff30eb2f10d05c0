//! An image that no node can pull, as a typing error makes it.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use memcached_operator::crd::Memcached;
use serde_json::json;

use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::resources::{NAMESPACE, served};
use crate::wait::{WaitStatus, until};

const NAME: &str = "mistyped";
/// Refused at once on every node. A name that is not known would do as well, but a kubelet may ask name servers for a minute.
const IMAGE: &str = "localhost:9/memcached:1.6.39";
const REASON: &str = "ImagePullBackOff";
/// What servers lack is looked for once they have not been ready for twenty seconds, and again after half of the time that they have not been.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// Told in the conditions and in an event; with the right image the servers come up, although those with the wrong one never got ready.
pub(super) async fn told_until_corrected(harness: &mut Harness) -> Result<()> {
    harness.resources.create([(NAME.to_owned(), served(2, IMAGE))]).await?;
    let told = told_and_corrected(harness).await;
    // A resource that never gets ready would fail the drills after this one too.
    let gone = harness.resources.delete(NAME, Duration::from_secs(120)).await;
    told.and(gone)
}

async fn told_and_corrected(harness: &mut Harness) -> Result<()> {
    let api: Api<Memcached> = Api::namespaced(harness.client.clone(), NAMESPACE);
    for (condition, status) in [("Ready", "False"), ("Degraded", "True")] {
        let what = format!("{condition}={status} of {NAME} for the image");
        until(&what, TOLD_WITHIN, || async { said(&api, condition, status).await }).await?;
    }
    until("an event about the image", TOLD_WITHIN, || async {
        let events = events(harness).await?;
        let told = events.iter().any(|(reason, note)| reason == REASON && note.contains(IMAGE));
        Ok(WaitStatus::when(told, || format!("there is {events:?}")))
    })
    .await?;
    harness.note(format!("{IMAGE} cannot be pulled, which Ready, Degraded and an event say"));

    harness.resources.patch(NAME, json!({"image": harness.images.memcached})).await?;
    harness.resources.converged(CONVERGED_WITHIN).await?;
    until("the event that it is well again", TOLD_WITHIN, || async {
        let events = events(harness).await?;
        let told = events.iter().any(|(reason, _)| reason == "Recovered");
        Ok(WaitStatus::when(told, || format!("there is {events:?}")))
    })
    .await?;
    harness.note("with the image corrected, both servers run");
    Ok(())
}

async fn said(api: &Api<Memcached>, type_: &str, status: &str) -> Result<WaitStatus<()>> {
    let memcached = api.get(NAME).await.context("the Memcached could not be read")?;
    let conditions = memcached.status.map(|status| status.conditions).unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition.type_ == type_);
    let holds = found.as_ref().is_some_and(|found| {
        found.status == status && found.reason == REASON && found.message.contains(IMAGE)
    });
    Ok(WaitStatus::when(holds, || match found {
        Some(found) => format!("{type_}={} ({}): {}", found.status, found.reason, found.message),
        None => format!("there is no {type_}"),
    }))
}

/// Reason and note of each event on the resource.
async fn events(harness: &Harness) -> Result<Vec<(String, String)>> {
    let api: Api<Event> = Api::namespaced(harness.client.clone(), NAMESPACE);
    let all = api.list(&ListParams::default()).await.context("events could not be listed")?;
    let is_ours = |event: &&Event| {
        let on = event.regarding.as_ref();
        on.is_some_and(|on| on.kind.as_deref() == Some("Memcached") && on.name.as_deref() == Some(NAME))
    };
    let told = all.iter().filter(is_ours);
    Ok(told
        .map(|event| (event.reason.clone().unwrap_or_default(), event.note.clone().unwrap_or_default()))
        .collect())
}
