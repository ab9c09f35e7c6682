//! Circles in a graph of imports.

use std::collections::{BTreeMap, VecDeque};

use crate::imports::Graph;

/// Circles of which every one must be broken, the shortest first; each begins and ends with the same file.
///
/// They are not all circles that there are: each one's last import is left out before the next one is looked for.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut graph = graph.clone();
    let mut circles = Vec::new();
    while let Some(circle) = shortest_circle(&graph) {
        if let [.., last, first] = circle.as_slice() {
            graph.get_mut(last).unwrap().remove(first);
        }
        circles.push(circle);
    }
    circles
}

fn shortest_circle(graph: &Graph) -> Option<Vec<String>> {
    graph.keys().filter_map(|file| way(graph, file, file)).min_by_key(Vec::len)
}

/// The shortest way of at least one import from a file to another, or back to itself.
pub fn way(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut reached_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(file) = waiting.pop_front() {
        for imported in graph.get(file).into_iter().flatten() {
            if imported == to {
                let mut way = vec![to.to_owned(), file.to_owned()];
                while way.last().is_some_and(|last| last != from) {
                    way.push(reached_from[way.last().unwrap().as_str()].to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !reached_from.contains_key(imported.as_str()) {
                reached_from.insert(imported.as_str(), file);
                waiting.push_back(imported);
            }
        }
    }
    None
}
