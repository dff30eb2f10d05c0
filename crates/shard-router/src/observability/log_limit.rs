//! Limits how often the same line is logged.

use lease_core::Monotonic;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often a line that stays true is logged again, so that it can be found near the end of the log.
const EVERY: Duration = Duration::from_mins(1);

/// How many different lines are remembered. Beyond that the oldest one is forgotten, so it may be logged again too early.
const REMEMBERED: usize = 256;

/// Decides which lines to log. Clones share their state, so that many tasks with the same problem log it once.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogLimit(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    at: Monotonic,
    withheld: u64,
}

impl LogLimit {
    /// `Some` if the line is to be logged now, with the number of times that it was suppressed since it was last logged.
    pub(crate) fn due(&self, line: &str, now: Monotonic) -> Option<u64> {
        let mut said = self.0.lock();
        if let Some(before) = said.get_mut(line) {
            if now.duration_since(before.at) < EVERY {
                before.withheld += 1;
                return None;
            }
            before.at = now;
            return Some(std::mem::take(&mut before.withheld));
        }
        if said.len() >= REMEMBERED {
            let oldest = said.iter().min_by_key(|(_, said)| said.at).map(|(line, _)| line.clone());
            oldest.and_then(|line| said.remove(&line));
        }
        said.insert(line.to_owned(), Entry { at: now, withheld: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_line_that_stays_true_is_said_once_a_minute_with_how_often_it_was_withheld() {
        let limit = LogLimit::default();
        let said: Vec<_> = (0..=120).filter_map(|second| limit.due("a", at(second))).collect();
        assert_eq!(said, [0, 59, 59]);
    }

    #[test]
    fn another_line_is_said_at_once_and_clones_count_together() {
        let limit = LogLimit::default();
        assert_eq!(limit.due("a", at(1)), Some(0));
        assert_eq!(limit.clone().due("b", at(1)), Some(0));
        assert_eq!(limit.clone().due("a", at(1)), None);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let limit = LogLimit::default();
        for number in 0..1000_u64 {
            limit.due(&number.to_string(), at(number));
        }
        assert_eq!(limit.0.lock().len(), REMEMBERED);
    }
}
