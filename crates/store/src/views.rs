//! The documented views, column by column: what filters are checked against, and what help texts
//! and the documentation print. A test holds this to the schema.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A floating-point number.
    Real,
}

/// One column of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds, when it is not null.
    pub kind: Kind,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// One view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What one row is.
    pub row: &'static str,
    /// Its columns in order.
    pub columns: &'static [Column],
}

/// The columns that [`JobQuery`](crate::JobQuery) returns when none are named.
pub const DEFAULT_COLUMNS: [&str; 15] = [
    "short_id",
    "dataset",
    "model",
    "augmentation",
    "dropout",
    "stochastic_depth",
    "weight_decay",
    "learning_rate",
    "epochs",
    "seed",
    "state",
    "best_val",
    "final_val",
    "final_test",
    "seconds",
];

/// Every documented view.
pub const VIEWS: [View; 16] = [
    V_JOBS,
    V_ATTEMPTS,
    V_BOUNDARIES,
    V_DEVICE_TIME,
    V_COMPUTE,
    V_LEDGER,
    V_FORECASTS,
    SWEEP_JOB,
    METRIC,
    V_CURVES,
    V_EPOCHS,
    V_METRICS,
    V_RUNS,
    V_SELECTIONS,
    V_TASKS,
    AUGREG_INDEX,
];

/// The view that [`JobQuery`](crate::JobQuery) asks.
pub const V_JOBS: View = View {
    name: "v_jobs",
    row: "a job, with its settings, its state, its result and its last attempt",
    columns: &[
        text("id", "the job's id, 26 characters"),
        text("short_id", "the first ten characters of the id"),
        integer("ordinal", "counts jobs in the order they were registered"),
        text(
            "stage",
            "the kind of work: `pretrain`, `transfer`, `evaluate`, `throughput` or `noop`",
        ),
        text("dataset", "name of the data set in the sweep file"),
        text("model", "name of the model"),
        text("augmentation", "name of the augmentation preset"),
        integer("randaugment_layers", "RandAugment operations per image; 0: off"),
        integer("randaugment_magnitude", "RandAugment magnitude"),
        real("mixup", "α of mixup; 0: off"),
        real("dropout", "drop rate of activations"),
        real("stochastic_depth", "drop rate of the last block's branches"),
        real("weight_decay", "decoupled weight decay"),
        real("learning_rate", "peak learning rate"),
        real("epochs", "passes over the training split"),
        integer("batch_size", "examples a step"),
        integer("resolution", "side of the input image in pixels"),
        text("loss", "`sigmoid` or `softmax`"),
        text("precision", "arithmetic: `fp32` or `bf16`"),
        integer("seed", "seed of every random draw"),
        text("crop", "`inception`, `torchvision`, `resmall`, or `none` for the whole image"),
        integer("flip", "1 if half of the images are mirrored, else 0"),
        integer("warmup_steps", "steps of linear warm-up"),
        real("clip_norm", "global norm that gradients are scaled down to"),
        real("beta1", "AdamW's decay of the first moment"),
        real("beta2", "AdamW's decay of the second moment"),
        real("eps", "AdamW's ε"),
        real("head_bias", "initial bias of the head"),
        integer("evaluations", "evaluations on the validation split"),
        text("state", "`waiting`, `queued`, `running`, `succeeded`, `failed` or `cancelled`"),
        integer("priority", "jobs of higher priority run first"),
        real("best_val", "best validation accuracy of all evaluations, in [0, 1]"),
        real("final_val", "validation accuracy at the end, in [0, 1]"),
        real("final_test", "test accuracy at the end, in [0, 1]"),
        real("train_loss", "training loss at the end; null: nothing was trained"),
        integer("steps", "optimizer steps of the whole job"),
        integer("parameters", "trainable parameters"),
        real("flops", "floating-point operations of the whole job, as estimated"),
        real("seconds", "seconds of training and evaluation, all attempts together"),
        real("images_per_second", "training images a second of the attempt that finished the job"),
        integer(
            "peak_memory",
            "bytes at the peak: what tensors held on a GPU, else what was resident of the worker",
        ),
        integer("attempts", "how many times the job was started"),
        text("failure", "why the last attempt failed: `diverged`, `out-of-memory`, `lost`, …"),
        text("message", "what the last attempt said when it failed"),
        text("device", "where the last attempt ran: `cpu`, `cuda:0`"),
        text("host", "host of the last attempt"),
        text("started", "when the first attempt began, ISO 8601 in UTC"),
        text("ended", "when the last attempt ended, ISO 8601 in UTC"),
        text("parameters_sha256", "SHA-256 over the final parameters"),
        real("momentum", "momentum of SGD, for a transfer"),
        text("parent", "the job whose final parameters it starts from or judges"),
        text("imported", "hash of the imported file that it starts from or judges instead"),
    ],
};

/// The view of attempts.
pub const V_ATTEMPTS: View = View {
    name: "v_attempts",
    row: "an attempt: one execution of a job",
    columns: &[
        text("job_id", "the job"),
        integer("number", "counts the job's attempts from 1"),
        text("dataset", "the job's data set"),
        text("model", "the job's model"),
        text("augmentation", "the job's augmentation"),
        text("state", "`running`, `succeeded`, `failed` or `stopped`"),
        text("failure", "why it failed"),
        text("message", "what it said when it failed"),
        text("executor", "`local` or `slurm`"),
        text("slot", "the slot it occupied; on a cluster the task, such as `4711_3`"),
        text("device", "where it ran"),
        text("host", "on which host"),
        integer("pid", "process id of the worker"),
        text("version", "version of the worker"),
        integer("threads", "threads of its kernels"),
        integer("from_step", "the step it went on from; 0: from the start"),
        integer("restarts", "how often the cluster restarted it"),
        text("started", "when it began, ISO 8601 in UTC"),
        text("ended", "when it ended, ISO 8601 in UTC"),
        real("seconds", "from start to end"),
        integer(
            "peak_memory",
            "bytes at the peak: what tensors held on a GPU, else what was resident of the worker",
        ),
        real("images_per_second", "training images a second"),
        integer("micro_batch", "images that went through the network at once, lastly"),
        text("device_name", "what the device is called, where that was asked: for measured speeds"),
        text("batch_job", "the cluster's own number of the task that ran it"),
        text("gpus", "the GPUs that it had, as the cluster counts them on the node"),
    ],
};

/// The view of tasks of a cluster's batch system.
pub const V_TASKS: View = View {
    name: "v_tasks",
    row: "a task that was submitted to a cluster: it takes up a share of the jobs",
    columns: &[
        text("submission", "the name of its array"),
        integer("number", "its index in the array"),
        text("task", "as the cluster names it; null: not known to be submitted"),
        text("state", "as the cluster says it; `NEW` before it was asked"),
        text("reason", "why it waits or ended, as the cluster says it"),
        text("node", "where it runs or ran"),
        integer("jobs", "how many jobs it has"),
        integer("jobs_ended", "how many of them have come to their ends"),
        text("submitted", "when, ISO 8601 in UTC"),
        text("over", "when it was seen to be over, ISO 8601 in UTC"),
    ],
};

/// The view of boundaries between attempts.
pub const V_BOUNDARIES: View = View {
    name: "v_boundaries",
    row: "an attempt that was not its job's first, and how it went on from those before",
    columns: &[
        text("job_id", "the job"),
        integer("number", "the attempt"),
        integer("previous", "the attempt that wrote the state it went on with"),
        integer("from_step", "the step it went on from; 0: from the start"),
        integer("exact", "1 if the bits are those of an uninterrupted run, else 0"),
        text(
            "why",
            "why not: another kind of device, thread count, micro-batch or version, a lost checkpoint",
        ),
    ],
};

/// The view of device time by attempt.
pub const V_DEVICE_TIME: View = View {
    name: "v_device_time",
    row: "an attempt, with the device time it took and wasted",
    columns: &[
        text("job_id", "the job"),
        integer("number", "the attempt"),
        text("cause", "its state; if it failed, the kind of failure"),
        integer("ended", "1 if it has ended, else 0"),
        real("seconds", "device time, up to its last sign of life where nobody saw its end"),
        real("wasted_seconds", "of it, what a later attempt had to repeat"),
        integer("ran_again", "1 if its job had a result already or got another, else 0"),
    ],
};

/// The view of what jobs cost.
pub const V_COMPUTE: View = View {
    name: "v_compute",
    row: "a job, with what it cost in all of its attempts",
    columns: &[
        text("job_id", "the job"),
        text("stage", "its kind of work"),
        text("dataset", "its data set"),
        text("model", "its model"),
        text("state", "its state"),
        text(
            "compute",
            "`flops_with_upstream` to two digits, to group jobs of about equal cost by: `1.3 PFLOP`",
        ),
        real(
            "flops_with_upstream",
            "floating-point operations of the job and, for a transfer, of all upstream of it, as \
             estimated; null: it starts from an imported file",
        ),
        real("flops_seen", "floating-point operations spent so far, repeated steps included"),
        real(
            "flops_useful",
            "of the finished job; 0: failed or cancelled; null: it has not ended yet",
        ),
        integer("steps_seen", "steps made so far, repeated ones included, as far as journalled"),
        integer("images_seen", "training images of these steps; null: nothing is trained"),
        real("device_seconds", "device time so far, as in `v_device_time`"),
        real("images_per_second", "`images_seen` over `device_seconds`, evaluations included"),
        real("tflops_per_second", "`flops_seen` over `device_seconds`, in 10¹² a second"),
        real("energy_joules", "what its devices took; null: not counted, or not for all attempts"),
    ],
};

/// The view of forecasts.
pub const V_FORECASTS: View = View {
    name: "v_forecasts",
    row: "a forecast, made when a run of a sweep began, and what came of it",
    columns: &[
        text("sweep", "the sweep"),
        text("at", "when it was made, ISO 8601 in UTC"),
        integer("jobs", "jobs that were to be done"),
        real("flops", "their floating-point operations"),
        real("device_low", "device-seconds, hardly less: the interval holds four times in five"),
        real("device_median", "device-seconds, as likely more as less"),
        real("device_high", "device-seconds, hardly more"),
        real(
            "wall_low",
            "seconds until all are done, hardly less; null: other sweeps ran beside it",
        ),
        real("wall_median", "seconds until all are done, as likely more as less"),
        real("wall_high", "seconds until all are done, hardly more"),
        text("slots", "what they were to run on"),
        integer("measured", "finished jobs that the forecast rests on; 0: it is nominal"),
        integer("finished", "of the jobs those that succeeded since; null: not all have ended"),
        real("device_seconds", "device-seconds that they took; null: not all have ended"),
        real(
            "wall_seconds",
            "seconds until all were done; null: not all have ended, or another run came between",
        ),
    ],
};

/// The view of device time by cause.
pub const V_LEDGER: View = View {
    name: "v_ledger",
    row: "a way for attempts to end, in a sweep or, where `sweep` is null, in the whole study",
    columns: &[
        text("sweep", "the sweep; null: the whole study, in which a shared job counts once"),
        text("cause", "`succeeded`, `stopped`, `running`, or the kind of failure"),
        integer("starts", "attempts that began"),
        integer("ends", "attempts that ended"),
        real("device_seconds", "device time they took"),
        real("wasted_seconds", "of it, what later attempts had to repeat"),
        integer("ran_again", "attempts of jobs that had a result: 0 unless something is wrong"),
    ],
};

/// Which sweeps ask for which jobs.
pub const SWEEP_JOB: View = View {
    name: "sweep_job",
    row: "a job that a sweep asks for, or once did",
    columns: &[
        integer("sweep_id", "the sweep, as in table `sweep`"),
        text("job_id", "the job"),
        integer("position", "its place in the sweep's grid, from 0"),
        integer("orphaned", "1 if the sweep does not ask for it any more, else 0"),
    ],
};

/// The numbers that were measured.
pub const METRIC: View = View {
    name: "metric",
    row: "a number that an attempt measured at a step; `train_loss` at every step",
    columns: &[
        text("job_id", "the job"),
        text("name", "the metric: `train_loss`, `val_accuracy`, …"),
        integer("step", "steps done when it was measured"),
        integer("attempt", "the attempt that measured it"),
        real("value", "its value"),
    ],
};

/// The view of metrics over steps.
pub const V_CURVES: View = View {
    name: "v_curves",
    row: "a metric at a step, as the latest attempt that saw the step measured it",
    columns: &[
        text("job_id", "the job"),
        text("name", "the metric: `train_loss`, `val_accuracy`, …"),
        integer("step", "steps done when it was measured"),
        real("value", "its value"),
        integer("attempt", "the attempt that measured it"),
    ],
};

/// The view of epochs.
pub const V_EPOCHS: View = View {
    name: "v_epochs",
    row: "an epoch of a job: a pass over its training split, the last perhaps in part",
    columns: &[
        text("job_id", "the job"),
        integer("epoch", "counts from 1; a step belongs to the epoch of its last example"),
        integer("step", "the last step of the epoch that anything was measured at"),
        real("train_loss", "mean training loss over the epoch's steps"),
        real("learning_rate", "learning rate at the end of the epoch"),
        real("val_accuracy", "validation accuracy, where the epoch held an evaluation: the last"),
        real("val_loss", "validation loss then"),
        real("images_per_second", "training images a second, mean over the epoch"),
    ],
};

/// The view of metrics at their last step.
pub const V_METRICS: View = View {
    name: "v_metrics",
    row: "a metric of a job, with its last value",
    columns: &[
        text("job_id", "the job"),
        text("name", "the metric"),
        integer("points", "how many steps it was measured at"),
        integer("step", "the last of them"),
        real("value", "its value then"),
    ],
};

/// The view of runs, own and others'.
pub const V_RUNS: View = View {
    name: "v_runs",
    row: "a finished upstream run with one of its adaptations, if it has any: of this study, or imported",
    columns: &[
        text("source", "`own`, or what the imported table is called"),
        text("job_id", "the pre-training job; null where imported"),
        text("adapt_job_id", "the transfer job; null where imported or not adapted"),
        text("model", "the model"),
        text("dataset", "the upstream data set"),
        real("epochs", "passes over it"),
        real("learning_rate", "peak learning rate"),
        text("augmentation", "the preset, as the paper calls it"),
        real("weight_decay", "decoupled weight decay"),
        real("dropout", "drop rate of activations"),
        real("stochastic_depth", "drop rate of the last block's branches"),
        integer("resolution", "side of the upstream input image in pixels"),
        integer("seed", "seed of every random draw"),
        real("best_val", "best upstream validation accuracy, in [0, 1]"),
        real("final_val", "final upstream validation accuracy: what upstream runs are chosen by"),
        real("final_test", "final upstream test accuracy"),
        text("adapt_dataset", "the downstream data set; null: not adapted"),
        real("adapt_learning_rate", "learning rate of the adaptation"),
        integer("adapt_steps", "its steps"),
        integer("adapt_resolution", "its resolution in pixels"),
        real("adapt_final_val", "its validation accuracy"),
        real("adapt_final_test", "its test accuracy"),
        integer("parameters", "trainable parameters upstream"),
        real(
            "infer_images_per_second",
            "inference speed at its last resolution; null: not measured",
        ),
        real("flops", "floating-point operations upstream, as estimated"),
        real("seconds", "seconds upstream"),
        real("adapt_flops", "floating-point operations of the adaptation, as estimated"),
        real("adapt_seconds", "its seconds"),
    ],
};

/// The view of what rules chose.
pub const V_SELECTIONS: View = View {
    name: "v_selections",
    row: "a group of candidates of which a rule of a sweep chooses some to start from",
    columns: &[
        text("sweep", "the sweep"),
        text("stage", "of the jobs that start from what is chosen"),
        text("rule", "the rule"),
        text("group", "what the candidates have in common"),
        integer("candidates", "how many they are"),
        text(
            "chosen",
            "ids of the chosen jobs, best first, as JSON; null: not all candidates have ended",
        ),
        text("reason", "why these"),
        text("resolved", "when that was decided, ISO 8601 in UTC"),
    ],
};

/// The study's published table.
pub const AUGREG_INDEX: View = View {
    name: "augreg_index",
    row: "a finished pre-training job with one of its finished transfers, if it has any, in the columns \
          of the published `augreg/index.csv`",
    columns: &[
        text("name", "the model"),
        text("ds", "the upstream data set; `i21k` at 30 epochs is called `i21k_30` there"),
        real("epochs", "passes over it"),
        real("lr", "peak learning rate"),
        text("aug", "augmentation; light1 and light2 are called light0 and light1 there"),
        real("wd", "weight decay"),
        real("do", "dropout"),
        real("sd", "stochastic depth"),
        real("best_val", "best upstream validation accuracy"),
        real("final_val", "final upstream validation accuracy"),
        real("final_test", "final upstream test accuracy"),
        text("adapt_ds", "the downstream data set; null for a job that was not adapted"),
        real("adapt_lr", "learning rate of the adaptation"),
        integer("adapt_steps", "its steps"),
        integer("adapt_resolution", "its resolution in pixels"),
        real("adapt_final_val", "its validation accuracy"),
        real("adapt_final_test", "its test accuracy"),
        integer("params", "trainable parameters"),
        real("infer_samples_per_sec", "inference speed, images a second; null: not measured"),
        text("filename", "stem of the upstream checkpoint's file"),
        text("adapt_filename", "stem of the adapted checkpoint's file"),
    ],
};

/// What documented columns of this name hold, if all of them hold the same.
pub(crate) fn kind_of(name: &str) -> Option<Kind> {
    let all = VIEWS.iter().flat_map(|view| view.columns);
    let mut kinds = all.filter(|column| column.name == name).map(|column| column.kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

const fn text(name: &'static str, doc: &'static str) -> Column {
    Column { name, kind: Kind::Text, doc }
}

const fn integer(name: &'static str, doc: &'static str) -> Column {
    Column { name, kind: Kind::Integer, doc }
}

const fn real(name: &'static str, doc: &'static str) -> Column {
    Column { name, kind: Kind::Real, doc }
}
