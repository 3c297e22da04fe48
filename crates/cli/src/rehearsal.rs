//! What Slurm would be asked for, before it is: the arrays and their script, their price, and whether Slurm would
//! take them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;

use augreg_executor::slurm::SlurmError;
use augreg_executor::{Slot, SlotId};
use augreg_protocol::Device;
use augreg_scheduler::runtime::{Pack, packs};
use augreg_spec::{Accelerator, Job, JobSpec, Labels, Slurm, cost};
use augreg_store::MeasuredSpeed;

use crate::estimate::{Estimator, Kind};
use crate::failure::Failure;
use crate::words;

/// What would be submitted of `jobs`, and how it is asked for.
pub(crate) async fn plan_text(
    root: &Path,
    slurm: &Slurm,
    speeds: &[MeasuredSpeed],
    jobs: impl Iterator<Item = Job>,
) -> String {
    let (allowed, said) = match augreg_executor::slurm::Slurm::new().limits().await {
        Ok(limits) => (limits.array_size, String::new()),
        Err(error) => (1001, format!("; {error}, so arrays are as Slurm allows by default")),
    };
    let packs = packs_of(slurm, speeds, jobs, allowed);
    let tasks: usize = packs.iter().map(|pack| pack.shares.len()).sum();
    let hours: f64 = packs.iter().map(Pack::task_hours).sum();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut text = format!(
        "\nSlurm: {} array{}, {} task{}, {hours:.1} node-hours if a task has a node to itself{said}\n",
        words::count(packs.len() as u64),
        plural(packs.len()),
        words::count(tasks as u64),
        plural(tasks),
    );
    for pack in &packs {
        let jobs: usize = pack.shares.iter().map(Vec::len).sum();
        text += &format!(
            "  {} tasks for {} jobs of about {} a task: {}\n",
            words::count(pack.shares.len() as u64),
            words::count(jobs as u64),
            words::duration(3600.0 * pack.task_hours() / pack.shares.len().max(1) as f64),
            pack.about,
        );
    }
    if let Some(pack) = packs.first() {
        let program = augreg_executor::program().unwrap_or_else(|_| "augreg-worker".into());
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let script = pack.script(&root, "augreg-ID-1", &program, slurm);
        let lines: Vec<_> = script.lines().map(|line| format!("    {line}")).collect();
        text += &format!("\n  the batch script of the first array\n\n{}\n", lines.join("\n"));
    }
    text
}

/// The arrays of `jobs`, none larger than is `allowed`.
fn packs_of(
    slurm: &Slurm,
    speeds: &[MeasuredSpeed],
    jobs: impl Iterator<Item = Job>,
    allowed: u32,
) -> Vec<Pack> {
    let most = slurm.array_size.map_or(allowed, |most| most.get().min(allowed));
    let seconds = pricing(slurm, speeds);
    let loads = jobs.map(|job| {
        let seconds = seconds(&job.spec, &job.labels);
        (job.id, job.spec.stage(), job.labels.model.clone(), seconds)
    });
    packs(loads, slurm, most as usize)
}

/// Asks Slurm whether it would take `jobs`, so that nothing is registered that it refuses.
pub(crate) async fn rehearse(
    root: &Path,
    slurm: &Slurm,
    jobs: impl Iterator<Item = Job>,
) -> Result<(), Failure> {
    let cluster = augreg_executor::slurm::Slurm::new();
    let said = |error: &SlurmError| {
        let help = error.hint().unwrap_or("nothing was registered; correct that and launch again");
        Failure::request(error.to_string(), help)
    };
    let allowed = cluster.limits().await.map_err(|error| said(&error))?.array_size;
    let program = augreg_executor::program().unwrap_or_else(|_| "augreg-worker".into());
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::request(
            format!("failed to write a batch script for Slurm to look at: {error}"),
            "TMPDIR names another folder for what is temporary",
        )
    })?;
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    // Arrays that ask for the same differ in their number of tasks only.
    let mut asked = BTreeSet::new();
    for pack in packs_of(slurm, &[], jobs, allowed) {
        if asked.insert(pack.about.clone()) {
            let script = folder.path().join("batch.sh");
            let text = pack.script(&root, "augreg-test-only", &program, slurm);
            std::fs::write(&script, text).map_err(|error| {
                Failure::request(
                    format!("failed to write `{}`: {error}", script.display()),
                    "TMPDIR names another folder for what is temporary",
                )
            })?;
            let answer = cluster.rehearse(&script, pack.shares.len() as u32).await;
            answer.map_err(|error| said(&error))?;
        }
    }
    Ok(())
}

/// How many seconds a job is expected to take in a task: by the speeds that were measured on such devices, else
/// by the GPU that the sweep file names, else by a nominal one.
pub(crate) fn pricing(
    slurm: &Slurm,
    speeds: &[MeasuredSpeed],
) -> impl Fn(&JobSpec, &Labels) -> f64 + Send + Sync + use<> {
    let slurm = slurm.clone();
    let accelerator = slurm.device.as_deref().and_then(Accelerator::named);
    let estimators = [false, true].map(|gpu| {
        let slot = Slot {
            id: SlotId(0),
            device: if gpu { Device::Cuda(0) } else { Device::Cpu },
            gpu: gpu.then(String::new),
            threads: 1,
        };
        Estimator::new(&[slot], speeds)
    });
    move |spec, labels| {
        let flops = cost(spec).flops;
        let task = slurm.task_for(spec.stage(), &labels.model);
        let gpus = task.gpus.as_ref().map_or(0, |gpus| gpus.count);
        let estimator = &estimators[usize::from(gpus > 0)];
        if let (Some(accelerator), true) = (accelerator, gpus > 0 && !estimator.is_measured()) {
            return flops / accelerator.speed(spec.precision());
        }
        let threads = task.cpus.map_or(1, NonZeroU32::get) / gpus.max(1);
        let seconds = estimator.seconds(&Kind::of(spec, &labels.model), flops);
        // A nominal speed is that of a thread.
        if gpus > 0 || estimator.is_measured() {
            seconds
        } else {
            seconds / f64::from(threads.max(1))
        }
    }
}
