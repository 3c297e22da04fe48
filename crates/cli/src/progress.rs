//! What a person sees while a sweep runs: on a terminal a bar for every running job and one for the
//! whole, elsewhere a plain line for every job that ends. All of it goes to standard error.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use augreg_protocol::{AttemptKey, Beat, FailureKind, JobState};
use augreg_scheduler::runtime::Progress;
use augreg_spec::JobId;
use augreg_store::{QueryError, Rows, Store, Value};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::words::{count, duration};

/// How a job is called on a line, and what it takes.
struct Job {
    name: String,
    flops: f64,
}

/// An attempt that runs.
struct Run {
    bar: ProgressBar,
    since: Instant,
    /// Share of the job that is done, and that was done when the attempt began.
    share: f64,
    first_share: Option<f64>,
}

/// The display of one launch or resume.
pub(crate) struct Display {
    jobs: HashMap<JobId, Job>,
    running: HashMap<AttemptKey, Run>,
    bars: MultiProgress,
    total: ProgressBar,
    /// On a terminal, and not asked to be quiet.
    live: bool,
    quiet: bool,
    began: Instant,
    ended: usize,
    failed: usize,
    all: usize,
    flops_all: f64,
    flops_ended: f64,
    /// Work done in this run, for its speed.
    flops_here: f64,
}

impl Display {
    /// Prepares the display of a sweep's open jobs, or of all.
    pub(crate) async fn new(
        store: &Store,
        sweep: Option<&str>,
        quiet: bool,
    ) -> Result<Self, QueryError> {
        let jobs = open_jobs(store, sweep).await?;
        let live = !quiet && std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(jobs.len() as u64));
        total.set_style(style("{bar:30.green/dim} {pos}/{len} jobs  {msg}"));
        Ok(Self {
            flops_all: jobs.values().map(|job| job.flops).sum(),
            all: jobs.len(),
            jobs,
            running: HashMap::new(),
            bars,
            total,
            live,
            quiet,
            began: Instant::now(),
            ended: 0,
            failed: 0,
            flops_ended: 0.0,
            flops_here: 0.0,
        })
    }

    /// Takes in one piece of news.
    pub(crate) fn observe(&mut self, progress: Progress) {
        match progress {
            Progress::Began { jobs, slots } => {
                let plural = if slots == 1 { "" } else { "s" };
                self.line(&format!("{} jobs on {slots} worker{plural}", count(jobs as u64)));
            }
            Progress::Started { attempt, steps, .. } => self.start(attempt, steps),
            Progress::Beat(beat) => self.beat(&beat),
            Progress::Requeued { attempt, failure } => {
                self.stop(attempt);
                if let Some((kind, message)) = failure {
                    let why = first_line(&message);
                    let name = self.name(attempt.job);
                    self.line(&format!("retry  {name}  after {}: {why}", kind.name()));
                }
            }
            Progress::Finished { job, state, failure } => self.finish(job, state, failure),
            Progress::Stopping => {
                self.line("stopping: workers write their checkpoints; again to leave at once");
            }
            Progress::Note(note) => self.line(&note),
        }
        self.refresh();
    }

    /// Takes the bars away.
    pub(crate) fn close(&self) {
        for run in self.running.values() {
            run.bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }

    fn start(&mut self, attempt: AttemptKey, steps: u64) {
        let bar = self.bars.insert_before(&self.total, ProgressBar::new(steps));
        bar.set_style(style("  {bar:24.cyan/dim} {percent:>3} %  {prefix}  {msg:.dim}"));
        bar.set_prefix(self.name(attempt.job));
        let run = Run { bar, since: Instant::now(), share: 0.0, first_share: None };
        self.running.insert(attempt, run);
    }

    fn beat(&mut self, beat: &Beat) {
        let Some(run) = self.running.get_mut(&beat.attempt) else { return };
        run.bar.set_message(beat.loss.map_or("evaluating".to_owned(), |loss| {
            format!("loss {loss:.3}  {:.0} images/s", beat.images_per_second)
        }));
        run.bar.set_position(beat.step);
        run.share = beat.step as f64 / beat.steps.max(1) as f64;
        run.first_share.get_or_insert(run.share);
    }

    /// An attempt is over; the seconds it took.
    fn stop(&mut self, attempt: AttemptKey) -> Option<Duration> {
        let run = self.running.remove(&attempt)?;
        run.bar.finish_and_clear();
        let flops = self.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
        self.flops_here += flops * (run.share - run.first_share.unwrap_or(run.share));
        Some(run.since.elapsed())
    }

    fn finish(&mut self, job: JobId, state: JobState, failure: Option<(FailureKind, String)>) {
        let attempt = self.running.keys().find(|attempt| attempt.job == job).copied();
        if let Some(run) = attempt.and_then(|attempt| self.running.get_mut(&attempt))
            && state == JobState::Succeeded
        {
            run.share = 1.0;
        }
        let took = attempt.and_then(|attempt| self.stop(attempt));
        self.ended += 1;
        self.flops_ended += self.jobs.get(&job).map_or(0.0, |job| job.flops);
        self.total.set_position(self.ended as u64);
        let took = took.map_or(String::new(), |took| format!("  {}", duration(took.as_secs_f64())));
        let name = self.name(job);
        let place = format!("[{:>width$}/{}]", self.ended, self.all, width = digits(self.all));
        match failure {
            Some((kind, message)) if state == JobState::Failed => {
                self.failed += 1;
                let why = first_line(&message);
                self.line(&format!("{place} failed  {name}  {}: {why}", kind.name()));
            }
            _ if !self.live => self.line(&format!("{place} {state}  {name}{took}")),
            _ => {}
        }
    }

    fn refresh(&self) {
        if !self.live {
            return;
        }
        let here: f64 = self
            .running
            .iter()
            .map(|(attempt, run)| {
                let flops = self.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
                let first = run.first_share.unwrap_or(run.share);
                (flops * run.share, flops * (run.share - first))
            })
            .fold((0.0, 0.0), |sum, run| (sum.0 + run.0, sum.1 + run.1))
            .1;
        let elapsed = self.began.elapsed().as_secs_f64();
        let speed = (self.flops_here + here) / elapsed.max(1e-3);
        let left = self.flops_all - self.flops_ended - here;
        let mut text = duration(elapsed);
        if speed > 0.0 {
            text += &format!(", about {} left", duration(left.max(0.0) / speed));
        }
        if self.failed > 0 {
            text += &format!(", {} failed", self.failed);
        }
        self.total.set_message(text);
    }

    fn name(&self, job: JobId) -> String {
        let name = self.jobs.get(&job).map_or("", |job| job.name.as_str());
        format!("{}  {name}", job.short())
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.live {
            // A terminal that cannot be written to shows nothing, which is no reason to stop.
            let _ = self.bars.println(text);
        } else {
            output::say(text);
        }
    }
}

async fn open_jobs(store: &Store, sweep: Option<&str>) -> Result<HashMap<JobId, Job>, QueryError> {
    let columns = ["id", "model", "dataset", "augmentation", "dropout", "epochs", "flops", "state"];
    let query = augreg_store::JobQuery {
        sweep: sweep.map(str::to_owned),
        columns: Some(columns.map(str::to_owned).to_vec()),
        filters: ["state!=succeeded", "state!=failed", "state!=cancelled"]
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?,
        ..augreg_store::JobQuery::default()
    };
    let Rows { rows, .. } = store.query(&query).await?;
    let job = |row: &Vec<Value>| {
        let text = |i: usize| match &row[i] {
            Value::Text(text) => text.clone(),
            Value::Real(number) => number.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Null => "–".to_owned(),
        };
        let id: JobId = text(0).parse().ok()?;
        let name = format!("{} {} {} reg {} {} ep", text(1), text(2), text(3), text(4), text(5));
        Some((id, Job { name, flops: text(6).parse().unwrap_or(0.0) }))
    };
    Ok(rows.iter().filter_map(job).collect())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn digits(n: usize) -> usize {
    n.to_string().len()
}
