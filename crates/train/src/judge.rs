//! Judging parameters that are there: by their own head, or by a probe of their features.

use std::time::Instant;

use augreg_data::{BadExamples, Dataset, EvalLoader, Supply};
use augreg_protocol::{Assignment, Beat, FailureKind, JournalEvent, Outcome};
use augreg_spec::{EvaluateSpec, Loss, Regularization, SplitName};
use augreg_vit::foreign::Head;
use augreg_vit::{Architecture, Parameters, Vit};
use tch::Device;

use crate::cache::DatasetCache;
use crate::device::{peak_memory, place, synchronize};
use crate::evaluate::{Evaluation, Verdict, evaluate};
use crate::execute::{End, Host};
use crate::failure::Failure;
use crate::meter::Every;
use crate::page_lock::page_lock;
use crate::probe::LinearProbe;
use crate::upstream;

/// Images that go through the network at once: their activations need not be kept.
pub(crate) const BATCH: u32 = 64;

/// Batches prepared ahead of the device.
const PREFETCH: usize = 2;

/// The splits that are judged, with the name of each in metrics.
const JUDGED: [(SplitName, &str); 2] = [(SplitName::Val, "val"), (SplitName::Test, "test")];

/// Runs an attempt at an evaluation. There is nothing to go on from: one that is stopped begins again.
pub(crate) fn run(
    assignment: &Assignment,
    spec: &EvaluateSpec,
    host: &mut dyn Host,
    datasets: &mut DatasetCache,
) -> Result<End, Failure> {
    let began = Instant::now();
    host.started(0)?;
    let bug = |why: String| Failure::new(FailureKind::Bug, why);
    let source = assignment.source.as_ref();
    let source = source.ok_or_else(|| bug("nobody says where the data set lies".to_owned()))?;
    let device = place(assignment.device)?;
    let dataset = datasets.get(source, &spec.dataset)?;
    let (channels, classes) = (spec.dataset.channels, spec.dataset.classes);
    let architecture = Architecture::new(spec.model, channels, classes, spec.resolution)
        .map_err(|error| bug(format!("not a model: {error}")))?
        .with_gelu(spec.gelu);
    let head = if spec.probe.is_some() { Head::Zeros } else { Head::Kept };
    let values = upstream::parameters(&spec.upstream, &assignment.root, &architecture, head)?;
    let mut parameters =
        Parameters::initialised(&architecture, 0.0, 0, device).computing_in(spec.precision);
    parameters.copy_from_host(&values);
    let vit = Vit::new(architecture, &parameters, Regularization::default());
    let supply = Supply {
        threads: assignment.threads as usize,
        prefetch: PREFETCH,
        bad: BadExamples::new(source.reading.max_bad_examples),
        lock: page_lock(device),
    };
    let mut judge = Judge {
        assignment,
        spec,
        host,
        dataset: &dataset,
        supply,
        device,
        vit: &vit,
        beats: Every::seconds(1.0),
    };
    let probe = match judge.probe()? {
        Some(Probed::Stopped) => return Ok(End::Stopped { step: 0 }),
        Some(Probed::Fitted(probe)) => Some(probe),
        None => None,
    };
    let mut found = [None; 2];
    for ((split, name), found) in JUDGED.into_iter().zip(&mut found) {
        match judge.judge(split, probe.as_ref())? {
            Verdict::Interrupted => return Ok(End::Stopped { step: 0 }),
            Verdict::NoSplit => {}
            Verdict::Found(evaluation) => {
                judge.journal(name, evaluation)?;
                *found = Some(evaluation.accuracy);
            }
        }
    }
    synchronize(device);
    let seconds = began.elapsed().as_secs_f64();
    let images: u64 = JUDGED.iter().map(|(split, _)| spec.dataset.examples(*split)).sum();
    let [final_val, final_test] = found;
    Ok(End::Succeeded(Outcome {
        best_val: final_val,
        final_val,
        final_test,
        train_loss: None,
        parameters_sha256: parameters.sha256(),
        steps: 1,
        seconds,
        images_per_second: images as f64 / seconds.max(f64::MIN_POSITIVE),
        peak_memory: peak_memory(device),
        proof: None,
    }))
}

/// An evaluation in progress.
struct Judge<'a> {
    assignment: &'a Assignment,
    spec: &'a EvaluateSpec,
    host: &'a mut dyn Host,
    dataset: &'a Dataset,
    supply: Supply,
    device: Device,
    vit: &'a Vit,
    beats: Every,
}

/// What came of fitting a probe.
enum Probed {
    Fitted(LinearProbe),
    Stopped,
}

impl Judge<'_> {
    /// Fits the probe, if the job has one, to so many training images of each class.
    fn probe(&mut self) -> Result<Option<Probed>, Failure> {
        let Some(probe) = self.spec.probe else { return Ok(None) };
        let split = self.dataset.split(SplitName::Train)?.shots(probe.shots, self.spec.seed)?;
        let batches = EvalLoader::new(split, self.spec.resolution, BATCH, &self.supply);
        let (vit, device) = (self.vit, self.device);
        let (classes, interrupted) = (self.spec.dataset.classes, self.interrupted());
        let fitted = LinearProbe::fit(vit, classes, probe.l2, device, batches, interrupted)?;
        Ok(Some(fitted.map_or(Probed::Stopped, Probed::Fitted)))
    }

    /// Judges a split by the probe, or by the head.
    fn judge(&mut self, name: SplitName, probe: Option<&LinearProbe>) -> Result<Verdict, Failure> {
        if self.spec.dataset.examples(name) == 0 {
            return Ok(Verdict::NoSplit);
        }
        let split = self.dataset.split(name)?;
        let batches = EvalLoader::new(split, self.spec.resolution, BATCH, &self.supply);
        let (vit, device) = (self.vit, self.device);
        let logits = |images: &tch::Tensor| match probe {
            None => vit.forward(images, None),
            Some(probe) => probe.scores(&vit.features(images)),
        };
        let interrupted = self.interrupted();
        // The loss of a probe is not its objective and is not told.
        evaluate(logits, vit.architecture(), Loss::Softmax, device, batches, interrupted)
    }

    /// Beats once a second, and asks whether to leave.
    fn interrupted(&mut self) -> impl FnMut() -> bool {
        let attempt = self.assignment.attempt;
        let (host, beats) = (&mut *self.host, &mut self.beats);
        move || {
            if beats.is_due() {
                host.beat(Beat { attempt, step: 0, steps: 1, loss: None, images_per_second: 0.0 });
            }
            host.stop_requested()
        }
    }

    fn journal(&mut self, name: &str, evaluation: Evaluation) -> Result<(), Failure> {
        let Evaluation { accuracy, top5, .. } = evaluation;
        let values = [("accuracy", accuracy), ("top5_accuracy", top5)];
        let values = values.map(|(metric, value)| (format!("{name}_{metric}"), value));
        self.host.journal(JournalEvent::Metrics { step: 1, values: values.into() })?;
        Ok(())
    }
}
