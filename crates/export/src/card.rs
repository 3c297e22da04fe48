//! The model card: what was trained, on what, how, how good it is, how to load it. Every number is the job's
//! own; what the study does not know is not in it.

use std::fmt::{self, Write};

use augreg_spec::{Gelu, Loss, Optimizer, SplitName, Training};
use augreg_store::JobDetails;
use augreg_weights::Architecture;
use augreg_words::count;
use jiff::Timestamp;

use crate::timm::Timm;

/// Which parameters of a job are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The last.
    Final,
    /// Those with the best validation accuracy.
    Best,
}

/// All that a model card says. Displays as Markdown, with the YAML head of the Hugging Face hub.
#[derive(Debug, Clone, Copy)]
pub struct Card<'a> {
    /// The job.
    pub job: &'a JobDetails,
    /// The job that it started from, if it started from one of this study.
    pub upstream: Option<&'a JobDetails>,
    /// What it trained.
    pub training: &'a Training,
    /// The network.
    pub network: &'a Architecture,
    /// The network as timm makes it, if it can.
    pub timm: Option<&'a Timm>,
    /// Which parameters the file holds.
    pub origin: Origin,
    /// The name of the file with the weights.
    pub weights: &'a str,
    /// The folder that holds them under the names of the hub, if they do.
    pub folder: Option<&'a str>,
}

/// A text as Python writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Card<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for part in [head, title, data, settings, results, loading, licence] {
            part(self, &mut text)?;
        }
        f.write_str(&text)
    }
}

fn head(card: &Card<'_>, out: &mut String) -> fmt::Result {
    let labels = &card.job.labels;
    writeln!(out, "---\ntags:\n- image-classification\n- timm\n- augreg")?;
    writeln!(out, "pipeline_tag: image-classification\nlibrary_name: timm")?;
    writeln!(out, "license: unknown\n---")?;
    writeln!(out, "# {} on {}\n", labels.model, labels.dataset)
}

fn title(card: &Card<'_>, out: &mut String) -> fmt::Result {
    let (job, network) = (card.job, card.network);
    let kind =
        if network.resnet().is_some() { "hybrid Vision Transformer" } else { "Vision Transformer" };
    let how = match (card.upstream, &card.training.upstream) {
        (Some(upstream), _) => format!(
            ", adapted to `{}` from a model trained on `{}` (job `{}`)",
            job.labels.dataset,
            upstream.labels.dataset,
            upstream.job.short()
        ),
        (None, Some(file)) => format!(", adapted from imported weights (BLAKE3 `{file}`…)"),
        (None, None) => format!(", trained on `{}` from random initial values", job.labels.dataset),
    };
    let which = match card.origin {
        Origin::Final => "the parameters at the end of the training",
        Origin::Best => "the parameters of the evaluation with the best validation accuracy",
    };
    writeln!(out, "A {kind} of {} parameters{how}.", count(job.parameters))?;
    writeln!(out, "The file holds {which}, in 32-bit floats.\n")?;
    writeln!(out, "| | |\n|---|---|")?;
    line(out, "model", &network.model().to_string())?;
    let (side, channels) = (network.resolution(), network.channels());
    let pixels = "values from 0 to 1 minus 0.5, over 0.5";
    line(out, "input", &format!("{channels} × {side} × {side}, {pixels}"))?;
    line(out, "classes", &network.classes().to_string())?;
    if let Some(timm) = card.timm {
        line(out, "timm", &format!("`{}`", timm.architecture))?;
    }
    line(out, "job", &format!("`{}`", job.job))?;
    let ended = job.attempts.iter().rev().find_map(|attempt| attempt.ended);
    if let Some(at) = ended.and_then(|at| Timestamp::from_millisecond(at as i64).ok()) {
        line(out, "trained", &at.strftime("%Y-%m-%d").to_string())?;
    }
    Ok(())
}

fn data(card: &Card<'_>, out: &mut String) -> fmt::Result {
    let dataset = &card.training.dataset;
    writeln!(out, "\n## Data\n\n`{}`, by split:\n", card.job.labels.dataset)?;
    writeln!(out, "| split | examples | used for |\n|---|---:|---|")?;
    for (name, split) in SplitName::ALL {
        let used = match split {
            SplitName::Train => "training",
            SplitName::Val => "choosing",
            SplitName::Test => "judging, once, at the end",
        };
        if dataset.splits.contains_key(&split) {
            writeln!(out, "| {name} | {} | {used} |", count(dataset.examples(split)))?;
        }
    }
    writeln!(out, "\nFingerprint of its content and splits: `{}`.", dataset.fingerprint())
}

fn settings(card: &Card<'_>, out: &mut String) -> fmt::Result {
    let training = card.training;
    writeln!(out, "\n## Training\n\n| setting | value |\n|---|---|")?;
    let images = count(training.images());
    line(
        out,
        "steps",
        &format!("{} of {} images: {images} images", count(training.steps), training.batch_size),
    )?;
    line(out, "augmentation", &augmentation(card))?;
    let regularization = training.regularization;
    line(out, "dropout", &regularization.dropout.to_string())?;
    line(out, "stochastic depth", &regularization.stochastic_depth.to_string())?;
    line(out, "optimizer", &optimizer(&training.optimizer))?;
    let loss = match training.loss {
        Loss::Sigmoid => "sigmoid cross-entropy",
        Loss::Softmax => "softmax cross-entropy",
    };
    line(out, "loss", loss)?;
    let gelu = match training.gelu {
        Gelu::Tanh => "GELU, approximated by tanh",
        Gelu::Erf => "GELU",
    };
    line(out, "activation", gelu)?;
    line(out, "arithmetic", training.precision.name())?;
    line(out, "seed", &training.seed.to_string())?;
    line(out, "floating-point operations", &format!("{:.3e} as estimated", card.job.flops))
}

fn augmentation(card: &Card<'_>) -> String {
    let settings = &card.training.augmentation;
    let mut parts = vec![format!("crop `{}`", settings.crop.name())];
    if settings.flip {
        parts.push("random mirroring".to_owned());
    }
    if let Some(ops) = settings.randaugment {
        parts.push(format!("RandAugment({}, {})", ops.layers, ops.magnitude));
    }
    if settings.mixup > 0.0 {
        parts.push(format!("mixup {}", settings.mixup));
    }
    format!("`{}`: {}", card.job.labels.augmentation, parts.join(", "))
}

fn optimizer(optimizer: &Optimizer) -> String {
    match optimizer {
        Optimizer::AdamW(settings) => format!(
            "AdamW, β₁ {}, β₂ {}, ε {:e}, weight decay {}, gradients clipped to norm {}; learning rate {} \
             after {} warm-up steps, cosine to 0",
            settings.beta1,
            settings.beta2,
            settings.eps,
            settings.weight_decay,
            settings.clip_norm,
            settings.learning_rate,
            count(settings.warmup_steps)
        ),
        Optimizer::Sgd(settings) => format!(
            "SGD, momentum {}, gradients clipped to norm {}; learning rate {} after {} warm-up steps, cosine to 0",
            settings.momentum,
            settings.clip_norm,
            settings.learning_rate,
            count(settings.warmup_steps)
        ),
    }
}

fn results(card: &Card<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "\n## Results\n")?;
    let Some(result) = &card.job.result else {
        return writeln!(out, "The job is {}: it has no results yet.", card.job.state);
    };
    writeln!(out, "| accuracy of these parameters | |\n|---|---:|")?;
    let percent = |value: f64| format!("{:.2} %", 100.0 * value);
    let (val, test) = match card.origin {
        Origin::Final => (result.final_val, result.final_test),
        // The test split is judged once, with the last parameters.
        Origin::Best => (result.best_val, None),
    };
    let missing = || "not measured".to_owned();
    writeln!(out, "| validation | {} |", val.map_or_else(missing, percent))?;
    writeln!(out, "| test | {} |", test.map_or_else(missing, percent))?;
    if card.origin == Origin::Final {
        let best = result.best_val.filter(|best| Some(*best) != result.final_val);
        if let Some(best) = best {
            writeln!(out, "\nThe best validation accuracy on the way was {}.", percent(best))?;
        }
        writeln!(out, "\nSHA-256 of the parameters: `{}`.", result.parameters_sha256)?;
    }
    writeln!(
        out,
        "\nTrained in {:.0} s, {:.0} images a second. One run with one seed: how much such numbers vary from run \
         to run is not in them.",
        result.seconds, result.images_per_second
    )
}

fn loading(card: &Card<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "\n## Loading\n")?;
    let Some(timm) = card.timm else {
        return writeln!(
            out,
            "timm has no model of these sizes. `{}` holds the tensors under the names of its hybrid Vision \
             Transformers.",
            card.weights
        );
    };
    let classes = card.network.classes();
    writeln!(out, "```python\nimport timm\n")?;
    if let Some(folder) = card.folder {
        writeln!(
            out,
            "model = timm.create_model({}, pretrained=True).eval()",
            quoted(&format!("local-dir:{folder}"))
        )?;
        writeln!(out, "\n# The same, spelled out:")?;
    }
    writeln!(
        out,
        "model = timm.create_model(\n    \"{}\",\n    pretrained=True,",
        timm.architecture
    )?;
    let mut overlay = format!("file={}, num_classes={classes}", quoted(card.weights));
    let (side, channels) = (card.network.resolution(), card.network.channels());
    if channels != 3 {
        overlay += &format!(", input_size=({channels}, {side}, {side})");
    }
    writeln!(out, "    pretrained_cfg_overlay=dict({overlay}),")?;
    writeln!(out, "    num_classes={classes},")?;
    for (name, value) in &timm.arguments {
        writeln!(out, "    {name}={value},")?;
    }
    writeln!(out, ").eval()\n```\n")?;
    writeln!(
        out,
        "Without `num_classes` in the overlay timm takes the file to have 1,000 classes, and leaves a head of \
         another size behind."
    )?;
    if card.network.resnet().is_some() {
        writeln!(
            out,
            "\ntimm's arithmetic differs from the training's in the ε of GroupNorm and of standardised kernels, \
             which changes logits by some 1e-5 of their size."
        )?;
    }
    Ok(())
}

fn licence(_: &Card<'_>, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\n## Licence\n\nNone is set. Whoever publishes these weights decides on one, within the terms of the data \
         they were trained on, and puts it into the head of this file."
    )?;
    writeln!(
        out,
        "\nWritten by augreg {}, after \"How to train your ViT? Data, Augmentation, and Regularization in Vision \
         Transformers\" ([arXiv:2106.10270](https://arxiv.org/abs/2106.10270)).",
        env!("CARGO_PKG_VERSION")
    )
}

fn line(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "| {name} | {value} |")
}

#[cfg(test)]
mod tests;
