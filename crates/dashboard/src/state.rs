//! What all requests share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use augreg_store::Store;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::Limits;
use crate::grids::Grids;
use crate::metrics::DeviceTime;
use crate::order::Hands;
use crate::token::Token;

/// What is shared. There is one.
pub(crate) type Shared = Arc<State>;

/// Notices that nobody has fetched are forgotten beyond so many.
const NOTICES: usize = 64;

pub(crate) struct State {
    /// Opened for reading.
    pub(crate) store: Store,
    pub(crate) hands: Arc<dyn Hands>,
    pub(crate) token: Token,
    /// Named after the port: browsers keep one jar for all ports of a host.
    pub(crate) cookie: String,
    /// Names that this machine may be called by in an address.
    pub(crate) names: Vec<String>,
    pub(crate) limits: Limits,
    /// One permit a live page.
    pub(crate) streams: Arc<Semaphore>,
    /// Counts changes of the study; the watcher and finished grids count on.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) grids: Grids,
    pub(crate) device_time: DeviceTime,
    pub(crate) stop: CancellationToken,
    notices: Notices,
}

impl State {
    pub(crate) fn new(
        store: Store,
        hands: Arc<dyn Hands>,
        token: Token,
        (port, names): (u16, Vec<String>),
        limits: Limits,
    ) -> Shared {
        Arc::new(Self {
            store,
            hands,
            token,
            cookie: format!("augreg-{port}"),
            names,
            streams: Arc::new(Semaphore::new(limits.streams)),
            limits,
            changes: watch::Sender::new(0),
            grids: Grids::default(),
            device_time: DeviceTime::default(),
            stop: CancellationToken::new(),
            notices: Notices::default(),
        })
    }

    /// Keeps what is to be said on the next page. Returns the number to ask for it by.
    pub(crate) fn say(&self, notice: Notice) -> u64 {
        self.notices.keep(notice)
    }

    pub(crate) fn said(&self, number: u64) -> Option<Notice> {
        self.notices.find(number)
    }

    /// Tells live pages that there is something new.
    pub(crate) fn touch(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) good: bool,
    pub(crate) text: String,
}

/// Kept here and not in the address, where anybody could have put any text.
#[derive(Default)]
struct Notices {
    next: AtomicU64,
    kept: Mutex<VecDeque<(u64, Notice)>>,
}

impl Notices {
    fn keep(&self, notice: Notice) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((number, notice));
        if kept.len() > NOTICES {
            kept.pop_front();
        }
        number
    }

    fn find(&self, number: u64) -> Option<Notice> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(at, _)| *at == number).map(|(_, notice)| notice.clone())
    }
}
