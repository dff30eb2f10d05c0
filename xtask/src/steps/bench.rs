//! `cargo xtask bench`, which the package `bench` runs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, root, target_dir};
use crate::go::go;

/// Where the operators on controller-runtime are.
const PEERS: &str = "bench/controller-runtime";

/// Builds what is measured and lets it be measured.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    // Naming fleet too gives the dependencies the features that the demo and the tests have.
    Cargo::new(["build", "--quiet", "--package", "fleet", "--package", "bench", "--bin", "bench"])
        .run()
        .context("the bench could not be built")?;
    let bench = target_dir()?.join("debug/bench");
    let run = |more: &[&OsStr]| {
        let status = Command::new(&bench).args(more).args(args).current_dir(root()).status();
        let status = status.with_context(|| format!("{} could not be started", bench.display()))?;
        if !status.success() {
            bail!("the bench failed ({status})");
        }
        Ok(())
    };
    // Who mistyped is told before anything else is built, and who asks for help gets no more.
    run(&["--check-only".as_ref()])?;
    let asks = |flag: &str| args.iter().any(|arg| arg == flag);
    if ["--help", "-h", "help"].into_iter().any(asks) {
        return Ok(());
    }
    if asks("scale-out") {
        let (curve, commit) = (build_curve()?, commit()?);
        return run(&["--curve".as_ref(), curve.as_ref(), "--commit".as_ref(), commit.as_ref()]);
    }
    let (operator, peer, commit) = (build_operator()?, build_peer()?, commit()?);
    run(&[
        "--operator".as_ref(),
        operator.as_ref(),
        "--peer".as_ref(),
        peer.as_ref(),
        "--commit".as_ref(),
        commit.as_ref(),
    ])
}

/// As it is released: by itself, so that no other package's features get into it.
fn build_operator() -> Result<PathBuf> {
    let build = ["build", "--release", "--package", "memcached-operator", "--bin", "memcached-operator"];
    Cargo::new(build).run().context("the operator could not be built")?;
    Ok(target_dir()?.join("release/memcached-operator"))
}

/// What goes through reconciles in virtual time, optimised.
fn build_curve() -> Result<PathBuf> {
    let build = [
        "bench",
        "--no-run",
        "--package",
        "shard-router",
        "--bench",
        "scale_out",
        "--message-format",
        "json",
    ];
    let messages = Cargo::new(build).output().context("the curve could not be built")?;
    // Its name has a hash in it.
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "scale_out")
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().context("cargo did not say where the curve is")
}

fn build_peer() -> Result<PathBuf> {
    let peer = target_dir()?.join("bench/controller-runtime");
    println!("Building {PEERS} …");
    let status = go()
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&peer)
        .arg(".")
        .current_dir(root().join(PEERS))
        .status();
    let status = status.context("there is no `go` in PATH to build the peers with")?;
    if !status.success() {
        bail!("{PEERS} could not be built ({status})");
    }
    Ok(peer)
}

/// What is measured, for the table.
fn commit() -> Result<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(root())
        .output()
        .context("git could not be started")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
