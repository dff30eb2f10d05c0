//! Who else writes children: between a replica's last look at a child and its write, somebody changes it.
//!
//! A write is forestalled: the change is made while it is under way, so whatever its sender had seen of the child is out of date when it
//! arrives. What an answer or a watch has shown is followed by a change within the time that a write needs to arrive. What replicas
//! were shown, by answers and by watches, and what they wrote is noted for the checker `children` from what the server keeps, not from what
//! they send.

mod dispute;

use std::collections::BTreeMap;
use std::time::Duration;

use embedded_apiserver::Answer;
use http::Method;
use serde_json::{Value, json};

use super::{ServerEvent, World};
use crate::observations::{AnswerFate, ChildAccess, ChildState, ReceivedRequest};
use crate::schedule::{ChildChange, FaultKind, LEAST_LATENCY};
use crate::seed::stream;
use crate::time::TrueTime;
use crate::world::child::{Child, foreign_object, is_foreign};
use crate::world::names::NAMESPACE;
use crate::world::request::RequestKind;

/// A label that the operator applies and that nothing is selected by.
const APPLIED: &str = "app.kubernetes.io/name";

/// For how long a changed child is left alone. Watches show the change to all replicas, and each of these shows may be followed by another
/// change: without a pause they would multiply for ever.
const PAUSE_AFTER_CHANGE: Duration = Duration::from_secs(5);

/// Likewise, before a write of it is forestalled: what was refused once may be tried again.
const PAUSE_BEFORE_WRITES: Duration = Duration::from_millis(200);

/// How many objects of one list somebody may change.
const FOLLOWED: usize = 4;

/// Who else writes children.
pub(super) struct Interference {
    rng: fastrand::Rng,
    /// The foreign objects, each with the fault that they are there for.
    foreign: Vec<(usize, Child)>,
    /// When each child is changed next, or was last, by its URI.
    changes: BTreeMap<String, TrueTime>,
}

impl Interference {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: stream(seed, "others"), foreign: Vec::new(), changes: BTreeMap::new() }
    }
}

/// A change that is under way to the server.
pub(super) struct Change {
    fault: usize,
    child: Child,
    what: ChildChange,
}

impl World {
    /// What the server keeps of a child.
    pub(super) fn state_of(&self, child: &Child) -> Option<ChildState> {
        self.kept(child).map(|object| ChildState {
            uid: text(&object["metadata"]["uid"]),
            version: text(&object["metadata"]["resourceVersion"]),
            foreign: is_foreign(object),
        })
    }

    /// Notes what a request read of a child, or made of it, and lets somebody follow a read.
    pub(super) fn note_child(
        &mut self,
        child: &Child,
        before: Option<ChildState>,
        received: &ReceivedRequest,
    ) {
        let Some(by) = received.by.clone() else { return };
        let is_read = received.method == "GET";
        let known = match received.answer {
            AnswerFate::Delivered(after) if received.code < 300 => Some(received.arrived + after),
            _ => None,
        };
        self.run_log.children.push(ChildAccess {
            by,
            sent: received.sent,
            arrived: received.arrived,
            known,
            child: format!("{}/{}", child.plural, child.name),
            write: !is_read,
            before,
            after: self.state_of(child),
        });
        if is_read && received.code != 504 {
            self.change_after_read(received.arrived, child);
        } else if !is_read && received.landed {
            self.answer_in_dispute(received.arrived, child);
        }
    }

    /// Notes what an event of a watch, or an object of a list, shows of a child: as it was at the server at `at`, and known from `known` on.
    pub(super) fn note_shown(
        &mut self,
        process: usize,
        at: TrueTime,
        known: TrueTime,
        plural: &str,
        object: &Value,
    ) {
        let metadata = &object["metadata"];
        // A bookmark, or the end of a watch, is about no object.
        if metadata["name"].is_null() {
            return;
        }
        let state = ChildState {
            uid: text(&metadata["uid"]),
            version: text(&metadata["resourceVersion"]),
            foreign: is_foreign(object),
        };
        self.run_log.children.push(ChildAccess {
            by: self.processes[process].identity.clone(),
            sent: at,
            arrived: at,
            known: Some(known),
            child: format!("{plural}/{}", text(&metadata["name"])),
            write: false,
            before: Some(state.clone()),
            after: Some(state),
        });
    }

    /// Likewise, for all that a list shows. A refusal shows nothing, and of a watch the events do.
    pub(super) fn note_listed(
        &mut self,
        process: usize,
        at: TrueTime,
        known: TrueTime,
        plural: &str,
        answer: &Answer,
    ) {
        let Ok(list) = serde_json::from_slice::<Value>(&answer.body) else { return };
        let objects = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        for object in objects {
            self.note_shown(process, at, known, plural, object);
        }
        // A few of them; a list shows many.
        for object in self.interference.rng.choose_multiple(objects, FOLLOWED) {
            if let Some(child) = Child::of_kind(plural, object) {
                self.change_after_read(known, &child);
            }
        }
    }

    /// Perhaps somebody changes the child soon after a replica has seen it.
    pub(super) fn change_after_read(&mut self, at: TrueTime, child: &Child) {
        let soon = Duration::from_millis(self.interference.rng.u64(1..=30)).min(LEAST_LATENCY * 3 / 2);
        self.let_somebody_change(at + soon, child, PAUSE_AFTER_CHANGE);
    }

    /// Perhaps somebody is quicker than a write of the child that arrives at this time.
    pub(super) fn change_before_write(&mut self, arrives: TrueTime, child: &Child) {
        self.let_somebody_change(arrives, child, PAUSE_BEFORE_WRITES);
    }

    /// Perhaps somebody changes the child at this time, unless that has happened lately.
    fn let_somebody_change(&mut self, at: TrueTime, child: &Child, pause: Duration) {
        if self.interference.changes.get(&child.uri()).is_some_and(|last| at < *last + pause) {
            return;
        }
        let faults = self.network.faults().filter_map(|(number, fault)| match fault {
            FaultKind::Children { change, percent } => Some((number, *change, *percent)),
            _ => None,
        });
        for (fault, change, percent) in faults.collect::<Vec<_>>() {
            // Each child is made once: where none is yet, a foreign object is always quicker.
            let unmade = change == ChildChange::Foreign && self.kept(child).is_none();
            if self.interference.rng.u8(..100) < if unmade { 100 } else { percent } {
                let change = Change { fault, child: child.clone(), what: change };
                self.interference.changes.insert(child.uri(), at);
                self.serve_at(at, ServerEvent::ChildChanges(Box::new(change)));
                return;
            }
        }
    }

    /// The change arrives, unless the fault is over.
    pub(super) fn change_child(&mut self, at: TrueTime, change: Change) {
        let Change { fault, child, what } = change;
        if !self.network.faults().any(|(number, _)| number == fault) {
            return;
        }
        let changed = match what {
            ChildChange::Edited => self.edit_child(at, &child),
            ChildChange::Remade => self.remake_child(at, &child),
            ChildChange::Foreign => self.replace_child(at, fault, &child),
        };
        if changed {
            self.run_log.trace.line(at, format_args!("child {what:?} {}", child.uri()));
            self.run_log.touch(fault, RequestKind::Reconcile);
            self.show_changes(at);
        }
    }

    fn edit_child(&mut self, at: TrueTime, child: &Child) -> bool {
        let Some(object) = self.own(child) else { return false };
        let edited = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": {"name": child.name, "labels": {APPLIED: format!("edited-{}", at.nanos())}},
        });
        let uri = format!("{}?fieldManager=somebody&force=true", child.uri());
        self.api.ask(at, Method::PATCH, &uri, Some(&edited)).is_some()
    }

    fn remake_child(&mut self, at: TrueTime, child: &Child) -> bool {
        let Some(object) = self.own(child) else { return false };
        let metadata = &object["metadata"];
        let mut labels = metadata["labels"].clone();
        if let Some(labels) = labels.as_object_mut() {
            labels.remove(APPLIED);
        }
        let backup = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"], "spec": object["spec"],
            "metadata": {"name": child.name, "labels": labels, "ownerReferences": metadata["ownerReferences"]},
        });
        // A backup has the field managers too.
        let restored = format!("{}?fieldManager=memcached-operator&force=true", child.uri());
        self.api.ask(at, Method::DELETE, &child.uri(), None).is_some()
            && self.api.ask(at, Method::PATCH, &restored, Some(&backup)).is_some()
    }

    fn replace_child(&mut self, at: TrueTime, fault: usize, child: &Child) -> bool {
        if self.kept(child).is_some() {
            if self.own(child).is_none() {
                return false;
            }
            self.api.ask(at, Method::DELETE, &child.uri(), None);
        }
        let made = self.api.ask(at, Method::POST, child.collection, Some(&foreign_object(child))).is_some();
        if made {
            self.interference.foreign.push((fault, child.clone()));
        }
        made
    }

    /// The foreign objects of a fault go when it is over: else what users ask for could never be.
    pub(super) fn remove_foreign(&mut self, fault: usize) {
        let foreign = std::mem::take(&mut self.interference.foreign);
        let (over, on) = foreign.into_iter().partition(|(number, _)| *number == fault);
        self.interference.foreign = on;
        for (_, child) in over {
            if self.kept(&child).is_some_and(is_foreign) {
                self.by_hand(Method::DELETE, &child.uri(), None);
            }
        }
    }

    fn kept(&self, child: &Child) -> Option<&Value> {
        self.api.look().peek(child.group, child.plural, NAMESPACE, &child.name)
    }

    /// The child, if it is one and is to stay.
    fn own(&self, child: &Child) -> Option<Value> {
        let object = self.kept(child)?;
        let stays = object["metadata"]["deletionTimestamp"].is_null() && !is_foreign(object);
        stays.then(|| object.clone())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
