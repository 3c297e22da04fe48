//! Waiting for room on a full disk.
//!
//! Whatever an attempt has to write waits, and the attempt with it: that loses nothing but time, where
//! ending it would lose all since its last checkpoint. The scheduler hears of it every second, hands
//! out nothing more and expects no step meanwhile. A worker that is told to leave does not wait.

use std::thread;
use std::time::{Duration, Instant};

use augreg_protocol::{AttemptKey, FromWorker};
use tracing::warn;

use crate::inbox::Leave;
use crate::outbox::Outbox;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// How soon a worker that waits sees that it is to leave.
const GLANCE: Duration = Duration::from_millis(50);

/// Says why `attempt` cannot go on and waits a while. False if the worker is to leave.
pub(crate) fn wait(attempt: AttemptKey, why: &str, outbox: &mut Outbox, leave: &Leave) -> bool {
    warn!("waiting for room: {why}");
    outbox.send(&FromWorker::NoRoom { attempt, why: why.to_owned() });
    let began = Instant::now();
    while began.elapsed() < PAUSE && !leave.requested() {
        thread::sleep(GLANCE);
    }
    !leave.requested()
}
