//! A job's spec as text: its data set lies in a row of its own, once for all jobs that have it.

use augreg_spec::JobSpec;

/// No key of a spec ends with it but its own, and no text holds a quote that is not escaped.
const KEY: &str = "\"dataset\":";

/// What is stored of a job's canonical JSON, where its data set's is `identity`.
pub(crate) fn without_dataset(canonical: &str, identity: &str) -> String {
    let parts = canonical
        .split_once(KEY)
        .and_then(|(before, rest)| Some((before, rest.strip_prefix(identity)?.strip_prefix(',')?)));
    parts.map_or_else(|| canonical.to_owned(), |(before, behind)| [before, behind].concat())
}

/// The spec of which [`without_dataset`] was stored.
pub(crate) fn whole(spec: &str, identity: Option<&str>) -> serde_json::Result<JobSpec> {
    match (spec.strip_suffix('}'), identity) {
        (Some(open), Some(identity)) => {
            serde_json::from_str(&format!("{open},\"dataset\":{identity}}}"))
        }
        // What is no object is not mended into one.
        _ => serde_json::from_str(spec),
    }
}
