//! What was submitted to a cluster's batch system: arrays, their tasks, and the jobs of each.
//!
//! Written before anything is submitted, and again when it is known to be. What the batch system says of a
//! task is kept as it says it; what that means is decided elsewhere.

use std::collections::BTreeMap;

use augreg_spec::JobId;
use serde::Serialize;

use crate::clock::now;
use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::{Store, StoreError};

/// An array that is about to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSubmission {
    /// Its name.
    pub name: String,
    /// The jobs of each of its tasks, in the order in which they are taken up.
    pub tasks: Vec<Vec<JobId>>,
}

/// A submission that is not over.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Its number in the study.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The batch system's number; none: it is not known to be submitted.
    pub array_job: Option<String>,
    /// When it was written down, milliseconds since 1970.
    pub prepared: u64,
    /// Its tasks, in the order of their numbers.
    pub tasks: Vec<Task>,
}

/// A task of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its index in the array.
    pub number: u32,
    /// What is known of it.
    pub state: TaskState,
    /// Its jobs, in the order in which they are taken up.
    pub jobs: Vec<JobId>,
}

/// What a batch system says of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskState {
    /// In its own word; `NEW` before it was asked.
    pub state: String,
    /// Why it waits, or ended.
    pub reason: Option<String>,
    /// Where it runs or ran.
    pub node: Option<String>,
    /// Whether nothing more is expected of it.
    pub is_over: bool,
}

impl Store {
    /// Writes down what is about to be submitted. Returns the numbers of the submissions.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written then.
    pub async fn prepare_submissions(
        &self,
        submissions: &[NewSubmission],
    ) -> Result<Vec<i64>, StoreError> {
        let fail = database("write down a submission");
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let mut ids = Vec::new();
        for submission in submissions {
            let at = now();
            let id = sqlx::query!(
                "INSERT INTO submission (name, state, prepared) VALUES (?, 'prepared', ?)",
                submission.name,
                at
            )
            .execute(&mut *transaction)
            .await
            .map_err(&fail)?
            .last_insert_rowid();
            let tasks = submission.tasks.len() as i64;
            sqlx::query!(
                "WITH RECURSIVE counter (number) AS (
                     SELECT 0 UNION ALL SELECT number + 1 FROM counter WHERE number + 1 < ?2
                 )
                 INSERT INTO task (submission_id, number, state)
                 SELECT ?1, number, 'NEW' FROM counter WHERE ?2 > 0",
                id,
                tasks
            )
            .execute(&mut *transaction)
            .await
            .map_err(&fail)?;
            let jobs = json_text("the jobs of tasks", &submission.name, &submission.tasks)?;
            sqlx::query!(
                "INSERT INTO task_job (submission_id, number, position, job_id)
                 SELECT ?1, task.key, job.key, job.value
                 FROM json_each(?2) AS task, json_each(task.value) AS job",
                id,
                jobs
            )
            .execute(&mut *transaction)
            .await
            .map_err(&fail)?;
            ids.push(id);
        }
        transaction.commit().await.map_err(database("commit"))?;
        Ok(ids)
    }

    /// Writes down that a submission is known to the batch system.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn submitted(&self, id: i64, array_job: &str) -> Result<(), StoreError> {
        let at = now();
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        sqlx::query!(
            "UPDATE submission SET array_job = ?, state = 'submitted', submitted = ? WHERE id = ?",
            array_job,
            at,
            id
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("write down what was submitted"))?;
        transaction.commit().await.map_err(database("commit"))
    }

    /// Writes down what the batch system says of tasks: of each the number of its submission and its own.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written then.
    pub async fn set_task_states(
        &self,
        states: &[(i64, u32, TaskState)],
    ) -> Result<(), StoreError> {
        if states.is_empty() {
            return Ok(());
        }
        let (at, rows) = (now(), json_text("states of tasks", "a poll", &states)?);
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        sqlx::query!(
            "UPDATE task SET
                 state = new.value ->> '$[2].state',
                 reason = new.value ->> '$[2].reason',
                 node = coalesce(new.value ->> '$[2].node', node),
                 over = iif(new.value ->> '$[2].is_over', coalesce(over, ?1), NULL)
             FROM json_each(?2) AS new
             WHERE submission_id = new.value ->> 0 AND number = new.value ->> 1",
            at,
            rows
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("write down the states of tasks"))?;
        transaction.commit().await.map_err(database("commit"))
    }

    /// Nothing more is expected of a submission; `message` says why, if it was given up.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_submission(&self, id: i64, message: Option<&str>) -> Result<(), StoreError> {
        let at = now();
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        sqlx::query!(
            "UPDATE submission SET state = 'over', over = ?, message = ? WHERE id = ?",
            at,
            message,
            id
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("end a submission"))?;
        transaction.commit().await.map_err(database("commit"))
    }

    /// How many submissions there ever were: their names count on.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn submissions_so_far(&self) -> Result<u64, StoreError> {
        let count =
            sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "n!: i64" FROM submission"#)
                .fetch_one(self.readers())
                .await
                .map_err(database("count submissions"))?;
        Ok(count as u64)
    }

    /// Whether any submission is not over.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn has_live_submissions(&self) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM submission WHERE state <> 'over') AS "any!: bool""#
        );
        found.fetch_one(self.readers()).await.map_err(database("read submissions"))
    }

    /// The submissions that are not over, with all of their tasks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn live_submissions(&self) -> Result<Vec<Submission>, StoreError> {
        let fail = database("read submissions");
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        let rows = sqlx::query!(
            "SELECT id, name, array_job, prepared FROM submission WHERE state <> 'over' ORDER BY id"
        )
        .fetch_all(&mut *snapshot)
        .await
        .map_err(&fail)?;
        let mut all: BTreeMap<i64, Submission> = BTreeMap::new();
        for row in rows {
            let (id, prepared) = (row.id, row.prepared as u64);
            let (name, array_job, tasks) = (row.name, row.array_job, Vec::new());
            all.insert(id, Submission { id, name, array_job, prepared, tasks });
        }
        let tasks = sqlx::query!(
            r#"SELECT submission_id, number AS "number!: u32", task.state, reason, node,
                      task.over IS NOT NULL AS "is_over!: bool"
               FROM submission JOIN task ON submission_id = submission.id
               WHERE submission.state <> 'over'
               ORDER BY submission_id, number"#
        )
        .fetch_all(&mut *snapshot)
        .await
        .map_err(&fail)?;
        for row in tasks {
            let Some(submission) = all.get_mut(&row.submission_id) else { continue };
            let (state, reason, node) = (row.state, row.reason, row.node);
            let state = TaskState { state, reason, node, is_over: row.is_over };
            submission.tasks.push(Task { number: row.number, state, jobs: Vec::new() });
        }
        let jobs = sqlx::query!(
            r#"SELECT submission_id, number AS "number!: u32", job_id
               FROM submission JOIN task_job ON submission_id = submission.id
               WHERE submission.state <> 'over'
               ORDER BY submission_id, number, position"#
        )
        .fetch_all(&mut *snapshot)
        .await
        .map_err(&fail)?;
        for row in jobs {
            let submission = all.get_mut(&row.submission_id);
            let task = submission.and_then(|found| found.tasks.get_mut(row.number as usize));
            if let Some(task) = task {
                task.jobs.push(job_id(&row.job_id)?);
            }
        }
        Ok(all.into_values().collect())
    }
}
