//! The ids that occur in records.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// One operator process: its holderIdentity, `<pod>_<uuid>`.
    Replica(String)
);
id!(
    /// The uid of a CR.
    Uid(String)
);
id!(
    /// One boot of one machine, as in `/proc/sys/kernel/random/boot_id`.
    BootId(String)
);
id!(
    /// A fencing token: of two holds of one shard, the later has the larger.
    #[derive(Copy)]
    Token(u64)
);
id!(
    /// The number of a reconcile, unique among those of one process.
    #[derive(Copy)]
    ReconcileId(u64)
);

/// The number of a shard. On the wire, `"unsharded"` takes its place for what belongs to the coordinator Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireShard", into = "WireShard")]
pub struct Shard(pub u32);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WireShard {
    Number(u32),
    Word(String),
}

const UNSHARDED: &str = "unsharded";

impl Shard {
    /// All resources of the kinds that are not sharded. They belong to the coordinator Lease.
    pub const UNSHARDED: Self = Self(u32::MAX);

    /// As a sentence names it.
    pub fn described(self) -> String {
        if self == Self::UNSHARDED { "the coordinator Lease".to_owned() } else { format!("shard {self}") }
    }
}

impl TryFrom<WireShard> for Shard {
    type Error = String;

    fn try_from(wire: WireShard) -> Result<Self, String> {
        match wire {
            WireShard::Number(number) => Ok(Self(number)),
            WireShard::Word(word) if word == UNSHARDED => Ok(Self::UNSHARDED),
            WireShard::Word(word) => Err(format!("{word:?} is no shard")),
        }
    }
}

impl From<Shard> for WireShard {
    fn from(shard: Shard) -> Self {
        if shard == Shard::UNSHARDED { Self::Word(UNSHARDED.to_owned()) } else { Self::Number(shard.0) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNSHARDED { f.write_str(UNSHARDED) } else { self.0.fmt(f) }
    }
}

impl Replica {
    /// The Pod's part of the identity, as `awk -F_ '{print $1}'` gives it.
    pub fn pod(&self) -> &str {
        self.0.split('_').next().unwrap_or(&self.0)
    }
}

/// Which CR: `namespace/name` on the wire, and `kind/namespace/name` of an operator that reconciles several kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CrKey {
    /// The kind, as the operator calls it; empty where there is only one.
    pub kind: String,
    /// The namespace; empty for a cluster-scoped CR.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// A CR was not written as `namespace/name` or `kind/namespace/name`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no CR key: it must read \"namespace/name\" or \"kind/namespace/name\"")]
pub struct InvalidCrKey(String);

impl CrKey {
    /// The key of a CR of an operator with one kind.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: String::new(), namespace: namespace.into(), name: name.into() }
    }

    /// The key of the CR of this kind with the same namespace and name.
    #[must_use]
    pub fn of_kind(self, kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..self }
    }
}

impl FromStr for CrKey {
    type Err = InvalidCrKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('/').collect();
        match parts[..] {
            [namespace, name] if !name.is_empty() => Ok(Self::new(namespace, name)),
            [kind, namespace, name] if !kind.is_empty() && !name.is_empty() => {
                Ok(Self::new(namespace, name).of_kind(kind))
            }
            _ => Err(InvalidCrKey(text.to_owned())),
        }
    }
}

impl TryFrom<String> for CrKey {
    type Error = InvalidCrKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CrKey> for String {
    fn from(key: CrKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for CrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind.is_empty() {
            write!(f, "{}/", self.kind)?;
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_number_or_the_word_for_what_is_not_sharded() {
        for (wire, shard) in [("3", Shard(3)), ("\"unsharded\"", Shard::UNSHARDED)] {
            assert_eq!(serde_json::from_str::<Shard>(wire).unwrap(), shard);
            assert_eq!(serde_json::to_string(&shard).unwrap(), wire);
        }
        assert!(serde_json::from_str::<Shard>("\"shard\"").is_err());
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        for text in ["ns/m", "/m", "Site.example.com/ns/m", "Site.example.com//m"] {
            assert_eq!(text.parse::<CrKey>().unwrap().to_string(), text);
        }
        for text in ["m", "ns/", "/ns/m", "a/b/c/d", "Site.example.com/ns/"] {
            assert!(text.parse::<CrKey>().is_err(), "{text}");
        }
    }
}
