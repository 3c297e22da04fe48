//! Being told to stop: by a handle, or by the signals a person or a system sends.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How urgently a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Not at all.
    Not,
    /// After the workers have written checkpoints.
    Soon,
    /// At once.
    Now,
}

/// Signals this soon after the first are taken for the same: a terminal, `timeout` and Slurm each
/// may send one to the process and one to its group. A person who insists takes longer.
const ECHO: Duration = Duration::from_millis(500);

/// Stops a run: the first call lets workers write checkpoints, the second ends it at once.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Urgency>);

/// The run's end of a [`Stopper`].
#[derive(Debug, Clone)]
pub struct StopListener(watch::Receiver<Urgency>);

impl Stopper {
    /// A stopper and its run's end.
    #[must_use]
    pub fn new() -> (Self, StopListener) {
        let (sender, receiver) = watch::channel(Urgency::Not);
        (Self(sender), StopListener(receiver))
    }

    /// Stops the run; called again, at once.
    pub fn stop(&self) {
        self.0.send_modify(|urgency| {
            *urgency = if *urgency == Urgency::Not { Urgency::Soon } else { Urgency::Now };
        });
    }
}

impl StopListener {
    /// How urgent it is by now.
    pub(super) fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Waits until it becomes more urgent; forever if every stopper is gone.
    pub(super) async fn changed(&mut self) -> Urgency {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}

/// Calls `stopper` at every SIGINT and SIGTERM from now on, but for echoes of the first within half
/// a second. Must be called within a tokio runtime.
///
/// # Errors
///
/// If the system does not let signals be handled.
pub fn stop_on_signals(stopper: &Stopper) -> io::Result<()> {
    let (mut interrupts, mut terminates) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopper = stopper.clone();
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                Some(()) = interrupts.recv() => {}
                Some(()) = terminates.recv() => {}
                else => return,
            }
            let echo = first.is_some_and(|first| first.elapsed() < ECHO);
            first.get_or_insert_with(Instant::now);
            if !echo {
                stopper.stop();
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn the_first_signal_asks_the_second_insists() {
        let (stopper, mut listener) = Stopper::new();
        stop_on_signals(&stopper).expect("signals can be handled");
        assert_eq!(listener.urgency(), Urgency::Not);
        kill_process(getpid(), Signal::INT).expect("signals itself");
        assert_eq!(listener.changed().await, Urgency::Soon);
        kill_process(getpid(), Signal::INT).expect("signals itself");
        tokio::time::sleep(ECHO).await;
        assert_eq!(listener.urgency(), Urgency::Soon, "an echo does not insist");
        kill_process(getpid(), Signal::TERM).expect("signals itself");
        assert_eq!(listener.changed().await, Urgency::Now);
    }
}
