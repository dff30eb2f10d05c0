//! Which objects wait for a stamp, and until when. Pure: time comes in as an argument.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use kube::ResourceExt;
use lease_core::Monotonic;

use super::{Change, Completion};
use crate::sharded::cr_name;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(30);
const NOT_YET: Duration = Duration::from_millis(100);
/// How long a watch may be behind an answer.
const KEPT: Duration = Duration::from_secs(30);

/// One entry for each name. Who holds the name may change while an attempt runs.
pub(super) struct Backlog<K> {
    delay: Duration,
    waiting: BTreeMap<String, Entry<K>>,
    /// Entries that are done, in the order in which their time is over.
    done: VecDeque<(Monotonic, String)>,
}

struct Entry<K> {
    object: K,
    due: Monotonic,
    attempts: u32,
    running: bool,
    /// Changed while an attempt ran, so the result of that attempt is out of date.
    renewed: bool,
    /// An attempt has left it in this version. What the watch still has to show of the time before is no news; kept until the watch shows
    /// that the object is gone from it, or for [`KEPT`].
    done: Option<u64>,
}

impl<K: ResourceExt + Clone> Backlog<K> {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, waiting: BTreeMap::new(), done: VecDeque::new() }
    }

    pub(super) fn change(&mut self, change: Change<K>, now: Monotonic) {
        match change {
            Change::Pending(object) => {
                self.drop_done(now);
                let known = self.waiting.get_mut(&cr_name(&object));
                let known = known.filter(|entry| entry.object.uid() == object.uid());
                if known
                    .as_ref()
                    .is_some_and(|entry| entry.done.is_some_and(|done| version(&object) <= Some(done)))
                {
                    return;
                }
                if let Some(entry) = known.filter(|entry| entry.done.is_none()) {
                    entry.renewed = entry.running;
                    entry.object = object;
                } else {
                    let entry = Entry {
                        object,
                        due: now + self.delay,
                        attempts: 0,
                        running: false,
                        renewed: false,
                        done: None,
                    };
                    self.waiting.insert(cr_name(&entry.object), entry);
                }
            }
            Change::Settled(cr) => {
                self.waiting.remove(&cr);
            }
        }
    }

    /// Drops what has been kept long enough. An entry may have been replaced, or be done again, since it was noted.
    fn drop_done(&mut self, now: Monotonic) {
        while let Some((_, cr)) = self.done.pop_front_if(|(until, _)| *until <= now) {
            if self.waiting.get(&cr).is_some_and(|entry| entry.done.is_some() && entry.due <= now) {
                self.waiting.remove(&cr);
            }
        }
    }

    /// An object that is due. It is not returned again before [`settle`](Self::settle).
    pub(super) fn take_due(&mut self, now: Monotonic) -> Option<K> {
        let (_, entry) = self.waiting.iter_mut().find(|(_, entry)| entry.is_waiting() && entry.due <= now)?;
        entry.running = true;
        entry.renewed = false;
        Some(entry.object.clone())
    }

    pub(super) fn next_due(&self) -> Option<Monotonic> {
        self.waiting.values().filter(|entry| entry.is_waiting()).map(|entry| entry.due).min()
    }

    /// Takes in the result of the attempt on `object`. It does not count for another object that has the same name by now.
    pub(super) fn settle(&mut self, object: &K, outcome: Completion, now: Monotonic) {
        let cr = cr_name(object);
        let waiting = self.waiting.get_mut(&cr);
        let Some(entry) = waiting.filter(|entry| entry.object.uid() == object.uid()) else { return };
        entry.running = false;
        entry.due = now
            + match outcome {
                Completion::Written(left) if version(&entry.object) <= Some(left) => {
                    entry.done = Some(left);
                    self.done.push_back((now + KEPT, cr));
                    KEPT
                }
                Completion::Done if !entry.renewed => {
                    self.waiting.remove(&cr);
                    return;
                }
                Completion::Written(_) | Completion::Done | Completion::Conflict if entry.renewed => {
                    Duration::ZERO
                }
                Completion::Deferred => NOT_YET,
                Completion::Written(_) | Completion::Done | Completion::Conflict | Completion::Failed => {
                    entry.attempts += 1;
                    (FIRST_RETRY * 2_u32.pow(entry.attempts.min(12))).min(LAST_RETRY)
                }
            };
    }
}

impl<K> Entry<K> {
    fn is_waiting(&self) -> bool {
        !self.running && self.done.is_none()
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
        assert_eq!(backlog.waiting.keys().collect::<Vec<_>>(), ["ns/b"]);
        assert!(backlog.done.is_empty());
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
