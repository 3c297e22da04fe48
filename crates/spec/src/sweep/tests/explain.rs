//! Where settings come from, told for a job that somebody asks about.

use super::{GOOD, found, parse};
use crate::sweep::ExplainError;

fn asked(text: &str) -> Vec<(String, String)> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn every_setting_of_a_job_is_told_with_the_line_preset_or_paper_section_it_is_from() {
    let transfer = "\n[transfer]\nupstream = \"all\"\ndataset = \"fashion\"\nlearning_rate = 0.01\n\
                    steps = 500\nresolution = 28\n";
    let sweep = parse(&format!("{GOOD}{transfer}")).expect("is valid");
    let explained = sweep
        .explain(&asked("dataset=fashion augmentation=tiny"), &found(&sweep))
        .expect("there is one");
    let lines = explained.iter().flat_map(|stage| {
        let title = format!("{}, {} points", stage.stage.name(), stage.points);
        let rows =
            stage.settings.iter().map(|row| format!("{} | {} | {}", row.name, row.value, row.from));
        std::iter::once(title).chain(rows)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));

    // A setting that the file leaves to the recipe can be asked for as well.
    let usual = sweep.explain(&asked("learning_rate=0.001"), &found(&sweep)).expect("there is one");
    assert_eq!(usual.len(), 1, "the transfers have another");
    let steps = usual[0].settings.iter().find(|row| row.name == "learning_rate");
    assert!(steps.is_some_and(|row| row.from == "recipe: paper §3.3, the peak"), "{steps:?}");
}

#[test]
fn what_nothing_is_called_by_is_answered_with_what_there_is() {
    let sweep = parse(GOOD).expect("is valid");
    let unknown = sweep.explain(&asked("epoch=3"), &found(&sweep)).expect_err("is no setting");
    let near = Some("epochs".to_owned());
    assert_eq!(unknown, ExplainError::Unknown { name: "epoch".to_owned(), near });
    let nothing =
        sweep.explain(&asked("model=Mu/7 epochs=5"), &found(&sweep)).expect_err("has no job");
    let values = vec!["3".to_owned(), "30".to_owned()];
    assert_eq!(nothing, ExplainError::Nothing { asked: "model=Mu/7 epochs=5".to_owned(), values });
}
