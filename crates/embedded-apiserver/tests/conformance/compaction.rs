//! Compaction, on an API server of its own: it takes the past from all others.

use embedded_apiserver::EmbeddedServer;
use futures::future::BoxFuture;
use kube::Client;
use kube_testkit::{BackendChoice, Cluster, ClusterOptions};

use crate::session::Session;
use crate::{DEADLINE, definition, install, run_embedded, scripts, transcript};

/// Makes a server compact all changes up to now.
pub(crate) trait Compact: Sync {
    fn compact_all(&self) -> BoxFuture<'_, ()>;
}

impl Compact for EmbeddedServer {
    fn compact_all(&self) -> BoxFuture<'_, ()> {
        self.compact();
        Box::pin(std::future::ready(()))
    }
}

impl Compact for Cluster {
    /// kube-apiserver compacts etcd by itself, here each second; and what its watch cache remembers goes with the process.
    fn compact_all(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let client = self.admin();
            let path = "/api/v1/namespaces/default/configmaps";
            let mut session = Session::new(client.clone(), "default".into());
            let present = session.send("GET", path, None).await.body["metadata"]["resourceVersion"].clone();
            let present = present.as_str().expect("a list has a version").to_owned();
            let exactly = format!("{path}?resourceVersion={present}&resourceVersionMatch=Exact");
            kube_testkit::eventually("etcd is compacted", DEADLINE, async || {
                touch(&client).await;
                let mut session = Session::new(client.clone(), "default".into());
                (session.send("GET", &exactly, None).await.status == 410).then_some(())
            })
            .await;
            self.restart_api_server().await.expect("it comes back");
        })
    }
}

/// Writes something, as only what is followed by a write can be compacted.
async fn touch(client: &Client) {
    let mut session = Session::new(client.clone(), "default".into());
    let map = serde_json::json!({"metadata": {"generateName": "touch-"}});
    session.send("POST", "/api/v1/namespaces/default/configmaps", Some(&map)).await;
}

#[tokio::test]
async fn what_compaction_leaves_is_the_same() {
    let scripts = scripts();
    let script = scripts.iter().find(|script| script.compacts()).expect("a script that compacts");
    let ours = run_embedded(script).await;
    let options = ClusterOptions {
        api_server_args: vec!["--etcd-compaction-interval=1s".into()],
        ..ClusterOptions::default()
    };
    let why = "what it forgets is compared with what the embedded server does";
    let Some(cluster) = kube_testkit::exclusive(why, options).await else { return };
    if [BackendChoice::Embedded, BackendChoice::Existing].contains(&cluster.backend()) {
        kube_testkit::skip("a kube-apiserver is needed that can be told when to compact");
        return;
    }
    install(&cluster.admin(), &definition()).await;
    let theirs = Session::new(cluster.admin(), "t-compaction".into()).run(script, &cluster).await;
    let differences = transcript::differences(&script.name, &ours, &theirs);
    cluster.stop().await;
    assert!(differences.is_empty(), "the embedded server differs:\n{}", differences.join("\n"));
}
