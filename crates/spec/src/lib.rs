//! From a sweep file to job specs: what a person asks for, made exact.
//!
//! Here live the sweep file and its errors, the grid and its expansion, presets and the model
//! zoo, job identity, the cost model, and the keyed random streams every other crate draws from.
//! Nothing here reads a file, a clock or the environment: whoever calls passes in the text, the
//! variables and the data sets' identities.

mod accelerator;
mod augmentation;
mod cost;
mod dataset;
mod declaration;
mod executor;
mod id;
mod job;
mod keep;
mod label_map;
mod model;
pub mod random;
mod resnet;
mod split;
mod subset;
mod suggest;
mod sweep;
mod vtab;

pub use accelerator::{ACCELERATORS, Accelerator, UTILISATION};
pub use augmentation::{Augmentation, Crop, RandAugment};
pub use cost::{Cost, cost, parameter_bytes, parameters, record_bytes, state_bytes};
pub use dataset::{
    DataSource, DatasetDefinition, DatasetIdentity, Format, Reading, SplitIdentity, SplitName,
};
pub use declaration::DeclarationError;
pub use executor::{Executor, ExecutorKind, Gpus, Slurm, SlurmOverride, SlurmTask, length_of_time};
pub use id::{JobId, JobIdError};
pub use job::{
    AdamW, EvaluateSpec, Gelu, Job, JobSpec, Labels, Loss, NoopSpec, Optimizer, Precision,
    PretrainSpec, Probe, RECIPE_VERSION, Regularization, Sgd, Stage, ThroughputSpec, Training,
    TransferSpec, Upstream,
};
pub use keep::{Keep, Kept};
pub use label_map::LabelMap;
pub use model::{ModelError, ModelSpec};
pub use resnet::{Resnet, Unit};
pub use split::{SourceRange, SplitError, SplitExpr};
pub use subset::{Subset, SubsetIdentity, SubsetSize};
pub use suggest::nearest;
pub use sweep::{
    Axis, AxisValue, Budget, CheckpointIdentity, DatasetFault, Expansion, ExplainError, Explained,
    Explanation, Found, Grid, Known, Limit, Mistake, OverBudget, Pending, Resource, Selection,
    Surroundings, Sweep, SweepErrors, schema,
};
pub use vtab::{VTAB, VtabGroup, VtabTask, vtab_task};
