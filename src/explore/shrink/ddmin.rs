//! Delta debugging over a list of anything, as a pure function.

/// The answer to a question about several candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstMatch {
    /// The index of the first candidate, in order, that has the property.
    Found(usize),
    /// No candidate has it.
    None,
    /// There is no time left for questions.
    OutOfTime,
}

/// Finds a sublist that still has the property, and that loses it if any single item is taken out. `first` answers
/// questions: it is given a number of candidates and a function that makes each of them.
///
/// The whole list must have the property. The algorithm is ddmin (Zeller and Hildebrandt, "Simplifying and Isolating
/// Failure-Inducing Input", 2002), on complements, with the empty list tried first.
///
/// # Errors
/// Those of `first`.
pub(super) fn minimise<T: Clone, E>(
    mut items: Vec<T>,
    mut first: impl FnMut(usize, &dyn Fn(usize) -> Vec<T>) -> Result<FirstMatch, E>,
) -> Result<Vec<T>, E> {
    if items.is_empty() || first(1, &|_| Vec::new())? == FirstMatch::Found(0) {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while items.len() > 1 {
        let bound = |part: usize| part * items.len() / parts;
        let without = |part: usize| [&items[..bound(part)], &items[bound(part + 1)..]].concat();
        match first(parts, &without)? {
            FirstMatch::Found(part) => {
                let range = bound(part)..bound(part + 1);
                items.drain(range);
                parts = (parts - 1).clamp(2, items.len().max(2));
            }
            FirstMatch::None if parts < items.len() => parts = (parts * 2).min(items.len()),
            FirstMatch::None | FirstMatch::OutOfTime => break,
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// What remains, and the number of candidates asked about; at most `most` are answered.
    fn keep(needed: &[u32], of: u32, most: usize) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let found = minimise((0..of).collect(), |count, make: &dyn Fn(usize) -> Vec<u32>| {
            for index in 0..count {
                if asked == most {
                    return Ok::<_, Infallible>(FirstMatch::OutOfTime);
                }
                asked += 1;
                let candidate = make(index);
                if needed.iter().all(|item| candidate.contains(item)) {
                    return Ok(FirstMatch::Found(index));
                }
            }
            Ok(FirstMatch::None)
        });
        (found.unwrap(), asked)
    }

    proptest! {
        #[test]
        fn needed_items_remain_and_no_others(needed in proptest::collection::btree_set(0..60_u32, 0..6)) {
            let needed: Vec<u32> = needed.into_iter().collect();
            prop_assert_eq!(keep(&needed, 60, usize::MAX).0, needed);
        }
    }

    #[test]
    fn few_needed_items_of_many_are_found_quickly() {
        let (found, asked) = keep(&[17, 203], 240, usize::MAX);
        assert_eq!(found, [17, 203]);
        assert!(asked < 100, "{asked} candidates");
    }

    #[test]
    fn needed_items_remain_when_the_time_is_up() {
        for most in 0..60 {
            let (found, asked) = keep(&[17, 203], 240, most);
            assert!(found.contains(&17) && found.contains(&203) && asked <= most, "{most}: {found:?}");
        }
    }
}
