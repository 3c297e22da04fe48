//! `augreg doctor`

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use augreg_executor::slurm::{BatchScript, Slurm};
use augreg_protocol::{Probe, ProbeFolder};
use augreg_spec::{Executor, ExecutorKind};
use clap::Args;

use crate::args::Global;
use crate::cluster::ClusterArgs;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::space::free_below;
use crate::words::{count, duration, quantity};

/// Look whether what runs need is there, and say how to mend what is not
///
/// With `--executor slurm` a node is asked as well: a task of a few seconds is submitted, as tasks of a sweep
/// would be.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// A sweep file whose `[executor]` says where jobs run
    file: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How long a node is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait_seconds: u64,
}

/// A disk that takes longer to sync a small file makes every checkpoint slow.
const SLOW_SYNC: Duration = Duration::from_millis(100);

/// What was found, one line after the other.
#[derive(Default)]
struct Findings {
    faults: usize,
}

/// Something is as it should be.
fn well(what: &str) -> Result<(), Failure> {
    Ok(output::print(&format!("ok    {what}"))?)
}

/// Something is as it need not be.
fn odd(what: &str, help: &str) -> Result<(), Failure> {
    Ok(output::print(&format!("note  {what}\n      {help}"))?)
}

impl Findings {
    /// Something is not as it must be.
    fn wrong(&mut self, what: &str, help: &str) -> Result<(), Failure> {
        self.faults += 1;
        Ok(output::print(&format!("FAIL  {what}\n      {help}"))?)
    }
}

pub(crate) async fn run(global: &Global, args: &DoctorArgs) -> Result<Ending, Failure> {
    let file = match &args.file {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| {
                let message = format!("cannot read the sweep file `{}`: {error}", path.display());
                Failure::request(message, "give the path of a sweep file")
            })?;
            Executor::asked_for_in(&text)
        }
        None => Executor::default(),
    };
    let executor = args.cluster.over(file);
    let mut findings = Findings::default();
    let program = worker(&mut findings)?;
    slots()?;
    disk(&mut findings, &global.root)?;
    match (executor.kind, program) {
        (ExecutorKind::Slurm, Some(program)) => {
            if cluster(&mut findings).await? {
                let patience = Duration::from_secs(args.wait_seconds);
                node(&mut findings, &global.root, &program, &executor, patience).await?;
            }
        }
        (ExecutorKind::Slurm, None) => _ = cluster(&mut findings).await?,
        (ExecutorKind::Local, _) => {}
    }
    match findings.faults {
        0 => Ok(Ending::Good),
        1 => Err(Failure::request("one thing is wrong", "it is told above, with what mends it")),
        n => Err(Failure::request(
            format!("{n} things are wrong"),
            "they are told above, with what mends them",
        )),
    }
}

/// The worker binary, if there is one of this version that runs.
fn worker(findings: &mut Findings) -> Result<Option<PathBuf>, Failure> {
    let program = match augreg_executor::program() {
        Ok(program) => program,
        Err(error) => {
            findings.wrong(&error.to_string(), "`scripts/setup` and `scripts/build`")?;
            return Ok(None);
        }
    };
    let shown = program.display();
    let ours = concat!("augreg-worker ", env!("CARGO_PKG_VERSION"));
    match Command::new(&program).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if version == ours {
                well(&format!("{version} runs, with libtorch: `{shown}`"))?;
                return Ok(Some(program));
            }
            let what =
                format!("`{shown}` is {version}, and this is augreg {}", env!("CARGO_PKG_VERSION"));
            findings.wrong(&what, "`scripts/build` builds both together")?;
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it says nothing");
            findings.wrong(
                &format!("`{shown}` does not start: {last}"),
                "is libtorch where it was when the worker was built? `scripts/setup`, then `scripts/build`",
            )?;
        }
        Err(error) => {
            findings.wrong(
                &format!("`{shown}` does not start: {error}"),
                "`scripts/build` builds it",
            )?;
        }
    }
    Ok(None)
}

fn slots() -> Result<(), Failure> {
    let slots = augreg_executor::detect(None);
    let gpus = slots.iter().filter(|slot| slot.gpu.is_some()).count() as u64;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    if gpus > 0 {
        well(&format!("{} GPUs and {} cores here", count(gpus), count(cores)))
    } else {
        odd(
            &format!("no GPU here, {} cores", count(cores)),
            "NVML finds none; jobs run on the cores, `nvidia-smi` says what the driver sees",
        )
    }
}

/// The disk of the study: room, and how long it takes until a small file is safe.
fn disk(findings: &mut Findings, root: &Path) -> Result<(), Failure> {
    let root = std::path::absolute(root)?;
    let place = root.ancestors().find(|folder| folder.is_dir()).unwrap_or(&root).to_owned();
    match free_below(&root) {
        Ok(free) if free < 1_000_000_000 => odd(
            &format!("`{}` has {} left", place.display(), quantity(free as f64, "B")),
            "`augreg plan` says what a sweep takes; `--root` names another folder",
        )?,
        Ok(free) => {
            well(&format!("`{}` has {} left", place.display(), quantity(free as f64, "B")))?;
        }
        Err(error) => odd(
            &format!("how much room `{}` has is not known: {error}", place.display()),
            "the run pauses when a disk is full, and says so",
        )?,
    }
    match sync_time(&place) {
        Ok(took) if took > SLOW_SYNC => odd(
            &format!(
                "a small file takes {} to be safe in `{}`",
                duration(took.as_secs_f64()),
                place.display()
            ),
            "checkpoints and results wait for that: a local disk is faster",
        ),
        Ok(took) => well(&format!(
            "a small file is safe after {:.1} ms in `{}`",
            took.as_secs_f64() * 1000.0,
            place.display()
        )),
        Err(error) => findings.wrong(
            &format!("`{}` cannot be written: {error}", place.display()),
            "name another folder with `--root`, or mend its rights",
        ),
    }
}

/// The median of five.
fn sync_time(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".augreg-doctor-{}", std::process::id()));
    let mut times = Vec::new();
    let written = (0..5).try_for_each(|_| {
        let began = Instant::now();
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
        Ok(())
    });
    let _ = fs::remove_file(&path);
    written.map(|()| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

/// Whether Slurm answers.
async fn cluster(findings: &mut Findings) -> Result<bool, Failure> {
    let slurm = Slurm::new();
    match (slurm.version().await, slurm.limits().await) {
        (Ok(version), Ok(limits)) => {
            let accounting =
                if limits.accounting { "with accounting" } else { "without accounting" };
            well(&format!(
                "{version} answers, {accounting}; arrays of up to {} tasks; what has ended is told for {}",
                count(limits.array_size.into()),
                duration(limits.memory.as_secs_f64())
            ))?;
            Ok(true)
        }
        (Err(error), _) | (_, Err(error)) => {
            findings.wrong(&error.to_string(), error.hint().unwrap_or_default())?;
            Ok(false)
        }
    }
}

/// Asks a node what it sees of the study's folder, and who works there.
async fn node(
    findings: &mut Findings,
    root: &Path,
    program: &Path,
    executor: &Executor,
    patience: Duration,
) -> Result<(), Failure> {
    let root = std::path::absolute(root)?;
    let folder = root.join("slurm").join(format!("doctor-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let probe = ProbeFolder(folder.clone());
    let word = format!("{} {:?}", std::process::id(), Instant::now());
    fs::write(probe.word(), &word)?;
    let lock = File::create(probe.lock())?;
    lock.try_lock().map_err(|error| std::io::Error::other(error.to_string()))?;
    let name = "augreg-doctor";
    let script = BatchScript {
        name,
        folder: &folder,
        root: &root,
        program,
        task: &executor.slurm.task,
        time: Some(Duration::from_mins(5)),
        grace: Duration::from_secs(30),
        setup: &executor.slurm.setup,
        scratch: None,
        about: "asks a node what it sees of the study's folder",
    };
    let path = folder.join("batch.sh");
    fs::write(&path, script.text_for(&format!("--probe {}", folder.display())))?;
    let slurm = Slurm::new();
    let task = match slurm.submit(&path, 1, None, &[]).await {
        Ok(task) => task,
        Err(error) => {
            let _ = fs::remove_dir_all(&folder);
            return findings.wrong(&error.to_string(), error.hint().unwrap_or_default());
        }
    };
    let began = Instant::now();
    let answer = loop {
        if let Ok(text) = fs::read(probe.answer()) {
            break serde_json::from_slice::<Probe>(&text).ok();
        }
        if began.elapsed() > patience {
            break None;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let Some(answer) = answer else {
        let seen = slurm.queue(name).await.unwrap_or_default();
        let seen = seen.iter().find(|seen| seen.array == task);
        let how = seen.map_or_else(
            || "Slurm does not list it any more".to_owned(),
            |seen| format!("it is {} {}", seen.state, seen.reason),
        );
        let _ = slurm.cancel(std::slice::from_ref(&task)).await;
        return findings.wrong(
            &format!(
                "no answer from a node after {} (task {task}; {how})",
                duration(patience.as_secs_f64())
            ),
            &format!(
                "is `{}` the same folder on nodes, and `{}` there? What the task wrote: `{}`",
                root.display(),
                program.display(),
                folder.join("task-0.log").display()
            ),
        );
    };
    tell_of(findings, &answer, &probe, &word)?;
    drop(lock);
    let _ = fs::remove_dir_all(&folder);
    Ok(())
}

fn tell_of(
    findings: &mut Findings,
    answer: &Probe,
    probe: &ProbeFolder,
    word: &str,
) -> Result<(), Failure> {
    let node = &answer.node;
    if answer.version == env!("CARGO_PKG_VERSION") {
        let gpus = match answer.gpus.as_str() {
            "" => String::new(),
            gpus => format!(", GPUs {gpus}"),
        };
        well(&format!("augreg-worker {} runs on {node}{gpus}", answer.version))?;
    } else {
        findings.wrong(
            &format!(
                "augreg-worker on {node} is {}, and this is {}",
                answer.version,
                env!("CARGO_PKG_VERSION")
            ),
            "nodes must see the binary that was built with this one; `AUGREG_WORKER` names it",
        )?;
    }
    let appended = fs::read_to_string(probe.appended()).unwrap_or_default();
    if answer.read.as_deref() == Some(word) && appended == "one\ntwo\n" {
        well(&format!(
            "{node} sees what is written here; what it appends and renames is seen here"
        ))?;
    } else {
        findings.wrong(
            &format!("{node} and this machine do not see what the other writes"),
            "journals are read while they are written: the folder must be shared, and not cached for long",
        )?;
    }
    if answer.locks_in_vain {
        odd(
            &format!("locks do not work between {node} and this machine"),
            "two copies of a task, after a node was cut off, could work on a job for some seconds; what they \
             write is the same",
        )
    } else {
        well(&format!("locks work between {node} and this machine"))
    }
}
