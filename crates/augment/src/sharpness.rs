//! The Sharpness op: blends each pixel with the weighted mean of its neighbourhood.

use crate::canvas::Canvas;
use crate::tone::blend;

/// Weights of the 3 × 3 neighbourhood, row by row: Pillow's SMOOTH kernel.
const KERNEL: [f32; 9] = {
    const EDGE: f32 = 1.0 / 13.0;
    [EDGE, EDGE, EDGE, EDGE, 5.0 / 13.0, EDGE, EDGE, EDGE, EDGE]
};

/// Blends each pixel with its smoothed self; the outermost pixels stay.
///
/// Sums in `f32` in the kernel's order with every product rounded, as TensorFlow's own convolution
/// does. oneDNN, its default since version 2.9, fuses multiply and add and so truncates about one
/// pixel in 400 to a neighbouring value; the study ran before that.
pub(crate) fn sharpness(canvas: &mut Canvas, factor: f32) {
    canvas.repaint(|old, new| {
        new.copy_from_slice(old.pixels());
        let (channels, stride) = (old.channels(), old.width() * old.channels());
        if old.width() < 3 || old.height() < 3 {
            return;
        }
        for y in 1..old.height() - 1 {
            let rows = [old.row(y - 1), old.row(y), old.row(y + 1)];
            let out = &mut new[y * stride..(y + 1) * stride];
            for i in channels..stride - channels {
                let taps =
                    rows.iter().flat_map(|row| [row[i - channels], row[i], row[i + channels]]);
                let smooth =
                    taps.zip(KERNEL).fold(0.0, |sum, (tap, weight)| sum + f32::from(tap) * weight);
                out[i] = blend(smooth as u8, rows[1][i], factor);
            }
        }
    });
}
