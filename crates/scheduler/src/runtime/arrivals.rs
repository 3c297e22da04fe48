//! What workers say, several words at a time: what has arrived by the time the loop is free is
//! decided together and written in one transaction.

use std::thread;
use std::time::Duration;

use augreg_executor::{WorkerEvent, WorkerReport};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Words taken together at the most: bounds how long the first waits.
const TOGETHER: usize = 1024;

/// Words about work are taken in at most this often: in a flood of them, many are written together. One
/// that comes alone is taken in at once.
const PACE: Duration = Duration::from_millis(10);

/// After signs of life alone, nobody is in a hurry; the less so the longer every attempt has lasted:
/// its end is noticed at most a hundredth of its time late, or this.
const LULL: Duration = Duration::from_millis(40);
/// How late it is noticed at the most, however long it has lasted.
const LONGEST_LULL: Duration = Duration::from_millis(250);

/// The words of workers that have not been taken in.
#[derive(Debug)]
pub(super) struct Arrivals {
    events: mpsc::Receiver<WorkerEvent>,
    /// One that had to wait for the next time.
    next: Option<WorkerEvent>,
    /// When words were taken last.
    taken: Instant,
    /// Whether those were signs of life, all of them.
    only_beats: bool,
}

impl Arrivals {
    pub(super) fn new(events: mpsc::Receiver<WorkerEvent>) -> Self {
        Self { events, next: None, taken: Instant::now(), only_beats: false }
    }

    /// Waits for a word and takes those that came with it, if they can be taken in
    /// [together](is_about_work). Nothing is lost if the waiting is given up. `youngest` is how long
    /// the youngest attempt has lasted.
    pub(super) async fn take(&mut self, youngest: Duration) -> Vec<WorkerEvent> {
        if self.only_beats {
            self.lull(lull(youngest)).await;
        }
        if self.next.is_none() {
            self.next = self.events.recv().await;
        }
        if self.next.as_ref().is_some_and(|event| is_about_work(&event.report)) {
            sleep_until(self.taken + PACE).await;
        }
        let Some(first) = self.next.take() else {
            // The executor holds a sender, so the channel is never closed.
            return std::future::pending().await;
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
        self.taken = Instant::now();
        self.only_beats = taken.iter().all(|event| matches!(event.report, WorkerReport::Beat(_)));
        taken
    }

    /// Sleeps a moment, and the thread with it: else every line of every worker would wake it, where
    /// all that arrive meanwhile are read at once. What there is to do is done before.
    async fn lull(&mut self, length: Duration) {
        yield_now().await;
        self.only_beats = false;
        thread::sleep(length.saturating_sub(self.taken.elapsed()));
    }
}

/// How long to sleep after signs of life alone.
fn lull(youngest: Duration) -> Duration {
    (youngest / 100).clamp(LULL, LONGEST_LULL)
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

    #[test]
    fn an_end_is_noticed_a_hundredth_of_the_time_late_at_most_but_for_the_shortest() {
        assert_eq!(lull(Duration::from_millis(5)), LULL);
        assert_eq!(lull(Duration::from_secs(10)), Duration::from_millis(100));
        assert_eq!(lull(Duration::from_hours(1)), LONGEST_LULL);
    }

    #[tokio::test]
    async fn words_about_work_are_taken_together_those_about_workers_alone() {
        let (sender, receiver) = mpsc::channel(8);
        let words = [ended(0, 1), ended(1, 1), ended(0, 2), ready(2), ready(3), ended(1, 3)];
        for word in words.clone() {
            sender.try_send(word).expect("there is room");
        }
        let mut arrivals = Arrivals::new(receiver);
        assert_eq!(arrivals.take(Duration::ZERO).await, words[..3]);
        assert_eq!(arrivals.take(Duration::ZERO).await, words[3..4]);
        assert_eq!(arrivals.take(Duration::ZERO).await, words[4..5]);
        assert_eq!(arrivals.take(Duration::ZERO).await, words[5..]);
    }
}
