//! Missing permissions: said in a sentence, retried, and over as soon as someone grants them.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use kube_testkit::{RealEnv, TestUser, eventually};
use lease_core::{Elections, Timings};

use crate::support::{DEADLINE, now, options, replica_at, since};
use crate::waiting::{MARGIN, idle, leads};

const ACCOUNT: &str = "operator";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_leases_is_named_and_the_candidate_leads_soon_after_it_is_mended() {
    let Some(env) = kube_testkit::real("RBAC decides").await else { return };
    let elections = as_account(&env).await;
    let candidate = elections.lead(idle);
    let account = format!("system:serviceaccount:{}:{ACCOUNT}", env.namespace());
    for verb in ["get", "list"] {
        let begins =
            format!("{account} may not {verb} leases.coordination.k8s.io in namespace {}", env.namespace());
        let sentence = problem(&elections, &begins).await;
        assert!(sentence.contains("grant it with a Role in that namespace"), "{sentence}");
        println!("{sentence}");
    }
    assert!(candidate.term().is_none());

    grant(&env, "leases", &["get", "create", "update", "list", "watch"]).await;
    let granted = now();
    let term = leads(&candidate, "it leads once it may").await;
    let took = since(granted);
    println!("leads {took:?} after the Role was given");
    // Nobody knows whether somebody held a Lease that is not there: it waits LeaseDuration from its first look.
    let timings = Timings::fast();
    let bound = timings.takeover_bound() + timings.retry_period() + MARGIN;
    assert!(took < bound, "{took:?}, where {bound:?} is the bound");
    // The events of that change of leaders are not permitted yet; that costs no Lease, and is said.
    problem(&elections, &format!("{account} may not create events in namespace {}", env.namespace())).await;
    eventually("no other problem", DEADLINE, || {
        let health = elections.health();
        let over = health.problems.iter().all(|problem| problem.sentence.contains(" events "));
        std::future::ready((over && health.watch_is_live).then_some(()))
    })
    .await;
    assert!(term.is_valid());
    candidate.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_list_and_watch_it_leads_by_polling_and_says_what_is_missing() {
    let Some(env) = kube_testkit::real("RBAC decides").await else { return };
    grant(&env, "leases", &["get", "create", "update"]).await;
    let elections = as_account(&env).await;
    let candidate = elections.lead(idle);
    let term = leads(&candidate, "it leads without a watch").await;
    problem(&elections, &format!("system:serviceaccount:{}:{ACCOUNT} may not list leases", env.namespace()))
        .await;
    assert!(term.is_valid() && !elections.health().watch_is_live);
    candidate.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_is_not_there_is_named() {
    let Some(env) = kube_testkit::real("it knows its namespaces").await else { return };
    let mut options = options(&env, "first");
    options.namespace = "nowhere-at-all".to_owned();
    let elections = replica_at(env.config(&TestUser::admin()), options).await;
    let candidate = elections.lead(idle);
    let sentence = problem(
        &elections,
        "the API server refuses to create leases.coordination.k8s.io in namespace nowhere-at-all (404)",
    )
    .await;
    assert!(sentence.contains("namespaces \"nowhere-at-all\" not found"), "{sentence}");
    candidate.shutdown().await;
}

async fn as_account(env: &RealEnv) -> Elections {
    let user = TestUser::service_account(env.namespace(), ACCOUNT);
    replica_at(env.config(&user), options(env, "first")).await
}

async fn problem(elections: &Elections, begins: &str) -> String {
    eventually(&format!("Health to say: {begins}"), DEADLINE, || {
        let problems = elections.health().problems;
        let found = problems.into_iter().find(|problem| problem.sentence.starts_with(begins));
        std::future::ready(found.map(|problem| problem.sentence))
    })
    .await
}

async fn grant(env: &RealEnv, resource: &str, verbs: &[&str]) {
    let metadata = ObjectMeta { name: Some(ACCOUNT.to_owned()), ..ObjectMeta::default() };
    let allowed = PolicyRule {
        api_groups: Some(vec!["coordination.k8s.io".to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(ToString::to_string).collect(),
        ..PolicyRule::default()
    };
    let role = Role { metadata: metadata.clone(), rules: Some(vec![allowed]) };
    let binding = RoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: ACCOUNT.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: ACCOUNT.to_owned(),
            namespace: Some(env.namespace().to_owned()),
            ..Subject::default()
        }]),
    };
    let params = PostParams::default();
    let roles: Api<Role> = Api::namespaced(env.admin(), env.namespace());
    roles.create(&params, &role).await.expect("an administrator may create Roles");
    let bindings: Api<RoleBinding> = Api::namespaced(env.admin(), env.namespace());
    bindings.create(&params, &binding).await.expect("an administrator may create RoleBindings");
}
