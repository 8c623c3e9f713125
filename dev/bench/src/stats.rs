//! The few statistics the report needs.

/// The value that `percent` of the samples do not exceed.
pub(crate) fn percentile(samples: &[f64], percent: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle value.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 50.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            (
                percentile(&samples, 50.0),
                percentile(&samples, 99.0),
                percentile(&samples, 100.0)
            ),
            (50.0, 99.0, 100.0)
        );
        assert_eq!(median(&[3.0]), 3.0);
        assert!(median(&[]).is_nan());
    }
}
