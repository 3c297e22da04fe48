//! What Slurm tells a task about itself, through its environment.

use std::env;
use std::process::ExitCode;

use augreg_protocol::{Placement, ProbeFolder};

/// Slurm's number of this task.
pub(crate) fn job() -> Option<String> {
    env::var("SLURM_JOB_ID").ok().filter(|job| !job.is_empty())
}

/// Where Slurm has put this process; none if it has not.
pub(crate) fn placement() -> Option<Placement> {
    placed(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn placed(variable: &dyn Fn(&str) -> Option<String>) -> Option<Placement> {
    let job = variable("SLURM_JOB_ID")?;
    let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
    let own_name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(Placement {
        task: array.map_or_else(|| job.clone(), |(array, task)| format!("{array}_{task}")),
        node: variable("SLURMD_NODENAME").unwrap_or_else(own_name),
        restarts: variable("SLURM_RESTART_COUNT").and_then(|n| n.parse().ok()).unwrap_or(0),
        gpus: variable("SLURM_JOB_GPUS")
            .or_else(|| variable("SLURM_STEP_GPUS"))
            .unwrap_or_default(),
        job,
    })
}

/// Shows whoever looks into `folder` what this node does there and sees there.
pub(crate) fn probe(folder: &str) -> ExitCode {
    let node = placement().map_or_else(|| "?".to_owned(), |placement| placement.node);
    let gpus = env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    match ProbeFolder(folder.into()).answer_as(env!("CARGO_PKG_VERSION"), &node, &gpus) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("failed to answer in `{folder}`: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_knows_its_array_its_node_and_how_often_it_was_started_again() {
        let variable = |name: &str| {
            let value = match name {
                "SLURM_JOB_ID" => "4713",
                "SLURM_ARRAY_JOB_ID" => "4711",
                "SLURM_ARRAY_TASK_ID" => "2",
                "SLURMD_NODENAME" => "n7",
                "SLURM_RESTART_COUNT" => "3",
                "SLURM_JOB_GPUS" => "0,1",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let expected = Placement {
            task: "4711_2".to_owned(),
            job: "4713".to_owned(),
            node: "n7".to_owned(),
            restarts: 3,
            gpus: "0,1".to_owned(),
        };
        assert_eq!(placed(&variable), Some(expected));
        let alone = |name: &str| (name == "SLURM_JOB_ID").then(|| "9".to_owned());
        let alone = placed(&alone).expect("is a task");
        assert_eq!((&*alone.task, alone.restarts, &*alone.gpus), ("9", 0, ""));
        assert_eq!(placed(&|_| None), None);
    }
}
