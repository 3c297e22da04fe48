//! `augreg data show`

use std::path::PathBuf;

use augreg_augment::{Drawn, Evaluation, Picture, Pipeline, Scratch};
use augreg_data::{Dataset, Split};
use augreg_spec::random::{Purpose, stream};
use augreg_spec::{Augmentation, SplitName};
use clap::Args;
use data_encoding::BASE64;

use super::classes_text;
use super::paper::{CHARACTER, LINE, Paper};
use crate::failure::{Ending, Failure};
use crate::output;
use crate::sweep_file;

/// Pixels between two images.
const GAP: usize = 4;

const SHEET: &str = "\
A row is an image: as it is evaluated, then as a job with `--seed` sees it in its first epochs. What was \
drawn for each stands beneath it, and goes to standard output.";

/// Draw a contact sheet: images of a data set as a model sees them
#[derive(Debug, Args)]
#[command(after_help = SHEET)]
pub(crate) struct ShowArgs {
    /// The sweep file
    file: PathBuf,
    /// One of its data sets
    dataset: String,
    /// A preset, or an augmentation of the sweep file
    #[arg(long, default_value = "none", value_name = "NAME")]
    augmentation: String,
    /// The picture to write, `.png` or `.svg`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Side of an image, in pixels
    #[arg(long, default_value_t = 224, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=1024))]
    resolution: u32,
    /// Examples of the training split to show, a row each
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,3", value_name = "N,…")]
    examples: Vec<u64>,
    /// Epochs to show, a column each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=64))]
    epochs: u64,
    /// Seed of the job
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Take the whole image, as jobs with `crop = "none"` do
    #[arg(long)]
    no_crop: bool,
}

/// Images in rows, and what is said beneath each.
struct Sheet {
    side: usize,
    channels: usize,
    columns: usize,
    /// Planar pixels, row by row of the sheet.
    images: Vec<Vec<u8>>,
    captions: Vec<Vec<String>>,
}

pub(crate) fn run(args: &ShowArgs) -> Result<Ending, Failure> {
    let extension = args.out.extension().unwrap_or_default();
    let vector = extension.eq_ignore_ascii_case("svg");
    if !vector && !extension.eq_ignore_ascii_case("png") {
        let out = args.out.display();
        return Err(Failure::request(format!("`{out}` is no picture"), "end it in .png or .svg"));
    }
    let loaded = sweep_file::load(&args.file)?;
    let definition = super::dataset(&loaded, &args.dataset)?;
    let mut augmentation = loaded.sweep.augmentation(&args.augmentation).ok_or_else(|| {
        let message = format!("there is no augmentation `{}`", args.augmentation);
        Failure::request(message, "name a preset, none to strong2, or one of the sweep file")
    })?;
    if args.no_crop {
        augmentation.crop = augreg_spec::Crop::None;
    }
    let identity = loaded.identity(&args.dataset)?;
    let split = Dataset::open(&definition.source, identity)?.split(SplitName::Train)?;
    let sheet = Sheet::draw(args, &split, &augmentation)?;
    let bytes =
        if vector { sheet.svg(&sheet.png(false)?).into_bytes() } else { sheet.png(true)? };
    std::fs::write(&args.out, bytes)?;
    output::print(&sheet.legend())?;
    Ok(Ending::Good)
}

impl Sheet {
    fn draw(args: &ShowArgs, split: &Split, augmentation: &Augmentation) -> Result<Self, Failure> {
        let pipeline = Pipeline::new(augmentation, args.resolution);
        let evaluation = Evaluation::new(args.resolution);
        let (channels, side) = (split.channels(), args.resolution as usize);
        let columns = 1 + args.epochs as usize;
        let mut sheet = Self { side, channels, columns, images: vec![], captions: vec![] };
        let (mut scratch, mut buffer) = (Scratch::default(), Vec::new());
        for &example in &args.examples {
            let i = example as usize;
            if i >= split.len() {
                let message = format!("there is no example {example}");
                let help = format!("the training split has examples 0 to {}", split.len() - 1);
                return Err(Failure::request(message, help));
            }
            let bad = |error: augreg_data::DecodeError| {
                Failure::request(format!("{} {error}", split.place(i)), "show another example")
            };
            let picture = split.picture(i, &mut buffer)?;
            let (width, height) = match picture {
                Picture::Pixels(image) => (image.width(), image.height()),
                Picture::Encoded(bytes) => {
                    let header = augreg_data::header(bytes).map_err(bad)?;
                    (header.width as usize, header.height as usize)
                }
            };
            let mut out = vec![0; channels * side * side];
            evaluation.evaluate(picture, &mut scratch, &mut out).map_err(bad)?;
            sheet.images.push(out);
            sheet.captions.push(vec![
                format!("example {example}, {}", classes_text(split.classes(i))),
                format!("{width} × {height}"),
            ]);
            for epoch in 0..args.epochs {
                let draws = || stream(args.seed, Purpose::Augment, epoch, example);
                let mut out = vec![0; channels * side * side];
                pipeline.augment(picture, &mut draws(), &mut scratch, &mut out).map_err(bad)?;
                sheet.images.push(out);
                sheet.captions.push(words(&pipeline.draw(width, height, &mut draws())));
            }
        }
        Ok(sheet)
    }

    fn rows(&self) -> usize {
        self.images.len() / self.columns
    }

    /// The images as a PNG, with what was drawn beneath, or alone.
    fn png(&self, captioned: bool) -> Result<Vec<u8>, Failure> {
        let Self { side, channels, columns, .. } = *self;
        let captions = if captioned { &self.captions[..] } else { &[] };
        let lines = captions.iter().map(Vec::len).max().unwrap_or(0);
        let longest = captions.iter().flatten().map(|line| line.chars().count()).max();
        let across = side.max(longest.unwrap_or(0) * CHARACTER) + GAP;
        let down = side + lines * LINE + GAP;
        let mut paper = Paper::new(columns * across - GAP, self.rows() * down - GAP, channels);
        for (place, image) in self.images.iter().enumerate() {
            let (left, top) = ((place % columns) * across, (place / columns) * down);
            paper.image(left, top, side, image);
            for (line, caption) in captions.get(place).into_iter().flatten().enumerate() {
                paper.text(left, top + side + line * LINE, caption);
            }
        }
        paper.png()
    }

    /// The images with what was drawn beneath.
    fn svg(&self, png: &[u8]) -> String {
        let (side, columns) = (self.side, self.columns);
        let lines = self.captions.iter().map(Vec::len).max().unwrap_or(0);
        let (cell, foot) = (side.max(120) + GAP, 12 * lines + 8);
        let (width, height) = (columns * cell, self.rows() * (side + foot));
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"10\">\n<defs><image id=\"sheet\" \
             href=\"data:image/png;base64,{}\"/></defs>\n",
            BASE64.encode(png)
        );
        for (place, captions) in self.captions.iter().enumerate() {
            let (column, row) = (place % columns, place / columns);
            let (x, y) = (column * cell, row * (side + foot));
            let (left, top) = (column * (side + GAP), row * (side + GAP));
            text += &format!(
                "<svg x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" \
                 viewBox=\"{left} {top} {side} {side}\"><use href=\"#sheet\"/></svg>\n"
            );
            for (line, caption) in captions.iter().enumerate() {
                let y = y + side + 12 * (line + 1);
                text += &format!("<text x=\"{x}\" y=\"{y}\">{caption}</text>\n");
            }
        }
        text + "</svg>\n"
    }

    /// What was drawn, a line an image.
    fn legend(&self) -> String {
        let mut text = String::new();
        for captions in self.captions.chunks(self.columns) {
            text += &format!("{}\n", captions[0].join(", "));
            for (epoch, caption) in captions[1..].iter().enumerate() {
                text += &format!("  epoch {epoch}: {}\n", caption.join(", "));
            }
        }
        text
    }
}

/// What was drawn, in words.
fn words(drawn: &Drawn) -> Vec<String> {
    let window = &drawn.window;
    let of =
        drawn.resized.map_or(String::new(), |(width, height)| format!(" of {width} × {height}"));
    let cut =
        format!("{} × {}{of} at {}, {}", window.width, window.height, window.left, window.top);
    let mut words = vec![cut];
    words.extend(drawn.mirrored.then(|| "mirrored".to_owned()));
    // `Rotate { degrees: -30.0 }` reads well enough without its braces.
    let plain = |text: String| text.replace(" { ", " ").replace(" }", "").replace(": ", " ");
    words.extend(drawn.edits.iter().map(|edit| plain(format!("{edit:?}"))));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width and grey pixels of the sheet of one grey image with such captions.
    fn sheet(captions: &[&str], captioned: bool) -> (usize, Vec<u8>) {
        let captions = vec![captions.iter().map(ToString::to_string).collect()];
        let images = vec![(0..28 * 28).map(|i| i as u8).collect()];
        let sheet = Sheet { side: 28, channels: 1, columns: 1, images, captions };
        let png = sheet.png(captioned).expect("is written");
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("reads");
        let mut pixels = vec![0; reader.output_buffer_size().expect("fits")];
        let info = reader.next_frame(&mut pixels).expect("reads");
        (info.width as usize, pixels)
    }

    #[test]
    fn a_png_says_beneath_an_image_what_was_drawn() {
        let (width, alone) = sheet(&["Rotate degrees -30.0"], false);
        assert_eq!((width, alone.len()), (28, 28 * 28));
        let (width, said) = sheet(&["Rotate degrees -30.0", "28 × 28"], true);
        assert_eq!(width, 20 * CHARACTER);
        assert_eq!(said.len(), width * (28 + 2 * LINE));
        for (row, image) in said.chunks(width).zip(alone.chunks(28)) {
            assert_eq!(&row[..28], image, "the image is where it was");
            assert!(row[28..].iter().all(|&value| value == 255), "and nothing beside it");
        }
        let strip = |pixels: &[u8], line: usize| {
            let rows = pixels.chunks(width).skip(28 + line * LINE).take(LINE);
            rows.flatten().copied().collect::<Vec<_>>()
        };
        for line in [0, 1] {
            let dark = strip(&said, line).iter().filter(|&&value| value < 128).count();
            assert!((30..1000).contains(&dark), "{dark} dark pixels in line {line}");
        }
        let (_, other) = sheet(&["Rotate degrees +30.0", "28 × 28"], true);
        assert_ne!(strip(&said, 0), strip(&other, 0));
        assert_eq!(strip(&said, 1), strip(&other, 1));
        let (_, blank) = sheet(&["                    "], true);
        assert!(strip(&blank, 0).iter().all(|&value| value == 255));
    }
}
