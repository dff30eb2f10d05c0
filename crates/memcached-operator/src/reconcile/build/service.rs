//! A headless Service: `<pod>.<name>.<namespace>.svc` for each server, and all of them behind `<name>.<namespace>.svc`.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{PORT, labels};
use crate::reconcile::validate::Fleet;

pub(super) fn build(fleet: &Fleet, bucket: Option<&(String, String)>) -> Service {
    Service {
        metadata: labels::metadata(fleet, bucket),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            selector: Some(labels::selector(&fleet.name)),
            ports: Some(vec![ServicePort {
                name: Some("memcache".into()),
                port: PORT,
                // The API server's default, but part of the key by which applied ports are merged.
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String("memcache".into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::reconcile::build::build;
    use crate::reconcile::testing::{bucket, memcached};
    use crate::reconcile::validate::validate;
    use serde_json::json;

    #[test]
    fn is_headless_and_selects_the_pods() {
        let fleet = validate(&memcached(json!({}))).expect("valid");
        let service = serde_json::to_value(build(&fleet, Some(&bucket())).service).expect("JSON");
        assert_eq!(
            service["spec"],
            json!({
                "clusterIP": "None",
                "selector": {"cache.example.com/memcached": "sessions"},
                "ports": [{"name": "memcache", "port": 11211, "protocol": "TCP", "targetPort": "memcache"}],
            })
        );
    }
}
