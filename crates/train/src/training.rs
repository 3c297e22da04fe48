//! Training, of whichever stage: steps, evaluations, checkpoints and the result, in that order, resumable
//! at any.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use augreg_data::{BadExamples, Dataset, EvalLoader, Supply, Timings, TrainLoader};
use augreg_protocol::{
    Assignment, Beat, FailureKind, JournalEvent, Outcome, RunFolder, with_causes,
};
use augreg_spec::{SplitName, Training};
use augreg_vit::checkpoint::{
    Moments, Owner, TrainingState, clear_unfinished, save_parameters, set_aside,
};
use augreg_vit::foreign::Head;
use augreg_vit::{Architecture, CheckpointError};
use tch::Tensor;
use tracing::{info, warn};

use crate::cache::DatasetCache;
use crate::device::{peak_memory, place, synchronize};
use crate::evaluate::{Evaluation, Verdict, evaluate};
use crate::execute::{End, Host, patiently};
use crate::failure::Failure;
use crate::losses::{KEPT, Series};
use crate::meter::{Every, Throughput};
use crate::micro_batch;
use crate::page_lock::page_lock;
use crate::trainer::Trainer;
use crate::upstream;

/// Batches prepared ahead of the device.
const PREFETCH: usize = 2;

/// Points a job's curves of learning rate and speed have at most. Losses are kept at every step.
const CURVE_POINTS: u64 = 500;

/// Losses journalled in one line at the most.
const SERIES: usize = 1024;

/// Seconds after which losses are journalled even if they are few.
const SERIES_SECONDS: f64 = 5.0;

/// Runs an attempt at a training job. `progress` follows the steps done.
pub(crate) fn run(
    assignment: &Assignment,
    spec: &Training,
    host: &mut dyn Host,
    datasets: &mut DatasetCache,
    progress: &Cell<u64>,
) -> Result<End, Failure> {
    let began = Instant::now();
    let architecture = Architecture::of(spec)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("not a model: {error}")))?;
    let folder = RunFolder::new(&assignment.root, assignment.attempt.job);
    let (resumed, note) = match resume(assignment, &folder, &architecture, spec) {
        Ok(found) => found,
        Err(failure) => {
            host.started(0)?;
            return Err(failure);
        }
    };
    let step = resumed.as_ref().map_or(0, |state| state.step);
    progress.set(step);
    host.started(step)?;
    for path in [folder.latest(), folder.best(), folder.last()] {
        clear_unfinished(&path)?;
    }
    if let Some(text) = note {
        host.journal(JournalEvent::Note { text })?;
    }
    let device = place(assignment.device)?;
    let Some(source) = &assignment.source else {
        let why = "the assignment does not say where the data set lies";
        return Err(Failure::new(FailureKind::Bug, why));
    };
    let dataset = datasets.get(source, &spec.dataset)?;
    let supply = Supply {
        threads: assignment.threads as usize,
        prefetch: PREFETCH,
        bad: BadExamples::new(source.reading.max_bad_examples),
        lock: page_lock(device),
    };
    let begun_from = match &spec.upstream {
        Some(upstream) if resumed.is_none() => {
            let (root, head) = (&assignment.root, Head::Zeros);
            Some(upstream::parameters(upstream, root, &architecture, head)?)
        }
        _ => None,
    };
    let recorded = resumed.as_ref().map(|state| state.micro_batch).filter(|size| *size > 0);
    let asked = assignment.micro_batch.map(|size| size.get().min(spec.batch_size));
    let fits = || micro_batch::size(spec, assignment.device, assignment.threads);
    let micro_batch = recorded.or(asked).unwrap_or_else(fits);
    if micro_batch < spec.batch_size && step == 0 {
        let text = format!(
            "{micro_batch} images of the {} of a batch go through the network at once",
            spec.batch_size
        );
        host.journal(JournalEvent::Note { text })?;
    }
    journal_micro_batch(host, micro_batch)?;
    info!(step, steps = spec.steps, "training");
    Job {
        assignment,
        spec,
        host,
        progress,
        folder,
        dataset,
        supply,
        timed: Timings::default(),
        device,
        trainer: Trainer::new(
            spec,
            architecture,
            device,
            micro_batch,
            begun_from.as_deref(),
            resumed.as_ref(),
        ),
        evaluated: resumed.as_ref().map_or(0, |state| state.evaluated),
        best_val: resumed.as_ref().and_then(|state| state.best_val),
        final_val: None,
        earlier: resumed.as_ref().map_or(0.0, |state| state.seconds),
        began,
        pace: Pace::default(),
        beats: Every::seconds(1.0),
        series: Every::seconds(SERIES_SECONDS),
        last_beat: step,
    }
    .run()
}

fn journal_micro_batch(host: &mut dyn Host, images: u32) -> Result<(), Failure> {
    let Some(images) = NonZeroU32::new(images) else { return Ok(()) };
    Ok(host.journal(JournalEvent::MicroBatch { images })?)
}

/// The state to go on from, and what to note about it.
///
/// A damaged checkpoint costs the job its progress but not its result: it is kept aside, and the
/// job begins again. One that is whole but not this job's is a mistake somebody must look at.
fn resume(
    assignment: &Assignment,
    folder: &RunFolder,
    architecture: &Architecture,
    spec: &Training,
) -> Result<(Option<TrainingState>, Option<String>), Failure> {
    let path = folder.latest();
    let tensors = architecture.tensors(spec.head_bias);
    let kept = Moments::of(&spec.optimizer);
    match TrainingState::load(&path, assignment.attempt.job, &tensors, kept) {
        Ok(Some(state)) if state.step > spec.steps => {
            let text = format!("its step {} lies beyond the last, {}", state.step, spec.steps);
            Err(CheckpointError::Damaged { path, reason: text }.into())
        }
        Ok(state) => Ok((state, None)),
        Err(error @ CheckpointError::Damaged { .. }) => {
            let aside = set_aside(&path)?;
            let text = format!(
                "{}; it was kept as `{}` and the job begins again at step 0",
                with_causes(&error),
                aside.display()
            );
            warn!("{text}");
            Ok((None, Some(text)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Throughput over the attempt, since the last metric and since the last beat.
#[derive(Default)]
struct Pace {
    all: Throughput,
    metric: Throughput,
    beat: Throughput,
}

/// An attempt in progress.
struct Job<'a> {
    assignment: &'a Assignment,
    spec: &'a Training,
    host: &'a mut dyn Host,
    progress: &'a Cell<u64>,
    folder: RunFolder,
    dataset: Arc<Dataset>,
    supply: Supply,
    /// Where the loader's time had gone at the last metric.
    timed: Timings,
    device: tch::Device,
    trainer: Trainer<'a>,
    /// The step of the last evaluation.
    evaluated: u64,
    best_val: Option<f64>,
    /// Validation accuracy at the last step, once known.
    final_val: Option<f64>,
    /// Seconds of earlier attempts.
    earlier: f64,
    began: Instant,
    pace: Pace,
    beats: Every,
    /// When losses are journalled.
    series: Every,
    last_beat: u64,
}

impl<'a> Job<'a> {
    fn run(mut self) -> Result<End, Failure> {
        let end = self.train();
        if end.is_err() {
            // Shows how it came to that. The failure itself matters more than one to write this.
            let _ = self.journal_losses();
        }
        end
    }

    fn train(&mut self) -> Result<End, Failure> {
        let steps = self.spec.steps;
        let evaluations = self.spec.evaluation_steps();
        let mut checkpoints = Every::seconds(self.assignment.checkpoint_seconds);
        let mut batches = self.batches()?;
        loop {
            let step = self.trainer.step;
            if evaluations.binary_search(&step).is_ok() && self.evaluated < step {
                let finished = self.validate()?;
                if !finished {
                    return self.stop();
                }
            }
            if step == steps {
                return self.finish();
            }
            if self.host.stop_requested() {
                return self.stop();
            }
            if checkpoints.is_due() {
                self.checkpoint()?;
            }
            let started = Instant::now();
            let batch = batches.next().transpose()?.ok_or_else(|| {
                Failure::new(
                    FailureKind::Bug,
                    format!("the loader ended at step {step} of {steps}"),
                )
            })?;
            let (examples, images) = (batch.examples.len() as u64, self.trainer.micro_batch);
            self.trainer.update(batch)?;
            let bad = self.supply.bad.take_news();
            for text in std::mem::take(&mut self.trainer.notes).into_iter().chain(bad) {
                warn!("{text}");
                self.host.journal(JournalEvent::Note { text })?;
            }
            if self.trainer.micro_batch != images {
                journal_micro_batch(self.host, self.trainer.micro_batch)?;
            }
            self.progress.set(self.trainer.step);
            let time = started.elapsed();
            for throughput in [&mut self.pace.all, &mut self.pace.metric, &mut self.pace.beat] {
                throughput.add(examples, time);
            }
            self.report(batches.timings())?;
        }
    }

    /// The batches from the current step to the last.
    fn batches(&self) -> Result<TrainLoader, Failure> {
        let split = self.dataset.split(SplitName::Train)?;
        let spec = self.spec;
        Ok(TrainLoader::new(
            split,
            &spec.augmentation,
            spec.resolution,
            spec.batch_size,
            spec.seed,
            self.trainer.step..spec.steps,
            &self.supply,
        ))
    }

    /// Journals what is due of the metrics, and beats once a second.
    fn report(&mut self, timings: Timings) -> Result<(), Failure> {
        let step = self.trainer.step;
        let interval = (self.spec.steps / CURVE_POINTS).max(1);
        if step.is_multiple_of(interval) {
            let rate = self.trainer.learning_rate(step - 1);
            let since = timings.since(std::mem::replace(&mut self.timed, timings));
            let each = |time: Duration| Some(time.as_secs_f64() / interval as f64);
            let values = [
                ("learning_rate", Some(rate)),
                ("images_per_second", Some(self.pace.metric.take())),
                ("data_read_seconds", each(since.read)),
                ("data_prepare_seconds", each(since.prepare)),
                ("data_wait_seconds", each(since.wait)),
            ];
            self.journal_metrics(step, &values)?;
        }
        if self.trainer.losses.unwritten() >= SERIES || self.series.is_due() {
            self.journal_losses()?;
        }
        if self.beats.is_due() {
            let loss = self.trainer.losses.mean(step - self.last_beat);
            self.last_beat = step;
            let images_per_second = self.pace.beat.take();
            self.beat(loss, images_per_second);
        }
        Ok(())
    }

    fn beat(&mut self, loss: Option<f64>, images_per_second: f64) {
        let (attempt, steps) = (self.assignment.attempt, self.spec.steps);
        let step = self.trainer.step;
        self.host.beat(Beat { attempt, step, steps, loss, images_per_second });
    }

    /// Journals the losses known so far that are not in the journal yet.
    fn journal_losses(&mut self) -> Result<(), Failure> {
        if let Some(Series { first, values }) = self.trainer.losses.take_unwritten() {
            let name = "train_loss".to_owned();
            self.host.journal(JournalEvent::Series { name, first, values })?;
        }
        Ok(())
    }

    fn journal_metrics(
        &mut self,
        step: u64,
        values: &[(&str, Option<f64>)],
    ) -> Result<(), Failure> {
        let values: BTreeMap<_, _> = values
            .iter()
            .filter_map(|&(name, value)| Some((name.to_owned(), value.filter(|v| v.is_finite())?)))
            .collect();
        self.host.journal(JournalEvent::Metrics { step, values })?;
        Ok(())
    }

    /// Evaluates a split, beating and listening meanwhile.
    fn evaluate(&mut self, name: SplitName) -> Result<Verdict, Failure> {
        if self.spec.dataset.examples(name) == 0 {
            return Ok(Verdict::NoSplit);
        }
        self.trainer.losses.settle()?;
        self.journal_losses()?;
        let batches = {
            let split = self.dataset.split(name)?;
            // What fits with all that a backward pass keeps fits without.
            EvalLoader::new(split, self.spec.resolution, self.trainer.micro_batch, &self.supply)
        };
        let (attempt, steps) = (self.assignment.attempt, self.spec.steps);
        let (step, host, beats) = (self.trainer.step, &mut *self.host, &mut self.beats);
        let interrupted = || {
            if beats.is_due() {
                host.beat(Beat { attempt, step, steps, loss: None, images_per_second: 0.0 });
            }
            host.stop_requested()
        };
        let (vit, loss) = (&self.trainer.vit, self.spec.loss);
        let logits = |images: &Tensor| vit.forward(images, None);
        evaluate(logits, vit.architecture(), loss, self.device, batches, interrupted)
    }

    /// Evaluates on the validation split and keeps the best parameters; false if told to stop.
    fn validate(&mut self) -> Result<bool, Failure> {
        let step = self.trainer.step;
        let verdict = self.evaluate(SplitName::Val)?;
        if verdict == Verdict::Interrupted {
            return Ok(false);
        }
        self.evaluated = step;
        let Verdict::Found(Evaluation { accuracy, loss, .. }) = verdict else { return Ok(true) };
        if step == self.spec.steps {
            self.final_val = Some(accuracy);
        }
        let images = step as f64 * f64::from(self.spec.batch_size);
        let epoch = images / self.spec.dataset.examples(SplitName::Train).max(1) as f64;
        let values =
            [("val_accuracy", Some(accuracy)), ("val_loss", Some(loss)), ("epoch", Some(epoch))];
        self.journal_metrics(step, &values)?;
        info!(step, accuracy, loss, "validated");
        if self.best_val.is_none_or(|best| accuracy > best) {
            self.best_val = Some(accuracy);
            self.save_parameters(&self.folder.best())?;
        }
        Ok(true)
    }

    /// The job, for its checkpoints.
    fn owner(&self) -> Owner<'a> {
        Owner { job: self.assignment.attempt.job, spec: &self.assignment.spec }
    }

    fn save_parameters(&mut self, path: &std::path::Path) -> Result<(), Failure> {
        let (owner, step) = (self.owner(), self.trainer.step);
        let (specs, values) = (self.trainer.parameters.specs(), self.trainer.parameters.to_host());
        patiently(self.host, || save_parameters(path, owner, specs, step, &values))
    }

    /// Writes what resume needs. Losses are settled first, so that nothing diverged is ever saved,
    /// and what was measured is on disk first: the next attempt does not measure it again.
    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.trainer.losses.settle()?;
        self.journal_losses()?;
        self.host.sync()?;
        let state = TrainingState {
            evaluated: self.evaluated,
            best_val: self.best_val,
            seconds: self.seconds(),
            ..self.trainer.state()
        };
        let specs = self.trainer.parameters.specs();
        let (path, owner) = (self.folder.latest(), self.owner());
        let kept = self.trainer.kept();
        patiently(self.host, || state.save(&path, owner, specs, kept))?;
        self.host.journal(JournalEvent::Checkpoint { step: state.step })?;
        Ok(())
    }

    fn stop(&mut self) -> Result<End, Failure> {
        self.checkpoint()?;
        Ok(End::Stopped { step: self.trainer.step })
    }

    fn finish(&mut self) -> Result<End, Failure> {
        synchronize(self.device);
        self.checkpoint()?;
        if self.assignment.keep.last() {
            self.save_parameters(&self.folder.last())?;
        }
        if self.final_val.is_none() {
            // The last evaluation was in an earlier attempt: the same parameters find the same.
            let verdict = self.evaluate(SplitName::Val)?;
            if verdict == Verdict::Interrupted {
                return self.stop();
            }
            self.final_val = verdict.accuracy();
        }
        let test = self.evaluate(SplitName::Test)?;
        if test == Verdict::Interrupted {
            return self.stop();
        }
        if let Verdict::Found(Evaluation { accuracy, loss, .. }) = test {
            let values = [("test_accuracy", Some(accuracy)), ("test_loss", Some(loss))];
            self.journal_metrics(self.trainer.step, &values)?;
        }
        let epoch = self.spec.dataset.examples(SplitName::Train) / u64::from(self.spec.batch_size);
        let train_loss = self.trainer.losses.mean(epoch.clamp(1, KEPT as u64));
        Ok(End::Succeeded(Outcome {
            best_val: self.best_val,
            final_val: self.final_val,
            final_test: test.accuracy(),
            train_loss,
            parameters_sha256: self.trainer.parameters.sha256(),
            steps: self.trainer.step,
            seconds: self.seconds(),
            images_per_second: self.pace.all.rate(),
            peak_memory: peak_memory(self.device),
            proof: self.trainer.proof(),
        }))
    }

    /// Seconds spent on the job so far, all attempts together.
    fn seconds(&self) -> f64 {
        self.earlier + self.began.elapsed().as_secs_f64()
    }
}
