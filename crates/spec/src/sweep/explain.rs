//! Where every setting of a job comes from: a line of a file, a preset, or the recipe with its source.

use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;
use toml::Spanned;
use toml::de::DeTable;

use super::axis::{Axis, AxisValue, Setting};
use super::jobs::{Datasets, Found};
use super::settings::Settings;
use super::upstream::Origin as StartsFrom;
use super::{Grid, Sweep};
use crate::augmentation::Augmentation;
use crate::dataset::SplitName;
use crate::job::{JobSpec, Stage};
use crate::model::ModelSpec;
use crate::suggest::nearest;

/// The settings of one job of a stage, one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The stage.
    pub stage: Stage,
    /// Points of the stage's grid that have what was asked for; this is of the first.
    pub points: u64,
    /// The settings, in the order of the reference.
    pub settings: Vec<Explained>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Its name; of a part, behind that of the whole: `model.width`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where that comes from: `mini.toml:12`, `preset …` or `recipe: …`.
    pub from: String,
}

/// Why nothing can be explained.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ExplainError {
    /// No stage of the sweep has such a setting.
    #[error("no stage of the sweep has a setting `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest that there is.
        near: Option<String>,
    },
    /// No point has these values.
    #[error("no job of the sweep has {asked}")]
    Nothing {
        /// What was asked for.
        asked: String,
        /// The values that there are of the first setting that none has.
        values: Vec<String>,
    },
}

impl Sweep {
    /// Explains, for every stage that has a point with these values (setting, value), the first of them. What
    /// follows from data is told where they were `found`.
    ///
    /// # Errors
    ///
    /// [`ExplainError`] if there is no such setting, or no such point.
    pub fn explain(
        &self,
        asked: &[(String, String)],
        found: &Found,
    ) -> Result<Vec<Explanation>, ExplainError> {
        for (name, _) in asked {
            self.check_setting(name)?;
        }
        let datasets: Datasets<'_> = found
            .datasets
            .iter()
            .map(|(name, identity)| (name.as_str(), Arc::new(identity.clone())))
            .collect();
        let explained =
            self.grids.iter().filter_map(|grid| self.first_of_grid(grid, asked, &datasets));
        let explained: Vec<_> = explained.collect();
        if explained.is_empty() {
            return Err(self.nothing(asked));
        }
        Ok(explained)
    }

    fn check_setting(&self, name: &str) -> Result<(), ExplainError> {
        let names = self.grids.iter().flat_map(|grid| Setting::of(grid.stage()));
        let names: Vec<_> = names.map(|setting| setting.name()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let near = nearest(name, names).map(str::to_owned);
        Err(ExplainError::Unknown { name: name.to_owned(), near })
    }

    fn nothing(&self, asked: &[(String, String)]) -> ExplainError {
        let words: Vec<_> = asked.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut values = Vec::new();
        for (name, value) in asked {
            let axes = self.grids.iter().flat_map(Grid::axes).filter(|axis| axis.name() == name);
            let there: Vec<_> = axes.flat_map(Axis::values).map(ToString::to_string).collect();
            if !there.contains(value) {
                values = there;
                break;
            }
        }
        ExplainError::Nothing { asked: words.join(" "), values }
    }

    fn first_of_grid(
        &self,
        grid: &Grid,
        asked: &[(String, String)],
        datasets: &Datasets<'_>,
    ) -> Option<Explanation> {
        let settings_of = Setting::of(grid.stage());
        let has = |settings: &Settings| {
            asked.iter().all(|(name, value)| {
                let setting = settings_of.iter().find(|setting| setting.name() == name);
                let of = setting.and_then(|setting| settings.get(*setting));
                of.is_some_and(|of| of.to_string() == *value)
            })
        };
        let mut points = grid.visit().filter(|point| has(&grid.settings(point)));
        let first = points.next()?;
        let settings = grid.settings(&first);
        let spec = self.job(grid, &settings, None, datasets).map(|job| job.spec);
        let mut rows = Vec::new();
        if let Some(origin) = &grid.origin {
            rows.push(self.upstream_row(grid, origin));
        }
        for setting in settings_of {
            rows.extend(self.row(grid, &first, &settings, *setting, spec.as_ref()));
            rows.append(&mut self.parts(*setting, &settings, datasets));
        }
        if let (Some(spec), Stage::Pretrain) = (&spec, grid.stage()) {
            let from = "epochs · examples / batch_size, rounded (paper §3.4)".to_owned();
            let steps = spec.steps().to_string();
            rows.push(Explained { name: "steps".to_owned(), value: steps, from });
        }
        let points = 1 + points.count() as u64;
        Some(Explanation { stage: grid.stage(), points, settings: rows })
    }

    fn upstream_row(&self, grid: &Grid, origin: &StartsFrom) -> Explained {
        let span = match origin {
            StartsFrom::Jobs(rule) => Some(rule.span.clone()),
            StartsFrom::Files(files) => files.first().map(|file| file.span.clone()),
        };
        let value = grid.upstream().unwrap_or_default();
        let from = span.map_or_else(String::new, |span| self.place(grid.file, &span));
        Explained { name: "upstream".to_owned(), value, from }
    }

    fn row(
        &self,
        grid: &Grid,
        point: &[usize],
        settings: &Settings,
        setting: Setting,
        spec: Option<&JobSpec>,
    ) -> Option<Explained> {
        let written = grid.span_of(setting, point);
        let value = match (setting, settings.get(setting)) {
            (Setting::WeightDecay, _) if settings.independent_weight_decay.is_some() => {
                let decay = settings.independent_weight_decay.unwrap_or_default();
                Some(format!("{}", decay / settings.learning_rate))
            }
            (_, Some(value)) => Some(value.to_string()),
            (_, None) => spec.and_then(|spec| worked_out(spec, setting)),
        };
        let from = match written {
            Some(span) => self.place(grid.file, &span),
            None if setting == Setting::WeightDecay
                && settings.independent_weight_decay.is_some() =>
            {
                "independent_weight_decay / learning_rate".to_owned()
            }
            None => format!("recipe: {}", source(grid.stage(), setting)),
        };
        // Another way to say what another setting says is left out where it says nothing.
        if value.is_none() && setting == Setting::IndependentWeightDecay {
            return None;
        }
        let value = value.unwrap_or_else(|| "–".to_owned());
        Some(Explained { name: setting.name().to_owned(), value, from })
    }

    /// What a name stands for, part by part.
    fn parts(
        &self,
        setting: Setting,
        settings: &Settings,
        datasets: &Datasets<'_>,
    ) -> Vec<Explained> {
        let part = |name: &str, value: String, from: &str| Explained {
            name: format!("{}.{name}", setting.name()),
            value,
            from: from.to_owned(),
        };
        match (setting, settings.get(setting)) {
            (Setting::Model, Some(AxisValue::Name(name))) => {
                let Some(model) = self.model(&name) else { return Vec::new() };
                let from = if ModelSpec::named(&name).is_some() {
                    "built in: paper §3.2, Table 1".to_owned()
                } else {
                    self.definition("model", &name)
                };
                let ModelSpec { width, depth, mlp, heads, patch, .. } = model;
                [
                    ("width", width),
                    ("depth", depth),
                    ("mlp", mlp),
                    ("heads", heads),
                    ("patch", patch),
                ]
                .map(|(key, value)| part(key, value.to_string(), &from))
                .into()
            }
            (Setting::Augmentation, Some(AxisValue::Name(name))) => {
                let Some(found) = self.augmentation(&name) else { return Vec::new() };
                let from = if Augmentation::preset(&name).is_some() {
                    format!("preset {name}: paper §3.3")
                } else {
                    self.definition("augmentation", &name)
                };
                let ops = found.randaugment.map_or_else(
                    || "none".to_owned(),
                    |ops| format!("layers {}, magnitude {}", ops.layers, ops.magnitude),
                );
                vec![part("randaugment", ops, &from), part("mixup", found.mixup.to_string(), &from)]
            }
            (Setting::Dataset, Some(AxisValue::Name(name))) => {
                let from = self.definition("dataset", &name);
                let Some(identity) = datasets.get(name.as_str()) else { return Vec::new() };
                let splits = SplitName::ALL.into_iter().filter_map(|(word, split)| {
                    let examples = identity.examples(split);
                    (examples > 0).then(|| part(word, format!("{examples} examples"), &from))
                });
                let classes = part("classes", identity.classes.to_string(), &from);
                splits.chain([classes]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// `mini.toml:12`
    fn place(&self, file: usize, span: &Range<usize>) -> String {
        let source = self.sources.get(file).unwrap_or(&self.sources[0]);
        let before = source.inner().as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("{}:{line}", source.name())
    }

    /// Where `[kind.name]` stands, in whichever file.
    fn definition(&self, kind: &str, name: &str) -> String {
        let found = self.sources.iter().enumerate().find_map(|(file, source)| {
            let root = DeTable::parse(source.inner()).ok()?;
            let all = root.get_ref().get(kind)?.get_ref().as_table()?;
            let key = all.keys().find(|key| key.get_ref() == name).map(Spanned::span)?;
            Some(self.place(file, &key))
        });
        found.unwrap_or_default()
    }
}

/// The value of a setting that the recipe has worked out for a job.
fn worked_out(spec: &JobSpec, setting: Setting) -> Option<String> {
    let training = spec.training()?;
    match setting {
        Setting::WarmupSteps => Some(training.optimizer.warmup_steps().to_string()),
        Setting::HeadBias => Some(training.head_bias.to_string()),
        Setting::Crop => Some(training.augmentation.crop.name().to_owned()),
        Setting::Flip => Some(training.augmentation.flip.to_string()),
        _ => None,
    }
}

/// Where the recipe has a default from.
fn source(stage: Stage, setting: Setting) -> &'static str {
    use Setting::{
        AccumulatorDtype, Augmentation, BatchSize, Beta1, Beta2, ClipNorm, Crop, Eps, Evaluations,
        Flip, Gelu, HeadBias, L2, LearningRate, Loss, Momentum, MuDtype, Precision, Regularization,
        Resolution, Seed, WarmupSteps, WeightDecay,
    };
    match (stage, setting) {
        (Stage::Transfer, Augmentation) => "paper §3.5, no augmentation beyond crop and flip",
        (_, Augmentation | Regularization) => {
            "off unless asked for; the study varies it (paper §3.3)"
        }
        (_, WeightDecay) => "paper §3.3, the stronger of 0.1 and 0.03",
        (_, LearningRate) => "paper §3.3, the peak",
        (Stage::Transfer, BatchSize | ClipNorm | Momentum) => "paper §3.5",
        (_, BatchSize | ClipNorm | Beta1 | Beta2) => "paper §3.4",
        (_, Eps) => "Adam's usual (optax, which the study used)",
        (Stage::Transfer, WarmupSteps) => "paper Table 4; at most a fifth of the steps",
        (_, WarmupSteps) => "big_vision configs/vit_i1k.py, 10,000; at most a fifth of the steps",
        (Stage::Transfer, Loss) => "paper §3.5, big_vision configs/transfer.py",
        (_, Loss) => "big_vision configs/vit_i1k.py, sigmoid_xent",
        (Stage::Transfer, HeadBias) => "paper §3.5, a head of zeros",
        (_, HeadBias) => {
            "−ln(classes − 1) to one decimal, as big_vision configs/vit_i1k.py and vit_i21k.py"
        }
        (_, Gelu) => "flax's gelu, the tanh approximation",
        (_, Crop) => "big_vision configs, decode_jpeg_and_inception_crop",
        (_, Flip) => "big_vision configs, flip_lr",
        (Stage::Evaluate, Resolution) => "that of what is judged",
        (_, Resolution) => "big_vision configs, 224",
        (_, Precision) => "big_vision models/vit.py, float32",
        (_, MuDtype | AccumulatorDtype) => "fp32, where the study kept bfloat16 (paper §3.4, §3.5)",
        (Stage::Transfer, Evaluations) => "once, at the end (augreg)",
        (_, Evaluations) => "ten, evenly spaced (augreg)",
        (_, L2) => "big_vision configs/common_fewshot.py",
        (_, Seed) => "0 unless said",
        _ => "left out",
    }
}
