//! What the coordinator Lease says about the layout, and what a replica may do by it.

use k8s_openapi::api::coordination::v1::Lease;

use crate::{names::Names, routing::layout::Layout, rules};

/// What the coordinator Lease says about the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Nothing: there is no Lease, or it carries no layout. An unsharded predecessor holds one like that.
    Nothing,
    /// A layout.
    Layout(Layout),
    /// Something that this version cannot read.
    Unreadable(String),
}

/// What a replica may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Contend for shards.
    Work,
    /// Contend for coordination only; no shard starts before a layout is committed.
    Wait,
    /// Contend for coordination only, and end the shards that are held at once: an operator that does not shard holds the coordinator
    /// Lease, and reconciles everything.
    Yield(String),
    /// Contend for coordination only, to replace the committed layout, which differs from this replica's settings as this sentence says.
    Replace(String),
    /// Contend for nothing, for this reason.
    Refuse(String),
}

impl Committed {
    /// Reads the annotation of the coordinator Lease.
    pub(crate) fn read(names: &Names, coordinator: Option<&Lease>) -> Self {
        let annotations = coordinator.and_then(|lease| lease.metadata.annotations.as_ref());
        match annotations.and_then(|all| all.get(&names.layout_annotation())) {
            None => Self::Nothing,
            Some(json) => serde_json::from_str(json).map_or_else(
                |error| {
                    Self::Unreadable(format!(
                        "the annotation {} of lease {} cannot be read ({error}); run the version that wrote it, or \
                         restore the annotation",
                        names.layout_annotation(),
                        names.coordinator()
                    ))
                },
                Self::Layout,
            ),
        }
    }

    /// What follows from it for a replica with this configured layout, which may replace another one or not.
    pub(crate) fn verdict(&self, configured: &Layout, may_replace: bool) -> Verdict {
        match self {
            Self::Nothing => Verdict::Wait,
            Self::Layout(committed) => match rules::may_work_by(committed, configured) {
                Ok(()) => Verdict::Work,
                Err(sentence) if may_replace => Verdict::Replace(sentence),
                Err(sentence) => Verdict::Refuse(sentence),
            },
            Self::Unreadable(sentence) => Verdict::Refuse(sentence.clone()),
        }
    }
}
