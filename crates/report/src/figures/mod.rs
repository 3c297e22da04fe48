//! The study's figures and tables as functions of its runs (paper, Figures 1 to 7, Tables 3 and 5).
//!
//! Each function returns `None` where a study has nothing of the figure's kind, so that the report
//! says so in one line; and an exhibit that names what is missing where it has some of it.

mod figure1;
mod figure2;
mod figure3;
mod figure5;
mod figure6;
mod figure7;
mod recommended;
mod search;
mod table3;

use crate::study::Study;
use crate::{Exhibit, HeatMap};

pub(crate) use figure1::{Size, sizes};
pub(crate) use figure2::{Way, ways};
pub(crate) use figure5::{Loss, losses};
pub use search::{Trial, random_search};

/// A kind of figure, and what a study would need for it.
struct Kind {
    title: &'static str,
    needs: &'static str,
    draw: fn(&Study<'_>, &[HeatMap]) -> Option<Exhibit>,
}

const KINDS: [Kind; 11] = [
    Kind {
        title: "Figure 1: data, augmentation and compute",
        needs: "transfers from several upstream sets or budgets",
        draw: |study, _| figure1::figure1(study),
    },
    Kind {
        title: "Figure 2: from scratch against transfer",
        needs: "pre-trainings and transfers on one and the same data set",
        draw: |study, _| figure2::figure2(study),
    },
    Kind {
        title: "Figure 2, right: random search",
        needs: "pre-trainings and transfers on one and the same data set",
        draw: |study, _| figure2::search(study),
    },
    Kind {
        title: "Figure 3: VTAB against speed",
        needs: "transfers to data sets named `vtab-…`, and throughput jobs",
        draw: |study, _| figure3::figure3(study),
    },
    Kind {
        title: "Figure 5, left: cheap against expensive selection",
        needs: "transfers from several checkpoints of one model and budget",
        draw: |study, _| figure5::selection(study),
    },
    Kind {
        title: "Figure 5, right: validation against test",
        needs: "transfers with a validation and a test accuracy",
        draw: |study, _| figure5::leak(study),
    },
    Kind {
        title: "Figure 6: accuracy against speed",
        needs: "transfers, and throughput jobs",
        draw: |study, _| figure6::figure6(study),
    },
    Kind {
        title: "Figure 6, right: patch size against model size",
        needs: "transfers of models with several patch sizes, and throughput jobs",
        draw: |study, _| figure6::patches(study),
    },
    Kind {
        title: "Figure 7: what regularization does",
        needs: "pre-trainings with and without regularization",
        draw: |_, maps| figure7::figure7(maps),
    },
    Kind {
        title: "Table 3: accuracy and speed",
        needs: "transfers",
        draw: |study, _| table3::table3(study),
    },
    Kind {
        title: "Table 5: VTAB",
        needs: "transfers to data sets named `vtab-…`",
        draw: |study, _| figure3::table5(study),
    },
];

/// Every exhibit that the study has something for, and a line for each that it has not.
pub(crate) fn all(study: &Study<'_>, maps: &[HeatMap]) -> (Vec<Exhibit>, Vec<String>) {
    let (mut exhibits, mut absent) = (Vec::new(), Vec::new());
    for kind in KINDS {
        match (kind.draw)(study, maps) {
            Some(exhibit) => exhibits.push(Exhibit { title: kind.title, ..exhibit }),
            None => absent.push(format!("{} (needs {})", kind.title, kind.needs)),
        }
    }
    match recommended::recommended(study) {
        Some(exhibit) => exhibits.push(exhibit),
        None => absent.push("Recommended checkpoints (need finished pre-trainings)".to_owned()),
    }
    (exhibits, absent)
}

/// Keeps what could be chosen, and notes what could not.
fn keep<T>(found: Result<T, crate::Missing>, missing: &mut Vec<crate::Missing>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(what) => {
            if !missing.contains(&what) {
                missing.push(what);
            }
            None
        }
    }
}

/// The test accuracy of a choice.
fn number(pick: &crate::study::Pick<'_>) -> crate::exhibit::Number {
    crate::exhibit::Number {
        value: pick.test,
        jobs: pick.jobs(),
        runs: pick.runs,
        note: crate::label::settings(pick.run),
    }
}
