//! How many shards are wanted, as a ConfigMap says it.

mod source;

pub(crate) use source::WantedShards;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::routing::bucket::ShardCount;

/// The ConfigMap in whose key [`KEY`](Self::KEY) the wanted number of shards is written, from 1 to 256.
///
/// The coordinator watches it, and nobody else, so it costs one watch, however many replicas there are. Nothing has to be restarted when it changes. If
/// it does not exist, or has been deleted, the present layout stays. So it does if the value is no number from 1 to 256: then there is a warning
/// in the log, one event with the reason `ShardCountRefused` on the ConfigMap, and the metric `shard_router_shard_count_refused` is 1.
///
/// The replicas need the right to list and watch it, which may be limited to its name (`resourceNames`), and to create and patch events in its namespace:
/// see [`RequiredRights::shards`](crate::RequiredRights::shards).
///
/// ```
/// # use shard_router::{Options, ShardsConfigMap};
/// # fn example(options: Options) -> Options {
/// options.with_shards_config_map(ShardsConfigMap::new("operators", "site-operator-shards"))
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardsConfigMap {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ShardsConfigMap {
    /// The key whose value is the number.
    pub const KEY: &'static str = "shards";

    /// The one of this name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// What is known of the wanted number of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wanted {
    /// Nothing yet: the ConfigMap has not been read.
    #[default]
    Unknown,
    /// It says nothing that can be followed: the present layout stays, and a first one has the number of the options.
    AsItIs,
    /// This many.
    Shards(ShardCount),
}

/// The number that a ConfigMap says.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub(crate) fn number_in(config_map: &ConfigMap) -> Result<ShardCount, String> {
    let key = ShardsConfigMap::KEY;
    let Some(text) = config_map.data.as_ref().and_then(|data| data.get(key)) else {
        return Err(format!(
            "it has no key {key:?}; set it to a number from 1 to 256. The number of shards stays as it is"
        ));
    };
    let number = text.trim().parse::<u16>().ok().and_then(|number| ShardCount::try_from(number).ok());
    number.ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        format!("its key {key:?} is {text:?}; set it to a number from 1 to 256. The number of shards stays as it is")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saying(data: &[(&str, &str)]) -> ConfigMap {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ConfigMap { data: Some(data.collect()), ..ConfigMap::default() }
    }

    #[test]
    fn a_number_from_1_to_256_is_wanted() {
        for (text, number) in [("1", 1), ("16", 16), ("256", 256), (" 8\n", 8)] {
            assert_eq!(number_in(&saying(&[("shards", text)])).map(ShardCount::get), Ok(number), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_it_is() {
        for text in ["", "0", "257", "65536", "-1", "8.0", "eight", "0x8", "8 16"] {
            let refused = number_in(&saying(&[("shards", text)])).unwrap_err();
            assert!(
                refused.starts_with(&format!("its key \"shards\" is {text:?}; set it to a number")),
                "{refused}"
            );
        }
        for config_map in [ConfigMap::default(), saying(&[("Shards", "8")])] {
            let refused = number_in(&config_map).unwrap_err();
            assert!(refused.starts_with("it has no key \"shards\"; set it"), "{refused}");
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_as_a_whole() {
        assert!(number_in(&saying(&[("shards", &"9".repeat(10_000))])).unwrap_err().len() < 200);
    }
}
