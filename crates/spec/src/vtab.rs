//! The 19 tasks of VTAB, with the group each belongs to.
//!
//! The study adapts to the full data sets, not to VTAB's choice of 1,000 images (paper, appendix C).
//! Classes and counts of images are those of `google-research/task_adaptation`, `data/*.py` and
//! their tests.

/// What a task asks a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VtabGroup {
    /// Photographs of things that are named.
    Natural,
    /// Photographs from special devices: microscopes, satellites, retinal cameras.
    Specialized,
    /// What a scene is built of: counts, distances, angles.
    Structured,
}

impl VtabGroup {
    /// The three groups in the order of the paper.
    pub const ALL: [Self; 3] = [Self::Natural, Self::Specialized, Self::Structured];

    /// `natural`, `specialized` or `structured`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Specialized => "specialized",
            Self::Structured => "structured",
        }
    }
}

/// One task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VtabTask {
    /// Its name, without `vtab-`.
    pub name: &'static str,
    /// The group that its accuracy counts in.
    pub group: VtabGroup,
    /// Number of classes.
    pub classes: u32,
    /// Images to train on.
    pub train: u32,
    /// Images to select on.
    pub val: u32,
    /// Images to report on.
    pub test: u32,
}

const fn task(
    name: &'static str,
    group: VtabGroup,
    classes: u32,
    [train, val, test]: [u32; 3],
) -> VtabTask {
    VtabTask { name, group, classes, train, val, test }
}

/// All tasks, in the order of the paper's table 5.
pub const VTAB: [VtabTask; 19] = {
    use VtabGroup::{Natural, Specialized, Structured};
    [
        task("caltech101", Natural, 102, [2_754, 306, 6_084]),
        task("cifar100", Natural, 100, [45_000, 5_000, 10_000]),
        task("dtd", Natural, 47, [1_880, 1_880, 1_880]),
        task("oxford_flowers102", Natural, 102, [1_020, 1_020, 6_149]),
        task("oxford_iiit_pet", Natural, 37, [2_944, 736, 3_669]),
        task("sun397", Natural, 397, [76_128, 10_875, 21_750]),
        task("svhn", Natural, 10, [65_931, 7_326, 26_032]),
        task("patch_camelyon", Specialized, 2, [262_144, 32_768, 32_768]),
        task("eurosat", Specialized, 10, [16_200, 5_400, 5_400]),
        task("resisc45", Specialized, 45, [18_900, 6_300, 6_300]),
        task("diabetic_retinopathy", Specialized, 5, [35_126, 10_906, 42_670]),
        task("clevr_count", Structured, 8, [63_000, 7_000, 15_000]),
        task("clevr_distance", Structured, 6, [63_000, 7_000, 15_000]),
        task("dmlab", Structured, 6, [65_550, 22_628, 22_735]),
        task("dsprites_location", Structured, 16, [589_824, 73_728, 73_728]),
        task("dsprites_orientation", Structured, 16, [589_824, 73_728, 73_728]),
        task("kitti", Structured, 4, [6_347, 423, 711]),
        task("smallnorb_azimuth", Structured, 18, [24_300, 12_150, 12_150]),
        task("smallnorb_elevation", Structured, 9, [24_300, 12_150, 12_150]),
    ]
};

/// The task that a data set of this name is: `vtab-` and the task's name.
#[must_use]
pub fn vtab_task(dataset: &str) -> Option<&'static VtabTask> {
    let name = dataset.strip_prefix("vtab-")?;
    VTAB.iter().find(|task| task.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_tasks_are_natural_four_specialized_eight_structured() {
        let counts =
            VtabGroup::ALL.map(|group| VTAB.iter().filter(|task| task.group == group).count());
        assert_eq!(counts, [7, 4, 8]);
    }

    #[test]
    fn a_data_set_is_a_task_by_its_prefix_and_name_only() {
        let kitti = vtab_task("vtab-kitti").expect("is a task");
        assert_eq!((kitti.group, kitti.classes), (VtabGroup::Structured, 4));
        for other in ["kitti", "vtab-", "vtab-kitti2", "vtab-imagenet"] {
            assert_eq!(vtab_task(other), None, "{other}");
        }
    }
}
