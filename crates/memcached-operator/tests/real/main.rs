//! The resource and its reconcile, on a real API server. The reconciler is called by hand: no router, no Leases.

mod admission;
mod children;
mod definition;
mod denials;
mod dispute;
mod pods;
mod races;
mod status;
mod support;
mod terminating;
