//! Budgets: what a sweep has spent and what it would still take, held against what it may.
//!
//! A launch or resume that would go beyond a limit is refused, by the median of the estimate. A run under
//! way is not stopped: its jobs are worth more finished. `augreg status` says that it is over.

use std::num::NonZeroU32;

use augreg_spec::{Budget, Executor, JobId, Keep, Kept, Limit, Resource};
use augreg_store::{JobQuery, Spent, Store, Value};

use crate::cluster::ClusterArgs;
use crate::command::launch::kept;
use crate::estimate::{Estimate, Estimator, work};
use crate::failure::Failure;
use crate::prices::Priced;
use crate::space::{Need, Size};
use crate::words::quantity;

/// Up to so many jobs, what is left is estimated from each of them; of more, from their sum.
pub(crate) const FEW: u64 = 10_000;

/// What a sweep takes of one thing: hours, bytes or operations.
struct Account<'a> {
    limit: &'a Limit,
    spent: f64,
    to_do: f64,
}

impl Account<'_> {
    fn is_over(&self) -> bool {
        self.spent + self.to_do > self.limit.most
    }

    fn amount(&self, amount: f64) -> String {
        match self.limit.resource {
            Resource::DeviceHours => format!("{} device-hours", hours(amount)),
            Resource::Disk => quantity(amount, "B"),
            Resource::Flops => quantity(amount, "FLOP"),
        }
    }

    /// `40 % of 1.00 device-hours: 0.10 device-hours spent, 0.30 device-hours to do`
    fn text(&self) -> String {
        let all = self.spent + self.to_do;
        let percent = 100.0 * all / self.limit.most;
        let parts = if self.limit.resource == Resource::Disk {
            format!("{} in all while it runs", self.amount(all))
        } else {
            format!("{} spent, {} to do", self.amount(self.spent), self.amount(self.to_do))
        };
        format!("{percent:.0} % of {}: {parts}", self.amount(self.limit.most))
    }
}

/// Hours, with as many digits as show that there are any.
fn hours(hours: f64) -> String {
    match hours {
        h if h <= 0.0 || h >= 0.095 => format!("{h:.2}"),
        h if h >= 0.000_95 => format!("{h:.4}"),
        h => format!("{h:.1e}"),
    }
}

/// What a sweep takes of all that its budget names. `pending` are operations of jobs that open choices will
/// lead to, at most.
fn accounts<'a>(
    budget: &'a Budget,
    spent: Spent,
    estimate: &Estimate,
    pending: f64,
    disk: u64,
) -> Vec<Account<'a>> {
    let flops = (estimate.flops + pending - spent.begun).max(0.0);
    let seconds = estimate.device.median * if flops > 0.0 { flops / estimate.flops } else { 0.0 };
    let account = |limit: &'a Limit| {
        let (spent, to_do) = match limit.resource {
            Resource::DeviceHours => (spent.device_seconds / 3600.0, seconds / 3600.0),
            Resource::Disk => (0.0, disk as f64),
            Resource::Flops => (spent.flops, flops),
        };
        Account { limit, spent, to_do }
    };
    budget.limits.iter().map(account).collect()
}

/// What all jobs of a sweep take on disk, with what runs of them and without what is to stay free.
fn disk(sizes: impl Iterator<Item = Size>, slots: usize, keep: Kept) -> u64 {
    Need::of(sizes, slots, keep, Some(0)).total()
}

/// How much of its budget a sweep file takes, a line a limit.
pub(crate) fn plan_text(
    budget: &Budget,
    priced: &Priced<'_>,
    estimate: &Estimate,
    slots: usize,
    keep: Kept,
) -> String {
    let disk = disk(priced.prices.all_sizes(), slots, keep);
    let accounts = accounts(budget, priced.spent, estimate, priced.pending(), disk);
    let lines = accounts.iter().enumerate().map(|(i, account)| {
        let head = if i == 0 { "budget" } else { "" };
        let over = if account.is_over() { "; `launch` refuses that" } else { "" };
        format!("{head:8} {}{over}\n", account.text())
    });
    lines.collect()
}

/// Refuses a sweep file that would take more than it may.
pub(crate) fn check(
    (file, text): (&str, &str),
    budget: &Budget,
    priced: &Priced<'_>,
    slots: &[augreg_executor::Slot],
    keep: Kept,
) -> Result<(), Failure> {
    let estimate = Estimator::new(slots, &priced.speeds).estimate(&priced.prices.work());
    let disk = disk(priced.prices.all_sizes(), slots.len(), keep);
    let accounts = accounts(budget, priced.spent, &estimate, priced.pending(), disk);
    refuse((file, text), &accounts, &estimate, "launch")
}

fn refuse(
    (file, text): (&str, &str),
    accounts: &[Account<'_>],
    estimate: &Estimate,
    command: &str,
) -> Result<(), Failure> {
    let Some(account) = accounts.iter().find(|account| account.is_over()) else { return Ok(()) };
    let limit = account.limit;
    let all = account.amount(account.spent + account.to_do);
    let most = account.amount(limit.most);
    let spent = if account.spent > 0.0 {
        format!(" ({} are spent)", account.amount(account.spent))
    } else {
        String::new()
    };
    let message = format!("the sweep takes about {all}{spent}, and its budget is {most}");
    let ground = match limit.resource {
        Resource::DeviceHours => format!(" The estimate: {}.", estimate.text()),
        _ => String::new(),
    };
    let help = format!(
        "nothing was changed: shorten an axis, raise `{}` to {} or more, or {command} it all the same \
         with `--force`.{ground}",
        limit.resource.key(),
        sufficient(limit.resource, account.spent + account.to_do),
    );
    Err(Failure::over_budget(Budget::exceeded(file, text, limit, message, help)))
}

/// An amount as a sweep file writes it, that is not less.
fn sufficient(resource: Resource, amount: f64) -> String {
    match resource {
        Resource::DeviceHours => format!("{:.2}", (amount * 100.0).ceil() / 100.0),
        Resource::Disk => format!("\"{} MB\"", (amount / 1e6).ceil()),
        Resource::Flops => {
            let step = 10_f64.powf(amount.log10().floor() - 2.0);
            format!("{:.2e}", (amount / step).ceil() * step)
        }
    }
}

/// Refuses to go on with sweeps that would take more than they may.
pub(crate) async fn check_again(
    store: &Store,
    sweep: Option<&str>,
    (cluster, workers): (&ClusterArgs, Option<NonZeroU32>),
    keep: (Option<Keep>, Option<Keep>),
) -> Result<(), Failure> {
    for summary in store.sweeps().await? {
        let name = summary.name.as_str();
        let budget = Budget::asked_for_in(&summary.text);
        if budget.limits.is_empty()
            || sweep.is_some_and(|sweep| sweep != name)
            || store.counts(Some(name)).await?.unfinished() == 0
        {
            continue;
        }
        let slots = cluster.slots(Executor::asked_for_in(&summary.text), workers);
        let estimate = left(store, Some(name), &slots).await?;
        let keep = kept(keep.0, keep.1, Some(Kept::asked_for_in(&summary.text)));
        let limits_disk = budget.limits.iter().any(|limit| limit.resource == Resource::Disk);
        let sizes = if limits_disk { sizes(store, name).await? } else { Vec::new() };
        let disk = disk(sizes.into_iter(), slots.len(), keep);
        let pending = pending(store, name).await?;
        let accounts = accounts(&budget, store.spent(name).await?, &estimate, pending, disk);
        let file = format!("sweep `{name}` as launched");
        refuse((&file, &summary.text), &accounts, &estimate, "go on with")?;
    }
    Ok(())
}

/// Operations of jobs that the open choices of a registered sweep will lead to, at most.
async fn pending(store: &Store, name: &str) -> Result<f64, Failure> {
    let mut flops = 0.0;
    for ruled in store.ruled_sweeps(Some(name)).await? {
        let known = store.known(name).await?;
        // One that this augreg does not understand chooses nothing more, which the run says.
        let Ok(sweep) = ruled.parse() else { continue };
        let Ok(selections) = sweep.selections(&ruled.found, &known) else { continue };
        flops += selections.iter().filter_map(|one| one.pending).map(|one| one.flops).sum::<f64>();
    }
    Ok(flops)
}

/// How long what is left of a sweep, or of the study, takes here.
pub(crate) async fn left(
    store: &Store,
    sweep: Option<&str>,
    slots: &[augreg_executor::Slot],
) -> Result<Estimate, Failure> {
    let (all, each) = store.work_left(sweep, FEW).await?;
    let estimator = Estimator::new(slots, &store.speeds().await?);
    Ok(if each.is_empty() {
        estimator.estimate_of_many(all)
    } else {
        estimator.estimate(&work(each))
    })
}

async fn sizes(store: &Store, sweep: &str) -> Result<Vec<Size>, Failure> {
    let query = JobQuery {
        sweep: Some(sweep.to_owned()),
        columns: Some(vec!["id".to_owned()]),
        ..JobQuery::default()
    };
    let id = |row: &Vec<Value>| match row.first() {
        Some(Value::Text(id)) => id.parse().ok(),
        _ => None,
    };
    let ids: Vec<JobId> = store.query(&query).await?.rows.iter().filter_map(id).collect();
    Ok(store.work(&ids).await?.values().map(|work| Size::of(&work.spec)).collect())
}

/// What a sweep has spent of its budget, for its status; nothing if there is none.
pub(crate) async fn status_text(store: &Store, sweep: &str, file: &str) -> Result<String, Failure> {
    let budget = Budget::asked_for_in(file);
    let counted = |limit: &&Limit| limit.resource != Resource::Disk;
    if !budget.limits.iter().any(|limit| counted(&limit)) {
        return Ok(String::new());
    }
    let spent = store.spent(sweep).await?;
    let parts: Vec<_> = budget
        .limits
        .iter()
        .filter(counted)
        .map(|limit| {
            let spent = match limit.resource {
                Resource::DeviceHours => spent.device_seconds / 3600.0,
                _ => spent.flops,
            };
            let account = Account { limit, spent, to_do: 0.0 };
            let over = if account.is_over() { ": over its budget" } else { "" };
            format!("{} of {} spent{over}", account.amount(spent), account.amount(limit.most))
        })
        .collect();
    Ok(format!("budget: {}\n", parts.join(", ")))
}
