//! Builds a client-go candidate, once, into the cache of kube-testkit.

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fnv::FnvHasher;

/// Between two signs of life of a build that takes minutes.
const EVERY: Duration = Duration::from_secs(5);

/// The program of the present version of client-go, or why there is none on this machine.
///
/// # Panics
///
/// If there is a Go that fails to build it.
pub(crate) fn program() -> Result<PathBuf, String> {
    program_in("client_go")
}

/// The program whose source is in this folder.
pub(crate) fn program_in(folder: &str) -> Result<PathBuf, String> {
    // The tests of other crates build it too.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lease-core/tests").join(folder);
    let cache = kube_testkit::binaries::cache_dir().map_err(|error| error.to_string())?;
    let target = cache.join(format!("{}-candidate-{:016x}", folder.replace('_', "-"), fingerprint(&source)));
    if target.exists() {
        return Ok(target);
    }
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
        return Err("there is no `go` in PATH to build the client-go candidate with".to_owned());
    }
    fs::create_dir_all(&cache).expect("the cache can be made");
    // Another process may be building the same; the lock goes with this process.
    let lock = File::create(cache.join("client-go-candidate.lock")).expect("a lock file");
    lock.lock().expect("a lock");
    if !target.exists() {
        build(&source, &target);
    }
    Ok(target)
}

fn build(source: &Path, target: &Path) {
    say(&format!("building the client-go candidate (once; kept as {})", target.display()));
    // Renamed into place when it is complete, so that an interrupted build leaves nothing that looks finished.
    let unfinished = target.with_extension(format!("{}", std::process::id()));
    let mut go = Command::new("go")
        .args(["build", "-v", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&unfinished)
        .arg(".")
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env_remove("GOWORK")
        .env_remove("GOFLAGS")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("go runs");
    let output = follow(BufReader::new(go.stderr.take().expect("it was asked for")));
    let status = go.wait().expect("go ends");
    assert!(status.success(), "go build failed ({status}):\n{output}");
    fs::rename(&unfinished, target).expect("the program can be moved into place");
    say("built the client-go candidate");
}

/// Says now and then how far the build is. Returns what was printed.
fn follow(output: impl BufRead) -> String {
    let (mut said, mut text) = (Instant::now(), String::new());
    for (count, line) in output.lines().map_while(Result::ok).enumerate() {
        text += &line;
        text.push('\n');
        if said.elapsed() >= EVERY {
            said = Instant::now();
            say(&format!("the client-go candidate: {} packages so far", count + 1));
        }
    }
    text
}

/// Past the capture of the test harness.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "client_go: {line}");
}

/// Changes with the source, so that a changed one is built again.
fn fingerprint(source: &Path) -> u64 {
    let mut hash = FnvHasher::default();
    for name in ["main.go", "go.mod", "go.sum"] {
        hash.write(&fs::read(source.join(name)).expect("the source is in the repository"));
    }
    hash.finish()
}
