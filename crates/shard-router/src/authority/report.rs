//! What a reconcile reports on its resource: its status, and events.

use kube::{
    Resource,
    api::{Patch, PatchParams, Request},
    runtime::events::{Event, EventType},
};
use serde_json::{Value, json};

use super::held::Held;
use crate::{kind_type::TypeInformation, sharded::ShardedObject};

impl Held {
    /// Merges these fields into the status of the resource (RFC 7386: `null` removes a field), and returns the resource as the API server has it then.
    /// Sends nothing if they are there already. Leave `bucket` alone, which the router writes.
    ///
    /// ```no_run
    /// # async fn example<Site>(site: &Site, held: shard_router::Held) -> Result<(), kube::Error>
    /// # where Site: shard_router::Sharded {
    /// let site = held.patch_status(site, serde_json::json!({"pages": 7})).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the request. The write depends on the uid and resourceVersion of `resource`. If the resource has changed since, the API server answers 409:
    /// return the error, and the reconcile is repeated with the new state. Of two writes in one reconcile, give the second what the first returned.
    pub async fn patch_status<K: ShardedObject>(
        &self,
        resource: &K,
        status: Value,
    ) -> Result<K, kube::Error> {
        let present = serde_json::to_value(resource).map_err(kube::Error::SerdeError)?;
        if is_merged(present.get("status").unwrap_or(&Value::Null), &status) {
            return Ok(resource.clone());
        }
        let meta = resource.meta();
        let patch = json!({
            "metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version},
            "status": status,
        });
        let name = meta.name.as_deref().unwrap_or_default();
        let url = K::url_path(&self.kind().information(), meta.namespace.as_deref());
        // An `Api` would have to know at compile time whether the kind is namespaced.
        let request = Request::new(url)
            .patch_subresource("status", name, &PatchParams::default(), &Patch::Merge(patch))
            .map_err(kube::Error::BuildRequest)?;
        self.client().request(request).await
    }

    /// Publishes an event on the resource. The same event again within some minutes is counted in the one that is there, as long as this replica
    /// holds the shard. Events on cluster-scoped resources are in the namespace `default`. A `DynamicObject` is taken for one of the kind that is reconciled.
    ///
    /// `reason` is a word in CamelCase for programs, `note` a sentence for people.
    ///
    /// # Errors
    ///
    /// Those of the request. It needs the right to create and patch events of the group `events.k8s.io`.
    pub async fn event<K>(
        &self,
        resource: &K,
        type_: EventType,
        reason: &str,
        note: impl Into<String>,
    ) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType: TypeInformation>,
    {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.into()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        self.recorder().publish(&event, &resource.object_ref(&self.kind().information())).await
    }
}

/// Whether a merge of `patch` would change nothing.
fn is_merged(present: &Value, patch: &Value) -> bool {
    match patch {
        Value::Object(fields) => {
            let is_there = |(key, field): (&String, &Value)| match (present.get(key), field) {
                (None | Some(Value::Null), Value::Null) => true,
                (None, _) => false,
                (Some(present), field) => is_merged(present, field),
            };
            present.is_object() && fields.iter().all(is_there)
        }
        _ => present == patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_that_changes_nothing_is_recognised() {
        let present = json!({"pages": 7, "owner": {"name": "a", "age": 3}, "list": [1, 2]});
        for same in [
            json!({}),
            json!({"pages": 7}),
            json!({"owner": {"age": 3}}),
            json!({"owner": {}, "list": [1, 2]}),
            json!({"gone": null}),
            json!({"owner": {"gone": null}}),
        ] {
            assert!(is_merged(&present, &same), "{same}");
        }
        for other in [
            json!({"pages": 8}),
            json!({"pages": null}),
            json!({"new": 1}),
            json!({"owner": {"name": "b"}}),
            json!({"owner": {"age": null}}),
            json!({"list": [1]}),
            json!({"pages": {}}),
            json!({"new": {}}),
        ] {
            assert!(!is_merged(&present, &other), "{other}");
        }
        assert!(!is_merged(&Value::Null, &json!({})), "a status would appear");
    }
}
