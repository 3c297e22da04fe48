//! A small file system of its own for a test, which nobody else can see or fill.
//!
//! The test runs itself again in a mount namespace, where it may mount a tmpfs: as root, or as any
//! user where user namespaces are allowed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Says that the test is in its namespace.
const INSIDE: &str = "AUGREG_TEST_INSIDE";

/// Lets the tests that need a small disk be left out where none can be had. They fail otherwise.
const LEAVE_OUT: &str = "AUGREG_TEST_WITHOUT_SMALL_DISK";

/// What makes a namespace in which a file system can be mounted.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// Whether to go on with the test `name`: it is in a namespace. If not, it is run there, and has
/// passed when this returns.
///
/// # Panics
///
/// If the test fails there, or there is no way to such a namespace.
#[must_use]
pub fn in_namespace(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let works = |way: &&&[&str]| {
        let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let tried = Command::new("unshare").args(**way).args(mount).arg(folder.path()).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(way) = WAYS.iter().find(works) else {
        assert!(
            std::env::var_os(LEAVE_OUT).is_some(),
            "`{name}` needs a small file system, and neither root nor a user namespace gives one \
             here; set {LEAVE_OUT}=1 to leave it out"
        );
        let _ = writeln!(std::io::stderr(), "left out: `{name}`, for want of a small file system");
        return false;
    };
    let test = std::env::current_exe().expect("a test has a path");
    let status = Command::new("unshare")
        .args(*way)
        .arg(test)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare was there a moment ago");
    assert!(status.success(), "`{name}` failed in its namespace: {status}");
    false
}

/// A mounted tmpfs.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many megabytes at a folder, which is created.
    ///
    /// # Panics
    ///
    /// If it cannot be mounted: the test is not in its namespace.
    #[must_use]
    pub fn mount(folder: PathBuf, megabytes: u32) -> Self {
        std::fs::create_dir_all(&folder).expect("creates");
        let size = format!("size={megabytes}m");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], &folder);
        Self { folder }
    }

    /// Lets nobody write any more, as soon as nobody has a file open for writing.
    ///
    /// # Panics
    ///
    /// If somebody still has one after half a minute.
    pub fn make_read_only(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let remount = || {
            let mut command = Command::new("mount");
            command.args(["-o", "remount,ro"]).arg(&self.folder).output().expect("is installed")
        };
        while !remount().status.success() {
            assert!(Instant::now() < deadline, "somebody writes to {}", self.folder.display());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Bytes free.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.folder).expect("it is mounted");
        disk.f_bavail * disk.f_frsize
    }

    /// Fills it until at most `left` bytes are free.
    ///
    /// # Panics
    ///
    /// If the ballast cannot be written for another reason than a full disk.
    pub fn fill(&self, left: u64) {
        let options = std::fs::OpenOptions::new().append(true).create(true).open(self.ballast());
        let mut ballast = options.expect("opens");
        let piece = vec![0x55; 64 * 1024];
        loop {
            let more = self.free().saturating_sub(left).min(piece.len() as u64) as usize;
            match ballast.write(&piece[..more]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return,
                Err(error) => panic!("the ballast cannot be written: {error}"),
            }
        }
    }

    /// Takes the ballast away.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn relieve(&self) {
        std::fs::remove_file(self.ballast()).expect("there is ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever is left of it goes with the namespace.
        let _ = Command::new("umount").arg(&self.folder).output();
    }
}

fn run(program: &str, args: &[&str], folder: &Path) {
    let done = Command::new(program).args(args).arg(folder).output().expect("is installed");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args:?} {}: {said}", folder.display());
}
