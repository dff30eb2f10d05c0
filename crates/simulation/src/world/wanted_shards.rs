//! The ConfigMap that says how many shards are wanted, and who changes it.

use http::Method;
use serde_json::json;

use super::World;
use crate::schedule::WantedShards;
use crate::world::names::{NAMESPACE, SHARDS_CONFIG_MAP};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// What a person might write by mistake.
const NO_NUMBER: &str = "300";

impl World {
    /// In schedules that have it, the ConfigMap says from the start how many shards there are to be.
    pub(super) fn install_wanted_shards(&mut self) {
        if self.schedule.shards_config_map {
            self.want_shards(&self.schedule.shards.to_string());
        }
    }

    pub(super) fn change_wanted_shards(&mut self, change: WantedShards) {
        match change {
            WantedShards::Number(shards) => self.want_shards(&shards.to_string()),
            WantedShards::Invalid => self.want_shards(NO_NUMBER),
            WantedShards::Deleted => {
                self.by_hand(Method::DELETE, &format!("{CONFIG_MAPS}/{SHARDS_CONFIG_MAP}"), None);
            }
        }
    }

    pub(super) fn want_shards(&mut self, shards: &str) {
        let data = json!({"data": {shard_router::ShardsConfigMap::KEY: shards}});
        if self.api.look().peek("", "configmaps", NAMESPACE, SHARDS_CONFIG_MAP).is_some() {
            let uri = format!("{CONFIG_MAPS}/{SHARDS_CONFIG_MAP}");
            self.by_hand(Method::PATCH, &uri, Some(&data));
            return;
        }
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SHARDS_CONFIG_MAP}, "data": data["data"],
        });
        self.by_hand(Method::POST, CONFIG_MAPS, Some(&config_map));
    }
}
