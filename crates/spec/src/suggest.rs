//! The nearest valid name to a mistyped one.

/// The candidate closest to `name`, if one is close enough to have been meant.
///
/// Close enough: at most a third of the characters differ (Damerau-Levenshtein, at least one).
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(
                &name.to_ascii_lowercase(),
                &candidate.to_ascii_lowercase(),
            );
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_finds_its_name_and_nonsense_finds_none() {
        let presets = ["none", "light1", "light2", "medium1", "strong1"];
        assert_eq!(nearest("medum1", presets), Some("medium1"));
        assert_eq!(nearest("ti/16", ["Ti/16", "B/16"]), Some("Ti/16"));
        assert_eq!(nearest("bananas", presets), None);
    }
}
