//! Which write enters an owner into the table.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    owners,
    row_key::RowKey,
    table::{OwnershipTable, Row},
};

/// Somebody else has entered a larger token than the claim has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// The row.
    pub key: RowKey,
    /// What it says.
    pub row: Row,
}

/// Why rows cannot be claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// A later owner is in the table. The claimant has lost the bucket, or its token is wrong.
    #[error(
        "row {} of the ownership table already names Pod {} with token {}, which is not smaller; do not start, and read the Lease again",
        .0.key, .0.row.pod, .0.row.token
    )]
    Outdated(Box<Outdated>),
    /// The table was not read from an API server, so there is no version to base the write on.
    #[error("the ownership table has no uid or no resourceVersion; read it from the API server first")]
    NoVersion,
}

impl OwnershipTable {
    /// The merge patch that enters these rows; `None` if they are there already. It names uid and resourceVersion of the table, so it fails with a conflict if the
    /// table has changed meanwhile. Then read the table and claim again.
    ///
    /// # Errors
    ///
    /// If a row has another owner whose token is not smaller. Then nothing is to be written.
    pub fn claim(&self, rows: &BTreeMap<RowKey, Row>) -> Result<Option<Value>, ClaimError> {
        let mut all = self.spec.rows.clone();
        let mut changed = BTreeMap::new();
        for (key, row) in rows {
            let name = key.to_string();
            match all.get(&name) {
                Some(known) if known == row => continue,
                Some(known) if known.token >= row.token => {
                    return Err(ClaimError::Outdated(Box::new(Outdated { key: *key, row: known.clone() })));
                }
                _ => {}
            }
            all.insert(name.clone(), row.clone());
            changed.insert(name, replacing(row));
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let (Some(uid), Some(version)) = (&self.metadata.uid, &self.metadata.resource_version) else {
            return Err(ClaimError::NoVersion);
        };
        Ok(Some(json!({
            "metadata": {"uid": uid, "resourceVersion": version},
            "spec": {"rows": changed, "owners": owners::line(&all)},
        })))
    }
}

/// The row as a part of a merge patch: what it does not have is removed.
fn replacing(row: &Row) -> Value {
    json!({"pod": row.pod, "uid": row.uid, "shard": row.shard, "token": row.token})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fencing::OwnershipTableSpec, routing::bucket::Bucket};

    fn row(pod: &str, token: u64) -> Row {
        Row { pod: pod.to_owned(), uid: format!("uid of {pod}"), shard: Some(1), token }
    }

    fn table() -> OwnershipTable {
        let mut table = OwnershipTable::new("id", OwnershipTableSpec::default());
        table.metadata.uid = Some("u".to_owned());
        table.metadata.resource_version = Some("7".to_owned());
        table.spec.rows.insert("3".to_owned(), row("a", 10));
        table.spec.rows.insert("4".to_owned(), row("a", 10));
        table
    }

    #[test]
    fn only_what_changes_is_sent_and_with_the_version_of_the_table() {
        let key = |bucket| RowKey::Bucket(Bucket(bucket));
        let claims = BTreeMap::from([(key(3), row("b", 11)), (key(4), row("a", 10))]);
        let patch = table().claim(&claims).unwrap().unwrap();
        assert_eq!(patch["metadata"], json!({"uid": "u", "resourceVersion": "7"}));
        assert_eq!(patch["spec"]["rows"], json!({"3": row("b", 11)}));
        assert_eq!(patch["spec"]["owners"], "a: shards 1; b: shards 1");
        let stands = BTreeMap::from([(key(4), row("a", 10))]);
        assert_eq!(table().claim(&stands), Ok(None));
    }

    #[test]
    fn a_token_that_is_not_larger_is_no_claim() {
        let key = RowKey::Bucket(Bucket(3));
        for token in [9, 10] {
            let refused = table().claim(&BTreeMap::from([(key, row("b", token))]));
            assert_eq!(refused, Err(ClaimError::Outdated(Box::new(Outdated { key, row: row("a", 10) }))));
        }
        let unread = OwnershipTable::new("id", OwnershipTableSpec::default());
        assert_eq!(unread.claim(&BTreeMap::from([(key, row("b", 1))])), Err(ClaimError::NoVersion));
    }
}
