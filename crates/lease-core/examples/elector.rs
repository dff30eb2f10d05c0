//! Drive the state machine yourself, with a clock, an API and a loop. Two candidates contend for one Lease; the first one crashes.

use std::collections::VecDeque;
use std::time::Duration;

use lease_core::{
    Boottime, Context, Effect, Elector, ElectorConfig, Event, Identity, LeaseName, Monotonic, Now,
    ObservedLease, Refusal, ResourceVersion, Revision, State, Timings, Uid, Write,
};

/// The clock of this example. It jumps to the next deadline.
#[derive(Clone, Copy, Default)]
struct Clock(Duration);

impl Clock {
    fn context(self) -> Context {
        let now = Now { monotonic: Monotonic::from_origin(self.0), boottime: Boottime::from_origin(self.0) };
        // `roll` is a random number for jitter, and `work_alive` says that the work makes progress.
        Context { now, wall: jiff::Timestamp::UNIX_EPOCH + self.0, roll: 0.5, work_alive: true }
    }
}

/// A minimal API server: one Lease, which a write replaces only if it is in the state that the write names.
#[derive(Default)]
struct Api {
    lease: Option<ObservedLease>,
    version: u64,
}

impl Api {
    fn write(&mut self, write: &Write) -> Result<ObservedLease, Refusal> {
        if self.lease.as_ref().map(|lease| &lease.revision) != write.base.as_ref() {
            return Err(Refusal::Conflict);
        }
        self.version += 1;
        let lease = ObservedLease {
            name: LeaseName::from_server("backup.example.com"),
            revision: Revision { uid: Uid("1".into()), version: ResourceVersion(self.version) },
            record: write.record.clone(),
            successor: write.successor.clone(),
        };
        Ok(self.lease.insert(lease).clone())
    }
}

/// Passes an event to the machine and executes its effects. Each request is answered by an event.
fn drive(name: &str, elector: &mut Elector, event: Event, clock: Clock, api: &mut Api) {
    let mut events = VecDeque::from([event]);
    while let Some(event) = events.pop_front() {
        elector.handle(event, &clock.context());
        while let Some(effect) = elector.poll_effect() {
            match effect {
                Effect::Read => events.push_back(Event::Read(api.lease.clone())),
                Effect::Write(write) => events.push_back(match api.write(&write) {
                    Ok(lease) => Event::WriteLanded(write.attempt, Some(lease)),
                    Err(refusal) => Event::WriteRefused(write.attempt, refusal),
                }),
                Effect::StartWork(token) => {
                    println!("{:?}: {name} is the leader, fencing token {token}", clock.0);
                }
                // Here the work ends at once. A real driver waits for it.
                Effect::DrainWork | Effect::AbortWork(_) => events.push_back(Event::WorkEnded),
                Effect::Ended(reason) => println!("{:?}: {name} is no longer the leader: {reason}", clock.0),
                Effect::Rewound { .. } | Effect::EndProcess => unreachable!("this API keeps its history"),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut api = Api::default();
    let mut clock = Clock::default();
    let mut candidates = Vec::new();
    for name in ["backup-0", "backup-1"] {
        let config = ElectorConfig::new(Identity::of_pod(name, "5f1c")?, Timings::standard());
        let mut elector = Elector::new(config);
        // There is no watch here, so the machine polls.
        drive(name, &mut elector, Event::WatchHealthy(false), clock, &mut api);
        candidates.push((name, elector));
    }
    let mut crashed = false;
    while clock.0 < Duration::from_secs(60) {
        if !crashed && clock.0 > Duration::from_secs(30) {
            let (name, _) = candidates.remove(0);
            println!("{:?}: {name} crashes", clock.0);
            crashed = true;
        }
        // The candidate with the earliest deadline is next.
        let next = candidates
            .iter()
            .enumerate()
            .filter_map(|(at, (_, elector))| Some((elector.next_timeout()?, at)));
        let Some((due, at)) = next.min() else { break };
        clock.0 = clock.0.max(due.since_origin());
        let (name, elector) = &mut candidates[at];
        drive(name, elector, Event::Timeout, clock, &mut api);
        let now = clock.context().now;
        let leads = |elector: &Elector| elector.validity().is_some_and(|validity| validity.holds_at(now));
        assert!(candidates.iter().filter(|(_, elector)| leads(elector)).count() <= 1, "never two");
    }
    assert!(
        candidates.iter().all(|(_, elector)| elector.state() == State::Leader),
        "the other one took over"
    );
    Ok(())
}
