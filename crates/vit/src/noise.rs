//! The randomness of a training pass: dropout and stochastic depth.
//!
//! On a CPU every mask is a function of the pass's seed, of the place in the network and of the
//! element, so a batch may be cut into micro-batches and is masked as the whole. On other devices
//! masks are libtorch's, from its generator of the device, seeded anew for each pass: there a
//! micro-batch draws masks of its own.

use std::cell::Cell;

use augreg_kernels::{Dropping, add_dropped, dropped, gelu_dropped};
use augreg_spec::Gelu;
use tch::{Device, Kind, Tensor};

/// Where a training pass draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    /// Seed of the step: other steps have others.
    pub seed: u64,
    /// Place of the first image within the step's batch.
    pub first: u64,
}

/// A probability of dropping, above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drop(f64);

impl Drop {
    /// None if `probability`, in [0, 1), never drops anything.
    pub(crate) fn new(probability: f64) -> Option<Self> {
        (probability > 0.0).then_some(Self(probability))
    }
}

/// Stochastic depth of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Depth {
    pub(crate) drop: Drop,
    /// Whether a branch that is kept is scaled by 1 / (1 − p).
    pub(crate) rescale: bool,
}

/// The draws of one pass, place after place.
#[derive(Debug)]
pub(crate) struct Draws {
    noise: Noise,
    places: Cell<u64>,
}

impl Draws {
    pub(crate) fn begin(noise: Noise, device: Device) -> Self {
        if device != Device::Cpu {
            tch::manual_seed(scramble(noise.seed ^ noise.first).cast_signed());
        }
        Self { noise, places: Cell::new(0) }
    }

    /// What is dropped at the next place, of a tensor with `elements` for each image.
    fn next(&self, drop: Drop, elements: u64) -> Dropping {
        let place = self.places.replace(self.places.get() + 1);
        let key = scramble(self.noise.seed ^ scramble(place));
        Dropping::new(drop.0, key, self.noise.first * elements)
    }

    /// Inverted dropout.
    pub(crate) fn dropout(&self, drop: Option<Drop>, x: Tensor) -> Tensor {
        let Some(drop) = drop else { return x };
        if x.device() != Device::Cpu {
            return x.dropout(drop.0, true);
        }
        dropped(&x, self.next(drop, elements(&x)))
    }

    /// GELU, then dropout.
    pub(crate) fn gelu(&self, form: Gelu, drop: Option<Drop>, x: &Tensor) -> Tensor {
        if x.device() == Device::Cpu && form == Gelu::Tanh {
            let drop = drop.map_or_else(Dropping::nothing, |drop| self.next(drop, elements(x)));
            return gelu_dropped(x, drop);
        }
        self.dropout(drop, gelu(form, x))
    }

    /// `x + branch`, the branch through dropout and stochastic depth. What an image's branch is
    /// multiplied by is drawn for each image.
    pub(crate) fn add(
        &self,
        x: &Tensor,
        branch: &Tensor,
        drop: Option<Drop>,
        depth: Option<Depth>,
    ) -> Tensor {
        let images = x.size()[0];
        if x.device() != Device::Cpu {
            let branch = self.dropout(drop, branch.shallow_clone());
            let Some(Depth { drop: Drop(p), rescale }) = depth else { return x + branch };
            let mut keep = Tensor::empty([images, 1, 1], (branch.kind(), x.device()));
            let keep = keep.bernoulli_float_(1.0 - p);
            let keep = if rescale { keep / (1.0 - p) } else { keep };
            return x.addcmul(&branch, &keep);
        }
        let drop = drop.map_or_else(Dropping::nothing, |drop| self.next(drop, elements(x)));
        let factors = depth.map(|Depth { drop, rescale }| {
            let ones = Tensor::ones([images], (Kind::Float, Device::Cpu));
            let which = self.next(drop, 1);
            dropped(&ones, if rescale { which } else { which.unscaled() })
        });
        add_dropped(x, branch, factors.as_ref(), drop)
    }
}

/// GELU, in evaluation as in training.
pub(crate) fn gelu(form: Gelu, x: &Tensor) -> Tensor {
    match form {
        Gelu::Tanh if x.device() == Device::Cpu => gelu_dropped(x, Dropping::nothing()),
        Gelu::Tanh => x.gelu("tanh"),
        Gelu::Erf => x.gelu("none"),
    }
}

/// Elements for each image.
fn elements(x: &Tensor) -> u64 {
    let size = x.size();
    size[1..].iter().product::<i64>().unsigned_abs()
}

/// A bijection of 64 bits that leaves no trace of order (the finalizer of `SplitMix64`).
fn scramble(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROP: Option<Drop> = Some(Drop(0.3));

    fn ones() -> Tensor {
        Tensor::ones([8, 5, 6], (Kind::Float, Device::Cpu))
    }

    fn draws(seed: u64, first: u64) -> Draws {
        Draws::begin(Noise { seed, first }, Device::Cpu)
    }

    #[test]
    fn a_seed_repeats_its_masks_and_every_place_has_its_own() {
        let (one, again, other) = (draws(5, 0), draws(5, 0), draws(6, 0));
        let first = one.dropout(DROP, ones());
        assert_eq!(first, again.dropout(DROP, ones()));
        assert_ne!(first, other.dropout(DROP, ones()));
        assert_ne!(first, one.dropout(DROP, ones()), "the next place");
    }

    #[test]
    fn a_micro_batch_is_masked_as_within_the_whole() {
        let depth = Some(Depth { drop: Drop(0.5), rescale: false });
        let pass = |draws: &Draws, from: i64, images: i64| {
            let x = ones().narrow(0, from, images);
            let x = draws.gelu(Gelu::Tanh, DROP, &x);
            draws.add(&x, &ones().narrow(0, from, images), DROP, depth)
        };
        let whole = pass(&draws(9, 0), 0, 8);
        assert_eq!(whole.narrow(0, 5, 3), pass(&draws(9, 5), 5, 3));
    }

    #[test]
    fn stochastic_depth_drops_whole_images_and_rescales_if_told_to() {
        for (rescale, kept) in [(false, 1.0), (true, 2.0)] {
            let branch = ones().repeat([8, 1, 1]);
            let depth = Some(Depth { drop: Drop(0.5), rescale });
            let out = draws(3, 0).add(&branch.zeros_like(), &branch, None, depth).view([64, 30]);
            let each = Vec::<f32>::try_from(out.select(1, 0)).expect("floats");
            assert!(each.contains(&0.0) && each.contains(&kept), "{each:?}");
            let same = out.eq_tensor(&out.narrow(1, 0, 1)).all().int64_value(&[]);
            assert_eq!(same, 1, "all of an image or nothing");
        }
        assert_eq!(Drop::new(0.0), None);
    }
}
