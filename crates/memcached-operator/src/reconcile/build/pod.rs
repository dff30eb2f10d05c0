//! What each pod runs, under the `restricted` pod security standard.

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, PodAffinityTerm, PodAntiAffinity, PodSecurityContext,
    PodSpec, Probe, SeccompProfile, SecurityContext, TCPSocketAction, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{PORT, labels};
use crate::reconcile::validate::Fleet;

/// The user `memcache` of the official image.
const USER: i64 = 11211;
const PORT_NAME: &str = "memcache";
/// memcached ends at once on SIGTERM; this is for a node under load.
const GRACE_SECONDS: i64 = 10;

pub(super) fn build(fleet: &Fleet) -> PodSpec {
    PodSpec {
        containers: vec![container(fleet)],
        affinity: Some(apart_where_possible(fleet)),
        topology_spread_constraints: Some(vec![over_zones_where_possible(fleet)]),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            seccomp_profile: Some(seccomp()),
            ..PodSecurityContext::default()
        }),
        // A cache calls nobody.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        ..PodSpec::default()
    }
}

fn container(fleet: &Fleet) -> Container {
    Container {
        name: "memcached".into(),
        image: Some(fleet.image.clone()),
        // Named, so that an image with another entry point gets the same arguments.
        command: Some(vec!["memcached".into()]),
        args: Some(arguments(fleet)),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.into()),
            container_port: PORT,
            // The API server's default, but part of the key by which applied ports are merged.
            protocol: Some("TCP".into()),
            ..ContainerPort::default()
        }]),
        resources: Some(fleet.resources.clone()),
        // Ready as soon as it accepts connections, and restarted only after half a minute without.
        readiness_probe: Some(Probe { period_seconds: Some(5), ..tcp_probe() }),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            initial_delay_seconds: Some(5),
            ..tcp_probe()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(seccomp()),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// The operator's own arguments first. UDP is off: it is what memcached amplification attacks used.
fn arguments(fleet: &Fleet) -> Vec<String> {
    let own = [
        ("-m", fleet.memory_limit_megabytes),
        ("-c", fleet.max_connections),
        ("-t", fleet.threads),
        ("-p", PORT),
        ("-U", 0),
    ];
    let own = own.into_iter().flat_map(|(option, value)| [option.to_owned(), value.to_string()]);
    own.chain(fleet.extra_args.iter().cloned()).collect()
}

fn tcp_probe() -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction { port: IntOrString::String(PORT_NAME.into()), host: None }),
        timeout_seconds: Some(2),
        failure_threshold: Some(3),
        ..Probe::default()
    }
}

fn seccomp() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }
}

/// Soft: a small cluster may still run every server.
fn apart_where_possible(fleet: &Fleet) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: PodAffinityTerm {
                    topology_key: "kubernetes.io/hostname".into(),
                    label_selector: Some(labels::label_selector(fleet)),
                    ..PodAffinityTerm::default()
                },
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn over_zones_where_possible(fleet: &Fleet) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(labels::label_selector(fleet)),
        ..TopologySpreadConstraint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::memcached;
    use crate::reconcile::validate::validate;
    use serde_json::{Value, json};

    fn built(spec: Value) -> Value {
        serde_json::to_value(build(&validate(&memcached(spec)).expect("valid"))).expect("JSON")
    }

    #[test]
    fn the_users_arguments_follow_the_operators() {
        let pod = built(
            json!({"memoryLimitMegabytes": 128, "maxConnections": 500, "threads": 2, "extraArgs": ["-v"]}),
        );
        let expected = json!(["-m", "128", "-c", "500", "-t", "2", "-p", "11211", "-U", "0", "-v"]);
        assert_eq!(pod["containers"][0]["args"], expected);
    }

    #[test]
    fn the_pod_is_restricted() {
        let pod = built(json!({}));
        assert_eq!(
            pod["containers"][0]["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            })
        );
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["automountServiceAccountToken"], false);
    }

    #[test]
    fn probes_connect_to_the_port() {
        let pod = built(json!({}));
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(pod["containers"][0][probe]["tcpSocket"]["port"], "memcache", "{probe}");
        }
        assert_eq!(pod["containers"][0]["ports"][0]["containerPort"], 11211);
    }
}
