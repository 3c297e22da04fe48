//! The `augreg` binary: parses the command line, runs one command, turns its end into an exit code.

mod args;
mod budget;
mod checkpoint;
mod cluster;
mod command;
mod device;
mod device_use;
mod estimate;
mod failure;
mod killer;
mod output;
mod pivot;
mod prices;
mod progress;
mod question;
mod rehearsal;
mod screen;
mod space;
mod study;
mod sweep_file;
mod table;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::{Ending, Failure};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::set_up(&arguments.global);
    // One thread: nothing here computes for long, and handing words of workers from one thread to
    // another costs more than taking them in.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(Failure::internal(error)),
    };
    match runtime.block_on(run(&arguments)) {
        Ok(ending) => ending.code(),
        Err(failure) => failure::report(failure),
    }
}

async fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Plan(args) => command::plan::run(global, args).await,
        Command::Data(args) => command::data::run(global, args),
        Command::Doctor(args) => command::doctor::run(global, args).await,
        Command::Launch(args) => command::launch::run(global, args).await,
        Command::Resume(args) => command::resume::run(global, args).await,
        Command::Status(args) => command::status::run(global, args).await,
        Command::Query(args) => command::query::run(global, args).await,
        Command::Compare(args) => command::compare::run(global, args).await,
        Command::Show(args) => command::show::run(global, args).await,
        Command::Logs(args) => command::logs::run(global, args).await,
        Command::Cancel(args) => command::cancel::run(global, args).await,
        Command::Retry(args) => command::retry::run(global, args).await,
        Command::Priority(args) => command::priority::run(global, args).await,
        Command::Pause(args) => command::pause::run(global, args).await,
        Command::Unpause(args) => command::pause::end(global, args).await,
        Command::Ledger(args) => command::ledger::run(global, args).await,
        Command::VerifyResume(args) => command::verify_resume::run(global, args).await,
        Command::Report(args) => command::report::run(global, args).await,
        Command::Dashboard(args) => command::dashboard::run(global, args).await,
        Command::Export(args) => command::export::run(global, args).await,
        Command::Import(args) => command::import::run(global, args).await,
        Command::Paper(args) => command::paper::run(global, args).await,
        Command::Schema(args) => command::schema::run(args),
        Command::Completions(args) => command::completions::run(args),
        Command::Man(args) => command::completions::man(args),
    }
}
