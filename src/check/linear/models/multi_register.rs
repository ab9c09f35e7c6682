//! Registers that transactions read and write, several at once.

use std::collections::BTreeMap;

use super::super::Model;
use super::value::Value;

/// Registers that transactions read and write, several at once. They are judged as one object.
#[derive(Clone, Debug)]
pub struct MultiRegister<K, V>(BTreeMap<K, V>);

/// Registers that are absent initially.
impl<K, V> Default for MultiRegister<K, V> {
    fn default() -> MultiRegister<K, V> {
        MultiRegister(BTreeMap::new())
    }
}

impl<K: Value, V: Value> MultiRegister<K, V> {
    /// Registers with these initial values.
    pub fn of(values: impl IntoIterator<Item = (K, V)>) -> MultiRegister<K, V> {
        MultiRegister(values.into_iter().collect())
    }
}

/// One access of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MultiRegisterAccess<K, V> {
    /// Reads a register.
    Read(K),
    /// Writes a register.
    Write(K, V),
}

/// A transaction: accesses that happen at once, one after the other. Its output has the value of each read; `None` if
/// the register was absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MultiRegisterOp<K, V>(pub Vec<MultiRegisterAccess<K, V>>);

impl<K: Value, V: Value> Model for MultiRegister<K, V> {
    type State = BTreeMap<K, V>;
    type Op = MultiRegisterOp<K, V>;
    type Output = Vec<Option<V>>;
    type Key = ();

    fn key(&self, _: &MultiRegisterOp<K, V>) {}

    fn init(&self) -> BTreeMap<K, V> {
        self.0.clone()
    }

    fn step(
        &self,
        state: &BTreeMap<K, V>,
        op: &MultiRegisterOp<K, V>,
        output: Option<&Vec<Option<V>>>,
    ) -> Option<BTreeMap<K, V>> {
        let mut after = state.clone();
        let mut outputs = output.map(|output| output.iter());
        for access in &op.0 {
            match access {
                MultiRegisterAccess::Write(key, value) => drop(after.insert(key.clone(), value.clone())),
                MultiRegisterAccess::Read(key) => {
                    if outputs
                        .as_mut()
                        .is_some_and(|outputs| outputs.next().map(Option::as_ref) != Some(after.get(key)))
                    {
                        return None;
                    }
                }
            }
        }
        outputs.is_none_or(|mut outputs| outputs.next().is_none()).then_some(after)
    }

    fn is_observer(&self, op: &MultiRegisterOp<K, V>, _: Option<&Vec<Option<V>>>) -> bool {
        op.0.iter().all(|access| matches!(access, MultiRegisterAccess::Read(_)))
    }
}
