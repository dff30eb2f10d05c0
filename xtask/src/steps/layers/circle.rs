//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The shortest circle; of several, the one with the smallest first node.
pub(super) fn shortest<'a>(edges: &BTreeSet<(&'a str, &'a str)>) -> Option<Vec<&'a str>> {
    let nodes: BTreeSet<&str> = edges.iter().map(|(from, _)| *from).collect();
    nodes.into_iter().filter_map(|node| through(node, edges)).min_by_key(Vec::len)
}

/// The shortest circle through a node, which it begins with.
fn through<'a>(start: &'a str, edges: &BTreeSet<(&'a str, &'a str)>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (_, next) in edges.iter().filter(|(from, _)| *from == node) {
            if *next == start {
                let mut path = vec![node];
                while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before);
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}
