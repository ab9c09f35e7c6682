//! The values of the models.

use std::fmt::Debug;
use std::hash::Hash;

/// What the values of these objects must implement.
pub trait Value: Clone + Ord + Hash + Debug {}

impl<V: Clone + Ord + Hash + Debug> Value for V {}
