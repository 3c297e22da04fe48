//! `augreg-worker`: takes assignments on standard input, trains, and leaves journals behind.
//!
//! In a batch script (`--share FILE`) it takes them from a file instead. A worker is warm: it stays for as many attempts as its scheduler sends, one at a time, and keeps
//! libtorch and data sets in memory between them. It leaves when told to, when its scheduler is
//! gone, or when the host says so, and never without a checkpoint.

mod attempt;
mod energy;
mod host;
mod inbox;
mod lock;
mod log;
mod outbox;
mod room;
mod scratch;
mod share;
mod side_by_side;
mod slurm;

use std::ffi::OsString;
use std::process::ExitCode;

use augreg_kernels::{exit_at_once, libtorch};
use augreg_protocol::{About, ENERGY_OF};
use augreg_train::DatasetCache;

use crate::inbox::{Inbox, Wake};
use crate::outbox::Outbox;

fn main() -> ExitCode {
    let mut outbox = Outbox::stdout();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => {}
        [flag] if flag == "--version" || flag == "-V" => {
            outbox.line(concat!("augreg-worker ", env!("CARGO_PKG_VERSION")));
            return ExitCode::SUCCESS;
        }
        [flag] if flag == "--about" => {
            outbox.line(&about());
            return ExitCode::SUCCESS;
        }
        arguments => {
            log::start();
            return without_scheduler(arguments);
        }
    }

    log::start();
    let inbox = match Inbox::open() {
        Ok(inbox) => inbox,
        Err(error) => {
            tracing::error!("failed to listen for signals and assignments: {error}");
            return ExitCode::FAILURE;
        }
    };
    outbox.hello(); // From here on signals and assignments are heard.
    let is_good = work(&inbox, &mut outbox);
    exit_at_once(u8::from(!is_good))
}

/// What this worker is, as a line of JSON.
fn about() -> String {
    let libtorch = libtorch();
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: libtorch.version,
        instructions: libtorch.instructions,
        cuda: libtorch.cuda,
        gpus: u32::try_from(tch::Cuda::device_count()).unwrap_or(0),
    };
    serde_json::json!(about).to_string()
}

/// Does what a batch script asks for.
fn without_scheduler(arguments: &[OsString]) -> ExitCode {
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let [flag, folder] = arguments.as_slice()
        && flag == "--probe"
    {
        return slurm::probe(folder);
    }
    if let Some((share, workers)) = side_by_side::arguments(&arguments) {
        return side_by_side::run(&share, workers);
    }
    if let Some((share, part)) = share::arguments(&arguments) {
        return share::run(&share, part);
    }
    tracing::error!(
        "augreg-worker takes no arguments: augreg starts it and talks to it over standard input and \
         output. Batch scripts give it a share of jobs, `--share FILE`; `--version` prints its version, `--about` \
         libtorch's as well"
    );
    ExitCode::from(2)
}

/// Runs what comes in until there is a reason to leave. Returns whether the device is still good.
fn work(inbox: &Inbox, outbox: &mut Outbox) -> bool {
    let mut datasets = DatasetCache::default();
    let gpu = energy::Gpu::named_by(std::env::var(ENERGY_OF).ok());
    while let Wake::Run(assignment) = inbox.next() {
        let is_good =
            attempt::run(&assignment, inbox.leave(), outbox, &mut datasets, gpu.as_ref(), None);
        if !is_good {
            tracing::error!("leaving: the device cannot be used in this process any more");
            return false;
        }
        if inbox.leave().requested() {
            break;
        }
    }
    true
}
