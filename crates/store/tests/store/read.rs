//! Reading: what is left to do, one job's story, the study at a glance.

use augreg_protocol::{AttemptKey, AttemptState, Device, FailureKind, JobState, JournalEvent};
use augreg_store::{Change, StoreError};

use crate::support::{Study, job, jobs, journal, metric, start_of};

fn lost(attempt: AttemptKey) -> Change {
    let failure = Some((FailureKind::Lost, "gone".to_owned()));
    Change::AttemptEnded { attempt, state: AttemptState::Failed, failure, at: 1_700_000_009_000 }
}

#[tokio::test]
async fn losses_count_in_a_row_and_a_checkpoint_is_progress() {
    let study = Study::with(&jobs(1)).await;
    let job = jobs(1)[0].id;
    let losses = async |number: u32, checkpoint: Option<u64>| {
        let attempt = AttemptKey { job, number };
        study.start(attempt).await;
        let saved = checkpoint.map(|step| JournalEvent::Checkpoint { step });
        let entries = journal(attempt, [start_of(0)].into_iter().chain(saved));
        study.store.ingest(attempt, &entries, 1, &[lost(attempt)]).await.expect("ingests");
        let pending = study.store.pending(None).await.expect("reads");
        (pending[0].losses, pending[0].attempts, pending[0].checkpoint)
    };
    assert_eq!(losses(1, None).await, (1, 1, None));
    assert_eq!(losses(2, None).await, (2, 2, None));
    assert_eq!(losses(3, Some(50)).await, (0, 3, Some(50)));
    assert_eq!(losses(4, None).await, (1, 4, Some(50)));
    assert_eq!(losses(5, Some(20)).await, (0, 5, Some(20)), "the last written, not the furthest");
}

#[tokio::test]
async fn a_live_attempt_is_pending_with_its_worker() {
    let study = Study::with(&jobs(2)).await;
    let attempt = AttemptKey { job: jobs(2)[1].id, number: 1 };
    study.start(attempt).await;
    let pending = study.store.pending(Some("mini")).await.expect("reads");
    assert_eq!(pending[0].running, None);
    let live = pending[1].running.as_ref().expect("is live");
    assert_eq!((live.number, live.slot.as_str(), live.device), (1, "cpu-0", Device::Cpu));
    assert_eq!((live.pid, pending[1].state), (None, JobState::Running));

    let entries = journal(attempt, [start_of(7), metric(9, 0.5)]);
    study.store.ingest(attempt, &entries, 1, &[]).await.expect("ingests");
    let pending = study.store.pending(None).await.expect("reads");
    let live = pending[1].running.as_ref().expect("is live");
    assert_eq!((live.pid, live.device), (Some(4242), Device::Cuda(1)));

    let running = study.store.running(Some("mini")).await.expect("reads");
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].attempt, running[0].step, running[0].steps), (attempt, 9, 120));
    assert_eq!(running[0].labels, jobs(1)[0].labels);
}

#[tokio::test]
async fn a_curve_follows_the_latest_attempt_where_attempts_overlap() {
    let study = Study::with(&jobs(1)).await;
    let first = AttemptKey { job: jobs(1)[0].id, number: 1 };
    study.start(first).await;
    let entries = journal(first, [start_of(0), metric(1, 1.0), metric(2, 2.0), metric(3, 3.0)]);
    study.store.ingest(first, &entries, 1, &[lost(first)]).await.expect("ingests");
    let second = AttemptKey { number: 2, ..first };
    study.start(second).await;
    let entries = journal(second, [start_of(1), metric(2, 20.0)]);
    study.store.ingest(second, &entries, 1, &[]).await.expect("ingests");

    let curve = study.store.curve(first.job, "train_loss").await.expect("reads");
    assert_eq!(curve, [(1, 1.0), (2, 20.0), (3, 3.0)]);
    assert_eq!(study.store.curve(first.job, "no such").await.expect("reads"), []);
    assert_eq!(study.count("metric").await, 4, "nothing is overwritten");
}

#[tokio::test]
async fn a_job_is_found_by_a_unique_prefix() {
    let grid = jobs(40);
    let study = Study::with(&grid).await;
    let id = grid[0].id.to_string();
    assert_eq!(study.store.job_by_prefix(&id).await.expect("is there"), grid[0].id);
    assert_eq!(study.store.job_by_prefix(&id[..12]).await.expect("is there"), grid[0].id);
    let upper = id[..12].to_uppercase();
    assert_eq!(study.store.job_by_prefix(&upper).await.expect("is there"), grid[0].id);
    for unknown in ["zzzzzz%", "'"] {
        let error = study.store.job_by_prefix(unknown).await.expect_err("there is none");
        assert!(matches!(error, StoreError::UnknownJob { .. }), "{error}");
    }
    let error = study.store.job_by_prefix("").await.expect_err("all begin so");
    let StoreError::AmbiguousJob { candidates, .. } = error else { panic!("{error}") };
    assert_eq!(candidates.len(), 10);
}

#[tokio::test]
async fn counts_failures_and_speeds_tell_how_a_sweep_stands() {
    let mut grid = jobs(5);
    grid.push(job("strong2", 0));
    let study = Study::with(&grid).await;
    study.register("other", &grid[4..]).await;
    study.finish(grid[0].id, 0.5).await;
    study.finish(grid[1].id, 0.6).await;
    study.fail(grid[5].id, FailureKind::Diverged, "the loss is NaN at step 3").await;

    let counts = study.store.counts(Some("mini")).await.expect("counts");
    assert_eq!(counts.of(JobState::Succeeded), 2);
    assert_eq!((counts.total(), counts.unfinished()), (6, 3));
    let counts = study.store.counts(Some("other")).await.expect("counts");
    assert_eq!((counts.total(), counts.of(JobState::Failed)), (2, 1));
    assert_eq!(study.store.counts(None).await.expect("counts").total(), 6);

    let failures = study.store.failures(None, 10).await.expect("reads");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].failure, Some(FailureKind::Diverged));
    assert_eq!(failures[0].message.as_deref(), Some("the loss is NaN at step 3"));
    assert_eq!(failures[0].labels.augmentation, "strong2");

    let speeds = study.store.speeds().await.expect("reads");
    let told: Vec<_> = speeds
        .iter()
        .map(|job| (job.stage.as_str(), job.model.as_str(), job.precision.as_deref(), job.seconds))
        .collect();
    // From being started to the journal's end: two seconds.
    assert_eq!(told, [("pretrain", "R+Mu/7", Some("fp32"), 2.0); 2]);
    assert!(speeds.iter().all(|job| job.device == "cuda:1" && job.flops > 0.0));

    let mut ended = Vec::new();
    let ids = &mut grid.iter().map(|job| job.id);
    study.store.difference("mini", ids, |place| ended.push(place)).await.expect("compares");
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 5]);
    for (sweep, left) in [(None, 3), (Some("other"), 1)] {
        let flops = left as f64 * augreg_spec::cost(&grid[0].spec).flops;
        let (all, each) = study.store.work_left(sweep, 3).await.expect("adds up");
        assert!((all / flops - 1.0).abs() < 1e-9);
        assert_eq!(each.len(), left);
        let (many, none) = study.store.work_left(sweep, 2).await.expect("adds up");
        assert!((many / all - 1.0).abs() < 1e-9 && none.is_empty());
    }
    let names: Vec<_> = study.store.sweeps().await.expect("reads");
    assert_eq!(
        names.iter().map(|s| (s.name.as_str(), s.jobs)).collect::<Vec<_>>(),
        [("mini", 6), ("other", 2)]
    );
}
