//! A job's spec as text: its data set lies in a row of its own, once for all jobs that have it.

use augreg_spec::JobSpec;

/// What is stored of a job's canonical JSON, where its data set's is `identity`.
pub(crate) fn without_dataset(canonical: &str, identity: &str) -> String {
    canonical.replacen(&format!("\"dataset\":{identity},"), "", 1)
}

/// The spec of which [`without_dataset`] was stored.
pub(crate) fn whole(spec: &str, identity: Option<&str>) -> serde_json::Result<JobSpec> {
    let Some(identity) = identity else { return serde_json::from_str(spec) };
    // What is no object is not mended into one.
    let open = spec.strip_suffix('}').unwrap_or(spec);
    serde_json::from_str(&format!("{open},\"dataset\":{identity}}}"))
}
