//! The result as one page that stands alone.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use overlap_checker::{Interval, Timeline};

use super::plot::{Times, picture as plot, times};
use super::timeline::{Colours, picture, time};
use super::{DrillResult, DrillStatus, Report};
use crate::collected::Collected;

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &Report, observations: &Collected) -> String {
    let timeline = Timeline::new(&observations.records.records);
    let colours = Colours::new(&timeline);
    let takeovers = times(report);
    let passed = report.drills.iter().filter(|drill| drill.outcome == DrillStatus::Passed).count();
    let failed = report.drills.iter().filter(|drill| drill.outcome == DrillStatus::Failed).count();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "memcached-operator: drills" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Drills of memcached-operator" }
                p {
                    "Kubernetes " (report.kubernetes) ", " (report.started) ", preset " (report.preset) ". "
                    "Bound on the time without an owner: " (report.bound) ". "
                    b { (passed) " passed, " (failed) " failed" }
                    ", " (report.drills.len() - passed - failed) " skipped."
                }
                @if let Some(why) = &report.aborted { p.failure { "The run ended early: " (why) } }
                (summary(report))
                @if !takeovers.is_empty() {
                    h2 { "How long a shard had no owner" }
                    (plot(&takeovers))
                    table {
                        tr { th { "cause" } th { "shards" } th { "median" } th { "95 %" } th { "longest" } th { "bound" } }
                        @for (cause, times) in &takeovers { (row(cause, times)) }
                    }
                }
                @for drill in &report.drills { (section(drill, &timeline, &colours)) }
            }
        }
    };
    page.into_string()
}

fn summary(report: &Report) -> Markup {
    html! {
        table {
            tr { th { "drill" } th { "result" } th { "time" } th { "what it does" } }
            @for drill in &report.drills {
                tr {
                    td { a href=(format!("#{}", drill.name)) { (drill.name) } }
                    td.(class(&drill.outcome)) { (class(&drill.outcome)) }
                    td { (format!("{:.0} s", drill.took.as_secs_f64())) }
                    td { (drill.about) }
                }
            }
        }
    }
}

fn row(cause: &str, times: &Times) -> Markup {
    html! {
        tr {
            td { (cause) }
            td { (times.owned.len()) }
            @for part in [0.5, 0.95, 1.0] { td { (time(times.quantile(part))) } }
            td { (time(times.bound)) }
        }
    }
}

fn section(drill: &DrillResult, timeline: &Timeline, colours: &Colours) -> Markup {
    let moment = |stamp: &Option<_>| stamp.as_ref().and_then(|stamp| timeline.clock.of_stamp(stamp));
    let window = moment(&drill.since).zip(moment(&drill.until)).map(|(from, to)| Interval::new(from, to));
    html! {
        h2 id=(drill.name) { (drill.name) " " small.(class(&drill.outcome)) { (class(&drill.outcome)) } }
        p { (drill.about) "." }
        @if let DrillStatus::Skipped(why) = &drill.outcome { p { "Skipped: " (why) "." } }
        @for failure in &drill.failures { p.failure { (failure) } }
        @if !drill.notes.is_empty() { ul { @for note in &drill.notes { li { (note) } } } }
        @if let Some(window) = window { (picture(timeline, colours, window, &drill.measured)) }
        p.observations { (drill.collected()) }
        @if !drill.answers.errors.is_empty() {
            details {
                summary { (drill.answers.errors.len()) " errors of memcached clients" }
                ul {
                    @for error in drill.answers.errors.iter().take(200) {
                        li { (format!("{:.2} s", error.uptime)) " " (error.target) " " (error.step) ": " (error.text) }
                    }
                }
            }
        }
        @if let Some(verdict) = &drill.verdict {
            details { summary { "the checker's verdict on everything so far" } pre { (verdict) } }
        }
    }
}

fn class(outcome: &DrillStatus) -> &'static str {
    match outcome {
        DrillStatus::Passed => "passed",
        DrillStatus::Failed => "failed",
        DrillStatus::Skipped(_) => "skipped",
    }
}
