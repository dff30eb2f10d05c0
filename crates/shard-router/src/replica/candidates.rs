//! What a replica contends for, and what it does as the leader of each.

use std::sync::Arc;

use lease_core::{Candidate, CandidateOptions, Creation, Elections, InvalidOption, Term};

use super::intent;
use crate::{
    coordinator::Coordinator,
    error::RunError,
    kinds::Kinds,
    membership::acknowledgement::LeaseAcknowledgement,
    routing::bucket::ShardId,
    setup::Setup,
    shard::hold::{self, ShardHold},
};

pub(super) fn coordinator(coordinator: Coordinator) -> Result<Candidate, InvalidOption> {
    let (setup, elections) = (coordinator.setup.clone(), coordinator.elections.clone());
    let coordinator = Arc::new(coordinator);
    let work = move |term: Term| coordinator.clone().run(term);
    let options = CandidateOptions::default()
        .contend(false)
        .drain_timeout(setup.options.drain_timeout)
        .annotation(setup.names.coordinator_annotation(), elections.identity().to_string());
    elections.candidate(setup.names.coordinator(), options, work)
}

pub(super) fn member(setup: &Setup, elections: &Elections) -> Result<Candidate, RunError> {
    let options = CandidateOptions::default()
        .creation(Creation::AtOnce)
        .contend(false)
        .announce(false)
        .delete_on_release(true)
        .annotation(setup.names.watched_namespaces_annotation(), setup.watched_namespaces().annotation())
        .annotation(setup.names.version_annotation(), setup.options.product.clone())
        .owner(setup.options.member_owner());
    let name = setup.names.member(elections.identity())?;
    // A member does nothing but hold its Lease.
    Ok(elections.candidate(name, options, |term: Term| async move { term.draining().await })?)
}

pub(super) fn shard(
    setup: &Arc<Setup>,
    kinds: &Kinds,
    elections: &Elections,
    shard: ShardId,
) -> Result<Candidate, RunError> {
    let acknowledgement = Arc::new(LeaseAcknowledgement::new(setup.names.clone(), setup.layouts.clone()));
    let (writes, restores) = (acknowledgement.clone(), elections.rewinds());
    let options = CandidateOptions::default()
        .creation(Creation::Never)
        .contend(false)
        .drain_timeout(setup.options.drain_timeout)
        .compute_annotations(move |kind, present| writes.of_write(kind, present, *restores.borrow()));
    let work = {
        let (setup, kinds, elections) = (setup.clone(), kinds.clone(), elections.clone());
        move |term: Term| {
            let (setup, kinds, elections) = (setup.clone(), kinds.clone(), elections.clone());
            let acknowledgement = Some(acknowledgement.clone());
            async move {
                let confirmed = intent::confirm_layout(setup.clone(), elections);
                Box::pin(hold::run(ShardHold { setup, kinds, shard, term, acknowledgement }, confirmed))
                    .await;
            }
        }
    };
    Ok(elections.candidate(setup.names.shard(shard)?, options, work)?)
}
