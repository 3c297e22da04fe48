//! From floats to whole numbers, in a way that is done to many at once.
//!
//! `as` saturates, for which no machine has an instruction, so compilers fall back to one number
//! after the other. Adding a large number instead leaves no bits for fractions: what is left in the
//! lowest bits is the number rounded to the nearest, ties to even. Anything else is put right then.

/// Clips to 0 … 255 and truncates.
#[inline(always)]
pub(crate) fn truncate(value: f32) -> u8 {
    const LARGE: f32 = 8_388_608.0; // 2²³
    let value = value.clamp(0.0, 255.0);
    let sum = value + LARGE;
    let up = sum - LARGE > value;
    (sum.to_bits() as u8).wrapping_sub(u8::from(up))
}

/// Rounds to the nearest, halves away from zero. Beyond ±4,000,000 the result is some number that
/// is as large or larger.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> i32 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³, so that negative numbers find room as well
    const FAR: f32 = 4_000_000.0;
    let value = value.clamp(-FAR, FAR);
    let sum = value + LARGE;
    let rest = value - (sum - LARGE);
    let up = rest >= 0.5 && value > 0.0;
    let down = rest <= -0.5 && value < 0.0;
    (sum.to_bits() as i32)
        .wrapping_sub(LARGE.to_bits() as i32)
        .wrapping_add(i32::from(up))
        .wrapping_sub(i32::from(down))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nearest_rounds_halves_away_from_zero() {
        let cases = [
            (-0.5, -1),
            (-0.499_999_97, 0),
            (0.0, 0),
            (0.499_999_97, 0),
            (0.5, 1),
            (1.5, 2),
            (2.499, 2),
            (2.5, 3),
            (-1.5, -2),
            (-2.5, -3),
            (1e30, 4_000_000),
            (f32::NEG_INFINITY, -4_000_000),
        ];
        for (value, expected) in cases {
            assert_eq!(nearest(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn truncation_is_what_as_does(value in -1000.0_f32..1000.0, near in 0_u8..=255, by in -3_i32..=3) {
            prop_assert_eq!(truncate(value), value as u8);
            let near = f32::from_bits(f32::from(near).to_bits().saturating_add_signed(by));
            prop_assert_eq!(truncate(near), near as u8);
        }

        #[test]
        fn rounding_is_what_round_does(value in -100_000.0_f32..100_000.0) {
            prop_assert_eq!(nearest(value), value.round() as i32);
            let half = value.trunc() + 0.5;
            prop_assert_eq!(nearest(half), half.round() as i32);
        }
    }
}
