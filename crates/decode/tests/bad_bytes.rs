//! Whatever the bytes are: pixels or a named error, a window like the whole, never a panic.

use std::fs;
use std::path::Path;

use augreg_decode::{Codec, DecodeError, Decoder, Window, header};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const JPEGS: [&str; 8] = [
    "coffee.jpg",
    "444.jpg",
    "422.jpg",
    "progressive.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "turned.jpg",
    "1x1.jpg",
];
const OTHERS: [&str; 7] =
    ["rgb.png", "palette.png", "rgba.png", "la.png", "16-bit.png", "lossy.webp", "lossless.webp"];

/// How files of each format begin.
const MAGICS: [&[u8]; 3] =
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF\xff\0\0\0WEBPVP8 "];

/// Pictures that are held against TensorFlow and Pillow elsewhere.
fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../augment/golden/photographs");
    fs::read(folder.join(name)).expect("the photographs are there")
}

#[test]
fn a_picture_that_is_cut_off_is_an_error_at_its_end() {
    let mut decoder = Decoder::default();
    for name in JPEGS.iter().chain(&OTHERS) {
        let bytes = file(name);
        for eighth in 0..8 {
            let cut = &bytes[..bytes.len() * eighth / 8];
            let error = decoder.decode(cut, 3).unwrap_err();
            match error {
                DecodeError::Empty => assert!(cut.is_empty()),
                DecodeError::Truncated { at, .. } => assert_eq!(at, cut.len(), "{name}"),
                // A decoder of WebP looks at sizes first, and finds them at odds.
                DecodeError::Damaged { codec: Codec::WebP, .. } => {}
                other => panic!("{name} cut at {}: {other}", cut.len()),
            }
        }
        let whole = decoder.decode(&bytes, 3).unwrap();
        assert_eq!(whole.pixels.len(), whole.width * whole.height * 3, "{name} after failures");
    }
}

#[test]
fn what_is_no_picture_is_told_by_its_look() {
    let said = |bytes: &[u8]| header(bytes).unwrap_err().to_string();
    let not = "not a JPEG, PNG or WebP picture";
    assert_eq!(said(b""), "is empty");
    assert_eq!(said(b"\n<!DOCTYPE html><title>404"), format!("is HTML or XML, {not}"));
    assert_eq!(said(b"GIF89a"), format!("is a GIF picture, {not}"));
    assert_eq!(said(&[0; 100]), format!("is nothing but zero bytes, {not}"));
    let hello = format!("is something that begins with 68 65 6c 6c 6f, {not}");
    assert_eq!(said(b"hello"), hello);
}

#[test]
fn pictures_of_too_many_pixels_or_none_are_refused_by_their_header() {
    let mut jpeg = file("grey.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    for (height, width) in [(20_000_u16, 20_000_u16), (0, 5)] {
        jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        let (width, height) = (u32::from(width), u32::from(height));
        let expected = if height == 0 {
            DecodeError::NoPixels { width, height }
        } else {
            DecodeError::TooLarge { width, height }
        };
        assert_eq!(header(&jpeg), Err(expected.clone()));
        assert_eq!(Decoder::default().decode(&jpeg, 3).unwrap_err(), expected);
    }
    let mut png = file("rgb.png");
    png[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let expected = DecodeError::TooLarge { width: 20_000, height: 20_000 };
    assert_eq!(header(&png), Err(expected));
}

#[test]
fn jpegs_of_other_processes_are_named() {
    let mut jpeg = file("grey.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 1] = 0xc3;
    let expected = "is a JPEG picture without loss (T.81 annex H), which is not supported";
    assert_eq!(header(&jpeg).unwrap_err().to_string(), expected);
    jpeg[frame + 1] = 0xc1;
    jpeg[frame + 4] = 12;
    let expected = "is a JPEG picture with 12 bits a value, which is not supported";
    assert_eq!(header(&jpeg).unwrap_err().to_string(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_window_has_the_bytes_of_the_whole_picture(
        name in select(&JPEGS[..]),
        (x, y, w, h) in any::<(Index, Index, Index, Index)>(),
        grey: bool,
    ) {
        let (bytes, channels) = (file(name), if grey { 1 } else { 3 });
        let header = header(&bytes).unwrap();
        let (left, top) = (x.index(header.width as usize), y.index(header.height as usize));
        let width = 1 + w.index(header.width as usize - left);
        let height = 1 + h.index(header.height as usize - top);
        let window = Window { left, top, width, height };
        let mut decoder = Decoder::default();
        let whole = decoder.decode(&bytes, channels).unwrap().pixels.to_vec();
        let part = decoder.decode_window(&bytes, &header, channels, window).unwrap();
        for row in 0..height {
            let found = ((part.window.top + row) * part.width + part.window.left) * channels;
            let expected = ((top + row) * header.width as usize + left) * channels;
            let len = width * channels;
            prop_assert_eq!(&part.pixels[found..found + len], &whole[expected..expected + len]);
        }
    }

    #[test]
    fn damage_of_any_kind_is_an_error_or_pixels(
        name in select([&JPEGS[1..], &OTHERS[..]].concat()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<Index>()),
        (x, y) in any::<(Index, Index)>(),
        grey: bool,
    ) {
        let (mut bytes, channels) = (file(name), if grey { 1 } else { 3 });
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(header) = header(&bytes) else { return Ok(()) };
        prop_assume!(header.width * header.height < 1 << 20); // Damaged sizes only take time.
        let mut decoder = Decoder::default();
        if let Ok(whole) = decoder.decode(&bytes, channels) {
            prop_assert_eq!(whole.pixels.len(), whole.width * whole.height * channels);
        }
        let (left, top) = (x.index(header.width as usize), y.index(header.height as usize));
        let window = Window { left, top, width: 1, height: 1 };
        if let Ok(part) = decoder.decode_window(&bytes, &header, channels, window) {
            prop_assert!(part.window.left < part.width && part.window.top < part.height);
        }
    }

    #[test]
    fn any_bytes_behind_a_magic_are_an_error_or_pixels(
        magic in select(&MAGICS[..]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &rest[..]].concat();
        if let Ok(header) = header(&bytes) {
            prop_assume!(header.width * header.height < 1 << 20);
            let _ = Decoder::default().decode(&bytes, 3);
        }
    }
}
