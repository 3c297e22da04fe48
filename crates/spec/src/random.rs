//! Keyed random streams: every draw of a job is a function of where it happens, not of what
//! happened before.
//!
//! A stream is ChaCha8 under the key `(seed, purpose, major, minor)`. Nothing is ever saved or
//! restored: a job that resumes at step `k` asks for the streams of step `k` and gets the very
//! draws an uninterrupted run gets, whatever the number of threads or the prefetch depth.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream is used for. Two purposes never share draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The initial value of one tensor; major and minor come from its name.
    Init = 1,
    /// The order of examples; major is the epoch.
    Order = 2,
    /// The augmentation of one example; major is the epoch, minor the example's index.
    Augment = 3,
    /// Mixup's λ; major is the step.
    Mixup = 4,
    /// Dropout and stochastic depth masks, drawn by libtorch from this seed; major is the step.
    Dropout = 5,
    /// Back-off jitter of the scheduler; never part of a result.
    Backoff = 6,
    /// The steps at which a repetition of a job is interrupted; never part of a result.
    Interruption = 7,
    /// The examples of a subset, from the subset's own seed; major is 1 plus the class, or 0 where
    /// classes do not count.
    Subset = 8,
    /// The order that pictures in folders are given, the same in all studies: seed, major and minor
    /// are 0.
    Listing = 9,
    /// The order in which a simulated search tries runs; never part of a result.
    Search = 20,
}

/// One stream of draws.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

/// Opens the stream of a job's `seed` for `purpose` at (`major`, `minor`).
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, major: u64, minor: u64) -> Stream {
    let mut key = [0; 32];
    for (word, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, major, minor]) {
        word.copy_from_slice(&value.to_le_bytes());
    }
    Stream(ChaCha8Rng::from_seed(key))
}

/// Opens the stream of a named thing (a tensor), so that adding another changes none.
#[must_use]
pub fn named_stream(seed: u64, purpose: Purpose, name: &str) -> Stream {
    let hash = blake3::hash(name.as_bytes());
    let word = |i: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[8 * i..8 * i + 8]);
        u64::from_le_bytes(bytes)
    };
    stream(seed, purpose, word(0), word(1))
}

impl Stream {
    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform integer in `0..bound` (Lemire's multiply-shift; its bias is below 2⁻³²).
    ///
    /// # Panics
    ///
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "an empty range has no element to draw");
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u32
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A uniform number in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// The underlying generator, for distributions of the `rand` family.
    pub fn generator(&mut self) -> &mut impl Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_every_part_of_their_key_and_repeat_exactly() {
        let first = |seed, purpose, major, minor| stream(seed, purpose, major, minor).bits();
        let base = first(0, Purpose::Order, 0, 0);
        assert_eq!(base, first(0, Purpose::Order, 0, 0));
        for other in [
            first(1, Purpose::Order, 0, 0),
            first(0, Purpose::Augment, 0, 0),
            first(0, Purpose::Order, 1, 0),
            first(0, Purpose::Order, 0, 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn draws_stay_in_range() {
        let mut draws = stream(7, Purpose::Augment, 3, 9);
        for _ in 0..10_000 {
            assert!(draws.below(16) < 16);
            let x = draws.uniform(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&x));
        }
    }
}
