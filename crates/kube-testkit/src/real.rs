//! The API server of a test, or a visible reason why there is none.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::ops::Deref;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::OnceCell;

use crate::choice::BackendChoice;
use crate::cluster::Cluster;
use crate::error::StartError;
use crate::options::ClusterOptions;

/// What a test needs that is content with any backend.
const REAL: &str = "real";

/// The control plane that all tests of one binary share. It is never dropped: its guardians end it with the process.
static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();

/// The same in memory, for tests that ask for no other.
static EMBEDDED: OnceCell<Cluster> = OnceCell::const_new();

/// A namespace of its own on the control plane that the tests of one binary share.
///
/// Dereferences to the [`Cluster`]. Do not pause or restart the API server through it, as other tests are using it at
/// the same time; take [`exclusive`] for that.
#[derive(Debug)]
pub struct RealEnv {
    cluster: &'static Cluster,
    namespace: String,
}

/// The shared API server, and a fresh namespace on it for the calling test.
///
/// Where no backend is possible, prints `skipped: <test>: <reason>; it needs a real API server: <why>`, appends the line
/// to the file that `KUBE_TESTKIT_SKIPS` names, and returns nothing: the test then returns too.
///
/// # Panics
///
/// If a backend is available but fails, or if none is available and `KUBE_TESTKIT_REQUIRE`, a comma-separated list,
/// contains `real`.
pub async fn real(why: &str) -> Option<RealEnv> {
    let shared =
        SHARED.get_or_init(|| async { started(Cluster::start(ClusterOptions::default()).await) }).await;
    match shared {
        Ok(cluster) => {
            let namespace = new_namespace(&cluster.admin()).await;
            Some(RealEnv { cluster, namespace })
        }
        Err(reason) => {
            skip_real(REAL, why, reason);
            None
        }
    }
}

/// The [API server in memory](embedded_apiserver) that all tests of one binary share, and a fresh namespace on it for the calling test. It needs
/// nothing on this machine and is ready within milliseconds, so no test is skipped, whatever `KUBE_TESTKIT_BACKEND` says.
///
/// Everybody may do everything there, no controllers run, and requests that the crate `embedded-apiserver` does not support are refused with 501.
/// Objects without owners are removed, and deleted namespaces come to their end. Take [`real`] for what depends on more.
///
/// ```
/// use k8s_openapi::api::core::v1::Secret;
/// use kube::Api;
/// use kube::api::ListParams;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let env = kube_testkit::embedded().await;
/// let secrets: Api<Secret> = Api::namespaced(env.admin(), env.namespace());
/// assert!(secrets.list(&ListParams::default()).await.unwrap().items.is_empty());
/// # }
/// ```
///
/// # Panics
///
/// If no port of this machine can be had.
pub async fn embedded() -> RealEnv {
    let start = || async { Cluster::start(ClusterOptions::embedded()).await };
    let cluster = EMBEDDED
        .get_or_try_init(start)
        .await
        .unwrap_or_else(|error| panic!("the API server in memory did not start: {error}"));
    RealEnv { cluster, namespace: new_namespace(&cluster.admin()).await }
}

/// An API server for the calling test alone, which may pause, restart and stop it. Skips as [`real`] does.
///
/// # Panics
///
/// As [`real`]. If `options` name a backend, this name must be in `KUBE_TESTKIT_REQUIRE` instead of `real`.
pub async fn exclusive(why: &str, options: ClusterOptions) -> Option<Cluster> {
    let need = options.backend.map_or_else(|| REAL.to_owned(), |backend| backend.to_string());
    match started(Cluster::start(options).await) {
        Ok(cluster) => Some(cluster),
        Err(reason) => {
            skip_real(&need, why, &reason);
            None
        }
    }
}

impl RealEnv {
    /// The test's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The control plane, for tasks that outlive this value.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }
}

impl Deref for RealEnv {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl Drop for RealEnv {
    /// Removes the namespace from a cluster that stays; anywhere else it goes with the control plane.
    fn drop(&mut self) {
        if self.cluster.backend() != BackendChoice::Existing {
            return;
        }
        let (cluster, name) = (self.cluster, self.namespace.clone());
        // A thread of its own, as a destructor cannot wait within the test's runtime.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let removed = runtime.block_on(async {
                Api::<Namespace>::all(cluster.admin()).delete(&name, &DeleteParams::default()).await
            });
            removed.map(drop).map_err(io::Error::other)
        });
        if let Ok(Err(error)) = removal.join() {
            let _ = writeln!(
                io::stderr(),
                "kube-testkit: could not remove namespace {}: {error}",
                self.namespace
            );
        }
    }
}

/// Keeps the reason to skip apart from a failure, which no test may pass over.
fn started(result: Result<Cluster, StartError>) -> Result<Cluster, String> {
    match result {
        Ok(cluster) => Ok(cluster),
        Err(error) if error.is_unavailable() => Err(error.to_string()),
        Err(error) => panic!("the test's API server did not start: {error}"),
    }
}

/// Says that the calling test does not run here, for want of something other than an API server: prints
/// `skipped: <test>: <reason>`, and notes the line as [`real`] does. The test then returns.
///
/// # Panics
///
/// If `KUBE_TESTKIT_REQUIRE` contains `real`.
pub fn skip(reason: &str) {
    note_skip(REAL, &format!("skipped: {}: {reason}", test_name()));
}

fn skip_real(need: &str, why: &str, reason: &str) {
    note_skip(need, &skip_line(&test_name(), why, reason));
}

fn note_skip(need: &str, line: &str) {
    let required = std::env::var("KUBE_TESTKIT_REQUIRE").unwrap_or_default();
    let needed = required.split(',').any(|word| word.trim() == need);
    assert!(!needed, "KUBE_TESTKIT_REQUIRE={required} does not let a test be {line}");
    // Not `eprintln`, which the harness would swallow as the test passes.
    let _ = writeln!(io::stderr(), "{line}");
    if let Some(path) = std::env::var_os("KUBE_TESTKIT_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.expect("KUBE_TESTKIT_SKIPS names a file that can be written");
    }
}

fn skip_line(test: &str, why: &str, reason: &str) -> String {
    let reason = reason.replace('\n', " ");
    format!("skipped: {test}: {reason}; it needs a real API server: {why}")
}

/// The harness names each test's thread after the test.
fn test_name() -> String {
    std::thread::current().name().unwrap_or("an unnamed test").to_owned()
}

async fn new_namespace(admin: &Client) -> String {
    let mut name = String::from("t-");
    let test = test_name();
    let last = test.rsplit("::").next().unwrap_or_default();
    name.extend(
        last.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }),
    );
    let _ = write!(name, "-{:08x}", fastrand::u32(..));
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    let made = Api::<Namespace>::all(admin.clone()).create(&PostParams::default(), &namespace).await;
    made.unwrap_or_else(|error| panic!("the namespace {name} could not be made: {error}"));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_one_line_that_says_what_why_and_what_for() {
        let line = skip_line("a::b", "it races writers", "no docker\nno Go");
        assert_eq!(line, "skipped: a::b: no docker no Go; it needs a real API server: it races writers");
    }
}
