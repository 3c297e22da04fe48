//! Text for a terminal, and sizes as people write them; how numbers are read is `augreg_words`.

use std::borrow::Cow;

pub(crate) use augreg_words::{count, duration, quantity, time};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Reads a number of bytes: `500MB`, `1.5 GB`, `512MiB`, `1000000`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 10] = [
        ("", 1.0),
        ("B", 1.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KIB", 1024.0),
        ("MIB", 1024.0 * 1024.0),
        ("GIB", 1024.0 * 1024.0 * 1024.0),
        ("TIB", 1024.0 * 1024.0 * 1024.0 * 1024.0),
    ];
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[end..].trim().to_uppercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number = text[..end].parse::<f64>().ok();
    let bytes = number.zip(factor).map(|(number, factor)| number * factor);
    bytes
        .filter(|bytes| bytes.is_finite())
        .map(|bytes| bytes as u64)
        .ok_or_else(|| "a number of bytes, such as 500MB, 1.5GB or 0".to_owned())
}

/// Text without what a terminal would obey: control characters become their pictures or numbers, and so do
/// those that turn the direction of writing.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7f}' => out.push('␡'),
            c if c < ' ' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            c if is_obeyed(c) => out += &format!("<{:x}>", u32::from(c)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Control characters, and those that turn the direction of writing.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for text of several lines, which may have colours.
pub(crate) fn harmless_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c != '\n' && c != '\t' && is_obeyed(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let kept = match c {
            '\n' | '\t' => 1,
            '\u{1b}' => colour(rest),
            _ => 0,
        };
        let (taken, after) = rest.split_at(if kept > 0 { kept } else { c.len_utf8() });
        if kept > 0 {
            out += taken;
        } else {
            out += &harmless(taken);
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Bytes of the order at the start of `text` if that only changes colours (SGR of ECMA-48), else 0.
fn colour(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let numbers = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
    if rest[numbers..].starts_with('m') { 2 + numbers + 1 } else { 0 }
}

/// Text of at most so many columns, with `…` where it was cut.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_terminal_obeys_only_lines_and_colours_are_left() {
        let plain = "one\n\ttwo é\n";
        assert!(matches!(harmless_lines(plain), Cow::Borrowed(_)));
        let coloured = "\u{1b}[1;31mred\u{1b}[0m\n";
        assert_eq!(harmless_lines(coloured), coloured);
        let title = "a\u{1b}]0;title\u{7}b\u{1b}[2Jc\r\u{9b}d\u{202e}e\u{1b}";
        assert_eq!(harmless_lines(title), "a␛]0;title␇b␛[2Jc␍<9b>d<202e>e␛");
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("1.5 gb"), Ok(1_500_000_000));
        assert_eq!(size("2MiB"), Ok(2 << 20));
        assert_eq!((size("0"), size("12B")), (Ok(0), Ok(12)));
        for wrong in ["", "MB", "-1", "1 parsec", "1.2.3MB", "5é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
