//! What happens to resources.

use serde_json::{Value, json};
use shard_router::ShardKey;

use super::{RunBuilder, at};
use crate::observations::DesiredSpec;

impl RunBuilder {
    /// A reconcile under the last hold of that replica.
    pub(in crate::checks) fn reconciled(
        &mut self,
        name: &str,
        shard: u32,
        cr: &str,
        from: u64,
        to: u64,
    ) -> &mut Self {
        let cr = format!("default/{cr}");
        let place = json!({"uid": format!("uid-{cr}"), "shard": shard, "bucket": 255});
        self.reconciled_at(name, &cr, place, (from, to))
    }

    /// The records of a reconcile under the last hold of that replica, with these fields in the first.
    pub(super) fn reconciled_at(
        &mut self,
        name: &str,
        cr: &str,
        mut begin: Value,
        (from, to): (u64, u64),
    ) -> &mut Self {
        self.reconciles += 1;
        let (token, id) = (self.last_token(name).expect("a hold was told of"), self.reconciles);
        for (field, value) in
            [("record", json!("begin")), ("cr", json!(cr)), ("token", json!(token)), ("reconcile", json!(id))]
        {
            begin[field] = value;
        }
        self.record(name, from, begin);
        self.record(name, to, json!({"record": "end", "cr": cr, "reconcile": id, "outcome": "ok"}))
    }

    /// A resource that users have created and not deleted, with everything that the operator makes of it.
    pub(in crate::checks) fn desired(&mut self, name: &str, replicas: i32, memory: i32) -> &mut Self {
        let key = format!("default/{name}");
        let bucket = ShardKey::from(key.as_str()).bucket().0;
        let uid = format!("uid-default/{name}");
        let label = json!({"cache.example.com/bucket": bucket.to_string()});
        let child = json!({
            "metadata": {
                "labels": label,
                "ownerReferences": [{"uid": uid, "controller": true}],
                "managedFields": [{"manager": "memcached-operator", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"args": ["-m", memory.to_string()]}]}}},
        });
        let resource = json!({
            "metadata": {"uid": uid, "generation": 2, "labels": label},
            "spec": {"replicas": replicas, "memoryLimitMegabytes": memory},
            "status": {"observedGeneration": 2, "bucket": bucket, "ready": format!("{replicas}/{replicas}")},
        });
        self.observations.objects.insert(format!("memcacheds/{name}"), resource);
        for kind in ["statefulsets", "services", "poddisruptionbudgets"] {
            self.observations.objects.insert(format!("{kind}/{name}"), child.clone());
        }
        let desired = DesiredSpec { uid, replicas, memory, keys: vec![key], created: at(0) };
        self.observations.desired.insert(name.to_owned(), desired);
        self
    }
}
