//! Free TCP ports on 127.0.0.1.

use std::io;
use std::net::TcpListener;

/// Finds ports that are free right now, below the range from which systems take those of outgoing connections.
///
/// While an API server is restarted its clients keep connecting; with a port from that range one of them could be given
/// the very port as its own, and the API server could not take it back.
pub(crate) fn free(count: usize) -> io::Result<Vec<u16>> {
    const ATTEMPTS: usize = 1000;
    let mut held = Vec::new();
    for _ in 0..ATTEMPTS {
        if held.len() == count {
            break;
        }
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", fastrand::u16(20_000..32_000))) {
            held.push(listener);
        }
    }
    if held.len() < count {
        return Err(io::Error::other("found no free port between 20000 and 32000 on 127.0.0.1"));
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
