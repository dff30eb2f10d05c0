//! What the world writes down for the checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use overlap_checker::records::Replica;
use serde_json::Value;

use super::World;
use super::request::RequestKind;
use crate::observations::{ChildAccess, LeaseSpec, LeaseState, ObservedFault, ReceivedRequest};
use crate::schedule::{Fault, FaultKind, Schedule};
use crate::time::TrueTime;
use crate::trace::Trace;
use crate::world::names::NAMESPACE;

const GROUP: &str = "coordination.k8s.io";
const LEASES: &str = "leases";

pub(super) struct RunLog {
    pub(super) requests: Vec<ReceivedRequest>,
    pub(super) leases: Vec<LeaseState>,
    pub(super) children: Vec<ChildAccess>,
    pub(super) faults: Vec<ObservedFault>,
    pub(super) restores: Vec<TrueTime>,
    pub(super) quiet_from: TrueTime,
    pub(super) converged: Option<TrueTime>,
    pub(super) missing: Vec<String>,
    pub(super) trace: Trace,
    /// Where a fault of the schedule stands in `faults`, while it is on.
    on: BTreeMap<usize, usize>,
    /// The last known version of each Lease.
    versions: BTreeMap<String, u64>,
}

impl RunLog {
    pub(super) fn new(schedule: &Schedule, mut trace: Trace) -> Self {
        trace.line(TrueTime::START, format_args!("seed {}", schedule.seed));
        Self {
            requests: Vec::new(),
            leases: Vec::new(),
            children: Vec::new(),
            faults: Vec::new(),
            restores: Vec::new(),
            quiet_from: TrueTime::START,
            converged: None,
            missing: Vec::new(),
            trace,
            on: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    pub(super) fn fault_begins(
        &mut self,
        now: TrueTime,
        number: usize,
        fault: &Fault,
        process: Option<Replica>,
        (reconciles_hit, lease_writes_hit): (u64, u64),
    ) {
        self.on.insert(number, self.faults.len());
        self.faults.push(ObservedFault {
            fault: fault.clone(),
            from: now,
            to: now + fault.lasts,
            process,
            reconciles_hit,
            lease_writes_hit,
            messages: 0,
            watches_hit: 0,
            first_lists_hit: 0,
        });
    }

    /// Returns whom it befell.
    pub(super) fn fault_ends(&mut self, now: TrueTime, number: usize) -> Option<Replica> {
        let happened = &mut self.faults[self.on.remove(&number)?];
        happened.to = now;
        happened.process.clone()
    }

    pub(super) fn faults_on(&self) -> usize {
        self.on.len()
    }

    /// The fault by which the server is down.
    pub(super) fn down_by(&self) -> Option<usize> {
        let down = |place: &usize| {
            matches!(self.faults[*place].fault.what, FaultKind::ApiDown | FaultKind::Restore { .. })
        };
        self.on.iter().find_map(|(number, place)| down(place).then_some(*number))
    }

    /// A fault has lost, delayed or refused a message.
    pub(super) fn touch(&mut self, fault: usize, kind: RequestKind) {
        let Some(place) = self.on.get(&fault) else { return };
        let happened = &mut self.faults[*place];
        happened.messages += 1;
        match kind {
            RequestKind::LeaseWrite => happened.lease_writes_hit += 1,
            RequestKind::Reconcile => happened.reconciles_hit += 1,
            RequestKind::Other => {}
        }
    }

    /// A fault has ended what a watch shows.
    pub(super) fn touch_watch(&mut self, fault: usize) {
        self.touch_message(fault);
        if let Some(place) = self.on.get(&fault) {
            self.faults[*place].watches_hit += 1;
        }
    }

    /// A fault keeps a shard's first list from being answered.
    pub(super) fn touch_list(&mut self, fault: usize) {
        if let Some(place) = self.on.get(&fault) {
            self.faults[*place].first_lists_hit += 1;
        }
    }

    pub(super) fn touch_message(&mut self, fault: usize) {
        self.touch(fault, RequestKind::Other);
    }

    /// The member Lease that this process holds.
    pub(super) fn member_lease_of(&self, identity: &Replica) -> Option<String> {
        let held = |state: &&LeaseState| {
            state.name.contains("-member-")
                && state.spec.as_ref().is_some_and(|spec| spec.holder == identity.0)
        };
        self.leases.iter().rev().find(held).map(|state| state.name.clone())
    }
}

impl World {
    pub(super) fn note_request(&mut self, received: ReceivedRequest, request: &Request<Bytes>) {
        self.run_log.trace.line(
            received.arrived,
            format_args!(
                "{} {} {} {} {}",
                received.by.as_ref().map_or("-", |by| by.0.as_str()),
                received.sent,
                received.method,
                received.uri,
                received.code
            ),
        );
        if request.method() != Method::GET && received.landed {
            self.note_leases(received.arrived, received.sent, received.by.as_ref(), request.uri().path());
        }
        self.run_log.requests.push(received);
    }

    /// Notes what became of the Leases, if a request to this path has changed one.
    pub(super) fn note_leases(&mut self, at: TrueTime, sent: TrueTime, by: Option<&Replica>, path: &str) {
        let inside = path.strip_prefix("/apis/coordination.k8s.io/v1/namespaces/");
        let inside = inside.and_then(|rest| rest.strip_prefix(NAMESPACE));
        let Some(rest) = inside.and_then(|rest| rest.strip_prefix("/leases")) else { return };
        let api = self.api.look();
        let names: Vec<String> = match rest.strip_prefix('/') {
            Some(name) => vec![name.to_owned()],
            // A creation names its Lease in its body; look for what is new.
            None => api.peek_all(GROUP, LEASES, NAMESPACE).map(|(name, _)| name.to_owned()).collect(),
        };
        for name in names {
            let object = api.peek(GROUP, LEASES, NAMESPACE, &name);
            let version = object.and_then(version_of);
            let known = self.run_log.versions.get(&name).copied();
            if version.is_some() && version == known || version.is_none() && known.is_none() {
                continue;
            }
            let state = state(&name, at, sent, by, object, known.unwrap_or_default());
            match version {
                Some(version) => self.run_log.versions.insert(name, version),
                None => self.run_log.versions.remove(&name),
            };
            self.run_log.trace.line(at, format_args!("{state:?}"));
            self.run_log.leases.push(state);
        }
    }
}

impl World {
    /// Notes that every Lease is as in the backup.
    pub(super) fn note_restore(&mut self) {
        let now = self.now;
        self.run_log.restores.push(now);
        let found = self.api.look().peek_all(GROUP, LEASES, NAMESPACE);
        let found: BTreeMap<&str, &Value> = found.collect();
        let known = std::mem::take(&mut self.run_log.versions);
        let names: BTreeSet<&str> = known.keys().map(String::as_str).chain(found.keys().copied()).collect();
        for name in names {
            let object = found.get(name).copied();
            let before = known.get(name).copied().unwrap_or_default();
            let state = LeaseState { restored: true, ..state(name, now, now, None, object, before) };
            if object.is_some() {
                self.run_log.versions.insert(name.to_owned(), state.version);
            }
            self.run_log.trace.line(now, format_args!("{state:?}"));
            self.run_log.leases.push(state);
        }
    }
}

fn state(
    name: &str,
    at: TrueTime,
    sent: TrueTime,
    by: Option<&Replica>,
    object: Option<&Value>,
    known: u64,
) -> LeaseState {
    let metadata = object.map(|object| &object["metadata"]);
    let annotations = metadata.and_then(|metadata| metadata["annotations"].as_object());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    LeaseState {
        name: name.to_owned(),
        at,
        sent,
        by: by.cloned(),
        uid: metadata.map(|metadata| text(&metadata["uid"])).unwrap_or_default(),
        version: object.and_then(version_of).unwrap_or(known),
        spec: object.map(|object| spec(&object["spec"])),
        restored: false,
        annotations: annotations
            .map(|all| all.iter().map(|(key, value)| (key.clone(), text(value))).collect())
            .unwrap_or_default(),
    }
}

fn spec(spec: &Value) -> LeaseSpec {
    let time = |field: &str| spec[field].as_str().and_then(|text| text.parse().ok());
    LeaseSpec {
        holder: spec["holderIdentity"].as_str().unwrap_or_default().to_owned(),
        duration: Duration::from_secs(spec["leaseDurationSeconds"].as_u64().unwrap_or_default()),
        transitions: spec["leaseTransitions"].as_i64().unwrap_or_default(),
        renewed: time("renewTime"),
        acquired: time("acquireTime"),
    }
}

fn version_of(object: &Value) -> Option<u64> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}
