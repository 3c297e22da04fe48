//! Being told to stop: by a handle, or by the signals a person or a system sends.

use std::io;

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

/// Calls `stopper` at every SIGINT and SIGTERM from now on. Must be called within a tokio runtime.
///
/// # Errors
///
/// If the system does not let signals be handled.
pub fn stop_on_signals(stopper: &Stopper) -> io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stopper) = (signal(kind)?, stopper.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stopper.stop();
            }
        });
    }
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
        kill_process(getpid(), Signal::TERM).expect("signals itself");
        assert_eq!(listener.changed().await, Urgency::Now);
    }
}
