//! Delta debugging over a list, as a pure function. It knows nothing of what is in the list.

/// A sublist that still has the property, and from which no single item can be taken without losing it, as far as the
/// answers of `first` tell: it is given sublists and says which of them is the first that has the property.
///
/// The whole list must have it. The algorithm is ddmin (Zeller and Hildebrandt, "Simplifying and Isolating
/// Failure-Inducing Input", 2002), on complements, with the empty list tried first.
///
/// # Errors
/// Those of `first`.
pub(super) fn minimise<T: Clone, E>(
    mut items: Vec<T>,
    mut first: impl FnMut(Vec<Vec<T>>) -> Result<Option<usize>, E>,
) -> Result<Vec<T>, E> {
    if items.is_empty() || first(vec![Vec::new()])?.is_some() {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while items.len() > 1 {
        let bounds: Vec<usize> = (0..=parts).map(|part| part * items.len() / parts).collect();
        let without = |window: &[usize]| [&items[..window[0]], &items[window[1]..]].concat();
        let candidates: Vec<Vec<T>> = bounds.windows(2).map(without).collect();
        match first(candidates)? {
            Some(index) => {
                items.drain(bounds[index]..bounds[index + 1]);
                parts = parts.saturating_sub(1).clamp(2, items.len().max(2));
            }
            None if parts >= items.len() => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn keep(needed: &[u32], of: u32) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let found = minimise((0..of).collect(), |candidates| {
            let has_all = |candidate: &Vec<u32>| needed.iter().all(|item| candidate.contains(item));
            asked += candidates.len();
            Ok::<_, Infallible>(candidates.iter().position(has_all))
        });
        (found.unwrap(), asked)
    }

    proptest! {
        #[test]
        fn what_is_needed_remains_and_nothing_else(needed in proptest::collection::btree_set(0..60_u32, 0..6)) {
            let needed: Vec<u32> = needed.into_iter().collect();
            prop_assert_eq!(keep(&needed, 60).0, needed);
        }
    }

    #[test]
    fn few_of_many_are_found_soon() {
        let (found, asked) = keep(&[17, 203], 240);
        assert_eq!(found, [17, 203]);
        assert!(asked < 100, "{asked} candidates");
    }
}
