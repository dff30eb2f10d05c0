//! What a replica asks of a kind, for any type.

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all, join3, pending},
};
use kube::{Client, api::ListParams};

use super::{dry_run::dry_run, runner};
use crate::{
    kinds::{Hold, Kind},
    observability::{problem::Problem, progress::Progress},
    reconciler::Reconciler,
    routing::{
        bucket::Bucket,
        kind_set::KindMode,
        layout::{selector, unstamped_selector},
    },
    setup::KindSetup,
    sharded::ShardedObject,
    stamper::{BeforeRecording, Stamper},
};

impl<K: ShardedObject, R: Reconciler<K>> Kind for KindSetup<K, R> {
    fn mode(&self) -> KindMode {
        self.mode
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    fn definition(&self) -> &Problem {
        &self.definition
    }

    fn run(self: Arc<Self>, hold: Hold) -> BoxFuture<'static, ()> {
        runner::run(self, hold).boxed()
    }

    fn stamp(
        &self,
        client: Client,
        delay: Duration,
        before_recording: Option<BeforeRecording>,
    ) -> BoxFuture<'_, ()> {
        if self.mode == KindMode::Unsharded {
            return pending().boxed();
        }
        let stamper = Stamper { before_recording, ..self.stamper(client, delay) };
        async move { stamper.run::<K>(&self.setup.options.watch_namespaces).await }.boxed()
    }

    fn forward_triggers(&self) -> BoxFuture<'_, ()> {
        self.external.forward().boxed()
    }

    fn can_list(&self) -> BoxFuture<'_, bool> {
        can_list(self).boxed()
    }

    fn dry_run<'a>(
        &'a self,
        buckets: &'a [Bucket],
    ) -> BoxFuture<'a, Option<(Bucket, Result<(), kube::Error>)>> {
        dry_run(self, buckets).boxed()
    }
}

/// Whether the resources can be listed, and each type that they own or depend on: a shard is worked on where all of them are.
async fn can_list<K: ShardedObject, R: Reconciler<K>>(kind: &KindSetup<K, R>) -> bool {
    let (setup, label) = (&kind.setup, &kind.stamp.bucket_label);
    // Few are enough to know whether there is an answer.
    let few = |labels: &str| {
        let few = ListParams::default().limit(1);
        if labels.is_empty() { few } else { few.labels(labels) }
    };
    let (of_resources, of_children) = match kind.mode {
        KindMode::Sharded => (unstamped_selector(label), selector(label, &[Bucket(0)])),
        KindMode::Unsharded => (String::new(), String::new()),
    };
    let (of_resources, of_children) = (few(&kind.selected(of_resources)), few(&of_children));
    let client = setup.clients.ungated();
    let children = kind.owned.iter();
    let children = children.map(|owned| {
        (owned.can_list)(owned.kind.clone(), setup.scope.clone(), client.clone(), of_children.clone())
    });
    let watched = kind.watched.iter().map(|watched| watched.can_list());
    let resources = setup.scope.can_list::<K>(&kind.kind, &client, &of_resources);
    let (resources, children, watched) = join3(resources, join_all(children), join_all(watched)).await;
    resources && children.into_iter().chain(watched).all(|listed| listed)
}
