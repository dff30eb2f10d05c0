//! The sums, for people.

use comfy_table::{Cell, CellAlignment, Table, TableStyle, presets};

use super::summary::Summary;

/// Prints what many schedules amount to.
pub(super) fn print(summary: &Summary) {
    println!("{}", faults(summary, presets::NOTHING));
    println!("\n{}", judged(summary, presets::NOTHING));
    println!();
    let rate = per_second(summary.schedules, summary.wall_seconds);
    println!(
        "{} schedules in {:.0} s ({rate:.1} per second), {:.1} h of virtual time, commit {}",
        summary.schedules,
        summary.wall_seconds,
        summary.virtual_seconds / 3_600.0,
        summary.commit
    );
    let (converging, unowned) = (summary.longest_converging, summary.longest_unowned);
    // Where everything was so before the last fault was over, no seed has taken the longest.
    if converging.value > 0.0 {
        println!("longest until all was as asked for: {:.1} s (seed {})", converging.value, converging.seed);
    }
    println!("longest without an owner: {:.0} % of the bound (seed {})", unowned.value * 100.0, unowned.seed);
    for shortfall in &summary.shortfalls {
        println!("FAILED: {shortfall}");
    }
    let verdict = if summary.passed() { "PASSED" } else { "FAILED" };
    let shortfalls = summary.shortfalls.len();
    let schedules = format!("{} of {} schedules violated something", summary.failures, summary.schedules);
    println!("{verdict}: {schedules}, {shortfalls} kinds of faults or checkers met too little");
}

/// Faults by kind, with what they hit.
pub(super) fn faults(summary: &Summary, style: TableStyle) -> Table {
    let mut table = table(style, &["fault", "happened", "messages", "reconciles hit", "Lease writes hit"]);
    for (kind, tally) in &summary.faults {
        let counts = [tally.happened, tally.messages, tally.reconciles_hit, tally.lease_writes_hit];
        table.add_row(std::iter::once(Cell::new(kind)).chain(counts.map(number)));
    }
    table
}

/// How much each checker judged.
pub(super) fn judged(summary: &Summary, style: TableStyle) -> Table {
    let mut table = table(style, &["checker", "judged"]);
    for (checker, count) in &summary.judged {
        table.add_row([Cell::new(checker), number(*count)]);
    }
    table
}

pub(super) fn table(style: TableStyle, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_header(header);
    table
}

pub(super) fn number(number: u64) -> Cell {
    Cell::new(number).set_alignment(CellAlignment::Right)
}

fn per_second(count: usize, seconds: f64) -> f64 {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if seconds > 0.0 { count / seconds } else { 0.0 }
}
