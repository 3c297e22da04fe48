//! Sweeps enter the study: jobs are added, shared ones found again, none is ever taken out.
//!
//! A sweep may have a million jobs, so they pass through a piece at a time, and the next piece is
//! made while SQLite, in its own thread, stores the last. It is one transaction all the same.

use augreg_spec::{DataSource, DatasetIdentity, Job};
use sqlx::SqliteConnection;

use crate::clock::now;
use crate::difference::{Asked, Difference, look_up};
use crate::error::database;
use crate::new_jobs::{NewJobs, NewTally, Piece};
use crate::rows::json_text;
use crate::rules::{Rules, store_rules};
use crate::writer::WriteConnection;
use crate::{Store, StoreError};

/// A sweep to be registered.
pub struct NewSweep<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sweep file's text.
    pub text: &'a str,
    /// The jobs it asks for, in the order of its grid, no id twice.
    pub jobs: &'a mut (dyn Iterator<Item = Job> + Send),
    /// Every data set of `jobs`.
    pub datasets: &'a [NewDataset],
    /// Jobs of higher priority run first.
    pub priority: i64,
    /// What it takes to expand it again, if its stages start from each other.
    pub rules: Option<&'a Rules>,
}

/// A data set of a sweep.
#[derive(Debug, Clone)]
pub struct NewDataset {
    /// What the sweep calls it.
    pub name: String,
    /// What it is to a job.
    pub identity: DatasetIdentity,
    /// Where it lies now.
    pub source: DataSource,
}

impl Store {
    /// Registers a sweep, or its new version, in one transaction.
    ///
    /// Jobs that the study knows are shared and keep their state; their labels become those of this
    /// sweep and their priority the higher of both. Jobs no longer asked for stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownDataset`] if a job's data set is not among `datasets`; whatever the
    /// database reports. Nothing is registered then.
    pub async fn register_sweep(&self, sweep: NewSweep<'_>) -> Result<Difference, StoreError> {
        let mut connection = self.writer()?.connection().await;
        let result = register(&mut connection, sweep).await;
        if result.is_err() {
            // It may not look at checks.
            connection.discard();
        }
        result
    }
}

async fn register(
    connection: &mut WriteConnection,
    sweep: NewSweep<'_>,
) -> Result<Difference, StoreError> {
    let mut transaction = connection.begin().await?;
    let difference = enter(&mut transaction, sweep).await?;
    transaction.commit().await.map_err(database("commit a sweep"))?;
    Ok(difference)
}

/// Brings a sweep into a study, within a transaction of the caller's.
pub(crate) async fn enter(
    connection: &mut SqliteConnection,
    sweep: NewSweep<'_>,
) -> Result<Difference, StoreError> {
    let at = now();
    let id = store_sweep(connection, &sweep, at).await?;
    store_datasets(connection, sweep.datasets).await?;
    store_rules(connection, id, at, sweep.rules, sweep.datasets).await?;
    look_at_checks(connection, false).await?;
    let mut registration = Registration::begin(connection, id, at, &sweep).await?;
    let mut source = NewJobs::of(sweep, at);
    let mut piece = source.take_piece().await?;
    while !piece.asked.is_empty() {
        let (stored, next) = tokio::join!(biased; registration.store(piece), source.take_piece());
        stored?;
        piece = next?;
    }
    let difference = registration.finish().await?;
    look_at_checks(connection, true).await?;
    Ok(difference)
}

/// Whether SQLite looks at CHECK constraints. While jobs are inserted, which cannot be at odds with
/// them by their types, it need not: a check that calls a function, as that of an id's length does,
/// may fail half-way, so SQLite keeps a copy of each page that a statement touches, and the index on
/// ids touches another page with each row.
async fn look_at_checks(connection: &mut SqliteConnection, look: bool) -> Result<(), StoreError> {
    let sql = if look {
        "PRAGMA ignore_check_constraints = OFF"
    } else {
        "PRAGMA ignore_check_constraints = ON"
    };
    let done = sqlx::query(sql).execute(connection).await;
    done.map(drop).map_err(database("register a sweep"))
}

async fn store_sweep(
    connection: &mut SqliteConnection,
    sweep: &NewSweep<'_>,
    at: i64,
) -> Result<i64, StoreError> {
    let NewSweep { name, text, .. } = *sweep;
    sqlx::query_scalar!(
        "INSERT INTO sweep (name, text, created, updated) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (name) DO UPDATE SET text = excluded.text, updated = excluded.updated
         RETURNING id",
        name,
        text,
        at
    )
    .fetch_one(connection)
    .await
    .map_err(database("register a sweep"))
}

async fn store_datasets(
    connection: &mut SqliteConnection,
    datasets: &[NewDataset],
) -> Result<(), StoreError> {
    for NewDataset { name, identity, source } in datasets {
        let (fingerprint, identity) = (identity.fingerprint(), identity.canonical());
        let source = json_text("where a data set lies", name, source)?;
        sqlx::query!(
            "INSERT INTO dataset (fingerprint, name, source, identity) VALUES (?, ?, ?, ?)
             ON CONFLICT (fingerprint) DO UPDATE
             SET name = excluded.name, source = excluded.source, identity = excluded.identity",
            fingerprint,
            name,
            source,
            identity
        )
        .execute(&mut *connection)
        .await
        .map_err(database("register a data set"))?;
    }
    Ok(())
}

/// A registration under way.
struct Registration<'a> {
    connection: &'a mut SqliteConnection,
    sweep: i64,
    at: i64,
    priority: i64,
    /// The last job of the study before it began.
    last_before: i64,
    /// The last job of the study now.
    last: i64,
    /// The place in the grid of the job that comes next.
    position: i64,
    /// How many jobs the sweep asked for before, and still does.
    asked_before: i64,
    still_asked: i64,
    /// Jobs of the study that are asked for, by their ordinals.
    shared: Vec<i64>,
    new: NewTally,
    /// Whether jobs of the study became part of the sweep, or moved in its grid.
    changed: bool,
    difference: Difference,
}

impl<'a> Registration<'a> {
    async fn begin(
        connection: &'a mut SqliteConnection,
        sweep: i64,
        at: i64,
        new: &NewSweep<'_>,
    ) -> Result<Self, StoreError> {
        let last =
            sqlx::query_scalar!(r#"SELECT coalesce(max(ordinal), 0) AS "ordinal!: i64" FROM job"#)
                .fetch_one(&mut *connection)
                .await
                .map_err(database("find the last job"))?;
        let asked_before = asked(connection, sweep).await?;
        Ok(Self {
            connection,
            sweep,
            at,
            priority: new.priority,
            last_before: last,
            last,
            position: 0,
            asked_before,
            still_asked: 0,
            shared: Vec::new(),
            new: NewTally::default(),
            changed: false,
            difference: Difference::default(),
        })
    }

    /// Stores a piece of the sweep, whose jobs may all be new, or not.
    async fn store(&mut self, piece: Piece) -> Result<(), StoreError> {
        let Piece { insertion, asked, new: all_new } = piece;
        let length = asked.len() as i64;
        let new = insertion.execute(self.connection).await?;
        let before = self.last;
        self.last += new;
        if new == length {
            self.new.add_all(all_new);
            self.join_new(before).await?;
        } else {
            self.share(&asked).await?;
        }
        self.difference.new += new as u64;
        self.position += length;
        Ok(())
    }

    /// Makes the jobs after `before`, all of them new, part of the sweep.
    async fn join_new(&mut self, before: i64) -> Result<(), StoreError> {
        let ahead = self.position - before - 1;
        sqlx::query!(
            "INSERT INTO member (sweep_id, ordinal, position)
             SELECT ?1, ordinal, ordinal + ?2 FROM job WHERE ordinal > ?3",
            self.sweep,
            ahead,
            before
        )
        .execute(&mut *self.connection)
        .await
        .map_err(database("register a sweep's jobs"))?;
        Ok(())
    }

    /// Makes jobs part of the sweep of which the study had some already.
    async fn share(&mut self, asked: &[Asked]) -> Result<(), StoreError> {
        self.rename(asked).await?;
        let ids: Vec<&str> = asked.iter().map(|asked| asked.id.as_str()).collect();
        let known = look_up(self.connection, Some(self.sweep), &ids).await?;
        let mut members = Vec::with_capacity(known.len());
        for job in &known {
            members.push((job.ordinal, self.position + job.place));
            if job.ordinal > self.last_before {
                self.new.add(job.state, job.flops);
            } else {
                self.difference.count(job.state, 1);
                self.still_asked += i64::from(job.asked);
                self.shared.push(job.ordinal);
            }
        }
        let members = json_text("jobs", "a sweep", &members)?;
        let joined = sqlx::query!(
            "INSERT INTO member (sweep_id, ordinal, position)
             SELECT ?, value ->> 0, value ->> 1 FROM json_each(?) WHERE true
             ON CONFLICT (sweep_id, ordinal) DO UPDATE
             SET position = excluded.position, orphaned = 0
             WHERE orphaned OR position <> excluded.position",
            self.sweep,
            members
        )
        .execute(&mut *self.connection)
        .await
        .map_err(database("register a sweep's jobs"))?;
        self.changed |= joined.rows_affected() > 0;
        Ok(())
    }

    /// Gives jobs the labels of this sweep, and its priority if that is higher.
    async fn rename(&mut self, asked: &[Asked]) -> Result<(), StoreError> {
        let names: Vec<_> = asked.iter().map(|asked| (&asked.id, &asked.labels)).collect();
        let names = json_text("labels", "a sweep", &names)?;
        sqlx::query!(
            "UPDATE job SET labels = named.value ->> 1, priority = max(priority, ?1),
                 dataset = named.value ->> 1 ->> '$.dataset',
                 model = named.value ->> 1 ->> '$.model',
                 augmentation = named.value ->> 1 ->> '$.augmentation'
             FROM json_each(?2) AS named
             WHERE job.id = named.value ->> 0
               AND (labels <> named.value ->> 1 OR priority < ?1)",
            self.priority,
            names
        )
        .execute(&mut *self.connection)
        .await
        .map_err(database("rename jobs"))?;
        Ok(())
    }

    async fn finish(mut self) -> Result<Difference, StoreError> {
        if self.still_asked < self.asked_before {
            self.orphan().await?;
        }
        self.count_new().await?;
        if self.changed || self.difference.orphaned > 0 {
            self.count_again().await?;
        }
        self.note().await?;
        Ok(self.difference)
    }

    /// Marks the jobs that the sweep asked for until now.
    async fn orphan(&mut self) -> Result<(), StoreError> {
        let shared = json_text("jobs", "a sweep", &self.shared)?;
        let orphaned = sqlx::query!(
            "UPDATE member SET orphaned = 1
             WHERE sweep_id = ? AND NOT orphaned AND ordinal <= ?
               AND ordinal NOT IN (SELECT value FROM json_each(?))",
            self.sweep,
            self.last_before,
            shared
        )
        .execute(&mut *self.connection)
        .await
        .map_err(database("orphan jobs"))?;
        self.difference.orphaned = orphaned.rows_affected();
        Ok(())
    }

    /// Adds the new jobs to the tally: of the study, and of the sweep.
    async fn count_new(&mut self) -> Result<(), StoreError> {
        for (state, new, flops) in self.new.states() {
            let state = state.name();
            sqlx::query!(
                "INSERT INTO tally (sweep_id, state, total, flops)
                 VALUES (0, ?1, ?2, ?3), (?4, ?1, ?2, ?3)
                 ON CONFLICT (sweep_id, state) DO UPDATE
                 SET total = total + excluded.total, flops = flops + excluded.flops",
                state,
                new,
                flops,
                self.sweep
            )
            .execute(&mut *self.connection)
            .await
            .map_err(database("count jobs"))?;
        }
        Ok(())
    }

    /// Counts the jobs of the sweep: it shares some, or has lost some.
    async fn count_again(&mut self) -> Result<(), StoreError> {
        let fail = database("count jobs");
        sqlx::query!("DELETE FROM tally WHERE sweep_id = ?", self.sweep)
            .execute(&mut *self.connection)
            .await
            .map_err(&fail)?;
        sqlx::query!(
            "INSERT INTO tally (sweep_id, state, total, flops)
             SELECT sweep_id, state, count(*), sum(flops)
             FROM member JOIN job ON job.ordinal = member.ordinal
             WHERE sweep_id = ? AND NOT orphaned GROUP BY state",
            self.sweep
        )
        .execute(&mut *self.connection)
        .await
        .map_err(&fail)?;
        Ok(())
    }

    async fn note(&mut self) -> Result<(), StoreError> {
        let Difference { new, shared, orphaned, .. } = self.difference;
        let reason = format!("{new} jobs new, {shared} shared, {orphaned} no longer asked for");
        sqlx::query!(
            "INSERT INTO event (at, sweep_id, actor, what, reason)
             VALUES (?, ?, 'user', 'registered', ?)",
            self.at,
            self.sweep,
            reason
        )
        .execute(&mut *self.connection)
        .await
        .map_err(database("write the audit"))?;
        Ok(())
    }
}

/// How many jobs a sweep asks for.
pub(crate) async fn asked(
    connection: &mut SqliteConnection,
    sweep: i64,
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(total), 0) AS "total!: i64" FROM tally WHERE sweep_id = ?"#,
        sweep
    )
    .fetch_one(connection)
    .await
    .map_err(database("count a sweep's jobs"))
}
