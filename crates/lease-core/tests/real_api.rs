//! The driver against a real API server.

#[path = "real_api/support.rs"]
mod support;

#[path = "real_api/handoff.rs"]
mod handoff;
