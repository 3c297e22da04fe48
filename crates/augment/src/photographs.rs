//! Holds decoding, crops, evaluation and ops against what TensorFlow and Pillow make of photographs:
//! `golden/photographs.txt`, which `golden/photographs.py` writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use augreg_decode::{Decoder, Window, header};

use crate::canvas::Canvas;
use crate::evaluation::Evaluation;
use crate::golden::{Line, interleaved};
use crate::op::tests::edit;
use crate::op::{Op, Strength};
use crate::pipeline::Scratch;
use crate::resize::Resizer;
use crate::{ImageView, Picture};

const SIDE: usize = 224;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/photographs");
    fs::read(folder.join(name)).unwrap()
}

/// The lines of one kind, and how many there are.
fn lines(kind: &str, mut check: impl FnMut(&mut Line, &'static str)) {
    let mut checked = 0;
    for text in include_str!("../golden/photographs.txt").lines() {
        let mut line = Line::new(text);
        if line.word() == kind {
            check(&mut line, text);
            checked += 1;
        }
    }
    assert!(checked > 0, "no {kind}");
}

fn decode(kind: &str, channels: usize) {
    let mut decoder = Decoder::default();
    lines(kind, |line, text| {
        let bytes = file(line.word());
        let (width, height) = (line.number(), line.number());
        let header = header(&bytes).unwrap();
        assert_eq!((header.width as usize, header.height as usize), (width, height), "{text}");
        let found = decoder.decode(&bytes, channels).unwrap();
        assert_eq!((found.width, found.height), (width, height), "{text}");
        assert_eq!(crc32fast::hash(found.pixels), line.crc(), "{text}");
    });
}

#[test]
fn every_format_is_decoded_to_the_bytes_of_tensorflow_and_pillow() {
    decode("decode", 3);
}

#[test]
fn a_jpeg_becomes_the_grey_of_tensorflow() {
    decode("decode-grey", 1);
}

#[test]
fn a_window_is_the_same_in_a_part_of_the_photograph_and_its_resize_is_tensorflows() {
    let mut decoder = Decoder::default();
    lines("crop", |line, text| {
        let bytes = file(line.word());
        let (top, left) = (line.number(), line.number());
        let (height, width) = (line.number(), line.number());
        let window = Window { left, top, width, height };
        let part = decoder.decode_window(&bytes, &header(&bytes).unwrap(), 3, window).unwrap();
        let view = ImageView::new(part.pixels, part.width, part.height, 3);
        let rows = part.pixels.chunks_exact(part.width * 3).skip(part.window.top).take(height);
        let cut: Vec<u8> =
            rows.flat_map(|row| &row[part.window.left * 3..][..width * 3]).copied().collect();
        assert_eq!(crc32fast::hash(&cut), line.crc(), "{text}");
        let mut out = vec![0; 3 * SIDE * SIDE];
        Resizer::default().bilinear(view, part.window, (SIDE, SIDE), false, &mut out);
        assert_eq!(crc32fast::hash(&interleaved(&out, 3)), line.crc(), "{text}");
    });
}

#[test]
fn photographs_are_evaluated_as_by_tensorflow() {
    lines("evaluate", |line, text| {
        let bytes = file(line.word());
        let evaluation = Evaluation::new(line.number() as u32);
        let mut out = vec![0; evaluation.output_len(3)];
        evaluation.evaluate(Picture::Encoded(&bytes), &mut Scratch::default(), &mut out).unwrap();
        assert_eq!(crc32fast::hash(&interleaved(&out, 3)), line.crc(), "{text}");
    });
}

#[test]
fn every_op_makes_of_a_photograph_what_tensorflow_makes_of_it() {
    let mut tested = BTreeMap::new();
    let (mut decoder, mut canvas) = (Decoder::default(), Canvas::default());
    lines("op", |line, text| {
        let bytes = file(line.word());
        let name = line.word();
        let op = Op::ALL.into_iter().find(|op| op.name() == name).unwrap();
        let strength = Strength::new(line.number() as u32, SIDE as u32);
        let negative = line.word() == "-1";
        let (y, x) = (line.number(), line.number());
        let photograph = decoder.decode(&bytes, 3).unwrap();
        let view = ImageView::new(photograph.pixels, photograph.width, photograph.height, 3);
        let pixels = canvas.reshape(SIDE, SIDE, 3);
        Resizer::default().bilinear(view, photograph.window, (SIDE, SIDE), false, pixels);
        edit(op, &strength, negative, x, y).apply(&mut canvas);
        assert_eq!(crc32fast::hash(&interleaved(canvas.pixels(), 3)), line.crc(), "{text}");
        *tested.entry(name).or_insert(0) += 1;
    });
    assert_eq!(tested.len(), 16, "{tested:?}");
}
