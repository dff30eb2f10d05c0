//! A process sealed with the same seed draws the same, whoever draws. Each process is this very program, started again.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::collections::HashSet;
use std::process::Command;
use std::time::{Duration, SystemTime};

const SEED: &str = "SEALED_PROCESS_TEST_SEED";
/// What the child says, unlike what libtest says around it.
const DRAWN: &str = "drawn: ";
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

#[test]
fn the_same_seed_draws_the_same_and_another_seed_another() {
    if let Ok(seed) = std::env::var(SEED) {
        print_what_is_drawn(seed.parse().expect("a number"));
        return;
    }
    let (first, again, other) = (drawn_by("7"), drawn_by("7"), drawn_by("8"));
    assert_eq!(first, again);
    for ((name, drawn), (_, otherwise)) in first.iter().zip(&other) {
        let time = name == "SystemTime";
        assert_eq!(drawn == otherwise, time, "{name}: {drawn} and {otherwise}");
    }
}

/// The child's lines, as name and value.
fn drawn_by(seed: &str) -> Vec<(String, String)> {
    let child = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "the_same_seed_draws_the_same_and_another_seed_another", "--nocapture"])
        .env(SEED, seed)
        .output()
        .expect("this program starts");
    let said = String::from_utf8(child.stdout).expect("text");
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let lines = said.lines().filter_map(|line| line.strip_prefix(DRAWN)?.split_once(": "));
    let drawn: Vec<_> = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(drawn.len(), 6, "{said}");
    drawn
}

fn print_what_is_drawn(seed: u64) {
    sealed_process::seal(seed, EPOCH).expect("sealed");
    sealed_process::set_time(Duration::from_millis(1500));
    let set: HashSet<u32> = (0..32).collect();
    let branches = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(branches());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    // libtest may have left its line unfinished.
    println!();
    println!("{DRAWN}HashSet: {:?}", set.iter().collect::<Vec<_>>());
    println!("{DRAWN}uuid: {}", uuid::Uuid::new_v4());
    println!("{DRAWN}fastrand: {}", fastrand::u64(..));
    println!("{DRAWN}select: {branches}");
    println!("{DRAWN}SystemTime: {wall:?}");
    println!("{DRAWN}a thread's HashSet: {}", std::thread::spawn(thread_order).join().expect("an order"));
    assert_eq!(wall, EPOCH + Duration::from_millis(1500));
    assert!(sealed_process::draws() > 0);
}

/// Which of two branches that are both ready `select!` takes.
async fn branches() -> String {
    let mut taken = String::new();
    for _ in 0..64 {
        tokio::select! {
            () = std::future::ready(()) => taken.push('a'),
            () = std::future::ready(()) => taken.push('b'),
        }
    }
    taken
}

fn thread_order() -> String {
    format!("{:?}", (0..32).collect::<HashSet<u32>>())
}
