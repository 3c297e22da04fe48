//! The report: every figure, table and sentence of a set of jobs, before any drawing.

use std::cmp::Reverse;

use augreg_protocol::JobState;

use crate::answers::answers;
use crate::colour;
use crate::{Answer, HeatMap, JobRow};

/// Everything a report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub(crate) sweep: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) heat_maps: Vec<HeatMap>,
    pub(crate) answers: Vec<Answer>,
}

impl Report {
    /// The report on `jobs`, called `sweep`; without a name it is the whole study's.
    #[must_use]
    pub fn from_jobs(sweep: Option<&str>, jobs: &[JobRow]) -> Self {
        let heat_maps = HeatMap::all(jobs);
        let answers = answers(jobs, &heat_maps);
        let mut jobs = jobs.to_vec();
        jobs.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
        Self { sweep: sweep.map(str::to_owned), date: None, jobs, heat_maps, answers }
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

    /// Whether any job has a result.
    #[must_use]
    pub fn has_results(&self) -> bool {
        self.jobs.iter().any(|job| job.validation().is_some())
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
