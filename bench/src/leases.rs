//! Who holds what, by the shard Leases.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

/// Whether every shard has a holder, each replica holds some, and none more than one more than another.
pub(crate) async fn are_balanced(client: &Client, namespace: &str, replicas: u32) -> Result<bool> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let leases = leases.list(&ListParams::default()).await.context("the Leases could not be listed")?;
    let shards = leases.items.iter().filter(|lease| lease.name_any().contains("-shard-"));
    Ok(balanced(shards.map(|lease| lease.spec.as_ref()?.holder_identity.as_deref()), replicas))
}

fn balanced<'a>(holders: impl Iterator<Item = Option<&'a str>>, replicas: u32) -> bool {
    let mut held: BTreeMap<&str, u32> = BTreeMap::new();
    for holder in holders {
        let Some(holder) = holder.filter(|holder| !holder.is_empty()) else { return false };
        *held.entry(holder).or_default() += 1;
    }
    let (least, most) = (held.values().min(), held.values().max());
    held.len() == replicas as usize && least.zip(most).is_some_and(|(least, most)| most - least <= 1)
}

#[cfg(test)]
mod tests {
    use super::balanced;

    #[test]
    fn a_free_shard_or_a_replica_with_two_more_than_another_is_not_balanced() {
        let holders = |names: &[&'static str]| names.iter().map(|name| Some(*name)).collect::<Vec<_>>();
        assert!(balanced(holders(&["a", "b", "a"]).into_iter(), 2));
        assert!(!balanced(holders(&["a", "b", "a", "a"]).into_iter(), 2));
        assert!(!balanced(holders(&["a", ""]).into_iter(), 1));
        assert!(!balanced(holders(&["a", "a"]).into_iter(), 2));
        assert!(!balanced([].into_iter(), 0));
    }
}
