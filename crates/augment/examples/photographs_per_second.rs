//! Prints how many photographs a second become training images, as float tensors in memory.
//!
//! `photographs_per_second FOLDER WHAT RESOLUTION LAYERS MAGNITUDE THREADS`. Reads the pictures of FOLDER
//! into memory; then measures once for each line on standard input, which is the number of seconds,
//! and answers with a line: images and seconds. WHAT is `augment`, or `decode` for
//! nothing but decoding whole pictures: what libjpeg takes is the floor of all that decode with it;
//! `evaluate` what is done to an evaluation image; `small` takes a file of 32 × 32 pixels of three
//! channels after the other instead of a folder, and augments them.

#![expect(clippy::print_stdout, reason = "this program is asked for these lines")]

use std::error::Error;
use std::fs;
use std::io::{self, stdin};
use std::thread;
use std::time::{Duration, Instant};

use augreg_augment::{Evaluation, ImageView, Picture, Pipeline, Scratch};
use augreg_decode::Decoder;
use augreg_spec::random::{Purpose, stream};
use augreg_spec::{Augmentation, Crop, RandAugment};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, what, resolution, layers, magnitude, threads] = &arguments[..] else {
        return Err("see the head of this file".into());
    };
    let files = if what == "small" {
        fs::read(folder)?.chunks_exact(32 * 32 * 3).map(<[u8]>::to_vec).collect()
    } else {
        photographs(folder)?
    };
    let (layers, magnitude) = (layers.parse()?, magnitude.parse()?);
    let augmentation = Augmentation {
        randaugment: (layers > 0).then_some(RandAugment { layers, magnitude }),
        mixup: 0.0,
        crop: Crop::Inception,
        flip: true,
    };
    let resolution = resolution.parse()?;
    let work = Work {
        files: &files,
        what,
        pipeline: Pipeline::new(&augmentation, resolution),
        evaluation: Evaluation::new(resolution),
    };
    let threads: u64 = threads.parse()?;
    work.run(0, Duration::from_millis(200)); // Warms up.
    for line in stdin().lines() {
        let span = Duration::from_secs_f64(line?.trim().parse()?);
        let began = Instant::now();
        let images: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn({
                        let work = &work;
                        move || work.run(thread, span)
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker ends")).sum()
        });
        println!("{images} {}", began.elapsed().as_secs_f64());
    }
    Ok(())
}

fn photographs(folder: &str) -> io::Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<_> = entries.collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    paths.sort();
    paths.iter().map(fs::read).collect()
}

struct Work<'a> {
    files: &'a [Vec<u8>],
    what: &'a str,
    pipeline: Pipeline,
    evaluation: Evaluation,
}

impl Work<'_> {
    fn run(&self, thread: u64, span: Duration) -> usize {
        let (mut scratch, mut decoder) = (Scratch::default(), Decoder::default());
        let mut pixels = vec![0; self.pipeline.output_len(3)];
        let mut tensor = vec![0.0_f32; pixels.len()];
        let began = Instant::now();
        let mut done = 0;
        while began.elapsed() < span {
            let bytes = &self.files[(thread as usize + done) % self.files.len()];
            let mut draws = stream(thread, Purpose::Augment, 0, done as u64);
            let picture = if self.what == "small" {
                Picture::Pixels(ImageView::new(bytes, 32, 32, 3))
            } else {
                Picture::Encoded(bytes)
            };
            match self.what {
                "decode" => {
                    decoder.decode(bytes, 3).expect("a picture");
                }
                "evaluate" => {
                    self.evaluation
                        .evaluate(picture, &mut scratch, &mut pixels)
                        .expect("a picture");
                }
                _ => {
                    self.pipeline
                        .augment(picture, &mut draws, &mut scratch, &mut pixels)
                        .expect("a picture");
                    for (value, &pixel) in tensor.iter_mut().zip(&pixels) {
                        *value = f32::from(pixel) * (2.0 / 255.0) - 1.0;
                    }
                    std::hint::black_box(&tensor);
                }
            }
            done += 1;
        }
        done
    }
}
