//! The ways in which the values of operations can be made smaller: pure functions over JSON.
//!
//! A value is only replaced by one that the workload draws in the same place. A smaller value of another kind, such as an
//! order of no pieces, would break the same promise for a reason of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::scenario::{Case, Input};

/// One step from a value into a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Item(usize),
    /// Any of the operations of a client.
    Operation,
}

/// The place of a number, a text or a boolean in the input of a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    group: String,
    client: usize,
    steps: Vec<Step>,
}

/// What the workload draws in each place of an operation, the smallest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Domain(BTreeMap<(String, Vec<Step>), Vec<Value>>);

impl Domain {
    /// The values of these inputs.
    pub(super) fn of<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> Domain {
        let mut domain = Domain::default();
        for input in inputs {
            for (leaf, value) in all_leaves(input) {
                domain.0.entry(leaf.shape()).or_default().push(value.clone());
            }
        }
        for values in domain.0.values_mut() {
            values.sort_by(|a, b| weight(a).total_cmp(&weight(b)).then_with(|| a.to_string().cmp(&b.to_string())));
            values.dedup();
        }
        domain
    }

    /// The values of the same place that are smaller than this one, the smallest first.
    fn smaller(&self, leaf: &Leaf, value: &Value) -> &[Value] {
        let values = self.0.get(&leaf.shape()).map_or(&[][..], Vec::as_slice);
        &values[..values.partition_point(|other| weight(other) < weight(value))]
    }
}

impl Leaf {
    /// The place without the number of the client and that of the operation.
    fn shape(&self) -> (String, Vec<Step>) {
        let steps = self.steps.iter().enumerate().map(|(depth, step)| match (depth, step) {
            (0, Step::Item(_)) => Step::Operation,
            (_, step) => step.clone(),
        });
        (self.group.clone(), steps.collect())
    }

    fn value<'a>(&self, case: &'a Case) -> Option<&'a Value> {
        let input = case.input.get(&self.group)?.get(self.client)?;
        self.steps.iter().try_fold(input, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Item(item) => value.get(item),
            Step::Operation => None,
        })
    }

    fn set(&self, case: &mut Case, new: &Value) {
        let Some(input) = case.input.get_mut(&self.group).and_then(|clients| clients.get_mut(self.client)) else {
            return;
        };
        let place = self.steps.iter().try_fold(input, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Item(item) => value.get_mut(item),
            Step::Operation => None,
        });
        if let Some(place) = place {
            place.clone_from(new);
        }
    }
}

/// How large a value is: the distance of a number from zero, or the length of a text.
fn weight(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or_default().abs(),
        Value::String(text) => text.chars().count() as f64,
        Value::Bool(is_true) => f64::from(u8::from(*is_true)),
        Value::Null | Value::Array(_) | Value::Object(_) => 0.0,
    }
}

/// The places whose values could be smaller.
pub(super) fn leaves(case: &Case, domain: &Domain) -> Vec<Leaf> {
    let all = all_leaves(&case.input).into_iter();
    all.filter(|(leaf, value)| !domain.smaller(leaf, value).is_empty()).map(|(leaf, _)| leaf).collect()
}

fn all_leaves(input: &Input) -> Vec<(Leaf, &Value)> {
    let mut leaves = Vec::new();
    for (group, clients) in input {
        for (client, value) in clients.iter().enumerate() {
            let leaf = Leaf { group: group.clone(), client, steps: Vec::new() };
            collect(&leaf, value, &mut leaves);
        }
    }
    leaves
}

fn collect<'a>(leaf: &Leaf, value: &'a Value, leaves: &mut Vec<(Leaf, &'a Value)>) {
    let step_into = |step: Step| Leaf { steps: [leaf.steps.clone(), vec![step]].concat(), ..leaf.clone() };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&step_into(Step::Item(index)), item, leaves);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(&step_into(Step::Key(key.clone())), field, leaves);
            }
        }
        // An operation that is a text is a name, and a shorter name is another operation.
        Value::String(_) if leaf.steps.len() < 2 => {}
        Value::Number(_) | Value::String(_) | Value::Bool(_) => leaves.push((leaf.clone(), value)),
        Value::Null => {}
    }
}

/// The same case with the smallest value everywhere but in these places.
pub(super) fn smallest_but(case: &Case, domain: &Domain, kept: &[Leaf]) -> Case {
    let mut smaller = case.clone();
    let kept: BTreeSet<&Leaf> = kept.iter().collect();
    for (leaf, value) in all_leaves(&case.input) {
        if let Some(smallest) = domain.smaller(&leaf, value).first()
            && !kept.contains(&leaf)
        {
            leaf.set(&mut smaller, smallest);
        }
    }
    smaller
}

/// A smaller value in some places.
#[derive(Debug, PartialEq)]
pub(super) struct Smaller {
    places: Vec<Leaf>,
    value: Value,
}

impl Smaller {
    /// The same case with it.
    pub(super) fn in_case(&self, case: &Case) -> Case {
        let mut smaller = case.clone();
        self.places.iter().for_each(|leaf| leaf.set(&mut smaller, &self.value));
        smaller
    }
}

/// Smaller values for this place, the smallest first; each alone, and also wherever the same value is, as two operations may
/// have to agree about a key.
pub(super) fn smaller(case: &Case, domain: &Domain, leaf: &Leaf) -> Vec<Smaller> {
    let Some(value) = leaf.value(case) else { return Vec::new() };
    let values = domain.smaller(leaf, value);
    let Some(last) = values.len().checked_sub(1) else { return Vec::new() };
    let mut places = vec![0, last / 8, last / 4, last / 2, last / 4 * 3, last];
    places.sort_unstable();
    places.dedup();
    let twins: Vec<Leaf> =
        all_leaves(&case.input).into_iter().filter(|(_, other)| *other == value).map(|(twin, _)| twin).collect();
    let with = |place: usize| {
        let value_there = &values[place];
        let together = twins.iter().filter(|twin| domain.smaller(twin, value).contains(value_there)).cloned();
        [vec![leaf.clone()], together.collect()].map(|places| Smaller { places, value: value_there.clone() })
    };
    let mut ways: Vec<Smaller> = places.into_iter().flat_map(with).collect();
    ways.dedup();
    ways
}

/// Two operations of a client that follow each other made one.
#[derive(Debug)]
pub(super) struct Merged {
    group: String,
    client: usize,
    /// The place of the first of the two.
    first: usize,
    sum: Value,
}

impl Merged {
    /// The same case with it.
    pub(super) fn in_case(&self, case: &Case) -> Case {
        let mut merged = case.clone();
        let input = merged.input.get_mut(&self.group).and_then(|clients| clients.get_mut(self.client));
        if let Some(operations) = input.and_then(Value::as_array_mut) {
            operations.splice(self.first..self.first + 2, [self.sum.clone()]);
        }
        merged
    }
}

/// The operations of clients that follow each other and can be made one, such as two pauses: they differ in one number, of
/// which the one has the sum.
pub(super) fn merged(case: &Case) -> Vec<Merged> {
    let mut ways = Vec::new();
    for (group, clients) in &case.input {
        for (client, input) in clients.iter().enumerate() {
            let operations = input.as_array().map_or(&[][..], Vec::as_slice);
            for (first, pair) in operations.windows(2).enumerate() {
                if let Some(sum) = sum(&pair[0], &pair[1]) {
                    ways.push(Merged { group: group.clone(), client, first, sum });
                }
            }
        }
    }
    ways
}

/// The sum of two operations that hold one number each and are alike otherwise.
fn sum(first: &Value, second: &Value) -> Option<Value> {
    match (first, second) {
        (Value::Number(first), Value::Number(second)) => first.as_u64()?.checked_add(second.as_u64()?).map(Value::from),
        (Value::Object(fields), Value::Object(others)) if fields.len() == 1 && others.len() == 1 => {
            let ((key, field), (other_key, other)) = (fields.iter().next()?, others.iter().next()?);
            let sum = sum(field, other).filter(|_| key == other_key)?;
            Some(Value::Object([(key.clone(), sum)].into_iter().collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seed::Seed;

    fn case(operations: Value) -> Case {
        Case { input: [("buyer".to_owned(), vec![operations])].into(), ..Case::new("s", Seed(1)) }
    }

    fn domain() -> Domain {
        let drawn = case(json!([
            {"put": {"key": 3, "text": "tea"}}, {"put": {"key": 5, "text": "water"}}, {"pause": 40}, "audit", "read"
        ]));
        Domain::of([&drawn.input])
    }

    #[test]
    fn values_become_the_smallest_that_are_drawn_in_the_same_place() {
        let found = case(json!([{"put": {"key": 9, "text": "coffee"}}, {"pause": 50}, "audit"]));
        let leaves = leaves(&found, &domain());
        assert_eq!(leaves.len(), 3, "the name of an operation is no value: {leaves:?}");
        let smallest = smallest_but(&found, &domain(), &leaves[..1]);
        assert_eq!(smallest, case(json!([{"put": {"key": 9, "text": "tea"}}, {"pause": 40}, "audit"])));
        let keys: Vec<Value> = smaller(&found, &domain(), &leaves[0])
            .iter()
            .map(|smaller| smaller.in_case(&found).input["buyer"][0][0]["put"]["key"].clone())
            .collect();
        assert_eq!(keys, [3, 5]);
    }

    #[test]
    fn values_that_agree_become_smaller_together() {
        let found = case(json!([{"put": {"key": 5, "text": "tea"}}, {"put": {"key": 5, "text": "tea"}}]));
        let leaves = leaves(&found, &domain());
        let keys = |case: &Case| [0, 1].map(|index| case.input["buyer"][0][index]["put"]["key"].clone());
        let ways = smaller(&found, &domain(), &leaves[0]);
        assert_eq!(ways.iter().map(|smaller| keys(&smaller.in_case(&found))).collect::<Vec<_>>(), [[3, 5], [3, 3]]);
    }

    #[test]
    fn what_is_the_smallest_stays() {
        let found = case(json!([{"put": {"key": 3, "text": "tea"}}, {"new": 7}]));
        assert!(leaves(&found, &domain()).is_empty(), "nothing is known about the other");
        assert_eq!(smallest_but(&found, &domain(), &[]), found);
    }

    #[test]
    fn pauses_that_follow_each_other_become_one() {
        let found = case(json!([{"pause": 40}, {"pause": 2}, {"put": {"key": 1, "text": "a"}}, {"pause": 1}, 5, 6]));
        let merged = merged(&found);
        let operations = |index: usize| merged[index].in_case(&found).input["buyer"][0].clone();
        assert_eq!(merged.len(), 2);
        assert_eq!(operations(0), json!([{"pause": 42}, {"put": {"key": 1, "text": "a"}}, {"pause": 1}, 5, 6]));
        assert_eq!(
            operations(1),
            json!([{"pause": 40}, {"pause": 2}, {"put": {"key": 1, "text": "a"}}, {"pause": 1}, 11])
        );
    }
}
