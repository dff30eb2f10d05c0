//! What these tests have in common: an API server, and candidates for one Lease of it.

use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, HttpPort, WallSeams};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, Timings};

/// Longer than anything that these tests wait for may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// The LeaderElectionID.
pub(crate) const ID: &str = "test.example.com";

pub(crate) struct Server {
    pub(crate) port: HttpPort,
    server: EmbeddedServer,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let server = EmbeddedServer::new(WallSeams::new(7));
        let port = server.listen(0).await.expect("a port is free");
        Self { port, server }
    }

    pub(crate) fn client(&self) -> kube::Client {
        self.server.client("default")
    }

    pub(crate) async fn lease(&self) -> LeaseSpec {
        let leases: Api<Lease> = Api::default_namespaced(self.client());
        leases.get(ID).await.expect("there is a Lease").spec.expect("that was written")
    }

    pub(crate) fn config(&self) -> kube::Config {
        config(&self.port.url())
    }
}

pub(crate) fn config(url: &str) -> kube::Config {
    kube::Config::new(url.parse().expect("a URL"))
}

pub(crate) fn options(name: &str) -> ElectionsOptions {
    let id = LeaderElectionId::new(ID).expect("a valid ID");
    let identity = Identity::of_pod(name, "1").expect("not empty");
    ElectionsOptions::new(id, "default", identity).timings(Timings::fast())
}
