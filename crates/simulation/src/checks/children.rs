//! A replica writes only what it has seen, and never what is somebody else's.
//!
//! By the API server's word alone: of each write that changed a child, the state that it replaced. That state must have been shown to
//! the writer by an answer that had reached it when it sent the write; then nobody's change can have been undone that was made after
//! the writer looked. And the state must not have been a foreign object, whether shown or not.

use std::collections::HashMap;

use overlap_checker::records::Replica;

use super::{Check, short};
use crate::observations::{ChildState, Observations};
use crate::time::TrueTime;

/// Judges every write of a replica that changed a child.
pub(super) fn check(observations: &Observations) -> Check {
    let mut check = Check::new("children");
    let mut shown: HashMap<(&Replica, &str, &ChildState), TrueTime> = HashMap::new();
    for access in &observations.children {
        let changed = access.write && access.before != access.after;
        if let Some(before) = access.before.as_ref().filter(|_| changed) {
            check.judged += 1;
            let (by, child, at) = (&access.by, &access.child, access.arrived);
            let known = shown.get(&(by, child.as_str(), before)).is_some_and(|known| *known <= access.sent);
            if before.foreign {
                let what = format!("{by} wrote over {child} at {at}, which belongs to somebody else.");
                check.violated(at, what);
            } else if !known {
                let (version, uid) = (&before.version, &before.uid);
                let way = short(at.since(access.sent));
                let what = format!(
                    "{by} wrote over {child} at {at} by a request sent {way:?} before, when it had not seen the state that was \
                     there (resourceVersion {version}, uid {uid})."
                );
                check.violated(at, what);
            }
        }
        if let (Some(known), Some(after)) = (access.known, &access.after) {
            // The first time counts; a watch may be slower than an answer to a later request.
            let first = shown.entry((&access.by, &access.child, after)).or_insert(known);
            *first = known.min(*first);
        }
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at};
    use crate::observations::{ChildAccess, ChildState};
    use overlap_checker::records::Replica;

    fn state(version: &str, foreign: bool) -> ChildState {
        ChildState { uid: "u".into(), version: version.into(), foreign }
    }

    fn access(
        sent: u64,
        write: bool,
        before: impl Into<Option<ChildState>>,
        after: ChildState,
    ) -> ChildAccess {
        let (before, after) = (before.into(), Some(after));
        let (by, child) = (Replica("a".into()), "services/m-0".into());
        let (arrived, known) = (at(sent + 20), Some(at(sent + 40)));
        ChildAccess { by, sent: at(sent), arrived, known, child, write, before, after }
    }

    fn violations(accesses: Vec<ChildAccess>) -> (u64, usize) {
        let mut run = RunBuilder::settled();
        run.observations.children = accesses;
        let check = super::check(&run.observations);
        (check.judged, check.violations.len())
    }

    #[test]
    fn what_was_shown_may_be_written_over() {
        let read = access(0, false, state("5", false), state("5", false));
        let write = access(40, true, state("5", false), state("6", false));
        let again = access(80, true, state("6", false), state("7", false));
        assert_eq!(violations(vec![read, write, again]), (2, 0));
    }

    #[test]
    fn what_a_slow_watch_shows_later_than_an_answer_was_shown_by_the_answer() {
        let mut watch = access(0, false, state("5", false), state("5", false));
        watch.known = Some(at(1000));
        let read = access(10, false, state("5", false), state("5", false));
        let write = access(50, true, state("5", false), state("6", false));
        assert_eq!(violations(vec![watch.clone(), read, write.clone()]), (1, 0));
        assert_eq!(violations(vec![watch, write]), (1, 1), "the watch had not shown it yet");
    }

    #[test]
    fn what_was_not_shown_or_not_in_time_may_not() {
        let read = || access(0, false, state("5", false), state("5", false));
        let edited = access(40, true, state("6", false), state("7", false));
        assert_eq!(violations(vec![read(), edited]), (1, 1), "it was edited since");
        let early = access(39, true, state("5", false), state("6", false));
        assert_eq!(violations(vec![read(), early]), (1, 1), "sent before the answer was there");
        let mut unheard = read();
        unheard.known = None;
        let write = access(40, true, state("5", false), state("6", false));
        assert_eq!(violations(vec![unheard, write]), (1, 1), "the answer never came");
    }

    #[test]
    fn a_foreign_object_may_never_and_nothing_always() {
        let read = access(0, false, state("5", true), state("5", true));
        let taken = access(40, true, state("5", true), state("6", false));
        assert_eq!(violations(vec![read, taken]), (1, 1));
        assert_eq!(violations(vec![access(0, true, None, state("1", false))]), (0, 0));
        let unchanged = access(0, true, state("5", false), state("5", false));
        assert_eq!(violations(vec![unchanged]), (0, 0));
    }
}
