//! Sets and gets a value on each memcached server that it is given, again and again, and reports every error.
//!
//! `e2e-client HOST:PORT…` prints one JSON object per line: one for each error when it happens, one with the totals every
//! second. It depends on nothing but the standard library, so that its image is one small static file.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fmt, process, thread};

/// Between two rounds to one server.
const PAUSE: Duration = Duration::from_millis(100);
/// For a connection, and for each answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

fn main() {
    let targets: Vec<String> = env::args().skip(1).collect();
    if targets.is_empty() {
        eprintln!("name at least one server, such as sessions-0.sessions.shop.svc:11211");
        process::exit(2);
    }
    let totals = Arc::new(Totals::default());
    for target in targets {
        let totals = totals.clone();
        thread::spawn(move || talk(&target, &totals));
    }
    loop {
        thread::sleep(Duration::from_secs(1));
        totals.print();
    }
}

/// What all servers together answered.
#[derive(Default)]
struct Totals {
    sets: AtomicU64,
    gets: AtomicU64,
    errors: AtomicU64,
    /// One line at a time.
    out: Mutex<()>,
}

impl Totals {
    fn print(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (sets, gets, errors) = (read(&self.sets), read(&self.gets), read(&self.errors));
        self.say(&format!(r#"{{"totals":{{"sets":{sets},"gets":{gets},"errors":{errors}}}}}"#));
    }

    fn error(&self, target: &str, error: &StepError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let text = error.to_string().replace(['"', '\\', '\n', '\r'], " ");
        let step = error.step;
        let uptime = uptime();
        self.say(&format!(
            r#"{{"error":{{"uptime":{uptime},"target":"{target}","step":"{step}","text":"{text}"}}}}"#
        ));
    }

    fn say(&self, line: &str) {
        let _one = self.out.lock();
        println!("{line}");
    }
}

/// What went wrong, and at what.
struct StepError {
    step: &'static str,
    text: String,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

type Server = BufReader<TcpStream>;

/// Keeps one connection, as clients do, and makes a new one after an error.
fn talk(target: &str, totals: &Totals) -> ! {
    let mut server: Option<Server> = None;
    let mut number: u64 = 0;
    loop {
        number += 1;
        let begun = Instant::now();
        match round(&mut server, target, number, totals) {
            Ok(()) => {}
            Err(error) => {
                server = None;
                totals.error(target, &error);
            }
        }
        thread::sleep(PAUSE.saturating_sub(begun.elapsed()));
    }
}

fn round(server: &mut Option<Server>, target: &str, number: u64, totals: &Totals) -> Result<(), StepError> {
    let server = match server {
        Some(server) => server,
        None => server.insert(connect(target)?),
    };
    // Another client may be at its last requests still, with a key of its own.
    let key = key();
    let value = format!("v{number}");
    let stored = ask(server, "set", &format!("set {key} 0 0 {}\r\n{value}\r\n", value.len()), 1)?;
    expect("set", &stored, &["STORED".to_owned()])?;
    totals.sets.fetch_add(1, Ordering::Relaxed);
    let found = ask(server, "get", &format!("get {key}\r\n"), 3)?;
    let length = value.len();
    expect("get", &found, &[format!("VALUE {key} 0 {length}"), value, "END".to_owned()])?;
    totals.gets.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn connect(target: &str) -> Result<Server, StepError> {
    let failed_at = |step| move |error: std::io::Error| StepError { step, text: error.to_string() };
    let mut addresses = target.to_socket_addrs().map_err(failed_at("resolve"))?;
    let none = || StepError { step: "resolve", text: "the name has no address".to_owned() };
    let address = addresses.next().ok_or_else(none)?;
    let stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN).map_err(failed_at("connect"))?;
    let timeouts =
        stream.set_read_timeout(Some(ANSWER_WITHIN)).and(stream.set_write_timeout(Some(ANSWER_WITHIN)));
    timeouts.and(stream.set_nodelay(true)).map_err(failed_at("connect"))?;
    Ok(BufReader::new(stream))
}

/// Sends a command and reads as many lines as its good answer has; an answer of another kind ends early.
fn ask(
    server: &mut Server,
    step: &'static str,
    command: &str,
    lines: usize,
) -> Result<Vec<String>, StepError> {
    let failed = |error: std::io::Error| StepError { step, text: error.to_string() };
    server.get_mut().write_all(command.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    while answer.len() < lines {
        let mut line = String::new();
        if server.read_line(&mut line).map_err(failed)? == 0 {
            return Err(StepError { step, text: "the server closed the connection".to_owned() });
        }
        answer.push(line.trim_end().to_owned());
        if answer.first().is_some_and(|first| first.ends_with("ERROR") || first == "END") {
            break;
        }
    }
    Ok(answer)
}

fn expect(step: &'static str, answer: &[String], expected: &[String]) -> Result<(), StepError> {
    if answer == expected {
        return Ok(());
    }
    Err(StepError { step, text: format!("the answer was {answer:?} instead of {expected:?}") })
}

/// The Pod's name, or what is unique on this machine.
fn key() -> String {
    env::var("HOSTNAME").unwrap_or_else(|_| format!("e2e-{}", process::id()))
}

/// Seconds since the machine started, which is what the records of the operator count in.
fn uptime() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}
