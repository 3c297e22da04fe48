//! What `squeue` and `sacct` say as JSON, read. Its shape changed with the version: numbers and states are plain
//! in 22.05, and objects and lists later; both are understood.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::command::SlurmError;
use super::queue::{Listed, Seen, indices};

/// The first version, year and month, whose `--json` is relied on. Before, `squeue --json` tells of everybody's
/// jobs, and `sacct --json` says that what failed ended with 0 (both seen with 22.05).
const HEEDS: (u32, u32) = (23, 11);

/// Asks for the JSON that [`read`] reads.
pub(super) const ARGUMENTS: [&str; 3] = ["--json", "--me", "--states=all"];

/// Asks for the JSON that [`read_history`] reads.
pub(super) const HISTORY: [&str; 2] = ["--json", "--allocations"];

/// Whether the program that calls itself this, such as `slurm-wlm 22.05.8`, is to be asked for JSON.
pub(super) fn is_spoken(version: &str) -> bool {
    let number = version.split_whitespace().next_back().unwrap_or_default();
    let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(year), Some(month)) => (year, month) >= HEEDS,
        _ => false,
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    jobs: Vec<T>,
}

/// `7`, `null`, or `{"set": true, "infinite": false, "number": 7}`.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u32),
    Told {
        set: bool,
        number: u32,
    },
    #[default]
    Missing,
}

impl Number {
    fn get(&self) -> Option<u32> {
        match self {
            Self::Plain(number) | Self::Told { set: true, number } => Some(*number),
            Self::Told { set: false, .. } | Self::Missing => None,
        }
    }
}

/// `"RUNNING"`, or `["RUNNING", "COMPLETING"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum State {
    One(String),
    All(Vec<String>),
}

/// What Slurm tells beside a state and, where it tells one word only, instead of it.
const FLAGS: [&str; 10] = [
    "COMPLETING",
    "STAGE_OUT",
    "CONFIGURING",
    "RESIZING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "SPECIAL_EXIT",
    "SIGNALING",
    "STOPPED",
];

impl State {
    fn word(&self) -> &str {
        match self {
            Self::One(word) => word,
            Self::All(words) => {
                let flag = words.iter().find(|word| FLAGS.contains(&word.as_str()));
                flag.or(words.first()).map_or("", String::as_str)
            }
        }
    }
}

#[derive(Deserialize)]
struct Queued {
    job_id: u32,
    #[serde(default)]
    array_job_id: Option<Number>,
    #[serde(default)]
    array_task_id: Option<Number>,
    #[serde(default)]
    array_task_string: Option<String>,
    job_state: State,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    nodes: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// Reads what `squeue --json` says of tasks whose name begins with `prefix`.
pub(super) fn read(text: &str, prefix: &str) -> Result<Vec<Seen>, SlurmError> {
    let mut all = Vec::new();
    for job in parse::<Queued>("squeue", text)? {
        let name = job.name.unwrap_or_default();
        if !name.starts_with(prefix) {
            continue;
        }
        let number = |told: Option<Number>| told.and_then(|told| told.get());
        let array = number(job.array_job_id).filter(|array| *array > 0);
        let waiting = job.array_task_string.filter(|text| !text.is_empty());
        let task = number(job.array_task_id);
        let tasks = match (array, waiting, task) {
            (_, Some(text), _) => {
                indices(&text).ok_or(SlurmError::Strange { program: "squeue", answer: text })?
            }
            (Some(_), None, Some(index)) => vec![(index, index)],
            (None, ..) | (Some(_), None, None) => Vec::new(),
        };
        all.push(Seen {
            array: array.unwrap_or(job.job_id).to_string(),
            tasks,
            state: job.job_state.word().to_owned(),
            reason: job.state_reason.filter(|reason| reason != "None").unwrap_or_default(),
            node: job.nodes.unwrap_or_default(),
            name,
        });
    }
    Ok(all)
}

#[derive(Deserialize)]
struct Accounted {
    job_id: u32,
    array: Array,
    exit_code: Exit,
    nodes: Option<String>,
    state: Current,
}

#[derive(Deserialize)]
struct Array {
    job_id: u32,
    #[serde(default)]
    task_id: Option<Number>,
    /// The indices of what never ran: `2-7`.
    #[serde(default)]
    task: Option<String>,
}

#[derive(Deserialize)]
struct Current {
    current: State,
}

#[derive(Deserialize)]
struct Exit {
    #[serde(default)]
    return_code: Option<Number>,
    #[serde(default)]
    signal: Option<Signal>,
}

#[derive(Deserialize)]
struct Signal {
    #[serde(default, alias = "signal_id")]
    id: Option<Number>,
}

/// Reads what `sacct --json` says, of each task as the one line of `sacct --parsable2` does.
pub(super) fn read_history(text: &str) -> Result<Vec<Listed>, SlurmError> {
    let told = |job: Accounted| {
        let number = |told: Option<Number>| told.and_then(|told| told.get());
        let waiting = job.array.task.filter(|text| !text.is_empty());
        let task = match (job.array.job_id, waiting, number(job.array.task_id)) {
            (0, ..) => job.job_id.to_string(),
            (array, Some(indices), _) => format!("{array}_[{indices}]"),
            (array, None, Some(index)) => format!("{array}_{index}"),
            (array, None, None) => array.to_string(),
        };
        let code = number(job.exit_code.return_code).unwrap_or(0);
        let signal = number(job.exit_code.signal.and_then(|signal| signal.id)).unwrap_or(0);
        Listed {
            task,
            state: job.state.current.word().to_owned(),
            exit: format!("{code}:{signal}"),
            node: job.nodes.filter(|nodes| nodes != "None assigned").unwrap_or_default(),
        }
    };
    Ok(parse::<Accounted>("sacct", text)?.into_iter().map(told).collect())
}

fn parse<T: DeserializeOwned>(program: &'static str, text: &str) -> Result<Vec<T>, SlurmError> {
    let answer: Result<Answer<T>, _> = serde_json::from_str(text);
    answer.map(|answer| answer.jobs).map_err(|error| SlurmError::Strange {
        program,
        answer: format!("{error} in its JSON of {} bytes", text.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::queue;

    // Answers of Slurm 22.05 to the same question at the same moment; of the JSON the keys that matter.
    const QUEUE: &str = include_str!("fixtures/squeue-22.05.json");
    const QUEUE_TEXT: &str = include_str!("fixtures/squeue-22.05.txt");
    const HISTORY: &str = include_str!("fixtures/sacct-22.05.json");
    const HISTORY_TEXT: &str = include_str!("fixtures/sacct-22.05.txt");

    #[test]
    fn the_queue_as_json_says_what_it_says_as_text() {
        let sorted = |mut seen: Vec<Seen>| {
            seen.sort_by_key(|one| (one.array.clone(), one.tasks.clone()));
            seen
        };
        for prefix in ["augreg-", ""] {
            let json = sorted(read(QUEUE, prefix).expect("is understood"));
            assert_eq!(json, sorted(queue::read(QUEUE_TEXT, prefix).expect("is understood")));
        }
        assert_eq!(read(QUEUE, "augreg-").map(|seen| seen.len()).ok(), Some(11));
    }

    /// Exit codes are left out: `sacct --json` of 22.05 says 0 of whatever no signal ended.
    #[test]
    fn the_accounting_as_json_says_what_it_says_as_text() {
        let told = |listed: Vec<Listed>| -> Vec<_> {
            listed.into_iter().map(|one| (one.task, one.state, one.node)).collect()
        };
        let mut json = told(read_history(HISTORY).expect("is understood"));
        let mut text = told(queue::read_history(HISTORY_TEXT).expect("is understood"));
        json.sort();
        text.sort();
        assert_eq!(json, text);
    }

    /// The shapes of `data_parser` v0.0.40, which came with 23.11.
    #[test]
    fn numbers_and_states_are_understood_as_newer_versions_write_them() {
        let queue = r#"{"meta": {}, "errors": [], "jobs": [
            {"job_id": 101, "array_job_id": {"set": true, "infinite": false, "number": 100},
             "array_task_id": {"set": true, "infinite": false, "number": 42}, "array_task_string": "",
             "job_state": ["RUNNING", "COMPLETING"], "state_reason": "None", "nodes": "gpu7", "name": "augreg-ab-1"},
            {"job_id": 100, "array_job_id": {"set": true, "infinite": false, "number": 100},
             "array_task_id": {"set": false, "infinite": false, "number": 0}, "array_task_string": "43-99%8",
             "job_state": ["PENDING"], "state_reason": "Priority", "nodes": "", "name": "augreg-ab-1"},
            {"job_id": 7, "array_job_id": {"set": true, "infinite": false, "number": 0},
             "array_task_id": {"set": false, "infinite": false, "number": 0}, "array_task_string": "",
             "job_state": ["PENDING"], "state_reason": "Priority", "nodes": "", "name": "bash"}]}"#;
        let seen = read(queue, "").expect("is understood");
        assert_eq!(
            (&*seen[0].array, &*seen[0].tasks, &*seen[0].state),
            ("100", &[(42, 42)][..], "COMPLETING")
        );
        assert_eq!(
            (&*seen[1].tasks, &*seen[1].state, &*seen[1].reason),
            (&[(43, 99)][..], "PENDING", "Priority")
        );
        assert_eq!((&*seen[2].array, seen[2].tasks.len()), ("7", 0));
        let history = r#"{"jobs": [{"job_id": 101, "nodes": "gpu7",
             "array": {"job_id": 100, "task_id": {"set": true, "infinite": false, "number": 42}, "task": ""},
             "exit_code": {"status": ["ERROR"], "return_code": {"set": true, "infinite": false, "number": 75},
                           "signal": {"id": {"set": false, "infinite": false, "number": 0}, "name": ""}},
             "state": {"current": ["FAILED"], "reason": "None"}}]}"#;
        let listed = read_history(history).expect("is understood");
        assert_eq!(
            (&*listed[0].task, &*listed[0].state, &*listed[0].exit),
            ("100_42", "FAILED", "75:0")
        );
    }

    #[test]
    fn json_is_asked_for_where_it_heeds_the_question() {
        for (version, spoken) in [
            ("slurm-wlm 22.05.8", false),
            ("slurm 23.02.7", false),
            ("slurm 23.11.0", true),
            ("slurm 24.05.3", true),
            ("slurm", false),
            ("", false),
        ] {
            assert_eq!(is_spoken(version), spoken, "{version}");
        }
    }

    #[test]
    fn what_is_no_such_answer_is_told() {
        let error = read("{\"jobs\": [{\"name\": 3}]}", "").expect_err("has no job_id");
        assert!(error.to_string().contains("`squeue`"), "{error}");
        assert!(read_history("").is_err());
    }
}
