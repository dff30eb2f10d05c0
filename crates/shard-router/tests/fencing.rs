//! Fencing on a real API server: the table's definition and the admission policies, with tokens that are bound to Pods.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

#[path = "fencing/attempts.rs"]
mod attempts;
#[path = "fencing/deposed.rs"]
mod deposed;
#[path = "fencing/held_back.rs"]
mod held_back;
#[path = "fencing/installation.rs"]
mod installation;
#[path = "fencing/lag.rs"]
mod lag;
#[path = "fencing/leave_out.rs"]
mod leave_out;
#[path = "fencing/lifecycle.rs"]
mod lifecycle;
#[path = "fencing/tokens.rs"]
mod tokens;
#[path = "real_api/widget.rs"]
mod widget;
#[path = "fencing/writes.rs"]
mod writes;
