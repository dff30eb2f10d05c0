//! Shrinking: from a schedule that fails to a short one that fails in the same way.
//!
//! Faults and edits are left out in halves, quarters and so on (delta debugging), then replicas, shards, resources, time and what
//! makes clocks and networks differ. What is found is small, and not always the smallest: the number of runs is bounded.

mod smaller;

use crate::schedule::Schedule;
use smaller::{List, STEPS, Step};

/// How much effort is made.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many schedules are run at most.
    pub runs: usize,
    /// How many of them at a time.
    pub at_once: usize,
}

/// Shrinks a schedule.
///
/// `first_failing` is given some schedules at a time and says which is the first of them that fails as the whole one did. The
/// result depends on nothing else.
pub async fn shrink(
    schedule: Schedule,
    effort: Effort,
    first_failing: impl AsyncFnMut(&[Schedule]) -> Option<usize>,
) -> Schedule {
    let mut shrinking = Shrinking { best: schedule, runs_left: effort.runs, effort, first_failing };
    while shrinking.round().await {}
    shrinking.best
}

struct Shrinking<F> {
    best: Schedule,
    runs_left: usize,
    effort: Effort,
    first_failing: F,
}

impl<F: AsyncFnMut(&[Schedule]) -> Option<usize>> Shrinking<F> {
    /// Everything once; whether anything could be left out.
    async fn round(&mut self) -> bool {
        let before = self.best.clone();
        for step in STEPS {
            self.repeat(step).await;
        }
        for list in [List::Faults, List::Edits] {
            self.thin_out(list).await;
        }
        for slot in (0..self.best.replicas.len()).rev() {
            let fewer = smaller::without_slot(&self.best, slot);
            self.try_these(fewer.into_iter().collect()).await;
        }
        self.best != before
    }

    /// The same step again and again, as long as that fails too.
    async fn repeat(&mut self, step: Step) {
        while let Some(smaller) = step(&self.best) {
            if self.try_these(vec![smaller]).await.is_none() {
                return;
            }
        }
    }

    /// Leaves out one part of a list after another, ever smaller ones.
    async fn thin_out(&mut self, list: List) {
        let mut part = list.len(&self.best).div_ceil(2);
        while part > 0 {
            let mut from = 0;
            while from < list.len(&self.best) {
                let starts = (from..list.len(&self.best)).step_by(part).take(self.effort.at_once);
                let starts: Vec<_> = starts.collect();
                let fewer = starts.iter().map(|start| list.without(&self.best, *start, part)).collect();
                from = match self.try_these(fewer).await {
                    // What follows the part that was left out has moved to its place.
                    Some(nth) => starts[nth],
                    None => starts[starts.len() - 1] + part,
                };
                if self.runs_left == 0 {
                    return;
                }
            }
            part /= 2;
        }
    }

    /// Goes on with the first of these that fails, and says which it is.
    async fn try_these(&mut self, mut candidates: Vec<Schedule>) -> Option<usize> {
        candidates.truncate(self.runs_left);
        self.runs_left -= candidates.len();
        let failing = (self.first_failing)(&candidates).await?;
        self.best = candidates.swap_remove(failing);
        Some(failing)
    }
}

#[cfg(test)]
mod tests;
