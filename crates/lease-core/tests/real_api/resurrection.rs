//! A Lease is deleted under a leader that cannot see it, because its watch hangs: the next renewal meets nothing.

use http::Request;
use kube::Client;
use kube::api::DeleteParams;
use kube::client::Body;
use kube_testkit::{RealEnv, TestUser, eventually};
use lease_core::{Connection, Elections, LeaderElectionId};

use crate::chronicle::{Chronicle, Entry};
use crate::referee::Referee;
use crate::support::{DEADLINE, leases, now, options, since};

/// Lets it happen to a Lease of this name, and says what was wrong about the outcome.
pub(crate) async fn of(env: &RealEnv, name: &str) -> Vec<String> {
    let (api, proxy, referee) = (leases(env), env.proxy().expect("a proxy"), Referee::new());
    let mut options = options(env, name);
    options.id = LeaderElectionId::new(format!("{name}.example.com")).expect("valid");
    let lease = options.id.lease_name();
    let mut via_proxy = env.config_via(&proxy, &TestUser::admin());
    via_proxy.default_retry = false;
    let watching = Client::try_from(via_proxy).expect("a client");
    let client = with_a_watch_apart(watching, env.admin(), env.namespace());
    let elections = Elections::start(Connection::Client(client), options).await.expect("they start");
    let leader = elections.lead(referee.work());
    eventually("it to lead", DEADLINE, || std::future::ready(leader.term())).await;
    let chronicle = Chronicle::of(api.clone()).await;

    proxy.hang();
    let old = api.get(lease.as_str()).await.expect("it exists").metadata.uid.expect("a uid");
    api.delete(lease.as_str(), &DeleteParams::default()).await.expect("an administrator may");
    let deleted = now();
    // In the chronicle, which is judged: its watch may be later than a read.
    eventually("the chronicle to show the Lease again", DEADLINE, || {
        let is_new = |entry: &Entry| !entry.gone && entry.uid != old;
        let again = chronicle.of_lease(lease.as_str()).iter().any(is_new);
        std::future::ready(again.then_some(()))
    })
    .await;
    println!("{name}: there again after {:?}", since(deleted));
    let violations = chronicle.violations();
    leader.shutdown().await;
    violations
}

/// Watches go one way and all other requests another, so that one of the two can fail alone.
fn with_a_watch_apart(watching: Client, asking: Client, namespace: &str) -> Client {
    let route = move |request: Request<Body>| {
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let client = if watches { watching.clone() } else { asking.clone() };
        async move { client.send(request).await }
    };
    Client::new(tower::service_fn(route), namespace)
}
