//! What Slurm's words for states and reasons mean.

use augreg_protocol::FailureKind;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What that is for an attempt that was under way: its journal did not say how it ended.
    pub kind: FailureKind,
    /// What happened, for a person.
    pub what: String,
    /// What follows, for a person.
    pub next: &'static str,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It waits, and will run.
    Waits,
    /// It waits, and will not run by itself: what is done about it.
    Stuck(End),
    /// It runs, or is about to, or is leaving.
    Runs,
    /// It is over.
    Over(End),
}

/// Exit code of a task that left work undone because it was told to.
const UNFINISHED: &str = "75:0";

const AGAIN: &str = "what is left of its share is submitted again, and goes on from checkpoints";

/// What a state of Slurm means; `exit` is its exit code and signal (`1:0`) where that is known.
#[must_use]
pub fn phase(state: &str, reason: &str, exit: Option<&str>) -> Phase {
    let over = |kind, what: &str| Phase::Over(End { kind, what: what.to_owned(), next: AGAIN });
    let code = exit.map_or_else(String::new, |exit| match exit.split_once(':') {
        Some((code, "0")) => format!(", exit code {code}"),
        Some((_, signal)) => format!(", signal {signal}"),
        None => format!(", {exit}"),
    });
    // `CANCELLED by 1000`, `CANCELLED+`
    let word = state.split([' ', '+']).next().unwrap_or_default();
    match word {
        "PENDING" | "REQUEUED" | "REQUEUE_FED" => waiting(reason),
        "REQUEUE_HOLD" | "SPECIAL_EXIT" => {
            stuck("Slurm put the task back to the queue and holds it")
        }
        "CONFIGURING" | "RUNNING" | "COMPLETING" | "RESIZING" | "SIGNALING" | "STAGE_OUT"
        | "STOPPED" | "SUSPENDED" | "RESV_DEL_HOLD" | "REVOKED" => Phase::Runs,
        "COMPLETED" => over(FailureKind::Lost, "the task ended while an attempt was under way"),
        "FAILED" if exit == Some(UNFINISHED) => {
            over(FailureKind::Preempted, "the task was told to leave and left")
        }
        // Slurm says so of a script that did not start, for instance for want of the log's folder.
        "FAILED" => over(
            FailureKind::Lost,
            &format!("the task failed ({}{code})", reason_or(reason, "Slurm says no more")),
        ),
        // Counted against the job unless there was a checkpoint in between.
        "TIMEOUT" => over(FailureKind::Timeout, "the task reached its time limit"),
        "DEADLINE" => over(FailureKind::Timeout, "the task reached its deadline"),
        "NODE_FAIL" => over(FailureKind::Lost, "the task's node failed"),
        "BOOT_FAIL" => over(FailureKind::Lost, "the task's node did not start"),
        "LAUNCH_FAILED" | "RECONFIG_FAIL" => {
            over(FailureKind::Lost, "the node could not start the task")
        }
        "PREEMPTED" => over(FailureKind::Preempted, "the task was preempted"),
        "OUT_OF_MEMORY" => over(
            FailureKind::OutOfMemory,
            "the task took more memory than it was given: raise `memory` of [executor]",
        ),
        "CANCELLED" => {
            over(FailureKind::Lost, "the task was cancelled in Slurm, and not by augreg")
        }
        other => over(FailureKind::Lost, &format!("the task ended in the state {other}{code}")),
    }
}

fn waiting(reason: &str) -> Phase {
    match reason {
        "DependencyNeverSatisfied" => stuck("what the task waits for will not happen"),
        "JobHoldMaxRequeue" => {
            stuck("the task was put back to the queue more often than Slurm allows")
        }
        "BadConstraints" | "AccountNotAllowed" | "PartitionTimeLimit" | "InvalidAccount"
        | "InvalidQOS" => stuck("the task asks for what the cluster will not give"),
        held if held.contains("launch failed") => {
            stuck("nodes could not start the task, and Slurm holds it")
        }
        _ => Phase::Waits,
    }
}

fn stuck(what: &str) -> Phase {
    Phase::Stuck(End {
        kind: FailureKind::Lost,
        what: what.to_owned(),
        next: "it is cancelled, and what is left of its share submitted again",
    })
}

fn reason_or<'a>(reason: &'a str, other: &'a str) -> &'a str {
    if reason.is_empty() { other } else { reason }
}

/// Why a task waits, in Slurm's word and in plain ones.
#[must_use]
pub fn reason_in_words(reason: &str) -> String {
    let found =
        REASONS.iter().find(|(word, _)| *word == reason).map(|(_, text)| (*text).to_owned());
    let text = found.or_else(|| {
        let of = |prefix| reason.starts_with(prefix);
        let limited = [
            ("Assoc", "your account"),
            ("QOS", "the quality of service"),
            ("Partition", "the partition"),
        ];
        let (_, who) = limited.iter().find(|(prefix, _)| of(prefix))?;
        let what =
            ["GRES", "Gres", "Cpu", "Mem", "Node", "Wall", "Job", "Submit", "TRES", "Billing"];
        let what = what.iter().find(|what| reason.contains(**what))?;
        let what = match *what {
            "GRES" | "Gres" => "GPUs",
            "Cpu" => "CPUs",
            "Mem" => "memory",
            "Node" => "nodes",
            "Job" | "Submit" => "tasks",
            "Wall" => "time",
            _ => "what it gives",
        };
        Some(format!("{who} allows no more {what} at once"))
    });
    match (reason, text) {
        ("" | "None", _) => "not looked at yet".to_owned(),
        (_, Some(text)) => format!("{reason}: {text}"),
        (_, None) => reason.to_owned(),
    }
}

const REASONS: [(&str, &str); 17] = [
    ("Resources", "nodes are busy, it is among the next"),
    ("Priority", "others come first"),
    ("JobArrayTaskLimit", "as many tasks of its array run as `parallel` allows"),
    ("BeginTime", "it was put back to the queue and starts again in a moment"),
    ("Dependency", "other tasks must end first"),
    ("DependencyNeverSatisfied", "what it waits for will not happen"),
    ("JobHeldUser", "you hold it: `scontrol release` lets it go"),
    ("JobHeldAdmin", "an administrator holds it"),
    ("ReqNodeNotAvail", "the nodes it needs are down or reserved"),
    ("Reservation", "its reservation has not begun"),
    ("PartitionDown", "its partition takes no jobs at the moment"),
    ("PartitionInactive", "its partition takes no jobs at the moment"),
    ("PartitionTimeLimit", "it asks for more time than the partition allows: lower `time`"),
    ("PartitionNodeLimit", "it asks for more nodes than the partition has"),
    ("Licenses", "it waits for a licence"),
    ("Cleaning", "it is being put back to the queue"),
    ("NodeDown", "a node that it needs is down"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(state: &str, reason: &str, exit: Option<&str>) -> Option<FailureKind> {
        match phase(state, reason, exit) {
            Phase::Over(end) | Phase::Stuck(end) => Some(end.kind),
            Phase::Waits | Phase::Runs => None,
        }
    }

    #[test]
    fn every_end_state_of_slurm_is_a_kind_of_failure_for_the_attempt_that_was_cut_off() {
        use FailureKind::{Lost, OutOfMemory, Preempted, Timeout};
        for (state, exit, expected) in [
            ("COMPLETED", Some("0:0"), Lost),
            ("FAILED", Some("1:0"), Lost),
            ("FAILED", Some("75:0"), Preempted),
            ("TIMEOUT", Some("0:9"), Timeout),
            ("NODE_FAIL", None, Lost),
            ("PREEMPTED", None, Preempted),
            ("OUT_OF_MEMORY", Some("0:125"), OutOfMemory),
            ("CANCELLED", Some("0:15"), Lost),
            ("CANCELLED by 1000", Some("0:15"), Lost),
            ("BOOT_FAIL", None, Lost),
            ("DEADLINE", None, Timeout),
            ("SOMETHING_NEW", None, Lost),
        ] {
            assert_eq!(kind(state, "", exit), Some(expected), "{state}");
            assert!(matches!(phase(state, "", exit), Phase::Over(_)), "{state}");
        }
    }

    #[test]
    fn what_waits_is_told_from_what_will_never_run() {
        for (state, reason) in
            [("PENDING", "Resources"), ("PENDING", ""), ("PENDING", "BeginTime"), ("REQUEUED", "")]
        {
            assert_eq!(phase(state, reason, None), Phase::Waits, "{state} {reason}");
        }
        for (state, reason) in [
            ("PENDING", "DependencyNeverSatisfied"),
            ("PENDING", "launch failed requeued held"),
            ("PENDING", "PartitionTimeLimit"),
            ("REQUEUE_HOLD", ""),
            ("SPECIAL_EXIT", ""),
        ] {
            assert!(matches!(phase(state, reason, None), Phase::Stuck(_)), "{state} {reason}");
        }
        for state in ["RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"] {
            assert_eq!(phase(state, "", None), Phase::Runs);
        }
    }

    #[test]
    fn reasons_are_told_in_plain_words() {
        let told: Vec<_> = [
            "Priority",
            "QOSMaxGRESPerUser",
            "AssocGrpCpuLimit",
            "AssocMaxJobsLimit",
            "PartitionTimeLimit",
            "QOSMaxWallDurationPerJobLimit",
            "SomethingNew",
            "",
        ]
        .map(reason_in_words)
        .into();
        insta::assert_snapshot!(told.join("\n"));
    }
}
