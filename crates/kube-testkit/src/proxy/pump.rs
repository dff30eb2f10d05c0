//! Moves the bytes of one direction of one connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{Flow, Settings};

/// How many pieces are held back before the sender is left to wait, as a full TCP window would make it.
const HELD: usize = 64;
const PIECE: usize = 16 * 1024;

/// Copies until the source ends or either side fails.
pub(super) async fn pump(
    source: OwnedReadHalf,
    sink: OwnedWriteHalf,
    settings: watch::Receiver<Settings>,
    flow: impl Fn(&Settings) -> Flow,
) -> io::Result<()> {
    // Reading and writing are apart so that a delay holds each piece up by the same time, and not one after the other.
    let (held, pieces) = mpsc::channel(HELD);
    tokio::try_join!(read(source, held), write(sink, pieces, settings, flow)).map(drop)
}

async fn read(mut source: OwnedReadHalf, held: mpsc::Sender<(Instant, Vec<u8>)>) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if source.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        if held.send((Instant::now(), piece)).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    mut sink: OwnedWriteHalf,
    mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut settings: watch::Receiver<Settings>,
    flow: impl Fn(&Settings) -> Flow,
) -> io::Result<()> {
    while let Some((arrived, piece)) = pieces.recv().await {
        released(arrived, &mut settings, &flow).await;
        sink.write_all(&piece).await?;
    }
    released(Instant::now(), &mut settings, &flow).await;
    sink.shutdown().await
}

/// Returns when what arrived then may be passed on.
async fn released(
    arrived: Instant,
    settings: &mut watch::Receiver<Settings>,
    flow: impl Fn(&Settings) -> Flow,
) {
    loop {
        let now = flow(&settings.borrow_and_update());
        let due = match now {
            Flow::Pass => return,
            Flow::Hang => None,
            Flow::Delay(by) => Some(arrived + by),
        };
        if due.is_some_and(|due| due <= Instant::now()) {
            return;
        }
        let left = due.map_or(Duration::MAX, |due| due - Instant::now());
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
    }
}
