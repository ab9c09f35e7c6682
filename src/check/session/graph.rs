//! Constraints between values as a directed graph, and the shortest cycle that contradicts itself. It knows nothing of
//! sessions.

use std::collections::VecDeque;

use super::guarantee::Guarantee;

/// From so many values a cycle is looked for, where there is one; the shortest of them is shown.
const STARTS: usize = 256;

/// A value, or a place on a chain of what was read or written so far.
pub(super) type Node = usize;

/// What an edge stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The order is known.
    Known,
    /// From the value of this access onto a session's chain.
    Enters(usize),
    /// Along a session's chain.
    Along,
    /// From a session's chain to the value of this access, which the guarantee binds.
    Leaves(Guarantee, usize),
}

struct Edge {
    to: Node,
    label: Label,
    is_strict: bool,
}

/// The first nodes are values, those that are added are not.
pub(super) struct Graph {
    values: usize,
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    pub(super) fn new(values: usize) -> Graph {
        Graph { values, edges: (0..values).map(|_| Vec::new()).collect() }
    }

    /// Adds a node that is no value.
    pub(super) fn node(&mut self) -> Node {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    /// The first is no later than the second.
    pub(super) fn add(&mut self, from: Node, to: Node, label: Label) {
        self.edges[from].push(Edge { to, label, is_strict: false });
    }

    /// The first is earlier than the second, a value that is none of those which the first stands for.
    pub(super) fn add_strict(&mut self, from: Node, to: Node, label: Label) {
        self.edges[from].push(Edge { to, label, is_strict: true });
    }

    /// The labels along a cycle through two values, or through one that would be earlier than itself. It begins at a
    /// value, and no other through that value is shorter.
    pub(super) fn cycle(&self) -> Option<Vec<Label>> {
        let components = self.components();
        let mut values = vec![0_usize; self.edges.len()];
        (0..self.values).for_each(|node| values[components[node]] += 1);
        (0..self.values)
            .filter_map(|start| self.cycle_from(start, &components, values[components[start]] > 1))
            .take(STARTS)
            .min_by_key(Vec::len)
    }

    /// The shortest contradiction through this value: a breadth-first search whose nodes remember whether they came past
    /// another value or a strict edge.
    fn cycle_from(&self, start: Node, components: &[usize], has_others: bool) -> Option<Vec<Label>> {
        let is_inside = |edge: &&Edge| components[edge.to] == components[start];
        if !has_others && !self.edges[start].iter().any(|edge| is_inside(&edge)) {
            return None;
        }
        let place = |node: Node, is_wrong: bool| node * 2 + usize::from(is_wrong);
        let mut came: Vec<Option<(usize, Label)>> = vec![None; self.edges.len() * 2];
        let mut queue = VecDeque::from([(start, false)]);
        while let Some((node, is_wrong)) = queue.pop_front() {
            for edge in self.edges[node].iter().filter(is_inside) {
                let passes_other = edge.to < self.values && edge.to != start;
                let to = (edge.to, is_wrong || edge.is_strict || passes_other);
                let target = place(to.0, to.1);
                if came[target].is_some() || to == (start, false) {
                    continue;
                }
                came[target] = Some((place(node, is_wrong), edge.label));
                if to == (start, true) {
                    return Some(path(&came, target, place(start, false)));
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

/// The labels along the way that was come from `first` to `last`.
fn path(came: &[Option<(usize, Label)>], last: usize, first: usize) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut place = last;
    while let Some((before, label)) = came[place] {
        labels.push(label);
        place = before;
        if place == first {
            break;
        }
    }
    labels.reverse();
    labels
}
