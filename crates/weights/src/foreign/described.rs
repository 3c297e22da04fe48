//! What network tensors are of, told by their names and shapes.

use std::collections::BTreeMap;

use augreg_spec::{ModelSpec, Resnet};

use super::array::Array;

/// What the tensors of a file say about their network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// The model, but for its heads, which are 0.
    numbers: ModelSpec,
    /// Attention heads, where the file tells: by shapes in an npz, by a note in ours.
    pub heads: Option<u32>,
    /// Colour channels of an image.
    pub channels: u32,
    /// Classes that the head names; none without a head.
    pub classes: Option<u32>,
    /// Side of the images that the position embeddings are for.
    pub resolution: u32,
}

impl Described {
    /// The model, if its heads are known, or else the study's of the same numbers.
    #[must_use]
    pub fn model(&self) -> Option<ModelSpec> {
        let zoo = || ModelSpec::names().filter_map(ModelSpec::named).find(|model| self.is(*model));
        self.heads.map(|heads| self.with_heads(heads)).or_else(zoo)
    }

    /// The model with so many heads, whatever the file says.
    #[must_use]
    pub fn with_heads(&self, heads: u32) -> ModelSpec {
        ModelSpec { heads, ..self.numbers }
    }

    /// Whether the tensors could be those of `model`.
    #[must_use]
    pub fn is(&self, model: ModelSpec) -> bool {
        let numbers = ModelSpec { heads: 0, ..model };
        self.numbers == numbers && self.heads.is_none_or(|heads| heads == model.heads)
    }

    /// The model in words, as far as it is known.
    #[must_use]
    pub fn text(&self) -> String {
        match self.model() {
            Some(model) => model.to_string(),
            None => format!("a model of {}", self.numbers.numbers()),
        }
    }

    /// Reads the network off its tensors, under timm's names and in timm's layout. Heads are those of
    /// `noted`, if that is a note of these tensors, or `heads`.
    pub(super) fn of(
        tensors: &BTreeMap<String, Array>,
        heads: Option<u32>,
        noted: Option<ModelSpec>,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut size = |name: &str, rank: usize, axis: usize| -> u32 {
            match tensors.get(name).map(|array| array.shape.as_slice()) {
                None => problems.push(format!("`{name}` is missing")),
                Some(shape) if shape.len() != rank => {
                    problems.push(format!("`{name}` has {} dimensions, not {rank}", shape.len()));
                }
                Some(shape) => return shape[axis] as u32,
            }
            0
        };
        let embedding = "patch_embed.proj.weight";
        let resnet = resnet(tensors);
        let width = size("cls_token", 3, 2);
        let patch = size(embedding, 4, 2);
        let channels = match resnet {
            None => size(embedding, 4, 1),
            Some(Ok(resnet)) => size(&format!("{}.conv.weight", crate::root_name(resnet)), 4, 1),
            Some(Err(_)) => 0,
        };
        let mlp = size("blocks.0.mlp.fc1.bias", 1, 0);
        let tokens = size("pos_embed", 3, 1);
        let classes = tensors.contains_key("head.bias").then(|| size("head.bias", 1, 0));
        let resnet = match resnet {
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
            Some(Ok(resnet)) => Some(resnet),
            None => None,
        };
        let grid = tokens.saturating_sub(1).isqrt();
        if tokens != grid * grid + 1 && problems.is_empty() {
            problems.push(format!(
                "`pos_embed` has {tokens} positions, which are no square and one for the class token"
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let depth = counted(tensors, "blocks.") as u32;
        let numbers = ModelSpec { depth, heads: 0, mlp, patch, resnet, width };
        let noted = noted.filter(|model| ModelSpec { heads: 0, ..*model } == numbers);
        let heads = noted.map(|model| model.heads).or(heads);
        let shrinks = resnet.map_or(1, |resnet| 1u32 << (1 + resnet.stages().len().max(1)));
        let resolution = grid.saturating_mul(patch).saturating_mul(shrinks);
        Ok(Self { numbers, heads, channels, classes, resolution })
    }
}

/// How many numbered things there are whose names begin with `prefix`.
fn counted(tensors: &BTreeMap<String, Array>, prefix: &str) -> usize {
    let number =
        |name: &String| name.strip_prefix(prefix)?.split_once('.')?.0.parse::<usize>().ok();
    tensors.keys().filter_map(number).max().map_or(0, |last| last.saturating_add(1))
}

/// The ResNet of a hybrid, if the tensors are of one.
fn resnet(tensors: &BTreeMap<String, Array>) -> Option<Result<Resnet, String>> {
    const BACKBONE: &str = "patch_embed.backbone.";
    if !tensors.keys().any(|name| name.starts_with(BACKBONE)) {
        return None;
    }
    let stages: Vec<_> = (0..counted(tensors, &format!("{BACKBONE}stages.")))
        .map(|stage| counted(tensors, &format!("{BACKBONE}stages.{stage}.blocks.")) as u32)
        .collect();
    Some(Resnet::new(&stages).map_err(|error| format!("`{BACKBONE}*`: {error}")))
}
