//! The ends of workers' log files, for the texts that say why a worker is gone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// At most this much of a log is quoted.
const BYTES: u64 = 2048;
/// At most this many lines of a log are quoted.
const LINES: usize = 8;

/// The last lines of what was written to the log at `path` after its first `from` bytes; none if
/// there is no such file, or nothing was written.
#[must_use]
pub fn tail_of_log(path: &Path, from: u64) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let start = from.max(length.saturating_sub(BYTES));
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    (!tail.is_empty()).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_after_the_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("worker.log");
        assert_eq!(tail_of_log(&path, 0), None);

        let text: String = (0..1000).map(|i| ["line ", &i.to_string(), "\n"].concat()).collect();
        std::fs::write(&path, &text).expect("writes");
        let tail = tail_of_log(&path, 0).expect("there is text");
        assert_eq!(tail.lines().count(), LINES);
        assert!(tail.ends_with("line 998\nline 999"), "{tail}");

        let before = text.len() as u64 - 9;
        assert_eq!(tail_of_log(&path, before).as_deref(), Some("line 999"));
        assert_eq!(tail_of_log(&path, text.len() as u64), None);
    }
}
