//! Where the coordinator has the wanted number of shards from.

use futures::future::{OptionFuture, pending};
use tokio::sync::watch;

use super::Wanted;
use crate::routing::bucket::ShardCount;

/// The ConfigMap, if there is one to be read; or else what the program says.
pub(crate) struct WantedShards {
    shards: ShardCount,
    by_program: Option<watch::Receiver<ShardCount>>,
    by_config_map: Option<watch::Receiver<Wanted>>,
}

impl WantedShards {
    /// `shards` is the number of the options, which the program may change by `by_program`; `by_config_map` is what is read of the ConfigMap, if there is one to be read.
    pub(crate) fn new(
        shards: ShardCount,
        by_program: Option<watch::Receiver<ShardCount>>,
        by_config_map: Option<watch::Receiver<Wanted>>,
    ) -> Self {
        Self { shards, by_program, by_config_map }
    }

    /// The number that is wanted now; `committed` if that is unknown. [`changed`](Self::changed) resolves for what comes after.
    pub(crate) fn number(&mut self, committed: Option<ShardCount>) -> ShardCount {
        if let Some(read) = &mut self.by_config_map {
            return match *read.borrow_and_update() {
                Wanted::Shards(shards) => shards,
                Wanted::Unknown | Wanted::AsItIs => committed.unwrap_or(self.shards),
            };
        }
        self.by_program.as_mut().map_or(self.shards, |wanted| *wanted.borrow_and_update())
    }

    /// Resolves when the ConfigMap has been read, or if there is none to be read.
    pub(crate) async fn known(&mut self) {
        if let Some(read) = &mut self.by_config_map
            && read.wait_for(|wanted| *wanted != Wanted::Unknown).await.is_err()
        {
            pending::<()>().await;
        }
    }

    /// Resolves when the number may have changed.
    pub(crate) async fn changed(&mut self) {
        let read = OptionFuture::from(self.by_config_map.as_mut().map(watch::Receiver::changed));
        let said = OptionFuture::from(self.by_program.as_mut().map(watch::Receiver::changed));
        tokio::select! {
            Some(Ok(())) = read => {}
            Some(Ok(())) = said => {}
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(shards: u16) -> ShardCount {
        shards.try_into().unwrap()
    }

    /// Otherwise a new coordinator would go back to the number of its options, and then to that of the ConfigMap.
    #[tokio::test]
    async fn the_committed_number_stays_until_the_config_map_has_been_read() {
        let (send, read) = watch::channel(Wanted::default());
        let mut wanted = WantedShards::new(count(4), None, Some(read));
        assert_eq!(wanted.number(Some(count(16))), count(16));
        send.send(Wanted::Shards(count(8))).unwrap();
        wanted.known().await;
        assert_eq!(wanted.number(Some(count(16))), count(8));
        send.send(Wanted::AsItIs).unwrap();
        wanted.changed().await;
        assert_eq!(wanted.number(Some(count(8))), count(8));
        assert_eq!(wanted.number(None), count(4), "a first layout");
    }

    #[tokio::test]
    async fn without_a_config_map_the_program_says_the_number() {
        let mut fixed = WantedShards::new(count(4), None, None);
        assert_eq!(fixed.number(Some(count(16))), count(4));
        fixed.known().await;
        let (say, said) = watch::channel(count(2));
        let mut wanted = WantedShards::new(count(4), Some(said), None);
        assert_eq!(wanted.number(Some(count(16))), count(2));
        say.send(count(3)).unwrap();
        wanted.changed().await;
        assert_eq!(wanted.number(None), count(3));
    }
}
