//! The end of a worker's log.
//!
//! Its path is made from a job and a number that the database knows; nothing that a request says becomes
//! part of it.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use augreg_protocol::RunFolder;
use augreg_spec::JobId;
use augreg_store::Store;

use crate::words::printable;

/// Bytes that are read at most.
const LENGTH: u64 = 64 << 10;

/// The end of the log of one attempt, from the beginning of a line, or why there is none.
pub(crate) async fn tail(store: &Store, job: JobId, attempt: u32) -> Result<String, String> {
    let path = RunFolder::new(store.root(), job).log(attempt);
    let read = tokio::task::spawn_blocking(move || end_of(path)).await;
    match read {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("no log: {error}")),
        Err(error) => Err(format!("no log: {error}")),
    }
}

fn end_of(path: PathBuf) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LENGTH);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LENGTH).read_to_end(&mut bytes)?;
    let text = printable(&String::from_utf8_lossy(&bytes));
    match text.split_once('\n') {
        Some((_, rest)) if start > 0 => Ok(format!("… {start} bytes before this\n{rest}")),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_last_whole_lines_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("worker.log");
        let lines: Vec<_> = (0..20_000).map(|n| format!("line {n}\u{1b}[2J")).collect();
        let text = lines.join("\n") + "\n";
        std::fs::write(&path, text).expect("writes");
        let end = end_of(path).expect("reads");
        assert!(end.len() < 80_000 && end.ends_with("line 19999\u{fffd}[2J\n"));
        let lines: Vec<_> = end.lines().collect();
        assert!(lines[0].ends_with("bytes before this") && lines[1].starts_with("line "));
        assert!(end_of(folder.path().join("no.log")).is_err());
    }
}
