//! Holds every op and resize against `golden/*.txt`, which `golden/generate.py` writes.

use augreg_decode::Window;

use crate::ImageView;
use crate::canvas::Canvas;
use crate::evaluation::Evaluation;
use crate::image::separate;
use crate::op::tests::edit;
use crate::op::{Op, Strength};
use crate::pipeline::Scratch;
use crate::resize::Resizer;

/// The test image `pattern` of `golden/reference.py`, `[height, width, channels]`.
pub(crate) fn pattern(height: usize, width: usize, channels: usize, kind: u32) -> Vec<u8> {
    let pixel = |i: usize| {
        let (c, x, y) = (i % channels, i / channels % width, i / channels / width);
        let mixed = (y as u32).wrapping_mul(73_856_093)
            ^ (x as u32).wrapping_mul(19_349_663)
            ^ (c as u32).wrapping_mul(83_492_791);
        let noise = mixed.wrapping_mul(2_654_435_761) >> 24;
        match kind {
            0 => {
                let ramp = x * 90 / width + y * 60 / height;
                let edge = (x / 5 + y / 7 + c) % 3 * 20;
                (16 + 6 * c + ramp + edge) as u8 + (noise % 20) as u8
            }
            1 => (40 + (noise & 1) * 150) as u8,
            _ => 77,
        }
    };
    (0..height * width * channels).map(pixel).collect()
}

/// Planar pixels as the reference has them, `[height, width, channels]`.
pub(crate) fn interleaved(planar: &[u8], channels: usize) -> Vec<u8> {
    let plane = planar.len() / channels;
    (0..planar.len()).map(|i| planar[i % channels * plane + i / channels]).collect()
}

/// One line of a golden file, read field by field.
pub(crate) struct Line(std::str::SplitWhitespace<'static>);

impl Line {
    pub(crate) fn new(text: &'static str) -> Self {
        Self(text.split_whitespace())
    }

    pub(crate) fn word(&mut self) -> &'static str {
        self.0.next().unwrap()
    }

    pub(crate) fn number(&mut self) -> usize {
        self.word().parse().unwrap()
    }

    /// `kind height width channels`.
    pub(crate) fn image(&mut self) -> (usize, usize, usize, Vec<u8>) {
        let (kind, height, width, channels) =
            (self.number() as u32, self.number(), self.number(), self.number());
        (height, width, channels, pattern(height, width, channels, kind))
    }

    pub(crate) fn crc(&mut self) -> u32 {
        u32::from_str_radix(self.word(), 16).unwrap()
    }
}

/// Holds windows of images of (width, height) against quantiles of a reference's. Each line is `width
/// height quantity` and its 5 % quantiles over 20,000 draws. Two samples of that size differ by more
/// than 0.02 once in 3,000 comparisons.
pub(crate) fn same_distribution(golden: &str, windows: impl Fn(usize, usize) -> Vec<Window>) {
    for line in golden.lines() {
        let mut fields = line.split(' ');
        let mut number = || fields.next().unwrap().parse::<usize>();
        let (width, height) = (number().unwrap(), number().unwrap());
        let quantity = fields.next().unwrap();
        let drawn: Vec<usize> = windows(width, height)
            .iter()
            .map(|window| match quantity {
                "area" => window.width * window.height,
                "height" => window.height,
                "width" => window.width,
                "top" => window.top,
                "left" => window.left,
                other => panic!("unknown quantity {other}"),
            })
            .collect();
        let share = |keep: &dyn Fn(usize) -> bool| {
            drawn.iter().filter(|&&value| keep(value)).count() as f64 / drawn.len() as f64
        };
        for (i, quantile) in fields.enumerate().take(20).skip(1) {
            let (p, value) = (i as f64 / 20.0, quantile.parse::<usize>().unwrap());
            let (below, upto) = (share(&|v| v < value), share(&|v| v <= value));
            assert!(below <= p + 0.02 && upto >= p - 0.02, "{line}: {p} in {below}..{upto}");
        }
    }
}

#[test]
fn every_op_equals_the_reference_bit_for_bit() {
    let mut tested = std::collections::BTreeMap::new();
    for text in include_str!("../golden/ops.txt").lines() {
        let mut line = Line::new(text);
        let (height, width, channels, pixels) = line.image();
        let name = line.word();
        let op = Op::ALL.into_iter().find(|op| op.name() == name).unwrap();
        let strength = Strength::new(line.number() as u32, width as u32);
        let negative = line.word() == "-1";
        let (y, x) = if op == Op::Cutout { (line.number(), line.number()) } else { (0, 0) };

        let mut canvas = Canvas::default();
        separate(&pixels, channels, canvas.reshape(width, height, channels));
        edit(op, &strength, negative, x, y).apply(&mut canvas);
        assert_eq!(crc32fast::hash(&interleaved(canvas.pixels(), channels)), line.crc(), "{text}");
        *tested.entry(name).or_insert(0) += 1;
    }
    assert_eq!(tested.len(), 16, "{tested:?}");
}

#[test]
fn every_resize_equals_the_reference_bit_for_bit() {
    let mut tested = 0;
    for text in include_str!("../golden/resizes.txt").lines() {
        let mut line = Line::new(text);
        let (height, width, channels, pixels) = line.image();
        let source = ImageView::new(&pixels, width, height, channels);
        let (method, out_height, out_width) = (line.word(), line.number(), line.number());
        let whole = |width, height| Window { left: 0, top: 0, width, height };
        let size = (out_width, out_height);
        let mut out = vec![0; out_height * out_width * channels];
        match method {
            "bilinear" => {
                let window = whole(width, height);
                Resizer::default().bilinear(source, window, size, false, &mut out);
            }
            "area" => {
                Resizer::default().area(source, size, whole(out_width, out_height), &mut out);
            }
            _ => {
                let evaluation = Evaluation::new(out_height as u32);
                out.truncate(out_height * out_height * channels);
                evaluation.evaluate(source.into(), &mut Scratch::default(), &mut out).unwrap();
            }
        }
        assert_eq!(crc32fast::hash(&interleaved(&out, channels)), line.crc(), "{text}");
        tested += 1;
    }
    assert_eq!(tested, 18);
}
