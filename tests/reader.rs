//! A reader who types every command of a page, in order, in a folder of their own, and stops at the first that
//! does not do what the page says.

use std::ffi::OsString;
use std::fs::{self, File};
use std::iter;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::NamedTempFile;

use crate::page::{Block, Typed, blocks, commands};
use crate::{Study, binary, data};

/// Longer than this no command takes that ends by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// A command that goes on until it is interrupted, or for longer than a test has.
pub struct Endless {
    /// What it begins with.
    pub begins: &'static str,
    /// How it is seen that it does its work.
    pub sign: Sign,
    /// The exit code it ends with when it is interrupted.
    pub code: i32,
}

/// A sign of life.
pub enum Sign {
    /// It has said this.
    Says(&'static str),
    /// This question to the study, in SQL, has a row.
    Finds(&'static str),
}

/// The reader of one page.
pub struct Reader {
    study: Study,
    endless: &'static [Endless],
    /// Beginnings of commands that are passed over.
    elsewhere: &'static [&'static str],
}

/// A page of the checkout, such as `docs/guide.md`.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn page(name: &str) -> String {
    fs::read_to_string(checkout().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Reader {
    /// A reader in the folder of a study, from which the checkout's `data`, `scripts` and `sweeps` are in reach.
    ///
    /// # Panics
    ///
    /// If they cannot be linked there.
    #[must_use]
    pub fn new(
        study: Study,
        endless: &'static [Endless],
        elsewhere: &'static [&'static str],
    ) -> Self {
        for name in ["scripts", "sweeps"] {
            symlink(checkout().join(name), study.path(name)).expect("links");
        }
        symlink(data(), study.path("data")).expect("links");
        Self { study, endless, elsewhere }
    }

    /// Their folder.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// Gives their commands a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.study.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the files of a page, and types nothing.
    pub fn write(&self, page_name: &str) {
        for block in blocks(&page(page_name)) {
            self.write_block(&block);
        }
    }

    /// Does all that a page says.
    ///
    /// # Panics
    ///
    /// If something does not do what the page says; with page, line, command, and what it wrote.
    pub fn read(&self, page_name: &str) {
        for block in blocks(&page(page_name)) {
            self.write_block(&block);
            let typed = match &*block.tag {
                "sh" => commands(&block, is_whole),
                "python" => vec![python(&block)],
                _ => continue,
            };
            for typed in typed {
                if !self.elsewhere.iter().any(|begins| typed.text.starts_with(begins)) {
                    self.do_as_said(page_name, &typed);
                }
            }
        }
    }

    fn write_block(&self, block: &Block) {
        if let Some(name) = &block.file {
            self.study.write(name, &block.text);
        }
    }

    fn do_as_said(&self, page_name: &str, typed: &Typed) {
        let endless = self.endless.iter().find(|endless| typed.text.starts_with(endless.begins));
        let mut started = Started::new(self.shell(&typed.text));
        let mut is_alive = true;
        if let Some(endless) = endless {
            is_alive = started.wait_until(|so_far| match endless.sign {
                Sign::Says(text) => so_far.contains(text),
                Sign::Finds(sql) => self.finds(sql),
            });
            started.interrupt();
        }
        let code = started.wait_until_ended();
        let expected = endless.map_or(typed.code, |endless| endless.code);
        assert!(
            is_alive && code == Some(expected),
            "{page_name}:{}\n$ {}\nended with {code:?} instead of {expected}, or did not do its work\n{}",
            typed.line,
            typed.text,
            started.said()
        );
    }

    fn finds(&self, sql: &str) -> bool {
        let rows = self.study.augreg(&["query", "--format", "jsonl", sql]);
        rows.code == Some(0) && !rows.stdout.is_empty()
    }

    /// A command as their shell runs it: the built binaries come first, and the study is the folder's own.
    fn shell(&self, text: &str) -> Command {
        let binaries = binary("augreg").parent().map(Path::to_path_buf).expect("has a folder");
        let mut command = Command::new("bash");
        let own = self.study.environment.iter().map(|(name, value)| (&**name, &**value));
        command
            .args(["-euo", "pipefail", "-c", text])
            .current_dir(self.study.path(""))
            .env("AUGREG_DATA", data())
            .env_remove("AUGREG_ROOT")
            .env_remove("AUGREG_LOG")
            // Cargo's, which no reader has; what a cluster needs follows.
            .env_remove("LD_LIBRARY_PATH")
            .envs(own.clone())
            .stdin(Stdio::null());
        let set = own.filter(|(name, _)| *name == "PATH").map(|(_, path)| path.into()).next_back();
        let path: OsString = set.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        let folders = iter::once(binaries).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("folders without colons"));
        command
    }
}

/// Whether the shell would run this, or wait for more of it.
fn is_whole(text: &str) -> bool {
    let checked = Command::new("bash").args(["-n", "-c", text]).output().expect("bash is there");
    // Of a here-document without an end it only warns.
    checked.status.success() && checked.stderr.is_empty()
}

/// A block of Python, as one command.
fn python(block: &Block) -> Typed {
    let text = format!("python3 - <<'END'\n{}END", block.text);
    Typed { line: block.line, text, code: 0 }
}

/// A started command with all that it starts in turn, none of which outlives it.
struct Started {
    child: Child,
    /// What it writes, errors too, as on a terminal.
    said: NamedTempFile,
    since: Instant,
}

impl Started {
    fn new(mut command: Command) -> Self {
        let said = NamedTempFile::new().expect("a temporary file");
        let out = || File::options().append(true).open(said.path()).expect("is there");
        let child = command.stdout(out()).stderr(out()).process_group(0).spawn();
        Self { child: child.expect("bash is there"), since: Instant::now(), said }
    }

    fn said(&self) -> String {
        let bytes = fs::read(self.said.path()).expect("is there");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a sign, which may be in what it has said so far: whether it came before the end, and while there
    /// was patience.
    fn wait_until(&mut self, seen: impl Fn(&str) -> bool) -> bool {
        while self.since.elapsed() < PATIENCE && self.child.try_wait().expect("waits").is_none() {
            if seen(&self.said()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Its exit code, if it ended by itself.
    fn wait_until_ended(&mut self) -> Option<i32> {
        while self.since.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("waits") {
                // As shells tell of a signal.
                return status.code().or(status.signal().map(|signal| 128 + signal));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ctrl-C.
    fn interrupt(&self) {
        let _ = kill_process_group(self.group(), Signal::INT);
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group(), Signal::KILL);
        let _ = self.child.wait();
    }
}
