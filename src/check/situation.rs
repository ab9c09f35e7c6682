//! Situations that at least one run of an exploration must reach; otherwise its promises were never put to the test.

use std::fmt;
use std::sync::Arc;

use crate::history::History;
use crate::trace::Trace;

type IsReached = dyn Fn(&Trace, &History) -> bool + Send + Sync;

/// A named situation, with the function that decides whether a run reached it.
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
    /// A situation with this name, which is a sentence about what happens in it. `is_reached` must depend only on its
    /// arguments.
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
