//! Accepts connections and ties each to one upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::pump::pump;
use super::{Flow, Settings};

pub(super) struct Relay {
    pub(super) upstream: String,
    pub(super) settings: watch::Receiver<Settings>,
    pub(super) connections: Arc<AtomicUsize>,
    /// How many connections there ever were; numbers them.
    pub(super) accepted: Arc<AtomicU64>,
}

impl Relay {
    /// Runs until the proxy is dropped.
    pub(super) async fn run(self, listener: std::net::TcpListener) {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let mut tasks = JoinSet::new();
        let mut settings = self.settings.clone();
        loop {
            tokio::select! {
                _ = settings.wait_for(|settings| settings.stopped) => return,
                Some(_) = tasks.join_next() => {}
                accepted = listener.accept() => {
                    let now = *self.settings.borrow();
                    if let (Ok((client, _)), false) = (accepted, now.refuse) {
                        tasks.spawn(self.connection(client, now.generation));
                    }
                }
            }
        }
    }

    fn connection(&self, client: TcpStream, generation: u64) -> impl Future<Output = ()> + use<> {
        let (upstream, mut settings) = (self.upstream.clone(), self.settings.clone());
        let open = Open::count(self.connections.clone());
        let number = self.accepted.fetch_add(1, Ordering::SeqCst);
        let forwarding = forward(number, client, upstream, settings.clone());
        async move {
            let _open = open;
            tokio::select! {
                _ = settings.wait_for(|settings| settings.generation != generation) => {}
                () = forwarding => {}
            }
        }
    }
}

async fn forward(number: u64, client: TcpStream, upstream: String, settings: watch::Receiver<Settings>) {
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = |settings: &Settings| -> Flow { settings.of_connection(number, settings.requests) };
    let answers = |settings: &Settings| -> Flow { settings.of_connection(number, settings.answers) };
    // When one direction has failed the connection is of no more use; an orderly end of one leaves the other open.
    let _ = tokio::try_join!(
        pump(from_client, to_server, settings.clone(), requests),
        pump(from_server, to_client, settings, answers),
    );
}

/// Counts a connection for as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(connections: Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::SeqCst);
        Self(connections)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
