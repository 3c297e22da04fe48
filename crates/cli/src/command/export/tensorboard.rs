//! Curves for TensorBoard: a run folder for each job that has any.

use std::io::BufWriter;
use std::path::Path;

use augreg_export::WholeFile;
use augreg_export::tensorboard::{Clock, Leg, Point, Run, folder};
use augreg_spec::JobId;
use augreg_store::{Filter, JobQuery, Kind, Store, V_JOBS, Value};

use crate::failure::{Ending, Failure};
use crate::output;
use crate::words::count;

/// Columns of `v_jobs` that are settings, for the HParams tab; what came of them are curves.
const SETTINGS: [&str; 18] = [
    "stage",
    "dataset",
    "model",
    "augmentation",
    "randaugment_layers",
    "randaugment_magnitude",
    "mixup",
    "dropout",
    "stochastic_depth",
    "weight_decay",
    "learning_rate",
    "epochs",
    "batch_size",
    "resolution",
    "loss",
    "precision",
    "seed",
    "parameters",
];

pub(super) async fn write(store: &Store, jobs: &[JobId], out: &Path) -> Result<Ending, Failure> {
    let (mut written, mut without) = (0, 0);
    for &job in jobs {
        if write_run(store, job, out).await? { written += 1 } else { without += 1 }
    }
    if written == 0 {
        let message = "nothing was measured yet in any of these jobs";
        return Err(Failure::request(message, "wait until they have begun, see `augreg status`"));
    }
    let plural = if written == 1 { "" } else { "s" };
    let mut said = format!("wrote {} run{plural} to `{}`", count(written), out.display());
    if without > 0 {
        said += &format!("; {} of the jobs have no curves", count(without));
    }
    output::say(&format!("{said}\n`tensorboard --logdir {}` shows them", out.display()));
    Ok(Ending::Good)
}

/// Writes the run of a job; says whether it has one.
async fn write_run(store: &Store, job: JobId, out: &Path) -> Result<bool, Failure> {
    let measured = store.measured(job).await?;
    if measured.is_empty() {
        return Ok(false);
    }
    let details = store.job(job).await?;
    let begun = details.attempts.iter().filter(|attempt| attempt.from_step.is_some());
    let course = store.course(job, "").await?;
    let legs = begun.zip(course.legs).map(|(attempt, leg)| Leg {
        attempt: attempt.number,
        began: attempt.started as f64 / 1000.0,
        from: leg.from,
        marks: leg.marks,
    });
    let point = |point: augreg_store::Measured| Point {
        name: point.name,
        step: point.step,
        value: point.value,
        attempt: point.attempt,
    };
    let spec = serde_json::to_string_pretty(&details.spec).map_err(Failure::internal)?;
    let run = Run {
        state: details.state,
        settings: settings(store, job).await?,
        spec: format!("job `{job}`\n\n```json\n{spec}\n```\n"),
        clock: Clock { legs: legs.collect() },
        points: measured.into_iter().map(point).collect(),
    };
    let folder = folder(details.spec.stage(), &details.labels, job);
    let path = out.join(folder).join(run.file_name());
    let mut file = BufWriter::new(WholeFile::create(&path)?);
    run.write(&mut file)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
    Ok(true)
}

async fn settings(store: &Store, job: JobId) -> Result<Vec<(String, Value)>, Failure> {
    let query = JobQuery {
        filters: vec![format!("id={job}").parse::<Filter>()?],
        columns: Some(SETTINGS.map(str::to_owned).to_vec()),
        ..JobQuery::default()
    };
    let rows = store.query(&query).await?;
    let is_text = |name: &str| {
        V_JOBS.columns.iter().any(|column| column.name == name && column.kind == Kind::Text)
    };
    let row = rows.rows.into_iter().next().unwrap_or_default();
    // Of a text the plug-in makes choices, of a number a range: nothing is neither.
    let given = rows.columns.into_iter().zip(row);
    Ok(given.filter(|(name, value)| *value != Value::Null || is_text(name)).collect())
}
