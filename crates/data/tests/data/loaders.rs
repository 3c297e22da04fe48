//! Loaders: the same bytes whatever the first step and the prefetch depth.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use augreg_augment::{Pipeline, Scratch};
use augreg_data::{EvalLoader, Label, Order, PageLock, Split, Supply, TrainLoader};
use augreg_spec::random::{Purpose, stream};
use augreg_spec::{Augmentation, Crop, Format, SplitName};

use crate::support::{definition, fashion_folder, open, pixels, supply};

fn fashion(split: &str) -> Split {
    let definition = definition(Format::Idx, &fashion_folder(), &[(SplitName::Train, split)]);
    open(&definition).unwrap().1.split(SplitName::Train).unwrap()
}

fn preset(name: &str) -> Augmentation {
    Augmentation::preset(name).unwrap()
}

type Bytes = (u64, Vec<u8>, Vec<Label>);

fn batches(split: &Split, steps: Range<u64>, (threads, prefetch): (usize, usize)) -> Vec<Bytes> {
    let supply = supply(threads, prefetch);
    TrainLoader::new(split.clone(), &preset("medium1"), 28, 64, 7, steps, &supply)
        .map(|batch| {
            let batch = batch.unwrap();
            (batch.step, batch.images.to_vec(), batch.labels.clone())
        })
        .collect()
}

#[test]
fn batches_depend_on_the_step_alone() {
    let split = fashion("train[:150]");
    let all = batches(&split, 0..12, (1, 2));
    assert_eq!(all.iter().map(|batch| batch.0).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    for threads in [1, 2, 3, 16] {
        assert_eq!(batches(&split, 5..12, (threads, 0)), all[5..]);
        assert_eq!(batches(&split, 11..12, (threads, 9)), all[11..]);
        assert_eq!(batches(&split, 3..3, (threads, 1)), []);
    }
}

#[test]
fn a_batch_holds_the_augmented_examples_of_its_positions() {
    let split = fashion("train[:150]");
    let (order, pipeline) = (Order::new(7, 150), Pipeline::new(&preset("medium1"), 28));
    let (mut image, mut buffer) = (vec![0; 784], Vec::new());
    for (step, images, labels) in batches(&split, 0..5, (2, 2)) {
        for i in 0..64 {
            let (epoch, example) = order.example(step * 64 + i);
            let mut draws = stream(7, Purpose::Augment, epoch, example);
            let source = split.picture(example as usize, &mut buffer).unwrap();
            pipeline.augment(source, &mut draws, &mut Scratch::default(), &mut image).unwrap();
            assert_eq!(images[i as usize * 784..][..784], image, "step {step}, image {i}");
            let class = split.classes(example as usize)[0];
            assert_eq!(labels[i as usize], Label { row: i as u32, class });
        }
    }
}

#[test]
fn an_epoch_meets_every_image_once_though_batches_cross_its_border() {
    let split = fashion("test[:100]");
    let plain = Augmentation { randaugment: None, mixup: 0.0, crop: Crop::None, flip: false };
    let loader = TrainLoader::new(split.clone(), &plain, 28, 30, 1, 0..10, &supply(2, 3));
    let met: Vec<Vec<u8>> = loader
        .flat_map(|batch| batch.unwrap().images.chunks(784).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect();
    let mut expected: Vec<_> = (0..100).map(|i| pixels(&split, i)).collect();
    expected.sort();
    assert_eq!(met.len(), 300);
    for epoch in met.chunks(100) {
        let mut epoch = epoch.to_vec();
        epoch.sort();
        assert_eq!(epoch, expected);
    }
    assert_ne!(met[..100], met[100..200], "epochs have orders of their own");
}

#[test]
fn buffers_are_reused() {
    let loader =
        TrainLoader::new(fashion("train[:500]"), &preset("none"), 28, 32, 0, 0..200, &supply(2, 2));
    let buffers: BTreeSet<_> =
        loader.map(|batch| batch.unwrap().images.as_ptr() as usize).collect();
    assert!(buffers.len() <= 5, "{} buffers", buffers.len());
}

/// Counts what is locked, and what is let go of.
#[derive(Debug, Default)]
struct Counting {
    locked: Mutex<Vec<Range<usize>>>,
    released: Arc<AtomicUsize>,
}

/// One lock that was taken.
struct Lock(Arc<AtomicUsize>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl PageLock for Counting {
    fn lock(&self, pages: &mut [u8]) -> Option<Box<dyn Any + Send>> {
        let range = pages.as_ptr_range();
        self.locked.lock().unwrap().push(range.start as usize..range.end as usize);
        Some(Box::new(Lock(Arc::clone(&self.released))))
    }
}

#[test]
fn memory_is_locked_once_in_whole_pages_and_let_go_of_once_after_the_last_batch_in_it() {
    let counting = Arc::new(Counting::default());
    let supply = Supply { lock: Some(counting.clone()), ..supply(2, 2) };
    let split = fashion("train[:500]");
    let mut loader = TrainLoader::new(split, &preset("none"), 28, 33, 0, 0..200, &supply);
    let mut last = None;
    for _ in 0..200 {
        let batch = loader.next().unwrap().unwrap();
        let images = batch.images.as_ptr() as usize;
        let locked = counting.locked.lock().unwrap();
        assert!(locked.iter().any(|range| range.start == images), "where the lock begins");
        assert!(locked.iter().all(|range| range.start % 4096 == 0 && range.len() == 7 * 4096));
        drop(locked);
        last = Some(batch); // So two are about at once, as on their way to a GPU.
    }
    let locked = counting.locked.lock().unwrap().len();
    assert!((2..=5).contains(&locked), "{locked} buffers of 200 batches");
    assert_eq!(counting.released.load(Ordering::Relaxed), 0);
    drop(loader);
    assert_eq!(counting.released.load(Ordering::Relaxed), locked - 1, "one is in a batch");
    drop(last);
    assert_eq!(counting.released.load(Ordering::Relaxed), locked);
}

#[test]
fn an_evaluation_whose_last_batch_is_short_stays_in_its_buffers() {
    let counting = Arc::new(Counting::default());
    let supply = Supply { lock: Some(counting.clone()), ..supply(2, 0) };
    let split = fashion("test[:100]");
    for batch in EvalLoader::new(split, 28, 30, &supply) {
        let batch = batch.unwrap();
        let at = batch.images.as_ptr() as usize;
        assert!(counting.locked.lock().unwrap().iter().any(|range| range.start == at));
        assert_eq!(batch.images.len(), if batch.step == 3 { 10 } else { 30 } * 784);
    }
    let locked = counting.locked.lock().unwrap().len();
    assert_eq!(counting.released.load(Ordering::Relaxed), locked);
}

#[test]
fn a_loader_in_the_middle_of_its_work_stops_at_once() {
    let split = fashion("train");
    for taken in [0, 1] {
        let mut loader = TrainLoader::new(
            split.clone(),
            &preset("strong2"),
            224,
            256,
            0,
            0..u64::MAX,
            &supply(2, 1),
        );
        for _ in 0..taken {
            loader.next().unwrap().unwrap();
        }
        assert!(taken == 0 || loader.timings().wait > Duration::ZERO);
        let began = Instant::now();
        drop(loader);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[test]
fn a_batch_may_outlive_its_loader() {
    let mut loader =
        TrainLoader::new(fashion("train[:50]"), &preset("none"), 28, 4, 0, 0..9, &supply(1, 1));
    let batch = loader.next().unwrap().unwrap();
    drop(loader);
    assert_eq!(batch.images.len(), 4 * 784);
}

#[test]
fn evaluation_goes_through_a_split_in_order_and_keeps_the_rest() {
    let split = fashion("test[:103]");
    let mut at = 0;
    let mut sizes = BTreeMap::new();
    for batch in EvalLoader::new(split.clone(), 28, 25, &supply(2, 2)) {
        let batch = batch.unwrap();
        assert_eq!(batch.step, at as u64 / 25);
        *sizes.entry(batch.labels.len()).or_insert(0) += 1;
        for (i, image) in batch.images.chunks(784).enumerate() {
            assert_eq!(image, pixels(&split, at));
            let class = split.classes(at)[0];
            assert_eq!(batch.labels[i], Label { row: i as u32, class });
            at += 1;
        }
    }
    assert_eq!((at, sizes), (103, BTreeMap::from([(25, 4), (3, 1)])));

    let resized = EvalLoader::new(split, 56, 200, &supply(3, 0)).next().unwrap().unwrap();
    assert_eq!(resized.images.len(), 103 * 56 * 56);
}
