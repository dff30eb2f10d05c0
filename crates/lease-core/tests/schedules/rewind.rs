//! Faults that nobody can be safe from who has not seen what was there before: a restore of etcd, a shorter LeaseDuration
//! that a stranger writes, and a stranger who takes the Lease, or creates it anew, and releases it. So each waits until what it takes away is known, or does not
//! matter any more.

use lease_core::AttemptId;
use lease_core::{Event, Identity, ObservedLease};

use super::World;
use super::network::{Spell, SpellKind};
use super::plan::DRIFT;
use super::queue::Happening;

/// What proves a rewind to one process by what it was shown, kept beside its elector.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    /// The largest version of the Lease that it was shown, by this history as far as it knows.
    known: u64,
    /// Its last write, and what it knew when that was sent.
    sent: Option<(AttemptId, u64)>,
    /// A write of its own was accepted with a version below that, and it has not said so yet.
    owed: Option<(u64, u64)>,
}

impl Proofs {
    pub(crate) fn sends(&mut self, attempt: AttemptId) {
        self.sent = Some((attempt, self.known));
    }

    pub(crate) fn observe(&mut self, event: &Event, lease: &ObservedLease) {
        let version = lease.revision.version.0;
        if let (Event::WriteLanded(landed, _), Some((attempt, known))) = (event, self.sent)
            && attempt == *landed
            && version < known
        {
            self.owed = Some((known, version));
        }
        self.known = self.known.max(version);
    }

    /// It has proved one: what it knew does not count any more.
    pub(crate) fn proved(&mut self) -> bool {
        std::mem::take(self).owed.is_some()
    }

    /// Asked after each event.
    pub(crate) fn owed(&self) -> Option<(u64, u64)> {
        self.owed
    }
}

impl World {
    /// Whether every process knows what stands in the Lease now.
    fn all_are_up_to_date(&self) -> bool {
        let current = self.api.read().map(|lease| &lease.revision);
        let mut processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        processes.all(|process| process.elector.lease().map(|lease| &lease.revision) == current)
    }

    /// Whether every process knows the object, in whichever state.
    fn all_know_the_object(&self) -> bool {
        let current = self.api.read().map(|lease| &lease.revision.uid);
        let mut processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        processes.all(|process| process.elector.lease().map(|lease| &lease.revision.uid) == current)
    }

    /// A leader is cut off, and a stranger writes another holder over it, who states two seconds only. Whoever saw the leader's record
    /// honours that; a process that starts now cannot know of it, so none does for a while.
    pub(crate) fn shorten(&mut self, node: usize) {
        if self.all_are_up_to_date()
            && self.cut_off(node)
            && self.api.shorten(Identity::new("a-hasty-stranger_0").expect("not empty"))
        {
            self.stats.count("shorter LeaseDuration written over a leader that is cut off");
        }
        self.stir_watches();
    }

    /// A leader is cut off, and a stranger takes the Lease, and gives it up while the leader may still believe in itself.
    pub(crate) fn usurp(&mut self, node: usize) {
        if self.all_are_up_to_date() && self.cut_off(node) && self.api.usurp(stranger()) {
            let soon = self.nodes[node].settings.timings.renew_deadline().mul_f64(0.5 * self.rng.f64());
            self.queue.push(self.now + soon, Happening::StrangerReleases);
        }
        self.stir_watches();
    }

    /// A leader is cut off, and its Lease is deleted under it. A stranger creates it anew, as client-go does at once, and gives it up while
    /// the leader may still believe in itself. The others know the object that is gone, but not all have seen this leader hold it.
    pub(crate) fn replace(&mut self, node: usize) {
        if self.all_know_the_object() && self.cut_off(node) && self.api.replace(stranger()) {
            self.stats.count("Lease of a leader that is cut off created anew by a stranger");
            let soon = self.nodes[node].settings.timings.renew_deadline().mul_f64(0.5 * self.rng.f64());
            self.queue.push(self.now + soon, Happening::StrangerReleases);
        }
        self.stir_watches();
    }

    pub(crate) fn stranger_releases(&mut self) {
        if self.api.release_of(&stranger()) {
            self.stats.count("Lease of a leader that is cut off released by a stranger");
        }
        self.stir_watches();
    }

    /// Cuts a leader off; whether it did.
    fn cut_off(&mut self, node: usize) -> bool {
        let over = self.now + self.plan.longest_lease().mul_f64(1.0 + 2.0 * DRIFT);
        // Whoever is down is started when the calm begins, and must not have to know of this.
        let in_time = over < self.plan.calm_at;
        if !in_time || !self.nodes[node].is_valid(self.now) {
            return false;
        }
        self.nobody_starts_before = self.nobody_starts_before.max(over);
        for kind in [SpellKind::Cut, SpellKind::Deaf] {
            self.network.add(Spell { until: over, node: Some(node), kind });
        }
        self.nodes[node].watch.hung_until = Some(over);
        for node in 0..self.nodes.len() {
            self.queue.push(over, Happening::Remedy { node });
        }
        true
    }

    /// etcd is to be restored. Most restores take longer than any term lives on; a short one is safe where nobody is behind.
    pub(crate) fn begin_rewind(&mut self) {
        let outage = self.plan.longest_lease().mul_f64(1.0 + 4.0 * DRIFT);
        let until = if self.rng.bool() { self.now + outage } else { self.now };
        if until + 2 * self.plan.longest_lease() < self.plan.calm_at {
            self.network.add(Spell { until, node: None, kind: SpellKind::Cut });
            self.queue.push(until, Happening::Restored { after_outage: until > self.now });
        }
    }

    /// The latest version at which there was no Lease.
    fn last_without_a_lease(&self) -> u64 {
        (0..=self.api.version()).rev().find(|version| self.api.at(*version).is_none()).unwrap_or(0)
    }

    /// The API servers are back, on a state of before.
    pub(crate) fn restore(&mut self, after_outage: bool) {
        let version = self.api.version();
        let back = self.rng.u64(1..=12).min(version);
        // One backup in four was made when there was no such Lease.
        let without = self.rng.u8(0..4) == 0;
        let to = if without { self.last_without_a_lease() } else { version - back };
        let back = version - to;
        let holder = |version| self.api.at(version).and_then(|lease| lease.record.holder.clone());
        let one_term = holder(version).is_some() && (to..version).all(|then| holder(then) == holder(version));
        if self.calm || back == 0 || !(after_outage || one_term && self.all_are_up_to_date()) {
            return;
        }
        self.stats.count(if after_outage { "etcd restored" } else { "etcd restored within a term" });
        self.trace(|| format!("restored: from version {version} back to {to}"));
        self.rewinds += 1;
        for node in &mut self.nodes {
            node.watch.showing = false;
            let Some(process) = &mut node.process else { continue };
            let known = process.elector.lease().map(|lease| lease.revision.version);
            let holds = process.elector.validity().is_some();
            process.ledger.history_is_gone(known.filter(|known| holds && known.0 > to));
        }
        self.queue.drop_messages();
        // The objects of that name differ from each other, so it does not matter there that they share versions.
        let elsewhere = self.rng.u64(0..20) + if self.api.at(to).is_none() { 0 } else { back };
        let shown = usize::try_from(to).expect("a simulated log is short").saturating_sub(1);
        self.api.rewind(to, elsewhere);
        for node in &mut self.nodes {
            // The list of a new watch shows the last state of the Lease, whatever else was written.
            node.watch.cursor = shown;
        }
        self.watcher.history_is_gone();
        self.stir_watches();
    }
}

fn stranger() -> Identity {
    Identity::new("a-client-go-candidate_0").expect("not empty")
}
