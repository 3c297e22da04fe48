//! A terminal of a certain size, and a command that runs in it.

use std::io::Read;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::kill;

/// A command whose input and output are a terminal. Killed if the test ends before it does.
pub struct Terminal {
    child: Child,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

/// All that was to be seen.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    frames: Vec<String>,
}

impl Terminal {
    /// Runs the command in a terminal of so many columns and rows.
    ///
    /// # Panics
    ///
    /// If the system has no terminal to give, or the command does not start.
    #[must_use]
    pub fn run(mut command: Command, columns: u16, rows: u16) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("grants");
        unlockpt(&ours).expect("unlocks");
        let name = ptsname(&ours, Vec::new()).expect("has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs = rustix::fs::open(name, flags, Mode::empty()).expect("opens");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&theirs, size).expect("takes its size");
        let end = || Stdio::from(theirs.try_clone().expect("another handle"));
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm-256color");
        let child = command.spawn().expect("run `cargo build --workspace` first");
        drop((command, theirs)); // Reading ends when the last handle is closed.
        let [rows, columns] = [rows, columns].map(|n| NonZeroU16::new(n).expect("more than none"));
        let parser = vt100::Parser::new(rows, columns, 1000);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new(), frames: Vec::new() }));
        let reader = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || read(ours, &seen)
        });
        Self { child, seen, reader: Some(reader) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with it")
    }

    /// What is to be seen now.
    #[must_use]
    pub fn screen(&self) -> String {
        rows(&self.seen().parser)
    }

    /// Waits until something is to be seen. Returns all that is.
    ///
    /// # Panics
    ///
    /// If it is not within two minutes.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the assertion")]
    pub fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < deadline, "`{text}` is never to be seen:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal, as a key of the terminal would.
    ///
    /// # Panics
    ///
    /// If the command is gone.
    pub fn signal(&self, signal: Signal) {
        kill(self.child.id() as i32, signal);
    }

    /// Waits for the end: the exit code.
    ///
    /// # Panics
    ///
    /// If it does not come within two minutes.
    pub fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("reads to the end");
                }
                return status.code();
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Each different screen that there was, as often as it was looked at.
    #[must_use]
    pub fn frames(&self) -> Vec<String> {
        self.seen().frames.clone()
    }

    /// Everything that was written, orders to the terminal among it.
    #[must_use]
    pub fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.seen().bytes).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(terminal: OwnedFd, seen: &Mutex<Seen>) {
    let mut terminal = std::fs::File::from(terminal);
    let mut buffer = vec![0; 64 * 1024];
    // The last handle closed is an error here (EIO), not an end.
    while let Ok(read @ 1..) = terminal.read(&mut buffer) {
        let mut seen = seen.lock().expect("nobody panics with it");
        seen.bytes.extend_from_slice(&buffer[..read]);
        seen.parser.process(&buffer[..read]);
        let screen = rows(&seen.parser);
        if seen.frames.last() != Some(&screen) {
            seen.frames.push(screen);
        }
    }
}

/// The rows of the screen, without what is blank at their ends.
fn rows(parser: &vt100::Parser) -> String {
    let (_, columns) = parser.screen().size();
    let rows = parser.screen().rows(0, columns.get());
    let rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}
