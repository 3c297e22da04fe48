//! Numbers and times as people read them.

use augreg_store::Value;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// A count with thousands separators.
pub(crate) fn count(n: u64) -> String {
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
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Seconds as `42 s`, `3 min 20 s`, `5 h 10 min`, `12 d 3 h`.
pub(crate) fn duration(seconds: f64) -> String {
    let total = seconds.max(0.0).round() as u64;
    let (days, hours, minutes) = (total / 86_400, total / 3600 % 24, total / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{total} s"),
        (0, 0, _) => format!("{minutes} min {} s", total % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number with an SI prefix and three digits: `1.24 PFLOP`.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
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

/// Milliseconds since 1970 as local date and time, exact for whoever points at it.
pub(crate) fn time(milliseconds: u64) -> Markup {
    let at = Timestamp::from_millisecond(milliseconds as i64).unwrap_or_default();
    let local = at.to_zoned_datetime(TimeZone::system());
    html! {
        time datetime=(at) { (local.strftime("%Y-%m-%d %H:%M:%S")) }
    }
}

/// Milliseconds since 1970, now.
pub(crate) fn now() -> u64 {
    Timestamp::now().as_millisecond() as u64
}

/// A number with as many digits as say something.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 {
        return format!("{value}");
    }
    let text = match size {
        _ if size < 1e-3 => return format!("{value:.2e}"),
        _ if size < 1.0 => format!("{value:.4}"),
        _ if size < 1000.0 => format!("{value:.3}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A value of a table.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => number(*x),
        Value::Text(text) => text.clone(),
    }
}

/// Text for a page, without characters that a terminal or a reader of the text would obey.
pub(crate) fn printable(text: &str) -> String {
    let odd = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_say_something() {
        let texts = [0.0, 3.0, 0.004, 0.1, 0.00003, 12.34567, 10_436.4].map(number);
        assert_eq!(texts, ["0", "3", "0.004", "0.1", "3.00e-5", "12.346", "10436"]);
        assert_eq!(
            (counted(1, "job"), counted(1200, "job")),
            ("1 job".into(), "1,200 jobs".into())
        );
        assert_eq!(
            (quantity(1.2345e15, "FLOP"), duration(200.0)),
            ("1.23 PFLOP".into(), "3 min 20 s".into())
        );
    }

    #[test]
    fn characters_that_reorder_text_or_move_a_cursor_are_not_passed_on() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\nc"), "a\u{fffd}[31m\u{fffd}b\nc");
    }
}
