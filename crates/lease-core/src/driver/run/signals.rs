//! The first SIGTERM or SIGINT drains, the second aborts.

use std::io::{self, Write as _};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports for a program that SIGTERM ended.
const ABORTED: i32 = 128 + 15;

/// Resolves at the first signal. The second ends the process at once.
pub(super) fn listen() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: the work is drained, and the Lease released; a second signal aborts");
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            // `eprintln` would panic where nobody reads the log any more, and the process would go on.
            let _ = writeln!(io::stderr(), "aborted by a second signal; the Lease is left to expire");
            std::process::exit(ABORTED);
        });
    })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
