//! Resizes with TensorFlow's numbers: bilinear for training crops, area for evaluation.
//!
//! Both compute in `f32` in TensorFlow's order of operations, clip and truncate to 8 bits.

use augreg_decode::Window;

use crate::ImageView;

/// Working memory of the resizes, reused from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    taps: Vec<Tap>,
    boxes: Vec<Span>,
    weights: Vec<f32>,
    lines: [Line; 2],
}

/// What an output coordinate takes from the source, bilinear: two neighbours.
#[derive(Debug, Clone, Copy)]
struct Tap {
    low: usize,
    high: usize,
    lerp: f32,
}

/// What an output coordinate takes from the source, area: pixels from `start`, with their weights.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    weights: (usize, usize),
}

/// A source row, already resized horizontally, `[width, channels]`.
#[derive(Debug, Default)]
struct Line {
    row: Option<usize>,
    values: Vec<f32>,
}

impl Resizer {
    /// Resizes `window` of `source` to `width` × `height` pixels, `out` being
    /// `[height, width, channels]`.
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
        out: &mut [u8],
    ) {
        let channels = source.channels();
        let stride = width * channels;
        let row_of = |y: usize| {
            &source.row(window.top + y)[window.left * channels..][..window.width * channels]
        };
        if (window.width, window.height) == (width, height) {
            for (y, out) in out.chunks_exact_mut(stride).enumerate() {
                out.copy_from_slice(row_of(y));
            }
            return;
        }
        self.taps.clear();
        self.taps.extend((0..width).map(|x| tap(x, width, window.width)));
        for line in &mut self.lines {
            line.row = None;
            line.values.resize(stride, 0.0);
        }
        for (y, out) in out.chunks_exact_mut(stride).enumerate() {
            let Tap { low, high, lerp } = tap(y, height, window.height);
            if self.lines[1].row == Some(low) {
                self.lines.swap(0, 1);
            }
            for (line, y) in self.lines.iter_mut().zip([low, high]) {
                if line.row != Some(y) {
                    line.row = Some(y);
                    match channels {
                        1 => interpolate::<1>(row_of(y), &self.taps, &mut line.values),
                        _ => interpolate::<3>(row_of(y), &self.taps, &mut line.values),
                    }
                }
            }
            let [top, bottom] = &self.lines;
            for ((out, top), bottom) in out.iter_mut().zip(&top.values).zip(&bottom.values) {
                *out = (top + (bottom - top) * lerp) as u8;
            }
        }
    }

    /// Resizes `source` to `full` = (width, height) pixels and keeps `window` of the result, `out`
    /// being `[window.height, window.width, channels]`.
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
        let channels = source.channels();
        let stride = window.width * channels;
        let x_scale = source.width() as f32 / full.0 as f32;
        let y_scale = source.height() as f32 / full.1 as f32;
        let scale = (1.0 / f64::from(y_scale * x_scale)) as f32;

        self.boxes.clear();
        self.weights.clear();
        for x in window.left..window.left + window.width {
            let span = span(x, x_scale, &mut self.weights);
            self.boxes.push(span);
        }
        let columns = self.weights.len();
        let [sums, line] = &mut self.lines;
        sums.values.resize(stride, 0.0);
        line.values.resize(stride, 0.0);
        for (y, out) in (window.top..).zip(out.chunks_exact_mut(stride)) {
            self.weights.truncate(columns);
            let rows = span(y, y_scale, &mut self.weights);
            sums.values.fill(0.0);
            for (row, &weight) in (rows.start..).zip(&self.weights[columns..]) {
                let row = source.row(row.min(source.height() - 1));
                sum_boxes(row, channels, &self.boxes, &self.weights, &mut line.values);
                for (sum, value) in sums.values.iter_mut().zip(&line.values) {
                    *sum += value * weight;
                }
            }
            for (out, sum) in out.iter_mut().zip(&sums.values) {
                *out = (sum * scale) as u8;
            }
        }
    }
}

fn tap(out: usize, out_size: usize, in_size: usize) -> Tap {
    let scale = in_size as f32 / out_size as f32;
    let at = (out as f32 + 0.5) * scale - 0.5;
    let floor = at.floor();
    let low = floor.max(0.0) as usize;
    let high = (at.ceil().max(0.0) as usize).min(in_size - 1);
    Tap { low, high, lerp: at - floor }
}

fn interpolate<const C: usize>(row: &[u8], taps: &[Tap], out: &mut [f32]) {
    let row = row.as_chunks::<C>().0;
    for (out, tap) in out.as_chunks_mut::<C>().0.iter_mut().zip(taps) {
        let (low, high) = (row[tap.low].map(f32::from), row[tap.high].map(f32::from));
        *out = std::array::from_fn(|c| low[c] + (high[c] - low[c]) * tap.lerp);
    }
}

/// The source pixels under output pixel `out`; their weights are appended to `weights`.
fn span(out: usize, scale: f32, weights: &mut Vec<f32>) -> Span {
    let (from, to) = (out as f32 * scale, (out + 1) as f32 * scale);
    let (start, end) = (from.floor() as usize, to.ceil() as usize);
    let first = weights.len();
    weights.extend((start..end).map(|pixel| {
        let (left, right) = (pixel as f32, (pixel + 1) as f32);
        match (left < from, right > to) {
            (true, true) => scale,
            (true, false) => right - from,
            (false, true) => to - left,
            (false, false) => 1.0,
        }
    }));
    Span { start, weights: (first, weights.len()) }
}

fn sum_boxes(row: &[u8], channels: usize, boxes: &[Span], weights: &[f32], out: &mut [f32]) {
    let last = row.len() / channels - 1;
    for (out, span) in out.chunks_exact_mut(channels).zip(boxes) {
        out.fill(0.0);
        for (x, &weight) in (span.start..).zip(&weights[span.weights.0..span.weights.1]) {
            let pixel = &row[x.min(last) * channels..][..channels];
            for (out, &value) in out.iter_mut().zip(pixel) {
                *out += f32::from(value) * weight;
            }
        }
    }
}
