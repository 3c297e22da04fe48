//! The 16 ops of RandAugment: their order, how a magnitude becomes arguments, and what is drawn.
//!
//! An [`Op`] is a name; an [`Edit`] is an op with every argument fixed, ready to apply. Faithful
//! to the study's code, quirks included: an op is always applied, no op is the identity, magnitude
//! 0 is far from harmless, and magnitudes above 10 extrapolate.
//!
//! # Resolution
//!
//! The reference translates by up to 100 pixels (at magnitude 10) and cuts out squares of up to
//! 80 pixels, numbers made for 224 × 224: a 28 × 28 image would be wiped out by any translation.
//! Both lengths are scaled by `resolution / 224` here. At 224 that is the reference bit for bit;
//! at other resolutions it is part of recipe version 1. Nothing else depends on the resolution,
//! save Contrast's grey, which is `resolution² / 256` clipped to 255 in the reference already.
//!
//! # Source
//!
//! `distort_image_with_randaugment` in big_vision `pp/archive/autoaugment.py`.

use augreg_spec::random::Stream;

use crate::canvas::Canvas;
use crate::{color, geometry, sharpness, tone};

/// The resolution the reference's pixel lengths are made for.
const REFERENCE_RESOLUTION: f64 = 224.0;

/// An op of RandAugment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Stretches each channel to the full range.
    AutoContrast,
    /// Evens out each channel's histogram.
    Equalize,
    /// Inverts every value.
    Invert,
    /// Turns about the centre.
    Rotate,
    /// Drops low bits.
    Posterize,
    /// Inverts values above a threshold.
    Solarize,
    /// Blends with grey.
    Color,
    /// Blends with one grey for the whole image.
    Contrast,
    /// Blends with black.
    Brightness,
    /// Blends with a smoothed self.
    Sharpness,
    /// Shears along rows.
    ShearX,
    /// Shears along columns.
    ShearY,
    /// Moves along rows.
    TranslateX,
    /// Moves along columns.
    TranslateY,
    /// Covers a square.
    Cutout,
    /// Brightens dark values.
    SolarizeAdd,
}

impl Op {
    /// Every op, in the reference's order: a draw below 16 is an index into this list.
    pub const ALL: [Self; 16] = [
        Self::AutoContrast,
        Self::Equalize,
        Self::Invert,
        Self::Rotate,
        Self::Posterize,
        Self::Solarize,
        Self::Color,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Cutout,
        Self::SolarizeAdd,
    ];

    /// The name in the reference.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AutoContrast => "AutoContrast",
            Self::Equalize => "Equalize",
            Self::Invert => "Invert",
            Self::Rotate => "Rotate",
            Self::Posterize => "Posterize",
            Self::Solarize => "Solarize",
            Self::Color => "Color",
            Self::Contrast => "Contrast",
            Self::Brightness => "Brightness",
            Self::Sharpness => "Sharpness",
            Self::ShearX => "ShearX",
            Self::ShearY => "ShearY",
            Self::TranslateX => "TranslateX",
            Self::TranslateY => "TranslateY",
            Self::Cutout => "Cutout",
            Self::SolarizeAdd => "SolarizeAdd",
        }
    }
}

/// The arguments a magnitude stands for, before signs and places are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strength {
    degrees: f32,
    bits: u32,
    threshold: u8,
    factor: f32,
    shear: f32,
    translation: f32,
    cutout: usize,
    addition: u32,
}

impl Strength {
    /// The arguments of `magnitude` (10 is the reference's "maximum") on square images of
    /// `resolution` pixels a side.
    #[must_use]
    pub fn new(magnitude: u32, resolution: u32) -> Self {
        let level = f64::from(magnitude) / 10.0;
        let scaled = |length: f64| length * f64::from(resolution) / REFERENCE_RESOLUTION;
        Self {
            degrees: (level * 30.0) as f32,
            bits: (level * 4.0) as u32,
            // At 10 this is 256, which the reference's 8-bit comparison takes for 0.
            threshold: (level * 256.0) as u32 as u8,
            factor: (level * 1.8 + 0.1) as f32,
            shear: (level * 0.3) as f32,
            translation: (level * scaled(100.0)) as f32,
            cutout: (level * scaled(40.0)) as usize,
            addition: (level * 110.0) as u32,
        }
    }
}

/// An op with every argument fixed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "each field is the argument its op is documented with in `Op`")]
pub enum Edit {
    /// [`Op::AutoContrast`].
    AutoContrast,
    /// [`Op::Equalize`].
    Equalize,
    /// [`Op::Invert`].
    Invert,
    /// [`Op::Rotate`], counter-clockwise.
    Rotate { degrees: f32 },
    /// [`Op::Posterize`] to so many bits.
    Posterize { bits: u32 },
    /// [`Op::Solarize`] from this value on.
    Solarize { threshold: u8 },
    /// [`Op::Color`]; a factor of 1 changes nothing, here and in the next three.
    Color { factor: f32 },
    /// [`Op::Contrast`].
    Contrast { factor: f32 },
    /// [`Op::Brightness`].
    Brightness { factor: f32 },
    /// [`Op::Sharpness`].
    Sharpness { factor: f32 },
    /// [`Op::ShearX`] by so many pixels a row, to the left going down.
    ShearX { level: f32 },
    /// [`Op::ShearY`] by so many pixels a column, upwards going right.
    ShearY { level: f32 },
    /// [`Op::TranslateX`], to the left.
    TranslateX { pixels: f32 },
    /// [`Op::TranslateY`], upwards.
    TranslateY { pixels: f32 },
    /// [`Op::Cutout`]: half the square's side and its centre.
    Cutout { half: usize, x: usize, y: usize },
    /// [`Op::SolarizeAdd`] of this to values below 128.
    SolarizeAdd { addition: u32 },
}

impl Edit {
    /// Draws an op and its arguments for an image of `width` × `height`.
    ///
    /// Draws, in this order: the op; then the sign of Rotate, `ShearX`, `ShearY`, `TranslateX` and
    /// `TranslateY` (positive with probability one half), or row and column of Cutout's centre.
    pub fn draw(strength: &Strength, width: usize, height: usize, draws: &mut Stream) -> Self {
        let op = Op::ALL[draws.below(Op::ALL.len() as u32) as usize];
        Self::draw_arguments(op, strength, width, height, draws)
    }

    fn draw_arguments(
        op: Op,
        strength: &Strength,
        width: usize,
        height: usize,
        draws: &mut Stream,
    ) -> Self {
        let mut signed = |value: f32| if draws.chance(0.5) { value } else { -value };
        let factor = strength.factor;
        match op {
            Op::AutoContrast => Self::AutoContrast,
            Op::Equalize => Self::Equalize,
            Op::Invert => Self::Invert,
            Op::Rotate => Self::Rotate { degrees: signed(strength.degrees) },
            Op::Posterize => Self::Posterize { bits: strength.bits },
            Op::Solarize => Self::Solarize { threshold: strength.threshold },
            Op::Color => Self::Color { factor },
            Op::Contrast => Self::Contrast { factor },
            Op::Brightness => Self::Brightness { factor },
            Op::Sharpness => Self::Sharpness { factor },
            Op::ShearX => Self::ShearX { level: signed(strength.shear) },
            Op::ShearY => Self::ShearY { level: signed(strength.shear) },
            Op::TranslateX => Self::TranslateX { pixels: signed(strength.translation) },
            Op::TranslateY => Self::TranslateY { pixels: signed(strength.translation) },
            Op::Cutout => {
                let y = draws.below(height as u32) as usize;
                let x = draws.below(width as u32) as usize;
                Self::Cutout { half: strength.cutout, x, y }
            }
            Op::SolarizeAdd => Self::SolarizeAdd { addition: strength.addition },
        }
    }

    /// Applies the edit.
    pub(crate) fn apply(self, canvas: &mut Canvas) {
        match self {
            Self::AutoContrast => tone::auto_contrast(canvas),
            Self::Equalize => tone::equalize(canvas),
            Self::Invert => tone::invert(canvas),
            Self::Rotate { degrees } => geometry::rotate(canvas, degrees),
            Self::Posterize { bits } => tone::posterize(canvas, bits),
            Self::Solarize { threshold } => tone::solarize(canvas, threshold),
            Self::Color { factor } => color::color(canvas, factor),
            Self::Contrast { factor } => tone::contrast(canvas, factor),
            Self::Brightness { factor } => tone::brightness(canvas, factor),
            Self::Sharpness { factor } => sharpness::sharpness(canvas, factor),
            Self::ShearX { level } => geometry::shear_x(canvas, level),
            Self::ShearY { level } => geometry::shear_y(canvas, level),
            Self::TranslateX { pixels } => geometry::translate_x(canvas, pixels),
            Self::TranslateY { pixels } => geometry::translate_y(canvas, pixels),
            Self::Cutout { half, x, y } => geometry::cutout(canvas, half, x, y),
            Self::SolarizeAdd { addition } => tone::solarize_add(canvas, addition),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use augreg_spec::random::{Purpose, stream};

    use super::*;

    /// The edit of `op` with the given sign, or cutout's centre.
    pub(crate) fn edit(op: Op, strength: &Strength, negative: bool, x: usize, y: usize) -> Edit {
        let mut draws = stream(0, Purpose::Augment, 0, 0);
        match Edit::draw_arguments(op, strength, 1, 1, &mut draws) {
            Edit::Rotate { degrees } => Edit::Rotate { degrees: sign(degrees, negative) },
            Edit::ShearX { level } => Edit::ShearX { level: sign(level, negative) },
            Edit::ShearY { level } => Edit::ShearY { level: sign(level, negative) },
            Edit::TranslateX { pixels } => Edit::TranslateX { pixels: sign(pixels, negative) },
            Edit::TranslateY { pixels } => Edit::TranslateY { pixels: sign(pixels, negative) },
            Edit::Cutout { half, .. } => Edit::Cutout { half, x, y },
            other => other,
        }
    }

    fn sign(value: f32, negative: bool) -> f32 {
        if negative { -value.abs() } else { value.abs() }
    }

    #[test]
    fn arguments_are_the_references_at_224() {
        let strength = |magnitude| Strength::new(magnitude, 224);
        let expected = [(0, 0.1, 0, 0, 0.0, 0, 0), (10, 1.9, 4, 0, 100.0, 40, 110)];
        for (magnitude, factor, bits, threshold, translation, cutout, addition) in expected {
            let found = strength(magnitude);
            assert_eq!((found.factor, found.bits), (factor, bits));
            assert_eq!((found.threshold, found.translation), (threshold, translation));
            assert_eq!((found.cutout, found.addition), (cutout, addition));
        }
        assert_eq!(strength(15).threshold, 128, "384 wraps to 128");
        assert_eq!(strength(20).threshold, 0, "512 wraps to 0");
        let small = Strength::new(15, 28);
        assert_eq!((small.translation, small.cutout), (18.75, 7));
    }

    #[test]
    fn every_op_and_both_signs_are_drawn_equally_often() {
        let (strength, mut draws) = (Strength::new(10, 28), stream(1, Purpose::Augment, 0, 0));
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..32_000 {
            let edit = Edit::draw(&strength, 28, 28, &mut draws);
            let name = match edit {
                Edit::Cutout { half, x, y } => {
                    assert!(half == 5 && x < 28 && y < 28);
                    "Cutout".to_owned()
                }
                other => format!("{other:?}"),
            };
            *counts.entry(name).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 11 + 2 * 5);
        for (name, count) in counts {
            let signed = ["Rotate", "Shear", "Translate"].iter().any(|op| name.starts_with(op));
            let expected = if signed { 1000 } else { 2000 };
            assert!((count - expected).abs() < 200, "{name}: {count}");
        }
    }
}
