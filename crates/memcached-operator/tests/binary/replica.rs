//! One process of the operator.

use kube_testkit::guard::Exit;
use kube_testkit::{Cluster, GuardedCommand, TestUser, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{NAMESPACE, SOON};

/// A running replica. Killed when dropped.
pub(crate) struct Replica(fleet::Replica);

impl Replica {
    /// Starts one as the service account of `deploy/rbac.yaml`.
    pub(crate) fn start(cluster: &Cluster, name: &str, flags: &[&str]) -> Self {
        let user = TestUser::service_account(NAMESPACE, "memcached-operator");
        let kubeconfig = cluster.kubeconfig(&user).expect("a kubeconfig");
        let log = cluster.dir().path().join(format!("{name}.log"));
        let command = GuardedCommand::new(env!("CARGO_BIN_EXE_memcached-operator"))
            .args(["--preset=fast", "--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
            .args(flags)
            .env("KUBECONFIG", kubeconfig);
        Self(fleet::Replica::start(name, NAMESPACE, &log, command).expect("the operator starts"))
    }

    pub(crate) fn log(&self) -> String {
        self.0.log()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it runs");
    }

    pub(crate) fn restart(&mut self) {
        self.0.restart().expect("the operator starts");
    }

    pub(crate) fn terminate(&mut self) {
        self.0.terminate().expect("it runs");
    }

    pub(crate) async fn exit(&self) -> Exit {
        let what = format!("the replica to end; its log:\n{}", self.log());
        tokio::time::timeout(SOON, self.0.exit()).await.expect(&what)
    }

    /// Asks one of the two listeners for a path: status code and body.
    pub(crate) async fn get(&self, flag: &str, path: &str) -> Option<(u16, String)> {
        let marker = format!("flag=\"{flag}\" address=");
        let log = self.log();
        let address = log.split_once(&marker)?.1.split_whitespace().next()?;
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let code = text.split_whitespace().nth(1)?.parse().ok()?;
        Some((code, text.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// Waits until `/readyz` answers with this code, and returns the body.
    pub(crate) async fn answers_readiness(&self, expected: u16, phrase: &str) -> String {
        eventually(&format!("/readyz to say {expected} and {phrase:?}"), SOON, || async {
            let (code, body) = self.get("--health-addr", "/readyz").await?;
            (code == expected && body.contains(phrase)).then_some(body)
        })
        .await
    }
}

/// A test that fails shows what the replica said.
impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.0.log_file().display(), self.log());
        }
    }
}
