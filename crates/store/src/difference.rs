//! What a sweep's jobs are to a study: new, shared, or no longer asked for.

use augreg_protocol::JobState;
use augreg_spec::JobId;
use sqlx::SqliteConnection;

use crate::error::database;
use crate::register::asked;
use crate::rows::{job_state, json_text};
use crate::{Store, StoreError};

/// What a sweep changes, or would change, in a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Jobs that the study does not have yet.
    pub new: u64,
    /// Jobs that the study has already, from this sweep or another: the sum of the next four and
    /// those that wait.
    pub shared: u64,
    /// Shared jobs that have succeeded.
    pub done: u64,
    /// Shared jobs that run.
    pub running: u64,
    /// Shared jobs that have failed.
    pub failed: u64,
    /// Shared jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that the sweep asked for until now and does not any longer. They stay as they are.
    pub orphaned: u64,
}

impl Difference {
    /// The difference to a study that has no job yet.
    #[must_use]
    pub fn all_new(jobs: u64) -> Self {
        Self { new: jobs, ..Self::default() }
    }

    pub(crate) fn count(&mut self, state: JobState, jobs: u64) {
        self.shared += jobs;
        match state {
            JobState::Waiting | JobState::Queued => {}
            JobState::Running => self.running += jobs,
            JobState::Succeeded => self.done += jobs,
            JobState::Failed => self.failed += jobs,
            JobState::Cancelled => self.cancelled += jobs,
        }
    }
}

/// Ids looked up by one statement.
const IDS: usize = 10_000;

impl Store {
    /// What registering a sweep of this name with these jobs would change. `ended` is told of each
    /// job that has come to its end in the study, by its place among `jobs`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn difference(
        &self,
        sweep: &str,
        jobs: &mut (dyn Iterator<Item = JobId> + Send),
        mut ended: impl FnMut(usize),
    ) -> Result<Difference, StoreError> {
        // One transaction, so that all counts are of one moment.
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        let sweep = sqlx::query_scalar!("SELECT id FROM sweep WHERE name = ?", sweep)
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(database("find a sweep"))?;
        let mut difference = Difference::default();
        let (mut total, mut still_asked) = (0, 0);
        loop {
            let ids: Vec<String> = jobs.take(IDS).map(|id| id.to_string()).collect();
            if ids.is_empty() {
                break;
            }
            for job in look_up(&mut snapshot, sweep, &ids).await? {
                difference.count(job.state, 1);
                still_asked += i64::from(job.asked);
                if job.state.is_end() {
                    ended(total + job.place as usize);
                }
            }
            total += ids.len();
        }
        let asked = match sweep {
            Some(sweep) => asked(&mut snapshot, sweep).await?,
            None => 0,
        };
        difference.new = (total as u64).saturating_sub(difference.shared);
        difference.orphaned = (asked - still_asked) as u64;
        Ok(difference)
    }
}

/// A job that a sweep asks for, and what the sweep calls its parts: JSON.
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) labels: String,
}

/// A job of the study that was looked up.
pub(crate) struct Known {
    /// Its place among the ids.
    pub(crate) place: i64,
    pub(crate) ordinal: i64,
    pub(crate) state: JobState,
    pub(crate) flops: f64,
    /// Whether the sweep asks for it already.
    pub(crate) asked: bool,
}

/// Those of `ids` that the study knows.
pub(crate) async fn look_up(
    connection: &mut SqliteConnection,
    sweep: Option<i64>,
    ids: &[impl AsRef<str>],
) -> Result<Vec<Known>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    let ids = json_text("ids", "a sweep", &ids)?;
    let rows = sqlx::query!(
        r#"SELECT CAST(asked.key AS INTEGER) AS "place!: i64", job.ordinal AS "ordinal!: i64", state, flops,
                  EXISTS (
                      SELECT 1 FROM member
                      WHERE sweep_id = ? AND member.ordinal = job.ordinal AND NOT orphaned
                  ) AS "asked!: bool"
           FROM json_each(?) AS asked CROSS JOIN job ON job.id = asked.value"#,
        sweep,
        ids
    )
    .fetch_all(connection)
    .await
    .map_err(database("look jobs up"))?;
    rows.into_iter()
        .map(|row| {
            let state = job_state("a job", &row.state)?;
            let (place, ordinal, flops, asked) = (row.place, row.ordinal, row.flops, row.asked);
            Ok(Known { place, ordinal, state, flops, asked })
        })
        .collect()
}
