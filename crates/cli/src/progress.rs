//! What a person sees while a sweep runs: on a terminal a bar for every running job and one for the
//! whole, elsewhere a plain line for every job that ends. All of it goes to standard error.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use augreg_protocol::{AttemptKey, Beat, FailureKind, JobState};
use augreg_scheduler::runtime::Progress;
use augreg_spec::JobId;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::words::{count, duration};

/// An attempt that runs.
struct Run {
    /// How its job is called on a line.
    name: String,
    /// What its job takes.
    flops: f64,
    bar: ProgressBar,
    since: Instant,
    /// Share of the job that is done, and that was done when the attempt began.
    share: f64,
    first_share: Option<f64>,
}

/// The display of one launch or resume.
pub(crate) struct Display {
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
    /// Prepares the display of a run that has not begun.
    pub(crate) fn new(quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{bar:30.green/dim} {pos}/{len} jobs  {msg}"));
        Self {
            flops_all: 0.0,
            all: 0,
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
        }
    }

    /// Takes in one piece of news.
    pub(crate) fn observe(&mut self, progress: Progress) {
        match progress {
            Progress::Began { jobs, flops, slots } => {
                (self.all, self.flops_all) = (jobs, flops);
                self.total.set_length(jobs as u64);
                let plural = if slots == 1 { "" } else { "s" };
                self.line(&format!("{} jobs on {slots} worker{plural}", count(jobs as u64)));
            }
            Progress::Started { attempt, steps, flops, name, .. } => {
                self.start(attempt, steps, flops, &name);
            }
            Progress::Beat(beat) => self.beat(&beat),
            Progress::Requeued { attempt, failure } => {
                let name = self.name(attempt.job);
                self.stop(attempt);
                if let Some((kind, message)) = failure {
                    let why = first_line(&message);
                    self.line(&format!("retry  {name}  after {}: {why}", kind.name()));
                }
            }
            Progress::Finished { job, state, flops, failure } => {
                self.finish(job, state, flops, failure);
            }
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

    fn start(&mut self, attempt: AttemptKey, steps: u64, flops: f64, name: &str) {
        let bar = self.bars.insert_before(&self.total, ProgressBar::new(steps));
        bar.set_style(style("  {bar:24.cyan/dim} {percent:>3} %  {prefix}  {msg:.dim}"));
        let name = format!("{}  {name}", attempt.job.short());
        bar.set_prefix(name.clone());
        let since = Instant::now();
        let run = Run { name, flops, bar, since, share: 0.0, first_share: None };
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
        self.flops_here += run.flops * (run.share - run.first_share.unwrap_or(run.share));
        Some(run.since.elapsed())
    }

    fn finish(
        &mut self,
        job: JobId,
        state: JobState,
        flops: f64,
        failure: Option<(FailureKind, String)>,
    ) {
        let name = self.name(job);
        let attempt = self.running.keys().find(|attempt| attempt.job == job).copied();
        if let Some(run) = attempt.and_then(|attempt| self.running.get_mut(&attempt))
            && state == JobState::Succeeded
        {
            run.share = 1.0;
        }
        let took = attempt.and_then(|attempt| self.stop(attempt));
        self.ended += 1;
        self.flops_ended += flops;
        self.total.set_position(self.ended as u64);
        let took = took.map_or(String::new(), |took| format!("  {}", duration(took.as_secs_f64())));
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
            .values()
            .map(|run| run.flops * (run.share - run.first_share.unwrap_or(run.share)))
            .sum();
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
        let run = self.running.iter().find(|(attempt, _)| attempt.job == job);
        run.map_or_else(|| job.short(), |(_, run)| run.name.clone())
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
