//! The whole way of a training image: crop, resize, flip, RandAugment, planar bytes.
//!
//! Mixup comes later, on the device, because it needs the batch.

use augreg_decode::{DecodeError, Decoder, Window};
use augreg_spec::random::Stream;
use augreg_spec::{Augmentation, Crop};

use crate::canvas::Canvas;
use crate::op::{Edit, Strength};
use crate::pillow::Pillow;
use crate::resize::Resizer;
use crate::{Evaluation, Picture, crop, random_resized_crop};

/// Working memory, reused from one image to the next; one a thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) canvas: Canvas,
    pub(crate) resizer: Resizer,
    pub(crate) decoder: Decoder,
    pillow: Pillow,
}

/// What a pipeline draws for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What is cut out of the picture, or of what it is resized to.
    pub window: Window,
    /// Width and height that it is resized to before it is cut, if it is.
    pub resized: Option<(usize, usize)>,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// The ops of RandAugment, in order.
    pub edits: Vec<Edit>,
}

/// Width and height that a picture is resized to, and what is cut out of that.
type Resized = ((usize, usize), Window);

/// What is done to every training image of a job.
#[derive(Debug, Clone)]
pub struct Pipeline {
    crop: Crop,
    flip: bool,
    layers: u32,
    strength: Strength,
    resolution: usize,
    /// Whose resize [`Crop::Resmall`] takes.
    evaluation: Evaluation,
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
            evaluation: Evaluation::new(resolution),
        }
    }

    /// How many bytes a training image of `channels` channels has.
    #[must_use]
    pub fn output_len(&self, channels: usize) -> usize {
        channels * self.resolution * self.resolution
    }

    /// Draws what [`Self::augment`] draws for a picture of `width` × `height`, and does nothing: for
    /// telling a person.
    pub fn draw(&self, width: usize, height: usize, draws: &mut Stream) -> Drawn {
        let side = self.resolution;
        let (whole, cut) = self.window(width, height, draws);
        let (resized, window) = cut.map_or((None, whole), |(full, cut)| (Some(full), cut));
        let mirrored = self.flip && draws.chance(0.5);
        let edits = (0..self.layers).map(|_| Edit::draw(&self.strength, side, side, draws));
        Drawn { window, resized, mirrored, edits: edits.collect() }
    }

    /// Makes a training image of `picture`, written plane by plane into `out`,
    /// `[channels, resolution, resolution]`. The length of `out` says whether 1 or 3 channels are
    /// wanted: grey becomes three equal channels, colour its luma.
    ///
    /// Draws from `draws`, which is the example's own, in this order and never otherwise: the
    /// crop's window, if there is a crop (each kind says in its module what); whether to flip, if the
    /// augmentation flips; for each layer of RandAugment the op and its arguments
    /// ([`Edit::draw`]). Once `scratch` has seen an image of every size, nothing is allocated.
    ///
    /// # Errors
    ///
    /// If the picture is a file and cannot be decoded.
    ///
    /// # Panics
    ///
    /// If `out` is not [`Self::output_len`] of 1 or 3 channels long.
    pub fn augment(
        &self,
        picture: Picture<'_>,
        draws: &mut Stream,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        let side = self.resolution;
        let wanted = out.len() / (side * side);
        assert_eq!(out.len(), self.output_len(wanted), "the output holds whole channels");
        let Scratch { canvas, decoder, .. } = scratch;
        let mut cut = None;
        let (source, window) = picture.look(wanted, decoder, |width, height| {
            let window;
            (window, cut) = self.window(width, height, draws);
            window
        })?;
        let mirror = self.flip && draws.chance(0.5);
        let channels = source.channels();
        let direct = self.layers == 0 && channels == wanted;
        let pixels = if direct { &mut *out } else { canvas.reshape(side, side, channels) };
        let square = (side, side);
        match (self.crop, cut) {
            (_, Some((full, cut))) => scratch.resizer.area(source, full, cut, pixels),
            (Crop::Torchvision, _) => scratch.pillow.bilinear(source, window, square, pixels),
            _ => scratch.resizer.bilinear(source, window, square, mirror, pixels),
        }
        if mirror && matches!(self.crop, Crop::Torchvision | Crop::Resmall) {
            pixels.chunks_exact_mut(side).for_each(<[u8]>::reverse);
        }
        if direct {
            return Ok(());
        }
        for _ in 0..self.layers {
            Edit::draw(&self.strength, side, side, draws).apply(canvas);
        }
        canvas.write(out);
        Ok(())
    }

    /// Draws what is cut out of a picture: a part of it, or of what it is resized to first.
    fn window(&self, width: usize, height: usize, draws: &mut Stream) -> (Window, Option<Resized>) {
        let (side, whole) = (self.resolution, Window { left: 0, top: 0, width, height });
        match self.crop {
            Crop::Inception => (crop::sample(width, height, draws), None),
            Crop::Torchvision => (random_resized_crop::sample(width, height, draws), None),
            Crop::Resmall => {
                let full = self.evaluation.full(width, height);
                let top = draws.below((full.1 - side + 1) as u32) as usize;
                let left = draws.below((full.0 - side + 1) as u32) as usize;
                (whole, Some((full, Window { left, top, width: side, height: side })))
            }
            Crop::None => (whole, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use augreg_spec::random::{Purpose, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::ImageView;
    use crate::golden::pattern;

    fn augment(preset: &str, resolution: u32, source: ImageView<'_>, seed: u64) -> Vec<u8> {
        let pipeline = Pipeline::new(&Augmentation::preset(preset).unwrap(), resolution);
        let mut out = vec![0; pipeline.output_len(source.channels())];
        let mut draws = stream(seed, Purpose::Augment, 0, 0);
        pipeline.augment(source.into(), &mut draws, &mut Scratch::default(), &mut out).unwrap();
        out
    }

    #[test]
    fn without_crop_flip_and_randaugment_an_image_of_the_right_size_stays() {
        let augmentation =
            Augmentation { randaugment: None, mixup: 0.0, crop: Crop::None, flip: false };
        let pixels = pattern(28, 28, 1, 0);
        let mut out = vec![0; 28 * 28];
        let picture = ImageView::new(&pixels, 28, 28, 1).into();
        let mut draws = stream(0, Purpose::Augment, 0, 0);
        let pipeline = Pipeline::new(&augmentation, 28);
        pipeline.augment(picture, &mut draws, &mut Scratch::default(), &mut out).unwrap();
        assert_eq!(out, pixels);
    }

    #[test]
    fn what_is_told_is_what_is_drawn() {
        let pixels = pattern(90, 120, 3, 0);
        for (preset, layers) in [("strong2", 2), ("scratch2", 4)] {
            let pipeline = Pipeline::new(&Augmentation::preset(preset).unwrap(), 28);
            let mut out = vec![0; pipeline.output_len(3)];
            for seed in 0..50 {
                let (mut told, mut done) =
                    [0, 0].map(|_| stream(seed, Purpose::Augment, 0, 0)).into();
                let picture = ImageView::new(&pixels, 120, 90, 3).into();
                let drawn = pipeline.draw(120, 90, &mut told);
                pipeline.augment(picture, &mut done, &mut Scratch::default(), &mut out).unwrap();
                assert_eq!(told.bits(), done.bits(), "{drawn:?}");
                assert_eq!(drawn.edits.len(), layers, "{preset}");
            }
        }
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
                pipeline.augment(image.into(), &mut draws, &mut scratch, &mut out).unwrap();
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
                crop: Crop::ALL[(seed % 4) as usize].1,
                flip: true,
            };
            let pipeline = Pipeline::new(&augmentation, resolution);
            let pixels = pattern(height, width, channels, 0);
            let mut out = vec![0; pipeline.output_len(channels)];
            let mut draws = stream(seed, Purpose::Augment, 0, 0);
            let source = ImageView::new(&pixels, width, height, channels);
            pipeline.augment(source.into(), &mut draws, &mut Scratch::default(), &mut out).unwrap();
        }
    }
}
