//! The imports that are still allowed to close a cycle. The list may only shrink.

/// Each entry is the importing file and the imported file.
pub const KNOWN: &[(&str, &str)] = &[];
