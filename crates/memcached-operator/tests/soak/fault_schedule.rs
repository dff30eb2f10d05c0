//! Which faults when: drawn from a seed, before anything runs.

use std::fmt;
use std::time::Duration;

/// What can happen to a replica, or to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FaultKind {
    /// `kill -9`, and a new process a while later.
    Kill,
    /// SIGTERM, and a new process after it has ended.
    Terminate,
    /// SIGSTOP for longer than LeaseDuration, and SIGCONT.
    Freeze,
    /// The API server is killed and started again.
    RestartApi,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 4] = [Self::Kill, Self::Terminate, Self::Freeze, Self::RestartApi];
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScheduledFault {
    /// From the start of the schedule.
    pub(crate) at: Duration,
    pub(crate) kind: FaultKind,
    /// Which of the replicas that run then: this, modulo their number.
    pub(crate) victim: usize,
    /// How long the victim stays away.
    pub(crate) away: Duration,
}

/// All faults of a run, in order.
pub(crate) struct FaultSchedule {
    pub(crate) faults: Vec<ScheduledFault>,
    lasts: Duration,
}

impl FaultSchedule {
    /// Spreads the faults of a round over the time given, in random order; there is one more round for each further 80 s.
    pub(crate) fn draw(seed: u64, lasts: Duration) -> Self {
        use FaultKind::{Freeze, Kill, RestartApi, Terminate};
        const ROUND: [FaultKind; 9] =
            [Kill, Kill, Kill, Terminate, Terminate, Terminate, Freeze, Freeze, RestartApi];
        const ROUND_LASTS: u64 = 80;
        let mut rng = fastrand::Rng::with_seed(seed);
        let rounds = lasts.as_secs().div_ceil(ROUND_LASTS).max(1);
        let mut kinds = Vec::new();
        for _ in 0..rounds {
            let mut round = ROUND;
            rng.shuffle(&mut round);
            kinds.extend(round);
        }
        let share = lasts / u32::try_from(kinds.len()).expect("few rounds");
        let faults = kinds.into_iter().zip(0_u32..).map(|(kind, number)| ScheduledFault {
            at: share * number + share.mul_f64(0.6 * rng.f64()),
            kind,
            victim: rng.usize(..),
            away: match kind {
                Kill | Terminate => Duration::from_millis(rng.u64(200..5_000)),
                Freeze => Duration::from_millis(rng.u64(6_000..9_000)),
                RestartApi => Duration::ZERO,
            },
        });
        Self { faults: faults.collect(), lasts }
    }

    /// One termination and nothing else.
    pub(crate) fn terminate(victim: u32, lasts: Duration) -> Self {
        let away = Duration::from_secs(2);
        let victim = usize::try_from(victim).unwrap_or_default();
        Self {
            faults: vec![ScheduledFault { at: Duration::ZERO, kind: FaultKind::Terminate, victim, away }],
            lasts,
        }
    }

    /// How long it takes in all.
    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }
}

impl fmt::Display for FaultSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults =
            self.faults.iter().map(|fault| format!("{:.1}s {:?}", fault.at.as_secs_f64(), fault.kind));
        write!(f, "faults: {}", faults.collect::<Vec<_>>().join(", "))
    }
}
