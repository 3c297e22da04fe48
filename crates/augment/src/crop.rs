//! The inception crop's sampler: where to cut, not the cutting.
//!
//! TensorFlow's `sample_distorted_bounding_box` without boxes, as big_vision calls it: area 5 % to
//! 100 %, aspect ratio 0.75 to 1.33. Not torchvision's `RandomResizedCrop`, which draws the area
//! uniformly: here the *height* is uniform, so small crops are far more frequent.

use augreg_decode::Window;
use augreg_spec::random::Stream;

const MIN_AREA: f32 = 0.05;
const MAX_AREA: f32 = 1.0;
const MIN_ASPECT: f32 = 0.75;
const MAX_ASPECT: f32 = 1.33;

/// Draws after which the whole image is taken.
const ATTEMPTS: u32 = 100;

/// Draws a crop of an image of `width` × `height` pixels.
///
/// Draws, in this order: the aspect ratio; the height, if there is a choice; then row and column
/// of the corner, each if there is a choice. A crop that misses the area is drawn anew, from the
/// aspect ratio on.
///
/// # Source
///
/// `GenerateRandomCrop` in TensorFlow's `sample_distorted_bounding_box_op.cc`, in its mixture of
/// 32 and 64 bit floats. Held against 60,000 of TensorFlow's draws in `golden/crops.txt`.
pub(crate) fn sample(width: usize, height: usize, draws: &mut Stream) -> Window {
    (0..ATTEMPTS).find_map(|_| attempt(width as i32, height as i32, draws)).unwrap_or(Window {
        left: 0,
        top: 0,
        width,
        height,
    })
}

fn attempt(image_width: i32, image_height: i32, draws: &mut Stream) -> Option<Window> {
    let unit = (draws.bits() >> 40) as f32 / (1u32 << 24) as f32;
    let aspect = unit * (MAX_ASPECT - MIN_ASPECT) + MIN_ASPECT;
    let width_of = |height: i32| (height as f32 * aspect).round_ties_even() as i32;
    let height_of = |area: f32| (area / aspect).sqrt().round_ties_even() as i32;

    let min_area = MIN_AREA * image_width as f32 * image_height as f32;
    let max_area = MAX_AREA * image_width as f32 * image_height as f32;
    let mut max_height = height_of(max_area);
    if width_of(max_height) > image_width {
        max_height = ((f64::from(image_width) + 0.5 - 1e-7) / f64::from(aspect)) as i32;
        if width_of(max_height) > image_width {
            max_height -= 1;
        }
    }
    let max_height = max_height.min(image_height);
    let mut height = height_of(min_area).min(max_height);
    if height < max_height {
        height += draws.below((max_height - height + 1) as u32) as i32;
    }

    // Rounding may have led out of the range; one pixel up or down may lead back.
    let area_of = |height: i32| (i64::from(width_of(height)) * i64::from(height)) as f32;
    if area_of(height) < min_area {
        height += 1;
    }
    if area_of(height) > max_area {
        height -= 1;
    }
    let width = width_of(height);
    let fits = (1..=image_width).contains(&width) && (1..=image_height).contains(&height);
    if !fits || area_of(height) < min_area || area_of(height) > max_area {
        return None;
    }

    // As in the reference, the last row and column are out of reach for a corner.
    let mut corner = |room: i32| if room > 0 { draws.below(room as u32) as usize } else { 0 };
    let top = corner(image_height - height);
    let left = corner(image_width - width);
    Some(Window { left, top, width: width as usize, height: height as usize })
}

#[cfg(test)]
mod tests {
    use augreg_spec::random::{Purpose, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::golden;

    fn windows(width: usize, height: usize) -> Vec<Window> {
        let mut draws = stream(3, Purpose::Augment, 0, 0);
        (0..20_000).map(|_| sample(width, height, &mut draws)).collect()
    }

    #[test]
    fn areas_of_a_photograph_have_the_published_mean_and_quartiles() {
        let mut areas: Vec<f64> = windows(500, 375)
            .iter()
            .map(|window| (window.width * window.height) as f64 / (500.0 * 375.0))
            .collect();
        areas.sort_by(f64::total_cmp);
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!((mean - 0.344).abs() < 0.01, "mean {mean}");
        for (quartile, expected) in [(1, 0.149), (2, 0.305), (3, 0.508)] {
            let found = areas[areas.len() * quartile / 4];
            assert!((found - expected).abs() < 0.015, "quartile {quartile}: {found}");
        }
    }

    #[test]
    fn windows_are_distributed_as_tensorflows() {
        golden::same_distribution(include_str!("../golden/crops.txt"), windows);
    }

    proptest! {
        #[test]
        fn a_window_lies_within_its_image(width in 1usize..3000, height in 1usize..3000, seed: u64) {
            let mut draws = stream(seed, Purpose::Augment, 0, 0);
            for _ in 0..20 {
                let window = sample(width, height, &mut draws);
                prop_assert!(window.width > 0 && window.left + window.width <= width);
                prop_assert!(window.height > 0 && window.top + window.height <= height);
            }
        }
    }
}
