//! Which audited writes are checked, and to which replica and CR they belong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::{AuditEvent, AuditLog};
use crate::records::{CrKey, Replica};

/// How to find the CR of an object from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The object is the CR itself.
    Itself,
    /// A child with the name of its CR.
    SameName,
    /// A child whose name is that of its CR plus this suffix.
    Suffix(String),
}

/// A resource whose writes are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural resource.
    pub resource: String,
    /// How to find the CR.
    pub owner: Owner,
    /// The kind of the CR, as its records call it; empty for an operator with one kind.
    pub kind: String,
    /// Whether the CR is in no namespace. Its children may be in any.
    pub cluster_scoped: bool,
}

impl JudgedResource {
    /// A resource whose writes are judged.
    pub fn new(group: &str, resource: &str, owner: Owner) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            owner,
            kind: String::new(),
            cluster_scoped: false,
        }
    }

    /// The same, of the CRs of this kind.
    #[must_use]
    pub fn of_kind(self, kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..self }
    }

    /// The same, of CRs that are in no namespace.
    #[must_use]
    pub fn of_cluster_scoped(self) -> Self {
        Self { cluster_scoped: true, ..self }
    }

    fn cr(&self, event: &AuditEvent) -> Option<CrKey> {
        if event.name.is_empty() {
            return None;
        }
        let name = match &self.owner {
            Owner::Itself | Owner::SameName => &event.name,
            Owner::Suffix(suffix) => event.name.strip_suffix(suffix.as_str())?,
        };
        let namespace = if self.cluster_scoped { "" } else { event.namespace.as_str() };
        Some(CrKey::new(namespace, name).of_kind(&*self.kind))
    }
}

/// Which writes are checked, and how they are attributed.
#[derive(Debug, Clone)]
pub struct WriteRules {
    /// CRs and children. Leases are not included, because the checks of holds and
    /// tokens cover them. Events are not included, because nothing reads them, and they may be written after
    /// the end of a hold.
    pub judged: Vec<JudgedResource>,
    /// The user of each replica, with the name of its Pod. The API server has authenticated the user,
    /// so a user agent that names another Pod is reported.
    pub users: BTreeMap<String, String>,
    /// Whether a write is upkeep of the router (stamping and restoring buckets) rather than part of a
    /// reconcile. Upkeep is conditional on what was read and needs no hold, so it is counted and not judged;
    /// on children it is never excused.
    pub upkeep: fn(&AuditEvent) -> bool,
    /// Whether a write is that of a task which runs beside the reconciles (on every replica, or with the coordinator Lease). It belongs to no reconcile, so
    /// it is counted and not judged.
    pub task: fn(&AuditEvent) -> bool,
}

impl Default for WriteRules {
    fn default() -> Self {
        Self { judged: Vec::new(), users: BTreeMap::new(), upkeep: stamper_user_agent, task: task_user_agent }
    }
}

/// Whether the first product of the user agent ends in `-stamper`, as that of shard-router's stampers does.
pub fn stamper_user_agent(event: &AuditEvent) -> bool {
    product(event).ends_with("-stamper")
}

/// Whether the first product of the user agent ends in `-task`, as that of shard-router's tasks does.
pub fn task_user_agent(event: &AuditEvent) -> bool {
    product(event).ends_with("-task")
}

fn product(event: &AuditEvent) -> &str {
    event.user_agent.split(['/', ' ']).next().unwrap_or_default()
}

/// A write of a replica that was accepted, or may have been.
#[derive(Debug, Clone)]
pub struct Write {
    /// The replica; `None` if the user agent does not name one.
    pub replica: Option<Replica>,
    /// The CR that it belongs to; `None` for collections and for names that match no rule.
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

    /// A short description of the request.
    pub fn describe(&self) -> String {
        let AuditEvent { verb, resource, subresource, namespace, name, .. } = &self.event;
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{verb} of {resource}{slash}{subresource} {namespace}/{name}")
    }
}

/// The writes of a run, and the ones that are not checked.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// Writes of replicas to checked resources: those that were accepted, and those whose result is unknown.
    pub accepted: Vec<Write>,
    /// Writes that were only counted.
    pub left_out: LeftOut,
    /// Requests whose user agent does not match the user, one sentence each.
    pub misattributed: Vec<String>,
}

/// Writes of replicas that are not checked, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Refused by the API server.
    pub refused: u64,
    /// Dry runs.
    pub dry_run: u64,
    /// Accepted, on resources that are judged, but sent by a task beside the reconciles.
    pub tasks: u64,
    /// Accepted, on resources that are not judged, by resource.
    pub not_judged: BTreeMap<String, u64>,
}

impl Writes {
    /// Selects the writes of replicas from an audit log.
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
        if (rules.task)(event) {
            self.left_out.tasks += 1;
            return;
        }
        let (cr, itself) = fitting
            .find_map(|judged| Some((judged.cr(event)?, judged.owner == Owner::Itself)))
            .map_or((None, false), |(cr, itself)| (Some(cr), itself));
        let upkeep = itself && (rules.upkeep)(event);
        self.accepted.push(Write { replica, cr, upkeep, event: event.clone() });
    }
}
