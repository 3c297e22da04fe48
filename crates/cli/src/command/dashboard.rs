//! `augreg dashboard`

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use augreg_dashboard::{Carried, Dashboard, Hands, Options, Order, ServeError};
use augreg_scheduler::runtime::StudyLock;
use augreg_spec::JobId;
use augreg_store::Store;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::cancel::{self, by};
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;

/// Show the study in a browser: grids that fill in, jobs, curves, devices
///
/// Prints an address with a token: whoever opens it may also cancel, retry, pause and set priorities.
/// Others at this machine may read; from elsewhere nothing goes without the token. Ctrl-C ends it.
#[derive(Debug, Args)]
pub(crate) struct DashboardArgs {
    /// Where to listen: an address of this machine, with or without a port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    listen: Address,
    /// The port; 0 takes any that is free
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// A further name that browsers may call this machine by, such as a proxy's
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
}

/// An address that may lack its port.
#[derive(Debug, Clone, Copy)]
struct Address {
    ip: IpAddr,
    port: Option<u16>,
}

fn address(text: &str) -> Result<Address, String> {
    let text = if text == "localhost" { "127.0.0.1" } else { text };
    if let Ok(at) = text.parse::<SocketAddr>() {
        return Ok(Address { ip: at.ip(), port: Some(at.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse();
    ip.map(|ip| Address { ip, port: None })
        .map_err(|_| "an address such as 127.0.0.1, 127.0.0.1:8265 or [::1]:8265".to_owned())
}

pub(crate) async fn run(global: &Global, args: &DashboardArgs) -> Result<Ending, Failure> {
    let port = args.port.or(args.listen.port).unwrap_or(Options::PORT);
    let mut options = Options::new(global.root.clone());
    options.listen = SocketAddr::new(args.listen.ip, port);
    options.names.clone_from(&args.name);
    let hands = Arc::new(Commands { root: global.root.clone() });
    let dashboard = Dashboard::bind(options, hands).await.map_err(failure)?;
    if !args.listen.ip.to_canonical().is_loopback() {
        output::say(
            "warning: others can reach this address, and plain HTTP shows the token to whoever sees \
             the traffic: a tunnel is safer (ssh -L 8265:127.0.0.1:8265 HOST)",
        );
    }
    // Also where nothing else is said: without it nobody could act.
    output::say(&format!("dashboard: {}", dashboard.url()));
    dashboard.run(interrupted()?).await;
    Ok(Ending::Good)
}

/// Comes about with the first Ctrl-C or SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let listen = |kind| -> Result<Signal, Failure> { Ok(signal(kind)?) };
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::Store(error) => error.into(),
        ServeError::InUse { .. } => Failure::refused(
            error,
            "another dashboard may run there already; `--port N` takes another port, `--port 0` any \
             that is free",
        ),
        ServeError::Listen { .. } => Failure::refused(
            error,
            "name an address of this machine with `--listen ADDRESS`, and a port of 1024 or more with \
             `--port N`",
        ),
        error @ ServeError::Token(_) => Failure::internal(error),
    }
}

/// Carries orders out as the commands of the same names do.
struct Commands {
    root: PathBuf,
}

impl Hands for Commands {
    fn carry_out(&self, order: Order) -> Carried<'_> {
        let root = self.root.clone();
        Box::pin(async move {
            // Commands may wait for a file's lock, which must not keep pages waiting.
            let done = tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| error.to_string())?;
                runtime.block_on(carry_out(&root, order)).map_err(Failure::sentence)
            });
            done.await.map_err(|error| error.to_string())?
        })
    }
}

async fn carry_out(root: &Path, order: Order) -> Result<String, Failure> {
    let store = study::beside(root).await?;
    let by = by("the dashboard");
    let done = perform(&store, order, &by).await;
    store.close().await;
    done
}

async fn perform(store: &Store, order: Order, by: &str) -> Result<String, Failure> {
    let runs = StudyLock::holder(store.root()).is_some();
    let and_then = if runs { "" } else { "; nothing runs: `augreg resume` goes on" };
    Ok(match order {
        Order::Cancel(jobs) => cancelled(store, &jobs, by).await?,
        Order::Retry(jobs) => {
            let queued = store.requeue_failed(&jobs, by).await?;
            let (queued, all) = (queued.len(), jobs.len());
            format!("{queued} of {all} jobs queued again; the next `augreg resume` runs them")
        }
        Order::Prioritize(jobs, priority) => {
            let set = store.set_priority(&jobs, priority, by).await?;
            format!("{} of {} jobs have priority {priority}{and_then}", set.len(), jobs.len())
        }
        Order::Pause { sweep, drain } => {
            store.pause(sweep.as_deref(), drain, by).await?;
            let what = sweep.unwrap_or_else(|| "the study".to_owned());
            let how = if drain {
                "what runs goes on to its end"
            } else {
                "workers write checkpoints and leave"
            };
            format!("{what} is paused: {how}")
        }
        Order::Unpause { sweep } => {
            store.unpause(sweep.as_deref(), by).await?;
            let what = sweep.unwrap_or_else(|| "the study".to_owned());
            format!("{what} is paused no longer{and_then}")
        }
    })
}

async fn cancelled(store: &Store, jobs: &[JobId], by: &str) -> Result<String, Failure> {
    let cancel::Asked { jobs: asked, busy, notes } = cancel::ask(store, jobs, by).await?;
    let over = jobs.len() - asked.len();
    let mut text = match busy {
        Some(holder) => format!("{} jobs will be cancelled by {holder}", asked.len()),
        None => match cancel::open(store, &asked).await?.len() {
            0 => format!("{} jobs are cancelled", asked.len()),
            left => format!(
                "{} jobs are cancelled, {left} more when `augreg resume` has seen what became of them",
                asked.len() - left
            ),
        },
    };
    if over > 0 {
        text += &format!("; {over} had ended already");
    }
    Ok(notes.into_iter().fold(text, |text, note| text + "; " + &note))
}
