//! Journals: each entry once, whatever is repeated, and all of a write or nothing.

use augreg_protocol::{
    AttemptKey, AttemptState, Entry, FailureKind, JobState, JournalEvent, Outcome,
};
use augreg_store::{Change, Ingested, StoreError};
use proptest::prelude::*;

use crate::support::{Study, job, jobs, journal, metric, outcome, start_of, started};

fn story(attempt: AttemptKey) -> Vec<Entry> {
    let mut events = vec![start_of(0)];
    events.extend((1..=40).map(|step| metric(step, 1.0 / step as f64)));
    events.push(JournalEvent::Checkpoint { step: 40 });
    events.push(JournalEvent::Note { text: "a note".to_owned() });
    events.push(metric(41, 0.1 + 0.2));
    events.push(JournalEvent::Succeeded(outcome(0.875)));
    journal(attempt, events)
}

async fn one_running() -> (Study, AttemptKey) {
    let study = Study::with(&jobs(1)).await;
    let attempt = AttemptKey { job: jobs(1)[0].id, number: 1 };
    study.start(attempt).await;
    (study, attempt)
}

#[tokio::test]
async fn a_journal_becomes_metrics_checkpoints_result_and_attempt() {
    let (study, attempt) = one_running().await;
    let entries = story(attempt);
    let done = Change::JobState { job: attempt.job, state: JobState::Succeeded };
    let ingested = study.store.ingest(attempt, &entries, 4711, &[done]).await.expect("ingests");
    assert_eq!(ingested, Ingested { new: 45, skipped: 0 });
    assert_eq!(study.store.journal_offset(attempt).await.expect("is known"), 4711);

    let job = study.store.job(attempt.job).await.expect("is there");
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(job.result, Some(outcome(0.875)));
    assert_eq!(job.metrics, ["train_loss"]);
    assert_eq!(job.checkpoints.iter().map(|c| c.step).collect::<Vec<_>>(), [40]);
    assert_eq!(job.events.iter().map(|e| e.reason.as_str()).collect::<Vec<_>>(), ["a note"]);
    let [only] = job.attempts.as_slice() else { panic!("one attempt") };
    assert_eq!((only.host.as_deref(), only.pid), (Some("gpu7"), Some(4242)));
    assert_eq!((only.device.as_str(), only.state), ("cuda:1", AttemptState::Succeeded));
    assert_eq!((only.peak_memory, only.images_per_second), (Some(1 << 30), Some(1000.0)));
    assert_eq!((only.started, only.ended), (1_700_000_000_000, Some(1_700_000_045_000)));

    let curve = study.store.curve(attempt.job, "train_loss").await.expect("reads");
    assert_eq!(curve.len(), 41);
    assert_eq!(curve[40].0, 41);
    assert_eq!(curve[40].1.to_bits(), (0.1f64 + 0.2).to_bits(), "numbers survive to the last bit");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn however_a_journal_is_cut_and_repeated_the_study_is_the_same(
        parts in proptest::collection::vec((0usize..45, 0usize..45), 0..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (metrics, loss, checkpoints, notes, ended) = runtime.expect("a runtime").block_on(async {
            let (study, attempt) = one_running().await;
            let entries = story(attempt);
            let mut next = 0;
            for (from, length) in parts {
                // A part that begins beyond what was ingested would be a gap: see below.
                let from = from.min(next);
                let to = (from + length).min(entries.len());
                let ingested =
                    study.store.ingest(attempt, &entries[from..to], to as u64, &[]).await;
                let ingested = ingested.expect("ingests");
                assert_eq!(ingested.new, to.saturating_sub(next) as u64);
                assert_eq!(ingested.new + ingested.skipped, (to - from) as u64);
                next = next.max(to);
            }
            study.store.ingest(attempt, &entries, 999, &[]).await.expect("ingests");
            (
                study.count("metric").await,
                study.store.curve(attempt.job, "train_loss").await.expect("reads"),
                study.count("checkpoint").await,
                study.count("event WHERE what = 'note'").await,
                study.count("result JOIN attempt USING (job_id) WHERE state = 'succeeded'").await,
            )
        });
        prop_assert_eq!((metrics, checkpoints, notes, ended), (41, 1, 1, 1));
        prop_assert_eq!(loss[3], (4, 0.25));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_number_of_this_world_survives_to_the_last_bit(
        numbers in proptest::collection::vec((-60i32..60, 1.0f64..10.0, -1.0f64..1.0), 500)
    ) {
        let number = |(power, size, sign): (i32, f64, f64)| size.copysign(sign) * 10f64.powi(power);
        let numbers: Vec<f64> = numbers.into_iter().map(number).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let read = runtime.expect("a runtime").block_on(async {
            let (study, attempt) = one_running().await;
            let events = numbers.iter().zip(1..).map(|(number, step)| metric(step, *number));
            let entries = journal(attempt, std::iter::once(start_of(0)).chain(events));
            study.store.ingest(attempt, &entries, 1, &[]).await.expect("ingests");
            study.store.curve(attempt.job, "train_loss").await.expect("reads")
        });
        let bits = |number: &f64| number.to_bits();
        let read: Vec<_> = read.iter().map(|(_, number)| bits(number)).collect();
        prop_assert_eq!(read, numbers.iter().map(bits).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_an_attempt_repeats_of_a_step_is_passed_over_and_ends_nothing() {
    let (study, attempt) = one_running().await;
    let series = |first, values: &[f32]| JournalEvent::Series {
        name: "train_loss".to_owned(),
        first,
        values: values.to_vec(),
    };
    let events = [
        start_of(0),
        series(1, &[0.5, 0.25]),
        series(1, &[7.0, 7.0, 7.0]),
        metric(1, 8.0),
        metric(3, 0.125),
        series(3, &[9.0]),
        JournalEvent::Checkpoint { step: 3 },
        JournalEvent::Checkpoint { step: 3 },
        JournalEvent::Succeeded(outcome(0.5)),
    ];
    let done = Change::JobState { job: attempt.job, state: JobState::Succeeded };
    study.store.ingest(attempt, &journal(attempt, events), 9, &[done]).await.expect("ingests");
    let curve = study.store.curve(attempt.job, "train_loss").await.expect("reads");
    assert_eq!(curve, [(1, 0.5), (2, 0.25), (3, 0.125)]);
}

#[tokio::test]
async fn a_job_that_is_retried_and_retried_within_one_write_goes_through_all_of_it_in_order() {
    let study = Study::with(&jobs(2)).await;
    let [job, other] = [0, 1].map(|at: usize| jobs(2)[at].id);
    let key = |number| AttemptKey { job, number };
    let lost = |attempt| Change::AttemptEnded {
        attempt,
        state: AttemptState::Failed,
        failure: Some((FailureKind::Lost, "gone".to_owned())),
        at: 1_700_000_000_001,
    };
    let moved = |job, state| Change::JobState { job, state };
    let line = |attempt: AttemptKey, what: &str| Change::Event {
        job: Some(attempt.job),
        attempt: Some(attempt.number),
        actor: "scheduler".to_owned(),
        what: what.to_owned(),
        reason: String::new(),
        at: 7,
    };
    let mut changes = Vec::new();
    for number in 1..=3 {
        changes.extend([started(key(number)), line(key(number), "started")]);
        changes.extend([lost(key(number)), moved(job, JobState::Queued)]);
        changes.push(line(key(number), "retried"));
    }
    changes.extend([started(key(4)), started(AttemptKey { job: other, number: 1 })]);
    changes.push(moved(other, JobState::Queued));
    study.store.apply(&changes).await.expect("applies");

    let found = study.store.job(job).await.expect("is there");
    assert_eq!(found.state, JobState::Running);
    let states: Vec<_> = found.attempts.iter().map(|attempt| attempt.state).collect();
    let failed = AttemptState::Failed;
    assert_eq!(states, [failed, failed, failed, AttemptState::Running]);
    let lines: Vec<_> = found.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(lines, ["started", "retried"].repeat(3));
    assert_eq!(study.store.job(other).await.expect("is there").state, JobState::Queued);
}

#[tokio::test]
async fn what_is_unknown_is_named_and_nothing_of_its_write_is_done() {
    let study = Study::with(&jobs(2)).await;
    let [known, unknown] = [jobs(2)[0].id, job("none", 99).id];
    let moved = |job| Change::JobState { job, state: JobState::Cancelled };
    let error = study.store.apply(&[moved(known), moved(unknown)]).await.expect_err("unknown");
    assert!(
        matches!(&error, StoreError::UnknownJob { prefix } if *prefix == unknown.to_string()),
        "{error}"
    );
    let attempt = AttemptKey { job: known, number: 3 };
    let (state, failure) = (AttemptState::Stopped, None);
    let ended = Change::AttemptEnded { attempt, state, failure, at: 9 };
    let error = study.store.apply(&[moved(known), ended]).await.expect_err("unknown");
    assert!(
        matches!(error, StoreError::UnknownAttempt { attempt: named } if named == attempt),
        "{error}"
    );
    assert_eq!(study.store.job(known).await.expect("is there").state, JobState::Queued);
}

#[tokio::test]
async fn a_gap_a_stray_entry_and_an_unknown_attempt_are_refused() {
    let (study, attempt) = one_running().await;
    let entries = story(attempt);
    let gap = study.store.ingest(attempt, &entries[2..], 0, &[]).await.expect_err("0 is missing");
    assert!(matches!(gap, StoreError::Gap { expected: 0, found: 2, .. }), "{gap}");
    let other = AttemptKey { number: 2, ..attempt };
    let stray = study.store.ingest(attempt, &story(other), 0, &[]).await.expect_err("not its own");
    assert!(matches!(stray, StoreError::Stray { .. }), "{stray}");
    let unknown = study.store.ingest(other, &story(other), 0, &[]).await.expect_err("no attempt");
    assert!(matches!(unknown, StoreError::UnknownAttempt { .. }), "{unknown}");
    assert!(study.store.journal_offset(other).await.is_err());
    assert_eq!(study.count("metric").await, 0);
}

#[tokio::test]
async fn entries_and_changes_are_stored_together_or_not_at_all() {
    let (study, attempt) = one_running().await;
    let impossible = Change::JobState { job: attempt.job, state: JobState::Succeeded };
    let entries = &story(attempt)[..10];
    assert!(study.store.ingest(attempt, entries, 77, &[impossible]).await.is_err());
    assert_eq!(study.count("metric").await, 0);
    assert_eq!(study.store.journal_offset(attempt).await.expect("is known"), 0);
    study.store.ingest(attempt, entries, 77, &[]).await.expect("ingests");
    assert_eq!(study.count("metric").await, 9);
}

#[tokio::test]
async fn an_attempt_that_is_ended_without_its_journal_is_given_up_until_it_is_settled() {
    let study = Study::with(&jobs(3)).await;
    let keys = [0, 1, 2].map(|at: usize| AttemptKey { job: jobs(3)[at].id, number: 1 });
    for attempt in keys {
        study.start(attempt).await;
    }
    let lost = |attempt| Change::AttemptEnded {
        attempt,
        state: AttemptState::Failed,
        failure: Some((FailureKind::Lost, "gone".to_owned())),
        at: 9,
    };
    let begun = &story(keys[0])[..10];
    study.store.ingest(keys[0], begun, 77, &[lost(keys[0])]).await.expect("ingests");
    let ended = story(keys[1]);
    study.store.ingest(keys[1], &ended, 99, &[lost(keys[1])]).await.expect("ingests");

    let left = study.store.given_up(None, 9).await.expect("reads");
    let [only] = left.as_slice() else { panic!("{left:?}: the second said how it ended") };
    assert_eq!((only.attempt, only.offset, only.next_seq), (keys[0], 77, 10));
    assert_eq!(only.state, JobState::Running);
    assert_eq!(study.store.given_up(Some(keys[0]), 9).await.expect("reads"), []);

    let settled = Change::Settled { attempt: keys[0] };
    let done = Change::JobState { job: keys[0].job, state: JobState::Succeeded };
    let rest = &story(keys[0])[10..];
    study.store.ingest(keys[0], rest, 4711, &[done, settled]).await.expect("ingests");
    assert_eq!(study.store.given_up(None, 9).await.expect("reads"), []);
    let job = study.store.job(keys[0].job).await.expect("is there");
    assert_eq!((job.state, job.attempts[0].state), (JobState::Succeeded, AttemptState::Succeeded));
    assert_eq!((job.attempts[0].failure, job.attempts[0].message.as_deref()), (None, None));
}

#[tokio::test]
async fn writes_committed_together_fail_alone() {
    let study = Study::with(&jobs(60)).await;
    let jobs = jobs(60);
    let start = |at: usize| {
        // Every third write asks for a second attempt before the first: refused by the schema.
        let number = if at.is_multiple_of(3) { 2 } else { 1 };
        let change = [started(AttemptKey { job: jobs[at].id, number })];
        let store = study.store.clone();
        async move { store.apply(&change).await.is_ok() }
    };
    let tasks: Vec<_> = (0..60).map(|at| tokio::spawn(start(at))).collect();
    for (at, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.expect("ends"), !at.is_multiple_of(3), "{at}");
    }
    assert_eq!(study.count("attempt").await, 40);
}

#[tokio::test]
async fn a_journal_that_arrives_late_knows_better_than_whoever_gave_the_attempt_up() {
    let (study, attempt) = one_running().await;
    let failure = Some((FailureKind::Lost, "no word".to_owned()));
    let given_up = Change::AttemptEnded {
        attempt,
        state: AttemptState::Failed,
        failure,
        at: 1_700_000_002_000,
    };
    study.store.apply(std::slice::from_ref(&given_up)).await.expect("gives up");
    study.store.ingest(attempt, &story(attempt), 1, &[]).await.expect("ingests");
    study.store.apply(&[given_up]).await.expect("has no effect any more");
    let job = study.store.job(attempt.job).await.expect("is there");
    assert_eq!(job.attempts[0].state, AttemptState::Succeeded);
    assert_eq!(job.attempts[0].failure, None);
    assert!(job.result.is_some());
}

#[tokio::test]
async fn of_two_results_the_first_stands_and_the_audit_names_the_difference() {
    let (study, first) = one_running().await;
    let failure = Some((FailureKind::Lost, "no word".to_owned()));
    let given_up =
        Change::AttemptEnded { attempt: first, state: AttemptState::Failed, failure, at: 9 };
    study.store.apply(&[given_up]).await.expect("gives up");
    let second = AttemptKey { number: 2, ..first };
    study.start(second).await;
    let other = Outcome { parameters_sha256: "cd".repeat(32), ..outcome(0.5) };
    let late = journal(second, [start_of(0), JournalEvent::Succeeded(other)]);
    study.store.ingest(first, &story(first), 1, &[]).await.expect("ingests");
    study.store.ingest(second, &late, 1, &[]).await.expect("ingests");

    let job = study.store.job(first.job).await.expect("is there");
    assert_eq!(job.result, Some(outcome(0.875)));
    let event = job.events.last().expect("an audit");
    assert_eq!(event.what, "second-result");
    assert!(event.reason.contains("DIFFER"), "{}", event.reason);
}
