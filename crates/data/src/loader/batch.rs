//! Batches, the pieces that threads fill at once, and the pool their buffers return to.

use std::mem::take;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::BytesMut;

use crate::Split;

/// Images and labels of one step. Its buffer goes back to its loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The step it is for, counted from 0; for an [`crate::EvalLoader`] the batch's number.
    pub step: u64,
    /// 8-bit pixels, `[B, C, H, W]`.
    pub images: BytesMut,
    /// What the images show, in the order of rows: one for each, unless labels are sets of classes.
    pub labels: Vec<Label>,
    /// Which examples of the split these are, `[B]`.
    pub examples: Vec<u64>,
    home: SyncSender<BytesMut>,
}

/// That an image of a batch is of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Which of the batch's images, below `B`.
    pub row: u32,
    /// The class.
    pub class: u32,
}

/// Neighbouring rows of a batch. Their images are a part of the batch's buffer, so they are where
/// they belong once they are filled.
#[derive(Debug)]
pub(super) struct Piece {
    /// The first of its rows.
    pub(super) first: usize,
    pub(super) images: BytesMut,
    /// The examples of those filled so far.
    pub(super) examples: Vec<u64>,
    /// The labels of these; rows are counted from the first of the piece.
    pub(super) labels: Vec<Label>,
}

impl Piece {
    /// Takes note that the next row has been filled with `example` of `split`.
    pub(super) fn filled(&mut self, split: &Split, example: usize) {
        let row = self.examples.len() as u32;
        let classes = split.classes(example).iter();
        self.labels.extend(classes.map(|class| Label { row, class: *class }));
        self.examples.push(example as u64);
    }
}

/// Buffers at rest, between two batches.
#[derive(Debug)]
pub(super) struct Pool {
    sender: SyncSender<BytesMut>,
    receiver: Receiver<BytesMut>,
}

impl Pool {
    /// A pool that keeps the buffers of at most `capacity` batches.
    pub(super) fn new(capacity: usize) -> Self {
        let (sender, receiver) = sync_channel(capacity);
        Self { sender, receiver }
    }

    /// The pieces of a batch of `rows` images of `image_len` bytes, `piece` rows each, their content
    /// unspecified.
    pub(super) fn pieces(&self, rows: usize, piece: usize, image_len: usize) -> Vec<Piece> {
        let mut rest = self.receiver.try_recv().unwrap_or_default();
        rest.resize(rows * image_len, 0);
        let firsts = (0..rows).step_by(piece);
        let cut = firsts.map(|first| {
            let len = piece.min(rows - first);
            let images = rest.split_to(len * image_len);
            let (examples, labels) = (Vec::with_capacity(len), Vec::with_capacity(len));
            Piece { first, images, examples, labels }
        });
        cut.collect()
    }

    /// The batch of these pieces. Neighbours in one buffer are joined without a copy.
    pub(super) fn batch(&self, step: u64, pieces: Vec<Piece>, image_len: usize) -> Batch {
        let rows = pieces.iter().map(|piece| piece.examples.len()).sum();
        let (mut labels, mut examples) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut images = BytesMut::new();
        for mut piece in pieces {
            let first = examples.len() as u32;
            let moved = |label: &Label| Label { row: first + label.row, class: label.class };
            labels.extend(piece.labels.iter().map(moved));
            piece.images.truncate(piece.examples.len() * image_len); // Of bad examples nothing is left.
            examples.append(&mut piece.examples);
            images.unsplit(piece.images);
        }
        Batch { step, images, labels, examples, home: self.sender.clone() }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // A pool that is full or gone has no use for it.
        let _ = self.home.try_send(take(&mut self.images));
    }
}
