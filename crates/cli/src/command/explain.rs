//! `augreg plan --explain`: where the settings of a job come from.

use augreg_spec::{ExplainError, Explained, Explanation};

use crate::failure::Failure;
use crate::sweep_file::Loaded;
use crate::words::count;

/// What was asked for: `model=B/16`.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("a setting and its value, such as model=B/16".to_owned()),
    }
}

/// The settings of the first job of each stage that has these.
pub(super) fn text(loaded: &Loaded, asked: &[(String, String)]) -> Result<String, Failure> {
    let explained = loaded.sweep.explain(asked, &loaded.found).map_err(|error| refused(&error))?;
    Ok(explained.iter().map(stage_text).collect::<Vec<_>>().join("\n"))
}

fn refused(error: &ExplainError) -> Failure {
    let help = match error {
        ExplainError::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
        ExplainError::Unknown { near: None, .. } => {
            "docs/sweep-file-reference.md lists the settings of every stage".to_owned()
        }
        ExplainError::Nothing { values, .. } if !values.is_empty() => {
            format!("the sweep file has {}", values.join(", "))
        }
        ExplainError::Nothing { .. } => {
            "`augreg plan FILE` shows the values of all axes".to_owned()
        }
    };
    Failure::request(error.to_string(), help)
}

fn stage_text(explanation: &Explanation) -> String {
    let Explanation { stage, points, settings } = explanation;
    let of = match points {
        1 => "the only such job".to_owned(),
        n => format!("the first of {} such jobs", count(*n)),
    };
    let widest = |part: fn(&Explained) -> &str| {
        settings.iter().map(|row| part(row).chars().count()).max().unwrap_or(0)
    };
    let (name, value) = (widest(|row| &row.name), widest(|row| &row.value).min(40));
    let mut text = format!("{}: {of}\n", stage.name());
    for row in settings {
        let line = format!("  {:name$}  {:value$}  {}", row.name, row.value, row.from);
        text += line.trim_end();
        text.push('\n');
    }
    text
}
