//! Crates of users, in a workspace of their own. They depend on the packages by version, as on what a registry has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{PUBLISHED, put, template};
use crate::cargo::root;

/// A crate that depends on published ones.
pub(super) struct Consumer {
    pub(super) name: &'static str,
    /// What it does, for messages.
    pub(super) what: &'static str,
    dependencies: &'static str,
    source: &'static str,
    /// Whether it is built against the OpenSSL of this machine.
    needs_openssl: bool,
}

/// What an operator begins with.
const ROUTER: &str = r"
fn main() {
    let mut registry = shard_router::prometheus_client::registry::Registry::default();
    let metrics = shard_router::Metrics::register(&mut registry);
    let _ = |config: kube::Config, options: shard_router::Options| shard_router::ShardedApp::new(config, options).metrics(metrics);
}
";

pub(super) const CONSUMERS: [Consumer; 6] = [
    Consumer {
        name: "newest-kubernetes",
        what: "chooses another version of Kubernetes than this workspace",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
kube = { version = "5", default-features = false, features = ["client"] }
lease-core = { version = "0.1", features = ["serve"] }
shard-router = "0.1"
"#,
        source: r#"
// With the version that this workspace is built for, nothing would be shown.
k8s_openapi::k8s_if_le_1_33! { compile_error!(); }

fn main() {
    let _ = |config: kube::Config, options: shard_router::Options| shard_router::ShardedApp::new(config, options);
    let mut registry = lease_core::prometheus_client::registry::Registry::default();
    let _ = |config: kube::Config| {
        lease_core::run(config, "backup.example.com", |term| async move { term.draining().await })
            .metrics(&mut registry)
            .serve(([0, 0, 0, 0], 8080))
    };
}
"#,
        needs_openssl: false,
    },
    Consumer {
        name: "without-tls",
        what: "needs no TLS",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
kube = { version = "5", default-features = false, features = ["client"] }
lease-core = { version = "0.1", default-features = false, features = ["kube"] }
shard-router = { version = "0.1", default-features = false }
"#,
        source: ROUTER,
        needs_openssl: false,
    },
    Consumer {
        name: "with-aws-lc-rs",
        what: "chooses aws-lc-rs for rustls",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
kube = { version = "5", default-features = false, features = ["client", "aws-lc-rs"] }
shard-router = { version = "0.1", default-features = false, features = ["rustls-tls"] }
"#,
        source: ROUTER,
        needs_openssl: false,
    },
    Consumer {
        name: "with-openssl",
        what: "chooses OpenSSL instead of rustls",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
kube = { version = "5", default-features = false, features = ["client", "openssl-tls"] }
shard-router = { version = "0.1", default-features = false }
"#,
        source: r"
use kube::client::ConfigExt as _;
use shard_router::{Connection, Tls};

fn main() {
    let openssl = || Tls::new(|config, tcp| config.openssl_https_connector_with_connector(tcp));
    let _ = |config: kube::Config, options: shard_router::Options| {
        shard_router::ShardedApp::new(Connection::with_tls(config, openssl()), options)
    };
}
",
        needs_openssl: true,
    },
    Consumer {
        name: "tests",
        what: "is tested with the test kits",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
embedded-apiserver = "0.1"
kube-testkit = "0.1"
overlap-checker = "0.1"
"#,
        source: r#"
fn main() {
    let _ = embedded_apiserver::EmbeddedServer::new(embedded_apiserver::WallSeams::new(1));
    let _ = overlap_checker::judge(&Default::default(), &Default::default());
    let _ = kube_testkit::real("an API server");
}
"#,
        needs_openssl: false,
    },
    Consumer {
        name: "tests-without-docker",
        what: "tests with kube-testkit and without docker",
        dependencies: r#"
k8s-openapi = { version = "0.29", features = ["latest"] }
kube-testkit = { version = "0.1", default-features = false }
"#,
        source: r"
fn main() {
    let _ = kube_testkit::embedded();
}
",
        needs_openssl: false,
    },
];

impl Consumer {
    /// What this machine lacks to compile it.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let found = |library: &str| {
            let mut probe = Command::new("pkg-config");
            let probe = probe.args(["--exists", library]).stdout(Stdio::null()).stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        };
        (self.needs_openssl && !found("openssl")).then_some("pkg-config finds no openssl")
    }
}

/// Writes the workspace, with the versions of dependencies that Cargo.lock has here.
pub(super) fn write(dir: &Path, packages: &Path) -> Result<()> {
    let names = CONSUMERS.iter().map(|consumer| consumer.name).chain([template::NAME]);
    let members: Vec<_> = names.map(|name| format!("{name:?}")).collect();
    let patches =
        PUBLISHED.iter().map(|name| format!("{name} = {{ path = \"{}/{name}\" }}\n", packages.display()));
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[patch.crates-io]\n{}",
        members.join(", "),
        patches.collect::<String>()
    );
    put(&dir.join("Cargo.toml"), &manifest)?;
    fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock")).context("Cargo.lock could not be copied")?;
    for consumer in &CONSUMERS {
        let manifest = format!(
            "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]{}",
            consumer.name, consumer.dependencies
        );
        let package = dir.join(consumer.name);
        put(&package.join("Cargo.toml"), &manifest)?;
        put(&package.join("src/main.rs"), consumer.source)?;
    }
    template::write(&dir.join(template::NAME))
}
