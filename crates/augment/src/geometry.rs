//! Ops that move pixels: rotation, shear, translation, cutout.
//!
//! Each asks, for every output pixel, which source pixel shows there: an affine map of output to
//! source coordinates in `f32`, rounded half away from zero (TensorFlow's
//! `ImageProjectiveTransform` with nearest interpolation). Outside the source lies [`FILL`].

use crate::ImageView;
use crate::canvas::Canvas;

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
    let (width, height, channels) = (canvas.width(), canvas.height(), canvas.channels());
    let range = |center: usize, size: usize| center.saturating_sub(half)..size.min(center + half);
    let (rows, columns) = (range(center_y, height), range(center_x, width));
    for row in
        canvas.pixels_mut().chunks_exact_mut(width * channels).take(rows.end).skip(rows.start)
    {
        row[columns.start * channels..columns.end * channels].fill(FILL);
    }
}

fn warp(canvas: &mut Canvas, map: Affine) {
    canvas.repaint(|old, new| match old.channels() {
        1 => warp_channels::<1>(old, new, map),
        _ => warp_channels::<3>(old, new, map),
    });
}

fn warp_channels<const C: usize>(old: ImageView<'_>, new: &mut [u8], [a, b, c, d, e, f]: Affine) {
    let (width, height) = (old.width(), old.height());
    let source = old.pixels().as_chunks::<C>().0;
    for (y, row) in new.as_chunks_mut::<C>().0.chunks_exact_mut(width).enumerate() {
        let y = y as f32;
        for (x, pixel) in row.iter_mut().enumerate() {
            let x = x as f32;
            let column = nearest((a * x + b * y) + c, width);
            let line = nearest((d * x + e * y) + f, height);
            *pixel = match (line, column) {
                (Some(line), Some(column)) => source[line * width + column],
                _ => [FILL; C],
            };
        }
    }
}

/// The pixel nearest to `at`, halves away from zero, if there is one in `0..size`.
fn nearest(at: f32, size: usize) -> Option<usize> {
    if at <= -0.5 || at >= size as f32 {
        return None; // −0.5 rounds away from zero, to −1.
    }
    let floor = at as i32; // What lies between −0.5 and 0 becomes 0.
    let index = (floor + i32::from(at - floor as f32 >= 0.5)) as usize;
    (index < size).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rounds_halves_away_from_zero() {
        let cases = [
            (-0.5, None),
            (-0.499_999_97, Some(0)),
            (0.499_999_97, Some(0)),
            (0.5, Some(1)),
            (1.5, Some(2)),
            (2.499, Some(2)),
            (2.5, None),
            (1e30, None),
            (f32::NEG_INFINITY, None),
        ];
        for (at, expected) in cases {
            assert_eq!(nearest(at, 3), expected, "{at}");
        }
    }
}
