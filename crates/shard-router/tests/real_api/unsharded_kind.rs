//! A kind that is not sharded, beside one that is, while its holder ends and the next one does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt, api::PostParams};
use kube_testkit::eventually;
use shard_router::{Action, ApplyError, Held};

use crate::{
    fleet::{DEADLINE, Fleet, ID, Running, violations},
    widget::{LABEL, Widget, create},
};

const RESOURCES: usize = 4;
/// Long enough for reconciles of two replicas to overlap, if they could.
const WORK: Duration = Duration::from_millis(50);

/// Each Secret owns a ConfigMap.
fn start(fleet: &Fleet, pod: &str) -> Running {
    let (identity, mut app) = fleet.app(fleet.options(pod, 2).with_resync(Some(Duration::from_millis(300))));
    app.controller::<Widget>().run(|_: Arc<Widget>, _: Held| async {
        tokio::time::sleep(WORK).await;
        Ok::<_, ApplyError>(Action::await_change())
    });
    app.unsharded::<Secret>().owns::<ConfigMap>().run(|secret: Arc<Secret>, held: Held| async move {
        tokio::time::sleep(WORK).await;
        let mut child = ConfigMap::default();
        child.metadata.name = Some(secret.name_any());
        held.apply_owned(secret.as_ref(), child).await?;
        Ok::<_, ApplyError>(Action::await_change())
    });
    Fleet::spawn(identity, app)
}

/// How often each replica has reconciled a Secret, as the records tell it.
fn reconciles_of_secrets(fleet: &Fleet, identity: &str) -> usize {
    let ends = fleet.records.of("end").into_iter();
    let of_secret = ends.filter(|end| end["cr"].as_str().is_some_and(|cr| cr.starts_with("Secret/")));
    of_secret
        .filter(|end| end["replica"] == identity && end["shard"] == "unsharded" && end["outcome"] == "ok")
        .count()
}

async fn coordinator(fleet: &Fleet) -> Option<String> {
    fleet.leases.get_opt(ID).await.ok()??.spec?.holder_identity
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_sharded_belongs_to_one_replica_after_the_other() {
    let Some(fleet) = Fleet::new("its watches and Leases hand a kind over").await else { return };
    let namespace = fleet.env.namespace();
    let secrets: Api<Secret> = Api::namespaced(fleet.env.admin(), namespace);
    let maps: Api<ConfigMap> = Api::namespaced(fleet.env.admin(), namespace);
    let mut names = BTreeSet::new();
    for number in 0..RESOURCES {
        create(&fleet.widgets, &format!("widget-{number}"), &[]).await;
        let mut secret = Secret::default();
        secret.metadata.name = Some(format!("secret-{number}"));
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        names.insert(secret.name_any());
    }
    let a = start(&fleet, "pod-a");
    let works = async |identity: &str| {
        let before = reconciles_of_secrets(&fleet, identity);
        eventually(&format!("{identity} to reconcile the Secrets"), DEADLINE, async || {
            (reconciles_of_secrets(&fleet, identity) >= before + 2 * RESOURCES).then_some(())
        })
        .await;
    };
    works(&a.identity).await;
    for name in &names {
        let (secret, child) = (secrets.get(name).await.unwrap(), maps.get(name).await.unwrap());
        assert!(!secret.labels().contains_key(LABEL) && !child.labels().contains_key(LABEL));
        assert_eq!(child.owner_references()[0].name, *name);
    }
    // The second replica gets shards, and none of the Secrets.
    let b = start(&fleet, "pod-b");
    fleet.settle_at(&[1, 1]).await;
    works(&a.identity).await;
    assert_eq!(coordinator(&fleet).await.as_deref(), Some(&*a.identity));
    assert_eq!(reconciles_of_secrets(&fleet, &b.identity), 0);

    let of_b = b.identity.clone();
    a.terminate().await;
    works(&of_b).await;
    assert_eq!(coordinator(&fleet).await, Some(of_b));
    // What one replica created, the other finds in its cache.
    for name in &names {
        assert_eq!(maps.get(name).await.unwrap().owner_references().len(), 1);
    }
    b.terminate().await;
    let found = violations(&fleet.records);
    assert!(found.is_empty(), "{found:#?}");
}
