//! How long takeovers took, over all repetitions: one row per kind of loss, one dot per shard.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "these are places on a picture"
)]

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::Report;
use super::timeline::{px, tick, time};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 190.0;
const ROW: f64 = 44.0;
const TOP: f64 = 10.0;

/// The times of one kind of loss.
pub(super) struct Times {
    /// In milliseconds, from the shortest to the longest.
    pub(super) owned: Vec<f64>,
    pub(super) bound: f64,
}

/// All takeovers by what brought them about, and from release to acquisition by what was going on.
pub(super) fn times(report: &Report) -> BTreeMap<String, Times> {
    let mut all: BTreeMap<String, Times> = BTreeMap::new();
    for measured in report.drills.iter().flat_map(|drill| &drill.measured) {
        let owned = measured.shards.iter().filter_map(|shard| shard.owned_ms);
        let sudden = if measured.cause.is_sudden() { "failover" } else { "handoff" };
        add(&mut all, format!("{sudden}: {}", measured.cause.words()), owned, measured.bound_ms);
    }
    for drill in report.drills.iter().filter(|drill| !drill.handovers.is_empty()) {
        let handovers = drill.handovers.iter().copied();
        add(&mut all, "release to owner".to_owned(), handovers, report.bound_ms);
    }
    for times in all.values_mut() {
        times.owned.sort_by(f64::total_cmp);
    }
    all.retain(|_, times| !times.owned.is_empty());
    all
}

fn add(all: &mut BTreeMap<String, Times>, name: String, owned: impl Iterator<Item = f64>, bound: f64) {
    let times = all.entry(name).or_insert(Times { owned: Vec::new(), bound });
    times.bound = times.bound.max(bound);
    times.owned.extend(owned);
}

impl Times {
    /// The smallest time that `part` of all do not exceed.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let index = (part * self.owned.len() as f64).ceil() as usize;
        self.owned[index.clamp(1, self.owned.len()) - 1]
    }
}

pub(super) fn picture(all: &BTreeMap<String, Times>) -> Markup {
    let longest = all.values().flat_map(|times| times.owned.last().copied().into_iter().chain([times.bound]));
    let longest = longest.fold(1.0, f64::max) * 1.05;
    let x = |ms: f64| LEFT + ms / longest * (WIDTH - LEFT - 20.0);
    let height = TOP + ROW * all.len() as f64 + 24.0;
    let step = tick(longest / 1e3);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" {
            @for number in 0..=(longest / 1e3 / step) as u32 {
                @let at = f64::from(number) * step;
                @let left = x(at * 1e3);
                line.grid x1=(px(left)) x2=(px(left)) y1=(px(TOP)) y2=(px(height - 24.0)) {}
                text.tick x=(px(left)) y=(px(height - 8.0)) { (at) " s" }
            }
            @for (index, (cause, times)) in all.iter().enumerate() {
                @let y = TOP + ROW * index as f64 + ROW / 2.0;
                text.shard x="4" y=(px(y + 4.0)) { (cause) }
                line.bound x1=(px(x(times.bound))) x2=(px(x(times.bound))) y1=(px(y - 16.0)) y2=(px(y + 16.0)) {
                    title { "bound: " (time(times.bound)) }
                }
                @for (number, ms) in times.owned.iter().enumerate() {
                    // Spread over the row's height, so that equal times do not hide each other.
                    @let shift = (number % 5) as f64 * 5.0 - 10.0;
                    circle.(if *ms <= times.bound { "kept" } else { "broken" }) cx=(px(x(*ms))) cy=(px(y + shift)) r="3.5" {
                        title { (time(*ms)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn quantiles_are_times_that_were_seen() {
        let times = Times { owned: vec![1.0, 2.0, 3.0, 4.0], bound: 6.0 };
        let quantiles = [0.0, 0.5, 0.95, 1.0].map(|part| times.quantile(part).to_string());
        assert_eq!(quantiles, ["1", "2", "4", "4"]);
    }
}
