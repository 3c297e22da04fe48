//! Batches, the pieces that threads fill at once, and the pool their buffers return to.

use std::mem::take;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::BytesMut;

/// Images and labels of one step. Its buffer goes back to its loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The step it is for, counted from 0; for an [`crate::EvalLoader`] the batch's number.
    pub step: u64,
    /// 8-bit pixels, `[B, C, H, W]`.
    pub images: BytesMut,
    /// Classes, `[B]`.
    pub labels: Vec<i64>,
    /// Which examples of the split these are, `[B]`.
    pub examples: Vec<u64>,
    home: SyncSender<BytesMut>,
}

/// Neighbouring rows of a batch. Their images are a part of the batch's buffer, so they are where
/// they belong once they are filled.
#[derive(Debug)]
pub(super) struct Piece {
    /// The first of its rows.
    pub(super) first: usize,
    pub(super) images: BytesMut,
    /// Those filled so far.
    pub(super) rows: Vec<Row>,
}

/// What a row of a batch is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) label: u32,
    pub(super) example: u64,
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
            Piece { first, images, rows: Vec::with_capacity(len) }
        });
        cut.collect()
    }

    /// The batch of these pieces. Neighbours in one buffer are joined without a copy.
    pub(super) fn batch(&self, step: u64, pieces: Vec<Piece>, image_len: usize) -> Batch {
        let rows = pieces.iter().map(|piece| piece.rows.len()).sum();
        let (mut labels, mut examples) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut images = BytesMut::new();
        for mut piece in pieces {
            labels.extend(piece.rows.iter().map(|row| i64::from(row.label)));
            examples.extend(piece.rows.iter().map(|row| row.example));
            piece.images.truncate(piece.rows.len() * image_len); // Of bad examples nothing is left.
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
