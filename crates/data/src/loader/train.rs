//! Training batches.

use std::ops::Range;
use std::time::Instant;

use augreg_augment::Pipeline;
use augreg_spec::Augmentation;
use augreg_spec::random::{Purpose, stream};

use super::batch::{Batch, Piece};
use super::crew::{Crew, Hand, Work};
use super::supply::{Supply, Timings};
use crate::{BadExamples, DataError, Order, Split};

/// The batches of a job from one step to another, as an iterator.
///
/// Every byte of a batch is a function of split, augmentation, resolution, batch size, seed and
/// step: the image at position `step · batch + i` is the one [`Order`] puts there, augmented with
/// the draws of (seed, epoch, example). First step, threads and prefetch depth change nothing.
///
/// In the place of an example that cannot be decoded comes the next of the split that can, with the
/// draws of the bad one; see [`BadExamples`].
///
/// Dropping the loader ends its threads within the time of one image.
#[derive(Debug)]
pub struct TrainLoader(Crew<Training>);

#[derive(Debug)]
struct Training {
    split: Split,
    pipeline: Pipeline,
    order: Order,
    seed: u64,
    batch_size: usize,
    bad: BadExamples,
}

impl TrainLoader {
    /// Begins to prepare the batches of `steps`. Threads that cannot be started are told by the
    /// first batch.
    #[must_use]
    pub fn new(
        split: Split,
        augmentation: &Augmentation,
        resolution: u32,
        batch_size: u32,
        seed: u64,
        steps: Range<u64>,
        supply: &Supply,
    ) -> Self {
        let batch_size = batch_size as usize;
        let training = Training {
            order: Order::new(seed, split.len() as u64),
            split,
            pipeline: Pipeline::new(augmentation, resolution),
            seed,
            batch_size,
            bad: supply.bad.clone(),
        };
        Self(Crew::new(training, steps, batch_size, supply))
    }

    /// Where the time went so far.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.0.timings()
    }
}

impl Iterator for TrainLoader {
    type Item = Result<Batch, DataError>;

    /// The batch of the next step; None after the last, and after an error.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl Work for Training {
    fn image_len(&self) -> usize {
        self.pipeline.output_len(self.split.channels())
    }

    fn rows(&self, _: u64) -> usize {
        self.batch_size
    }

    fn fill(&self, step: u64, piece: &mut Piece, hand: &mut Hand<'_>) -> Result<(), DataError> {
        let len = self.split.len() as u64;
        let first = step * self.batch_size as u64 + piece.first as u64;
        let mut epoch = first / len;
        let mut permutation = self.order.permutation(epoch);
        let mut images = std::mem::take(&mut piece.images);
        for (position, image) in (first..).zip(images.chunks_exact_mut(self.image_len())) {
            if hand.is_stopped() {
                break;
            }
            if position / len != epoch {
                epoch = position / len;
                permutation = self.order.permutation(epoch);
            }
            let example = permutation.example(position % len);
            let shown = self.prepare(epoch, example, hand, image)?;
            piece.filled(&self.split, shown);
        }
        piece.images = images;
        Ok(())
    }
}

impl Training {
    /// Makes the image of `example`, or of the first good one after it. Returns which.
    fn prepare(
        &self,
        epoch: u64,
        example: u64,
        hand: &mut Hand<'_>,
        image: &mut [u8],
    ) -> Result<usize, DataError> {
        let Self { split, pipeline, bad, .. } = self;
        let len = split.len();
        for candidate in (example as usize..len).chain(0..example as usize) {
            let began = Instant::now();
            let picture = split.picture(candidate, &mut hand.buffer)?;
            let read = Instant::now();
            let mut draws = stream(self.seed, Purpose::Augment, epoch, example);
            let made = pipeline.augment(picture, &mut draws, &mut hand.scratch, image);
            hand.clock.read += read - began;
            hand.clock.prepare += read.elapsed();
            match made {
                Ok(()) => return Ok(candidate),
                Err(error) => bad.meet(split.place(candidate), &error)?,
            }
        }
        Err(DataError::AllBad { place: split.place(example as usize) })
    }
}
