//! What the lines of one hold, and of one reconcile, have in common.

use serde_json::{Value, json};

use crate::routing::{bucket::Bucket, part::Part};

/// One holding of one part of the work.
#[derive(Debug, Clone)]
pub(crate) struct HoldFacts {
    pub(crate) lease: String,
    pub(crate) part: Part,
    pub(crate) token: u64,
}

impl HoldFacts {
    pub(super) fn with(&self, fields: Value) -> Value {
        merged(json!({"lease": self.lease, "shard": self.part, "token": self.token}), fields)
    }
}

/// One reconcile of one custom resource.
#[derive(Debug, Clone)]
pub(crate) struct ReconcileFacts {
    pub(crate) cr: String,
    pub(crate) uid: String,
    pub(crate) generation: Option<i64>,
    /// `None` if the kind is not sharded.
    pub(crate) bucket: Option<Bucket>,
    pub(crate) part: Part,
    pub(crate) token: u64,
    /// Unique within the replica.
    pub(crate) number: u64,
}

impl ReconcileFacts {
    pub(super) fn opening(&self) -> Value {
        self.with(json!({"generation": self.generation, "bucket": self.bucket}))
    }

    pub(super) fn with(&self, fields: Value) -> Value {
        let common = json!({
            "cr": self.cr, "uid": self.uid, "shard": self.part, "token": self.token, "reconcile": self.number,
        });
        merged(common, fields)
    }
}

fn merged(mut common: Value, fields: Value) -> Value {
    if let (Value::Object(common), Value::Object(fields)) = (&mut common, fields) {
        common.extend(fields);
    }
    common
}
