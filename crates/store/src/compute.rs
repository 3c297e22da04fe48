//! What jobs cost as they went: sums for budgets, and courses to compare jobs at equal cost.

use augreg_spec::JobId;

use crate::error::database;
use crate::rows::job_id;
use crate::{Store, StoreError};

/// What the jobs of a sweep have taken so far, all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Device-seconds.
    pub device_seconds: f64,
    /// Floating-point operations; steps that were repeated count again.
    pub flops: f64,
    /// Floating-point operations of jobs that have not ended which need not be done again: their
    /// checkpoints hold them.
    pub begun: f64,
}

/// How a job went: a metric over its steps, and what a step costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The job.
    pub job: JobId,
    /// What its model is called.
    pub model: String,
    /// What its data set is called.
    pub dataset: String,
    /// Floating-point operations of all of its steps.
    pub flops: f64,
    /// Its steps.
    pub steps: u64,
    /// Examples a step; none where nothing is trained.
    pub batch_size: Option<u64>,
    /// Step and value of the metric, ascending.
    pub points: Vec<(u64, f64)>,
    /// Its attempts that began, oldest first.
    pub legs: Vec<Leg>,
    /// The job whose parameters it started from, without points.
    pub upstream: Option<Box<Course>>,
    /// Whether it started from an imported file, of which nobody knows what it cost.
    pub imported: bool,
}

/// An attempt on its way through a job's steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Leg {
    /// The step it went on from.
    pub from: u64,
    /// Steps it had done, and device-seconds since it began, ascending in steps.
    pub marks: Vec<(u64, f64)>,
}

impl Store {
    /// What the jobs of a sweep have taken; nothing if there is no such sweep yet. Jobs that the sweep
    /// asked for once count as well.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn spent(&self, sweep: &str) -> Result<Spent, StoreError> {
        let row = sqlx::query!(
            r#"SELECT coalesce(sum(device_seconds), 0.0) AS "device_seconds!: f64",
                      coalesce(sum(flops_seen), 0.0) AS "flops!: f64",
                      coalesce(sum(job.flops / job.steps * (
                          SELECT max(step) FROM checkpoint
                          WHERE checkpoint.job_id = job.id
                            AND job.state IN ('waiting', 'queued', 'running')
                      )), 0.0) AS "begun!: f64"
               FROM sweep
               JOIN member ON member.sweep_id = sweep.id
               JOIN job ON job.ordinal = member.ordinal AND job.attempts > 0
               JOIN v_compute ON v_compute.job_id = job.id
               WHERE sweep.name = ?"#,
            sweep
        )
        .fetch_one(self.readers())
        .await
        .map_err(database("add up what a sweep has taken"))?;
        Ok(Spent { device_seconds: row.device_seconds, flops: row.flops, begun: row.begun })
    }

    /// How a job went by a metric, and the jobs upstream of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`]. An unknown metric has no points.
    pub async fn course(&self, job: JobId, metric: &str) -> Result<Course, StoreError> {
        let (mut course, mut parent) = self.course_without_points(job).await?;
        course.points = self.curve(job, metric).await?;
        // A chain of transfers is short, and cannot be a ring: an id is a hash of its upstream's.
        let mut upstream = Vec::new();
        while let Some(id) = parent {
            let (before, next) = self.course_without_points(id).await?;
            upstream.push(before);
            parent = next;
        }
        let nested = upstream.into_iter().rev().fold(None, |inner, mut course: Course| {
            course.upstream = inner;
            Some(Box::new(course))
        });
        course.upstream = nested;
        Ok(course)
    }

    async fn course_without_points(
        &self,
        job: JobId,
    ) -> Result<(Course, Option<JobId>), StoreError> {
        let id = job.to_string();
        let row = sqlx::query!(
            r#"SELECT stage, model AS "model!: String", dataset AS "dataset!: String", flops, steps,
                      batch_size AS "batch_size?: i64",
                      iif(stage = 'transfer', parent, NULL) AS "parent?: String",
                      stage = 'transfer' AND spec ->> '$.upstream.file' IS NOT NULL
                          AS "imported!: bool"
               FROM job WHERE id = ?"#,
            id
        )
        .fetch_optional(self.readers())
        .await
        .map_err(database("read a job"))?
        .ok_or_else(|| StoreError::UnknownJob { prefix: id.clone() })?;
        let trains = matches!(row.stage.as_str(), "pretrain" | "transfer");
        let course = Course {
            job,
            model: row.model,
            dataset: row.dataset,
            flops: row.flops,
            steps: row.steps as u64,
            batch_size: row.batch_size.filter(|_| trains).map(|size| size as u64),
            points: Vec::new(),
            legs: self.legs(&id).await?,
            upstream: None,
            imported: row.imported,
        };
        Ok((course, row.parent.map(|id| job_id(&id)).transpose()?))
    }

    /// The attempts of a job with what is known of when they had done how many steps: at their
    /// checkpoints, and at their ends.
    async fn legs(&self, id: &str) -> Result<Vec<Leg>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT attempt.number AS "number!: i64", attempt.from_step AS "from_step!: i64",
                      checkpoint.step AS "step!: i64",
                      (checkpoint.at - attempt.started) / 1000.0 AS "seconds!: f64"
               FROM attempt JOIN checkpoint
                   ON checkpoint.job_id = attempt.job_id AND checkpoint.attempt = attempt.number
               WHERE attempt.job_id = ?1 AND attempt.from_step IS NOT NULL
               UNION ALL
               SELECT attempt.number, attempt.from_step,
                      iif(attempt.state = 'succeeded', job.steps, coalesce((
                          SELECT max(first + points - 1) FROM metric_series
                          WHERE metric_series.job_id = attempt.job_id
                            AND metric_series.attempt = attempt.number
                      ), attempt.from_step)),
                      v_device_time.seconds
               FROM attempt
               JOIN job ON job.id = attempt.job_id
               JOIN v_device_time ON v_device_time.job_id = attempt.job_id
                   AND v_device_time.number = attempt.number
               WHERE attempt.job_id = ?1 AND attempt.from_step IS NOT NULL
               ORDER BY 1, 3, 4"#,
            id
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read when a job had done its steps"))?;
        let mut legs: Vec<(i64, Leg)> = Vec::new();
        for row in rows {
            if legs.last().is_none_or(|(number, _)| *number != row.number) {
                legs.push((row.number, Leg { from: row.from_step as u64, marks: Vec::new() }));
            }
            if let Some((_, leg)) = legs.last_mut() {
                leg.marks.push((row.step as u64, row.seconds));
            }
        }
        Ok(legs.into_iter().map(|(_, leg)| leg).collect())
    }
}
