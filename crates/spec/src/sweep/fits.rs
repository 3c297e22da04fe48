//! Mistakes that only a combination of values shows, found before any job is made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::axis::Setting;
use super::error::SweepErrors;
use super::jobs::Found;
use super::reader::Mistakes;
use super::settings::Settings;
use super::upstream::{Choose, Origin, Rule};
use super::{Grid, Sweep};
use crate::dataset::SplitName;
use crate::job::Stage;
use crate::model::ModelSpec;

/// What a grid may start from, as far as that decides what fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Possible {
    model: String,
    /// The data set it was trained on; none of a file.
    dataset: Option<String>,
}

/// What is known of [`Possible`] parameters.
struct Shape {
    model: ModelSpec,
    channels: u32,
    classes: Option<u32>,
}

impl Sweep {
    /// Reports every combination that cannot work, those of one file at a time.
    pub(super) fn check_fits(&self, found: &Found) -> Result<(), SweepErrors> {
        let mut by_file: BTreeMap<usize, Mistakes> = BTreeMap::new();
        for grid in &self.grids {
            let mut mistakes = Mistakes::default();
            match &grid.origin {
                None => self.check_models(grid, &mut mistakes),
                Some(origin) => self.check_upstream(grid, origin, found, &mut mistakes),
            }
            if !mistakes.is_empty() {
                by_file.entry(grid.file).or_default().append(mistakes);
            }
        }
        if by_file.is_empty() { Ok(()) } else { Err(self.first_of(by_file)) }
    }

    /// Reports the models of a grid that do not fit a resolution, each pair once.
    fn check_models(&self, grid: &Grid, mistakes: &mut Mistakes) {
        let misfit =
            |settings: &Settings| self.model(&settings.model)?.patches(settings.resolution?).err();
        let pairs = grid.combinations(&[Setting::Model, Setting::Resolution]);
        if pairs.iter().all(|pair| misfit(pair).is_none()) {
            return;
        }
        // Whether a pair is asked for at all, only the points tell: some may be excluded.
        let mut reported = BTreeSet::new();
        for point in grid.visit() {
            let settings = grid.settings(&point);
            if let Some(error) = misfit(&settings)
                && reported.insert((settings.model.clone(), settings.resolution))
            {
                let at = place(grid, &point, &[Setting::Resolution, Setting::Model]);
                misfits(&settings.model, settings.resolution, &error.to_string(), at, mistakes);
            }
        }
    }

    /// Reports what a grid cannot do with the parameters that it may start from.
    fn check_upstream(&self, grid: &Grid, origin: &Origin, found: &Found, mistakes: &mut Mistakes) {
        let possible = match origin {
            Origin::Files(_) => BTreeSet::new(),
            Origin::Jobs(rule) => self.check_rule(rule, found, mistakes),
        };
        let mut shapes: Vec<(String, Shape)> = possible
            .into_iter()
            .filter_map(|possible| {
                let dataset = found.datasets.get(possible.dataset.as_deref()?)?;
                let (channels, classes) = (dataset.channels, Some(dataset.classes));
                let model = self.model(&possible.model)?;
                Some((possible.model, Shape { model, channels, classes }))
            })
            .collect();
        if let Origin::Files(files) = origin {
            let files = files.iter().filter_map(|file| found.checkpoints.get(&file.path));
            shapes.extend(files.map(|file| {
                let shape =
                    Shape { model: file.model, channels: file.channels, classes: file.classes };
                (file.name.clone(), shape)
            }));
        }
        let (mut sizes, mut contents) = (BTreeSet::new(), BTreeSet::new());
        for point in grid.visit() {
            let settings = grid.settings(&point);
            for (name, shape) in &shapes {
                if sizes.insert((name.clone(), settings.resolution)) {
                    unfit_in_size(grid, &point, &settings, (name, shape), mistakes);
                }
                if contents.insert((name.clone(), settings.dataset.clone(), shape.classes)) {
                    let at = place(grid, &point, &[Setting::Dataset]);
                    unfit_in_content(grid, &settings, (name, shape), found, at, mistakes);
                }
            }
        }
    }

    /// What a rule may choose; reports a rule without candidates, or without anything to choose by.
    fn check_rule(
        &self,
        rule: &Rule,
        found: &Found,
        mistakes: &mut Mistakes,
    ) -> BTreeSet<Possible> {
        let (mut possible, mut datasets) = (BTreeSet::new(), BTreeSet::new());
        self.each_candidate(rule, &mut |own, before| {
            if rule.concerns(own, before) {
                let trained_on = own.dataset.clone();
                datasets.insert(trained_on.clone());
                possible.insert(Possible { model: own.model.clone(), dataset: Some(trained_on) });
            }
        });
        let stage = rule.stage.name();
        if possible.is_empty() {
            let there = self.grids.iter().any(|grid| grid.stage() == rule.stage);
            let (message, help) = if there {
                let message = format!("no {stage} job of the sweep is among those of this rule");
                (message, "compare `where` with the axes of that stage".to_owned())
            } else {
                let message = format!("the sweep has no [{stage}] stage to start from");
                let help = format!(
                    "add one, `include = [\"….toml\"]` the sweep file that has it, or name a file: \
                     `upstream = {{ checkpoint = \"….npz\" }}`"
                );
                (message, help)
            };
            mistakes.add(rule.span.clone(), message, "starts from nothing", Some(help));
        }
        if rule.choose != Choose::All {
            let without = |name: &&String| {
                let identity = found.datasets.get(name.as_str());
                identity.is_some_and(|identity| identity.examples(SplitName::Val) == 0)
            };
            for name in datasets.iter().filter(without) {
                let message =
                    format!("`{name}` has no validation split to choose {stage} jobs by: `{rule}`");
                let help = format!("name one: `splits = {{ val = … }}` in [dataset.{name}]");
                mistakes.add(rule.span.clone(), message, "nothing to choose by", Some(help));
            }
        }
        possible
    }

    /// Shows the settings of every job of a rule's stage, and of what it starts from itself.
    fn each_candidate(&self, rule: &Rule, see: &mut dyn FnMut(&Settings, Option<&Settings>)) {
        for grid in self.grids.iter().filter(|grid| grid.stage() == rule.stage) {
            let points = || grid.visit().map(|point| grid.settings(&point));
            match &grid.origin {
                None => points().for_each(|settings| see(&settings, None)),
                Some(Origin::Files(_)) => {}
                Some(Origin::Jobs(before)) => self.each_candidate(before, &mut |up, up_before| {
                    if before.concerns(up, up_before) {
                        for mut settings in points() {
                            settings.model.clone_from(&up.model);
                            see(&settings, Some(up));
                        }
                    }
                }),
            }
        }
    }
}

/// Reports a model that does not fit the resolution of a point.
fn unfit_in_size(
    grid: &Grid,
    point: &[usize],
    settings: &Settings,
    (name, shape): (&str, &Shape),
    mistakes: &mut Mistakes,
) {
    if let Some(resolution) = settings.resolution
        && let Err(error) = shape.model.patches(resolution)
    {
        let at = place(grid, point, &[Setting::Resolution]);
        misfits(name, settings.resolution, &error.to_string(), at, mistakes);
    }
}

/// Reports parameters that were made for other images or other classes than those of a data set.
fn unfit_in_content(
    grid: &Grid,
    settings: &Settings,
    (name, shape): (&str, &Shape),
    found: &Found,
    at: Range<usize>,
    mistakes: &mut Mistakes,
) {
    let Some(dataset) = found.datasets.get(&settings.dataset) else { return };
    let images = |channels| if channels == 1 { "grey" } else { "colour" };
    if dataset.channels != shape.channels {
        let message = format!(
            "`{name}` was trained on {} images, data set `{}` holds {} ones",
            images(shape.channels),
            settings.dataset,
            images(dataset.channels)
        );
        let help = format!("read it otherwise: `channels = {}` in its definition", shape.channels);
        mistakes.add(at.clone(), message, "does not fit", Some(help));
    }
    let judged = grid.stage() == Stage::Evaluate && settings.shots.is_none();
    if let Some(classes) = shape.classes.filter(|classes| judged && *classes != dataset.classes) {
        let message = format!(
            "`{name}` tells {classes} classes apart, data set `{}` has {}",
            settings.dataset, dataset.classes
        );
        let help = "evaluate on data of the same classes, or probe the features: `shots = 10`";
        mistakes.add(at, message, "does not fit", Some(help.to_owned()));
    }
}

/// Where the first of these settings stands in the file, or what stands for the grid.
fn place(grid: &Grid, point: &[usize], settings: &[Setting]) -> Range<usize> {
    settings
        .iter()
        .find_map(|setting| grid.span_of(*setting, point))
        .or_else(|| match &grid.origin {
            Some(Origin::Jobs(rule)) => Some(rule.span.clone()),
            Some(Origin::Files(files)) => files.first().map(|file| file.span.clone()),
            None => None,
        })
        .unwrap_or_default()
}

fn misfits(
    model: &str,
    resolution: Option<u32>,
    what: &str,
    at: Range<usize>,
    mistakes: &mut Mistakes,
) {
    let resolution = resolution.unwrap_or_default();
    let message = format!("model `{model}` at resolution {resolution}: {what}");
    let help = "choose a resolution that the patch divides, or exclude the pair".to_owned();
    mistakes.add(at, message, "does not fit", Some(help));
}
