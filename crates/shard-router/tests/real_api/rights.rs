//! Rights on children and events that are missing are told: verb, resource, namespace, account.

use k8s_openapi::{
    api::{
        core::v1::Service,
        rbac::v1::{Role, RoleBinding},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use kube_testkit::TestUser;
use serde_json::{Value, json};

use crate::{
    fleet::{Fleet, Running},
    scenarios::quick,
    tenant::Tenant,
    widget::{Widget, create},
};

const ACCOUNT: &str = "operator";

/// What the operator needs, but for one of these.
const RULES: [(&str, &str); 6] = [
    ("coordination.k8s.io", "leases"),
    // The elections' own, on Leases.
    ("", "events"),
    ("test.shard-router.dev", "widgets"),
    ("test.shard-router.dev", "widgets/status"),
    ("", "services"),
    ("events.k8s.io", "events"),
];

/// The operator's rights, but for those of this rule.
async fn grant_all_but(fleet: &Fleet, withheld: Option<(&str, &str)>) {
    let namespace = fleet.env.namespace();
    let rules: Vec<Value> = RULES
        .into_iter()
        .filter(|rule| Some(*rule) != withheld)
        .map(|(group, resource)| json!({"apiGroups": [group], "resources": [resource], "verbs": ["*"]}))
        .collect();
    let api: Api<Role> = Api::namespaced(fleet.env.admin(), namespace);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": ACCOUNT}, "rules": rules,
    });
    api.patch(ACCOUNT, &PatchParams::apply("tests").force(), &Patch::Apply(role)).await.expect("granted");
    let bindings: Api<RoleBinding> = Api::namespaced(fleet.env.admin(), namespace);
    let metadata = ObjectMeta { name: Some(ACCOUNT.to_owned()), ..ObjectMeta::default() };
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }))
    .unwrap();
    if bindings.get_opt(&binding.name_any()).await.unwrap().is_none() {
        bindings.create(&PostParams::default(), &binding).await.expect("bound");
    }
}

fn start(fleet: &Fleet) -> Running {
    let user = TestUser::service_account(fleet.env.namespace(), ACCOUNT);
    let (identity, mut app) = Fleet::app_by(fleet.env.config(&user), fleet.options("pod-a", 1));
    app.controller::<Widget>().owns::<Service>().run(quick);
    Fleet::spawn(identity, app)
}

fn may_not(fleet: &Fleet, what: &str) -> String {
    let namespace = fleet.env.namespace();
    format!(
        "system:serviceaccount:{namespace}:{ACCOUNT} may not {what} in namespace {namespace}; grant it with a Role"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_on_children_is_named_and_waited_for() {
    let Some(fleet) = Fleet::new("RBAC decides").await else { return };
    grant_all_but(&fleet, Some(("", "services"))).await;
    create(&fleet.widgets, "w", &[]).await;
    let replica = start(&fleet);
    replica.unready_because(&may_not(&fleet, "list services")).await;
    // A reconcile could not tell a child that is unknown from one that is not there.
    assert!(fleet.records.of("begin").is_empty(), "a reconcile has begun before the children are known");
    grant_all_but(&fleet, None).await;
    replica.ready().await;
    fleet.reconciled(&["w".to_owned()]).await;
    replica.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_on_events_is_named_and_waited_for() {
    let Some(fleet) = Fleet::new("RBAC decides").await else { return };
    grant_all_but(&fleet, Some(("events.k8s.io", "events"))).await;
    // There is something to tell of it.
    Tenant::of(&fleet).create_odd(Value::Null).await;
    let replica = start(&fleet);
    replica.unready_because(&may_not(&fleet, "create events.events.k8s.io")).await;
    grant_all_but(&fleet, None).await;
    replica.ready().await;
    replica.terminate().await;
}
