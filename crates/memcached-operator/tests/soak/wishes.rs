//! What the users have asked for: the state that everything has to converge to.

use std::collections::BTreeMap;

use overlap_checker::CreatedCr;
use overlap_checker::records::{CrKey, Stamp, Uid};

/// What one resource should be like.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) uid: String,
    pub(crate) replicas: i32,
    pub(crate) memory: i32,
}

/// What the users have asked for.
#[derive(Default)]
pub(crate) struct Wishes {
    namespace: String,
    /// By name; what is not here has to be gone.
    pub(crate) standing: BTreeMap<String, Wish>,
    /// Names that were deleted and not made anew.
    pub(crate) gone: Vec<String>,
    /// Every resource that ever was, for the checker.
    pub(crate) history: Vec<CreatedCr>,
}

impl Wishes {
    pub(crate) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..Self::default() }
    }

    /// A creation was answered.
    pub(crate) fn created(&mut self, name: &str, wish: Wish) {
        self.gone.retain(|gone| gone != name);
        self.history.push(CreatedCr {
            cr: CrKey::new(&self.namespace, name),
            uid: Some(Uid(wish.uid.clone())),
            created: Stamp::now().expect("the boot clock is there"),
            deleted: None,
        });
        self.standing.insert(name.to_owned(), wish);
    }

    /// A deletion is about to be asked for.
    pub(crate) fn deleting(&mut self, name: &str) {
        let Some(wish) = self.standing.remove(name) else { return };
        let uid = Some(Uid(wish.uid));
        let known = self.history.iter_mut().rev().find(|created| created.uid == uid);
        if let Some(created) = known {
            created.deleted = Some(Stamp::now().expect("the boot clock is there"));
        }
        self.gone.push(name.to_owned());
    }
}
