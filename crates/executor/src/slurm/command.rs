//! Runs Slurm's programs, and says in its words what went wrong and in ours what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::limits::Limits;
use super::queue::{self, Listed, Seen};
use super::{json, record};

/// A program of Slurm waits about 10 s for a controller that does not answer; a slow one may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tasks named in one call of `scancel` or `sacct`: a command line has an end.
const TOGETHER: usize = 500;

/// What Slurm did not do.
#[derive(Debug, Error)]
pub enum SlurmError {
    /// There is no such program.
    #[error("there is no `{program}` on this machine: Slurm is used through its own programs")]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// The program could not be run.
    #[error("failed to run `{program}`")]
    Run {
        /// Its name.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The controller does not answer.
    #[error("Slurm's controller does not answer: {words}")]
    Down {
        /// What the program said.
        words: String,
    },
    /// The user has submitted as much as the cluster allows.
    #[error("Slurm takes no more for now: {words}")]
    Full {
        /// What the program said.
        words: String,
    },
    /// Slurm refuses.
    #[error("`{program}` refused: {words}")]
    Refused {
        /// The program.
        program: &'static str,
        /// What it said.
        words: String,
        /// What to do, where that is known.
        hint: Option<&'static str>,
    },
    /// An answer that is not understood.
    #[error("`{program}` answered what augreg does not understand: `{answer}`")]
    Strange {
        /// The program.
        program: &'static str,
        /// The answer.
        answer: String,
    },
}

impl SlurmError {
    /// Whether the same may be answered later.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    /// Whether more can be submitted when some of what was has ended.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoProgram { .. } => Some(
                "run augreg where `sbatch` works, such as a login node, or use `--executor local`",
            ),
            Self::Refused { hint, .. } => *hint,
            Self::Down { .. } => {
                Some("`scontrol ping` says whether it is up; try again when it is")
            }
            Self::Full { .. } => {
                Some("tasks that are submitted go on; the rest follows when some have ended")
            }
            Self::Run { .. } | Self::Strange { .. } => None,
        }
    }

    fn said(program: &'static str, words: &str) -> Self {
        let words = headline(words);
        let lower = words.to_lowercase();
        let has = |part: &&str| lower.contains(part);
        if DOWN.iter().any(has) {
            return Self::Down { words };
        }
        if FULL.iter().any(has) {
            return Self::Full { words };
        }
        let hint = HINTS.iter().find(|(part, _)| lower.contains(part)).map(|(_, hint)| *hint);
        Self::Refused { program, words, hint }
    }
}

/// What programs say when the controller does not answer.
const DOWN: [&str; 5] = [
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "zero bytes were transmitted",
    "slurm backup controller in standby",
];

/// What `sbatch` says when a user has submitted enough.
const FULL: [&str; 6] = [
    "maxsubmit",
    "submitjoblimit",
    "submit limit",
    "job violates accounting/qos policy",
    "job submit limit",
    "slurm temporarily unable to accept job",
];

/// What else it says, and what helps.
const HINTS: [(&str, &str); 9] = [
    (
        "invalid partition",
        "`sinfo --summarize` lists the partitions: correct `partition` of [executor] or `--partition`",
    ),
    (
        "invalid account",
        "`sacctmgr show associations user=$USER` lists your accounts: correct `account` or `--account`",
    ),
    ("invalid qos", "`sacctmgr show qos` lists what there is: correct `qos` or `--qos`"),
    ("invalid feature", "`sinfo --format='%N %f'` lists features of nodes: correct `constraint`"),
    (
        "requested node configuration is not available",
        "no node has that: `sinfo --format='%P %c %m %G'` lists CPUs, memory and GPUs; lower `gpus`, `cpus` or `memory`",
    ),
    ("memory specification", "`sinfo --format='%P %m'` lists memory: lower `memory`"),
    (
        "time limit",
        "`sinfo --format='%P %l'` lists the longest times: lower `time`, or `slice` that it follows from",
    ),
    (
        "invalid job array",
        "the cluster allows smaller arrays: set `array_size` of [executor] or `--array-size`",
    ),
    ("access/permission denied", "that is somebody else's, or needs a right that you do not have"),
];

/// The first line that says what is wrong, without the program's name before it.
fn headline(words: &str) -> String {
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.clone().find(|line| line.contains("error:")).or_else(|| lines.next_back());
    let line = line.unwrap_or("it said nothing");
    line.rsplit_once("error: ").map_or(line, |(_, rest)| rest).to_owned()
}

/// A cluster, through the programs on `PATH`.
#[derive(Debug, Clone, Default)]
pub struct Slurm {
    /// Whether the programs are asked for JSON; found out with the first question.
    json: Arc<OnceCell<bool>>,
}

impl Slurm {
    /// The cluster that this machine belongs to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the cluster allows.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn limits(&self) -> Result<Limits, SlurmError> {
        let text = run("scontrol", &["show", "config"], None).await?;
        Ok(Limits::read(&text))
    }

    /// Submits a batch script as an array of `tasks` tasks, of which `parallel` run at once at the most, and
    /// none before the arrays `after` have ended. Returns Slurm's number of the array.
    ///
    /// # Errors
    ///
    /// [`SlurmError`]. If the answer was lost, the array may have been taken all the same: see
    /// [`Self::find`].
    pub async fn submit(
        &self,
        script: &Path,
        tasks: u32,
        parallel: Option<u32>,
        after: &[String],
    ) -> Result<String, SlurmError> {
        let limit = parallel.map_or_else(String::new, |most| format!("%{most}"));
        let array = format!("--array=0-{}{limit}", tasks.saturating_sub(1));
        let dependency = format!("--dependency=afterany:{}", after.join(":"));
        let script = script.to_string_lossy();
        let mut arguments = vec!["--parsable", &array];
        if !after.is_empty() {
            arguments.push(&dependency);
        }
        arguments.push(&script);
        let answer = run("sbatch", &arguments, script_folder(&script)).await?;
        // `4711`, or `4711;cluster`.
        let id = answer.trim().split(';').next().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SlurmError::Strange {
                program: "sbatch",
                answer: answer.trim().to_owned(),
            });
        }
        Ok(id.to_owned())
    }

    /// Asks whether an array of a batch script would be taken, and submits nothing.
    ///
    /// # Errors
    ///
    /// [`SlurmError`]: what [`Self::submit`] would say.
    pub async fn rehearse(&self, script: &Path, tasks: u32) -> Result<(), SlurmError> {
        let array = format!("--array=0-{}", tasks.saturating_sub(1));
        let path = script.to_string_lossy();
        let asked = run("sbatch", &["--test-only", &array, &path], script_folder(&path)).await;
        match asked {
            // That there is no room now is no refusal.
            Err(error) if error.is_full() => Ok(()),
            other => other.map(drop),
        }
    }

    /// What the queue says of all of the user's tasks whose name begins with `prefix`: those that have ended
    /// stay in it for some minutes.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn queue(&self, prefix: &str) -> Result<Vec<Seen>, SlurmError> {
        if self.speaks_json().await {
            json::read(&run("squeue", &json::ARGUMENTS, None).await?, prefix)
        } else {
            queue::read(&run("squeue", &queue::ARGUMENTS, None).await?, prefix)
        }
    }

    /// What the controller remembers of the tasks of an array: states with exit codes, which the queue does
    /// not tell.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn records(&self, array: &str) -> Result<Vec<Listed>, SlurmError> {
        let text = run("scontrol", &["--oneliner", "show", "job", array], None).await?;
        Ok(record::read(&text))
    }

    /// Whether `--json` of this version can be relied on.
    async fn speaks_json(&self) -> bool {
        let version = async {
            let version = run("squeue", &["--version"], None).await;
            version.is_ok_and(|version| json::is_spoken(&version))
        };
        *self.json.get_or_init(|| version).await
    }

    /// What the accounting says to this question.
    async fn account(&self, question: &[&str]) -> Result<Vec<Listed>, SlurmError> {
        if self.speaks_json().await {
            let arguments = [&json::HISTORY[..], question].concat();
            json::read_history(&run("sacct", &arguments, None).await?)
        } else {
            let arguments = [&queue::HISTORY[..], question].concat();
            queue::read_history(&run("sacct", &arguments, None).await?)
        }
    }

    /// What the accounting knows of these tasks, such as `4711_3`; none if the cluster keeps none.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn history(&self, tasks: &[String]) -> Result<Option<Vec<Listed>>, SlurmError> {
        let mut all = Vec::new();
        for tasks in tasks.chunks(TOGETHER) {
            let jobs = format!("--jobs={}", tasks.join(","));
            match self.account(&[jobs.as_str()]).await {
                Ok(listed) => all.extend(listed),
                Err(SlurmError::NoProgram { .. } | SlurmError::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(all))
    }

    /// Slurm's number of the array of this name, whatever became of it; none if there is none.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn find(&self, name: &str) -> Result<Option<String>, SlurmError> {
        let seen = self.queue(name).await?;
        if let Some(seen) = seen.into_iter().find(|seen| seen.name == name) {
            return Ok(Some(seen.array));
        }
        let name = format!("--name={name}");
        match self.account(&[&name, "--starttime=now-30days"]).await {
            Ok(listed) => {
                let array = |one: Listed| Some(one.task.split('_').next()?.to_owned());
                Ok(listed.into_iter().next().and_then(array))
            }
            Err(SlurmError::NoProgram { .. } | SlurmError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Cancels arrays or tasks, such as `4711` and `4711_3`. One that is over already is no error.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn cancel(&self, tasks: &[String]) -> Result<(), SlurmError> {
        for tasks in tasks.chunks(TOGETHER) {
            let arguments: Vec<_> =
                ["--quiet"].into_iter().chain(tasks.iter().map(String::as_str)).collect();
            match run("scancel", &arguments, None).await {
                Err(SlurmError::Refused { words, .. })
                    if words.to_lowercase().contains("invalid job id")
                        || words.to_lowercase().contains("already completing") => {}
                other => _ = other?,
            }
        }
        Ok(())
    }

    /// How a program of Slurm calls itself, such as `slurm-wlm 22.05.8`.
    ///
    /// # Errors
    ///
    /// [`SlurmError`].
    pub async fn version(&self) -> Result<String, SlurmError> {
        Ok(run("sbatch", &["--version"], None).await?.trim().to_owned())
    }
}

fn script_folder(script: &str) -> Option<PathBuf> {
    Path::new(script).parent().map(Path::to_owned)
}

/// Runs a program to its end and returns what it wrote.
async fn run(
    program: &'static str,
    arguments: &[&str],
    folder: Option<PathBuf>,
) -> Result<String, SlurmError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        // Without it indices of arrays are cut after 64 characters.
        .env("SLURM_BITSTR_LEN", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output = match timeout(PATIENCE, command.output()).await {
        Err(_) => {
            let words = format!("`{program}` said nothing for {} s", PATIENCE.as_secs());
            return Err(SlurmError::Down { words });
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SlurmError::NoProgram { program });
        }
        Ok(Err(source)) => return Err(SlurmError::Run { program, source }),
        Ok(Ok(output)) => output,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(SlurmError::said(program, &text(&output.stderr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 says it.
    #[test]
    fn what_sbatch_says_is_quoted_and_what_helps_is_added() {
        let said = |words: &str| SlurmError::said("sbatch", words);
        let partition = said(
            "sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission failed: \
             Invalid partition name specified\n",
        );
        assert_eq!(partition.to_string(), "`sbatch` refused: invalid partition specified: nowhere");
        assert!(partition.hint().is_some_and(|hint| hint.contains("sinfo")));
        let shape = said(
            "sbatch: error: Batch job submission failed: Requested node configuration is not available\n",
        );
        assert!(shape.hint().is_some_and(|hint| hint.contains("`gpus`")), "{shape}");
        let full = said(
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates \
             accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
        );
        assert!(full.is_full(), "{full}");
        let down = said(
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        );
        assert!(down.is_down(), "{down}");
        let other = said("sbatch: error: something new");
        assert_eq!(other.to_string(), "`sbatch` refused: something new");
        assert_eq!(other.hint(), None);
        assert_eq!(said("").to_string(), "`sbatch` refused: it said nothing");
    }
}
