//! Cancelling and retrying.

use augreg_protocol::{AttemptKey, FailureKind, JobState};

use crate::support::{Study, jobs};

#[tokio::test]
async fn only_jobs_that_have_not_begun_are_cancelled_and_the_audit_says_why() {
    let grid = jobs(3);
    let study = Study::with(&grid).await;
    study.finish(grid[0].id, 0.5).await;
    study.start(AttemptKey { job: grid[1].id, number: 1 }).await;
    let all: Vec<_> = grid.iter().map(|job| job.id).collect();
    let cancelled = study.store.set_cancelled(&all, "not needed").await.expect("cancels");
    assert_eq!(cancelled, [grid[2].id]);
    assert_eq!(study.store.set_cancelled(&all, "again").await.expect("cancels"), []);
    let job = study.store.job(grid[2].id).await.expect("is there");
    assert_eq!(job.state, JobState::Cancelled);
    let event = job.events.last().expect("an audit");
    assert_eq!((event.what.as_str(), event.reason.as_str()), ("cancelled", "not needed"));
}

#[tokio::test]
async fn failed_and_cancelled_jobs_are_queued_again_and_keep_their_attempts() {
    let grid = jobs(3);
    let study = Study::with(&grid).await;
    study.finish(grid[0].id, 0.5).await;
    study.fail(grid[1].id, FailureKind::Bug, "index out of range").await;
    assert_eq!(study.store.failed_jobs(Some("mini")).await.expect("reads"), [grid[1].id]);
    study.store.set_cancelled(&[grid[2].id], "").await.expect("cancels");

    let all: Vec<_> = grid.iter().map(|job| job.id).collect();
    let mut queued = study.store.requeue_failed(&all, "mended").await.expect("queues");
    queued.sort();
    let mut expected = [grid[1].id, grid[2].id];
    expected.sort();
    assert_eq!(queued, expected);
    let pending = study.store.pending(None).await.expect("reads");
    assert_eq!((pending[0].attempts, pending[0].bugs), (1, 0), "what came before is forgiven");
    study.start(AttemptKey { job: grid[1].id, number: 2 }).await;
    let pending = study.store.pending(None).await.expect("reads");
    assert_eq!(pending[0].running.as_ref().map(|running| running.number), Some(2));
}
