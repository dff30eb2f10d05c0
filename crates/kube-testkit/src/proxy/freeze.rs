//! Connections that die without anyone being told, as when a firewall or a NAT forgets about them.

use std::sync::atomic::Ordering;

use super::{Flow, Proxy, Settings};

impl Proxy {
    /// Freezes all connections that are open now: they pass on nothing, in either direction, and are never closed. New connections
    /// work. Ends with [`resume`](Self::resume).
    pub fn freeze_connections(&self) {
        let accepted = self.accepted.load(Ordering::SeqCst);
        self.settings.send_modify(|settings| settings.frozen_below = accepted);
    }
}

impl Settings {
    /// What happens to a direction of the connection of this number.
    pub(super) fn of_connection(&self, number: u64, direction: Flow) -> Flow {
        if number < self.frozen_below { Flow::Hang } else { direction }
    }
}
