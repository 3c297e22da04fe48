//! `augreg data check`

use std::path::PathBuf;

use augreg_data::{Check, Dataset, SplitCheck};
use augreg_spec::{DatasetDefinition, DatasetIdentity, SplitName};
use clap::Args;

use super::classes_text;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::sweep_file;
use crate::words::count;

const OUTCOME: &str = "\
Exit code 1 if a picture cannot be decoded, or one that is trained on is in another split as well.";

/// Read and decode all of a data set: counts, sizes, bad pictures, duplicates
#[derive(Debug, Args)]
#[command(after_help = OUTCOME)]
pub(crate) struct CheckArgs {
    /// The sweep file
    file: PathBuf,
    /// One of its data sets; all that its stages use without it
    dataset: Option<String>,
    /// Name at most so many bad pictures and duplicates
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
}

pub(crate) fn run(args: &CheckArgs) -> Result<Ending, Failure> {
    let loaded = sweep_file::load(&args.file)?;
    if let Some(asked) = &args.dataset {
        super::dataset(&loaded, asked)?;
    }
    let mut ending = Ending::Good;
    for (name, definition) in &loaded.sweep.datasets {
        if args.dataset.as_ref().is_some_and(|asked| asked != name) {
            continue;
        }
        let identity = loaded.identity(name)?;
        let dataset = Dataset::open(&definition.source, identity)?;
        let check = Check::of(&dataset, identity.classes)?;
        if check.bad() > 0 || check.duplicates.iter().any(augreg_data::Duplicate::is_across) {
            ending = Ending::JobsFailed;
        }
        output::print(&text(definition, identity, &check, args.limit))?;
    }
    Ok(ending)
}

fn text(
    definition: &DatasetDefinition,
    identity: &DatasetIdentity,
    check: &Check,
    limit: usize,
) -> String {
    let mut text = format!(
        "{} — {}, {} classes, fingerprint {}\n",
        definition.name,
        definition.source.format.name(),
        count(identity.classes.into()),
        identity.fingerprint(),
    );
    for (word, name) in SplitName::ALL {
        if let Some(split) = check.splits.get(&name) {
            text += &format!("  {word:5}  {}\n", split_text(split));
        }
    }
    text += &format!("  bad    {}\n", count(check.bad() as u64));
    let bad = check.splits.values().flat_map(|split| &split.bad);
    for (place, reason) in bad.take(limit) {
        text += &format!("           {place} {reason}\n");
    }
    let across = check.duplicates.iter().filter(|duplicate| duplicate.is_across());
    let within = check.duplicates.len() - across.clone().count();
    text += &format!(
        "  twice  {} in several splits, {} within one\n",
        count(across.clone().count() as u64),
        count(within as u64)
    );
    for duplicate in across.take(limit) {
        let copies = duplicate.copies.iter().map(|(split, place, classes)| {
            let word = SplitName::ALL.iter().find(|(_, name)| name == split).map_or("", |s| s.0);
            format!("{word} {place} ({})", classes_text(classes))
        });
        text += &format!("           {}\n", copies.collect::<Vec<_>>().join(" = "));
    }
    text
}

fn split_text(split: &SplitCheck) -> String {
    let mut parts = vec![format!("{} examples", count(split.examples))];
    let present = split.classes.iter().enumerate().filter(|(_, examples)| **examples > 0);
    let fewest = present.clone().min_by_key(|(_, examples)| **examples);
    let most = present.clone().max_by_key(|(_, examples)| **examples);
    if let (Some((fewest, least)), Some((most, largest))) = (fewest, most) {
        parts.push(if least == largest {
            format!("{} of each class", count(*least))
        } else {
            format!("{} (class {fewest}) to {} (class {most})", count(*least), count(*largest))
        });
    }
    let labels: u64 = split.classes.iter().sum();
    if labels + split.without_class != split.examples {
        parts.push(format!("{:.2} classes each", labels as f64 / split.examples.max(1) as f64));
    }
    if split.without_class > 0 {
        parts.push(format!("{} without a class", count(split.without_class)));
    }
    let empty = split.classes.len() - present.count();
    if empty > 0 {
        parts.push(format!("{} classes empty", count(empty as u64)));
    }
    if let Some([(low_width, low_height), (width, height)]) = split.sides {
        parts.push(if (low_width, low_height) == (width, height) {
            format!("{width} × {height} pixels")
        } else {
            format!("{low_width}–{width} × {low_height}–{height} pixels")
        });
    }
    let codecs = split.codecs.iter().map(|(codec, n)| format!("{} {codec}", count(*n)));
    parts.push(codecs.collect::<Vec<_>>().join(" + "));
    parts.join(", ")
}
