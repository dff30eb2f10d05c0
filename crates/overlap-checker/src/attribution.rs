//! Which audited writes count, and which replica and CR they belong to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::{AuditEvent, AuditLog};
use crate::records::{CrKey, Replica};

/// How the name of an object leads to its CR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The object is the CR itself.
    Itself,
    /// A child with the name of its CR.
    SameName,
    /// A child whose name is that of its CR with this suffix.
    Suffix(String),
}

/// A resource whose writes are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural resource.
    pub resource: String,
    /// How it leads to the CR.
    pub owner: Owner,
}

impl JudgedResource {
    /// A resource whose writes are judged.
    pub fn new(group: &str, resource: &str, owner: Owner) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned(), owner }
    }

    fn cr(&self, event: &AuditEvent) -> Option<CrKey> {
        if event.name.is_empty() {
            return None;
        }
        let name = match &self.owner {
            Owner::Itself | Owner::SameName => &event.name,
            Owner::Suffix(suffix) => event.name.strip_suffix(suffix.as_str())?,
        };
        Some(CrKey::new(event.namespace.clone(), name))
    }
}

/// Which writes count and whose they are.
#[derive(Debug, Clone)]
pub struct WriteRules {
    /// CRs and children. Leases are left out: they are how a hold comes about, and the checks of holds and
    /// tokens judge them. Events are left out: they only report, nothing reads them back, and they may well
    /// follow the end of a hold.
    pub judged: Vec<JudgedResource>,
    /// Each replica's user, with the Pod's name that it stands for: the user is what the API server
    /// authenticated, so a user agent that names another Pod is a fault.
    pub users: BTreeMap<String, String>,
    /// Whether a write is upkeep of the router (stamping and restoring buckets) rather than part of a
    /// reconcile. Upkeep is conditional on what was read and needs no hold, so it is counted and not judged;
    /// on children it is never excused.
    pub upkeep: fn(&AuditEvent) -> bool,
}

impl Default for WriteRules {
    fn default() -> Self {
        Self { judged: Vec::new(), users: BTreeMap::new(), upkeep: stamper_user_agent }
    }
}

/// The first product of the user agent ends in `-stamper`: what shard-router's coordinator calls itself.
pub fn stamper_user_agent(event: &AuditEvent) -> bool {
    event.user_agent.split(['/', ' ']).next().is_some_and(|product| product.ends_with("-stamper"))
}

/// A write of a replica that was accepted, or may have been.
#[derive(Debug, Clone)]
pub struct Write {
    /// Who; none when the user agent does not say.
    pub replica: Option<Replica>,
    /// What it belongs to; none for collections and for names that no rule explains.
    pub cr: Option<CrKey>,
    /// The router's upkeep of buckets.
    pub upkeep: bool,
    /// The audited request.
    pub event: AuditEvent,
}

impl Write {
    /// What the API server did with it.
    pub fn answer(&self) -> &'static str {
        if self.event.is_accepted() { "accepted" } else { "may have carried out" }
    }

    /// The request in a few words.
    pub fn describe(&self) -> String {
        let AuditEvent { verb, resource, subresource, namespace, name, .. } = &self.event;
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{verb} of {resource}{slash}{subresource} {namespace}/{name}")
    }
}

/// The writes of a run, and what was left out.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// Writes of replicas on judged resources: the accepted ones, and those of which nobody can say.
    pub accepted: Vec<Write>,
    /// What was counted only.
    pub left_out: LeftOut,
    /// Requests whose user agent and user do not fit together, one sentence each.
    pub misattributed: Vec<String>,
}

/// Writes of replicas that are not judged, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Refused by the API server.
    pub refused: u64,
    /// Dry runs.
    pub dry_run: u64,
    /// Accepted, on resources that are not judged, by resource.
    pub not_judged: BTreeMap<String, u64>,
}

impl Writes {
    /// Picks the writes of replicas out of an audit log.
    pub fn new(log: &AuditLog, rules: &WriteRules) -> Self {
        let mut writes = Self::default();
        for event in log.events.iter().filter(|event| event.is_write()) {
            let replica = event.replica();
            let pod = rules.users.get(&event.user);
            if replica.is_none() && pod.is_none() {
                continue;
            }
            if let (Some(replica), Some(pod)) = (&replica, pod)
                && replica.pod() != pod
            {
                writes.misattributed.push(format!(
                    "User {} stands for pod {pod}, but its {} of {} names {replica} in the user agent.",
                    event.user, event.verb, event.resource
                ));
            }
            writes.take(event, replica, rules);
        }
        writes
    }

    fn take(&mut self, event: &AuditEvent, replica: Option<Replica>, rules: &WriteRules) {
        if event.is_dry_run() {
            self.left_out.dry_run += 1;
            return;
        }
        if !event.is_accepted() && !event.is_uncertain() {
            self.left_out.refused += 1;
            return;
        }
        let of_resource =
            |judged: &&JudgedResource| judged.group == event.group && judged.resource == event.resource;
        let mut fitting = rules.judged.iter().filter(of_resource).peekable();
        if fitting.peek().is_none() {
            let kind = format!("{}/{}", event.group, event.resource);
            *self.left_out.not_judged.entry(kind).or_default() += 1;
            return;
        }
        let (cr, itself) = fitting
            .find_map(|judged| Some((judged.cr(event)?, judged.owner == Owner::Itself)))
            .map_or((None, false), |(cr, itself)| (Some(cr), itself));
        let upkeep = itself && (rules.upkeep)(event);
        self.accepted.push(Write { replica, cr, upkeep, event: event.clone() });
    }
}
