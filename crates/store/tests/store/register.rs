//! Registration: new, shared and orphaned jobs.

use augreg_protocol::JobState;
use augreg_spec::{Job, JobId, JobSpec, NoopSpec};
use augreg_store::{Difference, NewSweep, Store, StoreError, Value, Work};

use crate::support::{Study, datasets, identity, job, jobs, text};

fn ids(jobs: &[augreg_spec::Job]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn registering_twice_adds_nothing_and_growth_adds_only_what_is_new() {
    let study = Study::new().await;
    let mut grid = jobs(300);
    let planned = study.difference("mini", &grid).await;
    assert_eq!(planned, Difference::all_new(300));
    assert_eq!(study.register("mini", &grid).await, planned);

    let again = Difference { shared: 300, ..Difference::default() };
    assert_eq!(study.register("mini", &grid).await, again);

    study.finish(grid[0].id, 0.7).await;
    grid.push(job("medium1", 0));
    let grown = Difference { new: 1, shared: 300, done: 1, ..Difference::default() };
    assert_eq!(study.difference("mini", &grid).await, grown);
    assert_eq!(study.register("mini", &grid).await, grown);
    assert_eq!(study.count("job").await, 301);
}

#[tokio::test]
async fn two_sweeps_share_the_jobs_they_both_ask_for() {
    let study = Study::with(&jobs(5)).await;
    let other = study.register("other", &jobs(8)[3..]).await;
    assert_eq!(other, Difference { new: 3, shared: 2, ..Difference::default() });
    assert_eq!(study.count("job").await, 8);
    let shared = study.store.job(jobs(5)[4].id).await.expect("is there");
    assert_eq!(shared.sweeps, ["mini", "other"]);
}

#[tokio::test]
async fn a_job_no_longer_asked_for_is_orphaned_once_and_comes_back_as_it_was() {
    let study = Study::with(&jobs(5)).await;
    let smaller = Difference { shared: 3, orphaned: 2, ..Difference::default() };
    assert_eq!(study.register("mini", &jobs(3)).await, smaller);
    let again = Difference { shared: 3, ..Difference::default() };
    assert_eq!(study.register("mini", &jobs(3)).await, again);

    assert_eq!(study.store.counts(Some("mini")).await.expect("counts").total(), 3);
    assert_eq!(study.store.pending(Some("mini")).await.expect("reads").len(), 3);
    assert_eq!(study.store.pending(None).await.expect("reads").len(), 5, "nothing is cancelled");

    let back = Difference { shared: 5, ..Difference::default() };
    assert_eq!(study.register("mini", &jobs(5)).await, back);
    assert_eq!(study.store.counts(Some("mini")).await.expect("counts").of(JobState::Queued), 5);
}

#[tokio::test]
async fn a_moved_data_folder_changes_one_path_and_a_new_name_only_the_labels() {
    let study = Study::with(&jobs(3)).await;
    let mut renamed = jobs(3);
    renamed[1].labels.model = "Micro".to_owned();
    let datasets = datasets("/moved");
    let sweep = NewSweep {
        name: "mini",
        text: "",
        jobs: &mut renamed.into_iter(),
        datasets: &datasets,
        priority: 7,
        rules: None,
    };
    let difference = study.store.register_sweep(sweep).await.expect("registers");
    assert_eq!(difference.new, 0);

    let work = study.store.work(&ids(&jobs(3))).await.expect("reads");
    let moved = |work: &Work| work.source.as_ref().is_some_and(|s| s.path.as_os_str() == "/moved");
    assert!(work.len() == 3 && work.values().all(moved));
    let pending = study.store.pending(None).await.expect("reads");
    assert!(pending.iter().all(|job| job.priority == 7), "the higher priority counts");
    let models = study.sql("SELECT model FROM v_jobs ORDER BY ordinal").await;
    assert_eq!(models, [[text("R+Mu/7")], [text("Micro")], [text("R+Mu/7")]]);
}

#[tokio::test]
async fn jobs_whose_data_set_is_missing_are_refused_and_nothing_is_registered() {
    let study = Study::new().await;
    let (jobs, datasets) = (jobs(200), []);
    let all = &mut jobs.iter().cloned();
    let sweep = NewSweep {
        name: "mini",
        text: "",
        jobs: all,
        datasets: &datasets,
        priority: 0,
        rules: None,
    };
    let refused = study.store.register_sweep(sweep).await;
    assert!(matches!(refused, Err(StoreError::UnknownDataset { job }) if job == jobs[0].id));
    assert_eq!(study.count("job").await + study.count("sweep").await, 0);
    study.register("mini", &jobs).await;
}

#[tokio::test]
async fn a_registration_given_up_half_way_leaves_the_store_usable() {
    let study = Study::new().await;
    let (many, datasets) = (jobs(20_000), datasets("/data"));
    let many = &mut many.into_iter();
    let sweep = NewSweep {
        name: "mini",
        text: "",
        jobs: many,
        datasets: &datasets,
        priority: 0,
        rules: None,
    };
    let limit = std::time::Duration::from_millis(30);
    let given_up = tokio::time::timeout(limit, study.store.register_sweep(sweep)).await;
    assert!(given_up.is_err(), "20,000 jobs take longer than 30 ms");
    assert_eq!(study.count("job").await, 0);
    assert_eq!(study.register("mini", &jobs(2)).await, Difference::all_new(2));
}

#[tokio::test]
async fn a_spec_lies_without_its_data_set_and_with_it_hashes_to_the_jobs_id() {
    let study = Study::with(&jobs(2)).await;
    for job in jobs(2) {
        let found = study.store.job(job.id).await.expect("reads").spec;
        assert_eq!((found.id(), &found), (job.id, &job.spec));
    }
    let told = study.sql("SELECT count(*) FROM job WHERE spec ->> '$.dataset' IS NOT NULL").await;
    assert_eq!(told, [[Value::Integer(0)]]);
    let whole = "SELECT json_set(spec, '$.dataset', json(identity)) -> '$.dataset.content' FROM job \
                 JOIN dataset ON fingerprint = dataset_fingerprint LIMIT 1";
    let expected = serde_json::to_string(&identity().content).expect("writes");
    assert_eq!(study.sql(whole).await, [[text(&expected)]]);
}

/// Nothing but the code that registers sees to it.
#[tokio::test]
async fn the_columns_of_a_job_say_what_its_spec_and_labels_say() {
    let mut grid = jobs(2);
    grid.extend(["none", "strong2"].map(|augmentation| job(augmentation, 7)));
    let noop = JobSpec::Noop(NoopSpec { index: 1, seed: 5 });
    grid.push(Job::new(noop, grid[0].labels.clone()));
    let study = Study::with(&grid).await;
    let axes = [
        ("dataset", "labels ->> '$.dataset'"),
        ("model", "labels ->> '$.model'"),
        ("augmentation", "labels ->> '$.augmentation'"),
        ("randaugment_layers", "coalesce(spec ->> '$.augmentation.randaugment.layers', 0)"),
        ("randaugment_magnitude", "coalesce(spec ->> '$.augmentation.randaugment.magnitude', 0)"),
        ("mixup", "spec ->> '$.augmentation.mixup'"),
        ("dropout", "spec ->> '$.regularization.dropout'"),
        ("stochastic_depth", "spec ->> '$.regularization.stochastic_depth'"),
        ("weight_decay", "spec ->> '$.optimizer.weight_decay'"),
        ("learning_rate", "spec ->> '$.optimizer.learning_rate'"),
        ("epochs", "spec ->> '$.epochs'"),
        ("batch_size", "spec ->> '$.batch_size'"),
        ("resolution", "spec ->> '$.resolution'"),
        ("loss", "spec ->> '$.loss'"),
        ("precision", "spec ->> '$.precision'"),
        ("seed", "spec ->> '$.seed'"),
        ("crop", "spec ->> '$.augmentation.crop'"),
        ("flip", "spec ->> '$.augmentation.flip'"),
        ("warmup_steps", "spec ->> '$.optimizer.warmup_steps'"),
        ("clip_norm", "spec ->> '$.optimizer.clip_norm'"),
        ("beta1", "spec ->> '$.optimizer.beta1'"),
        ("beta2", "spec ->> '$.optimizer.beta2'"),
        ("eps", "spec ->> '$.optimizer.eps'"),
        ("head_bias", "spec ->> '$.head_bias'"),
        ("evaluations", "spec ->> '$.evaluations'"),
    ];
    for (column, said) in axes {
        let found = study.sql(&format!("SELECT {column}, {said} FROM job")).await;
        assert_eq!(found.len(), 5);
        assert!(found.iter().all(|row| row[0] == row[1]), "{column}: {found:?}");
        assert!(found.iter().any(|row| row[0] != Value::Null), "{column}");
    }
}

#[tokio::test]
async fn pending_jobs_read_back_as_they_were_registered() {
    let grid = jobs(4);
    let study = Study::with(&grid).await;
    let reader = Store::open_read_only(study.root()).await.expect("opens");
    let pending = reader.pending(Some("mini")).await.expect("reads");
    assert_eq!(pending.iter().map(|job| job.job).collect::<Vec<_>>(), ids(&grid));
    let work = reader.work(&ids(&grid)).await.expect("reads");
    assert!(grid.iter().all(|job| work[&job.id].spec == job.spec));
    assert!(grid.iter().all(|job| work[&job.id].labels == job.labels));
    assert!((pending[2].flops - augreg_spec::cost(&grid[2].spec).flops).abs() < 1.0);
    let unknown = reader.pending(Some("mimi")).await.expect_err("there is none");
    assert_eq!(unknown.to_string(), "the study has no sweep `mimi`, did you mean `mini`?");
}
