//! From a sweep, and what the things it refers to were found to be, to jobs.

use std::collections::{BTreeSet, HashSet};
use std::slice;
use std::sync::Arc;

use super::candidates::Candidates;
use super::error::SweepErrors;
use super::grid::Points;
use super::jobs::{Datasets, Found, Start};
use super::selection::{Known, Selection};
use super::settings::Settings;
use super::upstream::Origin;
use super::{Grid, Sweep};
use crate::id::JobId;
use crate::job::{Job, Stage};

/// The jobs of a sweep, made one by one: a sweep may have a million. In grid order, each id once; those
/// that others start from come before these.
#[derive(Debug, Clone)]
pub struct Expansion<'a> {
    sweep: &'a Sweep,
    found: &'a Found,
    datasets: Datasets<'a>,
    pub(super) known: &'a Known,
    /// The grids not begun yet.
    grids: slice::Iter<'a, Grid>,
    current: Option<Current<'a>>,
    seen: HashSet<JobId>,
    /// Of the grids that are done with.
    excluded: u64,
    merged: u64,
    pub(super) candidates: Candidates,
    pub(super) selections: Vec<Selection>,
    /// How much each grid gone through started from.
    starts: Vec<(&'a Grid, u64)>,
    /// Stages that other stages start from.
    started_from: BTreeSet<Stage>,
}

/// A grid under way: all its points for each of its starts.
#[derive(Debug, Clone)]
struct Current<'a> {
    grid: &'a Grid,
    /// One that is none where a stage needs nothing to start from.
    starts: Vec<Option<Start>>,
    /// Which of them.
    at: usize,
    points: Points<'a>,
}

impl<'a> Expansion<'a> {
    /// Points left out by `exclude`, of those gone through.
    #[must_use]
    pub fn excluded(&self) -> u64 {
        self.excluded + self.current.as_ref().map_or(0, |current| current.points.excluded())
    }

    /// Points that were the same job as an earlier one, of those gone through.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// How many upstream parameters the points of a grid start from; 0 before the grid was begun.
    #[must_use]
    pub fn starts_of(&self, grid: &Grid) -> u64 {
        let begun = self.starts.iter().find(|(known, _)| std::ptr::eq(*known, grid));
        begun.map_or(0, |(_, starts)| *starts)
    }

    /// The choices of the grids gone through.
    #[must_use]
    pub fn selections(&self) -> &[Selection] {
        &self.selections
    }

    pub(super) fn sweep(&self) -> &'a Sweep {
        self.sweep
    }

    pub(super) fn datasets(&self) -> &Datasets<'a> {
        &self.datasets
    }

    /// The next point: its grid, its settings, and which of the grid's starts it starts from.
    fn next_point(&mut self) -> Option<(&'a Grid, Settings, usize)> {
        loop {
            if let Some(current) = &mut self.current {
                if current.at < current.starts.len() {
                    if let Some(point) = current.points.next() {
                        return Some((current.grid, current.grid.settings(&point), current.at));
                    }
                    self.excluded += current.points.excluded();
                    current.at += 1;
                    current.points = current.grid.visit();
                    continue;
                }
                self.current = None;
            }
            let grid = self.grids.next()?;
            let starts = self.starts(grid);
            self.starts.push((grid, starts.len() as u64));
            self.current = Some(Current { grid, starts, at: 0, points: grid.visit() });
        }
    }

    fn starts(&mut self, grid: &Grid) -> Vec<Option<Start>> {
        match &grid.origin {
            None => vec![None],
            Some(Origin::Jobs(rule)) => self.starts_by(grid, rule).into_iter().map(Some).collect(),
            Some(Origin::Files(files)) => {
                let found = files.iter().filter_map(|file| self.found.checkpoints.get(&file.path));
                found.map(|file| Some(Start::of_file(file))).collect()
            }
        }
    }
}

impl Iterator for Expansion<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        loop {
            let (grid, settings, at) = self.next_point()?;
            let start = self.current.as_ref().and_then(|current| current.starts[at].as_ref());
            let Some(job) = self.sweep.job(grid, &settings, start, &self.datasets) else {
                continue;
            };
            if !self.seen.insert(job.id) {
                self.merged += 1;
                continue;
            }
            if self.started_from.contains(&grid.stage())
                && let Some(candidate) = Start::of_job(&job, settings, start)
            {
                self.candidates.add(grid.stage(), candidate);
            }
            return Some(job);
        }
    }
}

impl Sweep {
    /// Expands every grid into jobs, given what the sweep refers to turned out to be, and what is known of
    /// the jobs that others start from.
    ///
    /// # Errors
    ///
    /// Mistakes that only a combination of values shows, such as a patch that does not divide
    /// the resolution.
    pub fn expand<'a>(
        &'a self,
        found: &'a Found,
        known: &'a Known,
    ) -> Result<Expansion<'a>, SweepErrors> {
        self.check_fits(found)?;
        let rules = self.grids.iter().filter_map(|grid| match &grid.origin {
            Some(Origin::Jobs(rule)) => Some(rule.stage),
            _ => None,
        });
        Ok(Expansion {
            sweep: self,
            found,
            datasets: found
                .datasets
                .iter()
                .map(|(name, identity)| (name.as_str(), Arc::new(identity.clone())))
                .collect(),
            known,
            grids: self.grids.iter(),
            current: None,
            seen: HashSet::new(),
            excluded: 0,
            merged: 0,
            candidates: Candidates::default(),
            selections: Vec::new(),
            starts: Vec::new(),
            started_from: rules.collect(),
        })
    }

    /// The choices that the sweep's rules come to, made or open; in the order of its stages.
    ///
    /// # Errors
    ///
    /// As [`Self::expand`].
    pub fn selections(&self, found: &Found, known: &Known) -> Result<Vec<Selection>, SweepErrors> {
        if !self.has_upstream_jobs() {
            return Ok(Vec::new());
        }
        let mut jobs = self.expand(found, known)?;
        jobs.by_ref().for_each(drop);
        Ok(jobs.selections)
    }
}
