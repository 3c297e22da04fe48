//! GPUs and their driver, threads, the disk of the study.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use augreg_executor::{Gpus, Slot};

use super::{Findings, odd, well};
use crate::failure::Failure;
use crate::space::free_below;
use crate::words::{count, duration, quantity};

/// A disk that takes longer to sync a small file makes every checkpoint slow.
const SLOW_SYNC: Duration = Duration::from_millis(100);
/// With less room than this hardly a sweep fits, in bytes.
const LITTLE_ROOM: u64 = 1_000_000_000;

pub(super) fn look(
    findings: &mut Findings,
    gpus: &Result<Gpus, String>,
    root: &Path,
) -> Result<(), Failure> {
    driver(gpus)?;
    threads()?;
    disk(findings, root)
}

fn driver(gpus: &Result<Gpus, String>) -> Result<(), Failure> {
    let gpus = match gpus {
        Ok(gpus) => gpus,
        Err(error) => {
            let what = format!("no NVIDIA driver ({error}): jobs run on the cores");
            return odd(
                &what,
                "with a GPU in this machine: `nvidia-smi` says what its driver sees",
            );
        }
    };
    let driver = gpus.driver().map_or_else(
        || "an NVIDIA driver".to_owned(),
        |driver| format!("NVIDIA driver {}, CUDA up to {}", driver.version, driver.cuda),
    );
    match gpus.uuids().len() as u64 {
        0 => odd(&format!("{driver}, and no GPU"), "`nvidia-smi` says what it sees"),
        n => well(&format!("{driver}, {} GPUs", count(n))),
    }
}

fn threads() -> Result<(), Failure> {
    let slots = augreg_executor::detect(None);
    let usable = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let all = information.lines().filter(|line| line.starts_with("processor")).count() as u64;
    let of = if all > usable { format!(" of {}", count(all)) } else { String::new() };
    let what = format!("{}{of} cores: {}", count(usable), slots_text(&slots));
    if of.is_empty() {
        return well(&what);
    }
    odd(
        &what,
        "the others are not for this process (affinity or cgroup); in a container, give it more",
    )
}

/// What workers get if nothing else is said.
fn slots_text(slots: &[Slot]) -> String {
    let threads = slots.first().map_or(1, |slot| slot.threads);
    let [slots_plural, threads_plural] =
        [slots.len() == 1, threads == 1].map(|one| if one { "" } else { "s" });
    let slots = count(slots.len() as u64);
    format!(
        "{slots} slot{slots_plural} of {threads} thread{threads_plural}, `--workers` sets another number"
    )
}

/// The disk of the study: room, and how long it takes until a small file is safe.
fn disk(findings: &mut Findings, root: &Path) -> Result<(), Failure> {
    let root = std::path::absolute(root)?;
    let place = root.ancestors().find(|folder| folder.is_dir()).unwrap_or(&root).to_owned();
    match free_below(&root) {
        Ok(free) if free < LITTLE_ROOM => odd(
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
