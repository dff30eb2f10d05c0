//! Rust and client-go candidates contend for the same Leases, and neither is ever confused.
#![expect(clippy::disallowed_methods, reason = "these tests run in real time, and measure it")]

#[path = "real_api/chronicle.rs"]
mod chronicle;
#[path = "real_api/lock.rs"]
mod lock;
#[path = "real_api/support.rs"]
mod support;
#[path = "real_api/waiting.rs"]
mod waiting;

#[path = "client_go/build.rs"]
mod build;
#[path = "client_go/candidate.rs"]
mod candidate;
#[path = "client_go/contend.rs"]
mod contend;
#[path = "client_go/story.rs"]
mod story;
