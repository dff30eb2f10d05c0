//! A network fault on demand: a TCP proxy in front of the API server.

mod freeze;
mod pump;
mod relay;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

/// Forwards TCP connections to an API server and can be told to fail in the ways that networks do.
///
/// It passes bytes through and so leaves TLS alone; [`Cluster::config_via`](crate::Cluster::config_via) gives a
/// configuration that goes through it. It runs in a thread of its own: a test may block its own runtime and the proxy
/// still behaves. Dropping it closes all of its connections.
///
/// - A watch that hangs without closing: [`hang_answers`](Self::hang_answers), or
///   [`freeze_connections`](Self::freeze_connections) where requests on new connections are to be answered.
/// - A write that took effect though its answer was lost: `hang_answers`, wait for the effect by another way, then
///   [`cut`](Self::cut).
/// - A partition: [`hang`](Self::hang). New connections are accepted, but nothing is passed on.
#[derive(Debug)]
#[must_use = "a proxy closes its connections when it is dropped; keep it for as long as the network is to be there"]
pub struct Proxy {
    port: u16,
    settings: watch::Sender<Settings>,
    connections: Arc<AtomicUsize>,
    accepted: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// How the proxy treats its connections at the moment.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    requests: Flow,
    answers: Flow,
    /// New connections are closed at once.
    refuse: bool,
    /// Connections made under another number are closed.
    generation: u64,
    /// Connections numbered below this pass nothing on, in either direction.
    frozen_below: u64,
    stopped: bool,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Flow {
    #[default]
    Pass,
    /// Held back until the flow changes; the connection stays open, and an end of it is not passed on either.
    Hang,
    /// Passed on this long after they arrived.
    Delay(Duration),
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `upstream`, which is `host:port`.
    ///
    /// # Errors
    ///
    /// If no port can be listened on, or no thread be started.
    pub fn start(upstream: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (settings, seen) = watch::channel(Settings::default());
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicU64::new(0));
        let relay = relay::Relay {
            upstream: upstream.into(),
            settings: seen,
            connections: connections.clone(),
            accepted: accepted.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("proxy-{port}"))
            .spawn(move || runtime.block_on(relay.run(listener)))?;
        Ok(Self { port, settings, connections, accepted, thread: Some(thread) })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections are open through it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Holds back what clients send. Connections stay open.
    pub fn hang_requests(&self) {
        self.settings.send_modify(|settings| settings.requests = Flow::Hang);
    }

    /// Holds back what the API server sends. Connections stay open, and requests still take effect.
    pub fn hang_answers(&self) {
        self.settings.send_modify(|settings| settings.answers = Flow::Hang);
    }

    /// Holds back both directions.
    pub fn hang(&self) {
        self.settings
            .send_modify(|settings| (settings.requests, settings.answers) = (Flow::Hang, Flow::Hang));
    }

    /// Delays what clients send by this time.
    pub fn delay_requests(&self, by: Duration) {
        self.settings.send_modify(|settings| settings.requests = Flow::Delay(by));
    }

    /// Delays what the API server sends by this time.
    pub fn delay_answers(&self, by: Duration) {
        self.settings.send_modify(|settings| settings.answers = Flow::Delay(by));
    }

    /// Closes all connections. Data that was held back is lost. New connections work.
    pub fn drop_connections(&self) {
        self.settings.send_modify(|settings| settings.generation += 1);
    }

    /// Closes all connections, and every new one as soon as it is made, until [`resume`](Self::resume).
    pub fn cut(&self) {
        self.settings.send_modify(|settings| {
            settings.generation += 1;
            settings.refuse = true;
        });
    }

    /// Ends all faults. Data that was held back is passed on now.
    pub fn resume(&self) {
        self.settings.send_modify(|settings| {
            *settings = Settings { generation: settings.generation, ..Settings::default() };
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.settings.send_modify(|settings| settings.stopped = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
