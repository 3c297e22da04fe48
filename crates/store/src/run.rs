//! Upstream runs with their adaptations, own and imported alike: the rows of `v_runs`.

use crate::error::database;
use crate::{Store, StoreError};

/// An upstream run with one of its adaptations, if it has any. Accuracies are fractions in [0, 1].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The pre-training job; none where imported.
    pub job: Option<String>,
    /// The transfer job; none where imported or not adapted.
    pub adapt_job: Option<String>,
    /// The model.
    pub model: String,
    /// The upstream data set.
    pub dataset: String,
    /// Passes over it.
    pub epochs: f64,
    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// The augmentation preset.
    pub augmentation: Option<String>,
    /// Decoupled weight decay.
    pub weight_decay: Option<f64>,
    /// Drop rate of activations.
    pub dropout: Option<f64>,
    /// Drop rate of the last block's branches.
    pub stochastic_depth: Option<f64>,
    /// Side of the upstream input image in pixels.
    pub resolution: Option<i64>,
    /// Final upstream validation accuracy.
    pub final_val: Option<f64>,
    /// Final upstream test accuracy.
    pub final_test: Option<f64>,
    /// The downstream data set.
    pub adapt_dataset: Option<String>,
    /// Resolution of the adaptation in pixels.
    pub adapt_resolution: Option<i64>,
    /// Its validation accuracy.
    pub adapt_final_val: Option<f64>,
    /// Its test accuracy.
    pub adapt_final_test: Option<f64>,
    /// Inference speed at the last resolution, images a second.
    pub infer_images_per_second: Option<f64>,
}

impl Store {
    /// The runs of a source: `own`, or what an imported table is called.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSource`] if nothing was imported under the name;
    /// [`StoreError::Database`].
    pub async fn runs(&self, source: &str) -> Result<Vec<Run>, StoreError> {
        let runs = sqlx::query_as!(
            Run,
            r#"SELECT
                 job_id AS "job?: String", adapt_job_id AS "adapt_job?: String",
                 model AS "model!: String", dataset AS "dataset!: String", epochs AS "epochs!: f64",
                 learning_rate AS "learning_rate?: f64", augmentation AS "augmentation?: String",
                 weight_decay AS "weight_decay?: f64", dropout AS "dropout?: f64",
                 stochastic_depth AS "stochastic_depth?: f64", resolution AS "resolution?: i64",
                 final_val AS "final_val?: f64",
                 final_test AS "final_test?: f64", adapt_dataset AS "adapt_dataset?: String",
                 adapt_resolution AS "adapt_resolution?: i64",
                 adapt_final_val AS "adapt_final_val?: f64",
                 adapt_final_test AS "adapt_final_test?: f64",
                 infer_images_per_second AS "infer_images_per_second?: f64"
               FROM v_runs WHERE source = ?"#,
            source
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read runs"))?;
        if runs.is_empty() && source != OWN {
            return Err(self.unknown_source(source).await?);
        }
        Ok(runs)
    }

    async fn unknown_source(&self, name: &str) -> Result<StoreError, StoreError> {
        let known = sqlx::query_scalar!("SELECT DISTINCT source FROM reference ORDER BY source")
            .fetch_all(self.readers())
            .await
            .map_err(database("read what was imported"))?;
        Ok(StoreError::UnknownSource { name: name.to_owned(), known })
    }
}

/// What `v_runs` calls the source of this study's own runs.
pub const OWN: &str = "own";
