//! The way between nodes and API server: latency, loss, delay, cuts, and an API server that is out of sorts.

use std::time::Duration;

/// The longest that a message takes on a good day.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

/// The longest Retry-After that the API server ever asks for here.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(4);

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// The share of messages that are lost, each way.
    pub(crate) loss: f64,
    /// The share of messages that are held up, each way.
    pub(crate) slow: f64,
    /// The longest that a message is held up.
    pub(crate) slowest: Duration,
    /// The share of requests that are answered with an error.
    pub(crate) errors: f64,
}

impl Weather {
    pub(crate) const FAIR: Self = Self { loss: 0.0, slow: 0.0, slowest: LATENCY, errors: 0.0 };
}

/// What the API server says instead of doing as it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// 409 though nothing changed.
    Conflict,
    /// 429, with or without a Retry-After.
    TooMany(Option<Duration>),
    /// 403.
    Forbidden,
    /// 500, and it may have done it all the same.
    Internal { done: bool },
}

/// What is wrong for a while, for one node or for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    pub(crate) until: Duration,
    pub(crate) node: Option<usize>,
    pub(crate) kind: SpellKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SpellKind {
    /// Requests get lost.
    Cut,
    /// Answers get lost.
    Deaf,
    /// Requests are refused.
    Problem(Problem),
}

/// How a message fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Delayed(Duration),
    Usual(Duration),
}

impl Fate {
    pub(crate) fn latency(self) -> Option<Duration> {
        match self {
            Self::Lost => None,
            Self::Delayed(latency) | Self::Usual(latency) => Some(latency),
        }
    }
}

/// The network and the mood of the API server.
#[derive(Debug)]
pub(crate) struct Network {
    weather: Weather,
    spells: Vec<Spell>,
}

impl Network {
    pub(crate) fn new(weather: Weather) -> Self {
        Self { weather, spells: Vec::new() }
    }

    /// From now on all is well.
    pub(crate) fn calm(&mut self) {
        *self = Self::new(Weather::FAIR);
    }

    pub(crate) fn add(&mut self, spell: Spell) {
        self.spells.push(spell);
    }

    pub(crate) fn request(&self, node: usize, now: Duration, rng: &mut fastrand::Rng) -> Fate {
        let cut = self.spells(node, now).any(|spell| matches!(spell.kind, SpellKind::Cut));
        self.fate(cut, rng)
    }

    pub(crate) fn answer(&self, node: usize, now: Duration, rng: &mut fastrand::Rng) -> Fate {
        let deaf = self.spells(node, now).any(|spell| matches!(spell.kind, SpellKind::Deaf));
        self.fate(deaf, rng)
    }

    /// How long the next entry of a watch takes: late at times, never lost.
    pub(crate) fn watch(&self, rng: &mut fastrand::Rng) -> Duration {
        if rng.f64() < self.weather.slow { self.delay(rng) } else { latency(rng) }
    }

    /// What the API server says to a request that reaches it, if it does not do as asked.
    pub(crate) fn problem(&self, node: usize, now: Duration, rng: &mut fastrand::Rng) -> Option<Problem> {
        let spell = self.spells(node, now).find_map(|spell| match spell.kind {
            SpellKind::Problem(problem) => Some(problem),
            SpellKind::Cut | SpellKind::Deaf => None,
        });
        spell.or_else(|| (rng.f64() < self.weather.errors).then(|| any_failure(rng)))
    }

    fn spells(&self, node: usize, now: Duration) -> impl Iterator<Item = &Spell> {
        self.spells.iter().filter(move |spell| spell.until > now && spell.node.is_none_or(|of| of == node))
    }

    fn fate(&self, lost: bool, rng: &mut fastrand::Rng) -> Fate {
        if lost || rng.f64() < self.weather.loss {
            Fate::Lost
        } else if rng.f64() < self.weather.slow {
            Fate::Delayed(self.delay(rng))
        } else {
            Fate::Usual(latency(rng))
        }
    }

    /// From 10 ms up to the slowest, as often between 10 and 100 ms as between 1 and 10 s.
    fn delay(&self, rng: &mut fastrand::Rng) -> Duration {
        let span = self.weather.slowest.as_secs_f64() / LATENCY.as_secs_f64();
        LATENCY.mul_f64(span.max(1.0).powf(rng.f64()))
    }
}

/// One of the problems.
pub(crate) fn any_failure(rng: &mut fastrand::Rng) -> Problem {
    match rng.u8(0..4) {
        0 => Problem::Conflict,
        1 => Problem::TooMany(rng.bool().then(|| LONGEST_RETRY_AFTER.mul_f64(rng.f64()))),
        2 => Problem::Forbidden,
        _ => Problem::Internal { done: rng.bool() },
    }
}

/// How long a message takes on a good day.
pub(crate) fn latency(rng: &mut fastrand::Rng) -> Duration {
    LATENCY.mul_f64(rng.f64())
}
