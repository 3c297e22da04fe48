//! Choosing among candidates: which jobs the next stage starts from.

use std::collections::{BTreeMap, HashMap};

use super::upstream::{Choose, Rule};
use crate::id::JobId;
use crate::job::Stage;

/// What is known of candidates when a sweep is expanded.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Jobs that have come to their end, with their validation accuracy at the end: none of one that
    /// did not succeed or has no validation split.
    pub ended: HashMap<JobId, Option<f64>>,
    /// What was chosen before, by [`Selection::key`]. It stands, whatever becomes of candidates.
    pub chosen: BTreeMap<String, Vec<JobId>>,
}

/// A group of candidates, and which of them are started from.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// BLAKE3 (hex, 128 bits) over the rule and the candidates.
    pub key: String,
    /// The stage that starts from what is chosen.
    pub stage: Stage,
    /// The rule, for a person.
    pub rule: String,
    /// What the candidates have in common; empty if they are all there are.
    pub group: String,
    /// The candidates, in the order of the sweep file.
    pub candidates: Vec<JobId>,
    /// The chosen ones, best first; none as long as a candidate has not come to its end.
    pub chosen: Option<Vec<JobId>>,
    /// Why these, or what it waits for.
    pub reason: String,
    /// What will follow, as long as nothing is chosen.
    pub pending: Option<Pending>,
}

/// Jobs that a choice will lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pending {
    /// How many.
    pub jobs: u64,
    /// What they cost at most: as if the most expensive candidates were chosen.
    pub flops: f64,
}

impl Selection {
    /// Chooses among `candidates`, the members of `group` in the order of the sweep file.
    pub(super) fn of(
        rule: &Rule,
        stage: Stage,
        group: String,
        candidates: Vec<JobId>,
        known: &Known,
    ) -> Self {
        let text = rule.to_string();
        let key = key(&text, &candidates);
        let (chosen, reason) = match known.chosen.get(&key) {
            Some(chosen) => (Some(chosen.clone()), "chosen before".to_owned()),
            None => choose(rule.choose, &candidates, known),
        };
        Self { key, stage, rule: text, group, candidates, chosen, reason, pending: None }
    }
}

fn key(rule: &str, candidates: &[JobId]) -> String {
    let mut candidates = candidates.to_vec();
    candidates.sort_unstable();
    let mut hash = blake3::Hasher::new();
    hash.update(rule.as_bytes());
    for candidate in candidates {
        hash.update(b"\n");
        hash.update(candidate.to_string().as_bytes());
    }
    hash.finalize().to_hex()[..32].to_owned()
}

/// The best by validation accuracy at the end. Of those that tie, the first in the sweep file.
fn choose(rule: Choose, candidates: &[JobId], known: &Known) -> (Option<Vec<JobId>>, String) {
    let Choose::Best(count) = rule else { return (Some(candidates.to_vec()), "all".to_owned()) };
    let ended = candidates.iter().filter_map(|job| known.ended.get(job));
    let (all, ended) = (candidates.len(), ended.count());
    if ended < all {
        return (None, format!("{} of {all} candidates have not ended", all - ended));
    }
    let result = |job: &JobId| Some((known.ended.get(job).copied().flatten()?, *job));
    let mut ranked: Vec<_> = candidates.iter().filter_map(result).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0)); // Stable: equals stay in the order of the file.
    let (with, taken) = (ranked.len(), (count as usize).min(ranked.len()));
    if taken == 0 {
        return (None, format!("none of {all} candidates has a validation accuracy"));
    }
    let percent = |place: usize| format!("{:.2} %", 100.0 * ranked[place].0);
    let mut reason = format!("final_val {}", percent(0));
    if taken > 1 {
        reason += &format!(" to {}", percent(taken - 1));
    }
    match ranked.get(taken) {
        Some(next) if next.0.total_cmp(&ranked[taken - 1].0).is_eq() => {
            reason += &format!(
                ", as {} has: of those that tie the first in the sweep file",
                next.1.short()
            );
        }
        Some(_) => reason += &format!(", the next {}", percent(taken)),
        None => {}
    }
    if with < all {
        reason += &format!("; {} of {all} candidates did not succeed", all - with);
    }
    (Some(ranked[..taken].iter().map(|ranked| ranked.1).collect()), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: usize) -> Vec<JobId> {
        (0..count).map(|i| JobId::of(&i.to_string())).collect()
    }

    fn known(candidates: &[JobId], values: &[Option<f64>]) -> Known {
        let ended = candidates.iter().copied().zip(values.iter().copied()).collect();
        Known { ended, ..Known::default() }
    }

    #[test]
    fn nothing_is_chosen_before_every_candidate_has_ended() {
        let jobs = jobs(3);
        let (chosen, reason) =
            choose(Choose::Best(1), &jobs, &known(&jobs[..2], &[Some(0.9), Some(0.8)]));
        assert_eq!((chosen, reason.as_str()), (None, "1 of 3 candidates have not ended"));
    }

    #[test]
    fn the_highest_are_chosen_and_the_reason_names_the_next() {
        let jobs = jobs(4);
        let known = known(&jobs, &[Some(0.7), Some(0.9), None, Some(0.8)]);
        let (chosen, reason) = choose(Choose::Best(2), &jobs, &known);
        assert_eq!(chosen, Some(vec![jobs[1], jobs[3]]));
        assert_eq!(
            reason,
            "final_val 90.00 % to 80.00 %, the next 70.00 %; 1 of 4 candidates did not succeed"
        );
    }

    #[test]
    fn of_two_that_tie_the_first_in_the_file_is_chosen_and_the_other_is_named() {
        let jobs = jobs(3);
        let (chosen, reason) =
            choose(Choose::Best(1), &jobs, &known(&jobs, &[Some(0.5), Some(0.8), Some(0.8)]));
        assert_eq!(chosen, Some(vec![jobs[1]]));
        let expected = format!(
            "final_val 80.00 %, as {} has: of those that tie the first in the sweep file",
            jobs[2].short()
        );
        assert_eq!(reason, expected);
    }

    #[test]
    fn where_nothing_has_succeeded_nothing_is_chosen_for_good() {
        let jobs = jobs(2);
        let (chosen, reason) = choose(Choose::Best(1), &jobs, &known(&jobs, &[None, None]));
        assert_eq!(chosen, None);
        assert_eq!(reason, "none of 2 candidates has a validation accuracy");
    }
}
