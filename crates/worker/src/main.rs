//! `augreg-worker`: takes assignments on standard input, trains, and leaves journals behind.
//!
//! A worker is warm: it stays for as many attempts as its scheduler sends, one at a time, and keeps
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

use std::process::ExitCode;

use augreg_kernels::exit_at_once;
use augreg_protocol::ENERGY_OF;
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
        _ => {
            log::start();
            tracing::error!(
                "augreg-worker takes no arguments: augreg starts it and talks to it over standard \
                 input and output; `--version` prints its version"
            );
            return ExitCode::from(2);
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

/// Runs what comes in until there is a reason to leave. Returns whether the device is still good.
fn work(inbox: &Inbox, outbox: &mut Outbox) -> bool {
    let mut datasets = DatasetCache::default();
    let gpu = energy::Gpu::named_by(std::env::var(ENERGY_OF).ok());
    while let Wake::Run(assignment) = inbox.next() {
        let is_good = attempt::run(&assignment, inbox.leave(), outbox, &mut datasets, gpu.as_ref());
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
