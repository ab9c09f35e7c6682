//! Which effects happened more or less often than the outcomes of their requests allow.

use std::collections::BTreeMap;

/// The key of an effect. Effects with the same key belong to the same request.
pub type EffectKey = String;

/// The outcome of a client's request for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientOutcome {
    /// The request was refused: the effect must never happen.
    Refused,
    /// The outcome is unknown: the effect may happen once or never.
    Unknown,
    /// The request was acknowledged: the effect must happen exactly once.
    Acknowledged,
}

/// An effect that happened more or less often than its outcome allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEffect {
    /// The key of the effect.
    pub key: EffectKey,
    /// How often it happened.
    pub happened: usize,
    /// The outcome of its requests; `None` if no client requested it.
    pub outcome: Option<ClientOutcome>,
}

impl std::fmt::Display for WrongEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.outcome {
            Some(ClientOutcome::Refused) => "instead of never: it was refused",
            Some(ClientOutcome::Unknown) => "instead of at most once: its outcome is unknown",
            Some(ClientOutcome::Acknowledged) => "instead of once: it was acknowledged",
            None => "instead of never: no client requested it",
        };
        let times = if self.happened == 1 { "time" } else { "times" };
        write!(f, "the effect of {} happened {} {times} {why}", self.key, self.happened)
    }
}

/// Returns the effects that happened too often or not often enough, in the order of their keys. `requested` are the
/// requested effects with their outcomes, and `found` the effects that exist at the end, each as often as it happened.
///
/// Several requests with one key are one request that was retried: it is acknowledged if any of them is, refused if all
/// are, and unknown otherwise.
///
/// ```
/// use squall::check::{ClientOutcome, wrong_effects};
///
/// let requested = [
///     ("a", ClientOutcome::Unknown),
///     ("a", ClientOutcome::Acknowledged),
///     ("b", ClientOutcome::Refused),
///     ("c", ClientOutcome::Unknown),
/// ];
/// let requested = requested.map(|(key, outcome)| (key.to_owned(), outcome));
/// assert!(wrong_effects(requested.clone(), ["a".to_owned()]).is_empty());
/// let wrong = wrong_effects(requested, ["a", "a", "b", "c"].map(str::to_owned));
/// assert_eq!(wrong.len(), 2);
/// assert_eq!((wrong[0].key.as_str(), wrong[0].happened), ("a", 2));
/// assert_eq!(wrong[1].to_string(), "the effect of b happened 1 time instead of never: it was refused");
/// ```
pub fn wrong_effects(
    requested: impl IntoIterator<Item = (EffectKey, ClientOutcome)>,
    found: impl IntoIterator<Item = EffectKey>,
) -> Vec<WrongEffect> {
    let mut effects: BTreeMap<EffectKey, (Option<ClientOutcome>, usize)> = BTreeMap::new();
    for (key, outcome) in requested {
        // An acknowledgement outweighs an unknown outcome, which outweighs a refusal.
        let strongest = &mut effects.entry(key).or_default().0;
        *strongest = (*strongest).max(Some(outcome));
    }
    for key in found {
        effects.entry(key).or_default().1 += 1;
    }
    let is_right = |outcome: Option<ClientOutcome>, happened: usize| match outcome {
        Some(ClientOutcome::Acknowledged) => happened == 1,
        Some(ClientOutcome::Unknown) => happened <= 1,
        Some(ClientOutcome::Refused) | None => happened == 0,
    };
    let wrong = effects.into_iter().filter(|(_, (outcome, happened))| !is_right(*outcome, *happened));
    wrong.map(|(key, (outcome, happened))| WrongEffect { key, happened, outcome }).collect()
}
