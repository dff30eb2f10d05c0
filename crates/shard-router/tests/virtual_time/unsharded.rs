//! A kind that is not sharded, when the coordinator Lease changes hands.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt, api::PostParams};
use overlap_checker::{JudgedResource, Owner, Verdict};
use shard_router::{Action, Change, Held, ShardedApp};

use crate::{
    harness::{Harness, NAMESPACE, Replica},
    judged_run::{Run, Tenant, TenantSpec},
    layout_change::{Reconciles, both_at_once, delete_leases, reconciled_by, recording},
    widget::{Widget, create},
};

pub(crate) const RESOURCES: usize = 12;
/// Longer than a takeover after a release, so that a reconcile that is not waited for runs beside the next holder's.
const RECONCILE: Duration = Duration::from_secs(4);
const AGAIN: Duration = Duration::from_secs(1);

/// How the first holder ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    CutOff,
    ShutDown,
}

/// Has each tenant reconciled again and again, with a child each.
fn declare(app: &mut ShardedApp, harness: &Harness) {
    let clock = harness.clock.clone();
    app.unsharded::<Tenant>().owns::<ConfigMap>().run(move |tenant: Arc<Tenant>, held: Held| {
        let clock = clock.clone();
        async move {
            let name = format!("{}-child", tenant.name_any());
            let found: Option<Arc<ConfigMap>> = held.owned_in(NAMESPACE, &name).map_err(io::Error::other)?;
            let mut child = ConfigMap::default();
            (child.metadata.name, child.metadata.namespace) = (Some(name), Some(NAMESPACE.to_owned()));
            let applied = held.apply_owned(tenant.as_ref(), child).await.map_err(io::Error::other)?;
            assert_eq!(found.is_none(), applied.change == Change::Created, "{applied:?}");
            clock.sleep(RECONCILE).await;
            Ok::<_, io::Error>(Action::requeue(AGAIN))
        }
    });
}

/// One replica reconciles all tenants and ends, and another one takes them over.
pub(crate) async fn taken_over(ends: Ends) -> Verdict {
    let run = Run::new().await;
    let harness = &run.harness;
    let tenants: Api<Tenant> = Api::all(harness.admin());
    for number in 0..RESOURCES {
        let tenant = Tenant::new(&format!("resource-{number}"), TenantSpec {});
        tenants.create(&PostParams::default(), &tenant).await.unwrap();
    }
    let all: BTreeSet<_> = (0..RESOURCES).map(|number| format!("/resource-{number}")).collect();
    let start = |pod: &str| {
        let (network, mut app) = run.app(pod, 2);
        declare(&mut app, harness);
        Harness::spawn(network, app)
    };
    let old = start("op-0");
    harness.until("op-0 to reconcile everything", || async { run.reconciled_by("op-0", 0) == all }).await;
    let new = start("op-1");
    harness.clock.sleep(Duration::from_secs(30)).await;
    assert!(run.reconciled_by("op-1", 0).is_empty(), "op-1 has not got the coordinator Lease");

    let Replica { network, stop, task } = old;
    match ends {
        Ends::CutOff => network.swallow(true),
        Ends::ShutDown => {
            stop.send(()).unwrap();
            task.await.unwrap().unwrap();
        }
    }
    harness.until("op-1 to reconcile everything", || async { run.reconciled_by("op-1", 0) == all }).await;
    drop(new.stop);
    new.task.await.unwrap().unwrap();
    run.judge(vec![
        JudgedResource::new("test.shard-router.dev", "tenants", Owner::Itself).of_cluster_scoped(),
        JudgedResource::new("", "configmaps", Owner::Suffix("-child".into())).of_cluster_scoped(),
    ])
}

/// A replica that shards widgets is cut off, somebody deletes all Leases meanwhile, and a replica that does not shard them begins with its own layout. Returns
/// the reconciles of one widget by both at once, in words.
pub(crate) async fn beside_a_former_layout() -> Vec<String> {
    const WIDGETS: usize = 8;
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let reconciles = Reconciles::default();
    let old = harness.start(harness.options("old", 4), recording("old", &reconciles, &harness));
    let all_by = |replica: &'static str| {
        let reconciles = &reconciles;
        move || async move { reconciled_by(replica, reconciles) == WIDGETS }
    };
    harness.until("old to reconcile everything", all_by("old")).await;
    let (network, mut app) = harness.app(harness.options("new", 4));
    app.unsharded::<Widget>().run(recording("new", &reconciles, &harness));
    let new = Harness::spawn(network, app);
    // It sees another layout, and refuses.
    harness.clock.sleep(Duration::from_secs(5)).await;

    delete_leases(&harness, &old.network).await;
    harness.until("new to reconcile everything", all_by("new")).await;
    // What has begun by then is noted when it ends.
    harness.clock.sleep(Duration::from_secs(2)).await;
    drop((old, new));
    both_at_once(&reconciles.lock().unwrap())
}
