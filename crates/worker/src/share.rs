//! A task of a batch system: takes up its share of the jobs, one after the other, with nobody to talk to.
//!
//! What was done is known by journals alone, to the scheduler as to a task that is started again: it goes
//! through its share from the beginning and passes over what has come to an end since. Two copies of a task
//! may be alive when a node was cut off. The later one takes the next attempt of a job, and the earlier one
//! leaves when it sees that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use augreg_kernels::exit_at_once;
use augreg_protocol::{
    Assignment, FailureKind, JournalEvent, JournalReader, RunFolder, Share, with_causes,
};
use augreg_train::DatasetCache;
use tracing::{error, info, warn};

use crate::attempt;
use crate::energy::Gpu;
use crate::inbox::{self, Leave};
use crate::outbox::Outbox;
use crate::scratch::Scratch;
use crate::slurm;

/// Exit code of a task that has left work undone because it was told to (`EX_TEMPFAIL` of `sysexits.h`).
const UNFINISHED: u8 = 75;

/// Exit code of a task that could not do its work here.
const FAILED: u8 = 1;

/// How often it is looked whether the attempt is still wanted.
const GLANCE: Duration = Duration::from_secs(2);

/// How long a task waits for the batch system to take it back to the queue.
const REQUEUE: Duration = Duration::from_mins(5);

/// Which jobs of a share a process takes up: every `of`-th, from number `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) first: usize,
    pub(crate) of: usize,
}

impl Part {
    /// The whole share.
    pub(crate) const ALL: Self = Self { first: 0, of: 1 };
}

/// Does a share, or a part of it, and ends the process.
pub(crate) fn run(path: &Path, part: Part) -> ExitCode {
    let leave = match inbox::signals_alone() {
        Ok(leave) => leave,
        Err(error) => {
            error!("failed to listen for signals: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let share = match Share::read(path) {
        Ok(share) => share,
        Err(error) => {
            error!("failed to read the share `{}`: {error}", path.display());
            return ExitCode::from(FAILED);
        }
    };
    let code = work(share, part, &leave, path);
    // Who was told to end without a warning may have been cancelled: that is not to be undone.
    if code == UNFINISHED && part == Part::ALL && leave.warned() {
        requeue();
    }
    exit_at_once(code)
}

fn work(share: Share, part: Part, leave: &Leave, path: &Path) -> u8 {
    let [withdrawn, drained] = ["withdrawn", "drained"].map(|name| path.with_file_name(name));
    let placement = slurm::placement();
    let mut datasets = DatasetCache::default();
    let mut scratch = Scratch::from_environment();
    let gpu = Gpu::named_by(std::env::var(augreg_protocol::ENERGY_OF).ok());
    let watch = Watch::start(leave, &withdrawn);
    let mut code = 0;
    for mut assignment in share.0.into_iter().skip(part.first).step_by(part.of) {
        if leave.requested() || withdrawn.exists() || drained.exists() {
            return UNFINISHED;
        }
        let folder = RunFolder::new(&assignment.root, assignment.attempt.job);
        // What is submitted together with its upstream jobs may find that one of them has failed.
        let parent =
            assignment.spec.parent().map(|job| RunFolder::new(&assignment.root, job).last());
        if parent.is_some_and(|parameters| !parameters.exists()) {
            info!(job = %assignment.attempt.job, "passed over: the job it starts from has not succeeded");
            continue;
        }
        match claim(&folder, assignment.attempt.number) {
            Ok(Claim::Pass(why)) => {
                info!(job = %assignment.attempt.job, "passed over: {why}");
                continue;
            }
            Ok(Claim::Begin(number)) => assignment.attempt.number = number,
            Err(error) => {
                let path = folder.path().display();
                error!(job = %assignment.attempt.job, "failed to begin in `{path}`: {error}");
                code = FAILED;
                continue;
            }
        }
        scratch.place(&mut assignment);
        watch.see_to(&assignment);
        let mut outbox = Outbox::nowhere();
        let is_good = attempt::run(
            &assignment,
            leave,
            &mut outbox,
            &mut datasets,
            gpu.as_ref(),
            placement.as_ref(),
        );
        watch.see_to_nothing();
        if !is_good {
            error!("leaving: the device cannot be used in this process any more");
            return FAILED;
        }
    }
    if leave.requested() { UNFINISHED } else { code }
}

/// What there is to do about a job of the share.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// The attempt of this number, whose folder is this process's.
    Begin(u32),
    /// Nothing; why.
    Pass(&'static str),
}

/// Takes the next attempt of a job, `lowest` at least.
fn claim(folder: &RunFolder, lowest: u32) -> io::Result<Claim> {
    if folder.stop().exists() {
        return Ok(Claim::Pass("it is not to be done"));
    }
    loop {
        let last = folder.last_attempt()?;
        // What was before the share was written led to the share.
        if last >= lowest
            && let Some(why) = conclusion(folder, last)
        {
            return Ok(Claim::Pass(why));
        }
        let number = lowest.max(last + 1);
        fs::create_dir_all(folder.path())?;
        match fs::create_dir(folder.attempt(number)) {
            Ok(()) => return Ok(Claim::Begin(number)),
            // Another copy of this task was faster; it has what it needs to go on.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why a job need not be taken up after its last attempt, if so.
fn conclusion(folder: &RunFolder, last: u32) -> Option<&'static str> {
    let mut reader = JournalReader::new(folder.journal(last), 0);
    let mut end = None;
    // What is damaged is the scheduler's to judge; the job is taken up again.
    while let Ok(entries) = reader.read() {
        end = entries.into_iter().map(|entry| entry.event).find(JournalEvent::is_terminal).or(end);
        if !reader.is_halted() {
            break;
        }
    }
    match end? {
        JournalEvent::Succeeded(_) => Some("it has succeeded"),
        JournalEvent::Failed { kind: FailureKind::Preempted | FailureKind::Timeout, .. } => None,
        JournalEvent::Failed { .. } => {
            Some("it has failed, and the scheduler decides what follows")
        }
        _ => None,
    }
}

/// Looks whether the attempt under way is still wanted.
struct Watch {
    attempt: Arc<Mutex<Option<(RunFolder, u32)>>>,
    leave: Leave,
}

impl Watch {
    fn start(leave: &Leave, withdrawn: &Path) -> Self {
        let attempt: Arc<Mutex<Option<(RunFolder, u32)>>> = Arc::default();
        let (seen, flag, withdrawn) = (Arc::clone(&attempt), leave.clone(), withdrawn.to_owned());
        let watch = move || {
            loop {
                thread::sleep(GLANCE);
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((folder, number)) = &*seen
                    && let Some(why) = unwanted(folder, *number, &withdrawn)
                    && !flag.requested()
                {
                    warn!("leaving the attempt: {why}");
                    flag.raise_for_attempt();
                }
            }
        };
        let started = thread::Builder::new().name("watch".to_owned()).spawn(watch);
        if let Err(error) = started {
            warn!("nobody watches whether attempts are still wanted: {error}");
        }
        Self { attempt, leave: leave.clone() }
    }

    fn see_to(&self, assignment: &Assignment) {
        let folder = RunFolder::new(&assignment.root, assignment.attempt.job);
        self.set(Some((folder, assignment.attempt.number)));
    }

    fn see_to_nothing(&self) {
        self.set(None);
    }

    fn set(&self, to: Option<(RunFolder, u32)>) {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        *attempt = to;
        self.leave.next_attempt();
    }
}

fn unwanted(folder: &RunFolder, number: u32, withdrawn: &Path) -> Option<&'static str> {
    if folder.attempt(number + 1).exists() {
        return Some("a later attempt has taken its place");
    }
    if folder.stop().exists() {
        return Some("its job is not to be done any more");
    }
    withdrawn.exists().then_some("what was submitted was withdrawn")
}

/// Takes this task back to the queue, where it waits until the batch system starts it again. A task that just
/// ended would be over.
pub(crate) fn requeue() {
    let Some(job) = slurm::job() else { return };
    info!("back to the queue: `scontrol requeue {job}`");
    match Command::new("scontrol").args(["requeue", &job]).status() {
        // The end comes from outside.
        Ok(status) if status.success() => thread::sleep(REQUEUE),
        Ok(status) => warn!("not requeued ({status}): whoever follows submits what is left"),
        Err(error) => {
            warn!("not requeued ({}): whoever follows submits what is left", with_causes(&error));
        }
    }
}

/// Where a share lies and which part of it to do, from arguments: `--share FILE [--part I/N]`.
pub(crate) fn arguments(arguments: &[String]) -> Option<(PathBuf, Part)> {
    match arguments {
        [flag, path] if flag == "--share" => Some((path.into(), Part::ALL)),
        [flag, path, other, part] if flag == "--share" && other == "--part" => {
            let (first, of) = part.split_once('/')?;
            let part = Part { first: first.parse().ok()?, of: of.parse().ok()? };
            (part.first < part.of).then(|| (path.into(), part))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use augreg_protocol::{AttemptKey, JournalWriter};
    use augreg_spec::JobId;

    use super::*;

    fn folder(root: &Path) -> RunFolder {
        RunFolder::new(root, JobId::of("a job"))
    }

    fn journalled(folder: &RunFolder, number: u32, event: Option<JournalEvent>) {
        let attempt = AttemptKey { job: JobId::of("a job"), number };
        let mut journal = JournalWriter::create(&folder.journal(number), attempt).expect("creates");
        journal.append(JournalEvent::Checkpoint { step: 3 }).expect("appends");
        if let Some(event) = event {
            journal.append(event).expect("appends");
        }
    }

    fn failed(kind: FailureKind) -> JournalEvent {
        JournalEvent::Failed { kind, message: String::new(), step: 3 }
    }

    #[test]
    fn a_task_that_is_started_again_goes_on_with_what_was_cut_off_and_with_nothing_else() {
        for (end, claimed) in [
            (None, Claim::Begin(3)),
            (Some(failed(FailureKind::Preempted)), Claim::Begin(3)),
            (Some(JournalEvent::Stopped { step: 3 }), Claim::Begin(3)),
            (
                Some(failed(FailureKind::Diverged)),
                Claim::Pass("it has failed, and the scheduler decides what follows"),
            ),
        ] {
            let root = tempfile::tempdir().expect("a temporary folder");
            let folder = folder(root.path());
            journalled(&folder, 2, end.clone());
            assert_eq!(claim(&folder, 2).expect("claims"), claimed, "{end:?}");
        }
    }

    #[test]
    fn what_led_to_a_share_does_not_keep_a_job_from_being_done() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = folder(root.path());
        assert_eq!(claim(&folder, 1).expect("claims"), Claim::Begin(1));
        journalled(&folder, 2, Some(failed(FailureKind::Bug)));
        assert_eq!(claim(&folder, 3).expect("claims"), Claim::Begin(3));
        fs::write(folder.stop(), "").expect("writes");
        assert_eq!(claim(&folder, 3).expect("claims"), Claim::Pass("it is not to be done"));
    }

    #[test]
    fn an_attempt_is_unwanted_when_a_later_one_begins_or_somebody_says_so() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = folder(root.path());
        let withdrawn = root.path().join("withdrawn");
        assert_eq!(claim(&folder, 1).expect("claims"), Claim::Begin(1));
        assert_eq!(unwanted(&folder, 1, &withdrawn), None);
        fs::write(&withdrawn, "").expect("writes");
        assert!(unwanted(&folder, 1, &withdrawn).is_some());
        fs::remove_file(&withdrawn).expect("removes");
        assert_eq!(claim(&folder, 1).expect("claims"), Claim::Begin(2));
        assert_eq!(unwanted(&folder, 1, &withdrawn), Some("a later attempt has taken its place"));
        assert_eq!(unwanted(&folder, 2, &withdrawn), None);
    }

    #[test]
    fn arguments_name_a_share_and_a_part_of_it() {
        let read = |text: &str| arguments(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("--share a.jsonl"), Some(("a.jsonl".into(), Part::ALL)));
        let part = Part { first: 1, of: 4 };
        assert_eq!(read("--share a.jsonl --part 1/4"), Some(("a.jsonl".into(), part)));
        for text in
            ["--share", "--share a --part 4/4", "--share a --part 0/0", "--shares a", "--share a b"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
