//! The groups that rules choose from, and the choices, while a sweep is expanded.

use super::expand::Expansion;
use super::jobs::Start;
use super::selection::{Pending, Selection};
use super::upstream::{Choose, Rule};
use super::{Grid, Sweep};
use crate::cost::cost;
use crate::id::JobId;
use crate::job::Stage;

/// The jobs so far that others may start from.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    of: Vec<(Stage, Start)>,
    /// Stages of which more jobs will follow when something is chosen.
    open: Vec<Stage>,
}

/// Candidates with something in common, in the order of the sweep file.
struct Group<'a> {
    name: String,
    members: Vec<&'a Start>,
}

impl Candidates {
    /// Takes in a job of a stage that others start from.
    pub(super) fn add(&mut self, stage: Stage, start: Start) {
        self.of.push((stage, start));
    }

    fn groups(&self, rule: &Rule) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut at = std::collections::HashMap::new();
        for (stage, start) in &self.of {
            let Some((own, before)) = &start.settings else { continue };
            let before = before.as_deref();
            if *stage != rule.stage || !rule.concerns(own, before) {
                continue;
            }
            let name = rule.group(own, before);
            let place = *at.entry(name.clone()).or_insert_with(|| {
                groups.push(Group { name, members: Vec::new() });
                groups.len() - 1
            });
            groups[place].members.push(start);
        }
        groups
    }

    fn all(&self, rule: &Rule) -> Vec<Start> {
        let concerned = |(stage, start): &&(Stage, Start)| {
            let settings = start.settings.as_ref();
            *stage == rule.stage
                && settings.is_some_and(|(own, before)| rule.concerns(own, before.as_deref()))
        };
        self.of.iter().filter(concerned).map(|(_, start)| start.clone()).collect()
    }
}

impl Expansion<'_> {
    /// What the points of a grid start from, by its rule, as far as that is known. Choices are noted.
    pub(super) fn starts_by(&mut self, grid: &Grid, rule: &Rule) -> Vec<Start> {
        if rule.choose == Choose::All {
            if self.candidates.open.contains(&rule.stage) {
                self.candidates.open.push(grid.stage());
            }
            return self.candidates.all(rule);
        }
        let (mut starts, mut selections) = (Vec::new(), Vec::new());
        let unknown = self.candidates.open.contains(&rule.stage);
        for group in self.candidates.groups(rule) {
            let ids: Vec<JobId> = group.members.iter().filter_map(|start| start.job()).collect();
            let mut selection =
                Selection::of(rule, grid.stage(), group.name.clone(), ids, self.known);
            if unknown {
                selection.chosen = None;
                "not all candidates are known yet".clone_into(&mut selection.reason);
            }
            match &selection.chosen {
                Some(chosen) => starts.extend(chosen.iter().filter_map(|id| {
                    let member = group.members.iter().find(|start| start.job() == Some(*id));
                    member.map(|start| (*start).clone())
                })),
                None => {
                    let pending = self.pending(grid, rule, &group.members);
                    selection.pending = Some(pending);
                }
            }
            selections.push(selection);
        }
        if unknown || selections.iter().any(|selection| selection.chosen.is_none()) {
            self.candidates.open.push(grid.stage());
        }
        self.selections.append(&mut selections);
        starts
    }

    /// What will follow from a group: a choice leads to the grid's points for each that is chosen.
    fn pending(&self, grid: &Grid, rule: &Rule, members: &[&Start]) -> Pending {
        let Choose::Best(count) = rule.choose else { return Pending { jobs: 0, flops: 0.0 } };
        let count = count.min(members.len() as u64);
        let points: Vec<_> = grid.visit().map(|point| grid.settings(&point)).collect();
        let flops_from = |sweep: &Sweep, start: &Start| -> f64 {
            let jobs = points
                .iter()
                .filter_map(|point| sweep.job(grid, point, Some(start), self.datasets()));
            jobs.map(|job| cost(&job.spec).flops).sum()
        };
        let mut models: Vec<&Start> = Vec::new();
        for start in members {
            if models.iter().all(|known| known.model != start.model) {
                models.push(start);
            }
        }
        let most = models.into_iter().map(|start| flops_from(self.sweep(), start));
        let most = most.fold(0.0, f64::max);
        Pending { jobs: count * points.len() as u64, flops: most * count as f64 }
    }
}
