//! Rows as JSON: one array of objects, or one object a line.

use std::io::{self, Write};

use augreg_store::{Heading, Value, ValueRef};

/// JSON on its way. Keys stand in column order.
#[derive(Debug)]
pub(crate) struct Json<W: Write> {
    out: W,
    /// Whether objects stand in one array.
    array: bool,
    /// Encoded, with the colon.
    keys: Vec<Vec<u8>>,
    rows: u64,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W, array: bool) -> Self {
        Self { out, array, keys: Vec::new(), rows: 0 }
    }

    pub(super) fn begin(&mut self, headings: &[Heading]) -> io::Result<()> {
        let key = |heading: &Heading| {
            let mut key = Vec::new();
            text(&mut key, &heading.name)?;
            key.push(b':');
            Ok(key)
        };
        self.keys = headings.iter().map(key).collect::<io::Result<_>>()?;
        if self.array { self.out.write_all(b"[") } else { Ok(()) }
    }

    pub(super) fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()> {
        if self.array {
            self.out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
        }
        self.rows += 1;
        self.out.write_all(b"{")?;
        for (at, (key, value)) in self.keys.iter().zip(row).enumerate() {
            if at > 0 {
                self.out.write_all(b",")?;
            }
            self.out.write_all(key)?;
            match value {
                Value::Text(value) => text(&mut self.out, value)?,
                value => serde_json::to_writer(&mut self.out, value)?,
            }
        }
        self.out.write_all(if self.array { b"}" } else { b"}\n" })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.array {
            self.out.write_all(b"\n]\n")?;
        }
        Ok(self.out)
    }
}

/// A string. What JSON lets stand as it is but a terminal would obey is escaped too: the value is the same.
fn text(out: &mut impl Write, value: &str) -> io::Result<()> {
    let is_obeyed = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !value.contains(is_obeyed) {
        return Ok(serde_json::to_writer(out, value)?);
    }
    let mut rest = serde_json::to_string(value)?;
    while let Some(at) = rest.find(is_obeyed) {
        let tail = rest.split_off(at);
        out.write_all(rest.as_bytes())?;
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            write!(out, "\\u{:04x}", u32::from(c))?;
        }
        chars.as_str().clone_into(&mut rest);
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_terminal_would_obey_is_escaped_and_reads_back_the_same() {
        let value = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{7f} ü \"q\" 🦀";
        let mut json = Json::new(Vec::new(), true);
        json.begin(&[Heading::untyped("k")]).expect("begins");
        json.row(&[Value::from(value).by_ref()]).expect("writes");
        let bytes = json.finish().expect("ends");
        let written = String::from_utf8(bytes).expect("is text");
        assert!(written.replace('\n', "").chars().all(|c| !c.is_control() && c != '\u{202e}'));
        let read: serde_json::Value = serde_json::from_str(&written).expect("is JSON");
        assert_eq!(read[0]["k"], value);
    }
}
