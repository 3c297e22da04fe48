//! The diverging map of the heat maps: orange for loss, blue for gain, grey at zero.
//!
//! Orange against blue stays apart under the common kinds of colour blindness, and the two arms
//! are equally far from grey. Colours are mixed in Oklab (Björn Ottosson, 2020), so that equal
//! differences look equal. Each theme has its own arms: on paper strong values are dark, on a
//! dark screen they are bright.

/// A colour in 8-bit sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// What the page's background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Paper.
    Light,
    /// A dark screen.
    Dark,
}

impl Theme {
    /// Loss, zero, gain.
    fn stops(self) -> [Rgb; 3] {
        match self {
            Self::Light => [Rgb(0xc4, 0x5a, 0x0a), Rgb(0xf1, 0xf1, 0xef), Rgb(0x1f, 0x6a, 0xb4)],
            Self::Dark => [Rgb(0xf0, 0x94, 0x45), Rgb(0x2b, 0x2e, 0x33), Rgb(0x58, 0xa8, 0xf0)],
        }
    }
}

impl Rgb {
    /// As CSS writes it.
    #[must_use]
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Black or white, whichever is easier to read on this colour: at least 4.5 to 1.
    #[must_use]
    pub fn ink(self) -> Self {
        let white = 1.05 / (self.luminance() + 0.05);
        let black = (self.luminance() + 0.05) / 0.05;
        if black >= white { Self(0, 0, 0) } else { Self(255, 255, 255) }
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [r, g, b] = self.linear();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|byte| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn from_linear(linear: [f64; 3]) -> Self {
        let [r, g, b] = linear.map(|value| {
            let value = value.clamp(0.0, 1.0);
            let value = if value <= 0.003_130_8 {
                value * 12.92
            } else {
                1.055 * value.powf(1.0 / 2.4) - 0.055
            };
            (value * 255.0).round() as u8
        });
        Self(r, g, b)
    }

    fn oklab(self) -> [f64; 3] {
        let [r, g, b] = self.linear();
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
        ]
    }

    fn from_oklab([lightness, a, b]: [f64; 3]) -> Self {
        let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
        let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
        let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
        Self::from_linear([
            4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
            -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
            -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
        ])
    }
}

/// The colour of a position between -1 (full loss) and +1 (full gain); beyond, the end's.
#[must_use]
pub fn diverging(position: f64, theme: Theme) -> Rgb {
    let [loss, zero, gain] = theme.stops().map(Rgb::oklab);
    let end = if position < 0.0 { loss } else { gain };
    let t = position.abs().min(1.0);
    Rgb::from_oklab([0, 1, 2].map(|i| zero[i] + t * (end[i] - zero[i])))
}

/// The same map as a background among the 256 colours that every terminal has. Black (16) reads
/// on each of them.
pub(crate) fn terminal(position: f64) -> u8 {
    /// From full loss to full gain.
    const STEPS: [u8; 11] = [208, 214, 215, 222, 230, 255, 195, 153, 117, 75, 39];
    let middle = (STEPS.len() / 2) as f64;
    STEPS[(middle + position.clamp(-1.0, 1.0) * middle).round() as usize]
}

/// The end of a symmetric scale that holds every one of `deltas`: the next round number.
pub fn scale_end(deltas: impl Iterator<Item = f64>) -> f64 {
    let largest = deltas.map(f64::abs).fold(0.0, f64::max);
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0]
        .into_iter()
        .find(|end| largest <= *end)
        .unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions() -> impl Iterator<Item = f64> {
        (-100..=100).map(|i| f64::from(i) / 100.0)
    }

    #[test]
    fn text_reads_on_every_colour_of_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            for position in positions() {
                let colour = diverging(position, theme);
                let (a, b) = (colour.luminance() + 0.05, colour.ink().luminance() + 0.05);
                assert!(a.max(b) / a.min(b) >= 4.5, "{theme:?} {position}: {}", colour.hex());
            }
        }
    }

    #[test]
    fn oklab_comes_back_to_the_same_colour() {
        for colour in [Rgb(0, 0, 0), Rgb(255, 255, 255), Rgb(12, 200, 99), Rgb(0xc4, 0x5a, 0x0a)] {
            assert_eq!(Rgb::from_oklab(colour.oklab()), colour);
        }
    }

    #[test]
    fn lightness_falls_steadily_away_from_zero_on_both_arms_in_the_light_theme() {
        for sign in [-1.0, 1.0] {
            let lightness: Vec<_> = (0..=20)
                .map(|i| diverging(sign * f64::from(i) / 20.0, Theme::Light).luminance())
                .collect();
            assert!(lightness.is_sorted_by(|a, b| a > b), "{lightness:?}");
        }
    }

    #[test]
    fn the_two_arms_are_about_as_far_from_grey() {
        for theme in [Theme::Light, Theme::Dark] {
            let [loss, zero, gain] = theme.stops().map(Rgb::oklab);
            let far =
                |end: [f64; 3]| (0..3).map(|i| (end[i] - zero[i]).powi(2)).sum::<f64>().sqrt();
            assert!((far(loss) / far(gain) - 1.0).abs() < 0.15, "{} {}", far(loss), far(gain));
        }
    }

    #[test]
    fn the_scale_ends_at_a_round_number_that_holds_all() {
        let ends = [&[0.2, -4.4][..], &[], &[10.0], &[-88.0]]
            .map(|deltas| scale_end(deltas.iter().copied()).to_string());
        assert_eq!(ends, ["5", "1", "10", "100"]);
    }
}
