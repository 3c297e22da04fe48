//! What workers say, several words at a time: what has arrived by the time the loop is free is
//! decided together and written in one transaction.

use augreg_executor::{WorkerEvent, WorkerReport};
use tokio::sync::mpsc;

/// Words taken together at the most: bounds how long the first waits.
const TOGETHER: usize = 256;

/// The words of workers that have not been taken in.
#[derive(Debug)]
pub(super) struct Arrivals {
    events: mpsc::Receiver<WorkerEvent>,
    /// One that had to wait for the next time.
    next: Option<WorkerEvent>,
}

impl Arrivals {
    pub(super) fn new(events: mpsc::Receiver<WorkerEvent>) -> Self {
        Self { events, next: None }
    }

    /// Waits for a word and takes those that came with it, if they can be taken in
    /// [together](is_about_work). Nothing is lost if the waiting is given up.
    pub(super) async fn take(&mut self) -> Vec<WorkerEvent> {
        let first = match self.next.take() {
            Some(event) => event,
            // The executor holds a sender, so the channel is never closed.
            None => match self.events.recv().await {
                Some(event) => event,
                None => std::future::pending().await,
            },
        };
        let more = is_about_work(&first.report);
        let mut taken = vec![first];
        while more
            && taken.len() < TOGETHER
            && let Ok(event) = self.events.try_recv()
        {
            if !is_about_work(&event.report) {
                self.next = Some(event);
                break;
            }
            taken.push(event);
        }
        taken
    }
}

/// Whether a worker's word is about its work, so that several can be taken in together. One about the
/// worker itself is taken in alone: a worker must not be handed what it was found to be gone for.
pub(super) fn is_about_work(report: &WorkerReport) -> bool {
    use WorkerReport::{Beat, Ended, NoRoom};
    matches!(report, Ended { .. } | Beat(_) | NoRoom { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_executor::SlotId;
    use augreg_protocol::AttemptKey;
    use augreg_spec::JobId;

    fn ready(slot: u32) -> WorkerEvent {
        WorkerEvent { slot: SlotId(slot), report: WorkerReport::Ready { pid: 1 } }
    }

    fn ended(slot: u32, number: u32) -> WorkerEvent {
        let attempt = AttemptKey { job: JobId::of("a"), number };
        WorkerEvent { slot: SlotId(slot), report: WorkerReport::Ended { attempt } }
    }

    #[tokio::test]
    async fn words_about_work_are_taken_together_those_about_workers_alone() {
        let (sender, receiver) = mpsc::channel(8);
        let words = [ended(0, 1), ended(1, 1), ended(0, 2), ready(2), ready(3), ended(1, 3)];
        for word in words.clone() {
            sender.try_send(word).expect("there is room");
        }
        let mut arrivals = Arrivals::new(receiver);
        assert_eq!(arrivals.take().await, words[..3]);
        assert_eq!(arrivals.take().await, words[3..4]);
        assert_eq!(arrivals.take().await, words[4..5]);
        assert_eq!(arrivals.take().await, words[5..]);
    }
}
