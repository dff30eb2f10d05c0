//! The endpoints of every replica, including standbys: `/metrics`, `/healthz` and `/readyz`.

mod routes;
mod serve;

pub use routes::{Readiness, health, metrics};
pub use serve::{Admin, AdminError};
