//! Data sets that stay in memory between the attempts of a warm worker.

use std::sync::Arc;

use augreg_data::{DataError, Dataset};
use augreg_spec::{DataSource, DatasetIdentity};

/// How many data sets are held at once: a sweep's jobs arrive mixed, but name few data sets.
const HELD: usize = 3;

/// The data sets last used, newest first.
#[derive(Debug, Default)]
pub struct DatasetCache {
    held: Vec<(DataSource, DatasetIdentity, Arc<Dataset>)>,
}

impl DatasetCache {
    /// The data set `identity` from `source`, opened if it is not at hand.
    ///
    /// # Errors
    ///
    /// [`DataError`] if it cannot be opened or is not what the identity says.
    pub fn get(
        &mut self,
        source: &DataSource,
        identity: &DatasetIdentity,
    ) -> Result<Arc<Dataset>, DataError> {
        let held = self.held.iter().position(|(s, i, _)| s == source && i == identity);
        let entry = if let Some(index) = held {
            self.held.remove(index)
        } else {
            self.held.truncate(HELD - 1); // Before opening, so that memory is free for it.
            let dataset = Arc::new(Dataset::open(source, identity)?);
            (source.clone(), identity.clone(), dataset)
        };
        let dataset = Arc::clone(&entry.2);
        self.held.insert(0, entry);
        Ok(dataset)
    }
}
