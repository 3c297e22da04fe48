//! `augreg show`

use std::fmt::Display;

use augreg_protocol::{Outcome, RunFolder};
use augreg_spec::{
    Augmentation, Crop, EvaluateSpec, JobSpec, Precision, PretrainSpec, SplitName, ThroughputSpec,
    TransferSpec, Upstream,
};
use augreg_store::{AttemptDetails, Boundary, CheckpointDetails, JobDetails, Store};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::words::{count, duration, harmless, quantity, time};

/// Tell the whole story of one job: settings, attempts, why each ended, result, audit
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The job's id, or the first characters of it
    job: String,
    /// Print the job's spec, the JSON its id is the hash of
    #[arg(long)]
    spec: bool,
}

pub(crate) async fn run(global: &Global, args: &ShowArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let job = store.job_by_prefix(&args.job).await?;
    let details = store.job(job).await?;
    let text = if args.spec { details.spec.canonical() } else { story(&details, &store) };
    output::print(&text)?;
    Ok(Ending::Good)
}

fn story(job: &JobDetails, store: &Store) -> String {
    let mut text = settings(job);
    text += &line("folder", RunFolder::new(store.root(), job.job).path().display());
    text += &files(&RunFolder::new(store.root(), job.job));
    if let Some(result) = &job.result {
        text += &outcome(result);
    }
    for attempt in &job.attempts {
        let boundary = job.boundaries.iter().find(|boundary| boundary.attempt == attempt.number);
        let written = job.checkpoints.iter().filter(|at| at.attempt == attempt.number);
        text += &format!("\n{}", attempt_text(attempt));
        text += &joined(attempt, boundary);
        text += &checkpoints(&written.collect::<Vec<_>>());
        text += &because(attempt);
    }
    if !job.events.is_empty() {
        text += "\naudit\n";
        for event in &job.events {
            let attempt = event.attempt.map_or(String::new(), |n| format!(" attempt {n}"));
            let (at, actor) = (time(event.at), &event.actor);
            text += &format!("  {at}  {actor}{attempt}  {}: {}\n", event.what, event.reason);
        }
    }
    text
}

/// The checkpoints that are there.
fn files(folder: &RunFolder) -> String {
    let there = [folder.latest(), folder.best(), folder.last()].into_iter().filter_map(|path| {
        let size = std::fs::metadata(&path).ok()?.len();
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(format!("{name} {}", quantity(size as f64, "B")))
    });
    let there: Vec<_> = there.collect();
    if there.is_empty() { String::new() } else { line("checkpoints", there.join(", ")) }
}

fn line(name: &str, value: impl Display) -> String {
    format!("{name:15} {value}\n")
}

fn settings(job: &JobDetails) -> String {
    let own = match &job.spec {
        JobSpec::Pretrain(spec) => pretrain_settings(job, spec),
        JobSpec::Transfer(spec) => transfer_settings(job, spec),
        JobSpec::Evaluate(spec) => evaluate_settings(job, spec),
        JobSpec::Throughput(spec) => throughput_settings(job, spec),
        JobSpec::Noop(spec) => {
            line("stage", "noop: does nothing")
                + &line("index", spec.index)
                + &line("seed", spec.seed)
        }
    };
    [
        line("job", job.job),
        line("state", job.state),
        line("sweeps", job.sweeps.join(", ")),
        own,
        line("registered", time(job.created)),
    ]
    .concat()
}

fn augmentation_text(job: &JobDetails, augmentation: &Augmentation) -> String {
    let randaugment = augmentation.randaugment.map_or("no RandAugment".to_owned(), |op| {
        format!("RandAugment({}, {})", op.layers, op.magnitude)
    });
    let crop = match augmentation.crop {
        Crop::None => "no crop".to_owned(),
        other => format!("{} crop", other.name()),
    };
    let flip = if augmentation.flip { "flip" } else { "no flip" };
    let (name, mixup) = (&job.labels.augmentation, augmentation.mixup);
    line("augmentation", format!("{name}: {randaugment}, mixup {mixup}, {crop}, {flip}"))
}

/// What a job starts from or judges.
fn upstream_text(upstream: &Upstream) -> String {
    line(
        "upstream",
        match upstream {
            Upstream::Job(job) => format!("final parameters of job {job}"),
            Upstream::File(hash) => format!("imported file {hash}"),
        },
    )
}

fn transfer_settings(job: &JobDetails, spec: &TransferSpec) -> String {
    let TransferSpec { optimizer, resolution, steps, batch_size, loss, evaluations, .. } = spec;
    let examples = count(spec.dataset.examples(SplitName::Train));
    let parameters = count(job.parameters);
    [
        line("stage", "transfer"),
        upstream_text(&spec.upstream),
        line("dataset", format!("{}, {examples} training examples", job.labels.dataset)),
        line(
            "model",
            format!(
                "{}, {parameters} parameters, {resolution}×{resolution} pixels",
                job.labels.model
            ),
        ),
        augmentation_text(job, &spec.augmentation),
        line(
            "optimizer",
            format!(
                "SGD, learning rate {}, momentum {}, {} steps of warm-up, gradients clipped at {}",
                optimizer.learning_rate,
                optimizer.momentum,
                count(optimizer.warmup_steps),
                optimizer.clip_norm
            ),
        ),
        line(
            "budget",
            format!(
                "{} steps of {batch_size} images, loss {loss:?}, {evaluations} evaluations, seed {}",
                count(*steps),
                spec.seed
            ),
        ),
        precision_text(spec.precision),
    ]
    .concat()
}

fn evaluate_settings(job: &JobDetails, spec: &EvaluateSpec) -> String {
    let [val, test, train] = [SplitName::Val, SplitName::Test, SplitName::Train]
        .map(|split| count(spec.dataset.examples(split)));
    let probe = spec.probe.map_or_else(
        || "by its own head".to_owned(),
        |probe| {
            format!(
                "by a linear probe on {} of {train} training images of each class, L2 {}, seed {}",
                probe.shots, probe.l2, spec.seed
            )
        },
    );
    let (model, side) = (&job.labels.model, spec.resolution);
    [
        line("stage", "evaluate"),
        upstream_text(&spec.upstream),
        line(
            "dataset",
            format!("{}, {val} validation and {test} test examples", job.labels.dataset),
        ),
        line("model", format!("{model}, {side}×{side} pixels")),
        line("judged", probe),
        precision_text(spec.precision),
    ]
    .concat()
}

fn throughput_settings(job: &JobDetails, spec: &ThroughputSpec) -> String {
    let sizes: Vec<_> = spec.batch_sizes.iter().map(ToString::to_string).collect();
    let (model, side) = (&job.labels.model, spec.resolution);
    [
        line("stage", "throughput: how many images a second it takes in"),
        line("model", format!("{model}, {side}×{side} pixels")),
        line("batch sizes", sizes.join(", ")),
        precision_text(spec.precision),
    ]
    .concat()
}

fn precision_text(precision: Precision) -> String {
    line("precision", precision.name())
}

fn pretrain_settings(job: &JobDetails, spec: &PretrainSpec) -> String {
    let PretrainSpec { optimizer, regularization, resolution, augmentation, .. } = spec;
    let examples = count(spec.dataset.examples(SplitName::Train));
    let parameters = count(job.parameters);
    [
        line("dataset", format!("{}, {examples} training examples", job.labels.dataset)),
        line(
            "model",
            format!(
                "{}, {parameters} parameters, {resolution}×{resolution} pixels",
                job.labels.model
            ),
        ),
        augmentation_text(job, augmentation),
        line(
            "regularization",
            format!(
                "dropout {}, stochastic depth {}",
                regularization.dropout, regularization.stochastic_depth
            ),
        ),
        line(
            "optimizer",
            format!(
                "AdamW, learning rate {}, weight decay {}, warm-up {} steps{}",
                optimizer.learning_rate,
                optimizer.weight_decay,
                optimizer.warmup_steps,
                if optimizer.mu_dtype == Precision::Bf16 { ", first moment in bf16" } else { "" }
            ),
        ),
        line(
            "budget",
            format!(
                "{} epochs, {} steps of {}, {}",
                spec.epochs,
                count(spec.steps()),
                spec.batch_size,
                quantity(job.flops, "FLOP")
            ),
        ),
        line("seed", spec.seed),
    ]
    .concat()
}

fn outcome(result: &Outcome) -> String {
    let percent =
        |value: Option<f64>| value.map_or("–".into(), |v| format!("{:.2} %", 100.0 * v));
    let (test, val) = (percent(result.final_test), percent(result.final_val));
    let best = percent(result.best_val);
    let proof = result.proof.as_ref().map_or(String::new(), |proof| {
        line("optimizer", format!("sha256 {}", proof.optimizer_sha256))
            + &line("example order", &proof.order)
    });
    let memory = quantity(result.peak_memory as f64, "B");
    let loss = result.train_loss.map_or("–".into(), |loss| format!("{loss:.4}"));
    let (speed, took) = (result.images_per_second, duration(result.seconds));
    [
        line("result", format!("test {test}, val {val} (best {best}), train loss {loss}")),
        line("parameters", format!("sha256 {}", result.parameters_sha256)),
        proof,
        line("speed", format!("{speed:.0} images/s, {took} of device time, {memory} peak memory")),
    ]
    .concat()
}

fn attempt_text(attempt: &AttemptDetails) -> String {
    let mut text = format!("attempt {}  {}", attempt.number, attempt.state.name());
    if let Some(kind) = attempt.failure {
        text += &format!(" ({})", kind.name());
    }
    let place = match attempt.executor.as_str() {
        "slurm" => format!("Slurm task {}", attempt.slot),
        _ => attempt.slot.clone(),
    };
    let host = attempt.host.as_deref().unwrap_or("?");
    text += &format!("\n  where    {place} {} on {host}", attempt.device);
    if let Some(number) = &attempt.batch_job {
        text += &format!(", Slurm job {number}");
    }
    if let Some(gpus) = attempt.gpus.as_ref().filter(|gpus| !gpus.is_empty()) {
        text += &format!(", GPUs {gpus}");
    }
    if attempt.restarts > 0 {
        text += &format!(", restart {}", attempt.restarts);
    }
    if let Some(pid) = attempt.pid {
        text += &format!(", pid {pid}");
    }
    if let Some(threads) = attempt.threads {
        text += &format!(", {threads} threads");
    }
    if let Some(images) = attempt.micro_batch {
        text += &format!(", {images} images at once");
    }
    if let Some(version) = &attempt.version {
        text += &format!(", augreg {version}");
    }
    text += &format!("\n  when     {}", time(attempt.started));
    if let Some(ended) = attempt.ended {
        text +=
            &format!(", for {}", duration((ended.saturating_sub(attempt.started)) as f64 / 1000.0));
    }
    text + "\n"
}

/// The step an attempt went on from, and whether its bits are those of an uninterrupted run.
fn joined(attempt: &AttemptDetails, boundary: Option<&Boundary>) -> String {
    let Some(step) = attempt.from_step else { return String::new() };
    let from = if step == 0 { "the start".to_owned() } else { format!("step {}", count(step)) };
    let exact = match boundary {
        None => String::new(),
        Some(Boundary { inexact: Some(why), .. }) => format!(", not exact: {why}"),
        Some(Boundary { previous: Some(previous), inexact: None, .. }) if step > 0 => {
            format!(" of attempt {previous}, exact")
        }
        Some(_) => ", exact: nothing had been written".to_owned(),
    };
    format!("  from     {from}{exact}\n")
}

fn checkpoints(written: &[&CheckpointDetails]) -> String {
    let Some(last) = written.last() else { return String::new() };
    let (step, at) = (count(last.step), time(last.at));
    format!("  wrote    {} checkpoints, the last at step {step}, {at}\n", written.len())
}

fn because(attempt: &AttemptDetails) -> String {
    let text = |message: &String| {
        let lines: Vec<_> = message.lines().map(harmless).collect();
        format!("  because  {}\n", lines.join("\n           "))
    };
    attempt.message.as_ref().map_or_else(String::new, text)
}
