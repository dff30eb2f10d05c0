//! The requests about the table.

use std::time::Duration;

use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};

use crate::{
    fencing::{ClaimError, OwnershipTable, OwnershipTableSpec},
    observability::{requests::seconds, sentence},
    ownership::{Basis, Due, WriterSide},
};

/// The table, and what is known of it.
pub(super) struct Table {
    pub(super) api: Api<OwnershipTable>,
    pub(super) name: String,
    pub(super) rows: WriterSide,
}

/// What a request has achieved.
pub(super) enum Done {
    /// More is known of the table.
    Read,
    /// Rows are written. So many of them had been in the table before, and somebody had removed or replaced them.
    Written { restored: usize },
}

/// Why a request has achieved nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Somebody else has written, or created the table.
    #[error("another replica has written the table")]
    Conflict,
    /// There is no such resource.
    #[error(
        "the API server does not know ownershiptables.shard-router.dev; install the definition, which `OwnershipTable::definition` returns"
    )]
    NotDefined,
    /// The API server has not answered.
    #[error("the API server did not answer within {}", seconds(*.0))]
    Unanswered(Duration),
    /// The rows contradict the table.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Anything else.
    #[error("{}", sentence::of_request(.0))]
    Other(kube::Error),
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            // Of the resource, as the API server has no name to give.
            kube::Error::Api(status) if status.code == 404 && status.details.is_none() => Self::NotDefined,
            error => Self::Other(error),
        }
    }
}

impl Table {
    /// The next request towards a table in which all rows are written.
    pub(super) async fn next(&self, due: &Due) -> Result<Done, Failure> {
        match self.rows.basis() {
            Basis::Unknown => match self.api.get_opt(&self.name).await? {
                Some(table) => self.rows.shown(table),
                None => self.rows.absent(),
            },
            Basis::Absent => {
                let table = OwnershipTable::new(&self.name, OwnershipTableSpec::default());
                self.rows.shown(self.api.create(&PostParams::default(), &table).await?);
            }
            Basis::Patch(patch) => {
                if let Some(patch) = patch? {
                    let table =
                        self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
                    self.rows.shown(table?);
                    return Ok(Done::Written { restored: due.lost });
                }
            }
        }
        Ok(Done::Read)
    }
}
