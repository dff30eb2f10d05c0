//! `local`: etcd and kube-apiserver as child processes of this one.

mod backup;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use backup::Backup;
use futures::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};

use super::{Backend, ProcessIds};
use crate::access::Access;
use crate::binaries::{self, Program};
use crate::choice::BackendChoice;
use crate::control_plane::{AUDIT_LOG, Endpoints, apiserver_args, etcd_args, write_files};
use crate::error::{OperationError, StartError, io_error, tail_of};
use crate::guard::{GuardedChild, GuardedCommand, Signal, WorkDir};
use crate::options::ClusterOptions;
use crate::ports;

/// A running control plane. Fields are dropped in order, so the programs end before their directory goes.
pub(crate) struct Local {
    apiserver: Supervised,
    etcd: Supervised,
    port: u16,
    files: Files,
}

/// A program that can be ended and started again with the same arguments.
struct Supervised {
    child: Mutex<GuardedChild>,
    command: GuardedCommand,
}

/// Paths within the cluster's work directory.
struct Files {
    data: PathBuf,
    audit: Option<PathBuf>,
    apiserver_log: PathBuf,
    etcd_log: PathBuf,
}

/// Starts both programs and does not wait for either.
pub(crate) async fn start(options: &ClusterOptions, dir: &WorkDir) -> Result<(Local, Access), StartError> {
    let programs = tokio::task::spawn_blocking(|| {
        Ok::<_, StartError>((binaries::find(Program::Etcd)?, binaries::find(Program::Apiserver)?))
    });
    let (etcd, apiserver) = programs.await.map_err(|error| StartError::Unavailable {
        backend: BackendChoice::Local,
        reason: format!("looking for its programs ended early: {error}"),
    })??;
    launch(&etcd, &apiserver, options, dir)
}

fn launch(
    etcd: &Path,
    apiserver: &Path,
    options: &ClusterOptions,
    dir: &WorkDir,
) -> Result<(Local, Access), StartError> {
    // A second attempt in the same directory, after a port was taken by somebody else, starts with empty data.
    let home = tempfile::tempdir_in(dir.path()).map_err(|error| io_error("use", dir.path(), error))?.keep();
    let authority = write_files(&home, options.audit_reads)?;
    let ports = ports::free(3).map_err(|error| io_error("find a port for", apiserver, error))?;
    let (client, peer) = (format!("http://127.0.0.1:{}", ports[1]), format!("http://127.0.0.1:{}", ports[2]));
    let files = Files {
        data: home.join("etcd"),
        audit: options.audit.then(|| home.join(AUDIT_LOG)),
        apiserver_log: home.join("kube-apiserver.log"),
        etcd_log: home.join("etcd.log"),
    };
    let endpoints = Endpoints {
        bind: "127.0.0.1",
        port: ports[0],
        etcd: &client,
        files: &home,
        audit: files.audit.as_deref(),
    };
    let command =
        guarded(apiserver, apiserver_args(&endpoints, &options.api_server_args), &files.apiserver_log, dir);
    let data = files.data.display().to_string();
    let etcd = guarded(etcd, etcd_args(&data, &client, &client, &peer), &files.etcd_log, dir);
    let etcd = Supervised::start(etcd)?;
    let apiserver = Supervised::start(command)?;
    let local = Local { apiserver, etcd, port: endpoints.port, files };
    Ok((local, Access::Certificates(Box::new(authority))))
}

impl Local {
    fn ended(&self) -> Option<String> {
        if let Some(exit) = self.etcd.child().try_exit() {
            return Some(format!("etcd ended with {exit}: {}", tail_of(&self.files.etcd_log)));
        }
        let exit = self.apiserver.child().try_exit();
        exit.map(|exit| format!("kube-apiserver ended with {exit}"))
    }

    fn signal(&self, signal: Signal) -> Result<(), OperationError> {
        Ok(self.apiserver.child().signal(signal)?)
    }

    async fn take_backup(&self) -> Result<Backup, OperationError> {
        let data = self.files.data.clone();
        self.etcd.child().signal(Signal::Stop)?;
        let taken = tokio::task::spawn_blocking(move || Backup::take(&data)).await;
        self.etcd.child().signal(Signal::Continue)?;
        let taken = taken.unwrap_or_else(|error| Err(io::Error::other(error)));
        Ok(taken.map_err(|error| io_error("copy", &self.files.data, error))?)
    }

    async fn go_back_to(&self, backup: Backup, down_for: Duration) -> Result<(), OperationError> {
        self.apiserver.child().kill();
        self.etcd.child().kill();
        tokio::time::sleep(down_for).await;
        let data = self.files.data.clone();
        let put_back = tokio::task::spawn_blocking(move || backup.put_back(&data)).await;
        let put_back = put_back.unwrap_or_else(|error| Err(io::Error::other(error)));
        put_back.map_err(|error| io_error("replace", &self.files.data, error))?;
        self.etcd.restart()?;
        Ok(self.apiserver.restart()?)
    }
}

impl Supervised {
    fn start(command: GuardedCommand) -> Result<Self, StartError> {
        Ok(Self { child: Mutex::new(spawn(&command)?), command })
    }

    fn child(&self) -> MutexGuard<'_, GuardedChild> {
        self.child.lock()
    }

    /// Kills it, if it runs, and starts it again.
    fn restart(&self) -> Result<(), StartError> {
        let mut child = self.child();
        child.kill();
        *child = spawn(&self.command)?;
        Ok(())
    }
}

impl Backend for Local {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Local
    }

    fn server(&self) -> http::Uri {
        local_uri(self.port)
    }

    fn audit_log(&self) -> Option<PathBuf> {
        self.files.audit.clone()
    }

    fn server_log(&self) -> Option<PathBuf> {
        Some(self.files.apiserver_log.clone())
    }

    fn process_ids(&self) -> Option<ProcessIds> {
        Some(ProcessIds { api_server: self.apiserver.child().pid(), etcd: self.etcd.child().pid() })
    }

    fn dead(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(self.ended()))
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async { Ok(self.apiserver.restart()?) })
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async { self.signal(Signal::Stop) })
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async { self.signal(Signal::Continue) })
    }

    fn back_up(&self) -> BoxFuture<'_, Result<Backup, OperationError>> {
        Box::pin(self.take_backup())
    }

    fn restore(&self, backup: Backup, down_for: Duration) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(self.go_back_to(backup, down_for))
    }
}

/// The address of a server on this machine.
pub(crate) fn local_uri(port: u16) -> http::Uri {
    format!("https://127.0.0.1:{port}/").parse().expect("an address and a port make a URI")
}

fn guarded(program: &Path, args: Vec<String>, log: &Path, dir: &WorkDir) -> GuardedCommand {
    GuardedCommand::new(program).args(args).stdout(log).stderr(log).within(dir)
}

fn spawn(command: &GuardedCommand) -> Result<GuardedChild, StartError> {
    command.spawn().map_err(|error| io_error("start", command.program(), error))
}
