//! `augreg doctor`

mod cluster;
mod data;
mod machine;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use augreg_executor::Gpus;
use augreg_spec::ExecutorKind;
use clap::Args;

use crate::args::Global;
use crate::cluster::ClusterArgs;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::sweep_file;

/// Look whether what runs need is there, and say how to mend what is not
///
/// The worker and its libtorch, GPUs and their driver, threads, the study's disk. With a sweep file its data sets
/// as well: whether they are there, hold what the file says, and whether pictures of every split can be decoded
/// (`augreg data check` decodes all of them). With `--executor slurm` a node is asked, too: a task of a few seconds
/// is submitted, as tasks of a sweep would be.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 2 if something is wrong.")]
pub(crate) struct DoctorArgs {
    /// A sweep file: its data sets are looked at, and its `[executor]` says where jobs run
    file: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How long a node is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait_seconds: u64,
}

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
    let sweep = args.file.as_deref().map(sweep_file::parse).transpose()?;
    let asked = sweep.as_ref().map(|sweep| sweep.executor.clone()).unwrap_or_default();
    let executor = args.cluster.over(asked);
    let mut findings = Findings::default();
    let gpus = Gpus::open();
    let program = worker::look(&mut findings, gpus.as_ref().ok())?;
    machine::look(&mut findings, &gpus, &global.root)?;
    if let Some(sweep) = &sweep {
        data::look(&mut findings, sweep)?;
    }
    match (executor.kind, program) {
        (ExecutorKind::Slurm, Some(program)) => {
            if cluster::answers(&mut findings).await? {
                let patience = Duration::from_secs(args.wait_seconds);
                cluster::node(&mut findings, &global.root, &program, &executor, patience).await?;
            }
        }
        (ExecutorKind::Slurm, None) => _ = cluster::answers(&mut findings).await?,
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
