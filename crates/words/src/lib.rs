//! Counts, times and amounts as people read them, the same in the terminal, in the browser and in reports.
//!
//! What a terminal or a page makes of text is theirs; nothing here knows either, or a study.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A count with thousands separators: `51,408`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 job`, `1,200 jobs`.
#[must_use]
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Seconds as `42 s`, `3 min 20 s`, `5 h 10 min`, `12 d 3 h`; fewer than none as none.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let total = seconds.max(0.0).round() as u64;
    let (days, hours, minutes) = (total / 86_400, total / 3600 % 24, total / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{total} s"),
        (0, 0, _) => format!("{minutes} min {} s", total % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number of `unit`s, not below 0, with an SI prefix (powers of 1,000) and three digits: `1.24 PFLOP`.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    let (mut scaled, mut prefix) = (value, 0);
    while scaled >= 999.5 && prefix + 1 < prefixes.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let decimals = match scaled {
        _ if prefix == 0 || scaled >= 99.95 => 0,
        _ if scaled >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$} {}{unit}", prefixes[prefix])
}

/// Milliseconds since 1970 as local date and time: `2026-11-27 06:08:07`. What is no time is shown as the number
/// it is.
#[must_use]
pub fn time(milliseconds: u64) -> String {
    let at = i64::try_from(milliseconds).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    at.map_or_else(
        || milliseconds.to_string(),
        |at| at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(
            (counted(1, "job"), counted(1200, "job")),
            ("1 job".into(), "1,200 jobs".into())
        );
        assert_eq!(duration(42.4), "42 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(90_000.0), "1 d 1 h");
        assert_eq!(quantity(1.2345e15, "FLOP"), "1.23 PFLOP");
        assert_eq!(quantity(999.7e6, "B"), "1.00 GB");
        assert_eq!(quantity(12.0, "B"), "12 B");
    }

    #[test]
    fn what_is_no_time_is_shown_as_it_is() {
        assert_eq!(time(u64::MAX), "18446744073709551615");
        assert_eq!(time(i64::MAX as u64), "9223372036854775807");
        assert_eq!(time(0).len(), "1970-01-01 00:00:00".len());
    }
}
