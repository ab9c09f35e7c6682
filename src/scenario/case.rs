//! The data on which one run of a scenario depends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Plan;
use crate::seed::Seed;
use crate::world::{Engine, SeededOrder};

/// The input of every client: by the name of its host, then by the client's number.
pub type Input = BTreeMap<String, Vec<serde_json::Value>>;

/// Everything that a run depends on, as plain data.
///
/// ```
/// use squall::prelude::*;
/// use squall::scenario::Case;
///
/// let case = r#"{"scenario": "greeting", "seed": "0x7", "plan": [], "input": {}}"#;
/// let case: Case = serde_json::from_str(case).unwrap();
/// assert!(case.plan.faults.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The scenario's name.
    pub scenario: String,
    /// The seed from which plan and input were drawn, and from which all decisions of the run are derived.
    pub seed: Seed,
    /// The faults.
    pub plan: Plan,
    /// The input of the clients.
    pub input: Input,
    /// What runs the hosts.
    #[serde(default, skip_serializing_if = "Engine::is_default")]
    pub engine: Engine,
    /// When the seed decides who goes first of hosts that have something to do at the same time: always, unless shrinking has
    /// found that it need not.
    #[serde(default, skip_serializing_if = "SeededOrder::is_always")]
    pub seeded_order: SeededOrder,
}
