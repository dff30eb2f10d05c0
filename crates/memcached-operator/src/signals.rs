//! The first SIGTERM or SIGINT drains, the second aborts.

use std::io::{self, Write as _};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program that a signal ended, for SIGTERM.
const ABORTED: i32 = 128 + 15;

/// Starts listening. The token is cancelled by the first signal; the second ends the process at once, with exit code 143,
/// leaving the Leases to expire.
///
/// # Errors
/// If the system refuses to hand out signals.
pub fn listen() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let first = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: no new work, then drain and release; a second signal aborts");
        first.cancel();
        either(&mut terminate, &mut interrupt).await;
        // `eprintln` would panic where nobody reads the log any more, and the process would go on.
        let _ = writeln!(
            io::stderr(),
            "aborted by a second signal; the Leases will be taken over when they expire"
        );
        std::process::exit(ABORTED);
    });
    Ok(stop)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
