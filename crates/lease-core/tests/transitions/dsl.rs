//! One machine on a harness: its clocks are set by hand, and the test plays the API server.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lease_core::WriteKind;
use lease_core::{
    Boottime, Context, Effect, Elector, ElectorConfig, Event, Identity, LeaseName, LeaseRecord, Monotonic,
    Now, ObservedLease, Refusal, ResourceVersion, Revision, State, Timings, Uid, Write,
};

/// The machine under test is `me`; its timings are client-go's 15, 10 and 2 seconds.
pub(crate) struct Harness {
    pub(crate) elector: Elector,
    /// Since the start, on the monotonic clock.
    elapsed: Duration,
    /// How long the machine was suspended.
    suspended: Duration,
    pub(crate) wall: Timestamp,
    pub(crate) roll: f64,
    pub(crate) work_alive: bool,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut ElectorConfig)) -> Self {
        let mut config = ElectorConfig::new(who("me"), Timings::standard());
        adjust(&mut config);
        Self {
            elector: Elector::new(config),
            elapsed: Duration::ZERO,
            suspended: Duration::ZERO,
            wall: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000),
            roll: 0.0,
            work_alive: true,
        }
    }

    /// A machine whose first read showed this.
    pub(crate) fn that_read(lease: Option<ObservedLease>) -> (Self, Vec<Effect>) {
        Self::new().reading(lease)
    }

    pub(crate) fn reading(mut self, lease: Option<ObservedLease>) -> (Self, Vec<Effect>) {
        assert_eq!(self.timeout(), [Effect::Read]);
        let effects = self.tell(Event::Read(lease));
        (self, effects)
    }

    /// A machine that leads since it took a released Lease at the instant 0, by version 2.
    pub(crate) fn leading() -> Self {
        Self::leading_with(|_| {})
    }

    pub(crate) fn leading_with(adjust: impl FnOnce(&mut ElectorConfig)) -> Self {
        let (mut harness, effects) = Self::with(adjust).reading(Some(released(1)));
        let effects = harness.land(&write(&effects), 2);
        assert!(matches!(effects[..], [Effect::StartWork(token)] if token.0 == 2), "{effects:?}");
        harness
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            monotonic: Monotonic::from_origin(self.elapsed),
            boottime: Boottime::from_origin(self.elapsed + self.suspended),
        }
    }

    /// Sets the clocks, without calling the machine.
    pub(crate) fn at(&mut self, seconds: f64) -> &mut Self {
        self.go_to(Duration::from_secs_f64(seconds))
    }

    fn go_to(&mut self, elapsed: Duration) -> &mut Self {
        let passed = elapsed.checked_sub(self.elapsed).expect("time goes on");
        self.wall += SignedDuration::try_from(passed).expect("a short time");
        self.elapsed = elapsed;
        self
    }

    /// The machine sleeps for so long.
    pub(crate) fn suspend(&mut self, seconds: f64) {
        self.suspended += Duration::from_secs_f64(seconds);
    }

    pub(crate) fn tell(&mut self, event: Event) -> Vec<Effect> {
        let (wall, roll, work_alive) = (self.wall, self.roll, self.work_alive);
        let cx = Context { now: self.now(), wall, roll, work_alive };
        self.elector.handle(event, &cx);
        let effects = std::iter::from_fn(|| self.elector.poll_effect()).collect();
        let alarm = self.elector.next_timeout();
        assert!(alarm.is_none_or(|alarm| alarm > cx.now.monotonic), "a busy loop at {alarm:?}, it is {cx:?}");
        effects
    }

    pub(crate) fn timeout(&mut self) -> Vec<Effect> {
        self.tell(Event::Timeout)
    }

    /// Lets time pass up to this instant, calling the machine whenever it wants to be called.
    pub(crate) fn pass_to(&mut self, seconds: f64) -> Vec<Effect> {
        self.pass_until(Duration::from_secs_f64(seconds))
    }

    pub(crate) fn pass_until(&mut self, until: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(alarm) = self.elector.next_timeout().filter(|alarm| alarm.since_origin() <= until) {
            effects.extend(self.go_to(alarm.since_origin()).timeout());
        }
        self.go_to(until);
        effects
    }

    /// When it wants to be called, in seconds since the start.
    pub(crate) fn alarm(&self) -> Option<f64> {
        self.elector.next_timeout().map(|alarm| alarm.since_origin().as_secs_f64())
    }

    /// The write is accepted, as this version.
    pub(crate) fn land(&mut self, write: &Write, version: u64) -> Vec<Effect> {
        self.tell(Event::WriteLanded(write.attempt, Some(made_by(write, version))))
    }

    pub(crate) fn refuse(&mut self, write: &Write) -> Vec<Effect> {
        self.tell(Event::WriteRefused(write.attempt, Refusal::Conflict))
    }

    pub(crate) fn lose_answer(&mut self, write: &Write) -> Vec<Effect> {
        self.tell(Event::WriteUnknown(write.attempt))
    }

    /// The renewal that is due at this instant.
    pub(crate) fn renewal_at(&mut self, seconds: f64) -> Write {
        let effects = self.pass_to(seconds);
        let renewal = write(&effects);
        assert_eq!(renewal.kind, WriteKind::Renew);
        renewal
    }

    pub(crate) fn state(&self) -> State {
        self.elector.state()
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.elector.validity().is_some_and(|validity| validity.holds_at(self.now()))
    }
}

pub(crate) fn who(name: &str) -> Identity {
    Identity::new(name).expect("not empty")
}

/// An instant, so many seconds after the start.
pub(crate) fn at(seconds: f64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs_f64(seconds))
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The one write among these effects, which are no others.
pub(crate) fn write(effects: &[Effect]) -> Write {
    match effects {
        [Effect::Write(write)] => write.clone(),
        _ => panic!("expected one write, not {effects:?}"),
    }
}

/// The state that a write leaves behind; the object is `uid-1`.
pub(crate) fn made_by(write: &Write, version: u64) -> ObservedLease {
    ObservedLease { successor: write.successor.clone(), ..lease(version, write.record.clone()) }
}

pub(crate) fn lease(version: u64, record: LeaseRecord) -> ObservedLease {
    let revision = Revision { uid: Uid("uid-1".to_owned()), version: ResourceVersion(version) };
    ObservedLease { name: LeaseName::from_server("example.com"), revision, record, successor: None }
}

/// Held by somebody who stated that many seconds, after `version` renewals.
pub(crate) fn held(by: &str, version: u64, stated: u64) -> ObservedLease {
    let renewed = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::try_from(version).expect("small"));
    lease(
        version,
        LeaseRecord {
            holder: Some(who(by)),
            lease_duration: Some(Duration::from_secs(stated)),
            acquire_time: Some(Timestamp::UNIX_EPOCH),
            renew_time: Some(renewed),
            transitions: 5,
        },
    )
}

pub(crate) fn released(version: u64) -> ObservedLease {
    lease(version, LeaseRecord::released(Timestamp::UNIX_EPOCH, 5))
}

/// The same object with its holder taken out by hand.
pub(crate) fn blanked(mut lease: ObservedLease, version: u64) -> ObservedLease {
    lease.record.holder = None;
    again(lease, version)
}

/// The same record under another version, as an edit of a label leaves it.
pub(crate) fn again(mut lease: ObservedLease, version: u64) -> ObservedLease {
    lease.revision.version = ResourceVersion(version);
    lease
}

/// The same record in another object.
pub(crate) fn anew(mut lease: ObservedLease, version: u64) -> ObservedLease {
    lease.revision.uid = Uid("uid-2".to_owned());
    again(lease, version)
}
