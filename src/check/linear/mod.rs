//! Linearizability: whether one order of all operations, each at a point between its call and its return, explains what
//! all clients saw.
//!
//! The definition is Herlihy and Wing's. The search is Wing and Gong's (*Testing and Verifying Concurrent Objects*,
//! 1993) with later improvements: Lowe's cache of visited configurations and his search from return to return (*Testing
//! for Linearizability*, 2017), Horn and Kroening's separate judging of independent parts (*Faster linearizability
//! checking via P-compositionality*, 2015), and a model with a pure `step`, like that of
//! [porcupine](https://github.com/anishathalye/porcupine). The `search` module describes further shortcuts.
//!
//! ```
//! use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
//! use squall::check::linear::{TypedHistory, linearizable};
//!
//! let mut history = TypedHistory::new();
//! history.call(1, RegisterOp::Write("tea"))?;
//! history.call(2, RegisterOp::Read)?;
//! history.ret(2, RegisterOutput::Value("tea"))?;
//! history.ret(1, RegisterOutput::Done)?;
//! assert!(linearizable(&Register::new("water"), &history).is_pass());
//!
//! history.call(2, RegisterOp::Read)?;
//! history.ret(2, RegisterOutput::Value("water"))?;
//! assert!(linearizable(&Register::new("water"), &history).is_fail());
//! # Ok::<(), squall::check::linear::InvalidHistory>(())
//! ```

pub(super) mod core;
mod history;
mod judge;
mod look_ahead;
mod model;
pub mod models;
mod options;
mod prepared;
pub mod queue;
pub mod read;
mod search;
pub(super) mod table;
pub(super) mod violation;

pub use self::core::Core;
pub use history::{HistoryEntry, InvalidHistory, TypedHistory};
pub use judge::{Judgement, is_linearizable, judge, linearizable};
pub(crate) use judge::{NOTHING_RETURNED, gave_up};
pub use model::Model;
pub use options::SearchOptions;
pub use violation::{Stuck, Violation};
