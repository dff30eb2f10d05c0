//! `local`: etcd and kube-apiserver as child processes of this one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{Backend, BackendChoice};
use crate::access::Access;
use crate::binaries::{self, Program};
use crate::cluster::ClusterOptions;
use crate::control_plane::{AUDIT_LOG, Seat, apiserver_args, etcd_args, write_files};
use crate::error::{OperationError, StartError, io_error, tail_of};
use crate::guard::{GuardedChild, GuardedCommand, Signal, WorkDir};
use crate::ports;

/// A running control plane. Fields are dropped in order, so the programs end before their directory goes.
pub(crate) struct Local {
    apiserver: Mutex<GuardedChild>,
    etcd: GuardedChild,
    command: GuardedCommand,
    port: u16,
    files: Files,
}

/// Paths within the cluster's work directory.
struct Files {
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
        audit: options.audit.then(|| home.join(AUDIT_LOG)),
        apiserver_log: home.join("kube-apiserver.log"),
        etcd_log: home.join("etcd.log"),
    };
    let seat = Seat {
        bind: "127.0.0.1",
        port: ports[0],
        etcd: &client,
        files: &home,
        audit: files.audit.as_deref(),
    };
    let command =
        guarded(apiserver, apiserver_args(&seat, &options.api_server_args), &files.apiserver_log, dir);
    let data = home.join("etcd").display().to_string();
    let etcd = guarded(etcd, etcd_args(&data, &client, &client, &peer), &files.etcd_log, dir);
    let etcd = spawn(&etcd)?;
    let apiserver = spawn(&command)?;
    let local = Local { apiserver: Mutex::new(apiserver), etcd, command, port: seat.port, files };
    Ok((local, Access::Certificates(Box::new(authority))))
}

impl Local {
    fn ended(&self) -> Option<String> {
        if let Some(exit) = self.etcd.try_exit() {
            return Some(format!("etcd ended with {exit}: {}", tail_of(&self.files.etcd_log)));
        }
        let exit = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner).try_exit();
        exit.map(|exit| format!("kube-apiserver ended with {exit}"))
    }

    fn signal(&self, signal: Signal) -> Result<(), OperationError> {
        Ok(self.apiserver.lock().unwrap_or_else(PoisonError::into_inner).signal(signal)?)
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

    fn dead(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(self.ended()))
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async {
            let mut apiserver = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner);
            apiserver.kill();
            *apiserver = spawn(&self.command)?;
            Ok(())
        })
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async { self.signal(Signal::Stop) })
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async { self.signal(Signal::Continue) })
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
