//! What the examples a job has drawn come to: a number for each epoch that any other order changes.
//!
//! Sums modulo 2^128 of a mix of position and example: adding an example costs a few nanoseconds,
//! and what a sum has come to is all that a resumed attempt needs to go on with it. It tells
//! mistakes, not forgeries.

/// Epochs that have a sum of their own; jobs of more have only the one over all.
const EPOCHS: u64 = 1000;

/// The sums of a job so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Examples in an epoch.
    examples: u64,
    /// Whether epochs have sums of their own.
    by_epoch: bool,
    /// Over all, then of each epoch begun. None if the beginning is not known.
    sums: Option<Vec<u128>>,
}

impl Drawn {
    /// The sums of a job with epochs of `examples` and `total` examples in all, where an earlier
    /// attempt left off with `sums`, or at the beginning.
    pub(crate) fn new(examples: u64, total: u64, sums: Option<Vec<u128>>) -> Self {
        let examples = examples.max(1);
        Self { examples, by_epoch: total.div_ceil(examples) <= EPOCHS, sums }
    }

    /// The sums before anything is drawn.
    pub(crate) fn nothing() -> Vec<u128> {
        vec![0]
    }

    /// Adds the examples trained on at `first` and the positions after it, counted from the job's
    /// beginning.
    pub(crate) fn add(&mut self, first: u64, examples: &[u64]) {
        let Some(sums) = &mut self.sums else { return };
        for (position, &example) in (first..).zip(examples) {
            add(sums, 0, token(position, example));
            if self.by_epoch {
                let epoch = (position / self.examples) as usize;
                add(sums, 1 + epoch, token(position % self.examples, example));
            }
        }
    }

    /// The sums so far, for a checkpoint.
    pub(crate) fn sums(&self) -> Option<Vec<u128>> {
        self.sums.clone()
    }

    /// The sum over all and those of each epoch, as text.
    pub(crate) fn texts(&self) -> Option<(String, Vec<String>)> {
        let (all, epochs) = self.sums.as_deref()?.split_first()?;
        let text = |sum: &u128| format!("{sum:032x}");
        Some((text(all), epochs.iter().map(text).collect()))
    }
}

fn add(sums: &mut Vec<u128>, at: usize, token: u128) {
    if sums.len() <= at {
        sums.resize(at + 1, 0);
    }
    sums[at] = sums[at].wrapping_add(token);
}

/// 128 well-mixed bits of a pair.
fn token(position: u64, example: u64) -> u128 {
    let high = mix(mix(position).wrapping_add(example));
    let low = mix(high ^ position.rotate_left(32) ^ example);
    u128::from(high) << 64 | u128::from(low)
}

/// One output of `SplitMix64` (Steele et al. 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(parts: &[&[u64]]) -> (String, Vec<String>) {
        let mut sums = Some(Drawn::nothing());
        let mut first = 0;
        for part in parts {
            let mut drawn = Drawn::new(3, 6, sums);
            drawn.add(first, part);
            first += part.len() as u64;
            sums = drawn.sums();
        }
        Drawn::new(3, 6, sums).texts().expect("known from the beginning")
    }

    #[test]
    fn parts_come_to_the_same_as_the_whole() {
        let whole = drawn(&[&[2, 0, 1, 1, 2, 0]]);
        assert_eq!(whole, drawn(&[&[2, 0], &[1, 1, 2], &[0]]));
        assert_eq!(whole.1.len(), 2);
    }

    #[test]
    fn two_examples_that_change_places_change_their_epoch_and_the_whole() {
        let (all, epochs) = drawn(&[&[2, 0, 1, 1, 2, 0]]);
        let (other, others) = drawn(&[&[2, 0, 1, 2, 1, 0]]);
        assert_ne!(all, other);
        assert_eq!(epochs[0], others[0]);
        assert_ne!(epochs[1], others[1]);
    }

    #[test]
    fn an_unknown_beginning_stays_unknown() {
        let mut drawn = Drawn::new(3, 6, None);
        drawn.add(3, &[1, 2, 0]);
        assert_eq!(drawn.texts(), None);
    }
}
