//! Situations that some run of an exploration must reach, or its promises were never at stake. They say nothing of whether
//! a promise was kept.

use std::fmt;
use std::sync::Arc;

use crate::history::History;
use crate::trace::Trace;

type IsReached = dyn Fn(&Trace, &History) -> bool + Send + Sync;

/// A named situation, and how a run shows that it was reached.
#[derive(Clone)]
pub struct Situation {
    name: String,
    is_reached: Arc<IsReached>,
}

impl fmt::Debug for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Situation").field(&self.name).finish()
    }
}

impl Situation {
    /// A situation under this name, a sentence about what happens in it; `is_reached` must depend on its arguments alone.
    pub fn new(name: &str, is_reached: impl Fn(&Trace, &History) -> bool + Send + Sync + 'static) -> Situation {
        Situation { name: name.to_owned(), is_reached: Arc::new(is_reached) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a run reached it.
    pub fn is_reached(&self, trace: &Trace, history: &History) -> bool {
        (self.is_reached)(trace, history)
    }
}
