//! Who held which shard when, as a picture: one row per shard, coloured by holder, takeovers with their time against the
//! bound.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "these are places on a picture"
)]

use std::collections::BTreeMap;

use maud::{Markup, html};
use overlap_checker::{Hold, Interval, Moment, Timeline};

use crate::judge::Measured;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 64.0;
const ROW: f64 = 24.0;
const TOP: f64 = 20.0;
/// Told apart by most eyes, next to each other too.
const COLOURS: [&str; 10] = [
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#9c755f", "#ff9da7", "#86bcb6",
    "#8cd17d",
];

/// The colour of each holder, by Pod. A Pod keeps its colour through the whole report.
pub(super) struct Colours(BTreeMap<String, usize>);

impl Colours {
    pub(super) fn new(timeline: &Timeline) -> Self {
        let mut colours = BTreeMap::new();
        for hold in &timeline.holds {
            let next = colours.len();
            colours.entry(hold.replica.pod().to_owned()).or_insert(next);
        }
        Self(colours)
    }

    fn of(&self, pod: &str) -> &'static str {
        COLOURS[self.0.get(pod).copied().unwrap_or_default() % COLOURS.len()]
    }
}

/// The picture of one drill.
pub(super) fn picture(
    timeline: &Timeline,
    colours: &Colours,
    window: Interval,
    measured: &[Measured],
) -> Markup {
    let rows = timeline.by_shard();
    let seconds = window.to.since(window.from).as_secs_f64().max(0.001);
    let x = |at: Moment| {
        let at = at.max(window.from).min(window.to);
        LEFT + at.since(window.from).as_secs_f64() / seconds * (WIDTH - LEFT - 10.0)
    };
    let height = TOP * 2.0 + ROW * rows.len() as f64;
    let step = tick(seconds);
    let seen = |hold: &&&Hold| hold.acquired < window.to && window.from < hold.valid.to;
    let mut pods: Vec<&str> =
        rows.values().flatten().filter(|hold| seen(hold)).map(|hold| hold.replica.pod()).collect();
    pods.sort_unstable();
    pods.dedup();
    html! {
        p.legend { @for pod in pods { span { i style=(format!("background:{}", colours.of(pod))) {} (pod) } } }
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" {
            @for number in 0..=(seconds / step) as u32 {
                @let at = f64::from(number) * step;
                @let left = LEFT + at / seconds * (WIDTH - LEFT - 10.0);
                line.grid x1=(px(left)) x2=(px(left)) y1=(px(TOP)) y2=(px(height - TOP)) {}
                text.tick x=(px(left)) y=(px(height - 6.0)) { (at) " s" }
            }
            @for (index, (shard, holds)) in rows.iter().enumerate() {
                @let y = TOP + ROW * index as f64;
                text.shard x="4" y=(px(y + 16.0)) { "shard " (shard) }
                @for hold in holds.iter().filter(|hold| seen(hold)) {
                    @let (from, to) = (x(hold.acquired), x(hold.valid.to));
                    rect x=(px(from)) y=(px(y + 3.0)) width=(px((to - from).max(0.5))) height=(px(ROW - 6.0))
                        fill=(colours.of(hold.replica.pod())) {
                        title { (hold.replica) ", token " (hold.token) }
                    }
                }
            }
            @for loss in measured {
                @if let Some(at) = loss.at {
                    line.loss x1=(px(x(at))) x2=(px(x(at))) y1=(px(TOP)) y2=(px(height - TOP)) {
                        title { (loss.pod) ": " (loss.cause.words()) }
                    }
                    text.cause x=(px(x(at))) y=(px(TOP - 6.0)) { (loss.cause.words()) }
                    @for shard in &loss.shards {
                        @if let Some(owned) = shard.owned_ms {
                            @let row = rows.keys().position(|one| one.0 == shard.shard).unwrap_or_default();
                            @let next = at.plus(std::time::Duration::from_secs_f64(owned / 1e3));
                            @let y = TOP + ROW * row as f64 + ROW / 2.0;
                            circle.(verdict(owned, loss.bound_ms)) cx=(px(x(next))) cy=(px(y)) r="4" {}
                            text.time x=(px(x(next) + 7.0)) y=(px(y + 4.0)) { (time(owned)) " of " (time(loss.bound_ms)) }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(owned: f64, bound: f64) -> &'static str {
    if owned <= bound { "kept" } else { "broken" }
}

pub(super) fn time(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.2} s", ms / 1e3) }
}

pub(super) fn px(at: f64) -> String {
    format!("{at:.1}")
}

/// A round number of seconds, about ten to a picture.
pub(super) fn tick(seconds: f64) -> f64 {
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];
    steps.into_iter().find(|step| seconds / step <= 12.0).unwrap_or(1200.0)
}
