//! The layout: how many shards there are, and which shard each bucket belongs to.

use serde::{Deserialize, Serialize};

use crate::routing::{
    bucket::{BUCKETS, Bucket, ShardCount, ShardId},
    generation::Generation,
    hash::HASH_VERSION,
    kind_set::{KindMode, KindSet},
    table::shard_among,
};

/// The layout, which the coordinator commits on its Lease. A replica whose options differ from it does not work.
///
/// It is stored as JSON in the annotation `<domain>/layout`. The one on the coordinator Lease is the committed one. The one on a shard Lease is that
/// which its holder uses; it permits nothing, but from it the layout can be restored if somebody deletes the coordinator Lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// Grows by one with each change.
    pub generation: u64,
    /// The number of shards.
    pub shards: ShardCount,
    /// The label whose value is the shard key; `None` for `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_label: Option<String>,
    /// The kinds that are reconciled, and whether each is sharded; `None` if an older version without this field committed the layout.
    #[serde(default, rename = "kind", skip_serializing_if = "Option::is_none")]
    pub kinds: Option<KindSet>,
    /// The version of the hash from which the buckets were computed.
    pub hash_version: u32,
    /// The number of shards before the last change, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ShardCount>,
    /// Where the coordinator Lease was missing, how many shard Leases have to acknowledge this generation until it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u16>,
    /// Whether every shard has acknowledged this generation. The first generation does not have to wait.
    pub settled: bool,
}

impl Layout {
    /// Generation 1, as committed when an operator is installed.
    pub fn first(shards: ShardCount, key_label: Option<String>) -> Self {
        Self {
            generation: 1,
            shards,
            key_label,
            kinds: None,
            hash_version: HASH_VERSION,
            previous: None,
            found: None,
            settled: true,
        }
    }

    /// What the rules of a change need to know of it.
    pub fn generation(&self) -> Generation {
        let Self { generation, shards, previous, found, settled, .. } = *self;
        Generation { number: generation, shards, previous, found, settled }
    }

    /// How many shards a plan has to place: until a change is settled, those of both layouts.
    pub(crate) fn planned_shards(&self) -> Option<ShardCount> {
        self.generation().width().min(BUCKETS).try_into().ok()
    }

    /// The same resources, in this generation.
    #[must_use]
    pub(crate) fn in_generation(&self, generation: Generation) -> Self {
        let Generation { number, shards, previous, found, settled } = generation;
        Self { generation: number, shards, previous, found, settled, ..self.clone() }
    }

    /// The same for these kinds.
    #[must_use]
    pub(crate) fn of_kinds(self, kinds: KindSet) -> Self {
        Self { kinds: Some(kinds), ..self }
    }

    /// The same, with the kinds of `configured` if an older version committed the layout without any.
    pub(crate) fn completed(&self, configured: &Layout) -> Self {
        Self { kinds: self.kinds.clone().or_else(|| configured.kinds.clone()), ..self.clone() }
    }

    /// The shard that a bucket belongs to. The result depends on the number of shards only, and is the same in every
    /// version.
    pub fn shard_of(&self, bucket: Bucket) -> ShardId {
        shard_among(self.shards, bucket)
    }

    /// The buckets of a shard, ascending.
    pub fn buckets_of(&self, shard: ShardId) -> Vec<Bucket> {
        Bucket::all().filter(|bucket| self.shard_of(*bucket) == shard).collect()
    }

    /// A sentence that says how a replica's settings differ from this layout; `None` if the replica may work. The number of shards does not matter: all
    /// replicas follow the committed one, and what they are set to is what the coordinator changes it to.
    pub fn mismatch(&self, configured: &Layout) -> Option<String> {
        let say = |committed: String, here: String| {
            Some(format!(
                "this replica is set to {here}, but the committed layout (generation {}) says {committed}; it does no work \
                 until the two agree: start it with {committed}, or, if the layout is to change, tell it to replace the committed one",
                self.generation
            ))
        };
        let label = |label: &Option<String>| match label {
            Some(label) => format!("the shard key label {label}"),
            None => "no shard key label".to_owned(),
        };
        let hash = |version: u32| format!("hash version {version}");
        if let (Some(committed), Some(here)) = (&self.kinds, &configured.kinds)
            && committed != here
        {
            return Some(format!(
                "this replica reconciles {here}, but its LeaderElectionID is in use for {committed} (layout generation {}), \
                 and all replicas must reconcile the same kinds in the same mode; give another operator a LeaderElectionID of its own, or, to \
                 add or remove a kind or to change whether it is sharded, tell it to replace the committed layout",
                self.generation
            ));
        }
        if let (None, Some(here)) = (&self.kinds, &configured.kinds)
            && here.iter().any(|(_, mode)| mode == KindMode::Unsharded)
        {
            return Some(format!(
                "this replica reconciles {here}, but an older version committed the layout (generation {}), and may still reconcile a kind in \
                 shards that is not sharded here; tell it to replace the committed layout, or end all replicas of that version and delete their Leases",
                self.generation
            ));
        }
        if self.key_label != configured.key_label {
            say(label(&self.key_label), label(&configured.key_label))
        } else if self.hash_version != configured.hash_version {
            say(hash(self.hash_version), hash(configured.hash_version))
        } else {
            None
        }
    }
}

/// The label selector of a set of buckets: `key in (1,2,3)`. For half of all buckets it has at most 1.5 KB.
pub fn selector(label: &str, buckets: &[Bucket]) -> String {
    format!("{label} in ({})", join(buckets.iter().copied()))
}

/// The label selector of all objects without a valid bucket, whether the label is missing or invalid.
pub fn unstamped_selector(label: &str) -> String {
    format!("{label} notin ({})", join(Bucket::all()))
}

fn join(buckets: impl Iterator<Item = Bucket>) -> String {
    buckets.map(|bucket| bucket.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::bucket::BUCKETS;

    fn count(shards: u16) -> ShardCount {
        shards.try_into().unwrap()
    }

    #[test]
    fn two_kinds_do_not_share_an_id_and_a_layout_that_does_not_say_is_completed() {
        let old = Layout::first(count(4), None);
        let of = |kinds: &str| old.clone().of_kinds(kinds.parse().unwrap());
        let (ours, other) = (of("A.x.io"), of("B.x.io"));
        assert_eq!(old.mismatch(&ours), None);
        assert_eq!(old.completed(&ours), ours);
        assert_eq!(other.completed(&ours), other);
        let sentence = old.mismatch(&of("A.x.io=unsharded")).unwrap();
        assert!(
            sentence.starts_with("this replica reconciles A.x.io (unsharded), but an older version"),
            "{sentence}"
        );
        let sentence = other.mismatch(&ours).unwrap();
        assert!(
            sentence
                .starts_with("this replica reconciles A.x.io, but its LeaderElectionID is in use for B.x.io")
        );
        let json = serde_json::to_string(&old).unwrap();
        assert!(!json.contains("kind"), "{json}");
        assert_eq!(serde_json::from_str::<Layout>(&json).unwrap(), old);
    }

    #[test]
    fn a_replica_that_has_a_kind_in_another_mode_refuses() {
        let of = |kinds: &str| Layout::first(count(4), None).of_kinds(kinds.parse().unwrap());
        let (sharded, unsharded) = (of("A.x.io,B.x.io"), of("A.x.io,B.x.io=unsharded"));
        assert_eq!(unsharded.mismatch(&unsharded), None);
        for (committed, here, sentence) in [
            (
                &sharded,
                &unsharded,
                "reconciles A.x.io,B.x.io (unsharded), but its LeaderElectionID is in use for A.x.io,B.x.io (",
            ),
            (
                &unsharded,
                &sharded,
                "reconciles A.x.io,B.x.io, but its LeaderElectionID is in use for A.x.io,B.x.io (unsharded) (",
            ),
        ] {
            let mismatch = committed.mismatch(here).unwrap();
            assert!(mismatch.contains(sentence), "{mismatch}");
        }
    }

    /// `kind` of an earlier version is a string, which it compares with its own.
    #[test]
    fn kinds_are_committed_as_earlier_versions_have_committed_them() {
        let committed =
            r#"{"generation":1,"shards":8,"kind":"ConfigMap,Widget.x.io","hashVersion":1,"settled":true}"#;
        let layout = Layout::first(count(8), None).of_kinds("Widget.x.io,ConfigMap".parse().unwrap());
        assert_eq!(serde_json::to_string(&layout).unwrap(), committed);
        assert_eq!(serde_json::from_str::<Layout>(committed).unwrap(), layout);
        let later = committed.replace("Widget.x.io", "Widget.x.io=folded");
        let error = serde_json::from_str::<Layout>(&later).unwrap_err().to_string();
        assert!(error.contains("the mode \"folded\" of Widget.x.io is unknown to this version"), "{error}");
    }

    #[test]
    fn every_layout_is_balanced_to_one_and_growth_moves_only_to_the_new_shard() {
        for shards in 1..=BUCKETS {
            let layout = Layout::first(count(shards), None);
            let sizes: Vec<_> = layout.shards.shards().map(|shard| layout.buckets_of(shard).len()).collect();
            let (min, max) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(max - min <= 1 && *min >= 1, "{shards} shards hold {min} to {max} buckets");
            if shards == BUCKETS {
                break;
            }
            let grown = Layout::first(count(shards + 1), None);
            for bucket in Bucket::all() {
                let (before, after) = (layout.shard_of(bucket), grown.shard_of(bucket));
                assert!(before == after || after == ShardId(shards), "{bucket}: {before} -> {after}");
            }
        }
    }

    #[test]
    fn selectors_stay_within_a_url() {
        let half = Layout::first(count(2), None).buckets_of(ShardId(1));
        assert!(selector("cache.example.com/bucket", &half).len() < 1536);
        assert!(unstamped_selector("cache.example.com/bucket").len() < 1536);
        let label = unstamped_selector("d/bucket");
        assert!(label.starts_with("d/bucket notin (0,1,2,") && label.ends_with(",255)"), "{label}");
    }

    #[test]
    fn a_mismatch_says_what_differs() {
        let committed = Layout::first(count(8), None);
        assert_eq!(committed.mismatch(&Layout::first(count(8), None)), None);
        assert_eq!(
            committed.mismatch(&Layout::first(count(4), None)),
            None,
            "the number of shards may differ"
        );
        let sentence = committed.mismatch(&Layout::first(count(8), Some("tenant".into()))).unwrap();
        assert!(
            sentence.contains("the shard key label tenant")
                && sentence.contains("start it with no shard key label"),
            "{sentence}"
        );
    }

    #[test]
    fn the_wire_form_is_pinned() {
        let json = serde_json::to_string(&Layout::first(count(8), Some("tenant".into()))).unwrap();
        assert_eq!(json, r#"{"generation":1,"shards":8,"keyLabel":"tenant","hashVersion":1,"settled":true}"#);
    }
}
