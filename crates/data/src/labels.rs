//! The labels of a source split: one class an example, or a set of classes, or none.
//!
//! Sets are kept once each, however many examples have them: where labels say what a picture is and
//! what that is a kind of, as those of ImageNet-21k may, there are as many sets as classes.

use std::collections::HashMap;
use std::slice::from_ref;

/// More classes than anybody has: a larger label is damage. From here on values are numbers of sets.
pub(crate) const MOST_CLASSES: u32 = 1 << 24;

/// Labels in the order of examples, 4 bytes each, beside the sets.
#[derive(Debug, Default, Clone)]
pub(crate) struct Labels {
    /// A class, or [`MOST_CLASSES`] plus the number of a set.
    values: Vec<u32>,
    sets: Sets,
}

/// Sets of any number of classes but one, which needs no set.
#[derive(Debug, Default, Clone)]
struct Sets {
    /// Where each ends in `classes`.
    ends: Vec<u32>,
    classes: Vec<u32>,
    /// The number of a set, while labels are gathered.
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Sets {
    fn get(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.classes[start..self.ends[number] as usize]
    }

    fn number(&mut self, classes: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(classes) {
            return *number;
        }
        let number = self.ends.len() as u32;
        self.classes.extend(classes);
        self.ends.push(self.classes.len() as u32);
        self.numbers.insert(classes.into(), number);
        number
    }
}

impl Labels {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Appends an example of these classes, in ascending order, each below [`MOST_CLASSES`].
    pub(crate) fn push(&mut self, classes: &[u32]) {
        let value = match classes {
            [class] => *class,
            _ => MOST_CLASSES + self.sets.number(classes),
        };
        self.values.push(value);
    }

    pub(crate) fn append(&mut self, others: &Self) {
        if others.sets.ends.is_empty() {
            self.values.extend(&others.values);
        } else {
            (0..others.len()).for_each(|i| self.push(others.get(i)));
        }
    }

    /// What only gathering takes is given back.
    pub(crate) fn shrink(&mut self) {
        self.values.shrink_to_fit();
        self.sets.numbers = HashMap::new();
    }

    /// The classes of example `i`, in ascending order.
    pub(crate) fn get(&self, i: usize) -> &[u32] {
        let value = &self.values[i];
        value.checked_sub(MOST_CLASSES).map_or(from_ref(value), |set| self.sets.get(set as usize))
    }

    /// Whether every example has one class.
    pub(crate) fn are_single(&self) -> bool {
        self.sets.ends.is_empty()
    }

    /// One more than the largest class.
    pub(crate) fn classes(&self) -> u32 {
        let singles = self.values.iter().filter(|value| **value < MOST_CLASSES);
        singles.chain(&self.sets.classes).max().map_or(0, |largest| largest + 1)
    }

    /// As numbers: values, ends of sets, classes of sets.
    pub(crate) fn parts(&self) -> [&[u32]; 3] {
        [&self.values, &self.sets.ends, &self.sets.classes]
    }

    /// Out of such numbers; none if they are not labels.
    pub(crate) fn from_parts([values, ends, classes]: [Vec<u32>; 3]) -> Option<Self> {
        let are_ends =
            ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == classes.len();
        let are_known = values.iter().all(|value| {
            value.checked_sub(MOST_CLASSES).is_none_or(|set| (set as usize) < ends.len())
        });
        let are_classes = classes.iter().all(|class| *class < MOST_CLASSES);
        let sets = Sets { ends, classes, numbers: HashMap::new() };
        (are_ends && are_known && are_classes).then_some(Self { values, sets })
    }

    /// Bytes of memory, once they are gathered.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        4 * (self.values.capacity() + self.sets.ends.capacity() + self.sets.classes.capacity())
    }
}

impl FromIterator<u32> for Labels {
    /// One class an example.
    fn from_iter<T: IntoIterator<Item = u32>>(classes: T) -> Self {
        Self { values: classes.into_iter().collect(), sets: Sets::default() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    proptest! {
        #[test]
        fn every_set_comes_back_also_after_joining_and_storing(
            examples in prop::collection::vec(prop::collection::btree_set(0u32..9, 0..4), 0..80),
            cut in 0usize..80,
        ) {
            let sets: Vec<Vec<u32>> =
                examples.into_iter().map(|set: BTreeSet<u32>| set.into_iter().collect()).collect();
            let gather = |sets: &[Vec<u32>]| {
                let mut labels = Labels::default();
                for set in sets {
                    labels.push(set);
                }
                labels
            };
            let cut = cut.min(sets.len());
            let mut labels = gather(&sets[..cut]);
            labels.append(&gather(&sets[cut..]));
            labels.shrink();
            let stored = labels.parts().map(<[u32]>::to_vec);
            let found = Labels::from_parts(stored).expect("these are labels");
            prop_assert_eq!(found.len(), sets.len());
            for (i, set) in sets.iter().enumerate() {
                prop_assert_eq!(found.get(i), &set[..]);
            }
            let largest = sets.iter().flatten().max().map_or(0, |largest| largest + 1);
            prop_assert_eq!(found.classes(), largest);
            prop_assert_eq!(found.are_single(), sets.iter().all(|set| set.len() == 1));
            let distinct: BTreeSet<_> = sets.iter().filter(|set| set.len() != 1).collect();
            prop_assert_eq!(found.parts()[1].len(), distinct.len(), "each set is kept once");
        }
    }

    #[test]
    fn numbers_that_are_no_labels_are_refused() {
        let set = |number: u32| MOST_CLASSES + number;
        for parts in [
            [vec![set(0)], vec![], vec![]],
            [vec![set(0)], vec![2], vec![1]],
            [vec![set(0)], vec![2, 1], vec![1]],
            [vec![set(0)], vec![1], vec![MOST_CLASSES]],
        ] {
            assert!(Labels::from_parts(parts.clone()).is_none(), "{parts:?}");
        }
    }
}
