//! Hash version 1: hashes a shard key to 64 bits. It must never change; another hash needs another version.
//!
//! FNV-1a of the key's bytes takes five lines in any language, so that scripts can predict a bucket. FNV-1a alone
//! distributes similar names badly: names that differ in their last letter differ in few high
//! bits. The 64-bit finalizer of `MurmurHash3` spreads every input bit over the whole word. It is a bijection, so it
//! causes no additional collisions.

use std::hash::Hasher;

use fnv::FnvHasher;

/// The hash version that this build computes, as committed in the [layout](crate::Layout).
pub const HASH_VERSION: u32 = 1;

/// Hash version 1: FNV-1a 64 followed by [`fmix64`].
///
/// ```
/// assert_eq!(shard_router::hash::hash(b"default/cache-0"), 0xa573_375c_e041_ad73);
/// ```
pub fn hash(bytes: &[u8]) -> u64 {
    fmix64(fnv1a_64(bytes))
}

/// The 64-bit finalizer of `MurmurHash3` (Austin Appleby, public domain).
pub fn fmix64(mut word: u64) -> u64 {
    word ^= word >> 33;
    word = word.wrapping_mul(0xff51_afd7_ed55_8ccd);
    word ^= word >> 33;
    word = word.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ (word >> 33)
}

/// The score of a member for a shard: rendezvous (highest random weight) hashing.
///
/// Every replica computes the same score from the same names, without communication. The finalizer is
/// applied after each step, because raw FNV-1a would rank similar Pod names in almost the same order for every shard.
pub(crate) fn score(shard: u16, member: &str) -> u64 {
    fmix64(hash(member.as_bytes()) ^ fmix64(u64::from(shard) + 1))
}

fn fnv1a_64(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published vectors of each part, to find out which part of a port differs.
    #[test]
    fn the_parts_agree_with_published_vectors() {
        assert_eq!(fnv1a_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(fmix64(0), 0);
        assert_eq!(fmix64(1), 0xb456_bcfc_34c2_cb2c);
    }
}
