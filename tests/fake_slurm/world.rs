//! The world: nodes, arrays and their tasks, and how time passes there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use augreg_protocol::{
    AttemptKey, Device, JournalEvent, JournalWriter, Outcome, Placement, RunFolder, Share,
};
use augreg_spec::random::{Purpose, named_stream};
use serde::{Deserialize, Serialize};

/// How it is in this world; `$FAKE_SLURM/settings.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Seconds here that pass in a real second.
    pub speed: f64,
    /// How many nodes there are.
    pub nodes: usize,
    /// The chance of a node to fail within an hour.
    pub failures: f64,
    /// Seconds that a job takes.
    pub job: f64,
    /// Seconds between the checkpoints of a job.
    pub checkpoint: f64,
    /// Tasks that a user may have submitted at once.
    pub submitted: usize,
    /// The largest array.
    pub array: u32,
    /// Seconds that the queue remembers what has ended.
    pub memory: f64,
}

/// Seconds until a requeued task may begin again: Slurm's own default.
const AGAIN: f64 = 121.0;
/// Seconds that a failed node is down.
const DOWN: f64 = 600.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Pending,
    Running,
    Completed,
    Cancelled,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    state: State,
    /// When it may begin, began, or ended.
    at: f64,
    node: usize,
    restarts: u32,
    /// The job of its share that it is at, and when it began with that.
    job: usize,
    begun: f64,
    /// What is done of that job: seconds, at the last checkpoint.
    done: f64,
    /// How many jobs its share has; 0 before it was read.
    jobs: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Array {
    id: u64,
    name: String,
    shares: PathBuf,
    tasks: Vec<Task>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Node {
    busy: bool,
    down_until: f64,
    /// When it will fail next.
    fails: f64,
    failed: u32,
}

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// Seconds here since 1970, when it was last looked at.
    now: f64,
    arrays: Vec<Array>,
    nodes: Vec<Node>,
    /// Calls of each program.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Seconds of work that were done again because nodes had failed.
    lost: f64,
    /// Seconds of work that came to something.
    useful: f64,
    #[serde(skip)]
    settings: Option<Settings>,
}

fn text<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl World {
    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let settings: Settings =
            text(serde_json::from_slice(&text(fs::read(folder.join("settings.json")))?))?;
        let mut world: Self = match fs::read(folder.join("world.json")) {
            Ok(bytes) => text(serde_json::from_slice(&bytes))?,
            Err(_) => Self::default(),
        };
        if world.nodes.is_empty() {
            world.now = real_now() * settings.speed;
            world.nodes = vec![Node::default(); settings.nodes];
            for number in 0..world.nodes.len() {
                world.nodes[number].fails = world.now + time_to_fail(number, 0, &settings);
            }
        }
        world.settings = Some(settings);
        Ok(world)
    }

    pub(crate) fn store(&self, folder: &Path) -> Result<(), String> {
        let draft = folder.join("world-draft.json");
        text(fs::write(&draft, text(serde_json::to_vec(self))?))?;
        text(fs::rename(draft, folder.join("world.json")))
    }

    fn settings(&self) -> Settings {
        self.settings.clone().expect("they were read with the world")
    }

    pub(crate) fn submit(
        &mut self,
        name: &str,
        shares: &Path,
        tasks: u32,
    ) -> Result<String, String> {
        if tasks > self.settings().array {
            return Err("Batch job submission failed: Invalid job array specification".to_owned());
        }
        let open = |task: &&Task| matches!(task.state, State::Pending | State::Running);
        let submitted = self.arrays.iter().flat_map(|array| &array.tasks).filter(open).count();
        if submitted + tasks as usize > self.settings().submitted {
            return Err(
                "AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates \
                        accounting/QOS policy (job submit limit, user's size and/or time limits)"
                    .to_owned(),
            );
        }
        let id = 1000 + self.arrays.len() as u64;
        let task = Task {
            state: State::Pending,
            at: self.now,
            node: 0,
            restarts: 0,
            job: 0,
            begun: 0.0,
            done: 0.0,
            jobs: 0,
        };
        self.arrays.push(Array {
            id,
            name: name.to_owned(),
            shares: shares.to_owned(),
            tasks: vec![task; tasks as usize],
        });
        Ok(format!("{id}\n"))
    }

    pub(crate) fn queue(&self) -> String {
        let memory = self.settings().memory;
        let mut out = String::new();
        for array in &self.arrays {
            let mut waiting: Vec<u32> = Vec::new();
            for (number, task) in (0_u32..).zip(&array.tasks) {
                let state = match task.state {
                    State::Pending => {
                        waiting.push(number);
                        continue;
                    }
                    State::Running => "RUNNING",
                    _ if self.now - task.at > memory => continue,
                    State::Completed => "COMPLETED",
                    State::Cancelled => "CANCELLED",
                };
                let (id, node, name) = (array.id, task.node, &array.name);
                out += &format!("{id}|{number}|{state}|None|n{node}|{name}\n");
            }
            if !waiting.is_empty() {
                out += &format!(
                    "{}|{}|PENDING|Resources||{}\n",
                    array.id,
                    ranges(&waiting),
                    array.name
                );
            }
        }
        out
    }

    pub(crate) fn history(&self, asked: &str) -> String {
        let mut out = String::new();
        for name in asked.split(',') {
            let Some((array, number)) = name.split_once('_') else { continue };
            let array = self.arrays.iter().find(|known| known.id.to_string() == array);
            let task = array.and_then(|array| array.tasks.get(number.parse::<usize>().ok()?));
            let Some(task) = task else { continue };
            let state = match task.state {
                State::Pending => "PENDING",
                State::Running => "RUNNING",
                State::Completed => "COMPLETED",
                State::Cancelled => "CANCELLED by 0",
            };
            out += &format!("{name}|{state}|0:0|n{}\n", task.node);
        }
        out
    }

    pub(crate) fn config(&self) -> String {
        let Settings { array, memory, .. } = self.settings();
        format!(
            "ClusterName = fake\nMaxArraySize = {array}\nMinJobAge = {memory} sec\n\
             AccountingStorageType = accounting_storage/slurmdbd\n"
        )
    }

    pub(crate) fn cancel(&mut self, names: &[String]) {
        let now = self.now;
        for array in &mut self.arrays {
            for (number, task) in array.tasks.iter_mut().enumerate() {
                let both = [array.id.to_string(), format!("{}_{number}", array.id)];
                if names.iter().any(|name| both.contains(name)) && task.state != State::Completed {
                    if task.state == State::Running {
                        self.nodes[task.node].busy = false;
                    }
                    (task.state, task.at) = (State::Cancelled, now);
                }
            }
        }
    }

    /// Lets time pass until now, in steps that are short beside everything that happens.
    pub(crate) fn advance(&mut self) -> Result<(), String> {
        let settings = self.settings();
        let until = real_now() * settings.speed;
        while self.now < until {
            let step = (until - self.now).min(settings.job / 4.0).min(30.0);
            self.now += step;
            self.fail_nodes(&settings)?;
            self.work(&settings)?;
            self.begin();
        }
        Ok(())
    }

    /// Nodes whose time has come take their tasks along: those are put back to the queue.
    fn fail_nodes(&mut self, settings: &Settings) -> Result<(), String> {
        for number in 0..self.nodes.len() {
            if self.nodes[number].fails > self.now {
                continue;
            }
            let now = self.now;
            let node = &mut self.nodes[number];
            node.failed += 1;
            node.down_until = now + DOWN;
            node.fails = now + DOWN + time_to_fail(number, node.failed, settings);
            if !std::mem::take(&mut node.busy) {
                continue;
            }
            for array in &mut self.arrays {
                for (index, task) in array.tasks.iter_mut().enumerate() {
                    if task.state != State::Running || task.node != number {
                        continue;
                    }
                    // The attempt is cut off: a journal without an end.
                    let spent = now - task.begun;
                    let kept = (spent / settings.checkpoint).floor() * settings.checkpoint;
                    journal(&array.shares, index, task, (array.id, number), None)?;
                    task.done += kept;
                    self.lost += spent - kept;
                    (task.state, task.at) = (State::Pending, now + AGAIN);
                    task.restarts += 1;
                }
            }
        }
        Ok(())
    }

    fn work(&mut self, settings: &Settings) -> Result<(), String> {
        for array in &mut self.arrays {
            for (index, task) in array.tasks.iter_mut().enumerate() {
                while task.state == State::Running && task.job < task.jobs {
                    let ends = task.begun + settings.job - task.done;
                    if ends > self.now {
                        break;
                    }
                    journal(&array.shares, index, task, (array.id, task.node), Some(settings.job))?;
                    self.useful += settings.job;
                    (task.job, task.begun, task.done) = (task.job + 1, ends, 0.0);
                }
                if task.state == State::Running && task.job == task.jobs {
                    (task.state, task.at) = (State::Completed, self.now);
                    self.nodes[task.node].busy = false;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) {
        let now = self.now;
        let free = |node: &Node| !node.busy && node.down_until <= now;
        let mut nodes: Vec<usize> =
            (0..self.nodes.len()).filter(|n| free(&self.nodes[*n])).collect();
        for array in &mut self.arrays {
            for (index, task) in array.tasks.iter_mut().enumerate() {
                if task.state != State::Pending || task.at > now {
                    continue;
                }
                let Some(node) = nodes.pop() else { return };
                if task.jobs == 0 {
                    let path = array.shares.join(format!("task-{index}.jsonl"));
                    task.jobs = fs::read_to_string(path).map_or(0, |text| text.lines().count());
                }
                self.nodes[node].busy = true;
                (task.state, task.node, task.at, task.begun) = (State::Running, node, now, now);
            }
        }
    }
}

/// Writes what an attempt leaves: one that has taken `seconds`, or one that was cut off.
fn journal(
    shares: &Path,
    index: usize,
    task: &Task,
    (array, node): (u64, usize),
    seconds: Option<f64>,
) -> Result<(), String> {
    let share = text(Share::read(&shares.join(format!("task-{index}.jsonl"))))?;
    let Some(assignment) = share.0.get(task.job) else { return Ok(()) };
    let folder = RunFolder::new(&assignment.root, assignment.attempt.job);
    let number = assignment.attempt.number.max(text(folder.last_attempt())? + 1);
    let attempt = AttemptKey { number, ..assignment.attempt };
    let mut journal = text(JournalWriter::create(&folder.journal(number), attempt))?;
    text(journal.append(JournalEvent::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: format!("n{node}"),
        pid: 1,
        device: Device::Cpu,
        threads: 1,
        step: 0,
    }))?;
    text(journal.append(JournalEvent::Placed(Placement {
        task: format!("{array}_{index}"),
        job: (array * 100_000 + index as u64).to_string(),
        node: format!("n{node}"),
        restarts: task.restarts,
        gpus: String::new(),
    })))?;
    if let Some(seconds) = seconds {
        text(journal.append(JournalEvent::Succeeded(Outcome {
            best_val: None,
            final_val: None,
            final_test: None,
            train_loss: None,
            parameters_sha256: "0".repeat(64),
            steps: 1,
            seconds,
            images_per_second: 0.0,
            peak_memory: 0,
            proof: None,
        })))?;
    }
    Ok(())
}

/// Seconds until a node fails again: exponentially distributed.
fn time_to_fail(node: usize, times: u32, settings: &Settings) -> f64 {
    if settings.failures <= 0.0 {
        return f64::INFINITY;
    }
    let chance = named_stream(5, Purpose::Backoff, &format!("{node} {times}")).uniform(0.0, 1.0);
    let rate = -(1.0 - settings.failures).ln() / 3600.0;
    -(1.0 - chance).ln() / rate
}

fn real_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `0-5,7`
fn ranges(numbers: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let part = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}
