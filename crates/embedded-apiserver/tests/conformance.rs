//! The embedded API server is held to the real one: the same requests to both, and the same answers from both.
//!
//! Each file in `tests/conformance/` is a script of requests (see [`script`]). It is run against the embedded server and
//! against kube-apiserver, and the two transcripts are compared, but for what cannot be equal: uids, times and the
//! numbers of versions.

#[path = "conformance/clocks.rs"]
mod clocks;
#[path = "conformance/compaction.rs"]
mod compaction;
#[path = "conformance/documents.rs"]
mod documents;
#[path = "conformance/generated.rs"]
mod generated;
#[path = "conformance/protobuf.rs"]
mod protobuf;
#[path = "conformance/script.rs"]
mod script;
#[path = "conformance/session.rs"]
mod session;
#[path = "conformance/transcript.rs"]
mod transcript;
#[path = "conformance/zeros.rs"]
mod zeros;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, Seams, WallSeams};
use futures::future::join_all;
use kube::Client;
use kube_testkit::{BackendChoice, Cluster, TestUser};
use serde_json::{Value, json};

use clocks::StandingClock;
use script::Script;
use session::Session;

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_embedded_server_answers_as_the_real_one() {
    let scripts = scripts();
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let scripts: Vec<&Script> =
        scripts.iter().filter(|script| script.name.contains(&only) && !script.compacts()).collect();
    let ours = join_all(scripts.iter().map(|script| run_embedded(script))).await;
    let Some(env) = kube_testkit::real("its answers are compared with the embedded server's").await else {
        return;
    };
    if env.backend() == BackendChoice::Embedded {
        kube_testkit::skip("the embedded server would be compared with itself");
        return;
    }
    if is_another_release() {
        return;
    }
    install(&env.admin(), &definition()).await;
    let theirs = join_all(scripts.iter().map(async |script| {
        let namespace = format!("{}-{}", env.namespace(), script.name);
        Session::new(without_retries(env.cluster()), namespace).run(script, env.cluster()).await
    }))
    .await;
    let mut steps = 0;
    let mut differences = Vec::new();
    for ((script, ours), theirs) in scripts.iter().zip(&ours).zip(&theirs) {
        steps += ours.len();
        differences.extend(transcript::differences(&script.name, ours, theirs));
    }
    println!("{} scripts, {steps} requests, {} differences", scripts.len(), differences.len());
    assert!(differences.is_empty(), "the embedded server differs:\n{}", differences.join("\n"));
}

#[tokio::test]
async fn built_in_schemas_are_those_of_the_real_server() {
    let Some(env) = kube_testkit::real("its documents are compared with those carried here").await else {
        return;
    };
    if env.backend() == BackendChoice::Embedded {
        kube_testkit::skip("the embedded server has no documents of its own");
        return;
    }
    if is_another_release() {
        return;
    }
    let path = "src/schema/builtin.json";
    // What Go does with zero values takes Go to find out, so that only who writes the file asks.
    let zeros = if generated::wanted() { zeros::of_go_types() } else { documents::committed_zeros(path) };
    generated::check(path, &documents::builtin(&env.admin(), &zeros).await);
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes() {
    for script in scripts().iter().filter(|script| !script.takes_time()) {
        let (first, second) = (run_raw(script).await, run_raw(script).await);
        assert_eq!(first, second, "{} is not deterministic", script.name);
    }
}

/// Whether the tests run on a release that the embedded server does not imitate. No skip: there is nothing that should have been tested.
fn is_another_release() -> bool {
    kube_testkit::versions::kubernetes().is_ok_and(|release| release != kube_testkit::versions::KUBERNETES)
}

/// What the suite has compared is known to others by `embedded_apiserver::conformance_shapes`.
#[tokio::test]
async fn the_shapes_of_the_scripts_are_written_down() {
    let mut shapes = BTreeSet::new();
    for script in scripts() {
        let entries = run_on(StandingClock::hasty(), &script).await;
        shapes.extend(entries.into_iter().map(|entry| entry.shape));
    }
    let lines: Vec<String> = shapes.iter().map(ToString::to_string).collect();
    generated::check("tests/conformance/shapes.txt", &(lines.join("\n") + "\n"));
}

/// kube's client repeats what is answered with 429, 503 or 504; here the first answer counts.
fn without_retries(cluster: &Cluster) -> Client {
    let mut config = cluster.config(&TestUser::admin());
    config.default_retry = false;
    Client::try_from(config).expect("a client from settings that the cluster gave")
}

async fn run_embedded(script: &Script) -> Vec<transcript::Entry> {
    run_on(WallSeams::new(7), script).await
}

/// The answers as they were sent, at a standing clock.
async fn run_raw(script: &Script) -> Vec<String> {
    let entries = run_on(StandingClock::default(), script).await;
    entries.into_iter().map(|entry| entry.raw).collect()
}

async fn run_on(seams: impl Seams, script: &Script) -> Vec<transcript::Entry> {
    let server = EmbeddedServer::new(seams);
    install(&server.client("default"), &definition()).await;
    Session::new(server.client("default"), format!("t-{}", script.name)).run(script, &server).await
}

fn scripts() -> Vec<Script> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut paths: Vec<_> = std::fs::read_dir(&dir)
        .expect("the scripts are beside this test")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    paths.sort();
    paths.iter().map(|path| Script::read(path)).collect()
}

/// The project's own definition.
fn definition() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crd.yaml");
    let text = std::fs::read_to_string(&path).expect("deploy/crd.yaml is committed");
    serde_saphyr::from_str(&text).expect("deploy/crd.yaml is YAML")
}

async fn install(client: &Client, definition: &Value) {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let mut session = Session::new(client.clone(), "default".into());
    session.send("POST", path, Some(definition)).await;
    kube_testkit::eventually("the definition is established", DEADLINE, async || {
        let mut session = Session::new(client.clone(), "default".into());
        let list = session.send("GET", "/apis/cache.example.com/v1alpha1/memcacheds", None).await;
        (list.status == 200 && list.body["kind"] == json!("MemcachedList")).then_some(())
    })
    .await;
}
