//! Forecasts: what was expected of a run when it began, and what came of it.

use crate::clock::now;
use crate::error::database;
use crate::{Store, StoreError};

/// A quantity that is not known exactly: `low <= median <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Hardly less.
    pub low: f64,
    /// As likely more as less.
    pub median: f64,
    /// Hardly more.
    pub high: f64,
}

/// What is expected of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewForecast {
    /// The sweep.
    pub sweep: String,
    /// Jobs that are to be done.
    pub jobs: u64,
    /// Their floating-point operations.
    pub flops: f64,
    /// Device-seconds that they take.
    pub device: Interval,
    /// Seconds until they are done; none if other sweeps run beside them.
    pub wall: Option<Interval>,
    /// What they are to run on, for a person.
    pub slots: String,
    /// Finished jobs that the forecast rests on; 0 if it is nominal.
    pub measured: u64,
}

/// A forecast, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What was expected.
    pub expected: NewForecast,
    /// When, ISO 8601 in UTC.
    pub at: String,
    /// Of its jobs those that succeeded since; none while some have not ended.
    pub finished: Option<u64>,
    /// Device-seconds that they took; none while some have not ended.
    pub device_seconds: Option<f64>,
    /// Seconds until they were done; none while some have not ended, or if anything came between.
    pub wall_seconds: Option<f64>,
}

impl Store {
    /// Writes down what is expected of a sweep from now on.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn record_forecast(&self, forecast: &NewForecast) -> Result<(), StoreError> {
        let sweep = self.find(Some(&forecast.sweep)).await?;
        let (at, jobs, measured) = (now(), forecast.jobs as i64, forecast.measured as i64);
        let (device, wall) = (forecast.device, forecast.wall);
        let [low, median, high] =
            [wall.map(|wall| wall.low), wall.map(|wall| wall.median), wall.map(|wall| wall.high)];
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO forecast
                 (sweep_id, at, jobs, flops, device_low, device_median, device_high,
                  wall_low, wall_median, wall_high, slots, measured)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            sweep,
            at,
            jobs,
            forecast.flops,
            device.low,
            device.median,
            device.high,
            low,
            median,
            high,
            forecast.slots,
            measured
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("write a forecast"))?;
        transaction.commit().await.map_err(database("commit"))
    }

    /// The forecasts of a sweep, or of all, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn forecasts(&self, sweep: Option<&str>) -> Result<Vec<Forecast>, StoreError> {
        self.find(sweep).await?;
        let rows = sqlx::query!(
            r#"SELECT sweep AS "sweep!: String", at AS "at!: String", jobs AS "jobs!: i64",
                      flops AS "flops!: f64", device_low AS "device_low!: f64",
                      device_median AS "device_median!: f64", device_high AS "device_high!: f64",
                      wall_low AS "wall_low?: f64", wall_median AS "wall_median?: f64",
                      wall_high AS "wall_high?: f64", slots AS "slots!: String",
                      measured AS "measured!: i64", finished AS "finished?: i64",
                      device_seconds AS "device_seconds?: f64",
                      wall_seconds AS "wall_seconds?: f64"
               FROM v_forecasts WHERE ?1 IS NULL OR sweep = ?1 ORDER BY at, sweep"#,
            sweep
        )
        .map(|row| Forecast {
            expected: NewForecast {
                sweep: row.sweep,
                jobs: row.jobs as u64,
                flops: row.flops,
                device: Interval {
                    low: row.device_low,
                    median: row.device_median,
                    high: row.device_high,
                },
                wall: row
                    .wall_low
                    .zip(row.wall_median)
                    .zip(row.wall_high)
                    .map(|((low, median), high)| Interval { low, median, high }),
                slots: row.slots,
                measured: row.measured as u64,
            },
            at: row.at,
            finished: row.finished.map(|n| n as u64),
            device_seconds: row.device_seconds,
            wall_seconds: row.wall_seconds,
        });
        rows.fetch_all(self.readers()).await.map_err(database("read forecasts"))
    }
}
