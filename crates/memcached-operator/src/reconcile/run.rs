//! The pipeline, put together.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::controller::Action;

use super::apply::{Applied, apply};
use super::build::build;
use super::delay::delay;
use super::error::{ReconcileError, key};
use super::events;
use super::fetch::{Observed, fetch};
use super::status::{Outcome, status, write};
use super::validate::validate;
use crate::crd::Memcached;

/// Reconciles one `Memcached` after the other. Holds no client: each reconcile gets one that works only as long as this
/// replica holds the resource's shard.
#[derive(Clone, Debug)]
pub struct MemcachedReconciler {
    replica: Arc<str>,
}

impl MemcachedReconciler {
    /// `replica` is named in events as the reporting instance.
    pub fn new(replica: &str) -> Self {
        Self { replica: replica.into() }
    }

    /// One reconcile with this client; `bucket` is the label for the children, as key and value.
    ///
    /// # Errors
    /// Whatever is worth another attempt. An invalid spec is not: it waits for a change.
    pub async fn run(
        &self,
        memcached: &Memcached,
        client: &Client,
        bucket: &(String, String),
    ) -> Result<Action, ReconcileError> {
        if memcached.metadata.deletion_timestamp.is_some() {
            // The children go by their owner references.
            return Ok(Action::await_change());
        }
        let (observed, result) = match Box::pin(fetch(client, memcached)).await {
            Ok(observed) => {
                delay(memcached).await;
                let result = Box::pin(converge(memcached, client, bucket, &observed)).await;
                (observed, result)
            }
            Err(error) => (Observed::default(), Err(Failure::Error(error))),
        };
        match result {
            Ok(applied) => {
                Box::pin(self.report(
                    client,
                    memcached,
                    Some(&applied.stateful_set),
                    &Outcome::Applied,
                    Some(&applied),
                ))
                .await?;
                Ok(Action::await_change())
            }
            Err(Failure::Invalid(problems)) => {
                let servers = observed.stateful_set.as_ref();
                Box::pin(self.report(client, memcached, servers, &Outcome::Invalid(&problems), None)).await?;
                tracing::warn!(
                    memcached = key(memcached),
                    ?problems,
                    "the spec is invalid; waiting for a change"
                );
                Ok(Action::await_change())
            }
            Err(Failure::Error(error)) => {
                if error.is_refusal() {
                    let servers = observed.stateful_set.as_ref();
                    Box::pin(self.report(
                        client,
                        memcached,
                        servers,
                        &Outcome::Refused(&error.to_string()),
                        None,
                    ))
                    .await?;
                }
                Err(error)
            }
        }
    }

    async fn report(
        &self,
        client: &Client,
        memcached: &Memcached,
        servers: Option<&k8s_openapi::api::apps::v1::StatefulSet>,
        outcome: &Outcome<'_>,
        applied: Option<&Applied>,
    ) -> Result<(), ReconcileError> {
        let status = status(memcached, servers, outcome, Timestamp::now());
        let events = events::of_reconcile(memcached, applied, &status);
        write(client, memcached, &status).await?;
        events::publish(client, memcached, &self.replica, &events).await;
        Ok(())
    }
}

enum Failure {
    Invalid(Vec<super::validate::Problem>),
    Error(ReconcileError),
}

async fn converge(
    memcached: &Memcached,
    client: &Client,
    bucket: &(String, String),
    observed: &Observed,
) -> Result<Applied, Failure> {
    let fleet = validate(memcached).map_err(Failure::Invalid)?;
    apply(client, build(&fleet, bucket), observed).await.map_err(Failure::Error)
}
