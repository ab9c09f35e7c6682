//! Delta debugging over a list, as a pure function. It knows nothing of what is in the list.

/// What came of a question about several candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstMatch {
    /// The first of them, in order, that has the property.
    Found(usize),
    /// None has it.
    None,
    /// There is no time for questions any more.
    Over,
}

/// A sublist that still has the property, and from which no single item can be taken without losing it, as far as the
/// answers of `first` tell: it is given a number of candidates and a way to make each of them.
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
            FirstMatch::None | FirstMatch::Over => break,
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// What remains, and how many candidates were asked about; no more than `most` are answered.
    fn keep(needed: &[u32], of: u32, most: usize) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let found = minimise((0..of).collect(), |count, make: &dyn Fn(usize) -> Vec<u32>| {
            for index in 0..count {
                if asked == most {
                    return Ok::<_, Infallible>(FirstMatch::Over);
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
        fn what_is_needed_remains_and_nothing_else(needed in proptest::collection::btree_set(0..60_u32, 0..6)) {
            let needed: Vec<u32> = needed.into_iter().collect();
            prop_assert_eq!(keep(&needed, 60, usize::MAX).0, needed);
        }
    }

    #[test]
    fn few_of_many_are_found_soon() {
        let (found, asked) = keep(&[17, 203], 240, usize::MAX);
        assert_eq!(found, [17, 203]);
        assert!(asked < 100, "{asked} candidates");
    }

    #[test]
    fn when_the_time_is_up_what_is_needed_is_still_there() {
        for most in 0..60 {
            let (found, asked) = keep(&[17, 203], 240, most);
            assert!(found.contains(&17) && found.contains(&203) && asked <= most, "{most}: {found:?}");
        }
    }
}
