//! Spans of true time.

use std::time::Duration;

use crate::time::TrueTime;

/// From `from` up to but without `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: TrueTime,
    pub(super) to: TrueTime,
}

impl Span {
    /// Empty when `to` is not after `from`.
    pub(super) fn new(from: TrueTime, to: TrueTime) -> Self {
        Self { from, to: to.max(from) }
    }

    pub(super) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub(super) fn length(self) -> Duration {
        self.to.since(self.from)
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        !self.common(other).is_empty()
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// What is left of it without `holes`, in order.
    pub(super) fn without(self, mut holes: Vec<Self>) -> Vec<Self> {
        holes.sort_unstable();
        let mut left = Vec::new();
        let mut from = self.from;
        for hole in holes {
            left.push(Self::new(from, hole.from.min(self.to)));
            from = from.max(hole.to);
        }
        left.push(Self::new(from, self.to));
        left.retain(|span| !span.is_empty());
        left
    }
}

/// The part of `spans`, in order and disjoint, that may have something in common with `span`.
pub(super) fn near(spans: &[Span], span: Span) -> impl Iterator<Item = Span> {
    let first = spans.partition_point(|other| other.to <= span.from);
    spans[first..].iter().copied().take_while(move |other| other.from < span.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        let at = |seconds| TrueTime::after_start(Duration::from_secs(seconds));
        Span::new(at(from), at(to))
    }

    #[test]
    fn holes_are_cut_out_also_where_they_overlap_or_stick_out() {
        let left = span(10, 100).without(vec![span(95, 200), span(20, 40), span(30, 35), span(0, 12)]);
        assert_eq!(left, [span(12, 20), span(40, 95)]);
        assert_eq!(span(10, 20).without(vec![span(0, 30)]), []);
        assert_eq!(span(10, 20).without(Vec::new()), [span(10, 20)]);
    }

    #[test]
    fn only_what_is_near_is_looked_at() {
        let spans = [span(0, 5), span(5, 10), span(12, 20), span(20, 30)];
        assert_eq!(near(&spans, span(5, 20)).collect::<Vec<_>>(), [span(5, 10), span(12, 20)]);
    }
}
