//! Pillow's bilinear resize, which torchvision's crop uses: a triangle as wide as what is shrunk, in
//! whole numbers, first along rows and then along columns.
//!
//! # Source
//!
//! `Resample.c` of Pillow, for 8 bits a channel. Held against it in `golden/pillow.txt`.

use augreg_decode::Window;

use crate::ImageView;

/// Bits of fraction of a weight.
const BITS: u32 = 22;

/// Working memory, reused from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Pillow {
    rows: Vec<u8>,
    across: Weights,
    down: Weights,
}

/// What every output coordinate takes: pixels from its start on, with their weights.
#[derive(Debug, Default)]
struct Weights {
    spans: Vec<(usize, usize, usize)>,
    values: Vec<i32>,
}

impl Weights {
    fn fill(&mut self, from: usize, to: usize) {
        self.spans.clear();
        self.values.clear();
        let scale = from as f64 / to as f64;
        let support = scale.max(1.0);
        for x in 0..to {
            let center = (x as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weight = |x: usize| {
                let away = (x as f64 - center + 0.5) * (1.0 / support);
                (1.0 - away.abs()).max(0.0)
            };
            let sum: f64 = (start..end).map(weight).sum();
            let first = self.values.len();
            let fixed = |x| (0.5 + weight(x) / sum * f64::from(1 << BITS)) as i32;
            self.values.extend((start..end).map(fixed));
            self.spans.push((start, first, self.values.len()));
        }
    }

    /// For each output coordinate the first pixel and the weights from it on.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans.iter().map(|&(start, first, end)| (start, &self.values[first..end]))
    }
}

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

impl Pillow {
    /// Resizes `window` of `source` to `width` × `height`, `out` being `[channels, height, width]`.
    pub(crate) fn bilinear(
        &mut self,
        source: ImageView<'_>,
        window: Window,
        (width, height): (usize, usize),
        out: &mut [u8],
    ) {
        let Self { rows, across, down } = self;
        let channels = source.channels();
        across.fill(window.width, width);
        down.fill(window.height, height);
        let plane = window.height * width;
        rows.resize(channels * plane, 0);
        for y in 0..window.height {
            let start = ((window.top + y) * source.width() + window.left) * channels;
            let row = &source.pixels()[start..start + window.width * channels];
            for (x, (first, weights)) in across.iter().enumerate() {
                for c in 0..channels {
                    let values = row[first * channels + c..].iter().step_by(channels);
                    let products = values.zip(weights).map(|(&value, w)| i32::from(value) * w);
                    rows[c * plane + y * width + x] =
                        rounded(products.fold(1 << (BITS - 1), i32::wrapping_add));
                }
            }
        }
        let planes = rows.chunks_exact(plane).zip(out.chunks_exact_mut(width * height));
        for (rows, out) in planes {
            for (out, (first, weights)) in out.chunks_exact_mut(width).zip(down.iter()) {
                for (x, out) in out.iter_mut().enumerate() {
                    let values = rows[first * width + x..].iter().step_by(width);
                    let products = values.zip(weights).map(|(&value, w)| i32::from(value) * w);
                    *out = rounded(products.fold(1 << (BITS - 1), i32::wrapping_add));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Line, interleaved};

    #[test]
    fn every_crop_is_resized_to_pillows_bytes() {
        for text in include_str!("../golden/pillow.txt").lines() {
            let mut line = Line::new(text);
            let (height, width, channels, pixels) = line.image();
            let (top, left) = (line.number(), line.number());
            let window = Window { top, left, height: line.number(), width: line.number() };
            let side = line.number();
            let mut out = vec![0; channels * side * side];
            let source = ImageView::new(&pixels, width, height, channels);
            Pillow::default().bilinear(source, window, (side, side), &mut out);
            assert_eq!(crc32fast::hash(&interleaved(&out, channels)), line.crc(), "{text}");
        }
    }
}
