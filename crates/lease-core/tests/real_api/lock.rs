//! What these tests hold elections on: Leases.

use kube::Client;
use kube_testkit::RealEnv;
use lease_core::ResourceLock;

pub(crate) const LOCK: ResourceLock = ResourceLock::Leases;

/// A client to which the objects of the lock are Leases.
pub(crate) fn client(env: &RealEnv) -> Client {
    env.admin()
}
