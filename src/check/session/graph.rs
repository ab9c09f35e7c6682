//! Constraints between values as a directed graph, and the search for its shortest contradictory cycle.

use std::collections::VecDeque;

use super::guarantee::Guarantee;

/// How many contradictory cycles are compared to find the shortest one.
const MAX_CYCLES: usize = 256;

/// A value, or a link of a chain that stands for what was read or written so far.
pub(super) type Node = usize;

/// What an edge stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The order is known.
    Known,
    /// From the value of this operation onto a session's chain.
    Enters(usize),
    /// Along a session's chain.
    Along,
    /// From a session's chain to the value of this operation, which the guarantee binds.
    Leaves(Guarantee, usize),
}

struct Edge {
    to: Node,
    label: Label,
    is_strict: bool,
}

/// The first nodes are values; nodes that are added later are links of chains.
pub(super) struct Graph {
    values: usize,
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    pub(super) fn new(values: usize) -> Graph {
        Graph { values, edges: (0..values).map(|_| Vec::new()).collect() }
    }

    /// Adds a link of a chain.
    pub(super) fn add_node(&mut self) -> Node {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    /// Adds the constraint that `from` is no later than `to`.
    pub(super) fn add(&mut self, from: Node, to: Node, label: Label) {
        self.edges[from].push(Edge { to, label, is_strict: false });
    }

    /// Adds the constraint that `from` is earlier than `to`, which is none of the values that `from` stands for.
    pub(super) fn add_strict(&mut self, from: Node, to: Node, label: Label) {
        self.edges[from].push(Edge { to, label, is_strict: true });
    }

    /// Returns the labels along a contradictory cycle: one through two values, or through one value that would be
    /// earlier than itself. The cycle begins at a value, and no contradictory cycle through that value is shorter.
    pub(super) fn cycle(&self) -> Option<Vec<Label>> {
        let components = self.components();
        let mut values = vec![0_usize; self.edges.len()];
        (0..self.values).for_each(|node| values[components[node]] += 1);
        (0..self.values)
            .filter_map(|start| self.cycle_from(start, &components, values[components[start]] > 1))
            .take(MAX_CYCLES)
            .min_by_key(Vec::len)
    }

    /// Finds the shortest contradictory cycle through this value, by a breadth-first search that remembers for each
    /// node whether the path to it contains another value or a strict edge.
    fn cycle_from(&self, start: Node, components: &[usize], has_others: bool) -> Option<Vec<Label>> {
        let is_inside = |edge: &&Edge| components[edge.to] == components[start];
        if !has_others && !self.edges[start].iter().any(|edge| is_inside(&edge)) {
            return None;
        }
        let place = |node: Node, is_contradictory: bool| node * 2 + usize::from(is_contradictory);
        let mut came_from: Vec<Option<(usize, Label)>> = vec![None; self.edges.len() * 2];
        let mut queue = VecDeque::from([(start, false)]);
        while let Some((node, is_contradictory)) = queue.pop_front() {
            for edge in self.edges[node].iter().filter(is_inside) {
                let passes_other = edge.to < self.values && edge.to != start;
                let to = (edge.to, is_contradictory || edge.is_strict || passes_other);
                let target = place(to.0, to.1);
                if came_from[target].is_some() || to == (start, false) {
                    continue;
                }
                came_from[target] = Some((place(node, is_contradictory), edge.label));
                if to == (start, true) {
                    return Some(path(&came_from, target, place(start, false)));
                }
                queue.push_back(to);
            }
        }
        None
    }

    /// The strongly connected component of each node (Tarjan 1972, without recursion).
    fn components(&self) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let count = self.edges.len();
        let (mut number, mut low, mut component) = (vec![NONE; count], vec![0; count], vec![NONE; count]);
        let (mut next, mut found) = (0, 0);
        let (mut stack, mut work) = (Vec::new(), Vec::new());
        for root in 0..count {
            if number[root] != NONE {
                continue;
            }
            work.push((root, 0));
            while let Some((node, edge)) = work.pop() {
                if edge == 0 {
                    (number[node], low[node]) = (next, next);
                    next += 1;
                    stack.push(node);
                }
                if let Some(Edge { to, .. }) = self.edges[node].get(edge) {
                    work.push((node, edge + 1));
                    if number[*to] == NONE {
                        work.push((*to, 0));
                    } else if component[*to] == NONE {
                        low[node] = low[node].min(number[*to]);
                    }
                    continue;
                }
                if low[node] == number[node] {
                    while let Some(member) = stack.pop() {
                        component[member] = found;
                        if member == node {
                            break;
                        }
                    }
                    found += 1;
                }
                if let Some((parent, _)) = work.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
            }
        }
        component
    }
}

/// The labels along the path from `first` to `last`.
fn path(came_from: &[Option<(usize, Label)>], last: usize, first: usize) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut place = last;
    while let Some((before, label)) = came_from[place] {
        labels.push(label);
        place = before;
        if place == first {
            break;
        }
    }
    labels.reverse();
    labels
}
