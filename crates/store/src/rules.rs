//! Rules that choose what jobs start from: what a sweep needs to be expanded again when one of them can
//! choose, what is known of candidates, and what was chosen.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use augreg_spec::{
    CheckpointIdentity, DatasetIdentity, Found, JobId, Known, Selection, Surroundings, Sweep,
    SweepErrors,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::error::{database, decode};
use crate::rows::{job_id, json, json_text};
use crate::{NewDataset, Store, StoreError};

/// What a sweep whose stages start from each other is registered with, beside its jobs.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The folder that relative paths in the sweep file start from.
    pub base: PathBuf,
    /// The texts of the files it includes, by their paths.
    pub included: BTreeMap<PathBuf, String>,
    /// The files of parameters that it starts from, by path.
    pub checkpoints: BTreeMap<PathBuf, CheckpointIdentity>,
    /// Its choices, made or open.
    pub selections: Vec<Selection>,
}

/// A registered sweep, as it can be expanded again.
#[derive(Debug, Clone)]
pub struct RuledSweep {
    /// Its name.
    pub name: String,
    /// The sweep file's text.
    pub text: String,
    /// The folder that its relative paths start from.
    pub base: PathBuf,
    /// The texts of the files it includes, by their paths.
    pub included: BTreeMap<PathBuf, String>,
    /// What it refers to.
    pub found: Found,
    /// Every data set of its jobs.
    pub datasets: Vec<NewDataset>,
    /// The highest priority of its jobs.
    pub priority: i64,
}

impl RuledSweep {
    /// Reads the registered sweep file again. Where data lie is of no concern; what it includes lies beside it.
    ///
    /// # Errors
    ///
    /// The mistakes that this augreg finds in a file that another one understood.
    pub fn parse(&self) -> Result<Sweep, SweepErrors> {
        let variable = |_: &str| Some(String::new());
        let read = |path: &Path| {
            self.included.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let around = Surroundings { base: &self.base, variable: &variable, read: &read, nested: 0 };
        Sweep::parse(&self.name, &self.text, &around)
    }
}

/// The column `sweep.found`.
#[derive(Serialize, Deserialize)]
struct FoundText {
    base: PathBuf,
    included: BTreeMap<PathBuf, String>,
    /// Fingerprints of the data sets, by name.
    datasets: BTreeMap<String, String>,
    checkpoints: Vec<(PathBuf, CheckpointIdentity)>,
}

/// Writes down what a sweep can be expanded from, and its choices.
pub(crate) async fn store_rules(
    connection: &mut SqliteConnection,
    sweep: i64,
    at: i64,
    rules: Option<&Rules>,
    datasets: &[NewDataset],
) -> Result<(), StoreError> {
    let fail = database("register the rules of a sweep");
    let found = match rules {
        None => None,
        Some(rules) => {
            let fingerprint = |set: &NewDataset| (set.name.clone(), set.identity.fingerprint());
            let found = FoundText {
                base: rules.base.clone(),
                included: rules.included.clone(),
                datasets: datasets.iter().map(fingerprint).collect(),
                checkpoints: rules.checkpoints.clone().into_iter().collect(),
            };
            Some(json_text("what was found", "a sweep", &found)?)
        }
    };
    sqlx::query!("UPDATE sweep SET found = ? WHERE id = ?", found, sweep)
        .execute(&mut *connection)
        .await
        .map_err(&fail)?;
    // A choice that was made stays, whatever becomes of the sweep file: its jobs do.
    sqlx::query!("DELETE FROM selection WHERE sweep_id = ? AND chosen IS NULL", sweep)
        .execute(&mut *connection)
        .await
        .map_err(&fail)?;
    for selection in rules.map_or(&[][..], |rules| &rules.selections) {
        store_selection(connection, sweep, at, selection).await?;
    }
    Ok(())
}

async fn store_selection(
    connection: &mut SqliteConnection,
    sweep: i64,
    at: i64,
    selection: &Selection,
) -> Result<(), StoreError> {
    let Selection { key, stage, rule, group, candidates, chosen, reason, .. } = selection;
    let (stage, candidates) = (stage.name(), candidates.len() as i64);
    let resolved = chosen.as_ref().map(|_| at);
    let text = chosen.as_ref().map(|chosen| json_text("a choice", rule, chosen)).transpose()?;
    let new = sqlx::query!(
        r#"INSERT INTO selection
               (sweep_id, key, stage, rule, "group", candidates, chosen, reason, resolved)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (sweep_id, key) DO NOTHING"#,
        sweep,
        key,
        stage,
        rule,
        group,
        candidates,
        text,
        reason,
        resolved
    )
    .execute(&mut *connection)
    .await
    .map_err(database("register a choice"))?;
    let Some(chosen) = chosen.as_ref().filter(|_| new.rows_affected() > 0) else { return Ok(()) };
    let ids: Vec<_> = chosen.iter().copied().map(JobId::short).collect();
    let of = if group.is_empty() { String::new() } else { format!(" of {group}") };
    let line = format!("{}{of}, {rule}: {reason}", ids.join(", "));
    sqlx::query!(
        "INSERT INTO event (at, sweep_id, actor, what, reason) VALUES (?, ?, 'core', 'chosen', ?)",
        at,
        sweep,
        line
    )
    .execute(&mut *connection)
    .await
    .map_err(database("write the audit"))?;
    Ok(())
}

impl Store {
    /// The sweeps whose stages start from each other: the one of this name, or all there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn ruled_sweeps(&self, name: Option<&str>) -> Result<Vec<RuledSweep>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT sweep.id, name, text, found AS "found!: String",
                      coalesce((
                          SELECT max(priority) FROM member
                          JOIN job ON job.ordinal = member.ordinal
                          WHERE member.sweep_id = sweep.id
                      ), 0) AS "priority!: i64"
               FROM sweep
               WHERE found IS NOT NULL AND (?1 IS NULL OR name = ?1)
               ORDER BY sweep.id"#,
            name
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read the rules of sweeps"))?;
        let mut sweeps = Vec::new();
        for row in rows {
            let found: FoundText = json("what was found", &row.name, &row.found)?;
            let datasets = self.named_datasets(&row.name, &found.datasets).await?;
            let identities = datasets.iter().map(|set| (set.name.clone(), set.identity.clone()));
            sweeps.push(RuledSweep {
                name: row.name,
                text: row.text,
                base: found.base,
                included: found.included,
                found: Found {
                    datasets: identities.collect(),
                    checkpoints: found.checkpoints.into_iter().collect(),
                },
                datasets,
                priority: row.priority,
            });
        }
        Ok(sweeps)
    }

    /// How many choices of a sweep, or of all, have not been made.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_choices(&self, sweep: Option<&str>) -> Result<u64, StoreError> {
        let open = sqlx::query_scalar!(
            r#"SELECT count(*) AS "open!: i64" FROM selection JOIN sweep ON sweep.id = sweep_id
               WHERE chosen IS NULL AND (?1 IS NULL OR name = ?1)"#,
            sweep
        )
        .fetch_one(self.readers())
        .await
        .map_err(database("count open choices"))?;
        Ok(open as u64)
    }

    async fn named_datasets(
        &self,
        sweep: &str,
        names: &BTreeMap<String, String>,
    ) -> Result<Vec<NewDataset>, StoreError> {
        let mut datasets = Vec::new();
        for (name, fingerprint) in names {
            let row = sqlx::query!(
                r#"SELECT source, identity AS "identity!: String" FROM dataset WHERE fingerprint = ?"#,
                fingerprint
            )
            .fetch_optional(self.readers())
            .await
            .map_err(database("read a data set"))?;
            let missing = || format!("data set `{name}` is not in the database");
            let row = row.ok_or_else(|| decode("the rules", &sweep)(missing()))?;
            let identity: DatasetIdentity = json("a data set", name, &row.identity)?;
            let source = json("where a data set lies", name, &row.source)?;
            datasets.push(NewDataset { name: name.clone(), identity, source });
        }
        Ok(datasets)
    }

    /// What is known of the study's jobs to those that choose among them, and what was chosen for the
    /// sweep of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn known(&self, sweep: &str) -> Result<Known, StoreError> {
        let mut ended = HashMap::new();
        let mut rows = sqlx::query!(
            "SELECT id, final_val FROM job LEFT JOIN result ON job_id = id
             WHERE state IN ('succeeded', 'failed', 'cancelled')"
        )
        .fetch(self.readers());
        while let Some(row) = rows.try_next().await.map_err(database("read candidates"))? {
            ended.insert(job_id(&row.id)?, row.final_val);
        }
        let choices = sqlx::query!(
            r#"SELECT key, chosen AS "chosen!: String"
               FROM selection JOIN sweep ON sweep.id = sweep_id
               WHERE name = ? AND chosen IS NOT NULL"#,
            sweep
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read choices"))?;
        let choice = |key: String, text: &str| Ok((key, json("a choice", sweep, text)?));
        let chosen = choices.into_iter().map(|row| choice(row.key, &row.chosen));
        Ok(Known { ended, chosen: chosen.collect::<Result<_, StoreError>>()? })
    }
}
