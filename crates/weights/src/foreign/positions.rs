//! Position embeddings for another number of patches.

use super::array::Array;

/// Resizes the position embeddings of `from` × `from` patches to `to` × `to`; the class token's, which
/// comes first, stays.
///
/// Bilinear with corners aligned: position i of the new grid lies at i · (from − 1) / (to − 1) of the
/// old one.
///
/// # Shapes
///
/// `[1, from² + 1, D]` to `[1, to² + 1, D]`.
///
/// # Source
///
/// `scipy.ndimage.zoom(grid, (to / from, to / from, 1), order=1)`, as `vit_jax/checkpoint.py` calls it;
/// in 64-bit floats like SciPy, rounded at the end. One thing is not as there: from 28 to 48 SciPy's
/// rounding puts the last row and column 4e-15 beyond the grid, where it takes 0.
pub(crate) fn resize(positions: &Array, from: usize, to: usize) -> Array {
    let width = positions.shape[2];
    let (class, grid) = positions.values.split_at(width);
    let at = |row: usize, column: usize| &grid[(row * from + column) * width..][..width];
    let taps: Vec<_> = (0..to).map(|i| tap(i, from, to)).collect();
    let mut values = class.to_vec();
    for &(top, bottom, down) in &taps {
        for &(left, right, along) in &taps {
            let corners = [at(top, left), at(top, right), at(bottom, left), at(bottom, right)];
            values.extend((0..width).map(|d| {
                let [a, b, c, e] = corners.map(|corner| f64::from(corner[d]));
                let upper = a * (1.0 - along) + b * along;
                let lower = c * (1.0 - along) + e * along;
                (upper * (1.0 - down) + lower * down) as f32
            }));
        }
    }
    Array::new(vec![1, to * to + 1, width], values)
}

/// The two old positions around new position `i`, and the share of the second.
fn tap(i: usize, from: usize, to: usize) -> (usize, usize, f64) {
    if to == 1 {
        return (0, 0, 0.0);
    }
    let place = (i * (from - 1)) as f64 / (to - 1) as f64;
    let first = (place as usize).min(from - 1);
    (first, (first + 1).min(from - 1), place - first as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.ndimage.zoom([[0, 1, 4], [9, 16, 25], [36, 49, 64]], 5 / 3, order=1)` of SciPy 1.17.1.
    #[test]
    fn a_grid_is_resized_as_scipy_does() {
        let old = [7.0, 0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0, 49.0, 64.0];
        let positions = Array::new(vec![1, 10, 1], old.to_vec());
        let resized = resize(&positions, 3, 5);
        assert_eq!(resized.shape, [1, 26, 1]);
        #[rustfmt::skip]
        let expected = [
            7.0,
            0.0, 0.5, 1.0, 2.5, 4.0,
            4.5, 6.5, 8.5, 11.5, 14.5,
            9.0, 12.5, 16.0, 20.5, 25.0,
            22.5, 27.5, 32.5, 38.5, 44.5,
            36.0, 42.5, 49.0, 56.5, 64.0,
        ];
        assert_eq!(resized.values, expected);
        assert_eq!(resize(&resized, 5, 3), positions);
        assert_eq!(resize(&positions, 3, 1).values, [7.0, 0.0]);
        assert_eq!(resize(&positions, 3, 3), positions);
    }
}
