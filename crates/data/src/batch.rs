//! Batches and the pool their buffers return to.

use std::mem::take;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Images and labels of one step. Its buffers go back to its loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The step it is for, counted from 0; for an [`crate::EvalLoader`] the batch's number.
    pub step: u64,
    /// 8-bit pixels, `[B, C, H, W]`.
    pub images: Vec<u8>,
    /// Classes, `[B]`.
    pub labels: Vec<i64>,
    /// Which examples of the split these are, `[B]`.
    pub examples: Vec<u64>,
    home: SyncSender<Buffers>,
}

type Buffers = (Vec<u8>, Vec<i64>, Vec<u64>);

/// Buffers at rest, between two batches.
#[derive(Debug)]
pub(crate) struct Pool {
    sender: SyncSender<Buffers>,
    receiver: Receiver<Buffers>,
}

impl Pool {
    /// A pool that keeps the buffers of at most `capacity` batches.
    pub(crate) fn new(capacity: usize) -> Self {
        let (sender, receiver) = sync_channel(capacity);
        Self { sender, receiver }
    }

    /// A batch of `examples` images of `image_len` bytes, its content unspecified.
    pub(crate) fn batch(&self, step: u64, examples: usize, image_len: usize) -> Batch {
        let (mut images, mut labels, mut numbers) = self.receiver.try_recv().unwrap_or_default();
        images.resize(examples * image_len, 0);
        labels.resize(examples, 0);
        numbers.resize(examples, 0);
        Batch { step, images, labels, examples: numbers, home: self.sender.clone() }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let Self { images, labels, examples, .. } = self;
        let buffers = (take(images), take(labels), take(examples));
        // A pool that is full or gone has no use for them.
        let _ = self.home.try_send(buffers);
    }
}
