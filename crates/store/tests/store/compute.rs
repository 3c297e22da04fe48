//! What jobs cost, and forecasts held against it.

use std::collections::BTreeMap;

use augreg_protocol::{AttemptKey, FailureKind, JobState, JournalEvent};
use augreg_spec::cost;
use augreg_store::{Change, Interval, NewForecast, Spent, StoreError, Value};

use crate::support::{Study, job, jobs, journal, outcome, start_of, text};

fn series(first: u64, count: usize) -> JournalEvent {
    JournalEvent::Series { name: "train_loss".to_owned(), first, values: vec![1.0; count] }
}

fn energy(joules: f64) -> JournalEvent {
    JournalEvent::Energy { joules }
}

/// 120 steps of 250 images. The first attempt is lost at step 50 with a checkpoint at 30, so 20 steps are
/// made twice: 140 in all. The journal's clock ticks once a second, from a second after the start.
#[tokio::test]
async fn steps_that_are_repeated_are_counted_as_often_as_they_were_made() {
    let grid = jobs(1);
    let study = Study::with(&grid).await;
    let id = grid[0].id;
    let first = AttemptKey { job: id, number: 1 };
    study.start(first).await;
    let lost = JournalEvent::Failed { kind: FailureKind::Lost, message: String::new(), step: 50 };
    let checkpoint = JournalEvent::Checkpoint { step: 30 };
    let events = [start_of(0), energy(10.0), checkpoint, series(1, 50), energy(25.0), lost];
    let queued = Change::JobState { job: id, state: JobState::Queued };
    study.store.ingest(first, &journal(first, events), 9, &[queued]).await.expect("ingests");

    let flops = cost(&grid[0].spec).flops;
    let columns =
        "steps_seen, images_seen, flops_seen, flops_useful, device_seconds, energy_joules";
    let row = study.sql(&format!("SELECT {columns} FROM v_compute")).await;
    assert_eq!(
        row,
        [[
            Value::Integer(50),
            Value::Integer(12_500),
            Value::Real(flops * 50.0 / 120.0),
            Value::Null,
            Value::Real(6.0),
            Value::Real(25.0),
        ]]
    );

    let spent = study.store.spent("mini").await.expect("adds up");
    assert!(
        (spent.begun / (flops * 30.0 / 120.0) - 1.0).abs() < 1e-12,
        "a checkpoint holds 30 steps"
    );

    let second = AttemptKey { job: id, number: 2 };
    study.start(second).await;
    let done = JournalEvent::Succeeded(outcome(0.5));
    let state = Change::JobState { job: id, state: JobState::Succeeded };
    let entries = journal(second, [start_of(30), energy(40.0), done]);
    study.store.ingest(second, &entries, 9, &[state]).await.expect("ingests");
    let row = study.sql(&format!("SELECT {columns} FROM v_compute")).await;
    assert_eq!(
        row,
        [[
            Value::Integer(140),
            Value::Integer(35_000),
            Value::Real(flops * 140.0 / 120.0),
            Value::Real(flops),
            Value::Real(9.0),
            Value::Real(65.0),
        ]]
    );
    let rates = study.sql("SELECT images_per_second, tflops_per_second FROM v_compute").await;
    let expected = [35_000.0 / 9.0, flops * 140.0 / 120.0 / 9.0 / 1e12];
    for (value, expected) in rates[0].iter().zip(expected) {
        let Value::Real(value) = value else { panic!("{value:?}") };
        assert!((value / expected - 1.0).abs() < 1e-12);
    }
    let spent = study.store.spent("mini").await.expect("adds up");
    assert!((spent.flops / (flops * 140.0 / 120.0) - 1.0).abs() < 1e-12);
    assert!((spent.device_seconds - 9.0).abs() < 1e-9 && spent.begun == 0.0);
    assert_eq!(study.store.spent("nobody").await.expect("adds up"), Spent::default());
}

#[tokio::test]
async fn energy_that_one_attempt_did_not_count_is_unknown_for_the_job() {
    let grid = jobs(2);
    let study = Study::with(&grid).await;
    for (number, joules) in [(1, None), (2, Some(4.0))] {
        let attempt = AttemptKey { job: grid[0].id, number };
        study.start(attempt).await;
        let counted = joules.map(energy);
        let stopped = JournalEvent::Stopped { step: 0 };
        let events = [Some(start_of(0)), counted, Some(stopped)].into_iter().flatten();
        let queued = Change::JobState { job: grid[0].id, state: JobState::Queued };
        let entries = journal(attempt, events);
        study.store.ingest(attempt, &entries, 9, &[queued]).await.expect("ingests");
    }
    let energy = study.sql("SELECT energy_joules, flops_seen FROM v_compute").await;
    assert_eq!(energy, vec![vec![Value::Null, Value::Real(0.0)]; 2]);
}

/// Two digits and the nearest prefix: jobs of about equal cost stand in one group.
#[tokio::test]
async fn equal_compute_is_a_column_to_group_by_and_counts_what_is_upstream_of_a_transfer() {
    let grid = [job("none", 0), job("light1", 1), job("light2", 2), job("medium1", 3)];
    let study = Study::with(&grid).await;
    let mut raw = study.raw().await;
    let ids: Vec<_> = grid.iter().map(|job| job.id.to_string()).collect();
    for (id, flops) in ids.iter().zip([1.234e15, 1.26e15, 9.96e14, 1.05e14]) {
        sqlx::query("UPDATE job SET flops = ? WHERE id = ?")
            .bind(flops)
            .bind(id)
            .execute(&mut raw)
            .await
            .expect("updates");
    }
    let groups = "SELECT compute, count(*) FROM v_compute GROUP BY compute ORDER BY compute";
    let group = |name: &str, n| vec![text(name), Value::Integer(n)];
    assert_eq!(
        study.sql(groups).await,
        [
            group("1.0 PFLOP", 1),
            group("1.2 PFLOP", 1),
            group("1.3 PFLOP", 1),
            group("110 TFLOP", 1)
        ]
    );
    // 105 TFLOP of its own on top of 1,234: 1.339 PFLOP, as much as the job of 1.26 to two digits.
    sqlx::query("UPDATE job SET stage = 'transfer', parent = ? WHERE id = ?")
        .bind(&ids[0])
        .bind(&ids[3])
        .execute(&mut raw)
        .await
        .expect("updates");
    assert_eq!(
        study.sql(groups).await,
        [group("1.0 PFLOP", 1), group("1.2 PFLOP", 1), group("1.3 PFLOP", 2)]
    );
    let course = study.store.course(grid[3].id, "val_accuracy").await.expect("reads");
    let upstream = course.upstream.expect("it has one");
    assert_eq!((upstream.job, upstream.flops), (grid[0].id, 1.234e15));
}

/// The start is at 0 s and the entries of a journal come once a second from 1 s on.
#[tokio::test]
async fn a_course_tells_when_a_job_had_done_its_steps() {
    let grid = jobs(1);
    let study = Study::with(&grid).await;
    let attempt = AttemptKey { job: grid[0].id, number: 1 };
    study.start(attempt).await;
    let evaluation = JournalEvent::Metrics {
        step: 60,
        values: BTreeMap::from([("val_accuracy".to_owned(), 0.5)]),
    };
    let done = JournalEvent::Succeeded(outcome(0.5));
    let events = [start_of(0), JournalEvent::Checkpoint { step: 40 }, evaluation, done];
    study.store.ingest(attempt, &journal(attempt, events), 9, &[]).await.expect("ingests");
    let course = study.store.course(attempt.job, "val_accuracy").await.expect("reads");
    assert_eq!(course.points, [(60, 0.5)]);
    assert_eq!((course.steps, course.batch_size), (120, Some(250)));
    assert_eq!(course.legs.len(), 1);
    assert_eq!((course.legs[0].from, &course.legs[0].marks[..]), (0, &[(40, 2.0), (120, 4.0)][..]));
}

#[tokio::test]
async fn a_forecast_is_scored_when_the_jobs_that_it_was_about_have_ended() {
    let grid = jobs(2);
    let study = Study::with(&grid).await;
    let interval = Interval { low: 1.0, median: 3.0, high: 9.0 };
    let forecast = NewForecast {
        sweep: "mini".to_owned(),
        jobs: 2,
        flops: 5e9,
        device: interval,
        wall: Some(interval),
        slots: "2 slots".to_owned(),
        measured: 0,
    };
    study.store.record_forecast(&forecast).await.expect("writes");
    // Attempts of this test begin in 2023: the forecast must have been before.
    let mut raw = study.raw().await;
    let earlier = "UPDATE forecast SET at = 1700000000000";
    sqlx::query(earlier).execute(&mut raw).await.expect("updates");
    sqlx::query("UPDATE job SET created = 1700000000000").execute(&mut raw).await.expect("updates");

    study.finish(grid[0].id, 0.5).await;
    let open = study.store.forecasts(Some("mini")).await.expect("reads");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].expected, forecast);
    assert_eq!(
        (open[0].finished, open[0].device_seconds, open[0].wall_seconds),
        (None, None, None)
    );

    study.fail(grid[1].id, FailureKind::Diverged, "NaN").await;
    let scored = study.store.forecasts(None).await.expect("reads");
    assert_eq!(
        (scored[0].finished, scored[0].device_seconds, scored[0].wall_seconds),
        (Some(1), Some(4.0), Some(2.0))
    );

    // A job that was added later was not foretold.
    study.register("mini", &[grid.as_slice(), &[job("none", 7)]].concat()).await;
    let grown = study.store.forecasts(None).await.expect("reads");
    assert_eq!((grown[0].device_seconds, grown[0].wall_seconds), (Some(4.0), None));

    let unknown = NewForecast { sweep: "nobody".to_owned(), ..forecast };
    let refused = study.store.record_forecast(&unknown).await;
    assert!(matches!(refused, Err(StoreError::UnknownSweep { .. })));
}
