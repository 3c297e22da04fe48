//! Ops that move pixels: rotation, shear, translation, cutout.
//!
//! Each asks, for every output pixel, which source pixel shows there: an affine map of output to
//! source coordinates in `f32`, rounded half away from zero (TensorFlow's
//! `ImageProjectiveTransform` with nearest interpolation). Outside the source lies [`FILL`].

use multiversion::multiversion;

use crate::canvas::Canvas;
use crate::number::nearest;

/// The grey that fills what an op uncovers or cuts out.
pub(crate) const FILL: u8 = 128;

/// Output `(x, y)` shows source `(a·x + b·y + c, d·x + e·y + f)`.
type Affine = [f32; 6];

/// Turns counter-clockwise about the centre. (The reference's comment says clockwise; its code
/// and the released models say otherwise.)
pub(crate) fn rotate(canvas: &mut Canvas, degrees: f32) {
    let radians = f64::from(degrees * (std::f64::consts::PI / 180.0) as f32);
    let (c, s) = (radians.cos() as f32, radians.sin() as f32);
    let (w, h) = ((canvas.width() - 1) as f32, (canvas.height() - 1) as f32);
    let x = (w - (c * w - s * h)) / 2.0;
    let y = (h - (s * w + c * h)) / 2.0;
    warp(canvas, [c, -s, x, s, c, y]);
}

/// Shifts each row by `level` times its distance from the top.
pub(crate) fn shear_x(canvas: &mut Canvas, level: f32) {
    warp(canvas, [1.0, level, 0.0, 0.0, 1.0, 0.0]);
}

/// Shifts each column by `level` times its distance from the left.
pub(crate) fn shear_y(canvas: &mut Canvas, level: f32) {
    warp(canvas, [1.0, 0.0, 0.0, level, 1.0, 0.0]);
}

/// Moves the content left by `pixels`.
pub(crate) fn translate_x(canvas: &mut Canvas, pixels: f32) {
    warp(canvas, [1.0, 0.0, pixels, 0.0, 1.0, 0.0]);
}

/// Moves the content up by `pixels`.
pub(crate) fn translate_y(canvas: &mut Canvas, pixels: f32) {
    warp(canvas, [1.0, 0.0, 0.0, 0.0, 1.0, pixels]);
}

/// Covers the square of side `2 · half` around (`center_x`, `center_y`), as far as it lies inside.
pub(crate) fn cutout(canvas: &mut Canvas, half: usize, center_x: usize, center_y: usize) {
    let (width, height) = (canvas.width(), canvas.height());
    let range = |center: usize, size: usize| center.saturating_sub(half)..size.min(center + half);
    let (rows, columns) = (range(center_y, height), range(center_x, width));
    for plane in canvas.planes_mut() {
        for row in plane.chunks_exact_mut(width).take(rows.end).skip(rows.start) {
            row[columns.clone()].fill(FILL);
        }
    }
}

/// Pixels whose places are worked out at once.
const BLOCK: usize = 64;

fn warp(canvas: &mut Canvas, map: Affine) {
    let (width, height) = (canvas.width(), canvas.height());
    canvas.repaint_together(|old, new| {
        let plane = width * height;
        let mut places = [0; BLOCK];
        for y in 0..height {
            for from in (0..width).step_by(BLOCK) {
                let places = &mut places[..BLOCK.min(width - from)];
                places_of((from, y), (width, height), map, places);
                let at = y * width + from;
                for (old, new) in old.chunks_exact(plane).zip(new.chunks_exact_mut(plane)) {
                    for (to, &place) in new[at..].iter_mut().zip(&*places) {
                        *to = old.get(place as usize).copied().unwrap_or(FILL);
                    }
                }
            }
        }
    });
}

/// Where in a plane the pixels show that follow `(x, y)`; beyond its end if they lie outside.
#[multiversion(targets = "simd")]
fn places_of(
    (x, y): (usize, usize),
    (width, height): (usize, usize),
    [a, b, c, d, e, f]: Affine,
    out: &mut [u32],
) {
    let (x, y) = (x as f32, y as f32);
    let (width, height) = (width as u32, height as u32);
    for (i, out) in out.iter_mut().enumerate() {
        let x = x + i as i32 as f32;
        // What is negative becomes larger than any side.
        let column = nearest((a * x + b * y) + c) as u32;
        let line = nearest((d * x + e * y) + f) as u32;
        let place = line.wrapping_mul(width).wrapping_add(column);
        *out = if column < width && line < height { place } else { u32::MAX };
    }
}
