//! Ops that map each value by itself: a table of 256 bytes a channel, built once, then looked up.
//!
//! Formulas: `autoaugment.py` of TensorFlow's `EfficientNet` and of big_vision, in `f32` and in its
//! order of operations, because every result is truncated.

use crate::canvas::Canvas;

type Table = [u8; 256];

fn table(map: impl Fn(u8) -> u8) -> Table {
    std::array::from_fn(|value| map(value as u8))
}

/// `degenerate + factor · (value − degenerate)`, clipped to 0 … 255 and truncated. The reference
/// does not clip for a factor within 0 … 1, where it cannot matter.
pub(crate) fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (degenerate, value) = (f32::from(degenerate), f32::from(value));
    (degenerate + factor * (value - degenerate)) as u8 // `as` clips and truncates.
}

fn apply(canvas: &mut Canvas, table: &Table) {
    for value in canvas.pixels_mut() {
        *value = table[usize::from(*value)];
    }
}

/// Applies to each channel the table `build` makes of its histogram.
fn apply_by_histogram(canvas: &mut Canvas, build: impl Fn(&[u32; 256]) -> Table) {
    let channels = canvas.channels();
    for c in 0..channels {
        let mut histogram = [0; 256];
        for value in canvas.pixels_mut().iter().skip(c).step_by(channels) {
            histogram[usize::from(*value)] += 1;
        }
        let table = build(&histogram);
        for value in canvas.pixels_mut().iter_mut().skip(c).step_by(channels) {
            *value = table[usize::from(*value)];
        }
    }
}

/// Stretches each channel to 0 … 255; a channel of one value stays.
pub(crate) fn auto_contrast(canvas: &mut Canvas) {
    apply_by_histogram(canvas, |histogram| {
        let low = histogram.iter().position(|&count| count > 0).unwrap_or(0) as f32;
        let high = histogram.iter().rposition(|&count| count > 0).unwrap_or(0) as f32;
        if high <= low {
            return table(|value| value);
        }
        let scale = 255.0 / (high - low);
        let offset = -low * scale;
        table(|value| (f32::from(value) * scale + offset) as u8)
    });
}

/// Evens out each channel's histogram by Pillow's formula.
pub(crate) fn equalize(canvas: &mut Canvas) {
    apply_by_histogram(canvas, |histogram| {
        let total: u32 = histogram.iter().sum();
        let last = histogram.iter().rev().find(|&&count| count > 0).copied().unwrap_or(0);
        let step = (total - last) / 255;
        if step == 0 {
            return table(|value| value);
        }
        let mut below = 0; // How many values are smaller than the one the entry is for.
        let mut entries = [0; 256];
        for (value, entry) in entries.iter_mut().enumerate() {
            *entry = if value == 0 { 0 } else { ((below + step / 2) / step).min(255) as u8 };
            below += histogram[value];
        }
        entries
    });
}

/// `255 − value`.
pub(crate) fn invert(canvas: &mut Canvas) {
    apply(canvas, &table(|value| 255 - value));
}

/// Keeps the highest `bits` bits. Where `8 − bits` is no shift within a byte (no bit kept, or more
/// than 8), the reference's shift ends up clamped to 7: one bit stays.
pub(crate) fn posterize(canvas: &mut Canvas, bits: u32) {
    let shift = if (1..=8).contains(&bits) { 8 - bits } else { 7 };
    apply(canvas, &table(|value| (value >> shift) << shift));
}

/// Inverts values from `threshold` on.
pub(crate) fn solarize(canvas: &mut Canvas, threshold: u8) {
    apply(canvas, &table(|value| if value < threshold { value } else { 255 - value }));
}

/// Adds `addition` to values below 128.
pub(crate) fn solarize_add(canvas: &mut Canvas, addition: u32) {
    let add = |value: u8| (u32::from(value) + addition).min(255) as u8;
    apply(canvas, &table(|value| if value < 128 { add(value) } else { value }));
}

/// Blends with black.
pub(crate) fn brightness(canvas: &mut Canvas, factor: f32) {
    apply(canvas, &table(|value| blend(0, value, factor)));
}

/// Blends with one grey for every image of a size: the reference means to take the mean of the
/// image but divides its histogram's sum, the number of pixels, by 256. That is 196 at 224 × 224.
pub(crate) fn contrast(canvas: &mut Canvas, factor: f32) {
    let pixels = (canvas.width() * canvas.height()) as f32;
    let grey = (pixels / 256.0) as u8; // `as` clips at 255 and truncates.
    apply(canvas, &table(|value| blend(grey, value, factor)));
}
