//! What the server has from outside: the time, and numbers that nobody can guess.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

/// The time and the randomness of an [`EmbeddedServer`](super::EmbeddedServer). Same seams and same requests, same answers.
pub trait Seams: Send + Sync + 'static {
    /// The server's wall clock: what creation and deletion times, and those of managed fields, are taken from.
    fn now(&self) -> Timestamp;

    /// 128 bits that do not repeat, of which uids and generated names are made.
    fn bits(&self) -> u128;

    /// Ready after this time of the server: ends watches at their timeout, and paces their bookmarks.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of this machine, with uids drawn from a seed.
pub struct WallSeams {
    random: parking_lot::Mutex<fastrand::Rng>,
}

impl WallSeams {
    /// Uids of this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: parking_lot::Mutex::new(fastrand::Rng::with_seed(seed)) }
    }
}

impl Seams for WallSeams {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn bits(&self) -> u128 {
        self.random.lock().u128(..)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl fmt::Debug for WallSeams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallSeams").finish_non_exhaustive()
    }
}

/// A uid: a UUID of version 4 made of these bits.
pub(crate) fn uid(bits: u128) -> String {
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
}

/// The five characters that follow a `generateName`.
pub(crate) fn name_suffix(mut bits: u128) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut suffix = String::new();
    for _ in 0..5 {
        let index = usize::try_from(bits % ALPHABET.len() as u128).expect("smaller than the alphabet");
        suffix.push(char::from(ALPHABET[index]));
        bits /= ALPHABET.len() as u128;
    }
    suffix
}

/// As the API server writes times: whole seconds.
pub(crate) fn wire_time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).expect("a second of a time is one").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_uuids_of_version_4() {
        assert_eq!(uid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn times_are_whole_seconds() {
        assert_eq!(wire_time("2026-01-02T03:04:05.9Z".parse().unwrap()), "2026-01-02T03:04:05Z");
    }
}
