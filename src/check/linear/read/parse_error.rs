//! Why a text is refused.

/// Why a text is not a history, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The beginning of a text, short enough for one line.
pub(super) fn beginning(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(40).collect();
    if text.trim().chars().count() > 40 {
        shown.push('…');
    }
    shown
}
