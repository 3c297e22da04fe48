//! A text on the terminal that is shown again and again in its place, with lines above it that stay.

use std::io;

use console::Term;

use crate::words::harmless;

/// The lower end of a terminal.
pub(crate) struct Screen {
    terminal: Term,
    /// Lines of the last text.
    lines: usize,
}

impl Screen {
    /// Nothing is shown yet; none where standard output is no terminal.
    pub(crate) fn new() -> Option<Self> {
        let terminal = Some(Term::stdout()).filter(Term::is_term)?;
        Some(Self { terminal, lines: 0 })
    }

    /// Shows `text` instead of what was shown before, and `above` it lines that stay.
    pub(crate) fn show(&mut self, above: &[String], text: &str) -> io::Result<()> {
        let (rows, columns) = self.terminal.size();
        let shown = fitted(text, usize::from(rows.saturating_sub(1)), usize::from(columns));
        self.terminal.clear_last_lines(self.lines)?;
        for line in above {
            self.terminal.write_line(&harmless(line.trim_end()))?;
        }
        for line in &shown {
            self.terminal.write_line(&harmless(line))?;
        }
        self.lines = shown.len();
        Ok(())
    }
}

/// As many lines as there is room for, none longer than the terminal is wide: what wraps cannot be taken back.
fn fitted(text: &str, rows: usize, columns: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    let cut = |line: &str| console::truncate_str(line, columns, "…").into_owned();
    if all.len() <= rows {
        return all.into_iter().map(cut).collect();
    }
    let kept = rows.saturating_sub(1);
    let more = format!("… {} lines more", all.len() - kept);
    all.into_iter().take(kept).map(cut).chain([cut(&more)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let text = "one\ntwo is long\nthree\nfour\n";
        assert_eq!(fitted(text, 4, 40), ["one", "two is long", "three", "four"]);
        assert_eq!(fitted(text, 3, 7), ["one", "two is…", "… 2 li…"]);
        assert_eq!(fitted(text, 1, 40), ["… 4 lines more"]);
    }
}
