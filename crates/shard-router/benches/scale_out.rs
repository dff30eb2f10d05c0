//! The curve of `tests/virtual_time/scale_out.rs`: `cargo xtask bench scale-out`.
//!
//! Arguments: how many resources, how many replicas, how many shards, each a list with commas. Writes a line of JSON for each size.

#[path = "../tests/virtual_time/blackhole.rs"]
#[expect(dead_code, reason = "this network has no faults")]
mod blackhole;
#[path = "../tests/virtual_time/clock.rs"]
mod clock;
#[path = "../tests/virtual_time/harness.rs"]
#[allow(dead_code, reason = "nothing is stopped, and there is no other definition")]
mod harness;
#[path = "../tests/virtual_time/scale_out.rs"]
mod scale_out;
#[path = "../tests/real_api/widget.rs"]
#[expect(dead_code, reason = "each size has an API server of its own, and the definition is installed there")]
mod widget;

use std::str::FromStr;

/// The default of `Options::concurrency`.
const AT_ONCE: usize = 64;

fn main() {
    // cargo passes `--bench` as well.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [resources, replicas, shards] = &arguments[..] else {
        eprintln!("usage: scale_out RESOURCES,… REPLICAS,… SHARDS,…; see `cargo xtask bench scale-out`");
        std::process::exit(2);
    };
    for shards in list::<u16>(shards) {
        for resources in list::<usize>(resources) {
            for replicas in list::<usize>(replicas) {
                let run = in_virtual_time(scale_out::run(resources, replicas, shards, AT_ONCE));
                let size = serde_json::json!({
                    "resources": resources, "replicas": replicas, "shards": shards,
                    "seconds": run.took.as_secs_f64(), "busiest": run.busiest,
                });
                println!("{size}");
            }
        }
    }
}

fn list<T: FromStr>(text: &str) -> Vec<T> {
    let number =
        |part: &str| part.parse().unwrap_or_else(|_| panic!("{part:?} is not a number that will do"));
    text.split(',').map(number).collect()
}

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime needs nothing that is not there").block_on(work)
}
