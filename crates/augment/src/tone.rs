//! Ops that map each value by itself, by arithmetic on many at once or, where what happens depends on
//! a histogram, by a table of 256 bytes a channel.
//!
//! Formulas: `autoaugment.py` of TensorFlow's `EfficientNet` and of big_vision, in `f32` and in its
//! order of operations, because every result is truncated.

use multiversion::multiversion;

use crate::canvas::Canvas;
use crate::number::truncate;

/// `degenerate + factor · (value − degenerate)`, clipped to 0 … 255 and truncated. The reference
/// does not clip for a factor within 0 … 1, where it cannot matter.
#[inline(always)]
pub(crate) fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (degenerate, value) = (f32::from(degenerate), f32::from(value));
    truncate(degenerate + factor * (value - degenerate))
}

/// Replaces every value. Compiled once for each level of x86-64, with `map` inside.
#[multiversion(targets = "simd")]
fn replace<F: Fn(u8) -> u8>(pixels: &mut [u8], map: F) {
    for value in pixels {
        *value = map(*value);
    }
}

#[multiversion(targets = "simd")]
fn range(pixels: &[u8]) -> (u8, u8) {
    let (mut low, mut high) = (255, 0);
    for &value in pixels {
        low = low.min(value);
        high = high.max(value);
    }
    (low, high)
}

/// Stretches each channel to 0 … 255; a channel of one value stays.
pub(crate) fn auto_contrast(canvas: &mut Canvas) {
    for plane in canvas.planes_mut() {
        let (low, high) = range(plane);
        if low < high {
            let (low, high) = (f32::from(low), f32::from(high));
            let scale = 255.0 / (high - low);
            let offset = -low * scale;
            replace(plane, |value| truncate(f32::from(value) * scale + offset));
        }
    }
}

/// How often each value occurs. Four counts at a time, since a count that has just been changed has
/// to be waited for.
fn histogram(pixels: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let (fours, rest) = pixels.as_chunks::<4>();
    for four in fours {
        for (counts, &value) in counts.iter_mut().zip(four) {
            counts[usize::from(value)] += 1;
        }
    }
    for &value in rest {
        counts[0][usize::from(value)] += 1;
    }
    std::array::from_fn(|value| counts.iter().map(|counts| counts[value]).sum())
}

/// Evens out each channel's histogram by Pillow's formula.
pub(crate) fn equalize(canvas: &mut Canvas) {
    for plane in canvas.planes_mut() {
        let histogram = histogram(plane);
        let total: u32 = histogram.iter().sum();
        let last = histogram.iter().rev().find(|&&count| count > 0).copied().unwrap_or(0);
        let step = (total - last) / 255;
        if step == 0 {
            continue;
        }
        let mut below = 0; // How many values are smaller than the one the entry is for.
        let mut table = [0_u8; 256];
        for (value, entry) in table.iter_mut().enumerate() {
            *entry = if value == 0 { 0 } else { ((below + step / 2) / step).min(255) as u8 };
            below += histogram[value];
        }
        for value in plane {
            *value = table[usize::from(*value)];
        }
    }
}

/// `255 − value`.
pub(crate) fn invert(canvas: &mut Canvas) {
    replace(canvas.pixels_mut(), |value| 255 - value);
}

/// Keeps the highest `bits` bits. Where `8 − bits` is no shift within a byte (no bit kept, or more
/// than 8), the reference's shift ends up clamped to 7: one bit stays.
pub(crate) fn posterize(canvas: &mut Canvas, bits: u32) {
    let shift = if (1..=8).contains(&bits) { 8 - bits } else { 7 };
    let mask = (255 >> shift << shift) as u8;
    replace(canvas.pixels_mut(), |value| value & mask);
}

/// Inverts values from `threshold` on.
pub(crate) fn solarize(canvas: &mut Canvas, threshold: u8) {
    replace(canvas.pixels_mut(), |value| if value < threshold { value } else { 255 - value });
}

/// Adds `addition` to values below 128.
pub(crate) fn solarize_add(canvas: &mut Canvas, addition: u32) {
    let addition = addition.min(255) as u8;
    replace(
        canvas.pixels_mut(),
        |value| {
            if value < 128 { value.saturating_add(addition) } else { value }
        },
    );
}

/// Blends with black.
pub(crate) fn brightness(canvas: &mut Canvas, factor: f32) {
    replace(canvas.pixels_mut(), |value| blend(0, value, factor));
}

/// Blends with one grey for every image of a size: the reference means to take the mean of the
/// image but divides its histogram's sum, the number of pixels, by 256. That is 196 at 224 × 224.
pub(crate) fn contrast(canvas: &mut Canvas, factor: f32) {
    let pixels = (canvas.width() * canvas.height()) as f32;
    let grey = truncate(pixels / 256.0);
    replace(canvas.pixels_mut(), |value| blend(grey, value, factor));
}
