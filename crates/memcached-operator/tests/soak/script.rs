//! Which faults when: drawn from a seed, before anything runs.

use std::fmt;
use std::time::Duration;

/// What can happen to a replica, or to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// `kill -9`, and a new process a while later.
    Kill,
    /// SIGTERM, and a new process after it has ended.
    Terminate,
    /// SIGSTOP for longer than LeaseDuration, and SIGCONT.
    Freeze,
    /// The API server is killed and started again.
    RestartApi,
}

impl Blow {
    pub(crate) const ALL: [Self; 4] = [Self::Kill, Self::Terminate, Self::Freeze, Self::RestartApi];
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cue {
    /// From the start of the script.
    pub(crate) at: Duration,
    pub(crate) blow: Blow,
    /// Which of the replicas that run then: this, modulo their number.
    pub(crate) victim: usize,
    /// How long the victim stays away.
    pub(crate) away: Duration,
}

/// All faults of a run, in order.
pub(crate) struct Script {
    pub(crate) cues: Vec<Cue>,
    lasts: Duration,
}

impl Script {
    /// Spreads the deck below over the time given; a second deck is played for each further 80 s.
    pub(crate) fn draw(seed: u64, lasts: Duration) -> Self {
        use Blow::{Freeze, Kill, RestartApi, Terminate};
        const DECK: [Blow; 9] =
            [Kill, Kill, Kill, Terminate, Terminate, Terminate, Freeze, Freeze, RestartApi];
        const DECK_LASTS: u64 = 80;
        let mut dice = fastrand::Rng::with_seed(seed);
        let decks = lasts.as_secs().div_ceil(DECK_LASTS).max(1);
        let mut blows = Vec::new();
        for _ in 0..decks {
            let mut deck = DECK;
            dice.shuffle(&mut deck);
            blows.extend(deck);
        }
        let share = lasts / u32::try_from(blows.len()).expect("few decks");
        let cues = blows.into_iter().zip(0_u32..).map(|(blow, number)| Cue {
            at: share * number + share.mul_f64(0.6 * dice.f64()),
            blow,
            victim: dice.usize(..),
            away: match blow {
                Kill | Terminate => Duration::from_millis(dice.u64(200..5_000)),
                Freeze => Duration::from_millis(dice.u64(6_000..9_000)),
                RestartApi => Duration::ZERO,
            },
        });
        Self { cues: cues.collect(), lasts }
    }

    /// One termination and nothing else.
    pub(crate) fn terminate(victim: u32, lasts: Duration) -> Self {
        let away = Duration::from_secs(2);
        let victim = usize::try_from(victim).unwrap_or_default();
        Self { cues: vec![Cue { at: Duration::ZERO, blow: Blow::Terminate, victim, away }], lasts }
    }

    /// How long it takes in all.
    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cues = self.cues.iter().map(|cue| format!("{:.1}s {:?}", cue.at.as_secs_f64(), cue.blow));
        write!(f, "script: {}", cues.collect::<Vec<_>>().join(", "))
    }
}
