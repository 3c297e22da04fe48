//! A text that is shown again and again: on a terminal in its place, elsewhere whenever it has changed.

use std::io;

use console::Term;

use crate::output;

/// Where it is shown.
pub(crate) struct Screen {
    terminal: Option<Term>,
    /// Lines of the last text on the terminal.
    lines: usize,
    last: String,
}

impl Screen {
    /// Nothing is shown yet.
    pub(crate) fn new() -> Self {
        let terminal = Some(Term::stdout()).filter(Term::is_term);
        Self { terminal, lines: 0, last: String::new() }
    }

    /// Shows `text` instead of what was shown before.
    pub(crate) fn show(&mut self, text: &str) -> io::Result<()> {
        let Some(terminal) = &self.terminal else {
            if text != self.last {
                text.clone_into(&mut self.last);
                output::print(text)?;
                output::print("\n")?;
            }
            return Ok(());
        };
        let (rows, columns) = terminal.size();
        let shown = fitted(text, usize::from(rows.saturating_sub(1)), usize::from(columns));
        terminal.clear_last_lines(self.lines)?;
        for line in &shown {
            terminal.write_line(line)?;
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
