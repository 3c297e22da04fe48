//! Evaluation batches: a split in its own order, nothing drawn.

use std::time::Instant;

use augreg_augment::Evaluation;

use super::batch::{Batch, Piece};
use super::crew::{Crew, Hand, Work};
use super::supply::{Supply, Timings};
use crate::{BadExamples, DataError, Split};

/// The batches of a split in order, as an iterator; the last one holds what is left.
///
/// An example that cannot be decoded is left out, so its batch is shorter; see [`BadExamples`].
#[derive(Debug)]
pub struct EvalLoader(Crew<Evaluating>);

#[derive(Debug)]
struct Evaluating {
    split: Split,
    evaluation: Evaluation,
    batch_size: usize,
    bad: BadExamples,
}

impl EvalLoader {
    /// Batches of `batch_size` images of `resolution` pixels a side.
    #[must_use]
    pub fn new(split: Split, resolution: u32, batch_size: u32, supply: &Supply) -> Self {
        let batch_size = (batch_size as usize).max(1);
        let batches = split.len().div_ceil(batch_size) as u64;
        let evaluation = Evaluation::new(resolution);
        let evaluating = Evaluating { split, evaluation, batch_size, bad: supply.bad.clone() };
        Self(Crew::new(evaluating, 0..batches, batch_size, supply))
    }

    /// Where the time went so far.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.0.timings()
    }
}

impl Iterator for EvalLoader {
    type Item = Result<Batch, DataError>;

    /// The next batch; its step is its number.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl Work for Evaluating {
    fn image_len(&self) -> usize {
        self.evaluation.output_len(self.split.channels())
    }

    fn rows(&self, batch: u64) -> usize {
        self.batch_size.min(self.split.len() - batch as usize * self.batch_size)
    }

    fn fill(&self, batch: u64, piece: &mut Piece, hand: &mut Hand<'_>) -> Result<(), DataError> {
        let Self { split, evaluation, .. } = self;
        let len = self.image_len();
        let first = batch as usize * self.batch_size + piece.first;
        for example in first..first + piece.images.len() / len {
            if hand.is_stopped() {
                break;
            }
            let at = piece.examples.len() * len;
            let image = &mut piece.images[at..at + len];
            let began = Instant::now();
            let picture = split.picture(example, &mut hand.buffer)?;
            let read = Instant::now();
            let made = evaluation.evaluate(picture, &mut hand.scratch, image);
            hand.clock.read += read - began;
            hand.clock.prepare += read.elapsed();
            match made {
                Ok(()) => piece.filled(split, example),
                Err(error) => self.bad.meet(split.place(example), &error)?,
            }
        }
        Ok(())
    }
}
