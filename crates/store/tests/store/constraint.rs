//! Bad states that the schema itself refuses.

use augreg_protocol::{AttemptKey, AttemptState, FailureKind, JobState, JournalEvent};
use augreg_store::{Change, StoreError};
use sqlx::{ConnectOptions, Executor};

use crate::support::{Study, jobs, journal, outcome, start_of, started};

fn is_constraint(error: &StoreError) -> bool {
    matches!(error, StoreError::Database { source: sqlx::Error::Database(_), .. })
}

#[tokio::test]
async fn a_job_has_at_most_one_running_attempt() {
    let study = Study::with(&jobs(1)).await;
    let job = jobs(1)[0].id;
    study.start(AttemptKey { job, number: 1 }).await;
    let second = study.store.apply(&[started(AttemptKey { job, number: 2 })]).await;
    let error = second.expect_err("one runs already");
    assert!(is_constraint(&error), "{error}");
    assert_eq!(study.count("attempt").await, 1);
}

#[tokio::test]
async fn attempts_are_numbered_without_gaps() {
    let study = Study::with(&jobs(1)).await;
    let job = jobs(1)[0].id;
    for number in [0, 2] {
        let error = study.store.apply(&[started(AttemptKey { job, number })]).await;
        assert!(is_constraint(&error.expect_err("the first is 1")));
    }
}

#[tokio::test]
async fn a_job_succeeds_only_with_a_result_and_then_for_ever() {
    let study = Study::with(&jobs(2)).await;
    let [first, second] = [jobs(2)[0].id, jobs(2)[1].id];
    let early = Change::JobState { job: first, state: JobState::Succeeded };
    let error = study.store.apply(&[early]).await.expect_err("there is no result");
    assert!(is_constraint(&error), "{error}");

    study.finish(second, 0.9).await;
    let back = Change::JobState { job: second, state: JobState::Queued };
    let rerun = started(AttemptKey { job: second, number: 2 });
    for change in [back, rerun] {
        let error = study.store.apply(&[change]).await.expect_err("it has succeeded");
        assert!(is_constraint(&error), "{error}");
    }
}

#[tokio::test]
async fn an_attempt_fails_only_with_a_reason_and_cannot_end_as_running() {
    let study = Study::with(&jobs(1)).await;
    let attempt = AttemptKey { job: jobs(1)[0].id, number: 1 };
    study.start(attempt).await;
    let lost = Some((FailureKind::Lost, "gone".to_owned()));
    for (state, failure) in [
        (AttemptState::Failed, None),
        (AttemptState::Stopped, lost.clone()),
        (AttemptState::Running, None),
    ] {
        let ended = Change::AttemptEnded { attempt, state, failure, at: 5 };
        assert!(is_constraint(&study.store.apply(&[ended]).await.expect_err("no sense")));
    }
    let ended = Change::AttemptEnded { attempt, state: AttemptState::Failed, failure: lost, at: 5 };
    study.store.apply(&[ended]).await.expect("makes sense");
}

#[tokio::test]
async fn an_accuracy_outside_zero_to_one_is_refused_with_all_that_came_with_it() {
    let study = Study::with(&jobs(1)).await;
    let attempt = AttemptKey { job: jobs(1)[0].id, number: 1 };
    study.start(attempt).await;
    let entries = journal(attempt, [start_of(0), JournalEvent::Succeeded(outcome(87.0))]);
    let error = study.store.ingest(attempt, &entries, 9, &[]).await.expect_err("is a percentage");
    assert!(is_constraint(&error), "{error}");
    assert_eq!(study.count("attempt WHERE next_seq = 0 AND state = 'running'").await, 1);
}

#[tokio::test]
async fn changes_that_name_nothing_are_refused() {
    let study = Study::new().await;
    let job = jobs(1)[0].id;
    let attempt = AttemptKey { job, number: 1 };
    let ended =
        Change::AttemptEnded { attempt, state: AttemptState::Stopped, failure: None, at: 5 };
    let error = study.store.apply(&[ended]).await.expect_err("there is no attempt");
    assert!(matches!(error, StoreError::UnknownAttempt { attempt: named } if named == attempt));
    let state = Change::JobState { job, state: JobState::Queued };
    let error = study.store.apply(&[state]).await.expect_err("there is no job");
    assert!(matches!(error, StoreError::UnknownJob { .. }), "{error}");
    assert!(is_constraint(&study.store.apply(&[started(attempt)]).await.expect_err("no job")));
}

/// Whatever opens the file finds the same guards: they are in the schema, not in the code.
#[tokio::test]
async fn nonsense_is_refused_at_the_level_of_sql() {
    let study = Study::with(&jobs(1)).await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(study.database()).foreign_keys(true);
    let mut connection = options.connect().await.expect("opens");
    for sql in [
        "UPDATE job SET state = 'done'",
        "UPDATE job SET model = 'B/16'",
        "UPDATE job SET priority = 'high'",
        "DELETE FROM job",
        "INSERT INTO member VALUES (1, 77, 0, 0)",
        "INSERT INTO metric_series VALUES ('no such job', 'x', 1, 0, 1, 0.5, NULL)",
        "INSERT INTO dataset VALUES ('f', 'n', 'not json')",
    ] {
        assert!(connection.execute(sql).await.is_err(), "{sql}");
    }
}

/// The tally is kept by registrations and by triggers: it must say what counting says, whatever happened.
#[tokio::test]
async fn the_tally_says_what_counting_would() {
    let study = Study::with(&jobs(6)).await;
    let ids: Vec<_> = jobs(6).iter().map(|job| job.id).collect();
    study.finish(ids[0], 0.5).await;
    study.fail(ids[1], FailureKind::Bug, "no").await;
    study.store.set_cancelled(&ids[2..3], "enough").await.expect("cancels");
    study.store.requeue_failed(&ids[1..2], "again").await.expect("queues");
    study.register("mini", &jobs(4)).await;
    study.register("mini", &jobs(5)).await;
    study.register("other", &jobs(2)).await;
    let counted = "SELECT 0 AS sweep_id, state, count(*), sum(flops) FROM job GROUP BY state
         UNION ALL
         SELECT sweep_id, state, count(*), sum(flops) FROM sweep_job JOIN job ON id = job_id
         WHERE NOT orphaned GROUP BY sweep_id, state ORDER BY 1, 2";
    let tally = "SELECT sweep_id, state, total, flops FROM tally WHERE total > 0 ORDER BY 1, 2";
    assert_eq!(study.sql(tally).await, study.sql(counted).await);
}
