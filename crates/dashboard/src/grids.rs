//! Grids that were counted lately. To count one of fifty thousand jobs takes a good part of a second, so a
//! page shows the last one while the next is being counted, and no page waits long for the first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use augreg_store::Pulse;
use tracing::warn;

use crate::grid::Grid;
use crate::layout::{Layout, Wanted};
use crate::state::{Shared, State};
use crate::trouble::Trouble;

/// How long a page waits for a grid that was never counted; then it says so, and hears when it is.
const PATIENCE: Duration = Duration::from_millis(120);

/// A grid is counted again after so many times as long as it took: so that counting takes no more than a
/// small part of a processor, however large a study is.
const REST: u32 = 8;

/// Grids that are kept.
const KEPT: usize = 64;

type Key = (String, Wanted);

/// What was counted, by sweep and layout.
#[derive(Default)]
pub(crate) struct Grids(Mutex<BTreeMap<Key, Entry>>);

struct Entry {
    grid: Option<Arc<Grid>>,
    pulse: Pulse,
    counted: Instant,
    took: Duration,
    /// Whether somebody is at it.
    busy: bool,
}

impl Grids {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is, and, if it is to be counted again, in how long. Whoever is told so has to.
    fn look(&self, key: &Key, pulse: Pulse) -> (Option<Arc<Grid>>, Option<Duration>) {
        let mut entries = self.lock();
        if entries.len() > KEPT {
            entries.retain(|_, entry| entry.busy);
        }
        let (counted, took) = (Instant::now(), Duration::ZERO);
        let new = || Entry { grid: None, pulse: Pulse::default(), counted, took, busy: false };
        let entry = entries.entry(key.clone()).or_insert_with(new);
        let due = entry.grid.is_none() || entry.pulse != pulse;
        let mine = due && !entry.busy;
        entry.busy |= mine;
        let rest = (entry.took * REST).saturating_sub(entry.counted.elapsed());
        (entry.grid.clone(), mine.then_some(rest))
    }

    fn keep(&self, key: &Key, pulse: Pulse, began: Instant, grid: Option<Arc<Grid>>) {
        let mut entries = self.lock();
        match grid {
            None => _ = entries.remove(key),
            grid => {
                let (counted, took) = (Instant::now(), began.elapsed());
                entries.insert(key.clone(), Entry { grid, pulse, counted, took, busy: false });
            }
        }
    }
}

/// The grid of a sweep; none: it is being counted for the first time, and live pages will hear of it.
pub(crate) async fn get(
    state: &Shared,
    sweep: &str,
    wanted: Wanted,
) -> Result<Option<Arc<Grid>>, Trouble> {
    let key = (sweep.to_owned(), wanted);
    let (there, mine) = state.grids.look(&key, state.store.pulse());
    let Some(rest) = mine else { return Ok(there) };
    let counting = tokio::spawn(count_again(Arc::clone(state), key, rest));
    if there.is_some() {
        return Ok(there);
    }
    match tokio::time::timeout(PATIENCE, counting).await {
        Ok(Ok(counted)) => counted.map(Some),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

async fn count_again(state: Shared, key: Key, rest: Duration) -> Result<Arc<Grid>, Trouble> {
    tokio::time::sleep(rest).await;
    let (pulse, began) = (state.store.pulse(), Instant::now());
    let counted = count(&state, &key).await.map(Arc::new);
    if let Err(trouble) = &counted {
        // Nobody may be waiting for it any more.
        warn!(sweep = key.0, ?trouble, "a grid could not be counted");
    }
    state.grids.keep(&key, pulse, began, counted.as_ref().ok().cloned());
    state.touch();
    counted
}

async fn count(state: &State, (sweep, wanted): &Key) -> Result<Grid, Trouble> {
    let stages = state.store.stage_axes(sweep).await?;
    let named = wanted.stage.as_deref().unwrap_or("pretrain");
    let chosen = stages.iter().find(|stage| stage.stage == named).or(stages.first()).cloned();
    let Some(chosen) = chosen else {
        let empty = augreg_store::StageAxes { stage: String::new(), jobs: 0, varied: Vec::new() };
        let layout = Layout::of(&empty, wanted);
        return Ok(Grid { stages, stage: None, layout, groups: Vec::new() });
    };
    let layout = Layout::of(&chosen, wanted);
    let groups = state.store.cells(sweep, &chosen, &layout.axes(), &layout.measure).await?;
    Ok(Grid { stages, stage: Some(chosen), layout, groups })
}
