//! The data sets of a sweep file.

use augreg_data::Dataset;
use augreg_protocol::with_causes;
use augreg_spec::{DatasetDefinition, SplitName, Sweep};

use super::{Findings, well};
use crate::failure::Failure;
use crate::words::count;

/// What is wrong with a data set, and what mends that.
type Fault = (String, String);

/// Looks at every data set, each on its own thread: it may take minutes to read a large one for the first time.
pub(super) fn look(findings: &mut Findings, sweep: &Sweep) -> Result<(), Failure> {
    let looks: Vec<_> = std::thread::scope(|scope| {
        let all = sweep.datasets.values();
        let threads: Vec<_> = all.map(|one| (one, scope.spawn(|| look_at(one)))).collect();
        threads.into_iter().map(|(one, thread)| (one, thread.join())).collect()
    });
    for (definition, look) in looks {
        let name = &definition.name;
        match look {
            Ok(Ok(what)) => well(&format!("data set `{name}`: {what}"))?,
            Ok(Err((what, help))) => {
                findings.wrong(&format!("data set `{name}`: {what}"), &help)?;
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(())
}

fn look_at(definition: &DatasetDefinition) -> Result<String, Fault> {
    let path = &definition.source.path;
    let identity = augreg_data::identify(definition).map_err(|error| {
        let name = &definition.name;
        let help = if path.exists() {
            format!(
                "[dataset.{name}] in the sweep file must say what lies in `{}`; `augreg plan` shows the line",
                path.display()
            )
        } else {
            format!(
                "put the data there, or name another `path` in [dataset.{name}]; where the path has a \
                 variable, `${{NAME}}`, set that"
            )
        };
        (with_causes(&error), help)
    })?;
    let check = || {
        format!(
            "`augreg data check FILE {}` reads all of it and names what is bad",
            definition.name
        )
    };
    let dataset = Dataset::open(&definition.source, &identity)
        .map_err(|error| (with_causes(&error), check()))?;
    let mut parts = Vec::new();
    for (word, name) in SplitName::ALL {
        let Ok(split) = dataset.split(name) else { continue };
        if let Some((place, why)) =
            split.undecodable().map_err(|error| (with_causes(&error), check()))?
        {
            return Err((format!("{place} of the {word} split cannot be decoded: {why}"), check()));
        }
        parts.push(format!("{} {word}", count(split.len() as u64)));
    }
    Ok(format!(
        "{} examples, {} classes, readable in `{}`",
        parts.join(" + "),
        count(identity.classes.into()),
        path.display()
    ))
}
