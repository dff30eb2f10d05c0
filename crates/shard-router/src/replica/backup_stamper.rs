//! Stamps that no coordinator has made.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use kube::Client;
use lease_core::Elections;
use tokio::sync::watch;

use super::intent;
use crate::{kinds::Kinds, membership::committed::Verdict, setup::Setup, stamper::BeforeRecording};

/// Every replica stamps resources that stay without a bucket, in case there is no coordinator for a long time; but only while the committed
/// layout matches its own, since the key label is part of it.
pub(super) async fn run(
    setup: Arc<Setup>,
    kinds: Kinds,
    mut verdict: watch::Receiver<Verdict>,
    elections: Elections,
) {
    let mut rewinds = elections.rewinds();
    let client = setup.stamper_clients.ungated();
    // Not the same for all replicas: the first one that begins makes progress, and the others leave the objects to it.
    let delay = setup.options.stamp_delay().mul_f64(1.0 + setup.rng.roll() / 2.0);
    let confirm = (setup.clone(), elections);
    let before_recording = BeforeRecording {
        is_committed: Arc::new(move || {
            let (setup, elections) = confirm.clone();
            async move { intent::is_committed(&setup, &elections).await }.boxed()
        }),
        limit: setup.options.elections.timings.renew_deadline(),
    };
    let mut otherwise = verdict.clone();
    while verdict.wait_for(|verdict| *verdict == Verdict::Work).await.is_ok() {
        tokio::select! {
            () = stamp(&setup, &kinds, &client, delay, &before_recording) => {}
            _ = otherwise.wait_for(|verdict| *verdict != Verdict::Work) => {}
            // After a restore of etcd, the resourceVersions that its watches continue from mean other states.
            Ok(()) = rewinds.changed() => {}
        }
    }
}

/// Never ends by itself.
async fn stamp(setup: &Setup, kinds: &Kinds, client: &Client, delay: Duration, before: &BeforeRecording) {
    setup.layouts.may_stamp().await;
    kinds.stamp(client, delay, Some(before)).await;
}
