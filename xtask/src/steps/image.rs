//! `cargo xtask image`: the operator's image, with or without base images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cargo::{Cargo, root, target_dir};

/// The most that the image may take.
const LARGEST: u64 = 25 * 1024 * 1024;

const BINARY: &str = "memcached-operator";

/// How to build the image.
#[derive(Args, Clone)]
pub(crate) struct ImageOptions {
    /// What to call it
    #[arg(long, default_value = "memcached-operator:dev", value_name = "NAME")]
    tag: String,
    /// Where the binary is built
    #[arg(long, value_enum, default_value_t = Builder::Auto)]
    builder: Builder,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Builder {
    /// In a container where the base image can be had, else on this machine
    Auto,
    /// In a container, as the Dockerfile says
    Docker,
    /// On this machine, for this machine; the image is the Dockerfile's last stage
    Local,
}

/// Builds it and checks its size.
pub(crate) fn run(options: &ImageOptions) -> Result<()> {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).context("Dockerfile could not be read")?;
    match options.builder {
        Builder::Docker => in_container(&options.tag)?,
        Builder::Local => on_this_machine(&dockerfile, &options.tag)?,
        Builder::Auto => {
            let base = base_image(&dockerfile)?;
            if has_buildx() && can_be_had(base) {
                in_container(&options.tag)?;
            } else {
                eprintln!(
                    "{base} cannot be had or docker has no buildx here: the binary is built on this machine"
                );
                on_this_machine(&dockerfile, &options.tag)?;
            }
        }
    }
    let size = docker(&["image", "inspect", "--format", "{{.Size}}", &options.tag])?;
    let size: u64 = size.trim().parse().context("docker did not say how large the image is")?;
    if size > LARGEST {
        bail!("{} takes {} MiB, more than the {} MiB that it may", options.tag, size >> 20, LARGEST >> 20);
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mebibytes = size as f64 / f64::from(1 << 20);
    println!("image: {} ({mebibytes:.1} MiB)", options.tag);
    Ok(())
}

fn in_container(tag: &str) -> Result<()> {
    let mut build = Command::new("docker");
    shown(build.args(["buildx", "build", "--load", "--tag", tag, "."]).current_dir(root()))
}

/// The binary of this machine's cargo in the Dockerfile's last stage: what runs is the same either way.
fn on_this_machine(dockerfile: &str, tag: &str) -> Result<()> {
    let binary = static_binary()?;
    let context = tempfile::tempdir().context("no directory could be made for the image's files")?;
    fs::copy(&binary, context.path().join(BINARY))
        .with_context(|| format!("{} could not be copied", binary.display()))?;
    fs::write(context.path().join("Dockerfile"), last_stage(dockerfile)?)?;
    shown(Command::new("docker").args(["build", "--tag", tag]).arg(context.path()))
}

/// Builds the operator so that it needs nothing but a kernel.
fn static_binary() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    if let Err(error) = shown(Command::new("rustup").args(["target", "add", &target])) {
        bail!("{error:#}; the image needs Rust's standard library for {target}");
    }
    let compiler = format!("CC_{}", target.replace('-', "_"));
    let cargo = Cargo::new(["build", "--release", "--package", BINARY, "--bin", BINARY, "--target", &target]);
    // ring compiles C. clang can do that for any target as well.
    let cargo = if std::env::var_os(&compiler).is_some() || on_path("musl-gcc").is_none() {
        cargo
    } else {
        cargo.env(&compiler, "musl-gcc")
    };
    cargo.run().context(
        "the static binary could not be built; ring needs a C compiler for musl: install musl-tools, or set CC=clang",
    )?;
    let binary = target_dir()?.join(target).join("release").join(BINARY);
    // An ELF file that asks for an interpreter is none that starts from scratch.
    let bytes = fs::read(&binary).with_context(|| format!("{} could not be read", binary.display()))?;
    if bytes.windows(7).any(|window| window == b"/ld-mus")
        || bytes.windows(8).any(|window| window == b"/ld-linu")
    {
        bail!("{} is not static: it asks for a dynamic linker", binary.display());
    }
    Ok(binary)
}

/// The last stage, with its files from the build's directory rather than from the stage before.
fn last_stage(dockerfile: &str) -> Result<String> {
    let at = dockerfile.rfind("\nFROM ").context("the Dockerfile has no second stage")?;
    let stage = dockerfile[at..].trim_start();
    let copy = "COPY --from=build /out/";
    if !stage.starts_with("FROM scratch\n") || !stage.contains(copy) {
        bail!("the Dockerfile's last stage is not FROM scratch with the binary from the stage `build`");
    }
    Ok(stage.replace(copy, "COPY "))
}

/// The image that the Dockerfile's build runs in.
fn base_image(dockerfile: &str) -> Result<&str> {
    let from =
        dockerfile.lines().find(|line| line.starts_with("FROM ")).context("the Dockerfile has no stage")?;
    let image = from.split_whitespace().skip(1).find(|word| !word.starts_with("--"));
    image.context("the Dockerfile's first FROM names no image")
}

fn has_buildx() -> bool {
    quietly(&["buildx", "version"])
}

fn can_be_had(image: &str) -> bool {
    quietly(&["image", "inspect", image]) || quietly(&["pull", "--quiet", image])
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| Path::is_file(file))
}

fn quietly(args: &[&str]) -> bool {
    let mut docker = Command::new("docker");
    let docker = docker.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    docker.status().is_ok_and(|status| status.success())
}

fn docker(args: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(args).output().context("docker could not be started")?;
    if !output.status.success() {
        bail!("`docker {}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command with its output shown.
fn shown(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}").replace('"', "");
    eprintln!("$ {line}");
    let status = command.stdin(Stdio::null()).status();
    let status =
        status.with_context(|| format!("`{line}` could not be started; is the program installed?"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        fs::read_to_string(root().join("Dockerfile")).expect("it is committed")
    }

    #[test]
    fn the_last_stage_stands_alone() {
        let stage = last_stage(&committed()).expect("it has the form that is expected");
        assert!(stage.starts_with("FROM scratch\nCOPY memcached-operator /memcached-operator\n"), "{stage}");
        assert!(stage.contains("USER 65532:65532\n"), "{stage}");
    }

    #[test]
    fn another_last_stage_is_refused() {
        assert!(last_stage("FROM a\n\nFROM alpine\nCOPY --from=build /out/x /x\n").is_err());
        assert!(last_stage("FROM scratch\n").is_err());
    }

    #[test]
    fn the_base_image_is_that_of_the_build() {
        let dockerfile = committed();
        assert!(base_image(&dockerfile).expect("there is one").contains("/rust:"));
    }
}
