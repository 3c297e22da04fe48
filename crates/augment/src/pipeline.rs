//! The whole way of a training image: crop, resize, flip, RandAugment, planar bytes.
//!
//! Mixup comes later, on the device, because it needs the batch.

use augreg_spec::random::Stream;
use augreg_spec::{Augmentation, Crop};

use crate::ImageView;
use crate::canvas::Canvas;
use crate::crop::{self, Window};
use crate::image::write_planar;
use crate::op::{Edit, Strength};
use crate::resize::Resizer;

/// Working memory, reused from one image to the next; one a thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) canvas: Canvas,
    pub(crate) resizer: Resizer,
}

/// What is done to every training image of a job.
#[derive(Debug, Clone)]
pub struct Pipeline {
    crop: Crop,
    flip: bool,
    layers: u32,
    strength: Strength,
    resolution: usize,
}

impl Pipeline {
    /// The pipeline of `augmentation` for square training images of `resolution` pixels a side.
    /// Mixup is not part of it.
    #[must_use]
    pub fn new(augmentation: &Augmentation, resolution: u32) -> Self {
        let (layers, magnitude) =
            augmentation.randaugment.map_or((0, 0), |rand| (rand.layers, rand.magnitude));
        Self {
            crop: augmentation.crop,
            flip: augmentation.flip,
            layers,
            strength: Strength::new(magnitude, resolution),
            resolution: resolution as usize,
        }
    }

    /// How many bytes a training image of `channels` channels has.
    #[must_use]
    pub fn output_len(&self, channels: usize) -> usize {
        channels * self.resolution * self.resolution
    }

    /// Makes a training image of `source`, written plane by plane into `out`,
    /// `[channels, resolution, resolution]`.
    ///
    /// Draws from `draws`, which is the example's own, in this order and never otherwise: the
    /// crop's window, if there is a crop ([`Crop::Inception`]); whether to flip, if the
    /// augmentation flips; for each layer of RandAugment the op and its arguments
    /// ([`Edit::draw`]). Once `scratch` has seen an image of every size, nothing is allocated.
    ///
    /// # Panics
    ///
    /// If `out` is not [`Self::output_len`] long.
    pub fn augment(
        &self,
        source: ImageView<'_>,
        draws: &mut Stream,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) {
        let (side, channels) = (self.resolution, source.channels());
        let Scratch { canvas, resizer } = scratch;
        let window = match self.crop {
            Crop::Inception => crop::sample(source.width(), source.height(), draws),
            Crop::None => {
                Window { left: 0, top: 0, width: source.width(), height: source.height() }
            }
        };
        resizer.bilinear(source, window, (side, side), canvas.reshape(side, side, channels));
        if self.flip && draws.chance(0.5) {
            canvas.mirror();
        }
        for _ in 0..self.layers {
            Edit::draw(&self.strength, side, side, draws).apply(canvas);
        }
        write_planar(canvas.view().pixels(), channels, out);
    }
}

#[cfg(test)]
mod tests {
    use augreg_spec::random::{Purpose, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::golden::pattern;

    fn augment(preset: &str, resolution: u32, source: ImageView<'_>, seed: u64) -> Vec<u8> {
        let pipeline = Pipeline::new(&Augmentation::preset(preset).unwrap(), resolution);
        let mut out = vec![0; pipeline.output_len(source.channels())];
        let mut draws = stream(seed, Purpose::Augment, 0, 0);
        pipeline.augment(source, &mut draws, &mut Scratch::default(), &mut out);
        out
    }

    #[test]
    fn without_crop_flip_and_randaugment_an_image_of_the_right_size_stays() {
        let augmentation =
            Augmentation { randaugment: None, mixup: 0.0, crop: Crop::None, flip: false };
        let pixels = pattern(28, 28, 1, 0);
        let mut out = vec![0; 28 * 28];
        Pipeline::new(&augmentation, 28).augment(
            ImageView::new(&pixels, 28, 28, 1),
            &mut stream(0, Purpose::Augment, 0, 0),
            &mut Scratch::default(),
            &mut out,
        );
        assert_eq!(out, pixels);
    }

    #[test]
    fn a_used_scratch_changes_nothing() {
        let large = pattern(90, 120, 3, 0);
        let small = pattern(28, 28, 1, 0);
        let pipeline = Pipeline::new(&Augmentation::preset("medium1").unwrap(), 28);
        let mut scratch = Scratch::default();
        for seed in 0..200 {
            for image in [ImageView::new(&large, 120, 90, 3), ImageView::new(&small, 28, 28, 1)] {
                let mut out = vec![0; pipeline.output_len(image.channels())];
                let mut draws = stream(seed, Purpose::Augment, 0, 0);
                pipeline.augment(image, &mut draws, &mut scratch, &mut out);
                assert_eq!(out, augment("medium1", 28, image, seed));
            }
        }
    }

    #[test]
    fn stronger_presets_change_images_more() {
        let pixels = pattern(28, 28, 1, 0);
        let source = ImageView::new(&pixels, 28, 28, 1);
        let distance = |preset| {
            let changes = (0..300).flat_map(|seed| {
                let plain = augment("none", 28, source, seed);
                let out = augment(preset, 28, source, seed);
                plain.into_iter().zip(out).map(|(a, b)| u64::from(a.abs_diff(b)))
            });
            changes.sum::<u64>()
        };
        assert_eq!(distance("none"), 0);
        assert!(distance("light2") > 300 * 784 * 20, "{}", distance("light2"));
    }

    proptest! {
        #[test]
        fn any_size_resolution_and_magnitude_is_augmented(
            (width, height) in (1usize..70, 1usize..70),
            grey: bool,
            resolution in 1u32..60,
            (layers, magnitude) in (0u32..4, 0u32..=30),
            seed: u64,
        ) {
            let channels = if grey { 1 } else { 3 };
            let augmentation = Augmentation {
                randaugment: Some(augreg_spec::RandAugment { layers, magnitude }),
                mixup: 0.0,
                crop: if seed % 2 == 0 { Crop::Inception } else { Crop::None },
                flip: true,
            };
            let pipeline = Pipeline::new(&augmentation, resolution);
            let pixels = pattern(height, width, channels, 0);
            let mut out = vec![0; pipeline.output_len(channels)];
            let mut draws = stream(seed, Purpose::Augment, 0, 0);
            let source = ImageView::new(&pixels, width, height, channels);
            pipeline.augment(source, &mut draws, &mut Scratch::default(), &mut out);
        }
    }
}
