//! Two jobs, or two sets of them, at equal cost: their curves, and values between the points of curves.
//!
//! A curve is a metric against what its job had cost by then; one that starts from another job's
//! parameters begins at what those cost. Values are interpolated linearly between two points of a curve,
//! and never sought beyond its ends.

use augreg_spec::JobId;
use augreg_store::{Course, Leg};

/// What cost is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yardstick {
    /// Floating-point operations, as estimated; steps that had to be repeated count once.
    Flops,
    /// Seconds of devices, from the beginnings of attempts on; what had to be repeated counts once.
    DeviceSeconds,
    /// Training examples seen.
    Examples,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Steps the job had done.
    pub step: u64,
    /// What it, and all upstream of it, had cost by then.
    pub cost: f64,
    /// The metric.
    pub value: f64,
}

/// The curve of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The job.
    pub job: JobId,
    /// Its points, ascending in cost.
    pub points: Vec<CurvePoint>,
}

/// A value between two points of a curve, or at one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between {
    /// The value.
    pub value: f64,
    /// The step of the point before.
    pub from: u64,
    /// The step of the point after; the same if the value is that of a point.
    pub to: u64,
}

/// Both sides at one budget.
#[derive(Debug, Clone, PartialEq)]
pub struct AtBudget {
    /// What each run may cost.
    pub budget: f64,
    /// The runs of one side.
    pub a: Vec<Between>,
    /// The runs of the other.
    pub b: Vec<Between>,
}

impl AtBudget {
    /// The mean over the runs of one side.
    #[must_use]
    pub fn mean_a(&self) -> f64 {
        mean(&self.a)
    }

    /// The mean over the runs of the other.
    #[must_use]
    pub fn mean_b(&self) -> f64 {
        mean(&self.b)
    }
}

/// The costs that all curves reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shared {
    /// Where the last of them begins.
    pub from: f64,
    /// Where the first of them ends.
    pub to: f64,
}

/// Budgets that are looked at: the largest that all reach, its half, quarter and eighth.
const BUDGETS: i32 = 4;

impl Curve {
    /// The curve of a course.
    ///
    /// # Errors
    ///
    /// Why it has none, as the end of a sentence about the job.
    pub fn of(course: &Course, yardstick: Yardstick) -> Result<Self, &'static str> {
        let begin = match &course.upstream {
            Some(upstream) => total(upstream, yardstick)?,
            None if course.imported => return Err(IMPORTED),
            None => 0.0,
        };
        let mut points = Vec::with_capacity(course.points.len());
        for &(step, value) in &course.points {
            if let Some(cost) = cost_at(course, step, yardstick)? {
                points.push(CurvePoint { step, cost: begin + cost, value });
            }
        }
        // Two points at the same cost: the later knows better.
        points.dedup_by(|later, earlier| {
            let same = later.cost <= earlier.cost;
            if same {
                *earlier = CurvePoint { cost: earlier.cost, ..*later };
            }
            same
        });
        if points.is_empty() {
            return Err("has not measured it");
        }
        Ok(Self { job: course.job, points })
    }

    /// The value at a cost; none before the first point and after the last.
    #[must_use]
    pub fn at(&self, cost: f64) -> Option<Between> {
        let after = self.points.iter().position(|point| point.cost >= cost)?;
        let to = self.points[after];
        if to.cost <= cost {
            return Some(Between { value: to.value, from: to.step, to: to.step });
        }
        let from = self.points[after.checked_sub(1)?];
        let share = (cost - from.cost) / (to.cost - from.cost);
        let value = from.value + share * (to.value - from.value);
        Some(Between { value, from: from.step, to: to.step })
    }
}

const IMPORTED: &str = "starts from an imported file, of which nobody knows what it cost";

/// The costs that all of `curves` reach; none if there are no curves.
#[must_use]
pub fn shared<'a>(curves: impl IntoIterator<Item = &'a Curve>) -> Option<Shared> {
    curves.into_iter().filter_map(|curve| Some((curve.points.first()?, curve.points.last()?))).fold(
        None,
        |so_far, (first, last)| {
            let Shared { from, to } =
                so_far.unwrap_or(Shared { from: f64::NEG_INFINITY, to: f64::INFINITY });
            Some(Shared { from: from.max(first.cost), to: to.min(last.cost) })
        },
    )
}

/// Both sides at the largest budget that all their runs reach, and at fractions of it, largest first.
/// Empty if there is none.
#[must_use]
pub fn at_equal_cost(a: &[Curve], b: &[Curve]) -> Vec<AtBudget> {
    let Some(Shared { from, to }) = shared(a.iter().chain(b)) else { return Vec::new() };
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    let budgets = (0..BUDGETS).map(|halvings| to / 2.0_f64.powi(halvings));
    let at = |curves: &[Curve], budget| -> Option<Vec<Between>> {
        curves.iter().map(|curve| curve.at(budget)).collect()
    };
    budgets
        .filter(|budget| *budget >= from)
        .filter_map(|budget| Some(AtBudget { budget, a: at(a, budget)?, b: at(b, budget)? }))
        .collect()
}

fn mean(values: &[Between]) -> f64 {
    values.iter().map(|between| between.value).sum::<f64>() / values.len().max(1) as f64
}

/// What a whole job cost, with all upstream of it.
fn total(course: &Course, yardstick: Yardstick) -> Result<f64, &'static str> {
    let before = match &course.upstream {
        Some(upstream) => total(upstream, yardstick)?,
        None if course.imported => return Err(IMPORTED),
        None => 0.0,
    };
    let own = match yardstick {
        Yardstick::DeviceSeconds => last_mark(&course.legs),
        yardstick => cost_at(course, course.steps, yardstick)?,
    };
    Ok(before + own.ok_or("starts from a job of which nobody knows how long it took")?)
}

/// What a job had cost at a step, without what is upstream; none if nobody knows.
fn cost_at(course: &Course, step: u64, yardstick: Yardstick) -> Result<Option<f64>, &'static str> {
    Ok(match yardstick {
        Yardstick::Flops => Some(course.flops * step as f64 / course.steps.max(1) as f64),
        Yardstick::Examples => {
            let batch = course.batch_size.ok_or("trains on no examples")?;
            Some((step * batch) as f64)
        }
        Yardstick::DeviceSeconds => seconds_at(&course.legs, step),
    })
}

/// The legs that count, each with the step at which another took over and the seconds before it: of a
/// step that several attempts made, the last one's stands.
fn lineage(legs: &[Leg]) -> Vec<(&Leg, u64, f64)> {
    let mut counted = Vec::new();
    let mut before = 0.0;
    for (i, leg) in legs.iter().enumerate() {
        let until = legs[i + 1..].iter().map(|later| later.from).min().unwrap_or(u64::MAX);
        if leg.from < until || until == u64::MAX {
            counted.push((leg, until, before));
            before += seconds_within(leg, until).unwrap_or_else(|| end_of(leg));
        }
    }
    counted
}

/// Device-seconds of a job until it had done `step` steps.
fn seconds_at(legs: &[Leg], step: u64) -> Option<f64> {
    let lineage = lineage(legs);
    let (leg, _, before) =
        lineage.iter().find(|(leg, until, _)| leg.from <= step && step <= *until)?;
    Some(before + seconds_within(leg, step)?)
}

/// Device-seconds of a job until its last sign of life.
fn last_mark(legs: &[Leg]) -> Option<f64> {
    let (leg, _, before) = *lineage(legs).last()?;
    Some(before + end_of(leg))
}

fn end_of(leg: &Leg) -> f64 {
    leg.marks.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max)
}

/// Seconds of an attempt until it had done `step` steps; none beyond what is known of it.
fn seconds_within(leg: &Leg, step: u64) -> Option<f64> {
    let (mut from, mut began) = (leg.from, 0.0_f64);
    if step <= from {
        return Some(0.0);
    }
    for &(to, seconds) in &leg.marks {
        let seconds = seconds.max(began); // A clock may have gone back.
        if to >= step {
            let share = (step - from) as f64 / (to - from).max(1) as f64;
            return Some(began + share * (seconds - began));
        }
        (from, began) = (to.max(from), seconds);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> JobId {
        let spec = augreg_spec::NoopSpec { index: n, seed: 0 };
        augreg_spec::JobSpec::Noop(spec).id()
    }

    fn course(points: &[(u64, f64)]) -> Course {
        Course {
            job: id(0),
            model: "Ti/16".to_owned(),
            dataset: "i1k".to_owned(),
            flops: 1000.0,
            steps: 100,
            batch_size: Some(8),
            points: points.to_vec(),
            legs: vec![Leg { from: 0, marks: vec![(50, 10.0), (100, 40.0)] }],
            upstream: None,
            imported: false,
        }
    }

    fn costs(course: &Course, yardstick: Yardstick) -> Vec<f64> {
        let curve = Curve::of(course, yardstick).expect("a curve");
        curve.points.iter().map(|point| point.cost).collect()
    }

    /// 1,000 operations in 100 steps of 8 examples; the first half took 10 s, the second 30 s.
    #[test]
    fn a_curve_is_drawn_over_what_its_job_had_cost() {
        let course = course(&[(25, 0.1), (75, 0.2), (100, 0.4)]);
        assert_eq!(costs(&course, Yardstick::Flops), [250.0, 750.0, 1000.0]);
        assert_eq!(costs(&course, Yardstick::Examples), [200.0, 600.0, 800.0]);
        assert_eq!(costs(&course, Yardstick::DeviceSeconds), [5.0, 25.0, 40.0]);
    }

    #[test]
    fn a_transfer_begins_at_what_all_upstream_of_it_cost() {
        let far = course(&[]);
        let near = Course { upstream: Some(Box::new(far)), ..course(&[]) };
        let last = Course { upstream: Some(Box::new(near)), ..course(&[(50, 0.5)]) };
        assert_eq!(costs(&last, Yardstick::Flops), [2500.0]);
        assert_eq!(costs(&last, Yardstick::Examples), [2000.0]);
        assert_eq!(costs(&last, Yardstick::DeviceSeconds), [90.0]);
        let foreign = Course { imported: true, ..course(&[(50, 0.5)]) };
        assert_eq!(Curve::of(&foreign, Yardstick::Flops), Err(IMPORTED));
    }

    /// The first attempt did 60 steps in 12 s and left a checkpoint at step 40, at 8 s; the second went
    /// on from there and did 60 steps in 30 s. The 4 s after the checkpoint were wasted.
    #[test]
    fn time_that_had_to_be_repeated_counts_once() {
        let legs = [
            Leg { from: 0, marks: vec![(40, 8.0), (60, 12.0)] },
            Leg { from: 40, marks: vec![(100, 30.0)] },
        ];
        let seconds: Vec<_> =
            [20, 40, 50, 70, 100].iter().map(|step| seconds_at(&legs, *step)).collect();
        assert_eq!(seconds, [4.0, 8.0, 13.0, 23.0, 38.0].map(Some));
        assert_eq!(last_mark(&legs), Some(38.0));
        assert_eq!(seconds_at(&legs, 101), None, "nobody knows");
        // A third began again at 0: all before was for nothing.
        let again = [&legs[..], &[Leg { from: 0, marks: vec![(10, 1.0)] }]].concat();
        assert_eq!(seconds_at(&again, 5), Some(0.5));
        assert_eq!(seconds_at(&again, 70), None);
        assert_eq!(seconds_at(&[], 1), None);
    }

    #[test]
    fn a_value_lies_on_the_line_between_two_points_and_nowhere_beyond() {
        let curve = Curve::of(&course(&[(20, 0.2), (60, 0.6), (80, 0.5)]), Yardstick::Flops);
        let curve = curve.expect("a curve");
        let between = |value, from, to| Some(Between { value, from, to });
        let at =
            |cost| curve.at(cost).map(|b| Between { value: (b.value * 1e9).round() / 1e9, ..b });
        assert_eq!(at(300.0), between(0.3, 20, 60));
        assert_eq!(at(750.0), between(0.525, 60, 80));
        assert_eq!(at(200.0), between(0.2, 20, 20));
        assert_eq!(at(800.0), between(0.5, 80, 80));
        assert_eq!((at(199.0), at(801.0)), (None, None));
    }

    /// A's runs reach 1,000 and 800, B's 600: both are shown at 600 and 300; at 150 one has not begun.
    #[test]
    fn sides_are_compared_where_all_their_runs_have_points() {
        let curve =
            |points: &[(u64, f64)]| Curve::of(&course(points), Yardstick::Flops).expect("a curve");
        let a = [curve(&[(10, 0.1), (100, 1.0)]), curve(&[(20, 0.0), (80, 0.6)])];
        let b = [curve(&[(10, 0.3), (60, 0.8)])];
        let found = at_equal_cost(&a, &b);
        let rows: Vec<_> = found
            .iter()
            .map(|row| (row.budget, (row.mean_a() * 1e6).round(), (row.mean_b() * 1e6).round()))
            .collect();
        assert_eq!(rows, [(600.0, 500_000.0, 800_000.0), (300.0, 200_000.0, 500_000.0)]);
        assert_eq!((found[0].a.len(), found[0].b.len()), (2, 1));
    }

    #[test]
    fn curves_that_share_nothing_are_not_compared() {
        let curve =
            |points: &[(u64, f64)]| Curve::of(&course(points), Yardstick::Flops).expect("a curve");
        let (early, late) = ([curve(&[(10, 0.1), (20, 0.2)])], [curve(&[(30, 0.3), (90, 0.9)])]);
        assert_eq!(at_equal_cost(&early, &late), []);
        assert_eq!(shared(early.iter().chain(&late)), Some(Shared { from: 300.0, to: 200.0 }));
        assert_eq!(at_equal_cost(&early, &[]), []);
        assert_eq!(Curve::of(&course(&[]), Yardstick::Flops), Err("has not measured it"));
    }
}
