//! Replicas that look at some namespaces, with rights there and nowhere else.

use k8s_openapi::{
    api::{
        core::v1::Namespace,
        rbac::v1::{RoleBinding, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, api::PostParams};
use kube_testkit::{TestUser, eventually};
use serde_json::Value;

use crate::{
    fleet::{DEADLINE, Fleet, Running, violations},
    scenarios::{begun_before_ready, quick},
    widget::{Widget, create},
};

const ACCOUNT: &str = "operator";
const WIDGETS: usize = 6;

/// Another namespace for the fleet of one test, with a few widgets.
struct Place {
    name: String,
    widgets: Api<Widget>,
}

impl Place {
    async fn new(fleet: &Fleet, suffix: &str) -> Self {
        let name = format!("{}-{suffix}", fleet.env.namespace());
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let namespaces: Api<Namespace> = Api::all(fleet.env.admin());
        namespaces.create(&PostParams::default(), &namespace).await.expect("an administrator may");
        let place = Self { widgets: Api::namespaced(fleet.env.admin(), &name), name };
        for n in 0..WIDGETS {
            // The names are those of the other places: only the namespace tells them apart.
            create(&place.widgets, &format!("w{n}"), &[]).await;
        }
        place
    }

    async fn reconciled(&self, fleet: &Fleet) {
        let what = format!("{WIDGETS} widgets of {} to be reconciled", self.name);
        eventually(&what, DEADLINE, || async { (self.ends(fleet).len() == WIDGETS).then_some(()) }).await;
    }

    /// The widgets here that have had a reconcile that ended well.
    fn ends(&self, fleet: &Fleet) -> Vec<Value> {
        let ends = fleet.records.of("end").into_iter().filter(|end| end["outcome"] == "ok");
        let mut crs: Vec<_> = ends.map(|end| end["cr"].clone()).filter(|cr| self.has(cr)).collect();
        crs.sort_unstable_by_key(Value::to_string);
        crs.dedup();
        crs
    }

    fn has(&self, cr: &Value) -> bool {
        cr.as_str().is_some_and(|cr| cr.split_once('/').is_some_and(|(namespace, _)| namespace == self.name))
    }
}

fn start(fleet: &Fleet, pod: &str, user: &TestUser, places: &[&Place]) -> Running {
    let mut options = fleet.options(pod, 4);
    options.watch_namespaces = places.iter().map(|place| place.name.clone()).collect();
    Fleet::assemble(Fleet::app_by(fleet.env.config(user), options), quick)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_named_namespaces_are_looked_at_and_no_other() {
    let Some(fleet) = Fleet::new("watches of namespaces are meant").await else { return };
    let (first, second) = (Place::new(&fleet, "first").await, Place::new(&fleet, "second").await);
    let other = Place::new(&fleet, "other").await;
    let a = start(&fleet, "pod-a", &TestUser::admin(), &[&first, &second]);
    let b = start(&fleet, "pod-b", &TestUser::admin(), &[&first, &second]);
    fleet.settle_at(&[2, 2]).await;
    first.reconciled(&fleet).await;
    second.reconciled(&fleet).await;
    // What comes later is seen, too, by whoever owns its shard then.
    a.terminate().await;
    fleet.settle_at(&[4]).await;
    create(&second.widgets, "late", &[]).await;
    eventually("the late widget to be reconciled", DEADLINE, || async {
        (second.ends(&fleet).len() == WIDGETS + 1).then_some(())
    })
    .await;
    b.terminate().await;
    assert!(other.ends(&fleet).is_empty(), "nobody was to look there");
    let unstamped = other.widgets.get("w0").await.unwrap();
    assert!(unstamped.metadata.labels.is_none(), "nor to stamp there: {unstamped:?}");
    assert_eq!(violations(&fleet.records), Vec::<String>::new());
    assert_eq!(begun_before_ready(&fleet), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_without_rights_holds_up_no_other_and_is_looked_at_once_there_are() {
    let Some(fleet) = Fleet::new("RBAC decides").await else { return };
    let (open, closed) = (Place::new(&fleet, "open").await, Place::new(&fleet, "closed").await);
    grant(&fleet, fleet.env.namespace()).await;
    grant(&fleet, &open.name).await;
    let user = TestUser::service_account(fleet.env.namespace(), ACCOUNT);
    let replica = start(&fleet, "pod-a", &user, &[&open, &closed]);
    open.reconciled(&fleet).await;
    assert!(closed.ends(&fleet).is_empty());
    let account = format!("system:serviceaccount:{}:{ACCOUNT}", fleet.env.namespace());
    let missing = format!(
        "{account} may not list widgets.test.shard-router.dev in namespace {}; grant it with a Role in that namespace \
         (apiGroups [\"test.shard-router.dev\"], resources [\"widgets\"], verbs [\"list\"])",
        closed.name
    );
    replica.unready_because(&missing).await;
    grant(&fleet, &closed.name).await;
    closed.reconciled(&fleet).await;
    replica.ready().await;
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), Vec::<String>::new());
    assert_eq!(begun_before_ready(&fleet), Vec::<String>::new());
}

/// All rights in one namespace.
async fn grant(fleet: &Fleet, namespace: &str) {
    let binding = RoleBinding {
        metadata: ObjectMeta { name: Some(ACCOUNT.to_owned()), ..ObjectMeta::default() },
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: ACCOUNT.to_owned(),
            namespace: Some(fleet.env.namespace().to_owned()),
            ..Subject::default()
        }]),
    };
    let bindings: Api<RoleBinding> = Api::namespaced(fleet.env.admin(), namespace);
    bindings
        .create(&PostParams::default(), &binding)
        .await
        .expect("an administrator may create RoleBindings");
}
