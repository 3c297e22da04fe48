//! Numbers along an axis: where its marks are.

/// Round numbers between two ends, about as many as asked for, and the ends of the axis that hold both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) marks: Vec<f64>,
    /// Digits behind the point that tell the marks apart.
    decimals: usize,
}

impl Axis {
    pub(crate) fn between(low: f64, high: f64, about: usize) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let raw = (high - low) / about.max(1) as f64;
        let size = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * size).into_iter().find(|step| *step >= raw);
        let step = step.unwrap_or(raw);
        let first = (low / step).floor() as i64;
        let last = (high / step).ceil() as i64;
        let marks: Vec<_> = (first..=last.min(first + 100)).map(|n| n as f64 * step).collect();
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        Self { low: first as f64 * step, high: last as f64 * step, marks, decimals }
    }

    /// Where a number is: 0 at the low end, 1 at the high one.
    pub(crate) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// A mark's label.
    pub(crate) fn label(&self, mark: f64) -> String {
        match mark.abs() {
            size if size >= 1e6 => format!("{}M", trimmed(mark / 1e6)),
            size if size >= 1e4 => format!("{}k", trimmed(mark / 1e3)),
            0.0 => "0".to_owned(),
            // Marks are multiples of a round step: what is beyond two digits is rounding.
            _ if self.decimals > 4 => format!("{mark:.1e}").replace(".0e", "e"),
            _ => format!("{mark:.*}", self.decimals),
        }
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        let axis = Axis::between(low, high, 5);
        axis.marks.iter().map(|mark| axis.label(*mark)).collect()
    }

    #[test]
    fn marks_are_round_and_hold_both_ends() {
        assert_eq!(labels(0.0, 97.0), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(0.81, 0.93), ["0.80", "0.85", "0.90", "0.95"]);
        assert_eq!(labels(0.0, 45_000.0), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(labels(0.0, 2.4e-4), ["0", "5e-5", "1e-4", "1.5e-4", "2e-4", "2.5e-4"]);
        assert_eq!(labels(2.0, 2.0), ["1.4", "1.6", "1.8", "2.0", "2.2", "2.4", "2.6"]);
        assert!((Axis::between(0.0, 100.0, 5).place(25.0) - 0.25).abs() < 1e-12);
    }
}
