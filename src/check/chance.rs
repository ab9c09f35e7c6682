//! How likely it is that chance explains what was seen.

/// The probability that at least `count` of `all` independent events happen that each have the probability `share`: the
/// upper tail of the binomial distribution.
pub(crate) fn tail(all: usize, count: usize, share: f64) -> f64 {
    // The logarithm of the term for k = count, then each next term from the one before it.
    let choose = (0..count).map(|k| ((all - k) as f64 / (count - k) as f64).ln()).sum::<f64>();
    let mut term = (choose + count as f64 * share.ln() + (all - count) as f64 * (1.0 - share).ln()).exp();
    let mut sum = 0.0;
    for k in count..=all {
        sum += term;
        term *= (all - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_the_binomial_distribution() {
        let is_close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
        assert!(is_close(tail(3, 0, 0.1), 1.0));
        assert!(is_close(tail(3, 1, 0.1), 1.0 - 0.9_f64.powi(3)));
        assert!(is_close(tail(13, 13, 0.1), 1e-13));
        // From the table of any statistics package: P(X >= 5) for n = 20, p = 0.1.
        assert!((tail(20, 5, 0.1) - 0.043_174_5).abs() < 1e-7);
    }
}
