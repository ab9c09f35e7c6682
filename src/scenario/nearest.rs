//! Suggestions for a name that does not exist.

/// The known names that are most similar to this one, as the end of a question: `` `a` or `b` ``; `None` if none is
/// similar.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut near: Vec<(f64, &str)> = names
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, known)| *likeness > 0.7 && *known != name)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.dedup();
    let near: Vec<String> = near.iter().take(3).map(|(_, known)| format!("`{known}`")).collect();
    (!near.is_empty()).then(|| near.join(" or "))
}
