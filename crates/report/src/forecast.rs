//! Forecasts held against what came: rows for a report, and a sentence for each.

use augreg_store::{Forecast, Interval};

/// One quantity of a forecast, with what it came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredForecast {
    /// The sweep.
    pub sweep: String,
    /// When the forecast was made, ISO 8601 in UTC.
    pub at: String,
    /// What was foretold: `device time` or `wall-clock time`.
    pub what: &'static str,
    /// What was expected, in seconds.
    pub expected: Interval,
    /// What it took, in seconds.
    pub took: f64,
    /// Jobs that were to be done.
    pub jobs: u64,
    /// Of these the ones that succeeded.
    pub finished: u64,
    /// Finished jobs that the forecast rested on; 0: it was nominal.
    pub measured: u64,
}

/// The forecasts that can be scored: those whose jobs have all ended.
#[must_use]
pub fn scored_forecasts(forecasts: &[Forecast]) -> Vec<ScoredForecast> {
    let scored = forecasts.iter().flat_map(|forecast| {
        let expected = &forecast.expected;
        let row = move |what, interval: Option<Interval>, took: Option<f64>| {
            Some(ScoredForecast {
                sweep: expected.sweep.clone(),
                at: forecast.at.clone(),
                what,
                expected: interval?,
                took: took?,
                jobs: expected.jobs,
                finished: forecast.finished?,
                measured: expected.measured,
            })
        };
        [
            row("device time", Some(expected.device), forecast.device_seconds),
            row("wall-clock time", expected.wall, forecast.wall_seconds),
        ]
    });
    scored.flatten().collect()
}

impl ScoredForecast {
    /// Whether it came to something within the interval.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        (self.expected.low..=self.expected.high).contains(&self.took)
    }

    /// `device time: predicted 1.9 h (1.5–2.6), took 2.1 h: inside the interval`
    #[must_use]
    pub fn sentence(&self) -> String {
        let Interval { low, median, high } = self.expected;
        let (scale, unit) = unit(median.max(self.took));
        let n = |seconds: f64| digits(seconds / scale);
        let verdict = if self.is_inside() {
            "inside the interval"
        } else if self.took < low {
            "below the interval"
        } else {
            "above the interval"
        };
        let mut text = format!(
            "{}: predicted {} {unit} ({}–{}), took {} {unit}: {verdict}",
            self.what,
            n(median),
            n(low),
            n(high),
            n(self.took),
        );
        if self.measured == 0 {
            text += "; nothing had been measured then";
        }
        if self.finished < self.jobs {
            text += &format!("; {} of {} jobs succeeded", self.finished, self.jobs);
        }
        text
    }
}

/// Seconds in the unit that people would choose for so many, and its name.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s < 90.0 => (1.0, "s"),
        s if s < 5400.0 => (60.0, "min"),
        s if s < 172_800.0 => (3600.0, "h"),
        _ => (86_400.0, "d"),
    }
}

/// Two digits at the least.
fn digits(value: f64) -> String {
    match value {
        v if v >= 9.95 => format!("{v:.0}"),
        v if v >= 0.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use augreg_store::NewForecast;

    use super::*;

    fn forecast(took: Option<f64>) -> Forecast {
        let hours = |low: f64, median: f64, high: f64| Interval {
            low: low * 3600.0,
            median: median * 3600.0,
            high: high * 3600.0,
        };
        Forecast {
            expected: NewForecast {
                sweep: "mini".to_owned(),
                jobs: 24,
                flops: 1e15,
                device: hours(1.5, 1.9, 2.6),
                wall: Some(hours(0.75, 0.95, 1.3)),
                slots: "2 slots of 1 CPU thread".to_owned(),
                measured: 20,
            },
            at: "2026-01-02T03:04:05Z".to_owned(),
            finished: took.map(|_| 24),
            device_seconds: took.map(|hours| hours * 3600.0),
            wall_seconds: None,
        }
    }

    fn sentence(forecast: &Forecast) -> String {
        let scored = scored_forecasts(std::slice::from_ref(forecast));
        assert_eq!(scored.len(), 1, "what has no outcome is not scored");
        scored[0].sentence()
    }

    #[test]
    fn a_forecast_is_scored_when_its_jobs_have_ended() {
        assert_eq!(scored_forecasts(&[forecast(None)]), []);
        assert_eq!(
            sentence(&forecast(Some(2.1))),
            "device time: predicted 1.9 h (1.5–2.6), took 2.1 h: inside the interval"
        );
        assert!(sentence(&forecast(Some(2.7))).ends_with("took 2.7 h: above the interval"));
        assert!(sentence(&forecast(Some(1.0))).ends_with("took 1.0 h: below the interval"));
        let both = Forecast { wall_seconds: Some(3600.0), ..forecast(Some(2.0)) };
        let scored = scored_forecasts(&[both]);
        assert_eq!(
            scored[1].sentence(),
            "wall-clock time: predicted 57 min (45–78), took 60 min: inside the interval"
        );
    }

    #[test]
    fn a_report_tells_what_forecasts_came_to() {
        let forecasts = [forecast(Some(2.1)), forecast(None)];
        let report = crate::Report::from_jobs(None, &[]).with_forecasts(&forecasts);
        let page = crate::page::render(&report, &[]);
        assert_eq!(page.matches("predicted 1.9 h (1.5–2.6), took 2.1 h").count(), 1);
        let without = crate::page::render(&crate::Report::from_jobs(None, &[]), &[]);
        assert!(!without.contains("id=\"forecasts\""));
    }

    #[test]
    fn what_weakens_a_score_is_said() {
        let mut weak = forecast(Some(2.1));
        weak.expected.measured = 0;
        weak.finished = Some(21);
        assert!(
            sentence(&weak).ends_with(
                "inside the interval; nothing had been measured then; 21 of 24 jobs succeeded"
            ),
            "{}",
            sentence(&weak)
        );
    }
}
