//! What somebody does to children between a replica's look at them and its write.

use serde::{Deserialize, Serialize};

/// What becomes of a child that a replica has just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChildChange {
    /// It is edited, in a field that the operator applies.
    Edited,
    /// It is deleted and restored from a backup: the same owner and name, another uid, less than the operator applied.
    Remade,
    /// Another object stands under its name, of no owner and with other labels; a child that is there is deleted for it.
    Foreign,
}
