//! What a run on a cluster is asked for. No behaviour.

use std::sync::Arc;
use std::time::Duration;

use augreg_spec::{JobSpec, Labels, Slurm};

/// How many seconds a job is expected to take in a task.
pub type Pricing = Arc<dyn Fn(&JobSpec, &Labels) -> f64 + Send + Sync>;

/// How a run goes about a cluster. None of it changes a result.
#[derive(Clone)]
pub struct ClusterOptions {
    /// What tasks are given.
    pub slurm: Slurm,
    /// How many seconds a job is expected to take in a task.
    pub seconds: Pricing,
    /// Whether to submit what there is to do and leave.
    pub detach: bool,
    /// Whether to take in what tasks have done and leave: nothing is submitted or cancelled.
    pub collect: bool,
    /// How often the queue is asked.
    pub poll: Duration,
    /// How often the folders of tasks at work are looked at.
    pub look: Duration,
    /// How long jobs that have become ready are gathered before they are submitted.
    pub gather: Duration,
}
