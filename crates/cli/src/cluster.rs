//! Where jobs run: what the command says, else what the sweep file says; and what a cluster's tasks are given.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use augreg_executor::slurm::{Phase, Seen, phase, reason_in_words};
use augreg_executor::{Slot, SlotId};
use augreg_protocol::{Device, with_causes};
use augreg_scheduler::runtime::{ClusterOptions, RunOptions, Stopper, run_on_slurm};
use augreg_spec::{Executor, ExecutorKind, Gpus, Slurm, SlurmTask, length_of_time};
use augreg_store::{MeasuredSpeed, Store, Submission, TaskState};
use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::output;
use crate::rehearsal::pricing;
use crate::study::{self, Owned};
use crate::words;

/// Where jobs run, and what tasks of a cluster are given. What is left out is as the sweep file's
/// `[executor]` says. None of it changes a result.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where jobs run")]
pub(crate) struct ClusterArgs {
    /// Worker processes here, or tasks of a Slurm cluster; without it, what the sweep file says
    #[arg(long, value_name = "WHERE")]
    pub(crate) executor: Option<Where>,
    /// Leave everything to Slurm; `augreg resume` or `augreg status` collects what was done
    #[arg(long)]
    pub(crate) detach: bool,
    /// Slurm: the partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Slurm: the account that pays
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Slurm: the quality of service
    #[arg(long, value_name = "NAME")]
    qos: Option<String>,
    /// Slurm: features that nodes must have
    #[arg(long, value_name = "FEATURES")]
    constraint: Option<String>,
    /// Slurm: GPUs of a task, such as 1 or h100:2; as many jobs of it run at once
    #[arg(long, value_name = "GPUS")]
    gpus: Option<Gpus>,
    /// Slurm: CPUs of a task
    #[arg(long, value_name = "N")]
    cpus: Option<NonZeroU32>,
    /// Slurm: memory of a task, such as 32GB
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    memory: Option<u64>,
    /// Slurm: time limit of a task, such as "4 h"; without it, what follows from the estimate
    #[arg(long, value_name = "TIME", value_parser = length_of_time)]
    time: Option<Duration>,
    /// Slurm: how long the jobs of a task are to take together; without it, an hour
    #[arg(long, value_name = "TIME", value_parser = length_of_time)]
    slice: Option<Duration>,
    /// Slurm: jobs of a task; without it, as many as fill the slice
    #[arg(long, value_name = "N")]
    jobs_per_task: Option<NonZeroU32>,
    /// Slurm: tasks of an array at the most; without it, what the cluster allows
    #[arg(long, value_name = "N")]
    array_size: Option<NonZeroU32>,
    /// Slurm: tasks that run at once at the most
    #[arg(long, value_name = "N")]
    parallel: Option<NonZeroU32>,
    /// Slurm: how long before its end a task is told to write a checkpoint; without it, 2 minutes
    #[arg(long, value_name = "TIME", value_parser = length_of_time)]
    grace: Option<Duration>,
    /// Slurm: a further argument of sbatch; again for more
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Slurm: a line of the batch script before the worker starts; again for more
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    setup: Vec<String>,
    /// Slurm: a folder of the node's own disk to which a task copies its data sets
    #[arg(long, value_name = "DIR")]
    scratch: Option<String>,
    /// Slurm: how often the queue is asked
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = poll_seconds)]
    poll_seconds: f64,
}

/// GPUs of the largest clusters, and more.
const MOST_SLOTS: u32 = 100_000;

/// Where jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Where {
    /// Worker processes on this machine
    Local,
    /// Tasks of a Slurm cluster
    Slurm,
}

fn poll_seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse::<f64>().ok().filter(|seconds| (0.2..=3600.0).contains(seconds));
    valid.ok_or_else(|| "a number of seconds from 0.2 to 3600".to_owned())
}

impl ClusterArgs {
    /// Where and how jobs run: what is said here, else what `file` says.
    pub(crate) fn over(&self, file: Executor) -> Executor {
        let said = SlurmTask {
            partition: self.partition.clone(),
            account: self.account.clone(),
            qos: self.qos.clone(),
            constraint: self.constraint.clone(),
            gpus: self.gpus.clone(),
            cpus: self.cpus,
            memory: self.memory,
            time: self.time,
            slice: self.slice,
            jobs_per_task: self.jobs_per_task,
            sbatch: self.sbatch.clone(),
        };
        let Slurm { task, mut overrides, array_size, parallel, grace, setup, scratch, device } =
            file.slurm;
        for one in &mut overrides {
            one.task = said.or(&one.task);
        }
        let slurm = Slurm {
            task: said.or(&task),
            overrides,
            array_size: self.array_size.or(array_size),
            parallel: self.parallel.or(parallel),
            grace: self.grace.or(grace),
            setup: [setup, self.setup.clone()].concat(),
            scratch: self.scratch.clone().or(scratch),
            device,
        };
        let kind = match self.executor {
            Some(Where::Local) => ExecutorKind::Local,
            Some(Where::Slurm) => ExecutorKind::Slurm,
            None => file.kind,
        };
        Executor { kind, slurm }
    }

    /// Where a sweep of the study runs, or all of it: as the first that has anything left says.
    pub(crate) async fn of_study(
        &self,
        store: &Store,
        sweep: Option<&str>,
    ) -> Result<Executor, Failure> {
        let in_slurm = store.has_live_submissions().await?;
        let mut file = Executor::default();
        for summary in store.sweeps().await? {
            let is_it = sweep.is_none_or(|sweep| sweep == summary.name);
            if is_it && store.counts(Some(&summary.name)).await?.unfinished() > 0 {
                file = Executor::asked_for_in(&summary.text);
                break;
            }
        }
        if self.executor.is_none() && in_slurm {
            file.kind = ExecutorKind::Slurm;
        }
        let executor = self.over(file);
        if executor.kind == ExecutorKind::Local && in_slurm {
            return Err(Failure::request(
                "tasks of this study are in Slurm, and would do the same jobs",
                "`augreg resume --executor slurm` follows them; `augreg pause` takes them back",
            ));
        }
        if executor.kind == ExecutorKind::Local && self.detach {
            return Err(Failure::request(
                "`--detach` leaves jobs to Slurm, and these run on this machine",
                "add `--executor slurm`, or let a terminal multiplexer keep the command",
            ));
        }
        Ok(executor)
    }

    /// What jobs run on, as far as times and sizes go: the slots of this machine, or as many tasks of a cluster as
    /// run at once; one, where their number is not limited.
    pub(crate) fn slots(&self, file: Executor, workers: Option<NonZeroU32>) -> Vec<Slot> {
        let Executor { kind, slurm } = self.over(file);
        if kind == ExecutorKind::Local {
            return augreg_executor::detect(workers);
        }
        let gpus = slurm.task.gpus.as_ref().map_or(0, |gpus| gpus.count);
        let side_by_side = gpus.max(1);
        let threads = (slurm.task.cpus.map_or(1, NonZeroU32::get) / side_by_side).max(1);
        let count = slurm.parallel.map_or(1, NonZeroU32::get).saturating_mul(side_by_side);
        // An estimate needs no more of them than any cluster has.
        let count = count.min(MOST_SLOTS);
        let slot = |id| Slot {
            id: SlotId(id),
            device: if gpus > 0 { Device::Cuda(0) } else { Device::Cpu },
            gpu: (gpus > 0).then(String::new),
            threads,
        };
        (0..count).map(slot).collect()
    }

    /// How a run goes about the cluster.
    pub(crate) fn options(&self, slurm: Slurm, speeds: &[MeasuredSpeed]) -> ClusterOptions {
        let poll = Duration::from_secs_f64(self.poll_seconds);
        ClusterOptions {
            seconds: Arc::new(pricing(&slurm, speeds)),
            slurm,
            detach: self.detach,
            collect: false,
            poll,
            look: poll.min(Duration::from_secs(2)),
            gather: poll.min(Duration::from_secs(5)),
        }
    }
}

/// Takes in what tasks have done that were left to Slurm, where nobody else follows them.
pub(crate) async fn collect(root: &Path) -> Result<(), Failure> {
    // Whatever is wrong with the study is said by whoever asked.
    let Ok(store) = Store::open_read_only(root).await else { return Ok(()) };
    let any = store.has_live_submissions().await?;
    store.close().await;
    if !any {
        return Ok(());
    }
    let Ok(Owned { store, lock }) = study::own(root).await else { return Ok(()) };
    let args = ClusterArgs { poll_seconds: 10.0, ..ClusterArgs::default() };
    let options = ClusterOptions { collect: true, ..args.options(Slurm::default(), &[]) };
    let (_stopper, stop) = Stopper::new();
    let run = (RunOptions::default(), options);
    let collected = run_on_slurm(store.clone(), &lock, None, run, stop, |_| {}).await;
    store.close().await;
    if let Err(error) = collected {
        output::say(&format!(
            "what tasks have done could not be taken in: {}",
            with_causes(&error)
        ));
    }
    Ok(())
}

/// What Slurm says of the study's tasks, a line for all that are alike; nothing if there are none.
pub(crate) async fn status_text(live: &[Submission]) -> String {
    let mut tasks: BTreeMap<(String, String), (u64, BTreeSet<String>)> = BTreeMap::new();
    let answer = match live.first() {
        None => return String::new(),
        Some(first) => {
            let prefix = first.name.rfind('-').map_or("", |end| &first.name[..=end]);
            augreg_executor::slurm::Slurm::new().queue(prefix).await
        }
    };
    for submission in live {
        for task in submission.tasks.iter().filter(|task| !task.state.is_over) {
            let now = answer.as_ref().ok().and_then(|seen| {
                let of_it = |one: &&Seen| {
                    Some(&one.array) == submission.array_job.as_ref() && one.contains(task.number)
                };
                seen.iter().rfind(of_it)
            });
            let (state, reason, node) = if let Some(seen) = now {
                (seen.state.clone(), seen.reason.clone(), seen.node.clone())
            } else {
                let TaskState { state, reason, node, .. } = task.state.clone();
                (state, reason.unwrap_or_default(), node.unwrap_or_default())
            };
            let (count, nodes) = tasks.entry((state, reason)).or_default();
            *count += 1;
            nodes.extend(Some(node).filter(|node| !node.is_empty()));
        }
    }
    let mut text = String::new();
    if let Err(error) = &answer {
        text +=
            &format!("Slurm does not say how its tasks are, this is what it said last: {error}\n");
    }
    for ((state, reason), (tasks, nodes)) in tasks {
        let plural = if tasks == 1 { "task" } else { "tasks" };
        let nodes: Vec<_> = nodes.into_iter().collect();
        let what = match phase(&state, &reason, None) {
            Phase::Waits => format!("waiting: {}", reason_in_words(&reason)),
            Phase::Stuck(end) => format!("stuck: {} ({})", end.what, reason_in_words(&reason)),
            Phase::Runs => format!("running on {}", nodes.join(", ")),
            Phase::Over(_) if state == "NEW" => "not seen in the queue yet".to_owned(),
            Phase::Over(_) => format!(
                "{state} just now: whoever follows it takes in what it did, or the next `augreg status`"
            ),
        };
        text += &format!("Slurm: {} {plural} {what}\n", words::count(tasks));
    }
    text
}
