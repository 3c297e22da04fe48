//! Training batches, prepared ahead by a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use augreg_augment::{Picture, Pipeline, Scratch};
use augreg_spec::Augmentation;
use augreg_spec::random::{Purpose, stream};

use crate::batch::{Batch, Pool};
use crate::{DataError, Order, Split};

/// The batches of a job from one step to another, as an iterator.
///
/// Every byte of a batch is a function of split, augmentation, resolution, batch size, seed and
/// step: the image at position `step · batch + i` is the one [`Order`] puts there, augmented with
/// the draws of (seed, epoch, example). First step and prefetch depth change nothing.
///
/// Dropping the loader ends its thread within the time of one image.
#[derive(Debug)]
pub struct TrainLoader {
    /// Filled by the thread, up to the prefetch depth; gone once the loader is being dropped.
    batches: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Why there is no thread.
    failure: Option<DataError>,
    next_step: u64,
    last_step: u64,
    waited: Duration,
}

/// What the thread works with.
struct Preparation {
    split: Split,
    pipeline: Pipeline,
    scratch: Scratch,
    order: Order,
    seed: u64,
    batch_size: usize,
    stop: Arc<AtomicBool>,
}

impl TrainLoader {
    /// Begins to prepare the batches of steps `first_step..last_step`, at most `prefetch` ahead
    /// of the one being waited for. A thread that cannot be started is told by the first batch.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is one of the things a batch depends on")]
    pub fn new(
        split: Split,
        augmentation: &Augmentation,
        resolution: u32,
        batch_size: u32,
        seed: u64,
        first_step: u64,
        last_step: u64,
        prefetch: usize,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let preparation = Preparation {
            order: Order::new(seed, split.len() as u64),
            split,
            pipeline: Pipeline::new(augmentation, resolution),
            scratch: Scratch::default(),
            seed,
            batch_size: batch_size as usize,
            stop: Arc::clone(&stop),
        };
        let (sender, batches) = sync_channel(prefetch);
        let pool = Pool::new(prefetch + 2); // One being filled, one in use.
        let thread = thread::Builder::new()
            .name("augreg-data".to_owned())
            .spawn(move || preparation.run(first_step..last_step, &pool, &sender));
        let (thread, failure) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(source) => (None, Some(DataError::Thread { source })),
        };
        Self {
            batches: Some(batches),
            thread,
            stop,
            failure,
            next_step: first_step,
            last_step,
            waited: Duration::ZERO,
        }
    }

    /// How long all calls of `next` so far have waited for the thread: a job whose waiting is a
    /// good part of its time is limited by its data.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn receive(&mut self) -> Result<Batch, DataError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let began = Instant::now();
        let batch = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        self.waited += began.elapsed();
        batch.ok_or(DataError::LoaderEnded { step: self.next_step })
    }
}

impl Iterator for TrainLoader {
    type Item = Result<Batch, DataError>;

    /// The batch of the next step; None after the last, and after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next_step >= self.last_step {
            return None;
        }
        let batch = self.receive();
        self.next_step = if batch.is_ok() { self.next_step + 1 } else { self.last_step };
        Some(batch)
    }
}

impl Drop for TrainLoader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.batches = None; // Wakes the thread if it waits to hand over a batch.
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told by `next` already.
            let _ = thread.join();
        }
    }
}

impl Preparation {
    fn run(mut self, steps: std::ops::Range<u64>, pool: &Pool, batches: &SyncSender<Batch>) {
        for step in steps {
            let Some(batch) = self.prepare(step, pool) else { return };
            if batches.send(batch).is_err() {
                return; // The loader is being dropped.
            }
        }
    }

    /// The batch of a step; None once the loader is being dropped.
    fn prepare(&mut self, step: u64, pool: &Pool) -> Option<Batch> {
        let Self { split, pipeline, scratch, order, seed, batch_size, stop } = self;
        let image_len = pipeline.output_len(split.channels());
        let mut batch = pool.batch(step, *batch_size, image_len);
        let first = step * *batch_size as u64;
        let len = split.len() as u64;
        let mut epoch = first / len;
        let mut permutation = order.permutation(epoch);
        let outputs = batch.images.chunks_exact_mut(image_len).zip(&mut batch.labels);
        for (position, ((image, label), number)) in (first..).zip(outputs.zip(&mut batch.examples))
        {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            if position / len != epoch {
                epoch = position / len;
                permutation = order.permutation(epoch);
            }
            let example = permutation.example(position % len);
            let mut draws = stream(*seed, Purpose::Augment, epoch, example);
            let picture = Picture::Pixels(split.image(example as usize));
            pipeline.augment(picture, &mut draws, scratch, image).expect("pixels are decoded");
            *label = i64::from(split.label(example as usize));
            *number = example;
        }
        Some(batch)
    }
}
