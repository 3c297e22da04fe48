//! One job as a run of TensorBoard: its folder's name, its tags, and when each step was.

use std::io::{self, Write};

use augreg_protocol::JobState;
use augreg_spec::{JobId, Labels, Stage};
use augreg_store::Value;

use super::event::{self, Status};
use super::record;

/// A job with its curves.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its state.
    pub state: JobState,
    /// Its settings, by their columns in `v_jobs`.
    pub settings: Vec<(String, Value)>,
    /// What it does, as text.
    pub spec: String,
    /// When it did what.
    pub clock: Clock,
    /// What was measured, in ascending order of steps within each name.
    pub points: Vec<Point>,
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The metric, as augreg calls it.
    pub name: String,
    /// Steps done then.
    pub step: u64,
    /// Its value.
    pub value: f64,
    /// The attempt that measured it.
    pub attempt: u32,
}

/// When a job had done how many steps.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Its attempts that began, oldest first.
    pub legs: Vec<Leg>,
}

/// An attempt.
#[derive(Debug, Clone, Default)]
pub struct Leg {
    /// Its number.
    pub attempt: u32,
    /// When it began, in seconds since 1970.
    pub began: f64,
    /// The step it went on from.
    pub from: u64,
    /// Steps and seconds since it began, ascending.
    pub marks: Vec<(u64, f64)>,
}

impl Clock {
    /// When `attempt` had done `step` steps, in seconds since 1970. What was not journalled with a time lies
    /// evenly between what was.
    #[must_use]
    pub fn at(&self, attempt: u32, step: u64) -> f64 {
        let Some(leg) = self.legs.iter().find(|leg| leg.attempt == attempt) else { return 0.0 };
        let (mut from, mut since) = (leg.from, 0.0);
        for &(to, then) in &leg.marks {
            if step <= to {
                let share = if to > from {
                    step.saturating_sub(from) as f64 / (to - from) as f64
                } else {
                    1.0
                };
                return leg.began + since + share * (then - since);
            }
            (from, since) = (to, then);
        }
        leg.began + since
    }

    /// When the first attempt began; 0 if none did.
    #[must_use]
    pub fn began(&self) -> f64 {
        self.legs.first().map_or(0.0, |leg| leg.began)
    }

    fn ended(&self) -> f64 {
        self.legs.last().map_or(0.0, |leg| leg.began + leg.marks.last().map_or(0.0, |mark| mark.1))
    }
}

impl Run {
    /// What its event file is called. The same for the same job, so that another export replaces it.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("events.out.tfevents.{:010}.augreg", self.clock.began() as u64)
    }

    /// Writes the event file.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (began, ended) = (self.clock.began(), self.clock.ended());
        record::write(out, &event::version(began))?;
        record::write(out, &event::settings(began, &self.settings))?;
        record::write(out, &event::text(began, "job/spec", &self.spec))?;
        for point in &self.points {
            let seconds = self.clock.at(point.attempt, point.step);
            record::write(
                out,
                &event::scalar(seconds, point.step, &tag(&point.name), point.value),
            )?;
        }
        let status = match self.state {
            JobState::Succeeded => Status::Success,
            JobState::Failed | JobState::Cancelled => Status::Failure,
            JobState::Waiting | JobState::Queued | JobState::Running => Status::Running,
        };
        record::write(out, &event::ending(ended, status))
    }
}

/// The folder of a job's run: what it is, for people, and the start of its id, so that no two are the same.
#[must_use]
pub fn folder(stage: Stage, labels: &Labels, job: JobId) -> String {
    let Labels { dataset, model, augmentation } = labels;
    let name = format!("{} {dataset} {model} {augmentation} {}", stage.name(), job.short());
    let plain = |c: char| if c.is_alphanumeric() || "._+".contains(c) { c } else { '-' };
    name.trim_start_matches('.').chars().map(plain).collect()
}

/// The tag of a metric: what comes before the first `_` is the card that TensorBoard puts it on.
fn tag(name: &str) -> String {
    match name.split_once('_') {
        Some((group @ ("train" | "val" | "test" | "data"), rest)) => format!("{group}/{rest}"),
        _ if name == "images_per_second" => format!("speed/{name}"),
        _ => format!("train/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lie_evenly_between_those_whose_time_is_known() {
        let leg = |attempt, began, from, marks: &[(u64, f64)]| Leg {
            attempt,
            began,
            from,
            marks: marks.to_vec(),
        };
        let clock = Clock {
            legs: vec![
                leg(1, 1000.0, 0, &[(10, 5.0), (20, 15.0)]),
                leg(2, 2000.0, 20, &[(40, 10.0)]),
            ],
        };
        let times = [(1, 0), (1, 5), (1, 10), (1, 15), (1, 99), (2, 20), (2, 30), (3, 1)];
        let times = times.map(|(attempt, step)| (clock.at(attempt, step) * 10.0) as u64);
        assert_eq!(times, [10_000, 10_025, 10_050, 10_100, 10_150, 20_000, 20_050, 0], "tenths");
    }

    #[test]
    fn metrics_are_grouped_by_what_they_are_of() {
        let tags = [
            "train_loss",
            "val_top5_accuracy",
            "learning_rate",
            "images_per_second",
            "data_wait_seconds",
        ];
        assert_eq!(
            tags.map(tag),
            [
                "train/loss",
                "val/top5_accuracy",
                "train/learning_rate",
                "speed/images_per_second",
                "data/wait_seconds"
            ]
        );
    }

    #[test]
    fn a_folder_has_a_name_that_every_file_system_takes() {
        let labels = Labels {
            dataset: "../i 21k".into(),
            model: "R+Ti/16".into(),
            augmentation: "x:y".into(),
        };
        let job: JobId = "006q9gr1zanjycfbdwhj19agz0".parse().expect("an id");
        assert_eq!(
            folder(Stage::Pretrain, &labels, job),
            "pretrain-..-i-21k-R+Ti-16-x-y-006q9gr1za"
        );
    }
}
