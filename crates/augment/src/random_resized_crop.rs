//! torchvision's `RandomResizedCrop`, which people will compare with: its sampler, at its defaults.
//!
//! Not the study's crop: the *area* is uniform here, 8 % to 100 %, and the logarithm of the aspect
//! ratio, 3 : 4 to 4 : 3. Nor its resize: Pillow's, see [`crate::pillow`].

use augreg_decode::Window;
use augreg_spec::random::Stream;

const SCALE: (f64, f64) = (0.08, 1.0);
const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

/// Draws after which the largest central crop of a permitted aspect ratio is taken.
const ATTEMPTS: u32 = 10;

/// Draws a crop of an image of `width` × `height` pixels: in each attempt the area and the aspect
/// ratio, then of the one that fits row and column of the corner.
///
/// # Source
///
/// `RandomResizedCrop.get_params` in torchvision's `transforms/transforms.py`.
pub(crate) fn sample(width: usize, height: usize, draws: &mut Stream) -> Window {
    let area = (width * height) as f64;
    for _ in 0..ATTEMPTS {
        let target = area * draws.uniform(SCALE.0, SCALE.1);
        let ratio = draws.uniform(RATIO.0.ln(), RATIO.1.ln()).exp();
        let w = (target * ratio).sqrt().round_ties_even() as usize;
        let h = (target / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = draws.below((height - h + 1) as u32) as usize;
            let left = draws.below((width - w + 1) as u32) as usize;
            return Window { left, top, width: w, height: h };
        }
    }
    let ratio = width as f64 / height as f64;
    let (w, h) = if ratio < RATIO.0 {
        (width, ((width as f64 / RATIO.0).round_ties_even() as usize).clamp(1, height))
    } else if ratio > RATIO.1 {
        (((height as f64 * RATIO.1).round_ties_even() as usize).clamp(1, width), height)
    } else {
        (width, height)
    };
    Window { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

#[cfg(test)]
mod tests {
    use augreg_spec::random::{Purpose, stream};
    use proptest::prelude::*;

    use super::*;
    use crate::golden;

    #[test]
    fn windows_are_distributed_as_torchvisions() {
        golden::same_distribution(
            include_str!("../golden/torchvision_crops.txt"),
            |width, height| {
                let mut draws = stream(1, Purpose::Augment, 0, 0);
                (0..20_000).map(|_| sample(width, height, &mut draws)).collect()
            },
        );
    }

    #[test]
    fn what_is_too_long_for_any_draw_is_cut_in_the_middle() {
        let mut draws = stream(1, Purpose::Augment, 0, 0);
        let window = sample(1000, 10, &mut draws);
        assert!(window.height <= 10 && window.width <= 13, "{window:?}");
        let found = (0..100)
            .map(|_| sample(4000, 3, &mut draws))
            .any(|window| window == Window { left: 1998, top: 0, width: 4, height: 3 });
        assert!(found);
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
