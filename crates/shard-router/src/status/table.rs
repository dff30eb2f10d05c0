//! The status as tables, in the style of kubectl.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::report::{Hold, HoldState, LayoutStatus, MemberState, Status, pod_of};

/// Between two columns, as in kubectl.
const GAP: usize = 3;
const NONE: &str = "<none>";

impl Status {
    /// Tables of the layout, the shards and the members, for a terminal. `wide` has whole identities instead of Pods, the counts of each kind, and more columns.
    pub fn table(&self, wide: bool) -> String {
        [self.layout_table(wide), self.shard_table(wide), self.member_table(wide)].join("\n")
    }

    fn layout_table(&self, wide: bool) -> String {
        let mut table = Table::new(&["LAYOUT", "SHARDS", "KEY", "HASH", "COORDINATOR", "CHANGE"]);
        if wide {
            table.columns(&["KINDS", "INSTALLATION"]);
        }
        let unknown = || NONE.to_owned();
        let layout = self.layout.as_ref();
        let of_layout = |say: fn(&LayoutStatus) -> String| layout.map_or_else(unknown, say);
        let mut row = vec![
            of_layout(|layout| layout.generation.to_string()),
            of_layout(|layout| layout.shards.to_string()),
            of_layout(|layout| layout.key_label.clone().unwrap_or_else(|| "namespace/name".to_owned())),
            of_layout(|layout| layout.hash_version.to_string()),
            holder(&self.coordinator, wide),
            of_layout(change),
        ];
        if wide {
            let kinds = self.kinds.iter().map(|kind| {
                let mode = if kind.sharded { "" } else { "=unsharded" };
                format!("{}{mode}", kind.kind)
            });
            row.extend([list(kinds), self.installation.clone().unwrap_or_else(unknown)]);
        }
        table.row(row);
        table.text()
    }

    fn shard_table(&self, wide: bool) -> String {
        let mut table =
            Table::new(&["SHARD", "STATE", "HOLDER", "AGE", "REASON", "FROM", "TRANSITIONS", "RESOURCES"]);
        if wide {
            table.columns(&["PLANNED", "ACKNOWLEDGED", "RENEWED"]);
        }
        let counted = self.kinds.iter().any(|kind| kind.total.is_some());
        for shard in &self.shards {
            let mut row = self.hold_row(shard.shard.to_string(), &shard.hold, wide);
            row.push(match (counted, wide) {
                (false, _) => NONE.to_owned(),
                (true, false) => shard.resources.values().sum::<u64>().to_string(),
                (true, true) => list(shard.resources.iter().map(|(kind, count)| format!("{kind}={count}"))),
            });
            if wide {
                let acknowledged = shard.acknowledged_generation.map(|generation| generation.to_string());
                row.extend([
                    shard.planned_holder.clone().unwrap_or_else(|| NONE.to_owned()),
                    acknowledged.unwrap_or_else(|| NONE.to_owned()),
                    self.age(shard.hold.renew_time),
                ]);
            }
            table.row(row);
        }
        let unsharded: Vec<_> = self.kinds.iter().filter(|kind| !kind.sharded).collect();
        if !unsharded.is_empty() {
            let mut row = self.hold_row("unsharded".to_owned(), &self.coordinator, wide);
            let totals = || unsharded.iter().filter_map(|kind| Some((&kind.kind, kind.total?)));
            row.push(match (counted, wide) {
                (false, _) => NONE.to_owned(),
                (true, false) => totals().map(|(_, total)| total).sum::<u64>().to_string(),
                (true, true) => list(totals().map(|(kind, total)| format!("{kind}={total}"))),
            });
            if wide {
                row.extend([NONE.to_owned(), NONE.to_owned(), self.age(self.coordinator.renew_time)]);
            }
            table.row(row);
        }
        table.text()
    }

    /// All columns up to the resources.
    fn hold_row(&self, part: String, hold: &Hold, wide: bool) -> Vec<String> {
        let takeover = hold.takeover.as_ref();
        let from = takeover.and_then(|takeover| takeover.from.as_deref());
        vec![
            part,
            state(hold.state).to_owned(),
            holder(hold, wide),
            self.age(hold.acquire_time),
            takeover.map_or_else(|| NONE.to_owned(), |takeover| takeover.reason.clone()),
            from.map_or(NONE, |from| if wide { from } else { pod_of(from) }).to_owned(),
            hold.transitions.to_string(),
        ]
    }

    fn member_table(&self, wide: bool) -> String {
        let mut table = Table::new(&["MEMBER", "STATE", "SHARDS", "COORDINATOR", "VERSION", "NAMESPACES"]);
        if wide {
            table.columns(&["RENEWED"]);
        }
        for member in &self.members {
            let namespaces = member.watched_namespaces.as_deref().unwrap_or(NONE);
            let name = if wide { &member.identity } else { pod_of(&member.identity) };
            let mut row = vec![
                name.to_owned(),
                member_state(member.state).to_owned(),
                member.shards.to_string(),
                if member.coordinator { "yes" } else { "no" }.to_owned(),
                member.version.clone().unwrap_or_else(|| NONE.to_owned()),
                if namespaces == "*" { "<all>" } else { namespaces }.to_owned(),
            ];
            if wide {
                row.push(self.age(member.renew_time));
            }
            table.row(row);
        }
        table.text()
    }

    fn age(&self, since: Option<Timestamp>) -> String {
        since.map_or_else(
            || NONE.to_owned(),
            |since| duration(self.observed_at.duration_since(since).as_secs()),
        )
    }
}

fn change(layout: &LayoutStatus) -> String {
    if layout.settled {
        return "settled".to_owned();
    }
    let from = layout.previous_shards.map_or_else(String::new, |shards| format!("from {shards} shards, "));
    format!("{from}waits for {}", list(layout.waits_for.iter().map(u16::to_string)))
}

fn holder(hold: &Hold, wide: bool) -> String {
    let holder = if wide { hold.holder.as_deref() } else { hold.pod() };
    holder.unwrap_or(NONE).to_owned()
}

fn state(state: HoldState) -> &'static str {
    match state {
        HoldState::Held => "Held",
        HoldState::Expired => "Expired",
        HoldState::Free => "Free",
        HoldState::Reserved => "Reserved",
        HoldState::Missing => "Missing",
    }
}

fn member_state(state: MemberState) -> &'static str {
    match state {
        MemberState::Alive => "Alive",
        MemberState::Draining => "Draining",
        MemberState::Unable => "Unable",
        MemberState::Expired => "Expired",
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { NONE.to_owned() } else { items.join(",") }
}

/// As kubectl prints an age (`HumanDuration` of apimachinery).
fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let both = |large: i64, unit: char, small: i64, of: char| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{of}") }
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => both(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => both(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => both(days, 'd', hours % 24, 'h'),
        () => format!("{days}d"),
    }
}

/// Aligns columns.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|name| (*name).to_owned()).collect()] }
    }

    fn columns(&mut self, more: &[&str]) {
        self.rows[0].extend(more.iter().map(|name| (*name).to_owned()));
    }

    fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().filter_map(|row| Some(row.get(column)?.len())).max();
        let widths: Vec<usize> =
            (0..self.rows[0].len()).map(|column| width(column).unwrap_or(0) + GAP).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
