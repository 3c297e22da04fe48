//! From the path of a sweep file to its jobs: reads the file, looks at its data sets, checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use augreg_data::DataError;
use augreg_protocol::with_causes;
use augreg_spec::{
    DatasetDefinition, DatasetFault, DatasetIdentity, Expansion, Found, Known, Selection,
    Surroundings, Sweep,
};
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
    /// Where data sets should be that are not, and are planned with as they are declared.
    pub(crate) absent: Vec<PathBuf>,
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

    /// Learns what an open study knows of them.
    pub(crate) async fn learn_from(&mut self, store: &Store) -> Result<(), Failure> {
        self.known = store.known(&self.sweep.name).await?;
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

/// Whether data sets must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    Refused,
    /// What is declared of a data set stands for it.
    AsDeclared,
}

/// Reads and checks a sweep file. Nothing is created or changed.
pub(crate) fn load(file: &Path) -> Result<Loaded, Failure> {
    read(file, Absent::Refused)
}

/// The same where data sets need not be there, as long as the file says what they hold.
pub(crate) fn load_to_plan(file: &Path) -> Result<Loaded, Failure> {
    read(file, Absent::AsDeclared)
}

/// Reads a sweep file, and looks at nothing that it names but the sweep files it includes.
pub(crate) fn parse(file: &Path) -> Result<Sweep, Failure> {
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
    Ok(Sweep::parse(&shown, &text, &around)?)
}

fn read(file: &Path, absent: Absent) -> Result<Loaded, Failure> {
    let sweep = parse(file)?;
    let datasets = identify(&sweep, absent)?;
    let found = Found { datasets, checkpoints: checkpoint::identify(&sweep)? };
    let known = Known::default();
    sweep.expand(&found, &known)?;
    let is_declared =
        |name: &String| found.datasets.get(name).is_some_and(DatasetIdentity::is_declared);
    let absent = sweep.datasets.iter().filter(|(name, _)| is_declared(name));
    let mut absent: Vec<_> = absent.map(|(_, found)| found.source.path.clone()).collect();
    absent.sort_unstable();
    absent.dedup();
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
    Ok(Loaded { sweep, found, known, datasets, absent })
}

/// Looks at every data set, each on its own thread: reading and hashing them is what takes time.
fn identify(sweep: &Sweep, absent: Absent) -> Result<BTreeMap<String, DatasetIdentity>, Failure> {
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = sweep
            .datasets
            .values()
            .map(|definition| {
                (definition.name.clone(), scope.spawn(move || look_at(definition, absent)))
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
            Ok(Err((what, is_declaration))) => {
                faults.push(DatasetFault { name, what, is_declaration });
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    if faults.is_empty() { Ok(identities) } else { Err(sweep.unreadable(faults).into()) }
}

/// What a data set is; else what is wrong, and whether that is what is declared of it.
fn look_at(
    definition: &DatasetDefinition,
    absent: Absent,
) -> Result<DatasetIdentity, (String, bool)> {
    let is_absent = !definition.source.path.exists();
    if absent == Absent::AsDeclared && is_absent && !definition.declared.is_empty() {
        return definition.declared_identity().map_err(|error| (error.to_string(), true));
    }
    augreg_data::identify(definition).map_err(|error| {
        let mut what = with_causes(&error);
        if is_absent && definition.declared.is_empty() {
            what += "; `augreg plan` can do without them where the file says what they hold: \
                     `examples = { train = … }` and `classes`";
        }
        (what, matches!(error, DataError::Declared { .. }))
    })
}
