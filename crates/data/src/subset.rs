//! Which examples a seeded part of a split holds.

use augreg_spec::random::{Purpose, stream};
use augreg_spec::{Subset, SubsetIdentity, SubsetSize};

use crate::order::Permutation;

/// The examples, in ascending order, that a part of a split of `labels.len()` examples holds: as
/// many as `wanted` of all, or so many of every class.
///
/// The plain part is the first examples of a seeded permutation, so that of two parts with one seed
/// the smaller lies in the larger. Where classes count, each has its own permutation, and the number
/// of a class is its share of `wanted`: rounded down, and what is then missing goes to the classes
/// with the largest remainders, of equal ones to the lower.
pub(crate) fn choose(labels: &[u32], wanted: u64, subset: &SubsetIdentity) -> Vec<u32> {
    let permutation = |key, n: usize| {
        Permutation::new(n as u64, &mut stream(subset.seed, Purpose::Subset, key, 0))
    };
    let mut chosen: Vec<u32> = if subset.per_class.is_none() && !subset.stratified {
        let all = permutation(0, labels.len().max(1));
        (0..wanted.min(labels.len() as u64)).map(|i| all.example(i) as u32).collect()
    } else {
        let classes = by_class(labels);
        let counts: Vec<u64> = classes.iter().map(|class| class.len() as u64).collect();
        let quotas = match subset.per_class {
            Some(most) => counts.iter().map(|count| most.min(*count)).collect(),
            None => shares(&counts, wanted),
        };
        let parts = classes.iter().zip(quotas).enumerate().flat_map(|(class, (members, quota))| {
            let own = permutation(1 + class as u64, members.len().max(1));
            (0..quota).map(move |i| members[own.example(i) as usize])
        });
        parts.collect()
    };
    chosen.sort_unstable();
    chosen
}

/// The class that an example counts for; where it has not exactly one nothing is shared out by classes.
pub(crate) fn class_of(classes: &[u32]) -> u32 {
    classes.first().copied().unwrap_or_default()
}

/// How many examples that part holds, and what it is to a job.
pub(crate) fn identity(labels: &[u32], subset: &Subset) -> (u64, SubsetIdentity) {
    let per_class = if let SubsetSize::PerClass(most) = subset.size { Some(most) } else { None };
    let identity = SubsetIdentity { per_class, seed: subset.seed, stratified: subset.stratified };
    let wanted = subset.size.of(labels.len() as u64).unwrap_or_else(|| {
        let most = per_class.unwrap_or_default();
        by_class(labels).iter().map(|class| most.min(class.len() as u64)).sum()
    });
    (wanted, identity)
}

/// The examples of each class.
fn by_class(labels: &[u32]) -> Vec<Vec<u32>> {
    let classes = labels.iter().max().map_or(0, |largest| *largest as usize + 1);
    let mut members = vec![Vec::new(); classes];
    for (i, label) in labels.iter().enumerate() {
        members[*label as usize].push(i as u32);
    }
    members
}

/// `wanted` shared out among classes by their counts; no class gets more than it has.
fn shares(counts: &[u64], wanted: u64) -> Vec<u64> {
    let all = counts.iter().sum::<u64>().max(1);
    let wanted = wanted.min(all);
    let exact = |count: u64| u128::from(count) * u128::from(wanted);
    let mut shares: Vec<u64> =
        counts.iter().map(|count| (exact(*count) / u128::from(all)) as u64).collect();
    let mut missing = wanted - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|class| std::cmp::Reverse(exact(counts[*class]) % u128::from(all)));
    for class in by_remainder {
        if missing > 0 && shares[class] < counts[class] {
            shares[class] += 1;
            missing -= 1;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(seed: u64, stratified: bool) -> SubsetIdentity {
        SubsetIdentity { per_class: None, seed, stratified }
    }

    #[test]
    fn a_smaller_part_lies_in_a_larger_one_and_seeds_differ() {
        let labels = vec![0; 1000];
        let small = choose(&labels, 100, &part(1, false));
        let large = choose(&labels, 300, &part(1, false));
        assert_eq!((small.len(), large.len()), (100, 300));
        assert!(small.iter().all(|example| large.binary_search(example).is_ok()));
        let other = choose(&labels, 100, &part(2, false));
        let both = small.iter().filter(|example| other.contains(example)).count();
        assert!((1..30).contains(&both), "{both} of 100 in common, 10 are to be expected");
    }

    #[test]
    fn every_class_keeps_its_share() {
        let labels: Vec<u32> =
            (0..1000).map(|i| u32::from(i % 10 == 0) + u32::from(i < 500)).collect();
        let count = |labels: &mut dyn Iterator<Item = u32>| {
            let mut counts = [0; 3];
            labels.for_each(|label| counts[label as usize] += 1);
            counts
        };
        assert_eq!(count(&mut labels.iter().copied()), [450, 500, 50]);
        let chosen = choose(&labels, 100, &part(0, true));
        let mut theirs = chosen.iter().map(|i| labels[*i as usize]);
        assert_eq!(count(&mut theirs), [45, 50, 5]);
    }

    #[test]
    fn so_many_of_a_class_or_all_that_it_has() {
        let labels = [2, 2, 2, 2, 0, 2, 2];
        let asked = Subset { size: SubsetSize::PerClass(3), seed: 0, stratified: false };
        let (wanted, identity) = identity(&labels, &asked);
        let chosen = choose(&labels, wanted, &identity);
        assert_eq!((wanted, chosen.len()), (4, 4));
        assert!(chosen.contains(&4));
    }

    /// Which examples they are is in the results of studies in the field.
    #[test]
    fn the_chosen_examples_do_not_move() {
        let labels: Vec<u32> = (0..40).map(|i| i % 3).collect();
        assert_eq!(choose(&labels, 4, &part(0, false)), GOLDEN_PLAIN);
        assert_eq!(choose(&labels, 6, &part(7, true)), GOLDEN_STRATIFIED);
    }
    const GOLDEN_PLAIN: [u32; 4] = [17, 24, 28, 36];
    const GOLDEN_STRATIFIED: [u32; 6] = [8, 9, 11, 22, 31, 33];

    proptest! {
        #[test]
        fn as_many_as_wanted_are_chosen_each_once(
            labels in prop::collection::vec(0u32..7, 1..200),
            percent in 1u32..=100,
            seed: u64,
            stratified: bool,
        ) {
            let size = SubsetSize::Percent(percent.into());
            let (wanted, identity) = identity(&labels, &Subset { size, seed, stratified });
            let chosen = choose(&labels, wanted, &identity);
            prop_assert_eq!(chosen.len() as u64, wanted);
            prop_assert!(chosen.is_sorted_by(|a, b| a < b));
            prop_assert!(chosen.iter().all(|example| (*example as usize) < labels.len()));
        }
    }
}
