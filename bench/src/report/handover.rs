//! The tables and the plot of `bench handover`.

use super::distribution::Distribution;
use super::plot::Plot;
use super::table::{Table, number};
use crate::ending::{Ending, Wait};
use crate::handover::Handovers;
use crate::subject::Subject;

const ENDINGS: [Ending; 3] = [Ending::Terminated, Ending::Killed, Ending::RestartedInPlace];

pub(super) fn table(runs: &[Handovers]) -> String {
    let subjects = subjects(runs);
    let mut table = Table::new(subjects.iter().map(ToString::to_string));
    let each = |of: &dyn Fn(&[&Handovers]) -> String| -> Vec<String> {
        subjects.iter().map(|subject| of(&of_subject(runs, *subject))).collect()
    };
    let mut row = |name: &str, values: Vec<String>| table.row(name, values.into_iter());
    row("resources", each(&|runs| runs.first().map_or_else(String::new, |run| run.resources.to_string())));
    for ending in ENDINGS {
        let shown = |percent: usize| {
            each(&|runs| {
                let found = distribution(runs, ending).percentile(percent);
                found.map_or_else(|| "–".to_owned(), number)
            })
        };
        row(
            &format!("{}: times", ending.words()),
            each(&|runs| distribution(runs, ending).count().to_string()),
        );
        let affected = each(&|runs| {
            let counts: Vec<_> = waits(runs, ending).map(|wait| wait.affected).collect();
            let (least, most) = (counts.iter().min(), counts.iter().max());
            least.zip(most).map_or_else(|| "–".to_owned(), |(least, most)| format!("{least} to {most}"))
        });
        row("… resources affected", affected);
        row("… milliseconds until the last of them was reconciled, median", shown(50));
        row("… p99, by nearest rank", shown(99));
    }
    let requests = each(&|runs| {
        let rates: Vec<f64> = runs.iter().map(|run| run.lease_requests_per_minute).collect();
        number(rates.iter().sum::<f64>() / f64::from(u32::try_from(rates.len()).unwrap_or(1)))
    });
    row("requests for Leases per minute, all replicas, nothing changing", requests);
    table.finish()
}

/// The medians.
pub(super) fn plot(runs: &[Handovers]) -> Plot {
    let mut bars = Vec::new();
    for subject in subjects(runs) {
        let runs = of_subject(runs, subject);
        if let Some(median) = distribution(&runs, Ending::Terminated).percentile(50) {
            bars.push((subject.to_string(), median));
        }
    }
    Plot::Bars {
        what: "milliseconds from SIGTERM until the last affected resource was reconciled, median",
        bars,
    }
}

fn subjects(runs: &[Handovers]) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for run in runs {
        if !subjects.contains(&run.subject) {
            subjects.push(run.subject);
        }
    }
    subjects
}

fn of_subject(runs: &[Handovers], subject: Subject) -> Vec<&Handovers> {
    runs.iter().filter(|run| run.subject == subject).collect()
}

fn waits<'a>(runs: &'a [&Handovers], ending: Ending) -> impl Iterator<Item = &'a Wait> {
    runs.iter().flat_map(|run| &run.waits).filter(move |wait| wait.ending == ending)
}

/// From the signal to the reconcile of the last affected resource.
fn distribution(runs: &[&Handovers], ending: Ending) -> Distribution {
    Distribution::of_seconds(waits(runs, ending).map(|wait| wait.last_seconds))
}
