//! The worker binary and its libtorch.

use std::path::{Path, PathBuf};
use std::process::Command;

use augreg_executor::Gpus;
use augreg_protocol::About;

use super::{Findings, odd, well};
use crate::failure::Failure;
use crate::words::count;

const BUILD: &str = "`scripts/build` builds it beside `augreg`; AUGREG_WORKER names one elsewhere";

/// The worker binary, if there is one of this version that runs.
pub(super) fn look(
    findings: &mut Findings,
    gpus: Option<&Gpus>,
) -> Result<Option<PathBuf>, Failure> {
    let program = match augreg_executor::program() {
        Ok(program) => program,
        Err(error) => {
            findings.wrong(&error.to_string(), "`scripts/setup`, then `scripts/build`")?;
            return Ok(None);
        }
    };
    let shown = program.display();
    let about = match ask(&program) {
        Ok(about) => about,
        Err((what, help)) => {
            findings.wrong(&format!("`{shown}` {what}"), help)?;
            return Ok(None);
        }
    };
    if about.version != env!("CARGO_PKG_VERSION") {
        let what = format!(
            "`{shown}` is {}, and this is augreg {}",
            about.version,
            env!("CARGO_PKG_VERSION")
        );
        findings.wrong(&what, "`scripts/build` builds both together")?;
        return Ok(None);
    }
    well(&format!("augreg-worker {} runs: `{shown}`", about.version))?;
    let driver = gpus.and_then(Gpus::driver);
    let driver = driver.map_or_else(|| "an unknown one".to_owned(), |driver| driver.cuda);
    let gpus = gpus.map_or(0, |gpus| gpus.uuids().len());
    match libtorch(&about, gpus, &driver) {
        Ok(what) => well(&what)?,
        Err((what, help)) if gpus == 0 => odd(&what, &help)?,
        Err((what, help)) => findings.wrong(&what, &help)?,
    }
    Ok(Some(program))
}

/// What the worker says of itself; else what is wrong with it, and what mends that.
fn ask(program: &Path) -> Result<About, (String, &'static str)> {
    let asked = Command::new(program).arg("--about").output();
    let output = asked.map_err(|error| (format!("does not start: {error}"), BUILD))?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout)
            .map_err(|_| ("does not say what it is".to_owned(), BUILD));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    let help =
        "is libtorch where it was when the worker was built? `scripts/setup`, then `scripts/build`";
    Err((format!("does not start: {last}"), help))
}

/// What libtorch is, where that fits the `gpus` of this machine, whose `driver` runs CUDA up to that version;
/// else what does not, and what mends it.
fn libtorch(about: &About, gpus: usize, driver: &str) -> Result<String, (String, String)> {
    let About { libtorch, instructions, cuda, gpus: seen, .. } = about;
    let instructions = if instructions == "DEFAULT" { "no vector" } else { instructions };
    let Some(cuda) = cuda else {
        if gpus == 0 {
            return Ok(format!("libtorch {libtorch} for CPUs, {instructions} instructions"));
        }
        let what =
            format!("libtorch {libtorch} knows no GPUs, and {} are here", count(gpus as u64));
        return Err((what, "`scripts/setup --cuda`, then `scripts/build`".to_owned()));
    };
    let what = format!("libtorch {libtorch} for CUDA {cuda}, {instructions} instructions");
    if *seen as usize >= gpus && *seen > 0 {
        return Ok(format!("{what}, sees {} GPUs", count((*seen).into())));
    }
    let help = match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(visible) => format!("CUDA_VISIBLE_DEVICES is `{visible}`: unset it, or name more"),
        Err(_) if gpus == 0 => {
            "NVML finds no GPU here; `scripts/setup --cpu` has a smaller libtorch".to_owned()
        }
        Err(_) => format!(
            "the driver runs CUDA up to {driver}: it must not be older than {cuda}; `nvidia-smi` says \
             whether another process holds GPUs for itself"
        ),
    };
    Err((format!("{what}, sees {seen} of {} GPUs", count(gpus as u64)), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(cuda: Option<&str>, gpus: u32) -> About {
        About {
            version: "1".to_owned(),
            libtorch: "2.13.0".to_owned(),
            instructions: "AVX512".to_owned(),
            cuda: cuda.map(str::to_owned),
            gpus,
        }
    }

    #[test]
    fn libtorch_must_see_the_gpus_that_the_driver_sees() {
        let cpu = libtorch(&about(None, 0), 0, "").expect("fits");
        assert_eq!(cpu, "libtorch 2.13.0 for CPUs, AVX512 instructions");
        let all = libtorch(&about(Some("13.0"), 8), 8, "13.1").expect("fits");
        assert_eq!(all, "libtorch 2.13.0 for CUDA 13.0, AVX512 instructions, sees 8 GPUs");
        let (what, help) = libtorch(&about(None, 0), 8, "13.1").expect_err("does not fit");
        assert!(
            what.ends_with("knows no GPUs, and 8 are here") && help.contains("--cuda"),
            "{what}: {help}"
        );
        let (what, help) = libtorch(&about(Some("13.0"), 0), 8, "12.4").expect_err("does not fit");
        assert!(
            what.ends_with("sees 0 of 8 GPUs") && help.contains("up to 12.4"),
            "{what}: {help}"
        );
        let (_, help) = libtorch(&about(Some("13.0"), 0), 0, "").expect_err("does not fit");
        assert!(help.contains("--cpu"), "{help}");
    }
}
