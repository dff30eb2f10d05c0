//! The state of a list that the takeover barrier waits for.

/// The state of the latest list of one watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListState {
    Asked,
    Refused,
    Complete,
}

impl ListState {
    /// The list, or the watch that follows it, has failed.
    pub(crate) fn failed(&mut self) {
        if *self == Self::Asked {
            *self = Self::Refused;
        }
    }
}

/// Whether every list was answered, and at least one of them completely.
///
/// A list that was refused (its namespace was deleted, and with it the right to list there) does not delay the others, unless there is no other.
pub(crate) fn all_answered(lists: impl IntoIterator<Item = ListState>) -> bool {
    let mut any_complete = false;
    for list in lists {
        match list {
            ListState::Asked => return false,
            ListState::Refused => {}
            ListState::Complete => any_complete = true,
        }
    }
    any_complete
}

#[cfg(test)]
mod tests {
    use super::{ListState::*, *};

    #[test]
    fn all_have_to_be_answered_and_one_at_least_with_a_list() {
        let answered = |lists: &[ListState]| all_answered(lists.iter().copied());
        assert!(answered(&[Complete]) && answered(&[Refused, Complete]));
        assert!(!answered(&[Refused]) && !answered(&[Complete, Asked]));
    }

    #[test]
    fn a_watch_that_fails_after_its_list_takes_nothing_back() {
        let mut list = Complete;
        list.failed();
        assert_eq!(list, Complete);
    }
}
