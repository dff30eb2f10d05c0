//! What every replica serves, standbys too: `/metrics`, `/healthz` and `/readyz`.

mod routes;
mod serve;

pub use routes::{Readiness, health, metrics};
pub use serve::{Admin, AdminError};
