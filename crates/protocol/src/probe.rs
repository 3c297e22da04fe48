//! What a node is asked to do in a folder that it shares with others, so that they know whether they do share it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The files of a probe, in a folder of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFolder(pub PathBuf);

/// What a node has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Version of its worker.
    pub version: String,
    /// The node.
    pub node: String,
    /// What it read in the file that was written for it.
    pub read: Option<String>,
    /// Whether it could lock a file that somebody else holds locked: then locks do not work between the two.
    pub locks_in_vain: bool,
    /// The GPUs that are visible to it.
    pub gpus: String,
}

impl ProbeFolder {
    /// Written by whoever asks.
    #[must_use]
    pub fn word(&self) -> PathBuf {
        self.0.join("word")
    }

    /// Held locked by whoever asks.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Appended to by the node, twice.
    #[must_use]
    pub fn appended(&self) -> PathBuf {
        self.0.join("appended")
    }

    /// Written by the node under another name, then renamed: a [`Probe`] as JSON.
    #[must_use]
    pub fn answer(&self) -> PathBuf {
        self.0.join("answer.json")
    }

    /// Does what a node is asked to do.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn answer_as(&self, version: &str, node: &str, gpus: &str) -> io::Result<()> {
        let mut appended = OpenOptions::new().create(true).append(true).open(self.appended())?;
        for part in ["one\n", "two\n"] {
            appended.write_all(part.as_bytes())?;
            appended.sync_data()?;
        }
        let probe = Probe {
            version: version.to_owned(),
            node: node.to_owned(),
            read: fs::read_to_string(self.word()).ok(),
            locks_in_vain: locks(&self.lock())?,
            gpus: gpus.to_owned(),
        };
        let draft = self.0.join("answer.json-draft");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(&probe)?)?;
        file.sync_data()?;
        fs::rename(draft, self.answer())
    }
}

/// Whether a file can be locked.
fn locks(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().append(true).open(path)?.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_was_read_and_whether_a_lock_was_respected() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let probe = ProbeFolder(folder.path().to_owned());
        fs::write(probe.word(), "a word").expect("writes");
        let held = File::create(probe.lock()).expect("creates");
        held.lock().expect("locks");
        probe.answer_as("1.2.3", "n1", "0").expect("answers");
        let answer = || -> Probe {
            serde_json::from_slice(&fs::read(probe.answer()).expect("reads")).expect("is JSON")
        };
        assert_eq!((answer().read.as_deref(), answer().locks_in_vain), (Some("a word"), false));
        assert_eq!(fs::read_to_string(probe.appended()).expect("reads"), "one\ntwo\n");
        drop(held);
        probe.answer_as("1.2.3", "n1", "0").expect("answers");
        assert!(answer().locks_in_vain);
    }
}
