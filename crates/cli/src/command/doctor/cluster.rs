//! Slurm, and a node of it.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use augreg_executor::slurm::{BatchScript, Slurm};
use augreg_protocol::{Probe, ProbeFolder};
use augreg_spec::Executor;

use super::{Findings, odd, well};
use crate::failure::Failure;
use crate::words::{count, duration};

/// Whether Slurm answers.
pub(super) async fn answers(findings: &mut Findings) -> Result<bool, Failure> {
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
pub(super) async fn node(
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
