//! Leader election alone, against the embedded API server.

#[path = "run/http.rs"]
mod http;
#[path = "run/server.rs"]
mod server;
#[path = "run/signals.rs"]
mod signals;
#[path = "run/single_threaded.rs"]
mod single_threaded;
