//! Whether fencing works: from time to time each replica asks the API server, by dry runs, for a write to a resource of its own, which has to be admitted, and for one to a resource of
//! another replica, which a fencing policy has to refuse.
//!
//! It says nothing where it cannot know: if there are no such resources, if the table has changed meanwhile, or if the API server does not answer. Behind one address there may be several API
//! servers, of which each dry run asks one.

use std::{sync::Arc, time::Duration};

use kube::runtime::events::{self, EventType};

use crate::{
    fencing::is_refusal,
    kinds::Kinds,
    ownership::{Owners, WriterSide},
    routing::bucket::Bucket,
    setup::Setup,
};

/// The pause between two checks.
const EVERY: Duration = Duration::from_mins(5);
/// The pause after one that has shown nothing, or that fencing does not work.
const SOON: Duration = Duration::from_secs(30);

/// What a check has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    /// The owner is admitted, and nobody else.
    Effective,
    /// Something else, in a sentence.
    Ineffective(String),
    /// Nothing.
    Unproven,
}

/// Runs for as long as the replica does. Does nothing without fencing.
pub(super) async fn run(setup: Arc<Setup>, kinds: Kinds) {
    let Some(rows) = setup.ownership.writer() else { return };
    let mut before = Finding::Unproven;
    loop {
        let pause = if before == Finding::Effective { EVERY } else { SOON };
        setup.clock.sleep(pause.mul_f64(0.9 + 0.2 * setup.rng.roll())).await;
        let mut finding = check(&kinds, &rows).await;
        if matches!(finding, Finding::Ineffective(_)) {
            // The API server may not have heard of a new owner yet.
            setup.clock.sleep(Duration::from_secs(5)).await;
            finding = check(&kinds, &rows).await;
        }
        setup
            .metrics
            .fencing_works(finding == Finding::Effective, matches!(finding, Finding::Ineffective(_)));
        if finding != before {
            tell(&setup, &rows, &finding).await;
        }
        before = finding;
    }
}

async fn check(kinds: &Kinds, rows: &WriterSide) -> Finding {
    let Owners { own, others } = rows.owners();
    let (of_own, of_others) = (kinds.dry_run(&own).await, kinds.dry_run(&others).await);
    let now = rows.owners();
    // Otherwise it has changed hands meanwhile.
    let still = |buckets: &[Bucket], bucket: Bucket| buckets.contains(&bucket);
    let of_own = of_own.filter(|(bucket, _)| still(&now.own, *bucket));
    let of_others = of_others.filter(|(bucket, _)| still(&now.others, *bucket));
    let refused = |answer: &Option<(Bucket, Result<(), kube::Error>)>| match answer {
        Some((_, Err(error))) => is_refusal(error).then_some(true),
        Some((_, Ok(()))) => Some(false),
        None => None,
    };
    match (refused(&of_own), refused(&of_others)) {
        (Some(true), _) => Finding::Ineffective(
            "the API server refuses writes of this replica to resources that it owns by the ownership table".to_owned(),
        ),
        (_, Some(false)) => Finding::Ineffective(
            "the API server admits writes of this replica to resources that another Pod owns by the ownership table; are the admission policies installed, with the action Deny?"
                .to_owned(),
        ),
        (Some(false), Some(true)) => Finding::Effective,
        _ => Finding::Unproven,
    }
}

async fn tell(setup: &Setup, rows: &WriterSide, finding: &Finding) {
    match finding {
        Finding::Effective => tracing::info!(
            "fencing works: a dry run of the owner was admitted, and one of another Pod refused"
        ),
        Finding::Unproven => {}
        Finding::Ineffective(why) => {
            tracing::error!("fencing does not work: {why}");
            let event = events::Event {
                type_: EventType::Warning,
                reason: "FencingIneffective".to_owned(),
                note: Some(why.clone()),
                action: "Fence".to_owned(),
                secondary: None,
            };
            let recorder = events::Recorder::new(setup.stamper_clients.unobserved(), setup.reporter());
            let pod = rows.pod().reference(&setup.options.elections.namespace);
            if let Err(error) = recorder.publish(&event, &pod).await {
                tracing::warn!(%error, "the event {} could not be published", event.reason);
            }
        }
    }
}
