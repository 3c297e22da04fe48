//! Whole attempts on real data: what they find out, how they stop, resume and fail.

mod common;

use std::fs;
use std::num::NonZeroU32;

use augreg_protocol::{FailureKind, JournalEvent, Outcome};
use augreg_spec::{Augmentation, Crop, Loss, PretrainSpec, Regularization};
use augreg_train::End;
use common::{Study, spec};

/// What must not depend on interruptions.
fn result(outcome: &Outcome) -> (String, Option<f64>, Option<f64>, Option<f64>, Option<u64>, u64) {
    let Outcome { parameters_sha256, best_val, final_val, final_test, train_loss, steps, .. } =
        outcome;
    let sha = parameters_sha256.clone();
    (sha, *best_val, *final_val, *final_test, train_loss.map(f64::to_bits), *steps)
}

#[test]
fn a_job_learns_and_reports_its_curves() {
    let mut easy = spec();
    easy.augmentation =
        Augmentation { randaugment: None, mixup: 0.2, crop: Crop::None, flip: false };
    let mut study = Study::of(easy);
    let (end, host) = study.attempt(u32::MAX);
    let End::Succeeded(outcome) = end else { panic!("{end:?}") };
    assert_eq!(outcome.steps, 60);
    assert!(outcome.final_test.is_some_and(|accuracy| accuracy > 0.4), "{outcome:?}");
    assert!(outcome.images_per_second > 0.0 && outcome.peak_memory > 0 && outcome.seconds > 0.0);

    let losses = host.metric("train_loss");
    assert_eq!(losses.len(), 60);
    let mean = losses[50..].iter().map(|point| point.1).sum::<f64>() / 10.0;
    assert!(mean < 0.85 * losses[0].1, "{losses:?}");
    assert_eq!(host.metric("learning_rate")[0], (1, 0.0), "the first update has rate 0");
    let steps: Vec<_> = host.metric("val_accuracy").iter().map(|point| point.0).collect();
    assert_eq!(steps, [20, 40, 60]);
    assert_eq!(host.metric("val_loss").len(), 3);
    assert!((host.metric("epoch")[2].1 - 1.5).abs() < 1e-12);
    assert_eq!(host.started, [0]);

    let folder = study.run_folder();
    assert!(folder.best().exists() && folder.last().exists() && folder.latest().exists());
    assert!(host.events.contains(&JournalEvent::Checkpoint { step: 60 }));
}

#[test]
fn a_job_stopped_anywhere_and_resumed_ends_with_the_same_bytes() {
    let (straight, undisturbed) = Study::of(spec()).finish_seen();
    let curves = ["train_loss", "learning_rate", "val_accuracy", "val_loss"];
    for patience in [&[1, 1, 18, 3, 9][..], &[25, 12, 30, 4], &[59, 6, 5, 4]] {
        let mut study = Study::of(spec());
        let mut last = 0;
        let mut seen = curves.map(|_| Vec::new());
        for &patience in patience {
            let (end, host) = study.attempt(patience);
            let End::Stopped { step } = end else { panic!("{end:?}") };
            assert!(step >= last, "progress is kept");
            assert_eq!(host.started, [last], "an attempt goes on where the last one stopped");
            last = step;
            curves.iter().zip(&mut seen).for_each(|(name, all)| all.extend(host.metric(name)));
        }
        let (outcome, host) = study.finish_seen();
        assert_eq!(result(&outcome), result(&straight), "stopped at {patience:?}");
        for (name, mut seen) in curves.into_iter().zip(seen) {
            seen.extend(host.metric(name));
            assert_eq!(seen, undisturbed.metric(name), "{name} when stopped at {patience:?}");
        }
    }
}

/// A machine that dies between the two would else leave a checkpoint of steps that nothing measured.
#[test]
fn what_was_measured_is_on_disk_before_the_checkpoint_that_lies_beyond_it() {
    let mut study = Study::of(spec());
    study.assignment.checkpoint_seconds = 1e-3;
    let (_, host) = study.finish_seen();
    let mut before = None;
    let mut events = host.events.iter().enumerate();
    for (synced, holds) in &host.syncs {
        assert_eq!(*holds, before, "the checkpoint before this one is still in place");
        let (at, step) = events
            .find_map(|(at, event)| match event {
                JournalEvent::Checkpoint { step } => Some((at, *step)),
                _ => None,
            })
            .expect("a checkpoint follows each sync");
        assert_eq!(at, *synced, "nothing was journalled since");
        before = Some(step);
    }
    assert!(host.syncs.len() > 5, "{:?}", host.syncs);
    assert_eq!(before, Some(60));
}

#[test]
fn the_loss_of_every_step_is_kept_however_long_the_job() {
    let mut long = spec();
    long.epochs *= 20.0;
    long.evaluations = 1;
    let steps = long.steps();
    let (_, host) = Study::of(long).finish_seen();
    let losses: Vec<_> = host.metric("train_loss").iter().map(|point| point.0).collect();
    assert_eq!(losses, (1..=steps).collect::<Vec<_>>());
    assert!(steps > 1100 && host.metric("learning_rate").len() as u64 == steps / 2);
}

/// With dropout, stochastic depth and mixup: what is drawn does not depend on the pieces either.
#[test]
fn a_batch_in_micro_batches_trains_as_the_whole_and_a_resume_keeps_their_size() {
    let short = || PretrainSpec { epochs: 0.1, evaluations: 1, ..spec() };
    let losses = |micro_batch: Option<u32>| {
        let mut study = Study::of(short());
        study.assignment.micro_batch = micro_batch.and_then(NonZeroU32::new);
        let (_, seen) = study.finish_seen();
        seen.metric("train_loss").iter().map(|point| point.1).collect::<Vec<_>>()
    };
    let whole = losses(None);
    assert_eq!(whole.len(), 4);
    for size in [1, 17, 25, 999] {
        for (ours, expected) in losses(Some(size)).iter().zip(&whole) {
            assert!((ours / expected - 1.0).abs() < 2e-6, "{size}: {ours}, whole {expected}");
        }
    }

    let mut straight = Study::of(spec());
    straight.assignment.micro_batch = NonZeroU32::new(17);
    let mut stopped = Study::of(spec());
    stopped.assignment.micro_batch = NonZeroU32::new(17);
    assert!(matches!(stopped.attempt(20).0, End::Stopped { .. }));
    stopped.assignment.micro_batch = None;
    assert_eq!(result(&stopped.finish()), result(&straight.finish()));
}

#[test]
fn another_seed_ends_elsewhere() {
    let straight = Study::of(spec()).finish();
    let other = Study::of(augreg_spec::PretrainSpec { seed: 8, ..spec() }).finish();
    assert_ne!(straight.parameters_sha256, other.parameters_sha256);
}

#[test]
fn a_job_whose_result_was_lost_after_the_last_step_only_evaluates() {
    let mut study = Study::of(spec());
    let outcome = study.finish();
    let (end, host) = study.attempt(u32::MAX);
    let End::Succeeded(again) = end else { panic!("{end:?}") };
    assert_eq!(host.started, [60]);
    assert!(host.metric("train_loss").is_empty());
    assert_eq!(result(&again), result(&outcome));
    assert!(again.seconds > outcome.seconds - 0.5, "earlier attempts count");
}

#[test]
fn a_plain_softmax_job_runs_without_val_and_test() {
    let mut plain = spec();
    plain.loss = Loss::Softmax;
    plain.head_bias = 0.0;
    plain.augmentation = Augmentation::preset("none").expect("a preset");
    plain.regularization = Regularization::default();
    std::sync::Arc::make_mut(&mut plain.dataset)
        .splits
        .retain(|name, _| *name == augreg_spec::SplitName::Train);
    plain.epochs = 0.5;
    let outcome = Study::of(plain).finish();
    assert_eq!((outcome.best_val, outcome.final_val, outcome.final_test), (None, None, None));
    let loss = outcome.train_loss.expect("it trained");
    assert!(loss < 10f64.ln(), "{loss}");
}

#[test]
fn a_diverging_job_fails_by_name_and_saves_nothing_unsound() {
    let mut wild = spec();
    wild.optimizer.learning_rate = 1e6;
    wild.optimizer.warmup_steps = 0;
    let mut study = Study::of(wild);
    study.assignment.checkpoint_seconds = 0.0;
    let (end, host) = study.attempt(u32::MAX);
    let End::Failed { failure, step } = end else { panic!("{end:?}") };
    assert_eq!(failure.kind, FailureKind::Diverged);
    let losses = host.metric("train_loss");
    assert_eq!(losses.last().map(|point| point.0), Some(step), "the way there is shown");
    assert!(failure.message.contains(&format!("in step {} ", step + 1)), "{}", failure.message);
    assert!(failure.message.contains("learning rate 9."), "{}", failure.message);

    let (end, host) = study.attempt(u32::MAX);
    assert!(matches!(&end, End::Failed { failure: again, .. } if *again == failure), "{end:?}");
    assert_eq!(host.started, [step], "the last sound step was kept");
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_job_begins_again() {
    let straight = Study::of(spec()).finish();
    let mut study = Study::of(spec());
    let _ = study.attempt(30);
    let latest = study.run_folder().latest();
    let mut bytes = fs::read(&latest).expect("a checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&latest, bytes).expect("writes");

    let (end, host) = study.attempt(u32::MAX);
    let End::Succeeded(outcome) = end else { panic!("{end:?}") };
    assert_eq!(host.started, [0]);
    let JournalEvent::Note { text } = &host.events[0] else { panic!("{:?}", host.events[0]) };
    assert!(text.contains("latest.corrupt-1") && text.contains("step 0"), "{text}");
    assert!(latest.with_extension("corrupt-1").exists());
    assert_eq!(result(&outcome), result(&straight));
}

#[test]
fn the_checkpoint_of_another_job_is_refused_and_left_alone() {
    let mut other = Study::of(augreg_spec::PretrainSpec { seed: 9, ..spec() });
    let _ = other.attempt(5);
    let mut study = Study::of(spec());
    let latest = study.run_folder().latest();
    fs::create_dir_all(latest.parent().expect("a folder")).expect("creates");
    fs::copy(other.run_folder().latest(), &latest).expect("copies");

    let (end, host) = study.attempt(u32::MAX);
    let End::Failed { failure, step: 0 } = end else { panic!("{end:?}") };
    let job = other.assignment.attempt.job.to_string();
    assert!(failure.message.contains(&job), "{}", failure.message);
    assert_eq!(host.started, [0]);
    assert!(latest.exists());
}

#[test]
fn missing_data_are_a_failure_of_the_data_that_names_the_path() {
    let mut study = Study::of(spec());
    let source = study.assignment.source.as_mut().expect("it has data");
    source.path = "/nonexistent/fashion".into();
    let (end, _) = study.attempt(u32::MAX);
    let End::Failed { failure, .. } = end else { panic!("{end:?}") };
    assert_eq!(failure.kind, FailureKind::Data);
    assert!(failure.message.contains("/nonexistent/fashion"), "{}", failure.message);
}

#[test]
fn a_checkpoint_that_cannot_be_written_fails_with_its_path() {
    let mut study = Study::of(spec());
    let folder = study.run_folder();
    fs::create_dir_all(folder.path()).expect("creates");
    fs::write(folder.path().join("checkpoint"), "in the way").expect("writes");
    let (end, _) = study.attempt(5);
    let End::Failed { failure, step: 4 } = end else { panic!("{end:?}") };
    assert_eq!(failure.kind, FailureKind::Bug);
    assert!(failure.message.contains("latest.safetensors"), "{}", failure.message);
}

#[test]
fn a_model_that_does_not_fit_its_images_is_refused() {
    let mut odd = spec();
    odd.model.patch = 5;
    let (end, _) = Study::of(odd).attempt(u32::MAX);
    let End::Failed { failure, .. } = end else { panic!("{end:?}") };
    assert!(
        failure.message.contains("patch 5 does not divide resolution 28"),
        "{}",
        failure.message
    );
}
