//! The search for cycles in a graph of imports.

use std::collections::{BTreeMap, VecDeque};

use crate::imports::Graph;

/// Cycles that must all be broken, the shortest first. Each begins and ends with the same file.
///
/// The list need not be complete: the last import of each cycle is removed before the search for the next one.
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let mut graph = graph.clone();
    let mut cycles = Vec::new();
    while let Some(cycle) = shortest_cycle(&graph) {
        if let [.., last, first] = cycle.as_slice() {
            graph.get_mut(last).unwrap().remove(first);
        }
        cycles.push(cycle);
    }
    cycles
}

fn shortest_cycle(graph: &Graph) -> Option<Vec<String>> {
    graph.keys().filter_map(|file| shortest_path(graph, file, file)).min_by_key(Vec::len)
}

/// The shortest path of at least one import from a file to another or back to itself.
pub fn shortest_path(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut reached_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(file) = waiting.pop_front() {
        for imported in graph.get(file).into_iter().flatten() {
            if imported == to {
                let mut path = vec![to.to_owned(), file.to_owned()];
                while path.last().is_some_and(|last| last != from) {
                    path.push(reached_from[path.last().unwrap().as_str()].to_owned());
                }
                path.reverse();
                return Some(path);
            }
            if !reached_from.contains_key(imported.as_str()) {
                reached_from.insert(imported.as_str(), file);
                waiting.push_back(imported);
            }
        }
    }
    None
}
