//! What the log, readiness and events say about rows.

use futures::FutureExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Resource,
    runtime::events::{self, EventType},
};
use lease_core::Monotonic;

use super::{Beside, RowWriter};
use crate::fencing::{OwnershipTable, OwnershipTableSpec};

/// What keeps buckets from being worked on.
#[derive(Default)]
pub(super) struct Problems {
    contested: Option<String>,
    unwritable: Option<String>,
}

impl RowWriter<'_> {
    /// Rows were written, or nothing is to be written.
    pub(super) fn works(&mut self) {
        (self.failures, self.conflicts) = (0, 0);
        self.rows.go_without(false);
        self.problems.unwritable = None;
        self.show_problem();
        if self.outage.ends() {
            tracing::info!("the ownership table can be written again");
        }
    }

    /// An attempt has failed.
    pub(super) fn fails(&mut self, why: &str, now: Monotonic) {
        let place = self.place();
        let required = self.fencing.required;
        let then = if required { "the work waits for them" } else { "the work goes on without them" };
        let sentence = format!(
            "the rows of this replica could not be written to {place}, so the API server does not fence it, and {then}; this is retried: {why}"
        );
        if let Some(withheld) = self.setup.log_limit.due(&sentence, now) {
            tracing::warn!(withheld, "{sentence}");
        }
        if self.outage.has_lasted(self.fencing.wait, now) && !self.outage.told {
            self.outage.told = true;
            self.publish(EventType::Warning, "NotFenced", sentence.clone(), self.pod_reference());
        }
        self.problems.unwritable = required.then_some(sentence);
        self.show_problem();
    }

    /// Works without rows, if they are not required and have been waited for.
    pub(super) fn goes_without_if_due(&self) {
        let over = self.outage.has_lasted(self.fencing.wait, self.now());
        self.rows.go_without(over && !self.fencing.required);
    }

    pub(super) fn tell_restored(&mut self, rows: usize) {
        let place = self.place();
        let note = format!(
            "{rows} rows of {place} that name this Pod had been removed or replaced, and were written again"
        );
        tracing::warn!("{note}");
        self.setup.metrics.fencing_rows_restored(rows);
        self.publish(EventType::Warning, "OwnershipRestored", note, self.table_reference());
    }

    /// Rows are contested, in this sentence, or none is any more.
    pub(super) fn contested(&mut self, sentence: Option<String>) {
        if self.problems.contested == sentence {
            return;
        }
        if let Some(sentence) = &sentence {
            tracing::error!("{sentence}");
            self.publish(EventType::Warning, "OwnershipContested", sentence.clone(), self.table_reference());
        }
        self.problems.contested = sentence;
        self.show_problem();
    }

    fn show_problem(&self) {
        match self.problems.contested.as_ref().or(self.problems.unwritable.as_ref()) {
            Some(sentence) => self.rows.problem().set(sentence.clone()),
            None => self.rows.problem().clear(),
        }
    }

    fn table_reference(&self) -> ObjectReference {
        let mut reference =
            OwnershipTable::new(&self.table.name, OwnershipTableSpec::default()).object_ref(&());
        reference.namespace = Some(self.setup.options.elections.namespace.clone());
        reference
    }

    fn place(&self) -> String {
        format!("OwnershipTable {}/{}", self.setup.options.elections.namespace, self.table.name)
    }

    fn pod_reference(&self) -> ObjectReference {
        self.rows.pod().reference(&self.setup.options.elections.namespace)
    }

    /// Publishes an event. If that fails, the log and the metrics have to do.
    fn publish(&mut self, type_: EventType, reason: &str, note: String, about: ObjectReference) {
        let client = self.setup.stamper_clients.unobserved();
        let recorder = events::Recorder::new(client, self.setup.reporter());
        let reason = reason.to_owned();
        let event =
            events::Event { type_, reason, note: Some(note), action: "Fence".to_owned(), secondary: None };
        let published = async move {
            if let Err(error) = recorder.publish(&event, &about).await {
                tracing::warn!(%error, "the event {} could not be published", event.reason);
            }
            Beside::Told
        };
        self.beside.push(published.boxed());
    }
}
