//! A real Slurm cluster of two nodes on this machine, for one test: `scripts/slurm/` starts, breaks and stops it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Ran, Study};

/// A cluster; stopped with everything on it when the test ends.
pub struct Slurm {
    base: tempfile::TempDir,
    knobs: Vec<(String, String)>,
    /// What makes its programs work: variables of `BASE/env.sh`.
    environment: Vec<(String, String)>,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/slurm").join(name)
}

/// A port that is free, and so are those of two nodes.
fn port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let mut ports = first..30_000;
    ports.find(|port| [0, 1, 101, 102].iter().all(|more| free(port + more))).expect("a free port")
}

impl Slurm {
    /// Starts a cluster with these knobs of `scripts/slurm/up`. None where Slurm is not installed, which is
    /// printed; `scripts/setup --with-tests` fetches it.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "whoever reads the test's output is to know")]
    pub fn up(knobs: &[(&str, &str)]) -> Option<Self> {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/slurm");
        let installed = Command::new("sh").args(["-c", "command -v slurmctld"]).output();
        if !unpacked.exists() && !installed.is_ok_and(|found| found.status.success()) {
            println!("skipped: there is no Slurm here; `scripts/setup --with-tests` fetches it");
            return None;
        }
        let base = tempfile::Builder::new().prefix("sl.").tempdir().expect("a temporary folder");
        let port = ("SLUP_PORT".to_owned(), port().to_string());
        let knobs = knobs.iter().map(|(name, value)| (format!("SLUP_{name}"), (*value).to_owned()));
        let knobs = knobs.chain([port]).collect();
        let mut slurm = Self { base, knobs, environment: Vec::new() };
        slurm.start();
        let text = std::fs::read_to_string(slurm.base.path().join("env.sh")).expect("is written");
        let words = text.split_whitespace().filter_map(|word| word.split_once('='));
        slurm.environment = words
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        Some(slurm)
    }

    /// Starts what is not running.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn start(&self) {
        let mut up = Command::new(script("up"));
        up.arg(self.base.path()).envs(self.knobs.iter().map(|(name, value)| (name, value)));
        let ran: Ran = up.output().expect("bash is there").into();
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    }

    /// Does something to a node: `poweroff`, `start`, `crash`, …
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn node(&self, name: &str, what: &str) {
        let mut node = Command::new(script("node"));
        let ran: Ran = node.arg(self.base.path()).args([name, what]).output().expect("runs").into();
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    }

    /// Kills the controller.
    ///
    /// # Panics
    ///
    /// If it is not running.
    pub fn kill_controller(&self) {
        let path = self.base.path().join("run/slurmctld.pid");
        let pid = std::fs::read_to_string(path).expect("it is running");
        crate::kill(pid.trim().parse().expect("a process id"), rustix::process::Signal::KILL);
    }

    /// Runs one of its programs.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[expect(clippy::must_use_candidate, reason = "some are run for what they do")]
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let path = self.environment.iter().find(|(name, _)| name == "PATH");
        let found = path.and_then(|(_, path)| {
            std::env::split_paths(path)
                .map(|folder| folder.join(program))
                .find(|path| path.exists())
        });
        if let Some(found) = found {
            let mut whole = Command::new(found);
            whole.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
            command = whole;
        }
        command.output().expect("is one of Slurm's").into()
    }

    /// The `PATH` on which its programs are.
    ///
    /// # Panics
    ///
    /// If it did not say so.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.environment.iter().find(|(name, _)| name == "PATH");
        path.map(|(_, path)| path.as_str()).expect("it is in env.sh")
    }

    /// A study whose commands find the cluster.
    #[must_use]
    pub fn study(&self) -> Study {
        Study { environment: self.environment.clone(), ..Study::new() }
    }

    /// Waits until the queue says something. Returns all it said.
    ///
    /// # Panics
    ///
    /// If it does not within two minutes.
    #[expect(clippy::must_use_candidate, reason = "many callers want only the wait")]
    pub fn wait_for(&self, said: &str) -> String {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let queue = self.run("squeue", &["-h", "-t", "all", "-o", "%F_%K|%T|%r|%N|%j"]).stdout;
            if queue.contains(said) {
                return queue;
            }
            assert!(Instant::now() < deadline, "the queue never says `{said}`:\n{queue}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        let _ = Command::new(script("down")).arg(self.base.path()).output();
    }
}
