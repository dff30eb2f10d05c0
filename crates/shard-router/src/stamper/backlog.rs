//! Which objects wait for a stamp, and until when. Pure: the time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use kube::ResourceExt;
use lease_core::Monotonic;

use super::{Change, Completion};
use crate::sharded::cr_name;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(30);
const NOT_YET: Duration = Duration::from_millis(100);
/// The longest that an object is left to others that make progress with other objects, as a multiple of the delay.
const PATIENCE: u32 = 10;
/// How long a watch may be behind an answer.
const KEPT: Duration = Duration::from_secs(30);

/// One entry for each name. The object of this name may change while an attempt runs.
pub(super) struct Backlog<K> {
    delay: Duration,
    /// When another replica was last seen to have stamped an object that waits here.
    others: Option<Monotonic>,
    entries: BTreeMap<String, Entry<K>>,
    /// The objects that wait for an attempt, the earliest first. There may be thousands, so no operation iterates over all of them.
    due: BTreeSet<(Monotonic, String)>,
    /// The objects that were stamped, in the order in which they are forgotten.
    stamped: VecDeque<(Monotonic, String)>,
}

struct Entry<K> {
    uid: Option<String>,
    attempts: u32,
    state: State<K>,
}

enum State<K> {
    Waiting {
        object: K,
        due: Monotonic,
    },
    Running {
        object: K,
        /// Changed while the attempt ran, so the result of that attempt is out of date.
        renewed: bool,
    },
    /// An attempt has written this version. Earlier versions that the watch still shows are ignored. The entry is kept until the watch shows
    /// that the object no longer matches, or for [`KEPT`].
    Stamped {
        version: u64,
        until: Monotonic,
    },
}

impl<K: ResourceExt + Clone> Backlog<K> {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, others: None, entries: BTreeMap::new(), due: BTreeSet::new(), stamped: VecDeque::new() }
    }

    pub(super) fn change(&mut self, change: Change<K>, now: Monotonic) {
        self.forget_stamped(now);
        match change {
            Change::Pending(object) => self.pending(object, now),
            Change::Settled(cr) => self.settled_by_others(&cr, now),
            Change::Listed { namespace, names } => {
                let is_of = |cr: &str| match &namespace {
                    Some(namespace) => cr.split_once('/').is_some_and(|(of, _)| of == namespace),
                    None => true,
                };
                let gone = self.entries.keys().filter(|cr| is_of(cr) && !names.contains(*cr));
                for cr in gone.cloned().collect::<Vec<_>>() {
                    self.settled_by_others(&cr, now);
                }
            }
        }
    }

    fn pending(&mut self, object: K, now: Monotonic) {
        let cr = cr_name(&object);
        let known = self.entries.get_mut(&cr).filter(|entry| entry.uid == object.uid());
        match known.map(|entry| &mut entry.state) {
            Some(State::Stamped { version: stamped, .. }) if version(&object) <= Some(*stamped) => return,
            Some(State::Waiting { object: known, .. }) => {
                *known = object;
                return;
            }
            Some(State::Running { object: known, renewed }) => {
                *known = object;
                *renewed = true;
                return;
            }
            Some(State::Stamped { .. }) | None => {}
        }
        self.remove(&cr);
        let due = now + self.delay;
        self.due.insert((due, cr.clone()));
        let entry = Entry { uid: object.uid(), attempts: 0, state: State::Waiting { object, due } };
        self.entries.insert(cr, entry);
    }

    /// An object that is due. It is not returned again before [`settle`](Self::settle).
    pub(super) fn take_due(&mut self, now: Monotonic) -> Option<K> {
        if self.next_due()? > now {
            return None;
        }
        let (_, cr) = self.due.pop_first()?;
        let entry = self.entries.get_mut(&cr)?;
        let State::Waiting { object, .. } = &entry.state else { return None };
        let object = object.clone();
        entry.state = State::Running { object: object.clone(), renewed: false };
        Some(object)
    }

    /// When the next object is due.
    ///
    /// With a delay, the objects are left to another replica, and to leave each to it for the delay is not enough: with thousands of new objects, it is
    /// still busy with the first ones when all the others are due. All replicas would then attempt the same objects, and most of their writes would
    /// conflict. So as long as others make progress, the objects are left to them, each for at most [`PATIENCE`] delays.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let due = self.due.first()?.0;
        let left_to_others = self.others.map(|seen| (seen + self.delay).min(due + PATIENCE * self.delay));
        Some(left_to_others.map_or(due, |left| left.max(due)))
    }

    /// Processes the result of the attempt on `attempted`. It does not apply to another object that has the same name now.
    pub(super) fn settle(&mut self, attempted: &K, outcome: Completion, now: Monotonic) {
        let cr = cr_name(attempted);
        let Some(entry) = self.entries.get_mut(&cr).filter(|entry| entry.uid == attempted.uid()) else {
            return;
        };
        let State::Running { object, renewed } = &entry.state else { return };
        if outcome == Completion::Conflict {
            self.others = Some(now);
        }
        let pause = match outcome {
            Completion::Written(left) if version(object) <= Some(left) => {
                let until = now + KEPT;
                entry.state = State::Stamped { version: left, until };
                self.stamped.push_back((until, cr));
                return;
            }
            Completion::Done if !renewed => {
                self.entries.remove(&cr);
                return;
            }
            Completion::Written(_) | Completion::Done | Completion::Conflict if *renewed => Duration::ZERO,
            Completion::Deferred => NOT_YET,
            Completion::Written(_) | Completion::Done | Completion::Conflict | Completion::Failed => {
                entry.attempts += 1;
                (FIRST_RETRY * 2_u32.pow(entry.attempts.min(12))).min(LAST_RETRY)
            }
        };
        let (object, due) = (object.clone(), now + pause);
        entry.state = State::Waiting { object, due };
        self.due.insert((due, cr));
    }

    /// Removes an object that was stamped, or deleted. If no attempt on it was made here, others have done it.
    fn settled_by_others(&mut self, cr: &str, now: Monotonic) {
        if self.entries.get(cr).is_some_and(|entry| matches!(entry.state, State::Waiting { .. })) {
            self.others = Some(now);
        }
        self.remove(cr);
    }

    fn remove(&mut self, cr: &str) {
        if let Some(Entry { state: State::Waiting { due, .. }, .. }) = self.entries.remove(cr) {
            self.due.remove(&(due, cr.to_owned()));
        }
    }

    fn forget_stamped(&mut self, now: Monotonic) {
        while let Some((until, cr)) = self.stamped.pop_front_if(|(until, _)| *until <= now) {
            // Meanwhile there may be another object of this name, or it may have been stamped again.
            let same =
                |entry: &Entry<K>| matches!(entry.state, State::Stamped { until: kept, .. } if kept == until);
            if self.entries.get(&cr).is_some_and(same) {
                self.entries.remove(&cr);
            }
        }
    }
}

fn version<K: ResourceExt>(object: &K) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;
    use crate::testing::at;

    const SECOND: Duration = Duration::from_secs(1);

    fn object(version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some("a".into());
        object.metadata.namespace = Some("ns".into());
        object.metadata.uid = Some("1".into());
        object.metadata.resource_version = Some(version.into());
        object
    }

    #[test]
    fn an_object_is_left_to_others_for_the_delay_and_edits_do_not_prolong_it() {
        let mut backlog = Backlog::new(3 * SECOND);
        backlog.change(Change::Pending(object("1")), at(1));
        backlog.change(Change::Pending(object("2")), at(2));
        assert!(backlog.take_due(at(3)).is_none());
        let due = backlog.take_due(at(4)).unwrap();
        assert_eq!(due.metadata.resource_version.as_deref(), Some("2"));
        assert!(backlog.take_due(at(9)).is_none(), "one attempt at a time");
    }

    fn named(name: &str) -> ConfigMap {
        let mut object = object("1");
        object.metadata.name = Some(name.into());
        object
    }

    /// Thousands of new objects, which another replica stamps one after the other.
    #[test]
    fn objects_are_left_to_others_as_long_as_these_make_progress() {
        let mut backlog = Backlog::new(3 * SECOND);
        for name in ["a", "b", "c", "d"] {
            backlog.change(Change::Pending(named(name)), at(1));
        }
        backlog.change(Change::Settled("ns/a".to_owned()), at(3));
        assert!(backlog.take_due(at(5)).is_none(), "others are at work");
        assert_eq!(backlog.next_due(), Some(at(6)));
        backlog.change(Change::Settled("ns/b".to_owned()), at(5));
        assert!(backlog.take_due(at(7)).is_none(), "they still are");
        let mine = backlog.take_due(at(8)).expect("they have stopped");
        // What is stamped here is no progress of others.
        backlog.settle(&mine, Completion::Written(2), at(8));
        backlog.change(Change::Settled("ns/c".to_owned()), at(8));
        let last = backlog.take_due(at(8)).expect("nobody else is at work");
        // A conflict is: somebody else has written the object.
        backlog.settle(&last, Completion::Conflict, at(8));
        assert_eq!(backlog.next_due(), Some(at(11)));
    }

    /// Others may make progress with all objects but one.
    #[test]
    fn an_object_that_others_do_not_stamp_is_not_left_to_them_for_good() {
        let mut backlog = Backlog::new(3 * SECOND);
        backlog.change(Change::Pending(named("stuck")), at(1));
        for second in 2..60 {
            backlog.change(Change::Pending(named("other")), at(second));
            backlog.change(Change::Settled("ns/other".to_owned()), at(second));
            match backlog.take_due(at(second)) {
                Some(stuck) => return assert_eq!((stuck.name_any(), second), ("stuck".to_owned(), 34)),
                None => assert!(second < 34),
            }
        }
        panic!("nobody stamps it");
    }

    #[test]
    fn what_the_watch_still_shows_of_the_time_before_a_stamp_is_no_news() {
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        let taken = backlog.take_due(at(1)).unwrap();
        // Between the two writes of the stamp, and after both.
        backlog.change(Change::Pending(object("2")), at(1));
        backlog.settle(&taken, Completion::Written(3), at(1));
        backlog.change(Change::Pending(object("2")), at(2));
        assert!(backlog.take_due(at(2)).is_none());
        assert_eq!(backlog.next_due(), None);
        // Somebody has taken the label off again.
        backlog.change(Change::Pending(object("4")), at(2));
        assert!(backlog.take_due(at(2)).is_some());
    }

    #[test]
    fn an_edit_during_a_stamp_is_news_and_what_was_stamped_is_forgotten() {
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        let taken = backlog.take_due(at(1)).unwrap();
        backlog.change(Change::Pending(object("4")), at(1));
        backlog.settle(&taken, Completion::Written(3), at(1));
        let again = backlog.take_due(at(1)).expect("it was edited after the stamp");
        backlog.settle(&again, Completion::Written(5), at(1));
        let mut another = object("9");
        another.metadata.name = Some("b".into());
        backlog.change(Change::Pending(another), at(100));
        assert_eq!(backlog.entries.keys().collect::<Vec<_>>(), ["ns/b"]);
        assert!(backlog.stamped.is_empty());
    }

    #[test]
    fn what_has_waited_longest_comes_first() {
        let mut backlog = Backlog::new(Duration::ZERO);
        for (number, name) in ["c", "a", "b"].into_iter().enumerate() {
            let mut object = object("1");
            object.metadata.name = Some(name.into());
            backlog.change(Change::Pending(object), at(number as u64 + 1));
        }
        let order = std::iter::from_fn(|| backlog.take_due(at(9))).map(|object| object.name_any());
        assert_eq!(order.collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!(backlog.next_due(), None);
    }

    /// The object was stamped or deleted while the watch was interrupted, so there is no event. Attempts on it would conflict forever.
    #[test]
    fn what_a_list_does_not_bring_is_forgotten() {
        let listed = |namespace: Option<&str>, names: &[&str]| Change::Listed {
            namespace: namespace.map(Into::into),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        let name = backlog.entries.keys().next().unwrap().clone();
        backlog.change(listed(Some("elsewhere"), &[]), at(2));
        backlog.change(listed(None, &[&name]), at(2));
        assert_eq!(backlog.next_due(), Some(at(1)));
        let running = backlog.take_due(at(2)).unwrap();
        backlog.change(listed(Some("ns"), &[]), at(3));
        backlog.settle(&running, Completion::Conflict, at(3));
        assert!(backlog.entries.is_empty() && backlog.next_due().is_none());
    }

    #[test]
    fn what_left_the_watch_is_forgotten() {
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        backlog.change(Change::Settled("ns/a".to_owned()), at(1));
        assert_eq!(backlog.next_due(), None);
    }

    #[test]
    fn what_comes_of_a_deleted_object_does_not_settle_its_namesake() {
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        let old = backlog.take_due(at(1)).unwrap();
        let mut namesake = object("7");
        namesake.metadata.uid = Some("2".into());
        backlog.change(Change::Settled("ns/a".to_owned()), at(1));
        backlog.change(Change::Pending(namesake), at(1));
        // The attempt on the old object was answered with 404.
        backlog.settle(&old, Completion::Done, at(1));
        let due = backlog.take_due(at(1)).expect("the namesake still waits for its stamp");
        assert_eq!(due.metadata.uid.as_deref(), Some("2"));
    }

    #[test]
    fn a_conflict_waits_for_news_and_a_failure_backs_off_with_a_cap() {
        let mut backlog = Backlog::new(Duration::ZERO);
        backlog.change(Change::Pending(object("1")), at(1));
        let taken = backlog.take_due(at(1)).unwrap();
        backlog.change(Change::Pending(object("2")), at(1));
        backlog.settle(&taken, Completion::Conflict, at(1));
        let again = backlog.take_due(at(1)).expect("the news is there already");
        assert_eq!(again.metadata.resource_version.as_deref(), Some("2"));
        backlog.settle(&again, Completion::Failed, at(1));
        assert!(backlog.next_due().unwrap() > at(1));
        for _ in 0..40 {
            let taken = backlog.take_due(at(99)).unwrap();
            backlog.settle(&taken, Completion::Failed, at(1));
        }
        assert_eq!(backlog.next_due(), Some(at(1) + LAST_RETRY));
    }
}
