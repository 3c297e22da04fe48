//! The loops of a resize over columns, compiled once for each level of x86-64.
//!
//! A pixel is loaded as one number of its bytes, sixteen of them are put side by side, and each
//! channel is then a shift and a mask away from sixteen floats. No product and sum is fused, on no
//! machine: results have the same bits everywhere.

use std::ops::Range;

use multiversion::multiversion;

use crate::number::truncate;

/// Columns that are treated at once.
const LANES: usize = 16;

/// How many bytes are read beyond a row: a pixel of three is read as four.
pub(super) const BEYOND: usize = 1;

/// What every column of the result takes from a source row.
#[derive(Debug, Default)]
pub(super) struct Columns {
    width: usize,
    /// `width` rounded up to whole lanes. What lies beyond takes the first pixel, for nobody.
    stride: usize,
    channels: usize,
    taps: usize,
    /// Where the pixel lies in a row, in bytes, `[taps, stride]`.
    offsets: Vec<u32>,
    /// What it counts, `[taps, stride]`.
    weights: Vec<f32>,
}

impl Columns {
    /// Begins anew for `width` columns of `taps` source pixels each.
    pub(super) fn begin(&mut self, width: usize, channels: usize, taps: usize) {
        (self.width, self.channels, self.taps) = (width, channels, taps);
        self.stride = width.next_multiple_of(LANES);
        self.offsets.clear();
        self.offsets.resize(taps * self.stride, 0);
        self.weights.clear();
        self.weights.resize(taps * self.stride, 0.0);
    }

    /// Sets what column `x` takes: pixels of a row, and what each counts.
    pub(super) fn set(&mut self, x: usize, taps: impl IntoIterator<Item = (usize, f32)>) {
        for (tap, (pixel, weight)) in taps.into_iter().take(self.taps).enumerate() {
            self.offsets[tap * self.stride + x] = (pixel * self.channels) as u32;
            self.weights[tap * self.stride + x] = weight;
        }
    }

    /// How many values a resized row has, with what is beyond its columns.
    pub(super) fn line_len(&self) -> usize {
        self.channels * self.stride
    }

    /// Where channel `c` lies in a resized row.
    pub(super) fn plane(&self, c: usize) -> Range<usize> {
        c * self.stride..c * self.stride + self.width
    }

    /// Goes from the first pixel of each column to the second by the second's weight.
    pub(super) fn interpolate(&self, row: &[u8], out: &mut [f32]) {
        match self.channels {
            1 => interpolate::<1>(row, self.stride, &self.offsets, &self.weights, out),
            _ => interpolate::<3>(row, self.stride, &self.offsets, &self.weights, out),
        }
    }

    /// Adds up the weighted pixels of each column, in their order.
    pub(super) fn sum(&self, row: &[u8], out: &mut [f32]) {
        match self.channels {
            1 => sum::<1>(row, self.stride, &self.offsets, &self.weights, out),
            _ => sum::<3>(row, self.stride, &self.offsets, &self.weights, out),
        }
    }
}

/// The pixels of `C` channels at `offsets`, each as a number whose lowest byte is the first channel.
#[inline(always)]
fn load<const C: usize>(row: &[u8], offsets: &[u32; LANES]) -> [u32; LANES] {
    let mut pixels = [0; LANES];
    for lane in 0..LANES {
        let at = offsets[lane] as usize;
        pixels[lane] = if C == 1 {
            u32::from(row[at])
        } else {
            let bytes = &row[at..at + 4];
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
    }
    pixels
}

/// Channel `c` of a pixel.
#[inline(always)]
fn channel(pixel: u32, c: usize) -> f32 {
    ((pixel >> (8 * c)) & 255) as i32 as f32
}

#[multiversion(targets = "simd")]
fn interpolate<const C: usize>(
    row: &[u8],
    stride: usize,
    offsets: &[u32],
    weights: &[f32],
    out: &mut [f32],
) {
    let (low, high) = offsets.split_at(stride);
    let (low, high) = (low.as_chunks::<LANES>().0, high.as_chunks::<LANES>().0);
    let lerps = weights[stride..].as_chunks::<LANES>().0;
    let out = out.as_chunks_mut::<LANES>().0;
    for (i, ((low, high), lerps)) in low.iter().zip(high).zip(lerps).enumerate() {
        let (low, high) = (load::<C>(row, low), load::<C>(row, high));
        for c in 0..C {
            let out = &mut out[c * (stride / LANES) + i];
            for lane in 0..LANES {
                let (low, high) = (channel(low[lane], c), channel(high[lane], c));
                out[lane] = low + (high - low) * lerps[lane];
            }
        }
    }
}

#[multiversion(targets = "simd")]
fn sum<const C: usize>(
    row: &[u8],
    stride: usize,
    offsets: &[u32],
    weights: &[f32],
    out: &mut [f32],
) {
    let blocks = stride / LANES;
    let (offsets, weights) = (offsets.as_chunks::<LANES>().0, weights.as_chunks::<LANES>().0);
    let out = out.as_chunks_mut::<LANES>().0;
    for i in 0..blocks {
        let mut sums = [[0.0_f32; LANES]; C];
        for (offsets, weights) in offsets.iter().zip(weights).skip(i).step_by(blocks) {
            let pixels = load::<C>(row, offsets);
            for (c, sums) in sums.iter_mut().enumerate() {
                for lane in 0..LANES {
                    sums[lane] += channel(pixels[lane], c) * weights[lane];
                }
            }
        }
        for (c, sums) in sums.into_iter().enumerate() {
            out[c * blocks + i] = sums;
        }
    }
}

/// Goes from `top` to `bottom` by `lerp` and truncates.
#[multiversion(targets = "simd")]
pub(super) fn mix(top: &[f32], bottom: &[f32], lerp: f32, out: &mut [u8]) {
    for ((out, top), bottom) in out.iter_mut().zip(top).zip(bottom) {
        *out = truncate(top + (bottom - top) * lerp);
    }
}

/// Adds `values` times `weight`.
#[multiversion(targets = "simd")]
pub(super) fn add_weighted(values: &[f32], weight: f32, sums: &mut [f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value * weight;
    }
}

/// Scales sums, clips and truncates.
#[multiversion(targets = "simd")]
pub(super) fn finish(sums: &[f32], scale: f32, out: &mut [u8]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = truncate(sum * scale);
    }
}
