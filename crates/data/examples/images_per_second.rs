//! Prints how many training images a second one thread prepares, for a few augmentations.
//!
//! `cargo run --release -p augreg-data --example images_per_second [FOLDER] [RESOLUTION]`, where
//! FOLDER holds IDX files; Fashion-MNIST at 28 if there are no arguments.

#![expect(clippy::print_stdout, reason = "this program is asked for these lines")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use augreg_data::{BadExamples, Dataset, Supply, TrainLoader, identify};
use augreg_spec::{Augmentation, DataSource, DatasetDefinition, Format, SplitName};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "data/fashion-mnist".to_owned());
    let resolution: u32 = arguments.next().map_or(Ok(28), |text| text.parse())?;
    let definition = DatasetDefinition {
        name: "data".to_owned(),
        source: DataSource::new(Format::Idx, folder),
        splits: [(SplitName::Train, "train".parse()?)].into(),
        subset: None,
        declared: BTreeMap::new(),
    };
    let began = Instant::now();
    let identity = identify(&definition)?;
    println!("identify: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    let began = Instant::now();
    let split = Dataset::open(&definition.source, &identity)?.split(SplitName::Train)?;
    println!("open:     {:.1} ms", began.elapsed().as_secs_f64() * 1e3);

    let steps = (400 * 28 * 28 / u64::from(resolution * resolution)).max(3);
    let supply = Supply { threads: 1, prefetch: 2, bad: BadExamples::new(0), lock: None };
    for name in ["none", "light2", "medium1"] {
        let augmentation = Augmentation::preset(name).ok_or("no such preset")?;
        let loader =
            TrainLoader::new(split.clone(), &augmentation, resolution, 256, 0, 0..steps, &supply);
        let began = Instant::now();
        let mut images = 0;
        for batch in loader {
            images += batch?.examples.len();
        }
        let rate = images as f64 / began.elapsed().as_secs_f64();
        println!("{name:8}  {rate:>9.0} images/s at {resolution} × {resolution}");
    }
    Ok(())
}
