//! The Sharpness op: blends each pixel with the weighted mean of its neighbourhood.

use multiversion::multiversion;

use crate::canvas::Canvas;
use crate::number::truncate;
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
    let (width, height) = (canvas.width(), canvas.height());
    canvas.repaint(|old, new| {
        new.copy_from_slice(old);
        if width < 3 || height < 3 {
            return;
        }
        for y in 1..height - 1 {
            let rows = [y - 1, y, y + 1].map(|y| &old[y * width..][..width]);
            sharpen(rows, factor, &mut new[y * width + 1..(y + 1) * width - 1]);
        }
    });
}

/// Values that are summed side by side, so that the sums stay in registers or close to them.
const BLOCK: usize = 64;

/// Blends the inner values of the middle row with their neighbourhoods.
#[multiversion(targets = "simd")]
fn sharpen(rows: [&[u8]; 3], factor: f32, out: &mut [u8]) {
    for (i, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut sums = [0.0; BLOCK];
        for (row, weights) in rows.iter().zip(KERNEL) {
            for (column, weight) in weights.into_iter().enumerate() {
                let values = &row[i * BLOCK + column..][..out.len()];
                for (sum, &value) in sums.iter_mut().zip(values) {
                    *sum += f32::from(value) * weight;
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = blend(truncate(sum), *out, factor);
        }
    }
}
