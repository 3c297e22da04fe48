//! A study in a temporary folder, driven through the built `augreg` binary on real Fashion-MNIST.
//!
//! The tests beside this file are about what a person sees and keeps: exit codes, rows, hashes.
//! They run the real worker in real processes; `cargo build --workspace` has to come first.

pub mod browser;
pub mod memory_group;
pub mod page;
pub mod pty;
pub mod reader;
pub mod slurm;
pub mod small_disk;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The start of every sweep file here: real data, a model of 7,000 parameters.
pub const HEAD: &str = r#"
name = "tiny"

[dataset.fashion]
format = "idx"
path = "${AUGREG_DATA}/fashion-mnist"
splits = { train = "train[:4000]", val = "train[55000:56000]", test = "test[:2000]" }

[model."Na/7"]
width = 24
depth = 2
mlp = 48
heads = 2
patch = 7
"#;

/// Settings every stage here shares.
pub const COMMON: &str = r#"
model = "Na/7"
resolution = 28
batch_size = 64
learning_rate = 4e-3
crop = "none"
evaluations = 2
"#;

/// The attempts that are at work and have left a checkpoint: `job_id`, `number` and `pid`.
///
/// Jobs that are to be struck there must last far longer than it takes to see one and to strike,
/// which is about a second: the next machine is faster.
pub const PAST_A_CHECKPOINT: &str = "select a.job_id, a.number, a.pid from attempt a \
     join checkpoint c on c.job_id = a.job_id and c.attempt = a.number where a.state = 'running'";

/// A study folder that vanishes with the test.
pub struct Study {
    folder: tempfile::TempDir,
    /// Of its commands, beside what all have.
    environment: Vec<(String, String)>,
}

/// A finished command.
pub struct Ran {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Default for Study {
    fn default() -> Self {
        Self::new()
    }
}

impl Study {
    /// An empty folder; the study itself is made by the first launch.
    ///
    /// # Panics
    ///
    /// If there is no room for a temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, environment: Vec::new() }
    }

    /// The folder of the study.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("study")
    }

    /// A file beside the study.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the study.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    /// Runs `augreg` in the folder and waits for it.
    ///
    /// # Panics
    ///
    /// If the binary is not built.
    #[must_use]
    pub fn augreg(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("run `cargo build --workspace` first").into()
    }

    /// Runs `augreg` and expects this exit code.
    ///
    /// # Panics
    ///
    /// If it ends otherwise; with all it said.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the assertion")]
    pub fn expect(&self, code: i32, args: &[&str]) -> Ran {
        let ran = self.augreg(args);
        assert_eq!(
            ran.code,
            Some(code),
            "augreg {args:?}\n--- stdout\n{}\n--- stderr\n{}",
            ran.stdout,
            ran.stderr
        );
        ran
    }

    /// Runs `augreg` with another program as its worker, and waits for it.
    ///
    /// # Panics
    ///
    /// If the binary is not built.
    #[must_use]
    pub fn with_worker(&self, worker: &str, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        command.env("AUGREG_WORKER", worker);
        command.output().expect("run `cargo build --workspace` first").into()
    }

    /// Starts `augreg` without waiting.
    ///
    /// # Panics
    ///
    /// If the binary is not built.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Running {
        let child = self
            .command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run `cargo build --workspace` first");
        Running(child)
    }

    /// `augreg` in the folder, not run yet.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("augreg"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("AUGREG_ROOT", self.root())
            .env("AUGREG_DATA", data())
            .env_remove("AUGREG_LOG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// The rows of a query, each as column → text.
    ///
    /// # Panics
    ///
    /// If the query fails.
    #[must_use]
    pub fn query(&self, args: &[&str]) -> Vec<BTreeMap<String, String>> {
        let ran = self.expect(0, &[&["query", "--format", "csv"], args].concat());
        let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
        reader.deserialize().map(|row| row.expect("a row of CSV")).collect()
    }

    /// Hash of the final parameters of every job that has a result.
    ///
    /// # Panics
    ///
    /// If the query fails.
    #[must_use]
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let rows = self.query(&["select job_id, parameters_sha256 from result"]);
        let pair = |row: BTreeMap<String, String>| {
            (row["job_id"].clone(), row["parameters_sha256"].clone())
        };
        rows.into_iter().map(pair).collect()
    }

    /// Changes the database behind augreg's back.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn tamper(&self, sql: &str) {
        use sqlx::{ConnectOptions, Connection};
        let path = self.root().join("augreg.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut connection = options.connect().await.expect("opens");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("changes");
            connection.close().await.expect("closes");
        });
    }

    /// Waits until a query has a row.
    ///
    /// # Panics
    ///
    /// If it has none within two minutes.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the assertion")]
    pub fn wait_for(&self, sql: &str) -> Vec<BTreeMap<String, String>> {
        self.wait_for_in(&self.root().to_string_lossy(), sql)
    }

    /// Waits until a query of a study elsewhere has a row.
    ///
    /// # Panics
    ///
    /// If it has none within two minutes.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the assertion")]
    pub fn wait_for_in(&self, root: &str, sql: &str) -> Vec<BTreeMap<String, String>> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if Path::new(root).join("augreg.db").exists() {
                let ran = self.augreg(&["--root", root, "query", "--format", "csv", sql]);
                let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
                let rows: Vec<_> = reader.deserialize().flatten().collect();
                if ran.code == Some(0) && !rows.is_empty() {
                    return rows;
                }
            }
            assert!(Instant::now() < deadline, "never saw a row of {sql}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until `augreg status` says something. Returns all it said.
    ///
    /// # Panics
    ///
    /// If it does not within two minutes.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the assertion")]
    pub fn wait_for_status(&self, said: &str) -> String {
        self.wait_until_status(&format!("never says `{said}`"), |status| status.contains(said))
    }

    /// Asks for the status until it does not say so any more.
    pub fn wait_for_status_without(&self, said: &str) {
        self.wait_until_status(&format!("always says `{said}`"), |status| !status.contains(said));
    }

    fn wait_until_status(&self, otherwise: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let status = self.expect(0, &["status"]).stdout;
            if is_it(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "status {otherwise}:\n{status}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Process ids of live workers of this study.
    #[must_use]
    pub fn workers(&self) -> Vec<i32> {
        let root = self.root();
        let of_study = |pid: i32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
            let opens = |path: PathBuf| path.starts_with(&root);
            name.starts_with("augreg-worker")
                && files.is_ok_and(|files| {
                    files.flatten().filter_map(|f| std::fs::read_link(f.path()).ok()).any(opens)
                })
        };
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| of_study(*pid))
            .collect()
    }
}

/// A started command. Killed if the test ends before it does.
pub struct Running(Child);

impl Running {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("waits").is_none()
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the process is gone.
    pub fn signal(&self, signal: Signal) {
        kill(self.0.id() as i32, signal);
    }

    /// Waits for the end, at most this long.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait(&mut self, at_most: Duration) -> (ExitStatus, String) {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.0.try_wait().expect("waits") {
                let mut stderr = String::new();
                if let Some(mut pipe) = self.0.stderr.take() {
                    let _ = pipe.read_to_string(&mut stderr);
                }
                return (status, stderr);
            }
            assert!(Instant::now() < deadline, "still running after {at_most:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a process.
///
/// # Panics
///
/// If there is no such process.
pub fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process id"), signal).expect("the process is there");
}

/// A built binary, beside the folder of this test's own.
///
/// # Panics
///
/// If this test was not put where cargo puts tests.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/debug/deps/test");
    folder.join(name)
}

/// The folder of data sets that `scripts/setup` fills.
#[must_use]
pub fn data() -> PathBuf {
    let set = std::env::var_os("AUGREG_DATA").map(PathBuf::from);
    set.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../data"))
}
