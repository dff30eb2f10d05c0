//! [`Dispute`]: a child that does not stay as it is applied, for the status and events of its owner.

use k8s_openapi::jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// How a child is, and why it does not stay as applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeState {
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
    pub state: DisputeState,
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
    /// A reason for conditions and events: [`BY_OTHERS`](Self::BY_OTHERS) or [`BY_ADMISSION`](Self::BY_ADMISSION).
    pub fn reason(&self) -> &'static str {
        if self.state == DisputeState::Admitted { Self::BY_ADMISSION } else { Self::BY_OTHERS }
    }

    /// The reason if somebody changes or deletes a child.
    pub const BY_OTHERS: &'static str = "ChangedByOthers";
    /// The reason if the API server's answer to an apply differs from what was applied.
    pub const BY_ADMISSION: &'static str = "ChangedByAdmission";

    /// Whether the operator will change the child. If admission changes it, the operator will not.
    pub fn is_held_back(&self) -> bool {
        matches!(self.state, DisputeState::Differs | DisputeState::Missing)
    }

    /// The problem, as a sentence without times and numbers. It stays the same as long as the problem does, so that one event counts up.
    pub fn summary(&self) -> String {
        let Self { child, details, .. } = self;
        match self.state {
            DisputeState::Missing => {
                format!("{child} is repeatedly deleted; the audit log of the API server shows by whom.")
            }
            DisputeState::Restored if details.is_empty() => format!("{child} was repeatedly deleted."),
            DisputeState::Restored => format!("{child} was repeatedly changed ({details})."),
            DisputeState::Differs => format!("{child} is repeatedly changed ({details})."),
            DisputeState::Admitted => format!(
                "The API server stores {child} differently from what was applied ({details}): mutating admission changes these fields, or \
                 this version of the API server does not know them. Writing them again does not help; change the policy or \
                 the webhook, or the objects that it depends on."
            ),
        }
    }

    /// The same, with times.
    pub fn message(&self) -> String {
        let summary = self.summary();
        let since = second(self.since, RoundMode::Floor);
        let until = second(self.until, RoundMode::Ceil);
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        match self.state {
            DisputeState::Missing => {
                format!(
                    "{summary} It was restored {times} since {since}, and will be created again at {until}."
                )
            }
            DisputeState::Differs => {
                format!(
                    "{summary} It was restored {times} since {since}, and will be restored again at {until}."
                )
            }
            DisputeState::Restored => format!(
                "{summary} It was restored {times} since {since}; if that continues, it will be restored again at {until} at \
                 the earliest."
            ),
            DisputeState::Admitted => {
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

    fn dispute(state: DisputeState) -> Dispute {
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
            dispute(DisputeState::Differs).message(),
            "Service sessions is repeatedly changed (spec.ports, also written by kubectl-edit). It was restored 3 times \
             since 2026-01-02T03:04:05Z, and will be restored again at 2026-01-02T03:05:01Z."
        );
    }

    #[test]
    fn what_events_say_does_not_change_with_time() {
        for state in
            [DisputeState::Differs, DisputeState::Missing, DisputeState::Restored, DisputeState::Admitted]
        {
            let later = Dispute { times: 4, since: Timestamp::MIN, until: Timestamp::MAX, ..dispute(state) };
            assert_eq!(later.summary(), dispute(state).summary());
            assert_ne!(later.message(), dispute(state).message());
        }
    }
}
