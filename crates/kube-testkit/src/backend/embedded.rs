//! `embedded`: an API server within this process, over plain HTTP. Everybody may do everything there, and the audit log
//! knows a writer by its User-Agent alone.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, path::PathBuf};

use futures::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Backend;
use crate::access::Access;
use crate::choice::BackendChoice;
use crate::control_plane::AUDIT_LOG;
use crate::error::{OperationError, StartError, io_error};
use crate::guard::WorkDir;
use crate::options::ClusterOptions;
use embedded_apiserver::{EmbeddedServer, WallSeams};

/// How often garbage is looked for. Like the real collector, this one follows some time after a deletion.
const COLLECT_EVERY: Duration = Duration::from_secs(1);

/// The server, and the thread that listens for it. A restart replaces the thread, with all its connections, and keeps
/// the server.
pub(crate) struct Embedded {
    server: EmbeddedServer,
    collects: bool,
    audit: Option<PathBuf>,
    listening: Mutex<Option<Listening>>,
    address: SocketAddr,
}

struct Listening {
    orders: mpsc::UnboundedSender<Order>,
    /// Ends a pause, when dropped too.
    resume: Option<blocking::Sender<()>>,
    thread: JoinHandle<()>,
}

/// What the thread is told.
enum Order {
    /// Do nothing until this is answered or dropped.
    Pause(blocking::Receiver<()>),
    End,
}

pub(crate) fn start(options: &ClusterOptions, dir: &WorkDir) -> Result<(Embedded, Access), StartError> {
    let mut server = EmbeddedServer::new(WallSeams::new(fastrand::u64(..)));
    let audit = options.audit.then(|| dir.path().join(AUDIT_LOG));
    if let Some(path) = &audit {
        let log = File::create(path).map_err(|error| io_error("create", path, error))?;
        server = server.with_audit_log(log);
    }
    if let Some(file) = std::env::var_os("KUBE_TESTKIT_UNCOMPARED") {
        server = server.noting_uncompared(file.as_ref());
    }
    let collects = options.garbage_collection;
    let (listening, address) =
        listen(&server, collects, 0).map_err(|error| io_error("listen on", "a free port".as_ref(), error))?;
    let listening = Mutex::new(Some(listening));
    Ok((Embedded { server, collects, audit, listening, address }, Access::Open))
}

fn listen(server: &EmbeddedServer, collects: bool, port: u16) -> io::Result<(Listening, SocketAddr)> {
    let (tell, told) = blocking::channel();
    let (orders, received) = mpsc::unbounded_channel();
    let server = server.clone();
    let thread = std::thread::Builder::new().name("embedded API server".into()).spawn(move || {
        let outcome = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match outcome {
            Ok(runtime) => runtime.block_on(serve(&server, collects, port, &tell, received)),
            Err(error) => drop(tell.send(Err(error))),
        }
    })?;
    let address = told.recv().map_err(|_| io::Error::other("the thread that should listen has ended"))??;
    Ok((Listening { orders, resume: None, thread }, address))
}

/// Listens until told to end; connections end with the runtime.
async fn serve(
    server: &EmbeddedServer,
    collects: bool,
    port: u16,
    tell: &blocking::Sender<io::Result<SocketAddr>>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let _port = match server.listen(port).await {
        Ok(port) => {
            let _ = tell.send(Ok(port.address()));
            port
        }
        Err(error) => return drop(tell.send(Err(error))),
    };
    let mut sweep = tokio::time::interval(COLLECT_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = None;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                // Blocks the only thread, so that connections stay open and nothing is answered.
                Some(Order::Pause(end)) => drop(end.recv()),
                Some(Order::End) | None => return,
            },
            _ = sweep.tick(), if collects => server.with_machine(|machine| {
                if swept != Some(machine.revision()) {
                    machine.collect_garbage();
                    swept = Some(machine.revision());
                }
            }),
        }
    }
}

impl Embedded {
    fn lock(&self) -> MutexGuard<'_, Option<Listening>> {
        self.listening.lock()
    }

    fn end(listening: Option<Listening>) {
        if let Some(Listening { orders, resume, thread }) = listening {
            drop(resume);
            let _ = orders.send(Order::End);
            // A panic there has been printed, and is no reason for another one here.
            let _ = thread.join();
        }
    }
}

impl Backend for Embedded {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Embedded
    }

    fn server(&self) -> http::Uri {
        format!("http://{}/", self.address).parse().expect("an address and a port make a URI")
    }

    fn audit_log(&self) -> Option<PathBuf> {
        self.audit.clone()
    }

    fn server_log(&self) -> Option<PathBuf> {
        None
    }

    fn dead(&self) -> BoxFuture<'_, Option<String>> {
        let ended = self.lock().as_ref().is_none_or(|listening| listening.thread.is_finished());
        Box::pin(std::future::ready(ended.then(|| "the embedded API server has ended".to_owned())))
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async {
            let mut slot = self.lock();
            Self::end(slot.take());
            let (listening, _) = listen(&self.server, self.collects, self.address.port())
                .map_err(|error| io_error("listen again on", self.address.to_string().as_ref(), error))?;
            *slot = Some(listening);
            Ok(())
        })
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        if let Some(listening) = self.lock().as_mut() {
            let (resume, end) = blocking::channel();
            listening.resume = Some(resume);
            let _ = listening.orders.send(Order::Pause(end));
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        if let Some(listening) = self.lock().as_mut() {
            listening.resume = None;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        Self::end(self.lock().take());
    }
}
