//! What `squeue` and `sacct` say, read.

use super::command::SlurmError;

/// One line an array that waits, one a task that does not: array, indices, state, reason, nodes, name.
pub(super) const ARGUMENTS: [&str; 4] =
    ["--noheader", "--me", "--states=all", "--format=%F|%K|%T|%r|%N|%j"];

/// One line a task: `4711_3|COMPLETED|0:0|n1`. What was before a requeue is left out.
pub(super) const HISTORY: [&str; 4] =
    ["--noheader", "--parsable2", "--allocations", "--format=JobID,State,ExitCode,NodeList"];

/// What the queue says of tasks of an array that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Slurm's number of the array.
    pub array: String,
    /// The indices, as ranges from first to last; empty for what is no array.
    pub tasks: Vec<(u32, u32)>,
    /// The state, such as `PENDING`.
    pub state: String,
    /// Why they wait or ended.
    pub reason: String,
    /// Where they run, or ran.
    pub node: String,
    /// The name.
    pub name: String,
}

impl Seen {
    /// Whether it speaks of the task of this index.
    #[must_use]
    pub fn contains(&self, task: u32) -> bool {
        self.tasks.iter().any(|(first, last)| (*first..=*last).contains(&task))
    }
}

/// What the accounting says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The task, such as `4711_3`.
    pub task: String,
    /// The state, such as `NODE_FAIL`.
    pub state: String,
    /// Exit code and signal, such as `0:9`.
    pub exit: String,
    /// Where it ran.
    pub node: String,
}

/// Reads what `squeue` says of tasks whose name begins with `prefix`.
pub(super) fn read(text: &str, prefix: &str) -> Result<Vec<Seen>, SlurmError> {
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let strange = || SlurmError::Strange { program: "squeue", answer: line.to_owned() };
        let parts: Vec<&str> = line.splitn(6, '|').map(str::trim).collect();
        let &[array, tasks, state, reason, node, name] = parts.as_slice() else {
            return Err(strange());
        };
        if !name.starts_with(prefix) {
            continue;
        }
        all.push(Seen {
            array: array.to_owned(),
            tasks: indices(tasks).ok_or_else(strange)?,
            state: state.to_owned(),
            reason: if reason == "None" { String::new() } else { reason.to_owned() },
            node: node.to_owned(),
            name: name.to_owned(),
        });
    }
    Ok(all)
}

/// Reads what `sacct` says. Of a task that was requeued the last line counts.
pub(super) fn read_history(text: &str) -> Result<Vec<Listed>, SlurmError> {
    let mut all: Vec<Listed> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let &[task, state, exit, node] = parts.as_slice() else {
            return Err(SlurmError::Strange { program: "sacct", answer: line.to_owned() });
        };
        all.push(Listed {
            task: task.to_owned(),
            // `CANCELLED by 1000`
            state: state.split(' ').next().unwrap_or_default().to_owned(),
            exit: exit.to_owned(),
            node: if node == "None assigned" { String::new() } else { node.to_owned() },
        });
    }
    Ok(all)
}

/// `3`, `0-7,9,12-20%4`, `0-10:2`; `N/A` for what is no array.
pub(super) fn indices(text: &str) -> Option<Vec<(u32, u32)>> {
    if text == "N/A" {
        return Some(Vec::new());
    }
    let text = text.split('%').next()?;
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once(':') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last): (u32, u32) = match range.split_once('-') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => (range.parse().ok()?, range.parse().ok()?),
        };
        if step == 1 {
            ranges.push((first, last));
        } else {
            ranges.extend((first..=last).step_by(step).map(|index| (index, index)));
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 writes it.
    #[test]
    fn an_array_that_waits_is_one_line_and_tasks_that_run_are_their_own() {
        let text = "12|6-20,25%3|PENDING|JobArrayTaskLimit||augreg-ab-1\n12|5|RUNNING|None|n2|augreg-ab-1\n\
                    12|4|COMPLETED|None|n1|augreg-ab-1\n13|N/A|RUNNING|None|n1|bash\n\
                    14|0-1|PENDING|launch failed requeued held||augreg-ab-2\n";
        let seen = read(text, "augreg-ab-").expect("is understood");
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[0].tasks, [(6, 20), (25, 25)]);
        assert!(seen[0].contains(25) && !seen[0].contains(24) && !seen[0].contains(5));
        assert_eq!((&*seen[1].state, &*seen[1].reason, &*seen[1].node), ("RUNNING", "", "n2"));
        assert_eq!(seen[3].reason, "launch failed requeued held");
        assert!(read("12|PENDING\n", "a").is_err());
        assert!(read("12|x|PENDING|None||a\n", "a").is_err());
    }

    #[test]
    fn the_accounting_says_how_tasks_ended() {
        let text = "9_0|COMPLETED|0:0|n1\n9_1|CANCELLED by 1000|0:15|n2\n9_[2-7]|PENDING|0:0|None assigned\n";
        let listed = read_history(text).expect("is understood");
        assert_eq!(
            (&*listed[1].task, &*listed[1].state, &*listed[1].exit),
            ("9_1", "CANCELLED", "0:15")
        );
        assert_eq!(listed[2].node, "");
        assert!(read_history("9_0|COMPLETED").is_err());
    }

    #[test]
    fn indices_with_steps_are_spelt_out() {
        assert_eq!(indices("0-6:3"), Some(vec![(0, 0), (3, 3), (6, 6)]));
        assert_eq!(indices("N/A"), Some(Vec::new()));
        for text in ["", "a", "1-", "1:0", "3-x"] {
            assert_eq!(indices(text), None, "{text}");
        }
    }
}
