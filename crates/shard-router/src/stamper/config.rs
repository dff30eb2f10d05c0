//! Which bucket an object belongs to, whether it may be reconciled in its current state, and what a stamp has to write.

use kube::core::ObjectMeta;

use crate::{
    names::Names,
    routing::{bucket::Bucket, key::ShardKey},
    rules,
    sharded::Eligibility,
};

/// The configuration of stamps.
#[derive(Debug, Clone)]
pub(crate) struct StampConfig {
    pub(crate) bucket_label: String,
    pub(crate) key_label: Option<String>,
    /// The finalizer that objects must have if [`needs_finalizer`](Self::needs_finalizer) says so. The owner of a deleted object removes it
    /// whatever the settings are now, because it may have been added when there was a key label.
    pub(crate) owner_finalizer: String,
}

/// What a stamp has to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bucket: Bucket,
    /// Whether the bucket has to be recorded in status first.
    pub(super) record: bool,
    /// The whole list of finalizers, if one has to be added.
    pub(super) finalizers: Option<Vec<String>>,
}

impl StampConfig {
    pub(crate) fn new(names: &Names, key_label: Option<String>) -> Self {
        Self { bucket_label: names.bucket_label(), key_label, owner_finalizer: names.owner_finalizer() }
    }

    /// Whether an object with this bucket in its status may be reconciled.
    pub(crate) fn eligibility(&self, meta: &ObjectMeta, recorded: Option<u8>) -> Eligibility {
        let recorded = recorded.map(Bucket);
        let fixed = self.fixed_bucket(meta, recorded);
        let protected = !self.needs_finalizer(meta, recorded) || self.has_finalizer(meta);
        match rules::agreed_bucket(self.labelled(meta), fixed) {
            Some(bucket) if protected => Eligibility::Eligible(Some(bucket)),
            Some(_) if meta.deletion_timestamp.is_some() => Eligibility::Unprotected,
            _ => Eligibility::NeedsStamp,
        }
    }

    /// What has to be written to an object with this bucket in its status.
    pub(super) fn stamp(&self, meta: &ObjectMeta, recorded: Option<u8>) -> Stamp {
        let recorded = recorded.map(Bucket);
        let fixed = self.fixed_bucket(meta, recorded);
        // It was stamped when there was no key label. It keeps that bucket, which is also the label of its children.
        let present = self.labelled(meta).filter(|labelled| *labelled == of_name(meta));
        let bucket = rules::bucket_to_stamp(fixed, present, self.of_key(meta));
        // The API server permits no new finalizer on an object that is being deleted.
        let add = self.needs_finalizer(meta, Some(bucket))
            && !self.has_finalizer(meta)
            && meta.deletion_timestamp.is_none();
        let finalizers = add.then(|| {
            let others = meta.finalizers.iter().flatten().cloned();
            others.chain([self.owner_finalizer.clone()]).collect()
        });
        Stamp { bucket, record: fixed.is_none(), finalizers }
    }

    /// The bucket that the object keeps for its life, if it is known.
    fn fixed_bucket(&self, meta: &ObjectMeta, recorded: Option<Bucket>) -> Option<Bucket> {
        rules::fixed_bucket(recorded, self.of_key(meta), self.key_label.is_some())
    }

    /// The bucket of the current key.
    fn of_key(&self, meta: &ObjectMeta) -> Bucket {
        ShardKey::of(meta, self.key_label.as_deref()).bucket()
    }

    fn labelled(&self, meta: &ObjectMeta) -> Option<Bucket> {
        Bucket::from_label(meta.labels.as_ref()?.get(&self.bucket_label)?)
    }

    /// The finalizer is needed if a new object of the same name could belong to another bucket. That is the case with a key label, and for buckets that were
    /// recorded when there was one.
    fn needs_finalizer(&self, meta: &ObjectMeta, recorded: Option<Bucket>) -> bool {
        let moves = self.key_label.is_some() || recorded.is_some_and(|bucket| bucket != of_name(meta));
        rules::name_must_stay_taken(moves)
    }

    fn has_finalizer(&self, meta: &ObjectMeta) -> bool {
        meta.finalizers.iter().flatten().any(|existing| *existing == self.owner_finalizer)
    }
}

fn of_name(meta: &ObjectMeta) -> Bucket {
    ShardKey::of(meta, None).bucket()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    const KEYED: Bucket = Bucket(165);

    fn config(key_label: Option<&str>) -> StampConfig {
        StampConfig {
            bucket_label: "b".into(),
            key_label: key_label.map(Into::into),
            owner_finalizer: "owner".into(),
        }
    }

    /// Of a tenant whose key gives another bucket than the name.
    fn meta(label: Option<Bucket>, finalizers: &[&str]) -> ObjectMeta {
        let mut meta = ObjectMeta {
            namespace: Some("ns".into()),
            name: Some("cache".into()),
            labels: Some([("tenant".to_owned(), "tenant-a".to_owned())].into()),
            finalizers: Some(finalizers.iter().map(|name| (*name).to_owned()).collect()),
            ..ObjectMeta::default()
        };
        if let Some(label) = label {
            meta.labels.get_or_insert_default().insert("b".into(), label.to_string());
        }
        meta
    }

    fn named() -> Bucket {
        let bucket = of_name(&meta(None, &[]));
        assert_ne!(bucket, KEYED);
        bucket
    }

    #[test]
    fn without_a_key_label_the_name_decides_and_nothing_is_recorded() {
        let config = config(None);
        for label in [None, Some(KEYED)] {
            let stamp = Stamp { bucket: named(), record: false, finalizers: None };
            assert_eq!(config.stamp(&meta(label, &[]), None), stamp);
            assert_eq!(config.eligibility(&meta(label, &[]), None), Eligibility::NeedsStamp);
        }
        assert_eq!(config.eligibility(&meta(Some(named()), &[]), None), Eligibility::Eligible(Some(named())));
        // As an older version has recorded it.
        let recorded = Some(named().0);
        assert_eq!(
            config.eligibility(&meta(Some(named()), &[]), recorded),
            Eligibility::Eligible(Some(named()))
        );
    }

    #[test]
    fn with_a_key_label_nothing_is_fixed_before_it_is_recorded() {
        let config = config(Some("tenant"));
        let owner = Some(vec!["mine".to_owned(), "owner".to_owned()]);
        let stamp = Stamp { bucket: KEYED, record: true, finalizers: owner };
        assert_eq!(config.stamp(&meta(None, &["mine"]), None), stamp);
        let protected = meta(Some(KEYED), &["owner"]);
        assert_eq!(config.eligibility(&protected, None), Eligibility::NeedsStamp);
        assert_eq!(config.eligibility(&protected, Some(KEYED.0)), Eligibility::Eligible(Some(KEYED)));
        assert_eq!(config.eligibility(&protected, Some(named().0)), Eligibility::NeedsStamp);
        assert_eq!(config.eligibility(&meta(Some(KEYED), &[]), Some(KEYED.0)), Eligibility::NeedsStamp);
        let mut deleted = meta(Some(KEYED), &[]);
        deleted.deletion_timestamp = Some(Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(config.eligibility(&deleted, Some(KEYED.0)), Eligibility::Unprotected);
    }

    #[test]
    fn a_key_label_that_is_new_moves_nothing() {
        let owner = Some(vec!["owner".to_owned()]);
        let stamp = Stamp { bucket: named(), record: true, finalizers: owner.clone() };
        assert_eq!(config(Some("tenant")).stamp(&meta(Some(named()), &[]), None), stamp);
        // Recorded by an older version.
        let stamp = Stamp { bucket: named(), record: false, finalizers: owner };
        assert_eq!(config(Some("tenant")).stamp(&meta(Some(named()), &[]), Some(named().0)), stamp);
    }

    #[test]
    fn a_record_of_a_former_key_label_stands_and_so_does_its_finalizer() {
        let config = config(None);
        let recorded = Some(KEYED.0);
        assert_eq!(
            config.eligibility(&meta(Some(KEYED), &["owner"]), recorded),
            Eligibility::Eligible(Some(KEYED))
        );
        for meta in [meta(None, &[]), meta(Some(KEYED), &[]), meta(Some(named()), &[])] {
            assert_eq!(config.eligibility(&meta, recorded), Eligibility::NeedsStamp);
            let finalizers = Some(vec!["owner".to_owned()]);
            assert_eq!(config.stamp(&meta, recorded), Stamp { bucket: KEYED, record: false, finalizers });
        }
    }
}
