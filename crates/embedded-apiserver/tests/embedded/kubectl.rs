//! kubectl, over plain HTTP.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::server;

const DEADLINE: Duration = Duration::from_secs(30);

struct Kubectl<'a> {
    config: &'a Path,
}

impl Kubectl<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(self.config).args(["--cache-dir", "/dev/null"]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs it to its end, and returns what it printed.
    async fn run(&self, args: &[&str], input: &str) -> String {
        let mut child = self.command(args).spawn().expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).await.expect("kubectl reads");
        drop(stdin);
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output());
        let output = output.await.expect("kubectl ends in time").expect("kubectl ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {said}{complained}");
        said
    }
}

#[tokio::test]
async fn kubectl_gets_applies_watches_and_deletes() {
    if std::process::Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        kube_testkit::skip("there is no kubectl");
        return;
    }
    let port = server().listen(0).await.expect("a port is free");
    let dir = kube_testkit::WorkDir::create().expect("a directory");
    let config = dir.path().join("kubeconfig");
    std::fs::write(&config, serde_json::to_string(&port.kubeconfig()).expect("plain data")).expect("a file");
    let kubectl = Kubectl { config: &config };

    let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crd.yaml");
    let said = kubectl.run(&["apply", "-f", definition.to_str().expect("a path")], "").await;
    assert!(said.contains("memcacheds.cache.example.com created"), "{said}");
    kubectl.run(&["wait", "--for=condition=Established", "crd/memcacheds.cache.example.com"], "").await;

    let memcached = |replicas: u8| {
        format!(
            "apiVersion: cache.example.com/v1alpha1\nkind: Memcached\nmetadata: {{name: m}}\nspec: {{replicas: {replicas}}}\n"
        )
    };
    let said = kubectl.run(&["apply", "-f", "-"], &memcached(2)).await;
    assert_eq!(said.trim(), "memcached.cache.example.com/m created");
    let mut watching =
        kubectl.command(&["get", "mc", "--watch", "-o", "name"]).spawn().expect("kubectl starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let next = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("a line in time");
    assert_eq!(next.expect("a line").as_deref(), Some("memcached.cache.example.com/m"));
    let said = kubectl.run(&["apply", "-f", "-"], &memcached(3)).await;
    assert_eq!(said.trim(), "memcached.cache.example.com/m configured");
    let next = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("the change in time");
    assert!(next.expect("a line").is_some());

    let said = kubectl.run(&["get", "mc"], "").await;
    assert!(said.starts_with("NAME") && said.contains("REPLICAS") && said.contains("m "), "{said}");
    let said = kubectl.run(&["scale", "mc/m", "--replicas=5"], "").await;
    assert!(said.contains("scaled"), "{said}");
    let said = kubectl.run(&["get", "mc", "m", "-o", "jsonpath={.spec.replicas}"], "").await;
    assert_eq!(said, "5");
    let said = kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &memcached(4)).await;
    assert!(said.contains("serverside-applied"), "{said}");

    let service = |port: u16| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: {{a: b}}, ports: [{{port: {port}}}]}}\n"
        )
    };
    kubectl.run(&["apply", "-f", "-"], &service(80)).await;
    let said = kubectl.run(&["apply", "-f", "-"], &service(81)).await;
    assert_eq!(said.trim(), "service/s configured");
    let said = kubectl.run(&["get", "svc", "s", "-o", "jsonpath={.spec.ports[*].port}"], "").await;
    assert_eq!(said, "81");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}},
        {"apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": {"name": "two"}, "spec": {}},
    ]});
    let said = kubectl.run(&["apply", "-f", "-"], &list.to_string()).await;
    assert_eq!(said, "configmap/one created\nmemcached.cache.example.com/two created\n");
    let said = kubectl.run(&["get", "cm/one", "mc/two", "-o", "yaml"], "").await;
    let said = kubectl.run(&["apply", "-f", "-"], &said).await;
    assert_eq!(said.lines().filter(|line| line.ends_with("configured")).count(), 2, "{said}");
    let said =
        kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list.to_string()).await;
    assert_eq!(said.lines().filter(|line| line.ends_with("serverside-applied")).count(), 2, "{said}");
    kubectl.run(&["delete", "-f", "-"], &list.to_string()).await;
    // These send protobuf.
    let said = kubectl.run(&["create", "namespace", "another"], "").await;
    assert_eq!(said.trim(), "namespace/another created");
    kubectl.run(&["create", "configmap", "c", "--namespace=another", "--from-literal=a=b"], "").await;
    let said = kubectl.run(&["get", "cm", "c", "--namespace=another", "-o", "jsonpath={.data}"], "").await;
    assert_eq!(said, r#"{"a":"b"}"#);
    let said = kubectl.run(&["get", "leases,cm,events,sts,pdb,ns"], "").await;
    assert!(said.contains("namespace/kube-system"), "{said}");
    let said = kubectl.run(&["label", "mc/m", "a=b"], "").await;
    assert!(said.contains("labeled"), "{said}");
    let said = kubectl.run(&["delete", "mc/m", "service/s"], "").await;
    assert_eq!(said.lines().count(), 2, "{said}");
}
