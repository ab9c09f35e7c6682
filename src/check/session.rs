//! Session guarantees: read your writes, monotonic reads, monotonic writes, writes follow reads.
//!
//! They are those of Terry et al. (*Session Guarantees for Weakly Consistent Replicated Data*, 1994), judged key by
//! key. Each guarantee constrains the order of a key's values: a value that a session read or wrote before must not be
//! later than a value that it reads, and must be earlier than a value that it writes. Values are either versions, whose
//! order the store reports, or unique values, which only real time or the sessions themselves order ([`WriteOrder`]).
//! The guarantees hold together if and only if some order of the values satisfies them: given such an order, let each
//! read see all writes up to the value that it returned. So they are broken if and only if the constraints on the
//! values form a cycle, and a violation shows that cycle.
//!
//! ```
//! use squall::check::keyed_op::{KeyedOp, Op, WriteOrder};
//! use squall::check::session::{Guarantee, broken};
//!
//! let tea = |op, call| KeyedOp { session: 1, key: "tea", op, call, ret: Some(call + 1) };
//! let history = [tea(Op::Write(1), 0), tea(Op::Write(2), 2), tea(Op::Read(Some(1)), 4)];
//! let broken = broken(&history, WriteOrder::Versions, &Guarantee::ALL)?.expect("its own write is missing");
//! assert_eq!(broken.guarantees, [Guarantee::ReadYourWrites]);
//! assert_eq!(broken.ops, [1, 2]);
//! # Ok::<(), squall::check::keyed_op::NotUnique>(())
//! ```

mod graph;
mod guarantee;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use self::graph::{Graph, Label, Node};
use super::keyed_op::{KeyedOp, NotUnique, Op, WriteOrder, by_key, describe, keyed_ops, moment, writes};
use super::{Check, CountedVerdict, Decoded};
use crate::history::Operation;

pub use guarantee::Guarantee;

/// Guarantees that cannot all have been kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// One guarantee if it is broken by itself; otherwise several that no order keeps together.
    pub guarantees: Vec<Guarantee>,
    /// The operations that suffice to show it, as positions in the list: for each step of the cycle, two operations of
    /// one session, the earlier one first.
    pub ops: Vec<usize>,
    /// The guarantee that binds each pair of `ops`.
    pub steps: Vec<Guarantee>,
}

impl Broken {
    /// Describes the cycle in one line.
    pub fn summary<K: Debug, V: Debug>(&self, ops: &[KeyedOp<K, V>]) -> String {
        let names = self.guarantees.iter().map(Guarantee::to_string).collect::<Vec<_>>().join(" and ");
        let steps = self.ops.chunks(2).filter_map(|pair| match pair {
            [earlier, later] => Some(format!("{}, then {}", describe(ops.get(*earlier)?), describe(ops.get(*later)?))),
            _ => None,
        });
        format!("{names}: {}", steps.collect::<Vec<_>>().join("; "))
    }
}

/// Judges whether the claimed guarantees were kept together. Returns the first guarantee that is broken by itself, or
/// else the first cycle of several guarantees, or `None` if all were kept.
///
/// # Errors
/// Fails if two writes of a key have the same value.
pub fn broken<K: Ord + Debug, V: Ord + Debug>(
    ops: &[KeyedOp<K, V>],
    write_order: WriteOrder,
    claimed: &[Guarantee],
) -> Result<Option<Broken>, NotUnique> {
    let keys = by_key(ops);
    let alone = claimed.iter().map(std::slice::from_ref);
    for claimed in alone.chain((claimed.len() > 1).then_some(claimed)) {
        for members in keys.values() {
            if let Some(broken) = broken_of_key(ops, members, write_order, claimed)? {
                return Ok(Some(broken));
            }
        }
    }
    Ok(None)
}

/// A scenario check: its sessions, one for each client, keep the claimed guarantees. `read` is as in [`keyed_ops`].
pub fn sessions_keep<K: Ord + Debug + 'static, V: Ord + Debug + 'static>(
    name: &str,
    claimed: &[Guarantee],
    write_order: WriteOrder,
    read: impl Fn(&Operation) -> Decoded<(K, Op<V>)> + Send + Sync + 'static,
) -> Check {
    let claimed = claimed.to_vec();
    Check::new(name, move |_, history| {
        let ops = match keyed_ops(history, &read) {
            Ok(ops) => ops,
            Err(unreadable) => return unreadable.into(),
        };
        let judged = successors(&ops);
        match broken(&ops, write_order, &claimed) {
            Err(why) => CountedVerdict::unknown(judged, why.to_string()),
            Ok(Some(broken)) => {
                let last = broken.ops.iter().map(|index| moment(&ops[*index])).max();
                CountedVerdict::broken(judged, broken.summary(&ops)).at(last.unwrap_or_default())
            }
            Ok(None) => CountedVerdict::kept(judged, "no session used a key twice: let each client read what it wrote"),
        }
    })
}

/// The number of operations that follow another one of the same session on the same key, which guarantees can bind.
fn successors<K: Ord, V>(ops: &[KeyedOp<K, V>]) -> u64 {
    let sessions: BTreeSet<_> = ops.iter().map(|op| (op.session, &op.key)).collect();
    (ops.len() - sessions.len()) as u64
}

fn broken_of_key<K: Ord + Debug, V: Ord + Debug>(
    ops: &[KeyedOp<K, V>],
    members: &[usize],
    write_order: WriteOrder,
    claimed: &[Guarantee],
) -> Result<Option<Broken>, NotUnique> {
    let writes = writes(ops, members)?;
    let mut values: BTreeMap<Option<&V>, Node> = BTreeMap::from([(None, 0)]);
    for &index in members {
        values.entry(value_of(&ops[index])).or_default();
    }
    // Nodes are numbered in the order of the values; the initial absence of a value comes first.
    values.values_mut().enumerate().for_each(|(number, node)| *node = number);
    let mut graph = Graph::new(values.len());
    let node_of = |index: usize| values[&value_of(&ops[index])];
    match write_order {
        WriteOrder::Versions => (1..values.len()).for_each(|node| graph.add(node - 1, node, Label::Known)),
        WriteOrder::RealTime | WriteOrder::Unknown => {
            (1..values.len()).for_each(|node| graph.add(0, node, Label::Known))
        }
    }
    if write_order == WriteOrder::RealTime {
        add_real_time(&mut graph, ops, writes.values().map(|index| (*index, node_of(*index))));
    }
    let mut sessions: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for &index in members {
        sessions.entry(ops[index].session).or_default().push(index);
    }
    for session in sessions.values_mut() {
        session.sort_by_key(|index| (ops[*index].call, *index));
        for guarantee in claimed {
            add_session(&mut graph, ops, session, *guarantee, node_of);
        }
    }
    let Some(cycle) = graph.cycle() else { return Ok(None) };
    let mut broken = Broken { guarantees: Vec::new(), ops: Vec::new(), steps: Vec::new() };
    let mut earlier = None;
    // The cycle begins at a value, so each step enters a session's chain before it leaves it.
    for label in cycle {
        match label {
            Label::Enters(index) => earlier = Some(index),
            Label::Leaves(guarantee, later) => {
                broken.ops.extend(earlier.into_iter().chain([later]));
                broken.steps.push(guarantee);
            }
            Label::Known | Label::Along => {}
        }
    }
    broken.guarantees.clone_from(&broken.steps);
    broken.guarantees.sort();
    broken.guarantees.dedup();
    Ok(Some(broken))
}

fn value_of<K, V>(keyed_op: &KeyedOp<K, V>) -> Option<&V> {
    match &keyed_op.op {
        Op::Read(value) => value.as_ref(),
        Op::Write(value) => Some(value),
    }
}

/// Adds the constraints of one guarantee on one session, whose operations are in the order of their calls.
///
/// A chain of nodes stands for what the session has read or written so far, so that each operation adds only a few
/// edges.
fn add_session<K, V>(
    graph: &mut Graph,
    ops: &[KeyedOp<K, V>],
    session: &[usize],
    guarantee: Guarantee,
    node_of: impl Fn(usize) -> Node,
) {
    let (binds_reads, by_reads) = guarantee.binds();
    let is_read = |index: usize| matches!(ops[index].op, Op::Read(_));
    let mut open: BTreeMap<(u64, usize), usize> = BTreeMap::new();
    let mut so_far: Option<Node> = None;
    for &index in session {
        // Operations that returned by now come before this one.
        while let Some(entry) = open.first_entry() {
            if entry.key().0 > ops[index].call {
                break;
            }
            let returned = entry.remove();
            let node = graph.add_node();
            graph.add(node_of(returned), node, Label::Enters(returned));
            if let Some(before) = so_far {
                graph.add(before, node, Label::Along);
            }
            so_far = Some(node);
        }
        if let (Some(before), true) = (so_far, is_read(index) == binds_reads) {
            match binds_reads {
                true => graph.add(before, node_of(index), Label::Leaves(guarantee, index)),
                false => graph.add_strict(before, node_of(index), Label::Leaves(guarantee, index)),
            }
        }
        if let (Some(ret), true) = (ops[index].ret, is_read(index) == by_reads) {
            open.insert((ret, index), index);
        }
    }
}

/// Adds the constraints of real time: a write that returned before another was called is the earlier one. A chain of
/// nodes stands for time.
fn add_real_time<K, V>(graph: &mut Graph, ops: &[KeyedOp<K, V>], writes: impl Iterator<Item = (usize, Node)>) {
    // At the same time, calls come before returns: operations that only touch are concurrent.
    let mut events: Vec<(u64, bool, Node)> = Vec::new();
    for (index, node) in writes {
        events.push((ops[index].call, false, node));
        events.extend(ops[index].ret.map(|ret| (ret, true, node)));
    }
    events.sort_unstable();
    let mut so_far: Option<Node> = None;
    for (_, is_return, value) in events {
        match (is_return, so_far) {
            (false, Some(before)) => graph.add(before, value, Label::Known),
            (false, None) => {}
            (true, before) => {
                let node = graph.add_node();
                graph.add(value, node, Label::Known);
                if let Some(before) = before {
                    graph.add(before, node, Label::Known);
                }
                so_far = Some(node);
            }
        }
    }
}
