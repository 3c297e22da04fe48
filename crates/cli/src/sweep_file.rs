//! From the path of a sweep file to its jobs: reads the file, looks at its data sets, checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use augreg_protocol::with_causes;
use augreg_spec::{DatasetIdentity, Expansion, Found, Known, Selection, Surroundings, Sweep};
use augreg_store::{NewDataset, Rules, Store, StoreError};

use crate::checkpoint;
use crate::failure::Failure;

/// A sweep that can be expanded, with its data sets looked at.
pub(crate) struct Loaded {
    pub(crate) sweep: Sweep,
    pub(crate) found: Found,
    /// Of the study's jobs, for rules to choose among.
    known: Known,
    pub(crate) datasets: Vec<NewDataset>,
}

impl Loaded {
    /// The jobs, from the first on.
    pub(crate) fn expand(&self) -> Result<Expansion<'_>, Failure> {
        Ok(self.sweep.expand(&self.found, &self.known)?)
    }

    /// Learns what the study at `root` knows of jobs that others start from.
    pub(crate) async fn learn(&mut self, root: &Path) -> Result<(), Failure> {
        if !self.sweep.has_upstream_jobs() {
            return Ok(());
        }
        match Store::open_read_only(root).await {
            Ok(store) => {
                self.known = store.known(&self.sweep.name).await?;
                store.close().await;
            }
            Err(StoreError::NoStudy { .. } | StoreError::Emptied { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The choices of the sweep's rules, made or open.
    pub(crate) fn selections(&self) -> Result<Vec<Selection>, Failure> {
        Ok(self.sweep.selections(&self.found, &self.known)?)
    }

    /// What it takes to expand the sweep again, if its stages start from each other.
    pub(crate) fn rules(&self) -> Result<Option<Rules>, Failure> {
        if !self.sweep.has_upstream_jobs() {
            return Ok(None);
        }
        Ok(Some(Rules {
            base: self.sweep.base().to_owned(),
            included: self.sweep.included().clone(),
            checkpoints: self.found.checkpoints.clone(),
            selections: self.selections()?,
        }))
    }

    /// What the data set `name` of the sweep is.
    pub(crate) fn identity(&self, name: &str) -> Result<&DatasetIdentity, Failure> {
        let unknown = || Failure::request(format!("there is no data set `{name}`"), "name another");
        self.found.datasets.get(name).ok_or_else(unknown)
    }
}

/// Reads and checks a sweep file. Nothing is created or changed.
pub(crate) fn load(file: &Path) -> Result<Loaded, Failure> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let help = if error.kind() == std::io::ErrorKind::NotFound {
            "give the path of a sweep file, such as sweeps/quickstart.toml"
        } else {
            "a sweep file is a readable TOML text in UTF-8"
        };
        Failure::request(format!("cannot read the sweep file `{shown}`: {error}"), help)
    })?;
    let absolute = std::path::absolute(file)?;
    let base = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let variable = |name: &str| std::env::var(name).ok();
    let read = |path: &Path| std::fs::read_to_string(path);
    let around = Surroundings { base: &base, variable: &variable, read: &read, nested: 0 };
    let sweep = Sweep::parse(&shown, &text, &around)?;
    let found = Found { datasets: identify(&sweep)?, checkpoints: checkpoint::identify(&sweep)? };
    let known = Known::default();
    sweep.expand(&found, &known)?;
    let datasets = sweep
        .datasets
        .values()
        .filter_map(|definition| {
            Some(NewDataset {
                name: definition.name.clone(),
                identity: found.datasets.get(&definition.name)?.clone(),
                source: definition.source.clone(),
            })
        })
        .collect();
    Ok(Loaded { sweep, found, known, datasets })
}

/// Looks at every data set, each on its own thread: reading and hashing them is what takes time.
fn identify(sweep: &Sweep) -> Result<BTreeMap<String, DatasetIdentity>, Failure> {
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = sweep
            .datasets
            .values()
            .map(|definition| {
                (definition.name.clone(), scope.spawn(|| augreg_data::identify(definition)))
            })
            .collect();
        threads.into_iter().map(|(name, thread)| (name, thread.join())).collect()
    });
    let mut identities = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, result) in found {
        match result {
            Ok(Ok(identity)) => {
                identities.insert(name, identity);
            }
            Ok(Err(error)) => faults.push((name, with_causes(&error))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    if faults.is_empty() { Ok(identities) } else { Err(sweep.unreadable(faults).into()) }
}
