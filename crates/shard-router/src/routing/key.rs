//! The shard key, which decides to which bucket a custom resource belongs.

use kube::core::ObjectMeta;

use crate::routing::{bucket::Bucket, hash::hash};

/// The text that is hashed to a [`Bucket`]: the value of the key label at the time of stamping, or `namespace/name`.
///
/// The key is evaluated **once**, when the object is stamped. Later edits of the label have no effect: the bucket is
/// fixed for the life of the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardKey(String);

impl ShardKey {
    /// The key of an object. With a key label, objects with the same value belong to the same shard. For an
    /// object without the label, or with an empty value, the key is `namespace/name`.
    pub fn of(meta: &ObjectMeta, key_label: Option<&str>) -> Self {
        let labelled =
            key_label.and_then(|label| meta.labels.as_ref()?.get(label)).filter(|value| !value.is_empty());
        labelled.cloned().map_or_else(|| Self::named(meta), Self)
    }

    /// The bucket under hash version 1: the low eight bits of the hash.
    pub fn bucket(&self) -> Bucket {
        let [low, ..] = hash(self.0.as_bytes()).to_le_bytes();
        Bucket(low)
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn named(meta: &ObjectMeta) -> Self {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        Self(format!("{namespace}/{name}"))
    }
}

impl From<&str> for ShardKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These numbers are written on objects in clusters. If this test fails, the code is wrong, not the test.
    #[test]
    fn pinned_vectors_of_hash_version_1() {
        let buckets = ["", "default/cache-0", "default/cache-1", "tenant-a", "tenant-b", "prod/Ünïcode"]
            .map(|key| ShardKey::from(key).bucket().0);
        assert_eq!(buckets, [38, 115, 250, 165, 193, 139]);
    }

    #[test]
    fn the_key_label_wins_and_an_empty_one_does_not_count() {
        let mut meta =
            ObjectMeta { name: Some("a".into()), namespace: Some("ns".into()), ..ObjectMeta::default() };
        assert_eq!(ShardKey::of(&meta, Some("tenant")).as_str(), "ns/a");
        meta.labels = Some([("tenant".into(), "blue".into())].into());
        assert_eq!(ShardKey::of(&meta, Some("tenant")).as_str(), "blue");
        assert_eq!(ShardKey::of(&meta, None).as_str(), "ns/a");
        meta.labels = Some([("tenant".into(), String::new())].into());
        assert_eq!(ShardKey::of(&meta, Some("tenant")).as_str(), "ns/a");
    }

    /// Similar names are what clusters have. With 256 buckets and 200 objects a bucket, a fair hash keeps every
    /// bucket within about 5 standard deviations (√200 ≈ 14).
    #[test]
    fn similar_names_spread_over_all_buckets() {
        for pattern in ["default/cache-", "team-a/memcached-000", "n/x"] {
            let mut counts = [0_u32; 256];
            for number in 0..256 * 200 {
                counts[usize::from(ShardKey::from(format!("{pattern}{number}").as_str()).bucket().0)] += 1;
            }
            let (min, max) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*min > 125 && *max < 275, "{pattern}: buckets hold {min} to {max} of 200 expected");
        }
    }
}
