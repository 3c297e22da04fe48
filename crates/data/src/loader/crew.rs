//! The threads behind a loader: several fill one batch at once, each a piece of it in place.
//!
//! Batches come out in order, at most so many ahead of the one that is waited for; then the threads
//! rest. What is in a batch is [`Work`]'s affair, who fills which piece changes nothing in it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use augreg_augment::Scratch;

use super::batch::{Batch, Frame, Piece, Pool};
use super::supply::{Supply, Timings};
use crate::DataError;

/// A piece should be worth the trouble of handing it out: 64 kB of images.
const PIECE: usize = 1 << 16;

/// What is in the batches.
pub(super) trait Work: Send + Sync + 'static {
    /// Bytes of an image.
    fn image_len(&self) -> usize;

    /// Images of a batch.
    fn rows(&self, batch: u64) -> usize;

    /// Fills the rows of a piece of `batch`, or as many as there are examples for.
    fn fill(&self, batch: u64, piece: &mut Piece, hand: &mut Hand<'_>) -> Result<(), DataError>;
}

/// What one thread works with.
pub(super) struct Hand<'a> {
    pub(super) scratch: Scratch,
    /// For bytes that are read.
    pub(super) buffer: Vec<u8>,
    pub(super) clock: Clock,
    stop: &'a AtomicBool,
}

/// Where a thread's time went since it was last asked.
#[derive(Default)]
pub(super) struct Clock {
    pub(super) read: Duration,
    pub(super) prepare: Duration,
}

impl Hand<'_> {
    /// Whether the loader is being dropped: what is filled now nobody will see.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The threads, and the batches they are at.
#[derive(Debug)]
pub(super) struct Crew<W> {
    shared: Arc<Shared<W>>,
    threads: Vec<JoinHandle<()>>,
    /// Why there are no threads.
    failure: Option<DataError>,
    next: u64,
    last: u64,
    wait: Duration,
}

#[derive(Debug)]
struct Shared<W> {
    work: W,
    piece: usize,
    /// Batches begun and not taken, at the most.
    depth: usize,
    state: Mutex<State>,
    /// For threads: there is work, or none will come.
    to_do: Condvar,
    /// For whoever takes batches: the first is whole.
    done: Condvar,
    stop: AtomicBool,
    read: AtomicU64,
    prepare: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// Batches begun, in order.
    begun: VecDeque<Begun>,
    /// Not begun yet.
    left: Range<u64>,
    pool: Pool,
    /// A thread has panicked.
    broken: bool,
}

#[derive(Debug)]
struct Begun {
    batch: u64,
    frame: Frame,
    /// Not filled yet.
    missing: usize,
    error: Option<DataError>,
}

impl<W: Work> Crew<W> {
    /// Begins to prepare `batches`, the largest of `rows` images.
    pub(super) fn new(work: W, batches: Range<u64>, rows: usize, supply: &Supply) -> Self {
        let threads = supply.threads.max(1);
        let piece = rows.div_ceil(threads).min(PIECE / work.image_len().max(1)).max(1);
        let depth = supply.prefetch + 1;
        let (next, last) = (batches.start, batches.end.max(batches.start));
        let len = rows * work.image_len();
        let state = State {
            begun: VecDeque::with_capacity(depth),
            left: next..last,
            pool: Pool::new(depth + 2, len, supply.lock.clone()), // One is in use, one on its way to a device.
            broken: false,
        };
        let shared = Arc::new(Shared {
            work,
            piece,
            depth,
            state: Mutex::new(state),
            to_do: Condvar::new(),
            done: Condvar::new(),
            stop: AtomicBool::new(false),
            read: AtomicU64::new(0),
            prepare: AtomicU64::new(0),
        });
        let mut crew =
            Self { shared, threads: Vec::new(), failure: None, next, last, wait: Duration::ZERO };
        for _ in 0..if next < last { threads } else { 0 } {
            let shared = Arc::clone(&crew.shared);
            let thread = thread::Builder::new().name("augreg-data".to_owned());
            match thread.spawn(move || shared.run()) {
                Ok(thread) => crew.threads.push(thread),
                Err(source) => crew.failure = Some(DataError::Thread { source }),
            }
        }
        crew
    }

    /// The next batch; None after the last, and after an error.
    pub(super) fn next(&mut self) -> Option<Result<Batch, DataError>> {
        if self.next >= self.last {
            return None;
        }
        let batch = self.failure.take().map_or_else(|| self.receive(), Err);
        self.next = if batch.is_ok() { self.next + 1 } else { self.last };
        Some(batch)
    }

    fn receive(&mut self) -> Result<Batch, DataError> {
        let shared = &self.shared;
        let began = Instant::now();
        let mut state = shared.lock();
        while !state.broken && state.begun.front().is_none_or(|begun| begun.missing > 0) {
            state = shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.wait += began.elapsed();
        let whole = state.begun.pop_front().filter(|_| !state.broken);
        let Begun { batch, frame, error, .. } =
            whole.ok_or(DataError::LoaderEnded { step: self.next })?;
        error.map_or(Ok(()), Err)?;
        let batch = state.pool.batch(batch, frame, shared.work.image_len());
        drop(state);
        shared.to_do.notify_all();
        Ok(batch)
    }

    pub(super) fn timings(&self) -> Timings {
        let nanoseconds = |of: &AtomicU64| Duration::from_nanos(of.load(Ordering::Relaxed));
        let Shared { read, prepare, .. } = &*self.shared;
        Timings { read: nanoseconds(read), prepare: nanoseconds(prepare), wait: self.wait }
    }
}

impl<W> Drop for Crew<W> {
    fn drop(&mut self) {
        {
            // Under the lock, so that no thread is between looking and going to rest.
            let _state = self.shared.lock();
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        self.shared.to_do.notify_all();
        for thread in self.threads.drain(..) {
            // A panic of a thread has been told by `next` already.
            let _ = thread.join();
        }
    }
}

impl<W> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> Shared<W> {
    /// What a thread does until there is nothing more to do.
    fn run(&self) {
        let alarm = Alarm(self);
        let mut hand = Hand {
            scratch: Scratch::default(),
            buffer: Vec::new(),
            clock: Clock::default(),
            stop: &self.stop,
        };
        while let Some((batch, mut piece)) = self.take() {
            let result = self.work.fill(batch, &mut piece, &mut hand);
            let Clock { read, prepare } = std::mem::take(&mut hand.clock);
            self.read.fetch_add(read.as_nanos() as u64, Ordering::Relaxed);
            self.prepare.fetch_add(prepare.as_nanos() as u64, Ordering::Relaxed);
            self.put(batch, piece, result);
        }
        std::mem::forget(alarm);
    }

    /// A piece to fill: of the first batch that has one, or of a new one. Waits for it; None once
    /// there will be no more.
    fn take(&self) -> Option<(u64, Piece)> {
        let mut state = self.lock();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let open = state.begun.iter_mut().find_map(|begun| {
                let piece = begun.frame.pieces.open.pop()?;
                Some((begun.batch, piece))
            });
            if open.is_some() {
                return open;
            }
            if state.begun.len() < self.depth
                && let Some(batch) = state.left.next()
            {
                let rows = self.work.rows(batch);
                let frame = state.pool.begin(rows, self.piece, self.work.image_len());
                let missing = frame.pieces.open.len();
                state.begun.push_back(Begun { batch, frame, missing, error: None });
                self.to_do.notify_all();
            } else if state.left.is_empty() && state.begun.is_empty() {
                return None;
            } else {
                state = self.to_do.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn put(&self, batch: u64, piece: Piece, result: Result<(), DataError>) {
        let mut state = self.lock();
        let is_first = state.begun.front().is_some_and(|first| first.batch == batch);
        let Some(begun) = state.begun.iter_mut().find(|begun| begun.batch == batch) else { return };
        begun.frame.pieces.filled.push(piece);
        begun.missing -= 1;
        if let Err(error) = result {
            begun.error.get_or_insert(error);
        }
        if begun.missing == 0 && is_first {
            self.done.notify_all();
        }
    }
}

/// Tells of a thread's panic, when it is dropped by it.
struct Alarm<'a, W>(&'a Shared<W>);

impl<W> Drop for Alarm<'_, W> {
    fn drop(&mut self) {
        self.0.lock().broken = true;
        self.0.done.notify_all();
    }
}
