//! `include = ["other.toml", …]`: the stages and definitions of other sweep files, as if they stood here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::error::SweepErrors;
use super::reader::{self, Mistakes};
use super::values::items;
use super::{Surroundings, Sweep};

/// More files than anybody nests; beyond it one includes itself.
const MOST_NESTED: usize = 16;

/// The sweeps that `include` names, and the texts of all files that were read for them.
#[derive(Default)]
pub(super) struct Included {
    pub(super) sweeps: Vec<Sweep>,
    pub(super) texts: BTreeMap<PathBuf, String>,
}

/// Reads them.
///
/// # Errors
///
/// The mistakes of the first included file that has any.
pub(super) fn read(
    value: Option<&Spanned<DeValue<'_>>>,
    around: &Surroundings<'_>,
    mistakes: &mut Mistakes,
) -> Result<Included, SweepErrors> {
    let mut included = Included::default();
    for item in value.map(items).unwrap_or_default() {
        let Some(name) = reader::text(item, "include", mistakes) else { continue };
        let path = around.base.join(name);
        if around.nested >= MOST_NESTED {
            let message = format!("`{name}` is included {MOST_NESTED} files deep");
            let help = "does a file include itself?".to_owned();
            mistakes.add(item.span(), message, "included here", Some(help));
            continue;
        }
        let text = match (around.read)(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let help = "paths start from the folder of the file that includes".to_owned();
                mistakes.add(item.span(), message, "included here", Some(help));
                continue;
            }
        };
        let base = path.parent().unwrap_or(Path::new("/"));
        let within = Surroundings { base, nested: around.nested + 1, ..*around };
        let mut sweep = Sweep::parse(&path.display().to_string(), &text, &within)?;
        included.texts.append(&mut sweep.included);
        included.texts.insert(path, text);
        included.sweeps.push(sweep);
    }
    Ok(included)
}

/// Takes in what another file defines. A name that both define must mean the same in both.
pub(super) fn merge<T: PartialEq>(
    into: &mut BTreeMap<String, T>,
    from: BTreeMap<String, T>,
    kind: &str,
    at: Option<&Spanned<DeValue<'_>>>,
    mistakes: &mut Mistakes,
) {
    for (name, theirs) in from {
        match into.get(&name) {
            Some(ours) if *ours != theirs => {
                let message = format!("{kind} `{name}` is defined in two files, and differently");
                let help = "a name means one thing in a sweep: rename one of them".to_owned();
                let span = at.map(Spanned::span).unwrap_or_default();
                mistakes.add(span, message, "included here", Some(help));
            }
            _ => {
                into.insert(name, theirs);
            }
        }
    }
}

/// Where this file has no budget, none that it includes may have one: whether it holds for both would be a
/// guess.
pub(super) fn check_budgets(
    included: &[Sweep],
    at: Option<&Spanned<DeValue<'_>>>,
    mistakes: &mut Mistakes,
) {
    if included.iter().all(|sweep| sweep.budget.limits.is_empty()) {
        return;
    }
    let message = "an included file has a `[budget]`, which holds for that file alone".to_owned();
    let help = "write a `[budget]` for all of it here; an empty one limits nothing".to_owned();
    let span = at.map(Spanned::span).unwrap_or_default();
    mistakes.add(span, message, "included here", Some(help));
}
