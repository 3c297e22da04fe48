//! The Sharpness op: blends each pixel with the weighted mean of its neighbourhood.

use crate::canvas::Canvas;
use crate::tone::blend;

/// Weights of the 3 × 3 neighbourhood, row by row: Pillow's SMOOTH kernel.
const KERNEL: [[f32; 3]; 3] = [[EDGE; 3], [EDGE, 5.0 / 13.0, EDGE], [EDGE; 3]];
const EDGE: f32 = 1.0 / 13.0;

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
            for (i, block) in out[channels..stride - channels].chunks_mut(BLOCK).enumerate() {
                sharpen(rows, i * BLOCK, channels, factor, block);
            }
        }
    });
}

/// Values that are summed side by side, so that the sums stay in registers or close to them.
const BLOCK: usize = 64;

/// Blends the values of the middle row from `at + channels` on with their neighbourhoods.
fn sharpen(rows: [&[u8]; 3], at: usize, channels: usize, factor: f32, out: &mut [u8]) {
    let mut sums = [0.0; BLOCK];
    for (row, weights) in rows.iter().zip(KERNEL) {
        for (column, weight) in weights.into_iter().enumerate() {
            let values = &row[at + column * channels..][..out.len()];
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += f32::from(value) * weight;
            }
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = blend(sum as u8, *out, factor);
    }
}
