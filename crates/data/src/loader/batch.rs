//! Batches, the pieces that threads fill at once, and the pool their memory returns to.

use std::any::Any;
use std::fmt::Debug;
use std::mem::{replace, swap, take};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::BytesMut;

use crate::Split;

/// What a device is told of in whole pages: of 4 kB, or of a multiple where pages are larger.
const PAGE: usize = 1 << 12;

/// Images and labels of one step. Its memory goes back to its loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The step it is for, counted from 0; for an [`crate::EvalLoader`] the batch's number.
    pub step: u64,
    /// 8-bit pixels, `[B, C, H, W]`.
    pub images: Images,
    /// What the images show, in the order of rows: one for each, unless labels are sets of classes.
    pub labels: Vec<Label>,
    /// Which examples of the split these are, `[B]`.
    pub examples: Vec<u64>,
    /// Without images now.
    pieces: Pieces,
    home: SyncSender<Frame>,
}

/// That an image of a batch is of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Which of the batch's images, below `B`.
    pub row: u32,
    /// The class.
    pub class: u32,
}

/// The images of a batch, one after the other. They stay where they are in memory as long as they
/// live, however many batches are made of it.
#[derive(Debug)]
pub struct Images {
    /// Before the bytes, so that it is dropped before they are.
    #[expect(dead_code, reason = "it is there to be dropped")]
    lock: Option<Box<dyn Any + Send>>,
    bytes: BytesMut,
}

/// Tells a device of memory that batches are made in, so that it can copy out of it while others
/// compute.
pub trait PageLock: Debug + Send + Sync {
    /// Locks these pages in memory, or does without. What is returned is dropped before they are
    /// freed; until then they stay where they are.
    fn lock(&self, pages: &mut [u8]) -> Option<Box<dyn Any + Send>>;
}

/// Neighbouring rows of a batch. Their images are a part of the batch's memory, so they are where
/// they belong once they are filled.
#[derive(Debug, Default)]
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

/// What one batch after another is made in.
#[derive(Debug)]
pub(super) struct Frame {
    /// While pieces are about, what none of them has.
    images: Images,
    pub(super) pieces: Pieces,
    labels: Vec<Label>,
    examples: Vec<u64>,
}

/// The pieces of a batch in the making.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Not handed out yet, the first last.
    pub(super) open: Vec<Piece>,
    pub(super) filled: Vec<Piece>,
}

/// Memory at rest, between two batches.
#[derive(Debug)]
pub(super) struct Pool {
    sender: SyncSender<Frame>,
    receiver: Receiver<Frame>,
    /// Bytes that a batch takes at the most, in whole pages.
    len: usize,
    lock: Option<Arc<dyn PageLock>>,
}

impl Deref for Images {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Batch {
    /// Its images.
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.images.bytes
    }
}

impl Images {
    /// `len` bytes, a number of whole pages that nothing else lies in.
    fn new(len: usize, lock: Option<&dyn PageLock>) -> Self {
        let mut bytes = BytesMut::zeroed(len + PAGE);
        let before = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        drop(bytes.split_to(before));
        bytes.truncate(len);
        Self { lock: lock.and_then(|lock| lock.lock(&mut bytes)), bytes }
    }
}

impl Pool {
    /// A pool that keeps the memory of at most `capacity` batches of at most `len` bytes.
    pub(super) fn new(capacity: usize, len: usize, lock: Option<Arc<dyn PageLock>>) -> Self {
        let (sender, receiver) = sync_channel(capacity);
        Self { sender, receiver, len: len.next_multiple_of(PAGE), lock }
    }

    /// Begins a batch of `rows` images of `image_len` bytes, in pieces of `piece` rows, their content
    /// unspecified.
    pub(super) fn begin(&self, rows: usize, piece: usize, image_len: usize) -> Frame {
        let mut frame = self.receiver.try_recv().unwrap_or_else(|_| Frame {
            images: Images::new(self.len, self.lock.as_deref()),
            pieces: Pieces::default(),
            labels: Vec::new(),
            examples: Vec::new(),
        });
        let bytes = &mut frame.images.bytes;
        bytes.resize(self.len, 0); // The last batch may have been shorter.
        let Pieces { open, filled } = &mut frame.pieces;
        swap(open, filled);
        open.resize_with(rows.div_ceil(piece), Piece::default);
        filled.reserve(open.len());
        for (place, open) in open.iter_mut().rev().enumerate() {
            open.first = place * piece;
            open.images = bytes.split_to(piece.min(rows - open.first) * image_len);
            open.examples.clear();
            open.labels.clear();
        }
        frame
    }

    /// The batch of a frame whose pieces are all filled.
    pub(super) fn batch(&self, step: u64, frame: Frame, image_len: usize) -> Batch {
        let Frame { mut images, mut pieces, mut labels, mut examples } = frame;
        pieces.filled.sort_unstable_by_key(|piece| piece.first);
        let mut bytes = BytesMut::new();
        for piece in &mut pieces.filled {
            bytes.unsplit(take(&mut piece.images)); // Neighbours are joined without a copy.
        }
        bytes.unsplit(take(&mut images.bytes));
        labels.clear();
        examples.clear();
        let mut len = 0;
        for piece in &pieces.filled {
            let row = examples.len() as u32;
            labels
                .extend(piece.labels.iter().map(|label| Label { row: row + label.row, ..*label }));
            examples.extend(&piece.examples);
            // Of bad examples nothing is left: what comes after them moves up.
            let (first, filled) = (piece.first * image_len, piece.examples.len() * image_len);
            if first > len {
                bytes.copy_within(first..first + filled, len);
            }
            len += filled;
        }
        bytes.truncate(len);
        images.bytes = bytes;
        Batch { step, images, labels, examples, pieces, home: self.sender.clone() }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let frame = Frame {
            images: replace(&mut self.images, Images { lock: None, bytes: BytesMut::new() }),
            pieces: take(&mut self.pieces),
            labels: take(&mut self.labels),
            examples: take(&mut self.examples),
        };
        // A pool that is full or gone has no use for it.
        let _ = self.home.try_send(frame);
    }
}
