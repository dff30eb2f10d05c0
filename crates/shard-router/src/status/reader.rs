//! Reads the status from the API server.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Client, Resource,
    core::{ApiResource, DynamicObject, discovery::Scope},
};

use super::{
    assess::{Counts, Leases},
    counts::KindCounts,
    error::StatusError,
    report::Status,
    requests::{Labelled, List},
};
use crate::{
    kind_type::{KindScope, KindType},
    names::Names,
};

const LEASES: &str = "leases.coordination.k8s.io";

/// Reads the [`Status`] of one operator. It needs the right to list Leases in their namespace, and for the number of resources the right to list these.
pub struct StatusReader {
    client: Client,
    names: Names,
    namespace: String,
    kinds: Vec<KindType>,
    namespaces: BTreeSet<String>,
    time_limit: Duration,
    recount_after: Duration,
    counted: Option<(Instant, Counts)>,
}

impl StatusReader {
    /// For the operator with these names, whose Leases are in `namespace`. No resources are counted unless their kinds are declared.
    pub fn new(client: Client, names: Names, namespace: impl Into<String>) -> Self {
        Self {
            client,
            names,
            namespace: namespace.into(),
            kinds: Vec::new(),
            namespaces: BTreeSet::new(),
            time_limit: Duration::from_secs(10),
            recount_after: Duration::ZERO,
            counted: None,
        }
    }

    /// Counts the resources of this kind.
    #[must_use]
    pub fn kind<K>(mut self) -> Self
    where
        K: Resource<DynamicType = (), Scope: KindScope>,
    {
        self.kinds.push(KindType::of::<K>());
        self
    }

    /// Counts the resources of a kind that is not known at compile time.
    #[must_use]
    pub fn dynamic_kind(mut self, api: ApiResource, scope: Scope) -> Self {
        self.kinds.push(KindType::dynamic(api, scope));
        self
    }

    /// Counts resources in these namespaces. Default: those that the living replicas watch.
    #[must_use]
    pub fn in_namespaces(mut self, namespaces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.namespaces = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// How long one request may take; a list has one for each 500 objects. Default: 10 s.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How long counts of resources are used again, if this reads more than once: all resources are listed to count them. Default: not at all.
    #[must_use]
    pub fn recount_after(mut self, age: Duration) -> Self {
        self.recount_after = age;
        self
    }

    /// Reads the status: with one list of Leases, and one list of each kind in each namespace, in pages of 500. Of resources only the metadata is read.
    ///
    /// Resources that cannot be counted are no error; [`Status::problems`] says why.
    ///
    /// # Errors
    ///
    /// If the Leases cannot be listed, or none belongs to the operator.
    pub async fn read(&mut self) -> Result<Status, StatusError> {
        let mut all = Vec::new();
        let list = List {
            client: &self.client,
            time_limit: self.time_limit,
            resource: LEASES,
            url: Lease::url_path(&(), Some(&self.namespace)),
            namespace: Some(&self.namespace),
            metadata_only: false,
        };
        let now = list.each(|lease: Lease| all.push(lease)).await?.unwrap_or_else(Timestamp::now);
        let leases = Leases::of(&self.names, &all, now);
        if leases.is_empty() {
            let (namespace, id) = (self.namespace.clone(), self.names.id().to_string());
            return Err(StatusError::NoLeases { namespace, id });
        }
        let is_recent = |(counted, _): &(Instant, Counts)| counted.elapsed() < self.recount_after;
        if !self.counted.as_ref().is_some_and(is_recent) {
            self.counted = Some((Instant::now(), self.count(&leases).await));
        }
        let counts = self.counted.as_ref().map(|(_, counts)| counts.clone()).unwrap_or_default();
        Ok(leases.status(&self.namespace, &counts))
    }

    async fn count(&self, leases: &Leases<'_>) -> Counts {
        let namespaces = if self.namespaces.is_empty() { watched(leases) } else { self.namespaces.clone() };
        let mut counts = Counts::new();
        for kind in &self.kinds {
            let counted = match self.count_kind(kind, &namespaces).await {
                // The token of the next page has expired, which happens with a slow connection and many changes.
                Err(StatusError::Expired(_)) => self.count_kind(kind, &namespaces).await,
                counted => counted,
            };
            counts.insert(kind.name(), counted.map_err(|error| error.to_string()));
        }
        counts
    }

    /// In all namespaces, if none is given.
    async fn count_kind(
        &self,
        kind: &KindType,
        namespaces: &BTreeSet<String>,
    ) -> Result<KindCounts, StatusError> {
        let (mut counts, label) = (KindCounts::default(), self.names.bucket_label());
        let limited = kind.is_namespaced() && !namespaces.is_empty();
        let namespaces = namespaces.iter().map(|namespace| Some(namespace.as_str()));
        let namespaces: Vec<_> = if limited { namespaces.collect() } else { vec![None] };
        for namespace in namespaces {
            let list = List {
                client: &self.client,
                time_limit: self.time_limit,
                resource: &kind.resource(),
                url: DynamicObject::url_path(&kind.api, namespace),
                namespace,
                metadata_only: true,
            };
            let add = |object: Labelled| counts.add(object.metadata.labels.get(&label).map(String::as_str));
            list.each(add).await?;
        }
        Ok(counts)
    }
}

/// The namespaces that the living replicas watch; empty for all. A list that was too long to be written out stands for all.
fn watched(leases: &Leases<'_>) -> BTreeSet<String> {
    let lists: Vec<&str> = leases.watched_namespaces().collect();
    let all = |list: &&str| *list == "*" || list.contains(' ');
    if lists.iter().any(all) {
        return BTreeSet::new();
    }
    lists.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
