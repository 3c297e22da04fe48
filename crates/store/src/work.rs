//! What a worker is told of a job, and what people call it.

use std::collections::HashMap;

use augreg_spec::{DataSource, JobId, JobSpec, Labels, RECIPE_VERSION};

use crate::error::database;
use crate::rows::{job_id, json, json_text};
use crate::spec_text::whole;
use crate::{Store, StoreError};

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The job's spec.
    pub spec: JobSpec,
    /// Where its data lie, if it needs any.
    pub source: Option<DataSource>,
    /// What its parts are called.
    pub labels: Labels,
}

impl Store {
    /// What there is to do for each of `jobs`; one that the study does not have is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerJob`].
    pub async fn work(&self, jobs: &[JobId]) -> Result<HashMap<JobId, Work>, StoreError> {
        let ids = json_text("ids", "a request", &jobs)?;
        let rows = sqlx::query!(
            "SELECT job.id, spec, labels, source, identity
             FROM json_each(?) AS asked
             CROSS JOIN job ON job.id = asked.value
             JOIN dataset ON fingerprint = dataset_fingerprint",
            ids
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what is to be done"))?;
        rows.into_iter()
            .map(|row| {
                let work = Work {
                    spec: spec(&row.id, &row.spec, row.identity.as_deref())?,
                    source: json("where its data set lies", &row.id, &row.source)?,
                    labels: json("the labels", &row.id, &row.labels)?,
                };
                Ok((job_id(&row.id)?, work))
            })
            .collect()
    }

    /// Where a job's data lie now.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`].
    pub async fn data_source(&self, job: JobId) -> Result<DataSource, StoreError> {
        let id = job.to_string();
        let source = sqlx::query_scalar!(
            "SELECT source FROM dataset JOIN job ON fingerprint = dataset_fingerprint WHERE id = ?",
            id
        )
        .fetch_optional(self.readers())
        .await
        .map_err(database("read where a data set lies"))?;
        let source = source.ok_or_else(|| StoreError::UnknownJob { prefix: id.clone() })?;
        json("where its data set lies", &id, &source)
    }
}

/// A spec that this augreg knows how to run. One of another recipe would train differently.
fn spec(id: &str, text: &str, identity: Option<&str>) -> Result<JobSpec, StoreError> {
    let newer = |why| StoreError::NewerJob { job: id.to_owned(), why };
    let spec = whole(text, identity).map_err(|error| newer(error.to_string()))?;
    match spec.recipe() {
        Some(found) if found != RECIPE_VERSION => {
            let known = RECIPE_VERSION;
            Err(newer(format!("recipe {found}, this one trains by recipe {known}")))
        }
        _ => Ok(spec),
    }
}
