//! What a transaction writes: rows, gathered by kind, each kind handed to SQLite as one statement.
//!
//! SQLite works in a thread of its own, and to hand it a statement and hear of it costs more than most
//! statements do. So whatever number of jobs a transaction is about, it takes a handful of statements;
//! their rows travel as one JSON text, which SQLite takes apart. (It reads decimals of up to 17 digits to
//! the last bit, if their magnitude is between 1e-60 and 1e60.)
//!
//! The rows of a job take effect in the order in which they were added. Within a [`Round`] that is the
//! order of the [`Kind`]s, in which most lives of jobs go: an attempt starts, reports, ends, and its job
//! moves on. What would come too early so waits for the next round.

use std::collections::HashMap;

use augreg_protocol::AttemptKey;
use augreg_spec::JobId;
use serde::Serialize;
use sqlx::{Executor, SqliteConnection};

use crate::checked::checked;
use crate::error::{database, decode};
use crate::{StoreError, rows};

/// What a row does, in the order in which kinds are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An attempt begins: job, number, executor, slot, device, time.
    Start,
    /// A number or a run of numbers: job, name, attempt, first step, points, value, values. The first
    /// that an attempt reports of a step stands: a worker that repeats itself ends no run.
    Metric,
    /// A checkpoint: job, step, attempt, time.
    Checkpoint,
    /// What an attempt found out: job, attempt, the columns of `result`, time. The first stands.
    Result,
    /// What a journal says of its attempt: job, number, next entry, offset, when it was seen; if it
    /// began, version, host, pid, device, threads, step; if it ended, state, failure, message, time,
    /// peak memory, images a second; images of a micro-batch; joules; the device's name; if a batch system put it somewhere, the
    /// task, its number, the node, restarts, GPUs. An end stands over whatever was thought of the attempt before.
    Learn,
    /// An attempt is given up: job, number, state, failure, message, time.
    GiveUp,
    /// Nothing more is expected of an attempt that was given up: job, number.
    Settle,
    /// A job moves: job, state.
    Move,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Start,
        Self::Metric,
        Self::Checkpoint,
        Self::Result,
        Self::Learn,
        Self::GiveUp,
        Self::Settle,
        Self::Move,
    ];

    /// What its statement does, for an error, and the statement.
    #[expect(clippy::too_many_lines, reason = "a statement a kind, and nothing else")]
    fn statement(self) -> (&'static str, &'static str) {
        match self {
            Self::Start => (
                "start attempts",
                checked!(
                    "INSERT INTO attempt (job_id, number, state, executor, slot, device, started)
                     SELECT value ->> 0, value ->> 1, 'running', value ->> 2, value ->> 3,
                            value ->> 4, value ->> 5
                     FROM json_each(?)",
                    _
                ),
            ),
            Self::Metric => (
                "store metrics",
                checked!(
                    r#"INSERT INTO metric_series
                           (job_id, name, attempt, first, points, value, "values")
                       SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                              value ->> 5, value ->> 6
                       FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"#,
                    _
                ),
            ),
            Self::Checkpoint => (
                "store checkpoints",
                checked!(
                    "INSERT INTO checkpoint (job_id, step, attempt, at)
                     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
                     FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
                    _
                ),
            ),
            Self::Result => (
                "store results",
                checked!(
                    "INSERT INTO result (job_id, attempt, best_val, final_val, final_test, train_loss,
                                         steps, seconds, images_per_second, peak_memory,
                                         parameters_sha256, optimizer_sha256, order_hash,
                                         epoch_order_hashes)
                     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                            value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9,
                            value ->> 10, value ->> 11, value ->> 12, value ->> 13
                     FROM json_each(?) WHERE true ON CONFLICT (job_id) DO NOTHING",
                    _
                ),
            ),
            Self::Learn => (
                "store what journals say of their attempts",
                checked!(
                    "UPDATE attempt SET
                         version = coalesce(new.value ->> '$[5][0]', version),
                         host = coalesce(new.value ->> '$[10][2]', new.value ->> '$[5][1]', host),
                         pid = coalesce(new.value ->> '$[5][2]', pid),
                         device = coalesce(new.value ->> '$[5][3]', device),
                         threads = coalesce(new.value ->> '$[5][4]', threads),
                         from_step = coalesce(new.value ->> '$[5][5]', from_step),
                         failure = iif(new.value ->> 6 IS NULL, failure, new.value ->> '$[6][1]'),
                         message = iif(new.value ->> 6 IS NULL, message, new.value ->> '$[6][2]'),
                         state = coalesce(new.value ->> '$[6][0]', state),
                         ended = coalesce(new.value ->> '$[6][3]', ended),
                         peak_memory = coalesce(new.value ->> '$[6][4]', peak_memory),
                         images_per_second = coalesce(new.value ->> '$[6][5]', images_per_second),
                         micro_batch = coalesce(new.value ->> 7, micro_batch),
                         energy = coalesce(new.value ->> 8, energy),
                         device_name = coalesce(new.value ->> 9, device_name),
                         slot = coalesce(new.value ->> '$[10][0]', slot),
                         batch_job = coalesce(new.value ->> '$[10][1]', batch_job),
                         restarts = coalesce(new.value ->> '$[10][3]', restarts),
                         gpus = coalesce(new.value ->> '$[10][4]', gpus),
                         next_seq = new.value ->> 2,
                         journal_offset = max(journal_offset, new.value ->> 3),
                         seen = max(coalesce(seen, 0), new.value ->> 4)
                     FROM json_each(?) AS new
                     WHERE job_id = new.value ->> 0 AND number = new.value ->> 1",
                    _
                ),
            ),
            Self::GiveUp => (
                "give attempts up",
                checked!(
                    "UPDATE attempt SET
                         failure = iif(state = 'running', new.value ->> 3, failure),
                         message = iif(state = 'running', new.value ->> 4, message),
                         ended = coalesce(ended, new.value ->> 5),
                         given_up = iif(state = 'running', 1, given_up),
                         state = iif(state = 'running', new.value ->> 2, state)
                     FROM json_each(?) AS new
                     WHERE job_id = new.value ->> 0 AND number = new.value ->> 1",
                    _
                ),
            ),
            Self::Settle => (
                "settle attempts that were given up",
                checked!(
                    "UPDATE attempt SET given_up = 0 FROM json_each(?) AS new
                     WHERE job_id = new.value ->> 0 AND number = new.value ->> 1",
                    _
                ),
            ),
            Self::Move => (
                "change the states of jobs",
                checked!(
                    "UPDATE job SET state = new.value ->> 1 FROM json_each(?) AS new
                     WHERE job.id = new.value ->> 0",
                    _
                ),
            ),
        }
    }

    /// Whether one statement may hold several rows of a job.
    fn repeats(self) -> bool {
        matches!(self, Self::Metric | Self::Checkpoint)
    }
}

const EVENTS: &str = checked!(
    "INSERT INTO event (at, job_id, attempt, actor, what, reason)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
     FROM json_each(?)",
    _
);

/// Says of results that are not the first of their job whether they are the same.
const SECOND_RESULTS: &str = checked!(
    "INSERT INTO event (at, job_id, attempt, actor, what, reason)
     SELECT new.value ->> 14, job_id, new.value ->> 1, 'store', 'second-result',
            'attempt ' || attempt || ' had finished the job before'
            || iif(parameters_sha256 = new.value ->> 10, '; both have the same parameters',
                   '; the parameters DIFFER, the first result stands')
     FROM json_each(?) AS new
     CROSS JOIN result ON job_id = new.value ->> 0 AND attempt <> new.value ->> 1",
    _
);

/// Rows as a JSON array of arrays.
#[derive(Debug, Default)]
struct Rows {
    text: String,
    count: u64,
}

impl Rows {
    fn push(&mut self, row: &str) {
        self.text.push(if self.count == 0 { '[' } else { ',' });
        self.text.push_str(row);
        self.count += 1;
    }

    fn json(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

/// Rows of which no two of a job change the same, by kind.
type Round = [Rows; Kind::ALL.len()];

/// How far a job has got.
#[derive(Debug, Default)]
struct Reached {
    round: usize,
    kind: Option<Kind>,
}

/// Rows to be written together, all or none.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    rounds: Vec<Round>,
    reached: HashMap<JobId, Reached>,
    /// Lines of the audit, of all rounds.
    events: Rows,
    /// What could not be added.
    broken: Option<StoreError>,
}

impl Batch {
    /// Adds a row about a job, an array of what its [`Kind`] says.
    pub(crate) fn add(&mut self, job: JobId, kind: Kind, row: &impl Serialize) {
        let Some(row) = self.encode(row) else { return };
        let reached = self.reached.entry(job).or_default();
        if reached.kind.is_some_and(|last| kind < last || (kind == last && !kind.repeats())) {
            reached.round += 1;
        }
        reached.kind = Some(kind);
        let round = reached.round;
        if self.rounds.len() == round {
            self.rounds.push(Round::default());
        }
        self.rounds[round][kind as usize].push(&row);
    }

    /// Adds a line of the audit: time, job, attempt, actor, what, reason. They keep their order.
    pub(crate) fn event(&mut self, row: &impl Serialize) {
        if let Some(row) = self.encode(row) {
            self.events.push(&row);
        }
    }

    fn encode(&mut self, row: &impl Serialize) -> Option<String> {
        match serde_json::to_string(row) {
            Ok(row) => Some(row),
            Err(error) => {
                self.broken.get_or_insert(decode("a row", &"a write")(error));
                None
            }
        }
    }

    /// Writes the rows in a transaction of their own and commits it.
    ///
    /// # Errors
    ///
    /// Nothing is changed then, unless the commit itself failed: then the connection is not to be
    /// used any more.
    pub(crate) async fn commit(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.rounds.is_empty() && self.events.count == 0 {
            return Ok(());
        }
        let begin = "BEGIN IMMEDIATE";
        connection.execute(begin).await.map_err(database("begin a transaction"))?;
        if let Err(error) = self.write(connection).await {
            // Fails where SQLite has rolled back by itself.
            let _ = connection.execute("ROLLBACK").await;
            return Err(error);
        }
        connection.execute("COMMIT").await.map_err(database("commit")).map(drop)
    }

    async fn write(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for round in self.rounds {
            for (kind, rows) in Kind::ALL.into_iter().zip(round) {
                write(connection, kind, rows).await?;
            }
        }
        if self.events.count > 0 {
            execute(connection, "write the audit", EVENTS, &self.events.json()).await?;
        }
        Ok(())
    }
}

async fn write(
    connection: &mut SqliteConnection,
    kind: Kind,
    rows: Rows,
) -> Result<(), StoreError> {
    if rows.count == 0 {
        return Ok(());
    }
    let count = rows.count;
    let (what, sql) = kind.statement();
    let rows = rows.json();
    let written = execute(connection, what, sql, &rows).await?;
    match kind {
        Kind::Result if written < count => {
            execute(connection, "note second results", SECOND_RESULTS, &rows).await.map(drop)
        }
        Kind::Move if written < count => Err(unknown_job(connection, &rows).await?),
        Kind::GiveUp if written < count => Err(unknown_attempt(connection, &rows).await?),
        _ => Ok(()),
    }
}

/// Executes a statement on rows. Returns how many it changed.
async fn execute(
    connection: &mut SqliteConnection,
    what: &'static str,
    sql: &'static str,
    rows: &str,
) -> Result<u64, StoreError> {
    let done = sqlx::query(sql).bind(rows).execute(connection).await.map_err(database(what))?;
    Ok(done.rows_affected())
}

/// Names a job that does not exist, of rows that begin with one.
async fn unknown_job(
    connection: &mut SqliteConnection,
    rows: &str,
) -> Result<StoreError, StoreError> {
    let prefix = sqlx::query_scalar!(
        r#"SELECT value ->> 0 AS "job!: String" FROM json_each(?) AS row
           WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.id = row.value ->> 0) LIMIT 1"#,
        rows
    )
    .fetch_one(connection)
    .await
    .map_err(database("find a job"))?;
    Ok(StoreError::UnknownJob { prefix })
}

/// Names an attempt that does not exist, of rows that begin with job and number.
async fn unknown_attempt(
    connection: &mut SqliteConnection,
    rows: &str,
) -> Result<StoreError, StoreError> {
    let row = sqlx::query!(
        r#"SELECT value ->> 0 AS "job!: String", value ->> 1 AS "number!: u32"
           FROM json_each(?) AS row
           WHERE NOT EXISTS (
               SELECT 1 FROM attempt WHERE job_id = row.value ->> 0 AND number = row.value ->> 1
           ) LIMIT 1"#,
        rows
    )
    .fetch_one(connection)
    .await
    .map_err(database("find an attempt"))?;
    let attempt = AttemptKey { job: rows::job_id(&row.job)?, number: row.number };
    Ok(StoreError::UnknownAttempt { attempt })
}
