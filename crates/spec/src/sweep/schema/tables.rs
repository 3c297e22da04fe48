//! The tables that are no stages.

use super::{Key, Table, Value, key};
use crate::accelerator::ACCELERATORS;
use crate::dataset::Format;
use crate::executor::ExecutorKind;
use crate::job::Stage;
use crate::keep::Keep;
use crate::label_map::LabelMap;
use crate::model::ModelSpec;
use crate::sweep::budget::Resource;

const SPLIT: &str = "train[:90%]";

pub(super) fn before_stages() -> Vec<Table> {
    vec![
        file(),
        dataset(),
        Table {
            id: "splits",
            title: "splits = { … }",
            about: "What is learnt from, what choices are made on, and what is reported, in the grammar of \
                    TensorFlow Datasets.",
            keys: vec![
                key("train", Value::Text(SPLIT), "What is learnt from; inherited with `extends`."),
                key("val", Value::Text(SPLIT), "What choices are made on."),
                key("test", Value::Text(SPLIT), "What is reported."),
            ],
        },
        Table {
            id: "subset",
            title: "subset = { … }",
            about: "A seeded part of the `train` split: one of `percent`, `examples` and `per_class`.",
            keys: vec![
                key("percent", above_0(), "So much of it."),
                key("examples", Value::Count(1, u64::MAX), "So many examples."),
                key("per_class", Value::Count(1, u64::MAX), "So many of each class."),
                key("seed", Value::Count(0, u64::MAX), "Which part.").or("0"),
                key("stratified", Value::Flag, "Whether every class has its share.").or("false"),
            ],
        },
        model(),
        Table {
            id: "augmentation",
            title: "[augmentation.NAME]",
            about: "An augmentation beside those of the paper, which are built in.",
            keys: vec![
                key("randaugment", Value::Table("randaugment"), "RandAugment.").or("none"),
                key("mixup", at_least_0(), "The α of mixup's Beta(α, α); 0 turns it off.").or("0"),
            ],
        },
        Table {
            id: "randaugment",
            title: "randaugment = { … }",
            about: "How many ops an image goes through, and how strong they are.",
            keys: vec![
                key("layers", Value::Count(0, 16), "Ops an image.").required(),
                key("magnitude", Value::Count(0, 30), "Their strength.").required(),
            ],
        },
    ]
}

pub(super) fn after_stages() -> Vec<Table> {
    vec![
        Table {
            id: "regularization",
            title: "regularization = { … }",
            about: "Dropout and stochastic depth apart from each other.",
            keys: vec![
                key("dropout", rate(), "Drop rate of dropout.").required(),
                key("stochastic_depth", rate(), "Drop rate of the last block's branches.")
                    .required(),
                key("rescale", Value::Flag, "Scales kept branches by 1 / (1 − p), as timm does.")
                    .or("false"),
            ],
        },
        upstream(),
        executor(),
        overrides(),
        Table {
            id: "budget",
            title: "[budget]",
            about: "The most that the sweep may take; what is left out is not limited.",
            keys: Resource::ALL.map(resource).into(),
        },
    ]
}

fn file() -> Table {
    let stages = Stage::ALL.map(|stage| {
        let value = Value::Axis(Box::new(Value::Table(stage.name())));
        key(stage.name(), value, "A stage: its jobs are the product of its axes.")
    });
    let mut keys = vec![
        key("name", Value::Text("mini"), "Letters, digits, `-`, `_` and `.`, at most 100 of them.")
            .required(),
        key("description", Value::Text(""), "What the sweep is for."),
        key(
            "include",
            Value::Axis(Box::new(Value::Text("other.toml"))),
            "Sweep files whose data sets, models, augmentations and stages are taken in.",
        ),
        key("dataset", Value::Named("dataset"), "Data sets, by names of your choice."),
        key("model", Value::Named("model"), "Models beside the built-in ones."),
        key(
            "augmentation",
            Value::Named("augmentation"),
            "Augmentations beside the built-in ones.",
        ),
    ];
    keys.extend(stages);
    keys.extend([
        key("executor", Value::Table("executor"), "Where jobs run, and what stays of them."),
        key("budget", Value::Table("budget"), "The most that the sweep may take."),
    ]);
    Table { id: "sweep", title: "The file", about: "A sweep: one grid or several.", keys }
}

fn dataset() -> Table {
    let formats = Format::ALL.map(|(name, _)| name).into();
    let maps = LabelMap::ALL.map(|(name, _)| name).into();
    let keys = vec![
        key(
            "extends",
            Value::Name(Vec::new()),
            "Another data set; what is not given here is taken from it.",
        ),
        key("format", Value::Words(formats), "How it lies on the disk; required, or inherited."),
        key(
            "path",
            Value::Text("${AUGREG_DATA:-../data}/fashion-mnist"),
            "The folder, relative to the sweep file; `${NAME}` and `${NAME:-default}` are taken from the \
             environment. Required, or inherited.",
        ),
        key("splits", Value::Table("splits"), "What is learnt from and what is measured on."),
        key("subset", Value::Table("subset"), "A part of the `train` split."),
        key(
            "examples",
            Value::Counts,
            "How many examples each source split holds; then it need not be there to be planned.",
        ),
        key("image", Value::Text(""), "Name of the column, array or member with pictures.")
            .or("the usual one"),
        key("label", Value::Text(""), "Name of the column, array or JSON key with labels.")
            .or("the usual one"),
        key(
            "label_map",
            Value::Words(maps),
            "What makes classes of labels that are other numbers.",
        ),
        key("channels", Value::Count(1, 3), "1 or 3: what images are trained in.")
            .or("what the format holds"),
        key("classes", Value::Count(1, 1 << 24), "How many classes there are.")
            .or("what the data say"),
        key(
            "max_bad_examples",
            Value::Count(0, u64::MAX),
            "Pictures that cannot be decoded and are skipped before a job fails.",
        )
        .or("0"),
    ];
    Table {
        id: "dataset",
        title: "[dataset.NAME]",
        about: "A data set, named once and used by any stage.",
        keys,
    }
}

fn model() -> Table {
    let count = |name, most, doc| key(name, Value::Count(1, most), doc).required();
    let stages = Value::List(Box::new(Value::Count(1, 256)));
    let resnet = "Makes it a hybrid: units of each of at most four stages; `[]` is the root alone.";
    let keys = vec![
        count("width", 65_536, "Width of a token; the heads divide it."),
        count("depth", 1024, "Blocks."),
        count("mlp", 1 << 20, "Width of the hidden layer of a block."),
        count("heads", 1024, "Heads of attention."),
        count(
            "patch",
            8192,
            "Side of a patch; divides the resolution, or the side of a hybrid's map.",
        ),
        key("resnet", stages, resnet).or("a plain model"),
    ];
    Table {
        id: "model",
        title: "[model.\"NAME\"]",
        about: "A model beside the built-in ones.",
        keys,
    }
}

fn upstream() -> Table {
    let keys = vec![
        key(
            "select",
            Value::Words(vec!["all", "best-val"]),
            "All jobs, or the one with the highest `final_val`.",
        ),
        key("top", Value::Count(1, 1_000_000), "The so many best."),
        key(
            "per",
            Value::Axis(Box::new(Value::Text("model"))),
            "Axes: of each group of jobs that have these alike.",
        ),
        key("where", Value::Point, "Only jobs that have one of these values."),
        key(
            "stage",
            Value::Words(vec!["pretrain", "transfer"]),
            "The stage whose jobs are started from.",
        )
        .or("pretrain"),
        key(
            "checkpoint",
            Value::Axis(Box::new(Value::Text("B_16.npz"))),
            "Files instead of jobs: AugReg's npz, timm's safetensors, checkpoints of augreg.",
        ),
    ];
    Table {
        id: "upstream",
        title: "upstream = { … }",
        about: "What the jobs of a stage start from: jobs, chosen by a rule, or files.",
        keys,
    }
}

/// What tasks of a cluster are given.
fn task() -> Vec<Key> {
    let lines = || Value::Axis(Box::new(Value::Text("--exclude=n7")));
    vec![
        key("partition", Value::Text("gpu"), "Slurm's partition."),
        key("account", Value::Text(""), "The account that pays."),
        key("qos", Value::Text(""), "The quality of service."),
        key("constraint", Value::Text("a100|h100"), "Features that nodes must have."),
        key(
            "gpus",
            Value::Either(vec![Value::Count(0, 1024), Value::Text("h100:2")]),
            "GPUs of a task; as many jobs of it run side by side.",
        )
        .or("none"),
        key("cpus", Value::Count(1, u32::MAX.into()), "CPUs of a task.").or("1 thread"),
        key("memory", size(), "Memory of a task."),
        key("time", Value::Text("4 h"), "Time limit of a task.")
            .or("twice what its jobs are expected to take, and 10 minutes"),
        key("slice", Value::Text("1 h"), "How long the jobs of a task are to take together.")
            .or("1 h"),
        key("jobs_per_task", Value::Count(1, u32::MAX.into()), "Jobs of a task.")
            .or("as many as fill the slice"),
        key("sbatch", lines(), "Further arguments of `sbatch`."),
    ]
}

fn executor() -> Table {
    let keep: Vec<_> = Keep::ALL.map(|(name, _)| name).into();
    let kinds = ExecutorKind::ALL.map(|(name, _)| name).into();
    let devices = ACCELERATORS.iter().map(|known| known.name).collect();
    let mut keys = vec![
        key(
            "kind",
            Value::Words(kinds),
            "Worker processes on this machine, or tasks of a Slurm cluster.",
        )
        .or("local"),
        key("keep", Value::Words(keep.clone()), "Which parameters stay of a job that is done.")
            .or("best-and-final"),
        key("keep_transfers", Value::Words(keep), "The same for transfers.").or("what `keep` says"),
    ];
    keys.extend(task());
    keys.extend([
        key("array_size", Value::Count(1, u32::MAX.into()), "Tasks of an array at the most.")
            .or("what the cluster allows"),
        key("parallel", Value::Count(1, u32::MAX.into()), "Tasks that run at once at the most."),
        key(
            "grace",
            Value::Text("2 min"),
            "How long before its end a task is told to write a checkpoint.",
        )
        .or("2 min"),
        key(
            "setup",
            Value::Axis(Box::new(Value::Text("module load cuda"))),
            "Lines of the batch script before the worker starts.",
        ),
        key(
            "scratch",
            Value::Text("$TMPDIR"),
            "A folder of the node's own disk to which a task copies its data sets.",
        ),
        key(
            "device",
            Value::Name(devices),
            "The GPU that jobs are priced for until some were measured.",
        ),
        key(
            "override",
            Value::Axis(Box::new(Value::Table("override"))),
            "Other values for jobs of some stages and models; later ones win.",
        ),
    ]);
    Table {
        id: "executor",
        title: "[executor]",
        about: "Where jobs run; never part of a job's identity.",
        keys,
    }
}

fn overrides() -> Table {
    let mut keys = vec![
        key(
            "stage",
            Value::Axis(Box::new(Value::Words(Stage::ALL.map(Stage::name).into()))),
            "Only jobs of these stages.",
        ),
        key(
            "model",
            Value::Axis(Box::new(Value::Name(ModelSpec::names().collect()))),
            "Only jobs of these models.",
        ),
    ];
    keys.extend(task());
    Table {
        id: "override",
        title: "[[executor.override]]",
        about: "What tasks of some jobs are given instead.",
        keys,
    }
}

fn resource(resource: Resource) -> Key {
    let doc = match resource {
        Resource::DeviceHours => "Hours of devices, all together.",
        Resource::Disk => {
            "Bytes: what finished jobs keep, checkpoints while it runs, journals and database."
        }
        Resource::Flops => "Floating-point operations.",
    };
    let value = if resource.unit().is_some() { size() } else { above_0() };
    key(resource.key(), value, doc).or("no limit")
}

/// A number, or one with a unit.
fn size() -> Value {
    Value::Either(vec![above_0(), Value::Text("50 GB")])
}

fn above_0() -> Value {
    Value::Number { least: None, above: Some(0.0), below: None }
}

fn at_least_0() -> Value {
    Value::Number { least: Some(0.0), above: None, below: None }
}

fn rate() -> Value {
    Value::Number { least: Some(0.0), above: None, below: Some(1.0) }
}
