//! The shard key, which decides to which bucket a custom resource belongs.

use kube::core::ObjectMeta;

use crate::routing::{bucket::Bucket, hash::hash};

/// The text that is hashed to a [`Bucket`]: the value of the key label at the time of stamping, or `namespace/name`, or the `name` alone of an object that is
/// in no namespace.
///
/// A name contains no slash, so no cluster-scoped object has the key of a namespaced one. A label value contains none either, so with a key label a
/// cluster-scoped object has the bucket of the objects whose label has its name as value: the Tenant `blue` belongs to the shard of what is labelled
/// `tenant: blue`.
///
/// The key is evaluated **once**, when the object is stamped. Later edits of the label have no effect: the bucket is
/// fixed for the life of the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardKey(String);

impl ShardKey {
    /// The key of an object. With a key label, objects with the same value belong to the same shard. For an
    /// object without the label, or with an empty value, the key is `namespace/name` or `name`.
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
        let name = meta.name.as_deref().unwrap_or_default();
        match meta.namespace.as_deref() {
            Some(namespace) if !namespace.is_empty() => Self(format!("{namespace}/{name}")),
            _ => Self(name.to_owned()),
        }
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

    /// By name alone.
    #[test]
    fn pinned_vectors_of_objects_that_are_in_no_namespace() {
        let key =
            |name: &str| ShardKey::of(&ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() }, None);
        let buckets = ["tenant-a", "tenant-b", "cache-0", "system:node"].map(|name| key(name).bucket().0);
        assert_eq!(buckets, [165, 193, 154, 208]);
        assert_eq!(key("tenant-a"), ShardKey::from("tenant-a"), "that of what is labelled with its name");
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
