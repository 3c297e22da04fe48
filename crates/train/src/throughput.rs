//! Measuring how many images a second a model takes in.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use augreg_protocol::{Assignment, Beat, FailureKind, JournalEvent, Outcome};
use augreg_spec::{Regularization, ThroughputSpec};
use augreg_vit::{Architecture, Parameters, Vit};
use tch::{Device, Kind, Tensor};

use crate::device::{peak_memory, place, synchronize};
use crate::execute::{End, Host};
use crate::failure::Failure;
use crate::noop::NO_PARAMETERS;

/// How long each batch size is timed, at least.
const TIMED: Duration = Duration::from_secs(2);

/// Batches that are timed at least, whatever they take.
const LEAST: u32 = 3;

/// What a larger batch must gain to be worth a still larger one.
const GAIN: f64 = 1.02;

/// Runs a measurement: each batch size in turn, until two in a row gain nothing, or the device has no room.
/// Images are random and lie on the device, so that nothing but the network is timed.
pub(crate) fn run(
    assignment: &Assignment,
    spec: &ThroughputSpec,
    host: &mut dyn Host,
) -> Result<End, Failure> {
    let began = Instant::now();
    host.started(0)?;
    if let Some(name) = host.device_name() {
        host.journal(JournalEvent::DeviceName { name })?;
    }
    let device = place(assignment.device)?;
    let (channels, classes) = (ThroughputSpec::CHANNELS, ThroughputSpec::CLASSES);
    let architecture = Architecture::new(spec.model, channels, classes, spec.resolution)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("not a model: {error}")))?
        .with_gelu(spec.gelu);
    let parameters =
        Parameters::initialised(&architecture, 0.0, spec.seed, device).computing_in(spec.precision);
    let vit = Vit::new(architecture, &parameters, Regularization::default());
    let (mut best, mut in_vain, mut passes) = (0.0_f64, 0, 0u64);
    for &batch in &spec.batch_sizes {
        let mut pass = |host: &mut dyn Host| {
            passes += 1;
            let attempt = assignment.attempt;
            host.beat(Beat {
                attempt,
                step: passes,
                steps: passes,
                loss: None,
                images_per_second: best,
            });
            host.stop_requested()
        };
        match time(&vit, batch, device, || pass(host)) {
            Timed::Rate(rate) => {
                let values = BTreeMap::from([("images_per_second".to_owned(), rate)]);
                host.journal(JournalEvent::Metrics { step: batch.into(), values })?;
                in_vain = if rate > best * GAIN { 0 } else { in_vain + 1 };
                best = best.max(rate);
            }
            Timed::NoRoom if best > 0.0 => {
                let text =
                    format!("{batch} images at once are too many for the memory of {device:?}");
                host.journal(JournalEvent::Note { text })?;
                break;
            }
            Timed::NoRoom => {
                let why = format!("not even {batch} images at once fit the memory of {device:?}");
                return Err(Failure::new(FailureKind::OutOfMemory, why));
            }
            Timed::Stopped => return Ok(End::Stopped { step: 0 }),
        }
        if in_vain == 2 {
            break;
        }
    }
    Ok(End::Succeeded(Outcome {
        best_val: None,
        final_val: None,
        final_test: None,
        train_loss: None,
        parameters_sha256: NO_PARAMETERS.to_owned(),
        steps: 1,
        seconds: began.elapsed().as_secs_f64(),
        images_per_second: best,
        peak_memory: peak_memory(device),
        proof: None,
    }))
}

/// What came of timing a batch size.
enum Timed {
    /// Images a second.
    Rate(f64),
    NoRoom,
    Stopped,
}

/// Times passes of `batch` images, after one that does not count. `stopped` is asked before each.
fn time(vit: &Vit, batch: u32, device: Device, mut stopped: impl FnMut() -> bool) -> Timed {
    let _guard = tch::no_grad_guard();
    let timed = AssertUnwindSafe(|| {
        let architecture = vit.architecture();
        let side = i64::from(architecture.resolution());
        let shape = [i64::from(batch), architecture.channels(), side, side];
        let images = Tensor::rand(shape, (Kind::Float, device)) * 2.0 - 1.0;
        let pass = || {
            let _ = vit.forward(&images, None);
            synchronize(device);
        };
        pass();
        let (began, mut passes) = (Instant::now(), 0);
        while passes < LEAST || began.elapsed() < TIMED {
            if stopped() {
                return Timed::Stopped;
            }
            pass();
            passes += 1;
        }
        Timed::Rate(f64::from(passes) * f64::from(batch) / began.elapsed().as_secs_f64())
    });
    match catch_unwind(timed) {
        Ok(timed) => timed,
        Err(payload) if Failure::of_panic(payload.as_ref()).kind == FailureKind::OutOfMemory => {
            Timed::NoRoom
        }
        Err(payload) => resume_unwind(payload),
    }
}
