//! Files of weights.

use std::path::{Path, PathBuf};

use augreg_spec::{ModelSpec, nearest};
use augreg_store::{Rows, Value};
use augreg_weights::foreign::{Head, Weights};
use augreg_weights::{Architecture, sha256};
use clap::Args;

use crate::command::export::Target;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::table::{self, Format};

#[derive(Debug, Args)]
pub(super) struct WeightsArgs {
    /// The model it must hold, by its name in the study
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Attention heads, for a model that is not the study's in a file that does not say
    #[arg(long, value_name = "N", conflicts_with = "model", value_parser = clap::value_parser!(u32).range(1..))]
    heads: Option<u32>,
    /// Resize the position embeddings for images of so many pixels a side
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    resolution: Option<u32>,
    /// Put a new head of so many classes, all zeros, in place of the file's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    classes: Option<u32>,
    /// Write what comes of it to this file; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Who is to read that file [default: timm]
    #[arg(long, value_name = "WHOM")]
    to: Option<Target>,
}

impl WeightsArgs {
    /// Nothing that is about weights may be asked of a table.
    pub(super) fn refuse_for_a_table(&self, file: &Path) -> Result<(), Failure> {
        let asked = [
            ("--model", self.model.is_some()),
            ("--heads", self.heads.is_some()),
            ("--resolution", self.resolution.is_some()),
            ("--classes", self.classes.is_some()),
            ("--out", self.out.is_some()),
            ("--to", self.to.is_some()),
        ];
        let Some((flag, _)) = asked.into_iter().find(|(_, asked)| *asked) else { return Ok(()) };
        Err(Failure::request(
            format!("`{flag}` is for files of weights, and `{}` is a table", file.display()),
            "leave it out, or name an npz or safetensors file",
        ))
    }
}

pub(super) fn run(file: &Path, args: &WeightsArgs, format: Format) -> Result<Ending, Failure> {
    let asked = args.model.as_deref().map(named).transpose()?;
    let weights = Weights::read(file)?;
    let asked = asked.or(args.heads.map(|heads| weights.described().with_heads(heads)));
    let architecture = weights.architecture(asked, args.resolution, args.classes)?;
    let head = if args.classes.is_some() { Head::Zeros } else { Head::Kept };
    let parameters = weights.parameters(&architecture, head)?;
    if weights.has_hidden_layer() {
        output::say("the hidden layer before the head (`pre_logits`) is left out, with the head");
    }
    table::write(&description(file, &weights, &architecture, &parameters), format)?;
    if let Some(out) = &args.out {
        let job = weights.job().map(str::to_owned);
        args.to.unwrap_or(Target::Timm).write(out, &architecture, &parameters, job)?;
        output::say(&format!("wrote `{}`", out.display()));
    }
    Ok(Ending::Good)
}

/// A model of the study.
fn named(name: &str) -> Result<ModelSpec, Failure> {
    ModelSpec::named(name).ok_or_else(|| {
        let help = match nearest(name, ModelSpec::names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the study has {}; without `--model` the file says what it holds",
                ModelSpec::names().collect::<Vec<_>>().join(", ")
            ),
        };
        Failure::request(format!("unknown model `{name}`"), help)
    })
}

/// What came of the file, in one row.
fn description(
    file: &Path,
    weights: &Weights,
    architecture: &Architecture,
    parameters: &[f32],
) -> Rows {
    let model = architecture.model();
    let name = model.name().map_or_else(|| model.to_string(), str::to_owned);
    let hash = sha256(&architecture.tensors(0.0), &[parameters]);
    let columns: [(&str, Value); 8] = [
        ("file", file.display().to_string().into()),
        ("format", weights.format().to_string().into()),
        ("model", name.into()),
        ("channels", architecture.channels().into()),
        ("classes", architecture.classes().into()),
        ("resolution", architecture.resolution().into()),
        ("parameters", (parameters.len() as u64).into()),
        ("parameters_sha256", hash.into()),
    ];
    let (columns, row) = columns.map(|(name, value)| (name.to_owned(), value)).into_iter().unzip();
    Rows { columns, rows: vec![row] }
}
