//! How long jobs will take here, and how sure that is.
//!
//! Speeds are what finished jobs of the study measured: operations over device-seconds. Jobs of one kind
//! (stage, model, arithmetic) on one kind of device go about equally fast, so a kind that was measured is
//! estimated from itself, any other from all that was measured on such devices. The interval is that of a
//! prediction from a sample: it holds four times in five if logarithms of speeds are spread normally. It
//! grows with the spread of what was measured, and shrinks with how much that was. Where a spread cannot
//! be measured, a factor stands for it, and the text says so.

use std::collections::BTreeMap;

use augreg_executor::Slot;
use augreg_spec::JobSpec;
use augreg_store::{Interval, MeasuredSpeed, WorkLeft};

use crate::words::{count, duration, quantity};

/// Speed taken for a CPU thread as long as the study has measured none: what a server core reached
/// on the micro models of `sweeps/quickstart.toml` (13.3 TFLOP in 374 s on two threads).
const NOMINAL_CPU: f64 = 3.5e10;

/// Likewise for a GPU: an A100 at 40 % of its TF32 peak.
const NOMINAL_GPU: f64 = 6e13;

/// By this factor, either way, a nominal speed may be wrong: models alone differ by as much.
const NOMINAL_FACTOR: f64 = 4.0;

/// And by this one that of a single job.
const SINGLE_FACTOR: f64 = 2.0;

/// The 90 % quantiles of Student's t for 1 to 30 degrees of freedom, as in any table of it.
const STUDENT: [f64; 30] = [
    3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350,
    1.345, 1.341, 1.337, 1.333, 1.330, 1.328, 1.325, 1.323, 1.321, 1.319, 1.318, 1.316, 1.315,
    1.314, 1.313, 1.311, 1.310,
];

/// Jobs that go about equally fast on one kind of device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    stage: String,
    model: String,
    precision: Option<String>,
}

impl Kind {
    /// The kind of a job, and what its model is called.
    pub(crate) fn of(spec: &JobSpec, model: &str) -> Self {
        let precision = match spec {
            JobSpec::Pretrain(spec) => Some(spec.precision),
            JobSpec::Transfer(spec) => Some(spec.precision),
            JobSpec::Evaluate(spec) => Some(spec.precision),
            JobSpec::Throughput(spec) => Some(spec.precision),
            JobSpec::Noop(_) => None,
        };
        let precision = precision.map(|precision| precision.name().to_owned());
        Self { stage: spec.stage().name().to_owned(), model: model.to_owned(), precision }
    }
}

/// Operations of each job that is to be done, by kind.
pub(crate) type Work = BTreeMap<Kind, Vec<f64>>;

/// What the study says is left.
pub(crate) fn work(left: Vec<WorkLeft>) -> Work {
    let mut work = Work::new();
    for WorkLeft { stage, model, precision, flops } in left {
        work.entry(Kind { stage, model, precision }).or_default().push(flops);
    }
    work
}

/// What is known of the speed of a kind.
struct Rate {
    /// Operations a second of one slot, the median.
    speed: f64,
    /// Standard deviation of the logarithms of speeds; none if it cannot be told.
    spread: Option<f64>,
    /// Jobs that the spread was measured over.
    measured: usize,
    /// Whether they were of the kind itself.
    own: bool,
}

impl Rate {
    /// The logarithm of the factor, either way, within which the time of jobs lies whose operations are
    /// worth `jobs` equal ones.
    fn width(&self, jobs: f64) -> f64 {
        let n = self.measured as f64;
        match self.spread {
            Some(spread) => {
                let student = STUDENT[(self.measured.max(2) - 2).min(STUDENT.len() - 1)];
                // The mean of the kind, and the chance of its jobs; or a kind drawn from all kinds.
                let errors = if self.own { 1.0 / n + 1.0 / jobs } else { 1.0 / n + 1.0 };
                student * spread * errors.sqrt()
            }
            None if self.measured > 0 => SINGLE_FACTOR.ln(),
            None => NOMINAL_FACTOR.ln(),
        }
    }
}

/// How long some work takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estimate {
    /// Operations.
    pub(crate) flops: f64,
    /// Device-seconds.
    pub(crate) device: Interval,
    /// Seconds until all is done, when the longest jobs run first.
    pub(crate) wall: Interval,
    /// Finished jobs that it rests on; 0 if it is nominal.
    pub(crate) measured: u64,
    /// `35.0 GFLOP/s a slot, measured over 20 jobs`.
    basis: String,
    /// `2 slots of 1 CPU thread`.
    pub(crate) slots: String,
}

impl Estimate {
    /// `about 3 min 20 s (2 min 5 s to 6 min 0 s) on 2 slots of 1 CPU thread, 0.11 device-hours (0.07 to
    /// 0.20; 35.0 GFLOP/s a slot, measured over 20 jobs)`
    pub(crate) fn text(&self) -> String {
        format!(
            "about {} ({} to {}) on {}, {}",
            duration(self.wall.median),
            duration(self.wall.low),
            duration(self.wall.high),
            self.slots,
            self.device_text(),
        )
    }

    /// `0.11 device-hours (0.07 to 0.20; 35.0 GFLOP/s a slot, measured over 20 jobs)`
    pub(crate) fn device_text(&self) -> String {
        let hours = |seconds: f64| seconds / 3600.0;
        format!(
            "{:.2} device-hours ({:.2} to {:.2}; {})",
            hours(self.device.median),
            hours(self.device.low),
            hours(self.device.high),
            self.basis,
        )
    }
}

/// What this machine is known to reach.
pub(crate) struct Estimator {
    slots: usize,
    text: String,
    nominal: f64,
    /// Logarithms of the speeds that were measured on such devices, by kind.
    speeds: BTreeMap<Kind, Vec<f64>>,
}

impl Estimator {
    /// From measured speeds of the study where there are any, else from a nominal speed.
    pub(crate) fn new(slots: &[Slot], measured: &[MeasuredSpeed]) -> Self {
        let first = slots.first();
        let gpu = first.is_some_and(|slot| slot.gpu.is_some());
        let threads = first.map_or(1, |slot| slot.threads);
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let device = if gpu {
            "GPU".to_owned()
        } else {
            format!("{threads} CPU thread{}", plural(threads as usize))
        };
        let text = format!("{} slot{} of {device}", slots.len(), plural(slots.len()));
        let mut speeds: BTreeMap<Kind, Vec<f64>> = BTreeMap::new();
        for job in measured {
            if job.device.starts_with(if gpu { "cuda" } else { "cpu" }) && job.seconds > 0.0 {
                let (stage, model) = (job.stage.clone(), job.model.clone());
                let kind = Kind { stage, model, precision: job.precision.clone() };
                speeds.entry(kind).or_default().push((job.flops / job.seconds).ln());
            }
        }
        let nominal = if gpu { NOMINAL_GPU } else { NOMINAL_CPU * f64::from(threads) };
        Self { slots: slots.len().max(1), text, nominal, speeds }
    }

    /// Whether anything was measured on such devices.
    pub(crate) fn is_measured(&self) -> bool {
        !self.speeds.is_empty()
    }

    /// How many seconds a job of so many operations is expected to take.
    pub(crate) fn seconds(&self, kind: &Kind, flops: f64) -> f64 {
        flops / self.rate(Some(kind)).speed
    }

    fn rate(&self, kind: Option<&Kind>) -> Rate {
        let own = kind.and_then(|kind| self.speeds.get(kind)).map_or(&[][..], Vec::as_slice);
        if let Some(spread) = spread(own) {
            return Rate {
                speed: mean(own).exp(),
                spread: Some(spread),
                measured: own.len(),
                own: true,
            };
        }
        let all: Vec<f64> = self.speeds.values().flatten().copied().collect();
        let speed = match (own, all.as_slice()) {
            ([], []) => self.nominal,
            ([], all) => mean(all).exp(),
            (own, _) => mean(own).exp(),
        };
        Rate { speed, spread: spread(&all), measured: all.len(), own: false }
    }

    /// How long work takes of which each job is known.
    pub(crate) fn estimate(&self, work: &Work) -> Estimate {
        let mut times: Vec<[f64; 3]> = Vec::new();
        let whole: u64 = self.speeds.values().map(|speeds| speeds.len() as u64).sum();
        let (mut measured, mut strange) = (if work.is_empty() { whole } else { 0 }, 0);
        for (kind, flops) in work {
            let rate = self.rate(Some(kind));
            let (sum, squares) = flops
                .iter()
                .fold((0.0, 0.0), |(sum, squares), flops| (sum + flops, squares + flops * flops));
            let factor = rate.width(if squares > 0.0 { sum * sum / squares } else { 1.0 }).exp();
            times.extend(flops.iter().map(|flops| {
                let median = flops / rate.speed;
                [median / factor, median, median * factor]
            }));
            measured += if rate.own { rate.measured as u64 } else { 0 };
            strange += if self.speeds.contains_key(kind) { 0 } else { flops.len() as u64 };
            if !rate.own {
                measured = measured.max(whole);
            }
        }
        // An empty sum is -0.
        let flops = work.values().flatten().sum::<f64>() + 0.0;
        let [low, median, high] =
            [0, 1, 2].map(|i| times.iter().map(|time| time[i]).sum::<f64>() + 0.0);
        let device = Interval { low, median, high };
        let ends = [0, 1, 2].map(|i| self.end(times.iter().map(|time| time[i]).collect()));
        let mut basis = self.basis(flops, device.median, measured);
        if measured > 0 && strange > 0 {
            let are = if strange == 1 { "job is" } else { "jobs are" };
            basis += &format!("; {} {are} of kinds that were not among them", count(strange));
        }
        self.told(flops, device, ends, measured, basis)
    }

    /// The same of so many jobs that only their sum is known; each is small beside it.
    pub(crate) fn estimate_of_many(&self, flops: f64) -> Estimate {
        let rate = self.rate(None);
        let (median, factor) = (flops / rate.speed, rate.width(1.0).exp());
        let device = Interval { low: median / factor, median, high: median * factor };
        let ends = [device.low, median, device.high].map(|seconds| seconds / self.slots as f64);
        let measured = rate.measured as u64;
        self.told(flops, device, ends, measured, self.basis(flops, median, measured))
    }

    fn told(
        &self,
        flops: f64,
        device: Interval,
        [low, median, high]: [f64; 3],
        measured: u64,
        basis: String,
    ) -> Estimate {
        // Jobs that take other times may fit into each other better or worse.
        let wall = Interval { low: low.min(median), median, high: high.max(median) };
        Estimate { flops, device, wall, measured, basis, slots: self.text.clone() }
    }

    fn basis(&self, flops: f64, seconds: f64, measured: u64) -> String {
        let speed = if seconds > 0.0 { flops / seconds } else { self.rate(None).speed };
        let speed = quantity(speed, "FLOP/s");
        match measured {
            0 => format!("{speed} a slot, nominal until jobs have been measured"),
            1 => format!("{speed} a slot, measured over 1 job; the interval is nominal"),
            n => format!("{speed} a slot, measured over {} jobs", count(n)),
        }
    }

    /// When jobs of these seconds are done, the longest first.
    fn end(&self, mut seconds: Vec<f64>) -> f64 {
        let mut ends = vec![0.0_f64; self.slots];
        seconds.sort_by(|a, b| b.total_cmp(a));
        for seconds in seconds {
            if let Some(end) = ends.iter_mut().min_by(|a, b| a.total_cmp(b)) {
                *end += seconds;
            }
        }
        ends.into_iter().fold(0.0, f64::max)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation of a sample; none of fewer than two.
fn spread(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use augreg_executor::SlotId;
    use augreg_protocol::Device;
    use proptest::prelude::*;

    use super::*;

    fn slots(count: u32) -> Vec<Slot> {
        let slot = |id| Slot { id: SlotId(id), device: Device::Cpu, gpu: None, threads: 1 };
        (0..count).map(slot).collect()
    }

    fn kind(model: &str) -> Kind {
        let (stage, precision) = ("pretrain".to_owned(), Some("fp32".to_owned()));
        Kind { stage, model: model.to_owned(), precision }
    }

    fn measured(model: &str, device: &str, speed: f64) -> MeasuredSpeed {
        let Kind { stage, model, precision } = kind(model);
        let device = device.to_owned();
        MeasuredSpeed { stage, model, precision, device, flops: 100.0 * speed, seconds: 100.0 }
    }

    fn estimate(measured: &[MeasuredSpeed], model: &str, flops: &[f64]) -> Estimate {
        Estimator::new(&slots(2), measured).estimate(&Work::from([(kind(model), flops.to_vec())]))
    }

    fn is_near(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-9
    }

    /// Speeds 1e9 · e^(±0.1): the spread is 0.1 · √2. Four equal jobs: 3.078 · 0.1414 · √(1/2 + 1/4).
    #[test]
    fn a_kind_that_was_measured_is_estimated_from_itself() {
        let speeds = [-0.1_f64, 0.1].map(|ln| measured("a", "cpu", 1e9 * ln.exp()));
        let other = [measured("b", "cpu", 5e7), measured("a", "cuda:0", 1e13)];
        let found = estimate(&[&speeds[..], &other].concat(), "a", &[2e9; 4]);
        let factor = (3.078 * 0.1 * 2.0_f64.sqrt() * 0.75_f64.sqrt()).exp();
        assert!(is_near(found.device.median, 8.0));
        assert!(
            is_near(found.device.low, 8.0 / factor) && is_near(found.device.high, 8.0 * factor)
        );
        assert!(is_near(found.wall.median, 4.0) && is_near(found.wall.high, 4.0 * factor));
        assert_eq!(found.measured, 2);
        assert!(found.text().ends_with("1.00 GFLOP/s a slot, measured over 2 jobs)"));
    }

    #[test]
    fn a_kind_that_was_not_is_estimated_from_all_others_and_the_text_says_so() {
        let speeds = [measured("a", "cpu", 1e9), measured("b", "cpu", 4e9)];
        let found = estimate(&speeds, "c", &[2e9; 10]);
        assert!(is_near(found.device.median, 10.0), "the geometric mean is 2e9");
        // The spread of ln 1e9 and ln 4e9 is ln 2 · √2.
        let factor = (3.078 * 2.0_f64.ln() * 2.0_f64.sqrt() * 1.5_f64.sqrt()).exp();
        assert!(is_near(found.device.high, 10.0 * factor));
        assert!(
            found.text().contains("measured over 2 jobs; 10 jobs are of kinds that were not among")
        );
    }

    #[test]
    fn without_measurements_the_interval_is_wide_and_said_to_be_nominal() {
        let none = estimate(&[], "a", &[3.5e10; 2]);
        assert!(is_near(none.device.median, 2.0) && is_near(none.device.high, 8.0));
        assert!(is_near(none.device.low, 0.5) && none.measured == 0);
        assert!(none.text().contains("nominal until jobs have been measured"));
        let one = estimate(&[measured("a", "cpu", 1e9)], "a", &[1e9]);
        assert!(is_near(one.device.median, 1.0) && is_near(one.device.high, 2.0));
        assert!(one.text().contains("the interval is nominal"));
        let gpu = estimate(&[measured("a", "cuda:0", 1e13)], "a", &[3.5e10]);
        assert_eq!(gpu.measured, 0, "another kind of device says nothing");
    }

    #[test]
    fn nothing_to_do_takes_no_time() {
        let nothing = Estimator::new(&slots(2), &[]).estimate(&Work::new());
        assert_eq!((nothing.device.high, nothing.wall.high), (0.0, 0.0));
        let noops = estimate(&[], "none", &[0.0, 0.0]);
        assert_eq!((noops.device.low, noops.device.high), (0.0, 0.0));
    }

    fn samples(speeds: &[f64]) -> Vec<MeasuredSpeed> {
        speeds.iter().map(|speed| measured("a", "cpu", *speed)).collect()
    }

    /// How wide an interval is, whatever its place.
    fn width(estimate: &Estimate) -> f64 {
        (estimate.device.high / estimate.device.low).ln()
    }

    proptest! {
        #[test]
        fn an_interval_is_ordered_and_grows_with_the_work(
            speeds in prop::collection::vec(1e8..1e12, 0..12),
            flops in prop::collection::vec(1e9..1e15, 1..20),
            model in prop::sample::select(vec!["a", "b"]),
            factor in 1.0..1000.0_f64,
        ) {
            let found = estimate(&samples(&speeds), model, &flops);
            for interval in [found.device, found.wall] {
                prop_assert!(interval.low <= interval.median && interval.median <= interval.high);
                prop_assert!(interval.low > 0.0 && interval.high.is_finite());
            }
            let larger: Vec<_> = flops.iter().map(|flops| flops * factor).collect();
            let larger = estimate(&samples(&speeds), model, &larger);
            let pairs: [(f64, f64); 4] = [
                (larger.device.low, found.device.low),
                (larger.device.median, found.device.median),
                (larger.device.high, found.device.high),
                (larger.wall.median, found.wall.median),
            ];
            for (more, less) in pairs {
                prop_assert!((more / less / factor - 1.0).abs() < 1e-6);
            }
        }

        #[test]
        fn an_interval_narrows_with_more_measurements_of_the_same_spread(
            speeds in prop::collection::vec(1e8..1e12, 2..10),
            flops in prop::collection::vec(1e9..1e15, 1..20),
            model in prop::sample::select(vec!["a", "b"]),
        ) {
            let twice = [&speeds[..], &speeds].concat();
            let (few, many) =
                (estimate(&samples(&speeds), model, &flops), estimate(&samples(&twice), model, &flops));
            prop_assert!(width(&many) <= width(&few));
            prop_assert!((many.device.median / few.device.median - 1.0).abs() < 1e-6);
        }
    }
}
