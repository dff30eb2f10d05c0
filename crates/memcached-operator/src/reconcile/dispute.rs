//! A child that does not stay as the operator applies it, as it is reported in the status and in events.

use k8s_openapi::jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// The reason in conditions and events if somebody changes or deletes a child.
pub(super) const BY_OTHERS: &str = "ChangedByOthers";
/// The reason if the API server's answer to an apply differs from what was applied.
pub(super) const BY_ADMISSION: &str = "ChangedByAdmission";

/// How a child is, and why it does not stay as applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was changed again, and is left so until the pause is over.
    Differs,
    /// It was deleted again, and is not made again until the pause is over.
    Missing,
    /// It is as applied, after it was restored more than once in a row.
    Restored,
    /// The API server stored something else than what was applied.
    Admitted,
}

/// A child in dispute. Times are wall-clock times for messages; decisions use another clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Kind and name.
    pub child: String,
    /// How it is.
    pub state: State,
    /// The fields that differ and their other field managers, as a phrase. Empty for a child that was deleted.
    pub details: String,
    /// How often it was written for nothing.
    pub times: u32,
    /// When it was first written for nothing.
    pub since: Timestamp,
    /// When it is written again at the earliest.
    pub until: Timestamp,
}

impl Dispute {
    /// For conditions and events.
    pub(super) fn reason(&self) -> &'static str {
        if self.state == State::Admitted { BY_ADMISSION } else { BY_OTHERS }
    }

    /// Whether the operator will change the child. If admission changes it, the operator will not.
    pub(super) fn is_held_back(&self) -> bool {
        matches!(self.state, State::Differs | State::Missing)
    }

    /// The problem, as a sentence without times and numbers. It stays the same as long as the problem does, so that one event counts up.
    pub(super) fn summary(&self) -> String {
        let Self { child, details, .. } = self;
        match self.state {
            State::Missing => {
                format!("{child} is repeatedly deleted; the audit log of the API server shows by whom.")
            }
            State::Restored if details.is_empty() => format!("{child} was repeatedly deleted."),
            State::Restored => format!("{child} was repeatedly changed ({details})."),
            State::Differs => format!("{child} is repeatedly changed ({details})."),
            State::Admitted => format!(
                "The API server stores {child} differently from what was applied ({details}): mutating admission changes these fields, or \
                 this version of the API server does not know them. Writing them again does not help; change the policy or \
                 the webhook, or the objects that it depends on."
            ),
        }
    }

    /// The same, with times.
    pub(super) fn message(&self) -> String {
        let summary = self.summary();
        let since = second(self.since, RoundMode::Floor);
        let until = second(self.until, RoundMode::Ceil);
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        match self.state {
            State::Missing => {
                format!(
                    "{summary} It was restored {times} since {since}, and will be created again at {until}."
                )
            }
            State::Differs => {
                format!(
                    "{summary} It was restored {times} since {since}, and will be restored again at {until}."
                )
            }
            State::Restored => format!(
                "{summary} It was restored {times} since {since}; if that continues, it will be restored again at {until} at \
                 the earliest."
            ),
            State::Admitted => {
                format!(
                    "{summary} It was written {times} since {since}, and will be written again at {until}."
                )
            }
        }
    }
}

/// Whole seconds are what people read.
fn second(time: Timestamp, mode: RoundMode) -> Timestamp {
    time.round(TimestampRound::new().smallest(Unit::Second).mode(mode)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispute(state: State) -> Dispute {
        let time = |text: &str| text.parse().expect("a time");
        Dispute {
            child: "Service sessions".into(),
            state,
            details: "spec.ports, also written by kubectl-edit".into(),
            times: 3,
            since: time("2026-01-02T03:04:05.9Z"),
            until: time("2026-01-02T03:05:00.1Z"),
        }
    }

    #[test]
    fn it_says_what_who_since_when_and_until_when() {
        assert_eq!(
            dispute(State::Differs).message(),
            "Service sessions is repeatedly changed (spec.ports, also written by kubectl-edit). It was restored 3 times \
             since 2026-01-02T03:04:05Z, and will be restored again at 2026-01-02T03:05:01Z."
        );
    }

    #[test]
    fn what_events_say_does_not_change_with_time() {
        for state in [State::Differs, State::Missing, State::Restored, State::Admitted] {
            let later = Dispute { times: 4, since: Timestamp::MIN, until: Timestamp::MAX, ..dispute(state) };
            assert_eq!(later.summary(), dispute(state).summary());
            assert_ne!(later.message(), dispute(state).message());
        }
    }
}
