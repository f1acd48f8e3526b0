//! A histogram of durations: 16 buckets to each doubling, so that a percentile is never off by more than 1/16.
//!
//! The idea is HdrHistogram's log-linear buckets (Gil Tene); sparse, because a minute of one function fills few.

use std::collections::BTreeMap;

const BITS: u32 = 4;
const PER_DOUBLING: u64 = 1 << BITS;
/// Longer ones count as this (about 19 hours in microseconds).
const LARGEST: u64 = (1 << 36) - 1;

/// Counts of durations in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: BTreeMap<u16, u64>,
}

fn bucket(value: u64) -> u16 {
    let value = value.min(LARGEST);
    if value < PER_DOUBLING {
        return value as u16;
    }
    let shift = value.ilog2() - BITS;
    ((u64::from(shift + 1) << BITS) + ((value >> shift) & (PER_DOUBLING - 1))) as u16
}

/// The largest value of a bucket.
fn upper(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < PER_DOUBLING {
        return bucket;
    }
    let shift = (bucket >> BITS) - 1;
    ((PER_DOUBLING + (bucket & (PER_DOUBLING - 1)) + 1) << shift) - 1
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, us: u64) {
        *self.buckets.entry(bucket(us)).or_default() += 1;
    }

    /// Counts in everything of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// The duration that this share of all is not longer than; 0 when there is none.
    pub fn percentile(&self, share: f64) -> u64 {
        let total: u64 = self.buckets.values().sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= wanted {
                return upper(*bucket);
            }
        }
        0
    }

    /// `bucket:count,…`, as it is stored.
    pub fn encode(&self) -> String {
        let parts: Vec<String> = self.buckets.iter().map(|(bucket, count)| format!("{bucket}:{count}")).collect();
        parts.join(",")
    }

    /// Reads [`Histogram::encode`]; a part that is not ours is left out.
    pub fn decode(text: &str) -> Self {
        let parse = |part: &str| {
            let (index, count) = part.split_once(':')?;
            let index = index.parse::<u16>().ok().filter(|index| *index <= bucket(LARGEST))?;
            Some((index, count.parse::<u64>().ok()?))
        };
        Self { buckets: text.split(',').filter_map(parse).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_are_a_sixteenth_wide() {
        let mut values: Vec<u64> = (0..5_000).collect();
        values.extend((5..36).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        for value in values {
            let top = upper(bucket(value));
            assert!(top >= value, "{value} is above its bucket's end {top}");
            assert!(top - value <= value / 16, "{value} is reported as {top}");
            assert_eq!(bucket(top), bucket(value), "{value}");
            assert_eq!(bucket(top + 1), bucket(value) + 1, "{value}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|us| histogram.record(us * 10));
        for (share, exact) in [(0.5, 5_000u64), (0.95, 9_500), (0.99, 9_900), (1.0, 10_000)] {
            let got = histogram.percentile(share);
            assert!(got >= exact && got <= exact + exact / 16, "{share}: {got}, exactly {exact}");
        }
        assert_eq!(Histogram::default().percentile(0.5), 0);
    }

    #[test]
    fn what_is_stored_comes_back() {
        let mut histogram = Histogram::default();
        [0, 15, 16, 1_000, 1_000, u64::MAX].into_iter().for_each(|us| histogram.record(us));
        assert_eq!(Histogram::decode(&histogram.encode()), histogram);
        assert_eq!(Histogram::decode("nonsense,1:,:2,99999:1,x:y"), Histogram::default());
    }
}
