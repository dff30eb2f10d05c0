//! Annotations that will be written with the next renewal.
//!
//! A renewal must not fail because of its annotations. So a failed write with annotations is followed by one without. Annotations are
//! sent again only after such a write has succeeded. An annotation that the API server refuses therefore costs one write, no matter
//! who asked for it and which error the API server returns.

use std::collections::BTreeMap;

use crate::effect::AttemptId;
use crate::metadata::{InvalidMetadata, check_annotations_size};
use crate::rules;

/// Annotations to set, or to remove (`None`).
pub type AnnotationChanges = BTreeMap<String, Option<String>>;

/// After this many failed writes, annotations are given up even if no failure was clearly caused by them.
const TRIES: u8 = 3;

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// It was accepted.
    Landed,
    /// It was refused for a reason that may apply to the next write too: anything except a conflict or an overloaded server.
    Refused,
    /// It was refused for a temporary reason, or it is unknown whether it was applied.
    Uncertain,
}

/// Requested annotations, each with a `T` by which its caller gets the result.
#[derive(Debug)]
pub struct PendingAnnotations<T> {
    waiting: Vec<Pending<T>>,
    /// The last write with annotations has failed, and no write without annotations has succeeded since.
    bare: bool,
}

#[derive(Debug)]
struct Pending<T> {
    changes: AnnotationChanges,
    reply: T,
    /// The write that contains them, if it has been sent.
    carried_by: Option<AttemptId>,
    /// A write that contained these and others has failed. From now on they are sent alone, so that they do not fail because of others.
    alone: bool,
    failures: u8,
}

impl<T> Default for PendingAnnotations<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), bare: false }
    }
}

impl<T> PendingAnnotations<T> {
    /// Adds annotations for the next renewal.
    pub fn add(&mut self, changes: AnnotationChanges, reply: T) {
        self.waiting.push(Pending { changes, reply, carried_by: None, alone: false, failures: 0 });
    }

    /// Whether the next renewal would contain annotations.
    pub fn would_be_carried(&self) -> bool {
        !self.bare && !self.waiting.is_empty()
    }

    /// Adds them to the annotations that the renewal `attempt` is about to write. If two requests set the same key, the later one wins.
    /// Returns the requests that do not fit into the object.
    pub fn put_on(
        &mut self,
        annotations: &mut BTreeMap<String, String>,
        attempt: AttemptId,
    ) -> Vec<(T, InvalidMetadata)> {
        let mut misfits = Vec::new();
        if self.bare {
            return misfits;
        }
        let some_go_alone = self.waiting.iter().any(|pending| pending.alone);
        let mut index = 0;
        while let Some(pending) = self.waiting.get_mut(index) {
            if some_go_alone && !pending.alone {
                index += 1;
                continue;
            }
            let mut with = annotations.clone();
            for (key, value) in &pending.changes {
                match value {
                    Some(value) => with.insert(key.clone(), value.clone()),
                    None => with.remove(key),
                };
            }
            match check_annotations_size(&with) {
                Ok(()) => {
                    *annotations = with;
                    pending.carried_by = Some(attempt);
                    index += 1;
                    if some_go_alone {
                        break;
                    }
                }
                Err(error) => misfits.push((self.waiting.remove(index).reply, error)),
            }
        }
        misfits
    }

    /// To be called when the result of a write is known. Returns the requests that are settled: written, or given up.
    pub fn written(&mut self, attempt: AttemptId, fate: Carried) -> Vec<T> {
        let carried = |pending: &Pending<T>| pending.carried_by == Some(attempt);
        let count = self.waiting.iter().filter(|pending| carried(pending)).count();
        if count == 0 {
            self.bare &= fate != Carried::Landed;
            return Vec::new();
        }
        if fate == Carried::Landed {
            return self.take(carried);
        }
        self.bare = rules::renewal_after_failure_is_bare();
        for pending in self.waiting.iter_mut().filter(|pending| pending.carried_by == Some(attempt)) {
            pending.alone |= count > 1;
            pending.failures += 1;
        }
        let over = |pending: &Pending<T>| {
            let refused_alone = count == 1 && fate == Carried::Refused;
            carried(pending) && rules::annotation_is_given_up(refused_alone, pending.failures >= TRIES)
        };
        let told = self.take(over);
        for pending in &mut self.waiting {
            pending.carried_by = pending.carried_by.filter(|by| *by != attempt);
        }
        told
    }

    /// To be called at the end of the term. Returns all requests that are still pending.
    pub fn end(&mut self) -> Vec<T> {
        self.bare = false;
        self.waiting.drain(..).map(|pending| pending.reply).collect()
    }

    fn take(&mut self, which: impl Fn(&Pending<T>) -> bool) -> Vec<T> {
        self.waiting.extract_if(.., |pending| which(pending)).map(|pending| pending.reply).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Waiting = PendingAnnotations<&'static str>;

    fn asks(waiting: &mut Waiting, key: &'static str) {
        waiting.add([(key.to_owned(), Some(String::new()))].into(), key);
    }

    /// What the write of this number carries.
    fn write(waiting: &mut Waiting, attempt: u64) -> Vec<String> {
        let mut annotations = BTreeMap::new();
        assert!(waiting.put_on(&mut annotations, AttemptId(attempt)).is_empty());
        annotations.into_keys().collect()
    }

    #[test]
    fn what_is_refused_is_told_and_rides_on_nothing_again() {
        let mut waiting = Waiting::default();
        asks(&mut waiting, "bad");
        assert_eq!(write(&mut waiting, 1), ["bad"]);
        assert_eq!(waiting.written(AttemptId(1), Carried::Refused), ["bad"]);
        assert!(write(&mut waiting, 2).is_empty());
    }

    #[test]
    fn after_a_failure_nothing_is_carried_until_a_bare_write_has_landed() {
        let mut waiting = Waiting::default();
        asks(&mut waiting, "a");
        for (attempt, fate) in [(1, Carried::Uncertain), (2, Carried::Uncertain), (3, Carried::Landed)] {
            assert_eq!(write(&mut waiting, attempt).len(), usize::from(attempt == 1), "write {attempt}");
            assert!(waiting.written(AttemptId(attempt), fate).is_empty());
        }
        assert_eq!(write(&mut waiting, 4), ["a"]);
        assert_eq!(waiting.written(AttemptId(4), Carried::Landed), ["a"]);
        assert!(!waiting.would_be_carried());
    }

    #[test]
    fn of_several_only_the_one_that_is_refused_alone_is_refused() {
        let mut waiting = Waiting::default();
        asks(&mut waiting, "bad");
        asks(&mut waiting, "good");
        assert_eq!(write(&mut waiting, 1), ["bad", "good"]);
        assert!(waiting.written(AttemptId(1), Carried::Refused).is_empty());
        asks(&mut waiting, "later");
        assert!(write(&mut waiting, 2).is_empty());
        waiting.written(AttemptId(2), Carried::Landed);
        assert_eq!(write(&mut waiting, 3), ["bad"]);
        assert_eq!(waiting.written(AttemptId(3), Carried::Refused), ["bad"]);
        waiting.written(AttemptId(4), Carried::Landed);
        assert_eq!(write(&mut waiting, 5), ["good"]);
        assert_eq!(waiting.written(AttemptId(5), Carried::Landed), ["good"]);
        assert_eq!(write(&mut waiting, 6), ["later"]);
    }

    #[test]
    fn no_answer_three_times_is_an_answer() {
        let mut waiting = Waiting::default();
        asks(&mut waiting, "a");
        for attempt in 0..3 {
            assert_eq!(write(&mut waiting, 2 * attempt), ["a"]);
            let told = waiting.written(AttemptId(2 * attempt), Carried::Uncertain);
            assert_eq!(told.len(), usize::from(attempt == 2));
            waiting.written(AttemptId(2 * attempt + 1), Carried::Landed);
        }
    }

    #[test]
    fn what_does_not_fit_beside_what_others_wrote_is_left_out() {
        let mut waiting = Waiting::default();
        waiting.add([("large".to_owned(), Some("x".repeat(200 * 1024)))].into(), "large");
        asks(&mut waiting, "small");
        let mut annotations = BTreeMap::from([("another's".to_owned(), "y".repeat(100 * 1024))]);
        let misfits = waiting.put_on(&mut annotations, AttemptId(1));
        assert_eq!(misfits.len(), 1);
        assert_eq!(misfits[0].0, "large");
        assert_eq!(annotations.into_keys().collect::<Vec<_>>(), ["another's", "small"]);
        assert_eq!(waiting.end(), ["small"]);
    }
}
