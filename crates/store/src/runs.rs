//! The finished runs that figures are drawn from, this study's and imported ones alike.

use crate::answer::collect;
use crate::checked::checked;
use crate::error::database;
use crate::{QueryError, Rows, Store, StoreError};

/// What [`V_RUNS`](crate::V_RUNS) calls the source of this study's own runs.
pub const OWN: &str = "own";

/// A finished upstream run with one of its adaptations, if it has any: a row of
/// [`V_RUNS`](crate::V_RUNS). Accuracies lie in [0, 1].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// `own`, or what the imported table is called.
    pub source: String,
    /// The pre-training job; none where imported.
    pub job_id: Option<String>,
    /// The transfer job; none where imported or not adapted.
    pub adapt_job_id: Option<String>,
    /// The model.
    pub model: String,
    /// The upstream data set.
    pub dataset: String,
    /// Examples of its training split; none where imported.
    pub train_examples: Option<i64>,
    /// Passes over it.
    pub epochs: f64,
    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// The preset, as the paper calls it.
    pub augmentation: Option<String>,
    /// Decoupled weight decay.
    pub weight_decay: Option<f64>,
    /// Drop rate of activations.
    pub dropout: Option<f64>,
    /// Drop rate of the last block's branches.
    pub stochastic_depth: Option<f64>,
    /// Side of the upstream input image in pixels.
    pub resolution: Option<u32>,
    /// Seed of every random draw.
    pub seed: Option<i64>,
    /// Final upstream validation accuracy: what upstream runs are chosen by.
    pub final_val: Option<f64>,
    /// Final upstream test accuracy.
    pub final_test: Option<f64>,
    /// The downstream data set; none: not adapted.
    pub adapt_dataset: Option<String>,
    /// Learning rate of the adaptation.
    pub adapt_learning_rate: Option<f64>,
    /// Its steps.
    pub adapt_steps: Option<i64>,
    /// Its resolution in pixels.
    pub adapt_resolution: Option<u32>,
    /// Its validation accuracy.
    pub adapt_final_val: Option<f64>,
    /// Its test accuracy.
    pub adapt_final_test: Option<f64>,
    /// Trainable parameters upstream.
    pub parameters: Option<i64>,
    /// Inference speed in images a second at the run's last resolution.
    pub infer_images_per_second: Option<f64>,
    /// Floating-point operations upstream, as estimated.
    pub flops: Option<f64>,
    /// Seconds upstream.
    pub seconds: Option<f64>,
    /// Floating-point operations of the adaptation, as estimated.
    pub adapt_flops: Option<f64>,
    /// Seconds of the adaptation.
    pub adapt_seconds: Option<f64>,
}

impl Store {
    /// The runs of this study, and those imported under the names of `sources`, in an order that
    /// depends on nothing but the rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSource`] if nothing was imported under one of the names;
    /// [`StoreError::Database`] if the database cannot be read.
    pub async fn runs(&self, sources: &[String]) -> Result<Vec<Run>, StoreError> {
        if !sources.is_empty() {
            let known = self.sources().await?;
            if let Some(name) = sources.iter().find(|name| !known.contains(name)) {
                return Err(StoreError::UnknownSource { name: name.clone(), known });
            }
        }
        let wanted = serde_json::json!(sources).to_string();
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        sqlx::query_as!(
            Run,
            r#"SELECT
                   run.source AS "source!: String",
                   run.job_id AS "job_id?: String",
                   run.adapt_job_id AS "adapt_job_id?: String",
                   run.model AS "model!: String",
                   run.dataset AS "dataset!: String",
                   dataset.identity ->> '$.splits.train.examples' AS "train_examples?: i64",
                   run.epochs AS "epochs!: f64",
                   run.learning_rate AS "learning_rate?: f64",
                   run.augmentation AS "augmentation?: String",
                   run.weight_decay AS "weight_decay?: f64",
                   run.dropout AS "dropout?: f64",
                   run.stochastic_depth AS "stochastic_depth?: f64",
                   run.resolution AS "resolution?: u32",
                   run.seed AS "seed?: i64",
                   run.final_val AS "final_val?: f64",
                   run.final_test AS "final_test?: f64",
                   run.adapt_dataset AS "adapt_dataset?: String",
                   run.adapt_learning_rate AS "adapt_learning_rate?: f64",
                   run.adapt_steps AS "adapt_steps?: i64",
                   run.adapt_resolution AS "adapt_resolution?: u32",
                   run.adapt_final_val AS "adapt_final_val?: f64",
                   run.adapt_final_test AS "adapt_final_test?: f64",
                   run.parameters AS "parameters?: i64",
                   run.infer_images_per_second AS "infer_images_per_second?: f64",
                   run.flops AS "flops?: f64",
                   run.seconds AS "seconds?: f64",
                   run.adapt_flops AS "adapt_flops?: f64",
                   run.adapt_seconds AS "adapt_seconds?: f64"
               FROM v_runs AS run
               LEFT JOIN job ON job.id = run.job_id
               LEFT JOIN dataset ON dataset.fingerprint = job.dataset_fingerprint
               WHERE run.source = 'own' OR run.source IN (SELECT value FROM json_each(?))
               ORDER BY run.source <> 'own', run.source, job.ordinal, run.dataset, run.epochs,
                   run.model, run.augmentation, run.weight_decay, run.dropout, run.adapt_dataset,
                   run.adapt_resolution, run.adapt_steps, run.adapt_learning_rate,
                   run.adapt_job_id, run.final_test, run.adapt_final_test"#,
            wanted
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(database("read the finished runs"))
    }

    /// The names of the imported tables, in alphabetical order.
    async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        sqlx::query_scalar!(r#"SELECT DISTINCT source FROM reference ORDER BY source"#)
            .fetch_all(&mut *reader)
            .await
            .map_err(database("list the imported tables"))
    }

    /// The rows of [`AUGREG_INDEX`](crate::AUGREG_INDEX), in its columns and their order.
    ///
    /// # Errors
    ///
    /// [`QueryError`] if the database cannot be read.
    pub async fn index(&self) -> Result<Rows, QueryError> {
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let rows = collect(sqlx::query(INDEX).fetch(&mut *reader)).await?;
        let columns = crate::AUGREG_INDEX.columns.iter().map(|column| column.name.to_owned());
        Ok(Rows { columns: columns.collect(), rows })
    }
}

const INDEX: &str = checked!(
    r#"SELECT name, ds, epochs, lr, aug, wd, "do", sd, best_val, final_val, final_test, adapt_ds,
              adapt_lr, adapt_steps, adapt_resolution, adapt_final_val, adapt_final_test, params,
              infer_samples_per_sec AS "infer_samples_per_sec?: f64", filename, adapt_filename
       FROM augreg_index ORDER BY filename, adapt_filename"#
);
