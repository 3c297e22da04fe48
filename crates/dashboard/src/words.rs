//! Values, times and text as a page shows them; how numbers are read is `augreg_words`.

use augreg_store::Value;
pub(crate) use augreg_words::{count, counted, duration, quantity};
use jiff::Timestamp;
use maud::{Markup, html};

/// Milliseconds since 1970 as local date and time, exact for whoever points at it.
pub(crate) fn time(milliseconds: u64) -> Markup {
    let at = Timestamp::from_millisecond(milliseconds as i64).unwrap_or_default();
    html! {
        time datetime=(at) { (augreg_words::time(milliseconds)) }
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
    }

    #[test]
    fn characters_that_reorder_text_or_move_a_cursor_are_not_passed_on() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\nc"), "a\u{fffd}[31m\u{fffd}b\nc");
    }
}
