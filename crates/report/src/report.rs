//! The report: every figure, table and sentence of a set of jobs, before any drawing.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use augreg_protocol::JobState;

use augreg_store::{Forecast, Rows, Run};

use crate::answers::answers;
use crate::study::{OWN, Study};
use crate::{
    Answer, Exhibit, HeatMap, JobRow, ScoredForecast, colour, figures, questions, scored_forecasts,
};

/// Everything a report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub(crate) sweep: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) heat_maps: Vec<HeatMap>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) exhibits: Vec<Exhibit>,
    /// Figures that the study has nothing for.
    pub(crate) absent: Vec<String>,
    /// Whether imported runs are in it.
    pub(crate) imported: bool,
    /// The published index of the study's runs, if there are any.
    pub(crate) index: Option<Rows>,
    /// How long sweeps were expected to take, held against how long they took.
    pub(crate) forecasts: Vec<ScoredForecast>,
}

impl Report {
    /// The report on `jobs`, called `sweep`; without a name it is the whole study's.
    #[must_use]
    pub fn from_jobs(sweep: Option<&str>, jobs: &[JobRow]) -> Self {
        Self::from_runs(sweep, jobs, &[])
    }

    /// The report on `jobs` and on `runs`: the finished ones among the jobs with their adaptations, and
    /// imported ones. Own runs of which no job is among `jobs` are left out.
    #[must_use]
    pub fn from_runs(sweep: Option<&str>, jobs: &[JobRow], runs: &[Run]) -> Self {
        let ids: BTreeSet<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
        let is_here = |id: &Option<String>| id.as_deref().is_some_and(|id| ids.contains(id));
        let runs: Vec<Run> = runs
            .iter()
            .filter(|run| run.source != OWN || is_here(&run.job_id) || is_here(&run.adapt_job_id))
            .cloned()
            .collect();
        let mut jobs = jobs.to_vec();
        jobs.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
        let own = HeatMap::all(&jobs);
        let mut answers = answers(&jobs, &own);
        let heat_maps = [own, HeatMap::imported(&runs)].concat();
        let study = Study::of(&jobs, &runs);
        let (exhibits, absent) = figures::all(&study, &heat_maps);
        answers.extend(questions::answers(&study));
        let sweep = sweep.map(str::to_owned);
        let imported = runs.iter().any(|run| run.source != OWN);
        let (date, index, forecasts) = (None, None, Vec::new());
        Self { sweep, date, jobs, heat_maps, answers, exhibits, absent, imported, index, forecasts }
    }

    /// Adds the study's index, rows of the store's view `augreg_index`.
    #[must_use]
    pub fn with_index(self, index: Rows) -> Self {
        Self { index: (!index.rows.is_empty()).then_some(index), ..self }
    }

    /// Adds what the study's forecasts came to.
    #[must_use]
    pub fn with_forecasts(self, forecasts: &[Forecast]) -> Self {
        Self { forecasts: scored_forecasts(forecasts), ..self }
    }

    /// Prints this date on the page. Without it the page has none, and equal jobs give equal bytes.
    #[must_use]
    pub fn with_date(self, date: &str) -> Self {
        Self { date: Some(date.to_owned()), ..self }
    }

    /// The sweep's name; `None` for the whole study.
    #[must_use]
    pub fn sweep(&self) -> Option<&str> {
        self.sweep.as_deref()
    }

    /// The jobs: highest test accuracy first, those without a result last.
    #[must_use]
    pub fn jobs(&self) -> &[JobRow] {
        &self.jobs
    }

    /// One heat map per upstream.
    #[must_use]
    pub fn heat_maps(&self) -> &[HeatMap] {
        &self.heat_maps
    }

    /// The other figures and tables that the study has something for.
    #[must_use]
    pub fn exhibits(&self) -> &[Exhibit] {
        &self.exhibits
    }

    /// Figures and tables that the study has nothing for, a line each.
    #[must_use]
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// What the runs say, in words.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// How many jobs are in each state that occurs, in the order of a job's life.
    pub fn counts(&self) -> impl Iterator<Item = (JobState, usize)> {
        let in_state = |state| self.jobs.iter().filter(|job| job.state == state).count();
        JobState::ALL.into_iter().map(move |state| (state, in_state(state))).filter(|c| c.1 > 0)
    }

    /// Whether there is anything to draw: a job with a result, or an imported run.
    #[must_use]
    pub fn has_results(&self) -> bool {
        self.imported || self.jobs.iter().any(JobRow::has_result)
    }

    /// Where the colour scale of all heat maps ends, in points: one scale, so that a colour means
    /// the same difference everywhere.
    pub(crate) fn scale(&self) -> f64 {
        colour::scale_end(self.heat_maps.iter().flat_map(HeatMap::deltas))
    }
}

/// Where a job stands in the results table; the smallest comes first.
fn rank(job: &JobRow) -> (u8, Reverse<u64>, Reverse<u64>) {
    let group = match job.state {
        JobState::Succeeded => 0,
        JobState::Failed => 1,
        JobState::Cancelled => 2,
        JobState::Running => 3,
        JobState::Queued => 4,
        JobState::Waiting => 5,
    };
    // Bits of floats that are not negative are ordered as the floats; no result is below all.
    let bits = |value: Option<f64>| value.map_or(0, |value| value.max(0.0).to_bits() + 1);
    (group, Reverse(bits(job.test())), Reverse(bits(job.validation())))
}
