//! Evaluation batches: a split in its own order, nothing drawn.

use augreg_augment::{Evaluation, Scratch};

use crate::batch::{Batch, Pool};
use crate::{DataError, Split};

/// The batches of a split in order, as an iterator; the last one holds what is left.
#[derive(Debug)]
pub struct EvalLoader {
    split: Split,
    evaluation: Evaluation,
    scratch: Scratch,
    pool: Pool,
    batch_size: usize,
    next: usize,
}

impl EvalLoader {
    /// Batches of `batch_size` images of `resolution` pixels a side.
    #[must_use]
    pub fn new(split: Split, resolution: u32, batch_size: u32) -> Self {
        Self {
            split,
            evaluation: Evaluation::new(resolution),
            scratch: Scratch::default(),
            pool: Pool::new(1),
            batch_size: (batch_size as usize).max(1),
            next: 0,
        }
    }
}

impl Iterator for EvalLoader {
    type Item = Result<Batch, DataError>;

    /// The next batch; its step is its number.
    fn next(&mut self) -> Option<Self::Item> {
        let left = self.split.len() - self.next;
        if left == 0 {
            return None;
        }
        let Self { split, evaluation, scratch, pool, batch_size, next } = self;
        let image_len = evaluation.output_len(split.channels());
        let step = (*next / *batch_size) as u64;
        let mut batch = pool.batch(step, left.min(*batch_size), image_len);
        let outputs = batch.images.chunks_exact_mut(image_len).zip(&mut batch.labels);
        for ((image, label), number) in outputs.zip(&mut batch.examples) {
            let picture = split.image(*next).into();
            evaluation.evaluate(picture, scratch, image).expect("pixels are decoded");
            *label = i64::from(split.label(*next));
            *number = *next as u64;
            *next += 1;
        }
        Some(Ok(batch))
    }
}
