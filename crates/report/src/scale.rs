//! The numbers along an axis: which range, which ticks, how they are written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::exhibit::AxisKind;
use crate::label;

/// Steps between ticks that read well, for each power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// One axis of one chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    kind: AxisKind,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Scale {
    /// An axis that holds all of `values` with some room, and at most about `most` ticks.
    pub(crate) fn of(kind: &AxisKind, values: impl Iterator<Item = f64>, most: usize) -> Self {
        let values = values.filter(|value| value.is_finite());
        let (low, high) = match kind {
            AxisKind::Log | AxisKind::LogSeconds => ends(values.filter(|value| *value > 0.0)),
            _ => ends(values),
        };
        let (low, high, ticks) = match kind {
            AxisKind::Places(names) => {
                (-0.5, names.len() as f64 - 0.5, (0..names.len()).map(|at| at as f64).collect())
            }
            AxisKind::Linear => {
                // Never so narrow that noise looks like a difference.
                let room = ((high - low) * 0.06).max(0.5);
                let (low, high) = (low - room, high + room);
                (low, high, even(low, high, most))
            }
            AxisKind::Log | AxisKind::LogSeconds => {
                let room = (high / low).powf(0.06).max(1.05);
                let (low, high) = (low / room, high * room);
                let ticks = match kind {
                    AxisKind::LogSeconds => seconds(low, high, most),
                    _ => logarithmic(low, high, most),
                };
                (low, high, ticks)
            }
        };
        Self { kind: kind.clone(), low, high, ticks }
    }

    fn is_log(&self) -> bool {
        matches!(self.kind, AxisKind::Log | AxisKind::LogSeconds)
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { (low, high) } else { (1.0, 10.0) }
}

/// Multiples of a round number.
fn even(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = STEPS
        .into_iter()
        .chain([10.0])
        .map(|step| step * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|tick| tick as f64 * step).collect()
}

/// Powers of ten, with 2 and 5 between them, or only 3, where there is room.
fn logarithmic(low: f64, high: f64, most: usize) -> Vec<f64> {
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let of = |steps: &[f64]| -> Vec<f64> {
        let all = powers.clone().flat_map(|power| steps.iter().map(move |s| s * 10f64.powi(power)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let finest = [
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0][..],
        &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0],
        &[1.0, 2.0, 5.0],
        &[1.0, 3.0],
        &[1.0],
    ];
    let fitting = finest.into_iter().map(of).find(|ticks| ticks.len() <= most);
    fitting.filter(|ticks| ticks.len() > 1).unwrap_or_else(|| even(low, high, most.min(4)))
}

/// Times that people say.
fn seconds(low: f64, high: f64, most: usize) -> Vec<f64> {
    const SAID: [f64; 19] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0,
        18000.0, 36000.0, 86400.0, 259_200.0, 864_000.0,
    ];
    let within: Vec<_> = SAID.into_iter().filter(|tick| (low..=high).contains(tick)).collect();
    if within.len() < 2 {
        return logarithmic(low, high, most);
    }
    let every = within.len().div_ceil(most);
    within.into_iter().step_by(every).collect()
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let part = if self.is_log() {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        match &self.kind {
            AxisKind::Places(names) => names.get(*value as usize).cloned().unwrap_or_default(),
            AxisKind::LogSeconds => time(*value),
            AxisKind::Linear | AxisKind::Log => short(*value),
        }
    }
}

/// A tick's number: what floating point adds in the last places is not shown.
fn short(value: f64) -> String {
    if value.abs() >= 10_000.0 {
        return label::short_count(value);
    }
    format!("{}", (value * 1e6).round() / 1e6)
}

/// A time in its largest fitting unit.
fn time(seconds: f64) -> String {
    let (size, unit) = [(86400.0, "d"), (3600.0, "h"), (60.0, "min")]
        .into_iter()
        .find(|(size, _)| seconds >= *size)
        .unwrap_or((1.0, "s"));
    format!("{} {unit}", (seconds / size * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(kind: &AxisKind, values: [f64; 2]) -> Vec<String> {
        let scale = Scale::of(kind, values.into_iter(), 8);
        scale.ticks.iter().map(|tick| scale.format_ext(tick)).collect()
    }

    #[test]
    fn ticks_are_numbers_that_people_say() {
        assert_eq!(
            ticks(&AxisKind::Linear, [60.0, 90.0]),
            ["60", "65", "70", "75", "80", "85", "90"]
        );
        assert_eq!(
            ticks(&AxisKind::Log, [50.0, 9371.0]),
            ["50", "100", "200", "500", "1000", "2000", "5000", "10k"]
        );
        assert_eq!(
            ticks(&AxisKind::LogSeconds, [8.0, 9000.0]),
            ["10 s", "30 s", "2 min", "10 min", "30 min", "2 h"]
        );
    }

    #[test]
    fn a_logarithmic_axis_gives_equal_ratios_equal_room() {
        let scale = Scale::of(&AxisKind::Log, [1.0, 10_000.0].into_iter(), 8);
        let at = |value: f64| scale.map(&value, (0, 10_000));
        assert!(((at(100.0) - at(10.0)) - (at(1000.0) - at(100.0))).abs() <= 1);
    }

    #[test]
    fn one_value_and_none_have_an_axis() {
        for values in [&[][..], &[5.0], &[0.0]] {
            for kind in [AxisKind::Linear, AxisKind::Log, AxisKind::LogSeconds] {
                let scale = Scale::of(&kind, values.iter().copied(), 8);
                assert!(scale.low < scale.high && scale.low.is_finite(), "{kind:?} {values:?}");
            }
        }
    }
}
