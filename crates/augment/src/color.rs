//! The Color op: blends each pixel with its grey.

use multiversion::multiversion;

use crate::canvas::Canvas;
use crate::number::truncate;
use crate::tone::blend;

/// TensorFlow's `rgb_to_grayscale` of 8-bit pixels: scaled to 0 … 1, weighted, scaled by 255.5,
/// truncated, all in `f32`. Equal to TensorFlow for all 2²⁴ colours (`golden/crosscheck.py`).
#[inline(always)]
fn grey([r, g, b]: [u8; 3]) -> u8 {
    let unit = 1.0 / 255.0;
    let (r, g, b) = (f32::from(r) * unit, f32::from(g) * unit, f32::from(b) * unit);
    truncate((r * 0.2989 + g * 0.587 + b * 0.114) * 255.5)
}

/// Blends each pixel with its grey: a factor below 1 takes colour away, above 1 adds some.
///
/// The reference knows three channels only. One channel is its own grey, and the grey of a pixel
/// of three equal values is that value: on grey images the op does nothing, in either form.
pub(crate) fn color(canvas: &mut Canvas, factor: f32) {
    if canvas.channels() != 3 {
        return;
    }
    let plane = canvas.width() * canvas.height();
    let (red, rest) = canvas.pixels_mut().split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    blend_with_grey(red, green, blue, factor);
}

#[multiversion(targets = "simd")]
fn blend_with_grey(red: &mut [u8], green: &mut [u8], blue: &mut [u8], factor: f32) {
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        let grey = grey([*r, *g, *b]);
        *r = blend(grey, *r, factor);
        *g = blend(grey, *g, factor);
        *b = blend(grey, *b, factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grey_of_a_grey_is_itself_so_color_leaves_grey_images_alone() {
        for value in 0..=255 {
            assert_eq!(grey([value; 3]), value);
        }
    }
}
