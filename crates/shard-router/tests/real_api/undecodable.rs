//! One object that the definition takes and the type does not: it stops nobody but itself.

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use kube_testkit::eventually;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use shard_router::{Metrics, Options};

use crate::{
    fleet::{DEADLINE, Fleet, Running, violations},
    scenarios::quick,
    tenant::{ODD, SHARDS, Tenant, names_in_both_shards, others_go_on},
    widget::create,
};

/// What the warnings on the odd widget say.
async fn warnings(fleet: &Fleet) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(fleet.env.admin(), fleet.env.namespace());
    let events = events.list(&ListParams::default()).await.unwrap();
    let on_odd = |event: &Event| event.regarding.as_ref().is_some_and(|on| on.name.as_deref() == Some(ODD));
    events.items.into_iter().filter(on_odd).filter_map(|event| event.note).collect()
}

async fn warned_of(fleet: &Fleet, part: &str) -> String {
    eventually(&format!("an event on the odd widget that says {part:?}"), DEADLINE, || async {
        warnings(fleet).await.into_iter().find(|note| note.contains(part))
    })
    .await
}

/// How many objects that do not decode the metrics count, in all shards together.
fn counted(registry: &Registry) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let gauges = text.lines().filter(|line| line.starts_with("shard_router_undecodable_objects{"));
    gauges.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

async fn counts(registry: &Registry, objects: u64) {
    eventually(&format!("{objects} objects to be counted that do not decode"), DEADLINE, || async {
        (counted(registry) == objects).then_some(())
    })
    .await;
}

fn start(fleet: &Fleet, options: Options, registry: &mut Registry) -> Running {
    let (identity, app) = fleet.app(options);
    Fleet::assemble((identity, app.metrics(Metrics::register(registry))), quick)
}

/// As with the mutant that has to be found out by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_not_stopped_by_one_object() {
    let Some(fleet) = Fleet::new("definitions and types need not agree there").await else { return };
    assert_eq!(others_go_on(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_object_that_does_not_decode_stops_nobody_else_and_is_worked_on_once_it_is_mended() {
    let Some(fleet) = Fleet::new("definitions and types need not agree there").await else { return };
    let tenant = Tenant::of(&fleet);
    tenant.create_odd(json!(null)).await;
    let names = names_in_both_shards(&fleet);
    for name in &names {
        create(&fleet.widgets, name, &[]).await;
    }
    let mut registry = Registry::default();
    let mut options = fleet.options("pod-a", SHARDS);
    // One start at a time: a list that fails for ever would keep the other shard from starting.
    options.concurrent_starts = 1;
    let replica = start(&fleet, options, &mut registry);
    fleet.reconciled(&names).await;
    tenant.stamped().await;
    replica.ready().await;
    let note = warned_of(&fleet, "cannot be decoded").await;
    let wanted =
        "it is not reconciled until it is corrected: spec.size: invalid type: string \"large\", expected i32";
    assert!(note.contains(wanted), "{note}");
    counts(&registry, 1).await;

    // An edit that mends nothing is no news, and what is made meanwhile is worked on.
    tenant.patch(json!({"metadata": {"annotations": {"a": "b"}}})).await;
    create(&fleet.widgets, "later", &[]).await;
    fleet.reconciled(&["later".to_owned()]).await;
    assert_eq!(warnings(&fleet).await.len(), 1);

    tenant.patch(json!({"spec": {"size": 3}})).await;
    fleet.reconciled(&[ODD.to_owned()]).await;
    counts(&registry, 0).await;
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// The owner's finalizer is taken off by the owner, whether or not it understands the object. What other finalizers stand for it cannot
/// know, so it says what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deletion_of_what_does_not_decode_comes_to_an_end_or_says_what_to_do() {
    let Some(fleet) = Fleet::new("finalizers are its own").await else { return };
    let tenant = Tenant::of(&fleet);
    tenant.create_odd(json!({"tenant": "blue"})).await;
    let mut registry = Registry::default();
    let mut options = fleet.options("pod-a", SHARDS);
    options.key_label = Some("tenant".into());
    let replica = start(&fleet, options, &mut registry);
    tenant.stamped().await;
    let mut finalizers = tenant.widgets.get(ODD).await.unwrap().finalizers().to_vec();
    assert_eq!(finalizers.len(), 1, "the owner's: {finalizers:?}");
    finalizers.push("tenant.example.com/keep".to_owned());
    tenant.patch(json!({"metadata": {"finalizers": finalizers}})).await;
    tenant.widgets.delete(ODD, &DeleteParams::default()).await.expect("deleted");
    let note = warned_of(&fleet, "its deletion waits for its finalizers").await;
    assert!(note.contains("tenant.example.com/keep") && note.contains("remove by hand"), "{note}");

    finalizers.pop();
    tenant.patch(json!({"metadata": {"finalizers": finalizers}})).await;
    eventually("the odd widget to be gone", DEADLINE, || async {
        tenant.widgets.get_opt(ODD).await.unwrap().is_none().then_some(())
    })
    .await;
    counts(&registry, 0).await;
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}
