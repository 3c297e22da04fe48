//! The command line: what is common to all commands, and the list of them. Each command's own
//! arguments stand beside its code.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::command;

/// Launch sweeps of Vision Transformer trainings, query their results, resume what was interrupted.
#[derive(Debug, Parser)]
#[command(name = "augreg", version, max_term_width = 100, propagate_version = false)]
#[command(
    after_help = "Exit codes: 0 all succeeded; 1 some job failed or a check found something; 2 the \
                        request was wrong or cannot be met; 130 interrupted, `augreg resume` goes on."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where help lists the arguments of every command.
const EVERYWHERE: &str = "With every command";

/// Arguments of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The study: a folder with one database and the artefacts of all its jobs.
    #[arg(long, global = true, env = "AUGREG_ROOT", default_value = "study", value_name = "DIR", help_heading = EVERYWHERE)]
    pub(crate) root: PathBuf,
    /// Say more on standard error; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    pub(crate) verbose: u8,
    /// Say only what went wrong.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub(crate) quiet: bool,
    /// Colours: `auto` uses them on a terminal unless `NO_COLOR` is set.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN", help_heading = EVERYWHERE)]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Plan(command::plan::PlanArgs),
    Data(command::data::DataArgs),
    Doctor(command::doctor::DoctorArgs),
    Launch(command::launch::LaunchArgs),
    Resume(command::resume::ResumeArgs),
    Status(command::status::StatusArgs),
    Query(command::query::QueryArgs),
    Compare(command::compare::CompareArgs),
    Show(command::show::ShowArgs),
    Logs(command::logs::LogsArgs),
    Cancel(command::cancel::CancelArgs),
    Retry(command::retry::RetryArgs),
    Priority(command::priority::PriorityArgs),
    Pause(command::pause::PauseArgs),
    Unpause(command::pause::UnpauseArgs),
    Ledger(command::ledger::LedgerArgs),
    VerifyResume(command::verify_resume::VerifyResumeArgs),
    Report(command::report::ReportArgs),
    Dashboard(command::dashboard::DashboardArgs),
    Export(command::export::ExportArgs),
    Import(command::import::ImportArgs),
    Paper(command::paper::PaperArgs),
    Schema(command::schema::SchemaArgs),
    Completions(command::completions::CompletionsArgs),
    Man(command::completions::ManArgs),
}
