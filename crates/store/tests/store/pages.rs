//! What the dashboard asks: pages of jobs, grids, priorities, what goes on.

use augreg_protocol::{FailureKind, JobState};
use augreg_store::{AXES, JobQuery, MEASURES, StageAxes, V_JOBS, Value};

use crate::support::{Study, job, jobs, text};

fn query(filters: &[&str], sort: &[&str]) -> JobQuery {
    JobQuery {
        sweep: Some("mini".to_owned()),
        filters: filters.iter().map(|text| text.parse().expect("is a filter")).collect(),
        columns: Some(vec!["seed".to_owned()]),
        sort: sort.iter().map(|text| text.parse().expect("is a key")).collect(),
        limit: Some(2),
    }
}

#[tokio::test]
async fn a_page_is_a_part_of_the_answer_and_says_how_long_it_is() {
    let study = Study::with(&jobs(5)).await;
    study.register("other", &[job("none", 77)]).await;
    let seeds = async |query: JobQuery, skip| {
        let page = study.store.page(&query, skip).await.expect("answers");
        let seed = |row: &Vec<Value>| match row[0] {
            Value::Integer(seed) => seed,
            ref other => panic!("a seed is {other:?}"),
        };
        (page.rows.rows.iter().map(seed).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(seeds(query(&[], &[]), 0).await, (vec![0, 1], 5));
    assert_eq!(seeds(query(&[], &["-seed"]), 2).await, (vec![2, 1], 5));
    assert_eq!(seeds(query(&["seed>1"], &["-seed"]), 2).await, (vec![2], 3));
    assert_eq!(seeds(query(&["seed>9"], &[]), 0).await, (vec![], 0));
    assert_eq!(seeds(query(&[], &[]), u64::MAX).await, (vec![], 5));
    let all = jobs(5);
    let rows = study.store.rows_of(&[all[3].id, all[1].id], &["id", "seed"]).await.expect("reads");
    assert_eq!(rows.rows[1], [text(&all[3].id.to_string()), Value::Integer(3)]);
}

#[tokio::test]
async fn a_grid_knows_what_varies_and_what_became_of_each_setting() {
    let all = [job("none", 0), job("none", 1), job("light1", 0), job("medium1", 0)];
    let study = Study::with(&all).await;
    study.finish(all[0].id, 0.8).await;
    study.finish(all[1].id, 0.6).await;
    study.fail(all[2].id, FailureKind::Diverged, "NaN").await;
    let stages = study.store.stage_axes("mini").await.expect("reads");
    let varied = vec!["augmentation", "mixup", "seed"];
    assert_eq!(stages, [StageAxes { stage: "pretrain".to_owned(), jobs: 4, varied }]);
    let cells =
        study.store.cells("mini", &stages[0], &["model", "augmentation"], "final_val").await;
    let cells = cells.expect("reads");
    let find = |name: &str| cells.iter().find(|cell| cell.key[1] == text(name)).expect("is there");
    let none = find("none");
    assert!((none.mean.expect("is measured") - 0.7).abs() < 1e-9);
    assert_eq!(
        (none.jobs, none.succeeded, find("light1").failed, find("medium1").mean),
        (2, 2, 1, None)
    );
    // Every axis and measure can be asked for, though two tables may have columns of one name.
    for measure in MEASURES {
        study.store.cells("mini", &stages[0], &AXES, measure).await.expect("reads");
    }
    for name in AXES.into_iter().chain(MEASURES) {
        assert!(V_JOBS.columns.iter().any(|column| column.name == name), "{name}");
    }
    let error = study.store.cells("mini", &stages[0], &["modle"], "final_val").await;
    assert!(error.expect_err("is unknown").to_string().contains("did you mean `model`?"));
}

#[tokio::test]
async fn a_priority_is_set_for_what_has_not_ended_and_heard_of_once() {
    let all = jobs(3);
    let study = Study::with(&all).await;
    study.finish(all[0].id, 0.8).await;
    let before = study.store.last_event().await.expect("reads");
    let ids: Vec<_> = all.iter().map(|job| job.id).collect();
    let set = study.store.set_priority(&ids, 7, "by ada").await.expect("sets");
    assert_eq!(set.len(), 2);
    let mut heard = study.store.priorities_since(before).await.expect("reads");
    heard.sort();
    let mut expected = vec![(all[1].id, 7), (all[2].id, 7)];
    expected.sort();
    assert_eq!(heard, expected);
    let last = study.store.last_event().await.expect("reads");
    assert_eq!(study.store.priorities_since(last).await.expect("reads"), []);
    let details = study.store.job(all[1].id).await.expect("reads");
    let said = details.events.last().expect("is noted");
    assert_eq!(
        (details.priority, &*said.what, &*said.reason),
        (7, "priority-set", "priority 7, by ada")
    );
    assert_eq!(details.state, JobState::Queued);
}

#[tokio::test]
async fn what_goes_on_is_summed_up_and_every_write_is_noticed() {
    let all = jobs(3);
    let study = Study::with(&all).await;
    let before = study.store.pulse();
    study.finish(all[0].id, 0.8).await;
    assert_ne!(study.store.pulse(), before);
    study.fail(all[1].id, FailureKind::Diverged, "NaN").await;
    let before = study.store.pulse();
    let losses = study.store.losses().await.expect("reads");
    assert_eq!((&*losses[0].failure, losses[0].attempts, losses.len()), ("diverged", 1, 1));
    let slots = study.store.slots_used(9).await.expect("reads");
    assert_eq!((slots.len(), slots[0].attempts, slots[0].failed), (1, 2, 1));
    assert!(study.store.device_seconds().await.expect("reads").0 >= 0.0);
    assert_eq!(study.store.running_speeds().await.expect("reads"), []);
    assert!(study.store.events(3).await.expect("reads").len() <= 3);
    assert_eq!(study.store.pulse(), before, "to read changes nothing");
}
