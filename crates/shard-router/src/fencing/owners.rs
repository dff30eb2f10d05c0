//! The rows as one line for people.

use std::collections::{BTreeMap, BTreeSet};

use super::{row_key::RowKey, table::Row};

/// Such as `pod-a: shards 0-3, stamping; pod-b: shards 4-7`.
pub(super) fn line<'a>(rows: impl IntoIterator<Item = (&'a String, &'a Row)>) -> String {
    let mut pods: BTreeMap<&str, (BTreeSet<u16>, BTreeSet<&str>)> = BTreeMap::new();
    for (key, row) in rows {
        let (shards, others) = pods.entry(&row.pod).or_default();
        match (RowKey::parse(key), row.shard) {
            (Some(RowKey::Bucket(_)), Some(shard)) => drop(shards.insert(shard)),
            _ => drop(others.insert(key)),
        }
    }
    let of_pod = |(pod, (shards, others)): (&str, (BTreeSet<u16>, BTreeSet<&str>))| {
        let shards = (!shards.is_empty()).then(|| format!("shards {}", ranges(&shards)));
        let parts: Vec<_> = shards.into_iter().chain(others.into_iter().map(str::to_owned)).collect();
        format!("{pod}: {}", parts.join(", "))
    };
    pods.into_iter().map(of_pod).collect::<Vec<_>>().join("; ")
}

fn ranges(numbers: &BTreeSet<u16>) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_grouped_by_pod() {
        let row = |pod: &str, shard| Row { pod: pod.to_owned(), uid: "u".to_owned(), shard, token: 1 };
        let rows = BTreeMap::from([
            ("0".to_owned(), row("pod-a", Some(0))),
            ("1".to_owned(), row("pod-a", Some(0))),
            ("2".to_owned(), row("pod-a", Some(1))),
            ("3".to_owned(), row("pod-b", Some(2))),
            ("4".to_owned(), row("pod-a", Some(5))),
            ("stamping".to_owned(), row("pod-b", None)),
        ]);
        assert_eq!(line(&rows), "pod-a: shards 0-1 5; pod-b: shards 2, stamping");
        assert_eq!(line(&BTreeMap::new()), "");
    }
}
