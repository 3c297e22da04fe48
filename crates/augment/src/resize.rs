//! Resizes with TensorFlow's numbers: bilinear for training crops, area for evaluation.
//!
//! Both compute in `f32` in TensorFlow's order of operations, clip and truncate to 8 bits. Sources
//! are interleaved, results planar. A source row is resized to the columns wanted once, however many
//! rows of the result it is part of; [`columns`] has the loops over columns.

mod columns;

use augreg_decode::Window;

use crate::ImageView;
use crate::image::separate;
use columns::{Columns, add_weighted, finish, mix};

/// Working memory of the resizes, reused from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    columns: Columns,
    weights: Vec<f32>,
    lines: [Line; 2],
    sums: Vec<f32>,
    padded: Vec<u8>,
}

/// What an output coordinate takes from the source, bilinear: two neighbours.
#[derive(Debug, Clone, Copy)]
struct Tap {
    low: usize,
    high: usize,
    lerp: f32,
}

/// A source row, already resized horizontally, `[channels, columns]`.
#[derive(Debug, Default)]
struct Line {
    row: Option<usize>,
    values: Vec<f32>,
}

impl Resizer {
    /// Resizes `window` of `source` to `width` × `height` pixels, mirrored left to right if
    /// `mirror`. `out` is `[channels, height, width]`.
    ///
    /// Two taps a side even when shrinking: half-pixel centres, no antialiasing.
    ///
    /// # Source
    ///
    /// `tf.image.resize(…, "bilinear")` of TensorFlow 2, `resize_bilinear_op.cc`.
    pub(crate) fn bilinear(
        &mut self,
        source: ImageView<'_>,
        window: Window,
        (width, height): (usize, usize),
        mirror: bool,
        out: &mut [u8],
    ) {
        let same = (source.width(), source.height()) == (width, height);
        if same && (window.width, window.height) == (width, height) && !mirror {
            separate(source.pixels(), source.channels(), out);
            return;
        }
        let Self { columns, lines, padded, .. } = self;
        let channels = source.channels();
        columns.begin(width, channels, 2);
        for x in 0..width {
            let Tap { low, high, lerp } = tap(x, width, window.width);
            columns.set(if mirror { width - 1 - x } else { x }, [(low, 0.0), (high, lerp)]);
        }
        for line in lines.iter_mut() {
            line.row = None;
            line.values.resize(columns.line_len(), 0.0);
        }
        for y in 0..height {
            let Tap { low, high, lerp } = tap(y, height, window.height);
            if lines[1].row == Some(low) {
                lines.swap(0, 1);
            }
            for (line, y) in lines.iter_mut().zip([low, high]) {
                if line.row != Some(y) {
                    line.row = Some(y);
                    let row = row(source, window.top + y, window.left, window.width, padded);
                    columns.interpolate(row, &mut line.values);
                }
            }
            let [top, bottom] = &*lines;
            for (c, plane) in out.chunks_exact_mut(width * height).enumerate() {
                let values = columns.plane(c);
                let out = &mut plane[y * width..][..width];
                mix(&top.values[values.clone()], &bottom.values[values], lerp, out);
            }
        }
    }

    /// Resizes `source` to `full` = (width, height) pixels and keeps `window` of the result, `out`
    /// being `[channels, window.height, window.width]`.
    ///
    /// Every output pixel is the mean of the source pixels it covers, those at the edge weighted
    /// by the share covered.
    ///
    /// # Source
    ///
    /// `tf.image.resize(…, "area")`, `resize_area_op.cc`.
    pub(crate) fn area(
        &mut self,
        source: ImageView<'_>,
        full: (usize, usize),
        window: Window,
        out: &mut [u8],
    ) {
        let Self { columns, weights, lines, sums, padded } = self;
        let x_scale = source.width() as f32 / full.0 as f32;
        let y_scale = source.height() as f32 / full.1 as f32;
        let scale = (1.0 / f64::from(y_scale * x_scale)) as f32;

        // Boxes of fewer pixels than the widest take others with weight 0, which adds nothing.
        let boxes = (window.left..window.left + window.width).map(|x| boundaries(x, x_scale));
        let widest = boxes.clone().map(|(start, end)| end - start).max().unwrap_or(0);
        columns.begin(window.width, source.channels(), widest);
        for (x, (start, _)) in boxes.enumerate() {
            weights.clear();
            span(x + window.left, x_scale, weights);
            weights.resize(widest, 0.0);
            let taps = (start..).map(|x| x.min(source.width() - 1)).zip(weights.iter().copied());
            columns.set(x, taps);
        }
        for line in lines.iter_mut() {
            line.row = None;
            line.values.resize(columns.line_len(), 0.0);
        }
        sums.resize(columns.line_len(), 0.0);
        let line = &mut lines[0];
        for (i, y) in (window.top..window.top + window.height).enumerate() {
            weights.clear();
            let start = span(y, y_scale, weights);
            sums.fill(0.0);
            for (y, &weight) in (start..).zip(&*weights) {
                let y = y.min(source.height() - 1);
                // The last row of one box is often the first of the next.
                if line.row != Some(y) {
                    line.row = Some(y);
                    columns.sum(row(source, y, 0, source.width(), padded), &mut line.values);
                }
                add_weighted(&line.values, weight, sums);
            }
            for (c, plane) in out.chunks_exact_mut(window.width * window.height).enumerate() {
                finish(
                    &sums[columns.plane(c)],
                    scale,
                    &mut plane[i * window.width..][..window.width],
                );
            }
        }
    }
}

/// A part of a row and at least [`columns::BEYOND`] bytes that follow, whatever they are.
fn row<'a>(
    source: ImageView<'a>,
    y: usize,
    left: usize,
    width: usize,
    padded: &'a mut Vec<u8>,
) -> &'a [u8] {
    let channels = source.channels();
    let start = (y * source.width() + left) * channels;
    let len = width * channels;
    source.pixels().get(start..start + len + columns::BEYOND).unwrap_or_else(|| {
        padded.clear();
        padded.extend_from_slice(&source.pixels()[start..start + len]);
        padded.extend_from_slice(&[0; columns::BEYOND]);
        padded
    })
}

fn tap(out: usize, out_size: usize, in_size: usize) -> Tap {
    let scale = in_size as f32 / out_size as f32;
    let at = (out as f32 + 0.5) * scale - 0.5;
    let floor = at.floor();
    let low = floor.max(0.0) as usize;
    let high = (at.ceil().max(0.0) as usize).min(in_size - 1);
    Tap { low, high, lerp: at - floor }
}

/// First and one past the last source pixel under output pixel `out`.
fn boundaries(out: usize, scale: f32) -> (usize, usize) {
    ((out as f32 * scale).floor() as usize, ((out + 1) as f32 * scale).ceil() as usize)
}

/// The first source pixel under output pixel `out`; the weights of all are appended to `weights`.
fn span(out: usize, scale: f32, weights: &mut Vec<f32>) -> usize {
    let (from, to) = (out as f32 * scale, (out + 1) as f32 * scale);
    let (start, end) = boundaries(out, scale);
    weights.extend((start..end).map(|pixel| {
        let (left, right) = (pixel as f32, (pixel + 1) as f32);
        match (left < from, right > to) {
            (true, true) => scale,
            (true, false) => right - from,
            (false, true) => to - left,
            (false, false) => 1.0,
        }
    }));
    start
}
