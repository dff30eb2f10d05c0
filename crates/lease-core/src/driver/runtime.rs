//! The runtime of the Lease traffic.

use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The runtime on which Lease traffic runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaseRuntime {
    /// A separate thread with its own runtime, so that a reconciler that blocks the user's runtime cannot delay a renewal.
    #[default]
    Dedicated,
    /// The runtime of the caller, for simulations.
    Current,
}

/// A runtime to spawn on. The dedicated one ends with [`RunningRuntime::stop`] or when this is dropped.
#[derive(Debug)]
pub(super) struct RunningRuntime {
    handle: Handle,
    stop: CancellationToken,
}

impl RunningRuntime {
    pub(super) fn start(kind: LeaseRuntime) -> std::io::Result<Self> {
        let stop = CancellationToken::new();
        if kind == LeaseRuntime::Current {
            return Ok(Self { handle: Handle::current(), stop });
        }
        let runtime = Builder::new_current_thread().enable_all().thread_name("leases").build()?;
        let handle = runtime.handle().clone();
        let stopped = stop.clone();
        thread::Builder::new().name("leases".to_owned()).spawn(move || {
            runtime.block_on(stopped.cancelled());
            // Does not wait for requests that are still in progress.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, stop })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for RunningRuntime {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
