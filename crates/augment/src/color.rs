//! The Color op: blends each pixel with its grey.

use crate::canvas::Canvas;
use crate::tone::blend;

/// TensorFlow's `rgb_to_grayscale` of 8-bit pixels: scaled to 0 … 1, weighted, scaled by 255.5,
/// truncated, all in `f32`. Equal to TensorFlow for all 2²⁴ colours (`golden/crosscheck.py`).
fn grey([r, g, b]: [u8; 3]) -> u8 {
    let [r, g, b] = [r, g, b].map(|value| f32::from(value) * (1.0 / 255.0));
    ((r * 0.2989 + g * 0.587 + b * 0.114) * 255.5) as u8
}

/// Blends each pixel with its grey: a factor below 1 takes colour away, above 1 adds some.
///
/// The reference knows three channels only. One channel is its own grey, and the grey of a pixel
/// of three equal values is that value: on grey images the op does nothing, in either form.
pub(crate) fn color(canvas: &mut Canvas, factor: f32) {
    if canvas.channels() != 3 {
        return;
    }
    for pixel in canvas.pixels_mut().as_chunks_mut::<3>().0 {
        let grey = grey(*pixel);
        *pixel = pixel.map(|value| blend(grey, value, factor));
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
