//! Rules that choose what jobs start from: when the last candidate of a group has come to its end, the
//! sweep is expanded again, knowing more, and the jobs that follow are registered.

use std::collections::HashSet;

use augreg_protocol::with_causes;
use augreg_spec::{JobId, Selection, Sweep, SweepErrors};
use augreg_store::{Difference, NewSweep, RuledSweep, Rules, Store, StoreError};
use thiserror::Error;
use tracing::warn;

/// The sweep files of a run whose rules have not all chosen.
#[derive(Debug, Default)]
pub(super) struct Selections(Vec<Open>);

/// A sweep with choices to be made.
#[derive(Debug)]
struct Open {
    ruled: RuledSweep,
    sweep: Sweep,
    /// Of each open choice, the candidates that have not ended.
    left: Vec<HashSet<JobId>>,
    /// Whether something may be chosen now.
    due: bool,
}

/// Why a registered sweep cannot be expanded again.
#[derive(Debug, Error)]
enum Unusable {
    #[error("its sweep file is not understood by this augreg")]
    Sweep(#[from] SweepErrors),
    #[error("the study's database failed")]
    Store(#[from] StoreError),
}

/// What was chosen, for a person.
pub(super) struct Chosen {
    pub(super) lines: Vec<String>,
    /// Jobs that follow.
    pub(super) new: u64,
}

impl Selections {
    /// The sweep of this name, or all, as far as there is something to choose. One that cannot be expanded
    /// again is told and left alone: its other jobs are run.
    pub(super) async fn of(
        store: &Store,
        name: Option<&str>,
    ) -> Result<(Self, Vec<String>), StoreError> {
        let (mut all, mut notes) = (Vec::new(), Vec::new());
        for ruled in store.ruled_sweeps(name).await? {
            match ruled.parse() {
                Ok(sweep) => {
                    all.push(Open { ruled, sweep, left: Vec::new(), due: true });
                }
                Err(error) => {
                    let why = with_causes(&Unusable::from(error));
                    let name = &ruled.name;
                    let note = format!(
                        "the rules of `{name}` choose nothing more: {why}. Launch the sweep file again"
                    );
                    warn!("{note}");
                    notes.push(note);
                }
            }
        }
        Ok((Self(all), notes))
    }

    /// Takes note of a job that came to its end.
    pub(super) fn ended(&mut self, job: JobId) {
        for open in &mut self.0 {
            for left in &mut open.left {
                open.due |= left.remove(&job) && left.is_empty();
            }
        }
    }

    /// Whether something may be chosen now.
    pub(super) fn are_due(&self) -> bool {
        self.0.iter().any(|open| open.due)
    }

    /// Whether there will be something to choose, when jobs that are left have ended.
    pub(super) fn are_open(&self) -> bool {
        self.0.iter().any(|open| open.due || open.left.iter().any(|left| !left.is_empty()))
    }

    /// Chooses what can be chosen, and registers what follows. What could not be written is tried
    /// again the next time.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn choose(&mut self, store: &Store) -> Result<Chosen, StoreError> {
        let mut all = Chosen { lines: Vec::new(), new: 0 };
        for open in self.0.iter_mut().filter(|open| open.due) {
            match open.choose(store).await {
                Ok(chosen) => {
                    all.lines.extend(chosen.lines);
                    all.new += chosen.new;
                }
                Err(Unusable::Store(error)) => return Err(error),
                Err(Unusable::Sweep(error)) => {
                    let why = with_causes(&error);
                    all.lines
                        .push(format!("`{}` cannot be expanded again: {why}", open.ruled.name));
                    (open.due, open.left) = (false, Vec::new());
                }
            }
        }
        Ok(all)
    }
}

impl Open {
    /// Expands the sweep with what is known now. New choices lead to new jobs, which may lead to new
    /// choices, when they have ended.
    async fn choose(&mut self, store: &Store) -> Result<Chosen, Unusable> {
        let known = store.known(&self.ruled.name).await?;
        let selections = self.sweep.selections(&self.ruled.found, &known)?;
        let is_new =
            |made: &&Selection| made.chosen.is_some() && !known.chosen.contains_key(&made.key);
        let lines: Vec<String> = selections.iter().filter(is_new).map(line).collect();
        let mut new = 0;
        if !lines.is_empty() {
            new = self.register(store, &known, selections.clone()).await?.new;
        }
        let open = selections.iter().filter(|selection| selection.chosen.is_none());
        let left = open.map(|selection| {
            let candidates = selection.candidates.iter().copied();
            candidates.filter(|job| !known.ended.contains_key(job)).collect()
        });
        self.left = left.collect();
        self.due = false;
        Ok(Chosen { lines, new })
    }

    async fn register(
        &self,
        store: &Store,
        known: &augreg_spec::Known,
        selections: Vec<Selection>,
    ) -> Result<Difference, Unusable> {
        let RuledSweep { name, text, base, included, found, datasets, priority } = &self.ruled;
        let rules = Rules {
            base: base.clone(),
            included: included.clone(),
            checkpoints: found.checkpoints.clone(),
            selections,
        };
        let sweep = NewSweep {
            name,
            text,
            jobs: &mut self.sweep.expand(found, known)?,
            datasets,
            priority: *priority,
            rules: Some(&rules),
        };
        Ok(store.register_sweep(sweep).await?)
    }
}

/// `chose 2 of 28 (model=B/16 dataset=i21k): a1b2, …: final_val 47.70 %, the next 47.10 %`
fn line(selection: &Selection) -> String {
    let Selection { group, candidates, chosen, reason, stage, .. } = selection;
    let ids: Vec<_> = chosen.iter().flatten().copied().map(JobId::short).collect();
    let group = if group.is_empty() { String::new() } else { format!(" of {group}") };
    format!(
        "{} starts from {} of {} candidates{group}: {} ({reason})",
        stage.name(),
        ids.len(),
        candidates.len(),
        ids.join(", ")
    )
}
