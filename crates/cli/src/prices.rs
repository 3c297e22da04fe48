//! What the jobs of a sweep file cost, and what the study knows of them already.

use std::path::Path;

use augreg_spec::{Expansion, Job, JobId, Precision, cost};
use augreg_store::{Difference, MeasuredSpeed, Spent, Store, StoreError};

use crate::estimate::{Kind, Work};
use crate::failure::Failure;
use crate::space::Size;
use crate::sweep_file::Loaded;

/// What jobs cost: all that is kept of them, since there may be a million.
#[derive(Default)]
pub(crate) struct Prices {
    /// Operations of all.
    pub(crate) total: f64,
    kinds: Vec<Kind>,
    jobs: Vec<Price>,
}

struct Price {
    /// Its place among the kinds.
    kind: usize,
    flops: f64,
    precision: Precision,
    size: Size,
    /// Whether it has come to its end.
    ended: bool,
}

/// A sweep file held against a study.
pub(crate) struct Priced<'a> {
    pub(crate) prices: Prices,
    pub(crate) difference: Difference,
    pub(crate) speeds: Vec<MeasuredSpeed>,
    pub(crate) spent: Spent,
    /// The jobs, gone through to the end.
    pub(crate) jobs: Expansion<'a>,
}

impl Prices {
    fn add(&mut self, job: &Job) -> JobId {
        let flops = cost(&job.spec).flops;
        let kind = Kind::of(&job.spec, &job.labels.model);
        // Neighbours are alike, and a sweep has few kinds.
        let kind = self.kinds.iter().rposition(|known| *known == kind).unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        });
        self.total += flops;
        let (precision, size) = (job.spec.precision(), Size::of(&job.spec));
        self.jobs.push(Price { kind, flops, precision, size, ended: false });
        job.id
    }

    /// Whether the job at this place of the sweep has come to its end.
    pub(crate) fn has_ended(&self, place: usize) -> bool {
        self.jobs.get(place).is_some_and(|job| job.ended)
    }

    /// The sizes of the jobs that are to be done.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.jobs.iter().filter(|job| !job.ended).map(|job| job.size)
    }

    /// The sizes of all jobs.
    pub(crate) fn all_sizes(&self) -> impl Iterator<Item = Size> {
        self.jobs.iter().map(|job| job.size)
    }

    /// Operations and precision of the jobs that are to be done.
    pub(crate) fn flops(&self) -> impl Iterator<Item = (f64, Precision)> {
        self.jobs.iter().filter(|job| !job.ended).map(|job| (job.flops, job.precision))
    }

    /// The jobs that are to be done.
    pub(crate) fn work(&self) -> Work {
        let mut flops = vec![Vec::new(); self.kinds.len()];
        for job in self.jobs.iter().filter(|job| !job.ended) {
            flops[job.kind].push(job.flops);
        }
        let work = self.kinds.iter().cloned().zip(flops);
        work.filter(|(_, flops)| !flops.is_empty()).collect()
    }
}

impl<'a> Priced<'a> {
    /// Operations of jobs that open choices will lead to, at most.
    pub(crate) fn pending(&self) -> f64 {
        let open = self.jobs.selections().iter().filter_map(|selection| selection.pending);
        open.fold(0.0, |flops, pending| flops + pending.flops)
    }

    /// Goes through the jobs of a sweep; the study below `root` need not be there.
    pub(crate) async fn of(loaded: &'a Loaded, root: &Path) -> Result<Self, Failure> {
        let mut jobs = loaded.expand()?;
        let mut prices = Prices::default();
        let mut ids = jobs.by_ref().map(|job| prices.add(&job));
        let mut ended = Vec::new();
        let (difference, speeds, spent) = match Store::open_read_only(root).await {
            // Where data are absent no id is known, so nothing can be found again.
            Ok(store) if !loaded.absent.is_empty() => {
                let difference = Difference::all_new(ids.by_ref().count() as u64);
                (difference, store.speeds().await?, Spent::default())
            }
            Ok(store) => {
                let name = &loaded.sweep.name;
                let difference =
                    store.difference(name, &mut ids, |place| ended.push(place)).await?;
                (difference, store.speeds().await?, store.spent(name).await?)
            }
            Err(StoreError::NoStudy { .. }) => {
                let difference = Difference::all_new(ids.by_ref().count() as u64);
                (difference, Vec::new(), Spent::default())
            }
            Err(error) => return Err(error.into()),
        };
        drop(ids);
        for place in ended {
            prices.jobs[place].ended = true;
        }
        Ok(Self { prices, difference, speeds, spent, jobs })
    }
}
