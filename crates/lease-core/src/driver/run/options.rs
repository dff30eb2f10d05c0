//! Options from a LeaderElectionID alone.

use super::error::RunError;
use crate::driver::options::ElectionsOptions;
use crate::name::LeaderElectionId;

/// With namespace, identity and installation from the environment of the Pod.
impl TryFrom<&str> for ElectionsOptions {
    type Error = RunError;

    fn try_from(id: &str) -> Result<Self, RunError> {
        Ok(Self::from_env(LeaderElectionId::new(id)?)?)
    }
}

/// With namespace, identity and installation from the environment of the Pod.
impl TryFrom<LeaderElectionId> for ElectionsOptions {
    type Error = RunError;

    fn try_from(id: LeaderElectionId) -> Result<Self, RunError> {
        Ok(Self::from_env(id)?)
    }
}
