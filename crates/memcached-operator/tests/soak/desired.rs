//! What the users have asked for: the state that everything has to converge to.

use std::collections::BTreeMap;

use overlap_checker::CreatedCr;
use overlap_checker::records::{CrKey, Stamp, Uid};

/// What one resource should be like.
#[derive(Debug, Clone)]
pub(crate) struct ExpectedResource {
    pub(crate) uid: String,
    pub(crate) replicas: i32,
    pub(crate) memory: i32,
}

/// What the users have asked for.
#[derive(Default)]
pub(crate) struct DesiredState {
    namespace: String,
    /// By name; what is not here has to be gone.
    pub(crate) existing: BTreeMap<String, ExpectedResource>,
    /// Names that were deleted and not made anew.
    pub(crate) deleted: Vec<String>,
    /// Every resource that ever was, for the checker.
    pub(crate) history: Vec<CreatedCr>,
}

impl DesiredState {
    pub(crate) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..Self::default() }
    }

    /// A creation was answered.
    pub(crate) fn created(&mut self, name: &str, expected: ExpectedResource) {
        self.deleted.retain(|deleted| deleted != name);
        self.history.push(CreatedCr {
            cr: CrKey::new(&self.namespace, name),
            uid: Some(Uid(expected.uid.clone())),
            created: Stamp::now().expect("the boot clock is there"),
            deleted: None,
        });
        self.existing.insert(name.to_owned(), expected);
    }

    /// A deletion is about to be asked for.
    pub(crate) fn deleting(&mut self, name: &str) {
        let Some(expected) = self.existing.remove(name) else { return };
        let uid = Some(Uid(expected.uid));
        let known = self.history.iter_mut().rev().find(|created| created.uid == uid);
        if let Some(created) = known {
            created.deleted = Some(Stamp::now().expect("the boot clock is there"));
        }
        self.deleted.push(name.to_owned());
    }
}
