//! Simulated random search (paper, Figure 2, right): what a budget buys if runs are tried at random.
//!
//! A sample tries the runs in random order until all are spent. After each it has the run with the
//! highest validation accuracy so far, and reports that run's test accuracy. 1,000 samples give the
//! median and the band that 90 % of them lie in.

use augreg_spec::random::{Purpose, named_stream};

use crate::exhibit::Point;

/// Samples of the simulation (paper, Figure 2).
const SAMPLES: usize = 1000;
/// Budgets that are looked at, evenly spaced by their logarithm.
const BUDGETS: usize = 40;

/// One run that a search may try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// What it costs, in any unit.
    pub cost: f64,
    /// What it is chosen by.
    pub val: f64,
    /// What is reported of it.
    pub test: f64,
}

/// Median (`y`) and 5 % and 95 % quantiles (`band`) of the test accuracy that a search reaches at a
/// budget (`x`). The first budget is one at which 95 % of the samples have finished a run. `name`
/// and the trials decide all draws.
#[must_use]
pub fn random_search(name: &str, trials: &[Trial]) -> Vec<Point> {
    let total: f64 = trials.iter().map(|trial| trial.cost).sum();
    let least = trials.iter().map(|trial| trial.cost).fold(f64::INFINITY, f64::min);
    if trials.len() < 2 || !(least > 0.0 && total.is_finite()) {
        return Vec::new();
    }
    let budget = |step: usize| {
        if step == BUDGETS {
            return total;
        }
        least * (total / least).powf(step as f64 / BUDGETS as f64)
    };
    let mut reached = vec![Vec::new(); BUDGETS + 1];
    let mut draws = named_stream(0, Purpose::Search, name);
    let mut order: Vec<usize> = (0..trials.len()).collect();
    for _ in 0..SAMPLES {
        for last in (1..order.len()).rev() {
            order.swap(last, draws.below(last as u32 + 1) as usize);
        }
        let (mut spent, mut next, mut best) = (0.0, 0, None::<Trial>);
        for (step, at_budget) in reached.iter_mut().enumerate() {
            while next < order.len()
                && (step == BUDGETS || spent + trials[order[next]].cost <= budget(step))
            {
                let trial = trials[order[next]];
                spent += trial.cost;
                next += 1;
                if best.is_none_or(|best| trial.val > best.val) {
                    best = Some(trial);
                }
            }
            at_budget.extend(best.map(|best| best.test));
        }
    }
    reached
        .into_iter()
        .enumerate()
        .filter(|(_, tests)| tests.len() * 20 >= SAMPLES * 19)
        .map(|(step, mut tests)| {
            tests.sort_by(f64::total_cmp);
            let quantile = |part: f64| tests[((tests.len() - 1) as f64 * part).round() as usize];
            Point {
                x: budget(step),
                y: quantile(0.5),
                band: Some((quantile(0.05), quantile(0.95))),
                runs: trials.len(),
                ..Point::default()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(tests: impl IntoIterator<Item = f64>) -> Vec<Trial> {
        tests.into_iter().map(|test| Trial { cost: 1.0, val: test, test }).collect()
    }

    #[test]
    fn with_the_whole_budget_every_search_ends_at_the_best_run() {
        let band = random_search("a", &trials([60.0, 90.0, 70.0]));
        let last = band.last().expect("a band");
        assert!((last.x - 3.0).abs() < 1e-12);
        assert_eq!((last.y, last.band), (90.0, Some((90.0, 90.0))));
    }

    #[test]
    fn with_the_budget_of_one_run_the_quantiles_are_those_of_the_runs() {
        let all = trials((0..=100).map(f64::from));
        let first = &random_search("a", &all)[0];
        let (low, high) = first.band.expect("a band");
        // The median of 1,000 draws is off by 1.6 (its standard error), the others by less.
        assert!((first.y - 50.0).abs() < 6.0, "{first:?}");
        assert!((low - 5.0).abs() < 4.0 && (high - 95.0).abs() < 4.0, "{first:?}");
    }

    #[test]
    fn the_median_after_k_runs_is_that_of_the_maximum_of_k() {
        let all = trials((0..1000).map(f64::from));
        let band = random_search("a", &all);
        let at = band.iter().find(|point| point.x >= 10.0).expect("a budget of ten runs");
        // The median of the maximum of k uniform draws is the k-th root of one half.
        let expected = 1000.0 * 0.5_f64.powf(1.0 / at.x.floor());
        assert!((at.y - expected).abs() < 15.0, "{at:?} {expected}");
    }

    #[test]
    fn what_is_chosen_by_validation_is_reported_by_test_and_repeats_exactly() {
        let all = [
            Trial { cost: 2.0, val: 0.9, test: 50.0 },
            Trial { cost: 1.0, val: 0.8, test: 60.0 },
            Trial { cost: 1.0, val: 0.7, test: 70.0 },
        ];
        let band = random_search("a", &all);
        assert_eq!(band.last().map(|point| point.y), Some(50.0));
        assert_eq!(band, random_search("a", &all));
        assert_eq!(random_search("a", &all[..1]), []);
    }
}
