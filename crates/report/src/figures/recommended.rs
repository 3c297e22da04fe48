//! The recommended checkpoint of each model: of its largest upstream budget the one with the best
//! upstream validation accuracy (paper, §4.5).

use std::collections::BTreeMap;

use super::keep;
use crate::exhibit::{Body, Exhibit, Number, Table, TableCell};
use crate::label::{self, printable};
use crate::order::Order;
use crate::study::{Group, OWN, Study};

pub(super) fn recommended(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let mut largest: BTreeMap<(&str, &str), &Group<'_>> = BTreeMap::new();
    // What is only trained from scratch on a data set to adapt to is no upstream run.
    let targets = study.targets();
    let is_upstream =
        |group: &&Group<'_>| !targets.contains(group.dataset) || group.adapted().next().is_some();
    // What is known by its setting in full can be recommended; a cell of a published figure is not.
    let known = |group: &&Group<'_>| {
        let mut settings = group.upstreams.iter().map(|upstream| upstream.run.weight_decay);
        settings.all(|decay| decay.is_some())
    };
    for group in study.groups.iter().filter(is_upstream).filter(known) {
        let budget = |group: &Group<'_>| {
            (group.images_seen().map(Order), group.images().map(Order), Order(group.epochs))
        };
        let known = largest.entry((group.source, group.model)).or_insert(group);
        if budget(group) > budget(known) {
            *known = group;
        }
    }
    let mut largest: Vec<_> = largest.into_values().collect();
    if largest.is_empty() {
        return None;
    }
    largest.sort_by_key(|group| (group.source != OWN, group.source, study.size(group.model)));
    let mut rows = Vec::new();
    for group in largest {
        let Some(best) = keep(Study::best(group), &mut missing) else { continue };
        let accuracy = |value: Option<f64>| {
            value.map_or(TableCell::Empty, |value| {
                TableCell::Number(
                    Number {
                        value: value * 100.0,
                        jobs: best.run.job_id.iter().cloned().collect(),
                        runs: group.upstreams.len(),
                        note: String::new(),
                    },
                    2,
                )
            })
        };
        rows.push(vec![
            TableCell::Text(printable(group.model).into_owned()),
            TableCell::Text(group.budget()),
            TableCell::Text(label::upstream(best.run)),
            accuracy(best.val),
            accuracy(best.test),
            TableCell::Number(
                Number { value: group.upstreams.len() as f64, ..Number::default() },
                0,
            ),
            best.run.job_id.clone().map_or(TableCell::Empty, TableCell::Job),
        ]);
    }
    let columns = [
        ("model", false),
        ("upstream", false),
        ("settings", false),
        ("final_val", true),
        ("final_test", true),
        ("chosen among", true),
        ("job", false),
    ];
    Some(Exhibit {
        name: "recommended",
        title: "Recommended checkpoint of each model",
        about: "Of each model's largest upstream budget (images seen) the checkpoint with the \
                highest validation accuracy at the end; of those that tie, the one registered first. \
                Accuracies in per cent."
            .to_owned(),
        body: Body::Table(Table {
            columns: columns.map(|(name, numeric)| (name.to_owned(), numeric)).to_vec(),
            rows,
        }),
        missing,
    })
}
