//! Where words go: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::args::{Color, Global};
use crate::words::harmless_lines;

static COLOURED: OnceLock<bool> = OnceLock::new();

/// Sets up error reports and logging as the arguments ask.
pub(crate) fn set_up(global: &Global) {
    let wanted = |terminal: bool| match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    COLOURED.get_or_init(|| wanted(io::stdout().is_terminal()));
    let coloured = wanted(io::stderr().is_terminal());
    // Fails only if a hook is there already, and this is the first.
    let _ = miette::set_hook(Box::new(move |_| {
        let options = miette::MietteHandlerOpts::new().terminal_links(false).wrap_lines(false);
        Box::new(options.color(coloured).unicode(true).build())
    }));
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_env("AUGREG_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(coloured)
        .with_target(false)
        .init();
}

/// Whether standard output takes colours.
pub(crate) fn coloured() -> bool {
    COLOURED.get().copied().unwrap_or(false)
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Columns of the terminal, 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or_else(|| usize::from(console_width()))
}

fn console_width() -> u16 {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    if columns == 0 { 80 } else { columns } // Some terminals do not know their size.
}

/// Writes a line of data to standard output. A terminal gets nothing that it would obey but colours.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = if is_terminal() { harmless_lines(text) } else { text.into() };
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes a line of talk to standard error; nobody there is no failure.
pub(crate) fn say(text: &str) {
    let mut err = io::stderr().lock();
    let text = if err.is_terminal() { harmless_lines(text) } else { text.into() };
    let _ = writeln!(err, "{}", text.trim_end());
}
