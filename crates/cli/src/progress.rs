//! What a person sees while a sweep runs: on a terminal a bar for every running job that there is room
//! for and one for the whole, elsewhere a plain line for every job that ends. All of it goes to standard
//! error.
//!
//! News come by the hundred a second, and no eye follows: they are noted as they come, and drawn twice a
//! second. What would not be seen is not made: no bar for a job that takes milliseconds.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use augreg_protocol::{Beat, FailureKind, JobState};
use augreg_scheduler::runtime::Progress;
use augreg_spec::JobId;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::device_use::DeviceUse;
use crate::output;
use crate::words::{count, duration, harmless, harmless_lines};

/// Times a second that bars are drawn.
const DRAWN: u8 = 2;
/// Between two drawings. An attempt that has lasted as long gets a bar.
const PAUSE: Duration = Duration::from_millis(1000 / DRAWN as u64);
/// Columns and lines of a terminal that does not say how many it has.
const SIZE: (u16, u16) = (80, 24);
/// With fewer columns than this a bar is shorter, and with fewer than half of them there is none.
const WIDE: u16 = 110;

/// An attempt that runs.
struct Run {
    job: JobId,
    /// How its job is called on a line.
    name: String,
    /// What its job takes.
    steps: u64,
    epochs: Option<f64>,
    flops: f64,
    since: Instant,
    /// Its last sign of life, until it is drawn.
    beat: Option<Beat>,
    /// Share of the job that is done, and that was done when the attempt began.
    share: f64,
    first_share: Option<f64>,
    /// None if it is too early for one, there is no room, or no terminal.
    bar: Option<ProgressBar>,
}

/// The display of one launch or resume.
pub(crate) struct Display {
    /// By job: none runs twice at once.
    running: BTreeMap<JobId, Run>,
    bars: MultiProgress,
    total: ProgressBar,
    /// On a terminal, and not asked to be quiet.
    live: bool,
    quiet: bool,
    began: Instant,
    /// When the bars were drawn last.
    drawn: Instant,
    ended: usize,
    failed: usize,
    all: usize,
    /// Workers on this machine; none where a cluster places jobs.
    slots: usize,
    /// Asked where it is shown.
    devices: Option<DeviceUse>,
    flops_all: f64,
    flops_ended: f64,
    /// Work done in this run, for its speed.
    flops_here: f64,
}

impl Display {
    /// Prepares the display of a run that has not begun.
    pub(crate) fn new(quiet: bool) -> Self {
        let live = !quiet && io::stderr().is_terminal();
        let target = if live {
            ProgressDrawTarget::stderr_with_hz(DRAWN)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{bar:20.green/dim} {pos}/{len} jobs  {wide_msg}"));
        let now = Instant::now();
        Self {
            flops_all: 0.0,
            all: 0,
            slots: 0,
            devices: live.then(DeviceUse::new),
            running: BTreeMap::new(),
            bars,
            total,
            live,
            quiet,
            began: now,
            drawn: now,
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
                (self.all, self.flops_all, self.slots) = (jobs, flops, slots);
                self.total.set_length(jobs as u64);
                let jobs = count(jobs as u64);
                self.line(&match slots {
                    0 => format!("{jobs} jobs for Slurm"),
                    1 => format!("{jobs} jobs on 1 worker"),
                    _ => format!("{jobs} jobs on {slots} workers"),
                });
            }
            Progress::Added { jobs, flops } => {
                self.all += jobs;
                self.flops_all += flops;
                self.total.set_length(self.all as u64);
                let plural = if jobs == 1 { "" } else { "s" };
                self.line(&format!("{} job{plural} more", count(jobs as u64)));
            }
            Progress::Started { attempt, steps, epochs, flops, name, .. } => {
                let run = Run {
                    job: attempt.job,
                    name: format!("{}  {name}", attempt.job.short()),
                    steps,
                    epochs,
                    flops,
                    since: Instant::now(),
                    beat: None,
                    share: 0.0,
                    first_share: None,
                    bar: None,
                };
                self.running.insert(attempt.job, run);
            }
            Progress::Beat(beat) => self.beat(beat),
            Progress::Requeued { attempt, failure } => {
                let name = self.name(attempt.job);
                self.stop(attempt.job, false);
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
        if self.live && self.drawn.elapsed() >= PAUSE {
            self.drawn = Instant::now();
            self.draw();
        }
    }

    /// Takes the bars away.
    pub(crate) fn close(&self) {
        for bar in self.running.values().filter_map(|run| run.bar.as_ref()) {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }

    fn beat(&mut self, beat: Beat) {
        let Some(run) = self.running.get_mut(&beat.attempt.job) else { return };
        run.share = beat.step as f64 / beat.steps.max(1) as f64;
        run.first_share.get_or_insert(run.share);
        run.beat = Some(beat);
    }

    /// An attempt is over; the seconds it took.
    fn stop(&mut self, job: JobId, succeeded: bool) -> Option<Duration> {
        let mut run = self.running.remove(&job)?;
        if succeeded {
            run.share = 1.0;
        }
        if let Some(bar) = &run.bar {
            bar.finish_and_clear();
            self.bars.remove(bar);
        }
        self.flops_here += run.flops_here();
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
        let took = self.stop(job, state == JobState::Succeeded);
        self.ended += 1;
        self.flops_ended += flops;
        let place = || format!("[{:>width$}/{}]", self.ended, self.all, width = digits(self.all));
        match failure {
            Some((kind, message)) if state == JobState::Failed => {
                let why = first_line(&message);
                let text = format!("{} failed  {name}  {}: {why}", place(), kind.name());
                self.failed += 1;
                self.line(&text);
            }
            _ if !self.live && !self.quiet => {
                let took = took
                    .map_or(String::new(), |took| format!("  {}", duration(took.as_secs_f64())));
                self.line(&format!("{} {state}  {name}{took}", place()));
            }
            _ => {}
        }
    }

    /// Brings the bars up to date.
    fn draw(&mut self) {
        let (columns, lines) = size();
        // One line for the whole, one for the cursor.
        let mut room = usize::from(lines.saturating_sub(2));
        for run in self.running.values_mut() {
            if run.bar.is_none() && (room == 0 || run.since.elapsed() < PAUSE) {
                continue;
            }
            room = room.saturating_sub(1);
            let beat = run.beat.take().map(|beat| (beat.step, run.message(&beat)));
            let bar = run.bar.get_or_insert_with(|| {
                let bar = self.bars.insert_before(&self.total, ProgressBar::new(run.steps));
                bar.set_style(style(match columns {
                    WIDE.. => "  {bar:16.cyan/dim} {percent:>3} %  {prefix}  {wide_msg:.dim}",
                    _ if columns >= WIDE / 2 => {
                        "  {bar:6.cyan/dim} {percent:>3} %  {prefix}  {wide_msg:.dim}"
                    }
                    _ => "{percent:>3} %  {prefix}  {wide_msg:.dim}",
                }));
                let short = || run.job.short();
                let prefix = if columns < WIDE { short() } else { run.name.clone() };
                bar.set_prefix(harmless(&prefix).into_owned());
                bar
            });
            if let Some((step, message)) = beat {
                bar.set_position(step);
                bar.set_message(message);
            }
        }
        let here: f64 = self.running.values().map(Run::flops_here).sum();
        let elapsed = self.began.elapsed().as_secs_f64();
        let speed = (self.flops_here + here) / elapsed.max(1e-3);
        let left = self.flops_all - self.flops_ended - here;
        let busy = self.running.len();
        let mut text = match self.slots {
            0 => format!("{busy} at work, {}", duration(elapsed)),
            slots => format!("{busy} of {slots} workers busy, {}", duration(elapsed)),
        };
        if speed > 0.0 {
            text += &format!(", about {} left", duration(left.max(0.0) / speed));
        }
        if self.failed > 0 {
            text += &format!(", {} failed", self.failed);
        }
        let devices = self.devices.as_mut().filter(|_| self.slots > 0);
        let devices = devices.map(DeviceUse::text).unwrap_or_default();
        if !devices.is_empty() {
            text += &format!("; {devices}");
        }
        self.total.set_position(self.ended as u64);
        self.total.set_message(text);
    }

    fn name(&self, job: JobId) -> String {
        self.running.get(&job).map_or_else(|| job.short(), |run| run.name.clone())
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.live {
            // A terminal that cannot be written to shows nothing, which is no reason to stop.
            let _ = self.bars.println(harmless_lines(text));
        } else {
            output::say(text);
        }
    }
}

impl Run {
    /// How it gets on, in words. What a narrow terminal cuts off comes last.
    fn message(&self, beat: &Beat) -> String {
        let mut parts = Vec::new();
        let done = self.share - self.first_share.unwrap_or(self.share);
        if done > 0.0 {
            let seconds = self.since.elapsed().as_secs_f64() * (1.0 - self.share) / done;
            parts.push(format!("{} left", duration(seconds)));
        }
        parts.push(beat.loss.map_or("evaluating".to_owned(), |loss| format!("loss {loss:.3}")));
        if let Some(epochs) = self.epochs {
            parts.push(format!("epoch {:.1} of {epochs}", epochs * self.share));
        }
        parts.push(format!("step {} of {}", count(beat.step), count(self.steps)));
        if beat.images_per_second > 0.0 {
            parts.push(format!("{:.0} images/s", beat.images_per_second));
        }
        parts.join("  ")
    }

    /// Work done in this attempt.
    fn flops_here(&self) -> f64 {
        self.flops * (self.share - self.first_share.unwrap_or(self.share))
    }
}

/// Columns and lines of the terminal.
fn size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => SIZE,
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

#[cfg(test)]
mod tests {
    use augreg_protocol::AttemptKey;

    use super::*;

    #[test]
    fn a_bar_says_epoch_loss_speed_and_what_is_left() {
        let attempt = AttemptKey { job: JobId::of("a"), number: 1 };
        let run = Run {
            job: attempt.job,
            name: String::new(),
            steps: 3000,
            epochs: Some(30.0),
            flops: 1.0,
            since: Instant::now().checked_sub(Duration::from_mins(1)).unwrap(),
            beat: None,
            share: 0.5,
            first_share: Some(0.25),
            bar: None,
        };
        let beat = |loss, images_per_second| Beat {
            attempt,
            step: 1500,
            steps: 3000,
            loss,
            images_per_second,
        };
        let said = run.message(&beat(Some(0.5123), 1234.4));
        assert_eq!(
            said,
            "2 min 0 s left  loss 0.512  epoch 15.0 of 30  step 1,500 of 3,000  1234 images/s"
        );
        let transfer = Run { epochs: None, first_share: None, ..run };
        assert_eq!(transfer.message(&beat(None, 0.0)), "evaluating  step 1,500 of 3,000");
    }
}
