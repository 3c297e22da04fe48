//! How names and numbers are written, the same in every figure, table and sentence.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use augreg_store::Run;

use crate::JobRow;

/// Replaces control characters: XML cannot hold them, and a terminal would obey them.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unprintable) {
        text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// Controls, non-characters, and the marks that reorder the text around them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Printable `text` of at most `columns` terminal columns: the middle gives way to `…`, since
/// names of one study tend to differ at their ends.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let text = printable(text);
    if text.width() <= columns {
        return text.into_owned();
    }
    let room = columns.saturating_sub(1);
    let head = fitting(text.chars(), room.div_ceil(2));
    let tail: String = fitting(text.chars().rev(), room / 2).chars().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters that fit into `columns`.
fn fitting(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

/// Columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A percentage with one decimal: `87.3`. Halves go up, as in [`points`]: both stand beside each other.
pub(crate) fn percent(value: f64) -> String {
    format!("{:.1}", (value * 10.0).round() / 10.0)
}

/// An accuracy in [0, 1] as a percentage with two decimals, or a dash.
pub(crate) fn accuracy(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.2}", value * 100.0))
}

/// A difference in points with a true minus sign: `+1.2`, `−0.4`, `0.0`.
pub(crate) fn points(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths == 0.0 {
        "0.0".to_owned()
    } else if tenths < 0.0 {
        format!("−{:.1}", -tenths / 10.0)
    } else {
        format!("+{:.1}", tenths / 10.0)
    }
}

/// A budget: `1 epoch`, `300 epochs`.
pub(crate) fn epochs(value: f64) -> String {
    if (value - 1.0).abs() < f64::EPSILON {
        "1 epoch".to_owned()
    } else {
        format!("{value} epochs")
    }
}

/// A count with its noun: `1 job`, `51,408 jobs`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    augreg_words::counted(number as u64, noun)
}

/// The column of a heat map that a job belongs to.
pub(crate) fn regularized(on: bool) -> &'static str {
    if on { "reg" } else { "no reg" }
}

/// Dropout and stochastic depth of a job: `none`, `0.1`, or both when they differ.
pub(crate) fn regularization(job: &JobRow) -> String {
    drops(job.dropout, job.stochastic_depth)
}

/// Dropout and stochastic depth in words.
pub(crate) fn drops(dropout: f64, depth: f64) -> String {
    if dropout <= 0.0 && depth <= 0.0 {
        "none".to_owned()
    } else if dropout.to_bits() == depth.to_bits() {
        dropout.to_string()
    } else {
        format!("dropout {dropout}, depth {depth}")
    }
}

/// A large count in a few characters: `950`, `12.8k`, `1.28M`, `13M`.
pub(crate) fn short_count(count: f64) -> String {
    let (value, unit) = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(size, _)| count >= *size)
        .map_or((count, ""), |(size, unit)| (count / size, unit));
    // Three digits, without zeros that say nothing.
    let decimals = if value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    let text = format!("{value:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The settings of a run that a sweep varies, upstream and, where it is adapted, down.
pub(crate) fn settings(run: &Run) -> String {
    let mut parts: Vec<_> =
        Some(upstream(run)).filter(|part| !part.is_empty()).into_iter().collect();
    if run.adapt_dataset.is_some() {
        parts.extend(run.adapt_learning_rate.map(|rate| format!("adapted at {rate}")));
        parts.extend(run.adapt_steps.map(|steps| format!("{steps} steps")));
        parts.extend(run.adapt_resolution.map(|side| format!("{side} px")));
    }
    parts.join(", ")
}

/// The settings of its checkpoint alone.
pub(crate) fn upstream(run: &Run) -> String {
    let mut parts = Vec::new();
    parts.extend(run.augmentation.as_deref().map(|name| printable(name).into_owned()));
    if let (Some(dropout), Some(depth)) = (run.dropout, run.stochastic_depth) {
        parts.push(format!("regularization {}", drops(dropout, depth)));
    }
    parts.extend(run.weight_decay.map(|decay| format!("weight decay {decay}")));
    parts.extend(run.learning_rate.map(|rate| format!("learning rate {rate}")));
    parts.join(", ")
}

/// The first ten characters of a job's id.
pub(crate) fn short_id(id: &str) -> String {
    printable(id).chars().take(10).collect()
}

/// The end of a sentence that names the jobs of a number, the first few of them.
pub(crate) fn short_ids(jobs: &[String]) -> String {
    const NAMED: usize = 6;
    if jobs.is_empty() {
        return String::new();
    }
    let named: Vec<_> = jobs.iter().take(NAMED).map(|job| short_id(job)).collect();
    let more = if jobs.len() > NAMED { " …" } else { "" };
    format!("; jobs {}{more}", named.join(" "))
}

/// A job in one line, for lists of what is missing.
pub(crate) fn job(job: &JobRow) -> String {
    format!(
        "{}, {}, {}, regularization {}, weight decay {}, {}, seed {}",
        printable(&job.model),
        printable(&job.dataset),
        printable(&job.augmentation),
        regularization(job),
        job.weight_decay,
        epochs(job.epochs),
        job.seed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_carry_a_sign_unless_they_round_to_nothing() {
        assert_eq!(points(1.25), "+1.3");
        assert_eq!(points(-0.44), "−0.4");
        assert_eq!(points(-0.04), "0.0");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shorten("augmentation-with-a-long-name-7", 13), "augmen…name-7");
        assert_eq!(shorten("short", 13), "short");
        assert_eq!(shorten("日本語の名前です", 9), "日本…です");
        assert_eq!(shorten("abc", 0), "…");
    }

    #[test]
    fn counts_have_three_digits_at_most() {
        let counts = [950.0, 5_500.0, 12_812.0, 1_280_000.0, 13e6, 300e6, 1.2e9].map(short_count);
        assert_eq!(counts, ["950", "5.5k", "12.8k", "1.28M", "13M", "300M", "1.2G"]);
    }

    #[test]
    fn control_characters_never_reach_a_terminal_or_a_file() {
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(printable("name\u{202e}"), "name\u{fffd}");
    }
}
