//! Executes the effects of the state machine: requests, and the start and stop of work.

use std::sync::Arc;

use super::Task;
use crate::driver::commands::AnnotateError;
use crate::driver::term::Term;
use crate::driver::work::RunningWork;
use crate::effect::{Effect, EndReason, WriteKind};
use crate::revision::FencingToken;
use crate::time::Now;
use crate::validity::Validity;

impl Task {
    /// Does what the state machine has decided.
    pub(super) fn carry_out(&mut self, effect: Effect, now: Now) {
        match effect {
            Effect::Read => self.read(),
            Effect::Write(write) => {
                match write.kind {
                    WriteKind::Acquire => self.acquisition_sent = now,
                    // Logged once, no matter how often the creation is refused.
                    WriteKind::Reserve if !std::mem::replace(&mut self.has_told_reserve, true) => {
                        tracing::info!(
                            "there is no {} {}; somebody may still hold one that was deleted, so it is created for nobody, and \
                             taken no sooner than LeaseDuration from then ({} s)",
                            self.common.api.lock().noun(),
                            self.lease,
                            write.record.lease_duration.unwrap_or_default().as_secs()
                        );
                    }
                    _ => {}
                }
                self.write(write);
            }
            Effect::StartWork(token) => self.start_work(token),
            Effect::DrainWork => {
                if let Some(term) = &self.term {
                    term.drain();
                }
            }
            Effect::AbortWork(reason) => self.abort_work(&reason),
            Effect::Rewound { known, read } => self.prove_rewind(&known, &read),
            Effect::Ended(reason) => self.end_term(&reason),
            Effect::EndProcess => self.common.on_overrun.act(&format!(
                "{}: what runs under lease {} could not be stopped before LeaseDuration was over, and another replica \
                 may act from now on, so this process has to end; it was stopped for longer than that, or a reconcile blocks \
                 its thread",
                self.common.identity, self.lease
            )),
        }
    }

    fn start_work(&mut self, token: FencingToken) {
        let validity = self.elector.validity().unwrap_or_else(Validity::over);
        let term = Term::new(
            self.lease.clone(),
            self.common.identity.clone(),
            token,
            validity,
            self.acquisition_sent,
            Arc::clone(&self.common.clock),
            self.annotation_sender.clone(),
            self.present_annotations(),
        );
        tracing::info!(lease = %self.lease, %token, "became leader");
        self.announce("became leader");
        self.running = Some(RunningWork::start(&self.work, &term, &self.common.user_runtime));
        self.term = Some(term);
    }

    fn abort_work(&mut self, reason: &EndReason) {
        tracing::warn!(lease = %self.lease, "stopping what runs under the Lease: {reason}");
        if let Some(term) = &self.term {
            term.drain();
        }
        if let Some(running) = &self.running {
            running.abort();
        }
    }

    fn end_term(&mut self, reason: &EndReason) {
        if *reason == EndReason::Released {
            tracing::info!(lease = %self.lease, "stopped leading: {reason}");
        } else {
            tracing::warn!(lease = %self.lease, "stopped leading: {reason}");
        }
        if let Some(term) = self.term.take() {
            term.set_validity(Validity::over());
            term.drain();
        }
        for reply in self.pending.end() {
            let _ = reply.send(Err(AnnotateError::NotLeading));
        }
        self.announce("stopped leading");
    }

    fn announce(&self, what: &'static str) {
        if self.announce {
            let revision = self.elector.lease().map(|lease| lease.revision.clone());
            let event = self.common.announcer.clone().announce(self.lease.clone(), revision, what);
            self.common.announcements.spawn(event);
        }
    }
}
