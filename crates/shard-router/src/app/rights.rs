//! [`RequiredRights`]: what a replica must be allowed to do.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::ShardedApp;
use crate::routing::kind_set::KindMode;

/// The rights that a replica needs, by what was declared. Made by [`ShardedApp::required_rights`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RequiredRights {
    /// For a Role in the namespace of the Leases. Empty without leader election.
    pub election: Vec<PolicyRule>,
    /// For a Role in each watched namespace, or a ClusterRole.
    pub resources: Vec<PolicyRule>,
    /// For a Role in the namespace of [`Options::shards_config_map`](crate::Options::shards_config_map). Empty without it.
    pub shards: Vec<PolicyRule>,
}

impl ShardedApp {
    /// The rights that a replica needs, with these options and the kinds that have been declared so far: for election, for the kinds, for what they own or depend on, and
    /// for the methods of [`Held`](crate::Held). What a reconciler requests otherwise is not known here. Compare it with your manifest in a test:
    ///
    /// ```
    /// # use k8s_openapi::api::{core::v1::ConfigMap, rbac::v1::PolicyRule};
    /// # use shard_router::{Options, Sharded, ShardedApp};
    /// # fn example<Site: Sharded>(app: &ShardedApp, cluster_role: &[PolicyRule], role: &[PolicyRule]) {
    /// let rights = app.required_rights();
    /// assert_eq!(shard_router::RequiredRights::missing(&rights.resources, cluster_role), Vec::<String>::new());
    /// assert_eq!(shard_router::RequiredRights::missing(&rights.election, role), Vec::<String>::new());
    /// # }
    /// ```
    ///
    /// `get` on namespaces is not among them: with it, a watched namespace that does not exist is reported, and without it nothing else is different.
    pub fn required_rights(&self) -> RequiredRights {
        let elects = self.options.elections.leader_election;
        let has_key_label = self.options.key_label.is_some();
        let mut resources = Vec::new();
        for kind in &self.kinds {
            let verbs: &[&str] = match kind.mode {
                KindMode::Unsharded => &["list", "watch"],
                KindMode::Sharded if has_key_label => &["get", "list", "watch", "patch"],
                KindMode::Sharded => &["list", "watch", "patch"],
            };
            resources.push(rule(&kind.resource, "", verbs));
            resources.push(rule(&kind.resource, "/status", &["patch"]));
        }
        let owned: BTreeSet<&String> = self.kinds.iter().flat_map(|kind| &kind.owned).collect();
        for owned in owned {
            resources.push(rule(owned, "", &["get", "list", "watch", "create", "patch"]));
        }
        let watched: BTreeSet<&String> = self.kinds.iter().flat_map(|kind| &kind.watched).collect();
        for watched in watched {
            resources.push(rule(watched, "", &["list", "watch"]));
        }
        resources.push(rule("events.events.k8s.io", "", &["create", "patch"]));
        let election = [
            rule("leases.coordination.k8s.io", "", &["get", "list", "watch", "create", "update", "delete"]),
            rule("events", "", &["create"]),
        ];
        let config_map = self.options.shards_config_map.as_ref().filter(|_| elects);
        let shards = config_map.map(|config_map| {
            let only = Some(vec![config_map.name.clone()]);
            let watched = PolicyRule { resource_names: only, ..rule("configmaps", "", &["list", "watch"]) };
            vec![watched, rule("events.events.k8s.io", "", &["create", "patch"])]
        });
        RequiredRights {
            election: election.into_iter().filter(|_| elects).collect(),
            resources,
            shards: shards.unwrap_or_default(),
        }
    }
}

impl RequiredRights {
    /// What these rules do not permit of what is `needed`, one sentence for each resource.
    pub fn missing(needed: &[PolicyRule], rules: &[PolicyRule]) -> Vec<String> {
        let mut missing = Vec::new();
        for rule in needed {
            let groups = rule.api_groups.iter().flatten();
            for (group, resource) in groups.zip(rule.resources.iter().flatten()) {
                let names = rule.resource_names.as_deref().unwrap_or_default();
                let is_missing =
                    |verb: &&String| !rules.iter().any(|rule| permits(rule, group, resource, verb, names));
                let verbs: Vec<&str> = rule.verbs.iter().filter(is_missing).map(String::as_str).collect();
                if !verbs.is_empty() {
                    let group = if group.is_empty() { "the core API" } else { group };
                    missing.push(format!("{} on {resource} of {group} is not permitted", verbs.join(", ")));
                }
            }
        }
        missing
    }
}

/// A rule for one resource, named as `plural.group`.
fn rule(resource: &str, subresource: &str, verbs: &[&str]) -> PolicyRule {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![format!("{plural}{subresource}")]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// Whether a rule permits this on all objects, or, if there are any, on those of these names.
fn permits(rule: &PolicyRule, group: &str, resource: &str, verb: &str, names: &[String]) -> bool {
    let has = |values: &[String], value: &str| values.iter().any(|have| have == value || have == "*");
    let subresource = resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let limited_to = rule.resource_names.as_deref().unwrap_or_default();
    let all_of_them = !names.is_empty() && names.iter().all(|name| limited_to.contains(name));
    (limited_to.is_empty() || all_of_them)
        && has(rule.api_groups.as_deref().unwrap_or_default(), group)
        && has(&rule.verbs, verb)
        && rule.resources.iter().flatten().any(|have| {
            have == resource || have == "*" || subresource.as_ref().is_some_and(|any| have == any)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        PolicyRule {
            api_groups: Some(own(&[group])),
            resources: Some(own(resources)),
            verbs: own(verbs),
            ..PolicyRule::default()
        }
    }

    #[test]
    fn what_is_not_permitted_is_named() {
        let needed =
            [rule("gadgets.example.com", "", &["list", "watch"]), rule("pods", "/status", &["patch"])];
        let permitted = [rules("example.com", &["gadgets"], &["list"]), rules("", &["pods"], &["patch"])];
        assert_eq!(
            RequiredRights::missing(&needed, &permitted),
            [
                "watch on gadgets of example.com is not permitted",
                "patch on pods/status of the core API is not permitted"
            ]
        );
    }

    #[test]
    fn wildcards_permit_and_rules_for_single_objects_do_not() {
        let needed = [rule("gadgets.example.com", "/status", &["patch"])];
        for resources in [["*"], ["gadgets/status"], ["*/status"]] {
            let permitted = [rules("*", &resources, &["*"])];
            assert_eq!(RequiredRights::missing(&needed, &permitted), Vec::<String>::new(), "{resources:?}");
        }
        let mut one = rules("example.com", &["gadgets/status"], &["patch"]);
        one.resource_names = Some(vec!["only-this".to_owned()]);
        assert_eq!(RequiredRights::missing(&needed, &[one]).len(), 1);
    }

    #[test]
    fn a_rule_for_single_objects_permits_what_is_needed_of_those() {
        let only = |name: &str| PolicyRule {
            resource_names: Some(vec![name.to_owned()]),
            ..rules("", &["configmaps"], &["list", "watch"])
        };
        let missing = |permitted: PolicyRule| RequiredRights::missing(&[only("shards")], &[permitted]);
        assert_eq!(missing(only("shards")), Vec::<String>::new());
        assert_eq!(missing(rules("", &["configmaps"], &["*"])), Vec::<String>::new());
        assert_eq!(missing(only("another")), ["list, watch on configmaps of the core API is not permitted"]);
    }
}
