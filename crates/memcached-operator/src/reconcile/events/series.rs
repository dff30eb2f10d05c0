//! A repeated event does not create a new object, but increases the count of the existing one.
//!
//! kube's `Recorder` does the same, but its cache belongs to a client. Here each reconcile has its own client, and the cache outlives it.

use std::collections::BTreeMap;
use std::time::Duration;

use lease_core::Boottime;

/// A series that has not been added to for this long has ended. Longer than the longest time between two mendings, and
/// shorter than API servers keep events (an hour by default).
const ENDS_AFTER: Duration = Duration::from_mins(30);
/// The oldest series are forgotten first; the next of the kind is a new object then.
const MOST: usize = 1024;

/// What makes two events the same: the uid of the object, type, reason, action and note.
pub(super) type Key = [String; 5];

#[derive(Clone, Debug)]
struct Series {
    name: String,
    count: i32,
    last: Boottime,
}

/// The events that were published lately.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Published(BTreeMap<Key, Series>);

impl Published {
    /// The object of the series that this event belongs to, and its count with this one.
    pub(super) fn again(&mut self, key: &Key, now: Boottime) -> Option<(String, i32)> {
        self.0.retain(|_, series| now.duration_since(series.last) < ENDS_AFTER);
        let series = self.0.get_mut(key)?;
        series.count = series.count.saturating_add(1);
        series.last = now;
        Some((series.name.clone(), series.count))
    }

    /// Notes a new object.
    pub(super) fn created(&mut self, key: Key, name: String, now: Boottime) {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, series)| series.last).map(|(key, _)| key.clone());
            self.0.remove(&oldest.unwrap_or_default());
        }
        self.0.insert(key, Series { name, count: 1, last: now });
    }

    /// Removes the entries of an object that was deleted.
    pub(in crate::reconcile) fn forget(&mut self, uid: &str) {
        self.0.retain(|[of, ..], _| of != uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uid: &str) -> Key {
        [uid, "Normal", "DriftHealed", "Apply", "note"].map(Into::into)
    }

    #[test]
    fn the_same_event_counts_up_until_its_series_ends() {
        let mut published = Published::default();
        let minute = |minute| Boottime::from_origin(Duration::from_mins(minute));
        assert_eq!(published.again(&key("a"), minute(0)), None);
        published.created(key("a"), "a.1".into(), minute(0));
        assert_eq!(published.again(&key("b"), minute(0)), None);
        assert_eq!(published.again(&key("a"), minute(20)), Some(("a.1".into(), 2)));
        assert_eq!(published.again(&key("a"), minute(40)), Some(("a.1".into(), 3)));
        assert_eq!(published.again(&key("a"), minute(70)), None);
        assert!(published.0.is_empty());
    }

    #[test]
    fn it_ends_with_the_object_and_there_is_a_most() {
        let mut published = Published::default();
        for uid in 0..=MOST {
            let at = Boottime::from_origin(Duration::from_micros(uid as u64));
            published.created(key(&uid.to_string()), "e".into(), at);
        }
        assert_eq!(published.0.len(), MOST);
        published.forget("7");
        assert_eq!(published.0.len(), MOST - 1);
    }
}
