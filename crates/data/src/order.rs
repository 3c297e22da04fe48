//! The order of examples: every epoch a permutation, any position of it in constant time.
//!
//! A job that resumes at step 1,000,000 asks for that step's examples and has them; nothing is
//! shuffled, stored or skipped over.

use augreg_spec::random::{Purpose, Stream, stream};

/// Rounds of the Feistel network; with four it already is a pseudo-random permutation
/// (Luby and Rackoff 1988), more make up for the plain mixing function.
const ROUNDS: usize = 8;

/// The order in which a job meets the examples of its training split.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    seed: u64,
    examples: u64,
}

impl Order {
    /// The order of `examples` examples in the job of this seed.
    ///
    /// # Panics
    ///
    /// If there are no examples.
    #[must_use]
    pub fn new(seed: u64, examples: u64) -> Self {
        assert!(examples > 0, "nothing has no order");
        Self { seed, examples }
    }

    /// The epoch and the example at `position`, counted from the beginning of the job: the
    /// `i`-th image of step `s` is at `s · batch + i`, so batches cross from epoch to epoch.
    #[must_use]
    pub fn example(&self, position: u64) -> (u64, u64) {
        let epoch = position / self.examples;
        (epoch, self.permutation(epoch).example(position % self.examples))
    }

    /// The order within one epoch; worth keeping while positions stay in it.
    #[must_use]
    pub fn permutation(&self, epoch: u64) -> Permutation {
        Permutation::new(self.examples, &mut stream(self.seed, Purpose::Order, epoch, 0))
    }
}

/// A permutation of `0..examples`: a Feistel network over the next power of four, walked until it
/// ends up below `examples` (on average fewer than four times, at most once for each number it
/// skips).
#[derive(Debug, Clone, Copy)]
pub struct Permutation {
    examples: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `0..examples`, at least one, under the key that `draws` gives.
    pub(crate) fn new(examples: u64, draws: &mut Stream) -> Self {
        let bits = u64::BITS - (examples - 1).leading_zeros();
        let half_bits = bits.div_ceil(2).max(1);
        Self { examples, half_bits, keys: std::array::from_fn(|_| draws.bits()) }
    }

    /// The example at position `i` of the epoch.
    ///
    /// # Panics
    ///
    /// If `i` is not below the number of examples.
    #[must_use]
    pub fn example(&self, i: u64) -> u64 {
        assert!(i < self.examples, "position {i} lies beyond the epoch's {}", self.examples);
        let mut at = self.network(i);
        while at >= self.examples {
            at = self.network(at);
        }
        at
    }

    fn network(&self, at: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (at >> self.half_bits, at & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The finalizer of `SplitMix64` (Steele et al. 2014); its high bits, which are mixed best.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_epoch_meets_every_example_once(seed: u64, examples in 1u64..3000, epoch in 0u64..1 << 40) {
            let order = Order::new(seed, examples);
            let first = epoch * examples;
            let mut met: Vec<_> = (first..first + examples).map(|at| order.example(at)).collect();
            prop_assert!(met.iter().all(|(at, _)| *at == epoch));
            met.sort_unstable();
            prop_assert!(met.iter().map(|(_, example)| *example).eq(0..examples));
        }

        #[test]
        fn any_size_has_an_order(seed: u64, examples in 1u64.., position: u64) {
            let (epoch, example) = Order::new(seed, examples).example(position);
            prop_assert_eq!(epoch, position / examples);
            prop_assert!(example < examples);
        }
    }

    #[test]
    fn every_example_is_as_likely_at_every_position() {
        for examples in [3u64, 5, 10] {
            let epochs = 20_000;
            let mut counts = vec![0u64; (examples * examples) as usize];
            for epoch in 0..epochs {
                let permutation = Order::new(9, examples).permutation(epoch);
                for i in 0..examples {
                    counts[(i * examples + permutation.example(i)) as usize] += 1;
                }
            }
            let expected = epochs as f64 / examples as f64;
            let off =
                counts.iter().map(|&count| (count as f64 - expected).abs()).fold(0.0, f64::max);
            assert!(off < 5.0 * expected.sqrt(), "{examples}: {off} off {expected}");
        }
    }

    #[test]
    fn seeds_and_epochs_have_orders_of_their_own() {
        let met = |seed, epoch| {
            let permutation = Order::new(seed, 60_000).permutation(epoch);
            (0..60_000).map(|i| permutation.example(i)).collect::<Vec<_>>()
        };
        let same = |a: &[u64], b: &[u64]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        let base = met(0, 0);
        let in_place: Vec<u64> = (0..60_000).collect();
        for other in [met(0, 1), met(1, 0), in_place] {
            assert!(same(&base, &other) < 10, "a random pair agrees in about one place");
        }
    }
}
