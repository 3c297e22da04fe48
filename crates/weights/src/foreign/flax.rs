//! AugReg's names and layouts against timm's, in both directions.
//!
//! # Source
//!
//! `vit_jax/models_vit.py` and `models_resnet.py` for the names; `_load_weights` in timm's
//! `models/vision_transformer.py` reads the same. `big_vision` numbers its modules otherwise and keeps
//! the position embeddings elsewhere, without one for the class token.

use std::collections::BTreeMap;

use super::array::Array;
use super::template::{filled, numbers};

/// What old flax and `big_vision` put before every parameter's name; their other arrays are the
/// optimizer's.
pub(super) const PREFIXES: [&str; 2] = ["opt/target/", "params/"];

/// How the arrays of a module lie on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One array, the same.
    Token,
    /// `scale` and `bias`; old files keep a GroupNorm's as `[1, 1, 1, C]`.
    Norm,
    /// `kernel`, `[height, width, in, out]` against `[out, in, height, width]`, and maybe `bias`.
    Conv,
    /// `kernel`, `[in, out]` against `[out, in]`, and `bias`.
    Dense,
    /// Query, key or value: `kernel`, `[D, heads, D / heads]`, and `bias`, `[heads, D / heads]`, against
    /// the first, second or third part of the rows.
    Part(usize),
    /// The projection of the heads' outputs: `kernel`, `[heads, D / heads, D]` against `[D, D]`, and
    /// `bias`.
    Out,
}

/// Modules: AugReg's name, timm's, and how they relate.
const MODULES: [(&str, &str, Kind); 21] = {
    use Kind::{Conv, Dense, Norm, Out, Part, Token};
    [
        ("cls", "cls_token", Token),
        ("Transformer/posembed_input/pos_embedding", "pos_embed", Token),
        ("embedding", "patch_embed.proj", Conv),
        ("Transformer/encoderblock_{}/LayerNorm_0", "blocks.{}.norm1", Norm),
        (QUERY, "blocks.{}.attn.qkv", Part(0)),
        (KEY, "blocks.{}.attn.qkv", Part(1)),
        (VALUE, "blocks.{}.attn.qkv", Part(2)),
        (OUT, "blocks.{}.attn.proj", Out),
        ("Transformer/encoderblock_{}/LayerNorm_2", "blocks.{}.norm2", Norm),
        ("Transformer/encoderblock_{}/MlpBlock_3/Dense_0", "blocks.{}.mlp.fc1", Dense),
        ("Transformer/encoderblock_{}/MlpBlock_3/Dense_1", "blocks.{}.mlp.fc2", Dense),
        ("Transformer/encoder_norm", "norm", Norm),
        ("head", "head", Dense),
        ("conv_root", "patch_embed.backbone.stem.conv", Conv),
        ("gn_root", "patch_embed.backbone.stem.norm", Norm),
        // A root without stages: timm has it one level higher, AugReg does not tell the two apart.
        ("conv_root", "patch_embed.backbone.conv", Conv),
        ("gn_root", "patch_embed.backbone.norm", Norm),
        ("block{+}/unit{+}/conv{+}", "patch_embed.backbone.stages.{}.blocks.{}.conv{+}", Conv),
        ("block{+}/unit{+}/gn{+}", "patch_embed.backbone.stages.{}.blocks.{}.norm{+}", Norm),
        (
            "block{+}/unit{+}/conv_proj",
            "patch_embed.backbone.stages.{}.blocks.{}.downsample.conv",
            Conv,
        ),
        (
            "block{+}/unit{+}/gn_proj",
            "patch_embed.backbone.stages.{}.blocks.{}.downsample.norm",
            Norm,
        ),
    ]
};

const QUERY: &str = "Transformer/encoderblock_{}/MultiHeadDotProductAttention_1/query";
const KEY: &str = "Transformer/encoderblock_{}/MultiHeadDotProductAttention_1/key";
const VALUE: &str = "Transformer/encoderblock_{}/MultiHeadDotProductAttention_1/value";
const OUT: &str = "Transformer/encoderblock_{}/MultiHeadDotProductAttention_1/out";

/// The arrays of an npz under timm's names and in timm's layout.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) tensors: BTreeMap<String, Array>,
    /// Attention heads, of the first block.
    pub(super) heads: Option<u32>,
    /// Whether there was a hidden layer before the head, which is left out.
    pub(super) hidden_layer: bool,
}

/// AugReg's names and layouts to timm's; what is not of a Vision Transformer is listed.
pub(super) fn to_timm(arrays: BTreeMap<String, Array>) -> Result<Converted, Vec<String>> {
    let (mut converted, mut problems) = (Converted::default(), Vec::new());
    let mut parts: BTreeMap<String, [Option<Array>; 3]> = BTreeMap::new();
    let stem_only = !arrays.keys().any(|name| name.starts_with("block"));
    for (name, array) in arrays {
        if name.starts_with("pre_logits/") {
            converted.hidden_layer = true;
            continue;
        }
        let Some((timm, kind, leaf)) = timm_name(&canonical(&name), stem_only) else {
            problems.push(format!("`{name}` is unexpected"));
            continue;
        };
        if let (Kind::Part(0), [heads, _]) = (kind, array.shape.as_slice()) {
            converted.heads = Some(*heads as u32);
        }
        let shape = array.shape.clone();
        let Some(array) = turned(kind, leaf, array) else {
            problems.push(format!("`{name}` is {shape:?}, which is no shape of such an array"));
            continue;
        };
        if let Kind::Part(part) = kind {
            parts.entry(timm).or_default()[part] = Some(array);
        } else {
            converted.tensors.insert(timm, array);
        }
    }
    for (timm, found) in parts {
        match found {
            [Some(q), Some(k), Some(v)] if q.shape == k.shape && k.shape == v.shape => {
                converted.tensors.insert(timm, Array::stacked(&[q, k, v]));
            }
            _ => problems.push(format!("query, key and value of `{timm}` are not three alike")),
        }
    }
    if let Some(positions) = converted.tensors.get_mut("pos_embed") {
        add_class_position(positions);
    }
    if problems.is_empty() { Ok(converted) } else { Err(problems) }
}

/// One tensor of timm's under AugReg's names and in AugReg's layout; none if there is no such.
pub(super) fn from_timm(name: &str, array: &Array, heads: usize) -> Vec<(String, Array)> {
    let (base, leaf) = match name.rsplit_once('.') {
        Some((base, "weight")) => (base, Leaf::Main),
        Some((base, "bias")) => (base, Leaf::Bias),
        _ => (name, Leaf::Main),
    };
    let modules = MODULES.iter().filter_map(|(flax, timm, kind)| {
        let numbers = numbers(timm, base)?;
        let flax = filled(flax, &numbers);
        let name = match (kind, leaf) {
            (Kind::Token, _) => flax,
            (Kind::Norm, Leaf::Main) => format!("{flax}/scale"),
            (_, Leaf::Main) => format!("{flax}/kernel"),
            (_, Leaf::Bias) => format!("{flax}/bias"),
        };
        Some((name, returned(*kind, leaf, array, heads)))
    });
    modules.collect()
}

/// Which array of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Main,
    Bias,
}

/// The name as AugReg's files have it, if it is one of `big_vision`'s.
fn canonical(name: &str) -> String {
    if name == "pos_embedding" {
        return "Transformer/posembed_input/pos_embedding".to_owned();
    }
    name.replace("/MultiHeadDotProductAttention_0/", "/MultiHeadDotProductAttention_1/")
        .replace("/MlpBlock_0/", "/MlpBlock_3/")
        .replace("/LayerNorm_1/", "/LayerNorm_2/")
}

fn timm_name(name: &str, stem_only: bool) -> Option<(String, Kind, Leaf)> {
    let (base, last) = name.rsplit_once('/').unwrap_or(("", name));
    MODULES.iter().find_map(|(flax, timm, kind)| {
        let (base, leaf) = match (kind, last) {
            (Kind::Token, _) => (name, Leaf::Main),
            (Kind::Norm, "scale") => (base, Leaf::Main),
            (Kind::Norm, "kernel") | (_, "scale") => return None,
            (_, "kernel") => (base, Leaf::Main),
            (_, "bias") => (base, Leaf::Bias),
            _ => return None,
        };
        let numbers = numbers(flax, base)?;
        let root = base.ends_with("_root");
        if root && stem_only == timm.contains(".stem.") {
            return None;
        }
        let timm = filled(timm, &numbers);
        let timm = match (kind, leaf) {
            (Kind::Token, _) => timm,
            (_, Leaf::Main) => format!("{timm}.weight"),
            (_, Leaf::Bias) => format!("{timm}.bias"),
        };
        Some((timm, *kind, leaf))
    })
}

/// AugReg's layout to timm's; none if the array has not the dimensions for it.
fn turned(kind: Kind, leaf: Leaf, array: Array) -> Option<Array> {
    let elements = array.values.len();
    match (kind, leaf, array.shape.as_slice()) {
        (Kind::Token, ..) | (Kind::Conv | Kind::Dense | Kind::Out, Leaf::Bias, [_]) => Some(array),
        (Kind::Norm, _, [1, 1, 1, _] | [_]) | (Kind::Part(_), Leaf::Bias, [_, _]) => {
            Some(array.reshaped(&[elements]))
        }
        (Kind::Conv, Leaf::Main, [_, _, _, _]) => Some(array.permuted(&[3, 2, 0, 1])),
        (Kind::Dense, Leaf::Main, [_, _]) => Some(array.permuted(&[1, 0])),
        (Kind::Part(_), Leaf::Main, &[d, heads, each]) => {
            Some(array.reshaped(&[d, heads * each]).permuted(&[1, 0]))
        }
        (Kind::Out, Leaf::Main, &[heads, each, d]) => {
            Some(array.reshaped(&[heads * each, d]).permuted(&[1, 0]))
        }
        _ => None,
    }
}

/// timm's layout to AugReg's.
fn returned(kind: Kind, leaf: Leaf, array: &Array, heads: usize) -> Array {
    match (kind, leaf) {
        (Kind::Conv, Leaf::Main) => array.permuted(&[2, 3, 1, 0]),
        (Kind::Dense, Leaf::Main) => array.permuted(&[1, 0]),
        (Kind::Part(part), Leaf::Main) => {
            let kernel = array.part(part, 3).permuted(&[1, 0]);
            let d = kernel.shape[0];
            kernel.reshaped(&[d, heads, d / heads])
        }
        (Kind::Part(part), Leaf::Bias) => {
            let bias = array.part(part, 3);
            let d = bias.shape[0];
            bias.reshaped(&[heads, d / heads])
        }
        (Kind::Out, Leaf::Main) => {
            let kernel = array.permuted(&[1, 0]);
            let d = kernel.shape[1];
            kernel.reshaped(&[heads, d / heads, d])
        }
        _ => array.clone(),
    }
}

/// `big_vision` adds position embeddings before the class token comes in front: the class token's is 0.
fn add_class_position(positions: &mut Array) {
    let [1, tokens, width] = positions.shape[..] else { return };
    if tokens.isqrt().pow(2) == tokens {
        positions.values.splice(..0, std::iter::repeat_n(0.0, width));
        positions.shape[1] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(shape: &[usize]) -> Array {
        let count = shape.iter().product::<usize>();
        Array::new(shape.to_vec(), (0..count).map(|i| i as f32).collect())
    }

    fn convert(arrays: &[(&str, &[usize])]) -> Converted {
        let named = arrays.iter().map(|&(name, shape)| (name.to_owned(), numbered(shape)));
        to_timm(named.collect()).expect("all known")
    }

    /// `w.reshape(D, H * dh).T` for each of q, k, v, concatenated; D 4, two heads.
    #[test]
    fn query_key_and_value_become_the_rows_of_one_kernel() {
        let base = "Transformer/encoderblock_3/MultiHeadDotProductAttention_1";
        let names = ["query", "key", "value"].map(|part| format!("{base}/{part}/kernel"));
        let converted =
            convert(&names.each_ref().map(|name| (name.as_str(), [4, 2, 2].as_slice())));
        let qkv = &converted.tensors["blocks.3.attn.qkv.weight"];
        assert_eq!(qkv.shape, [12, 4]);
        assert_eq!(qkv.values[..8], [0.0, 4.0, 8.0, 12.0, 1.0, 5.0, 9.0, 13.0]);
        let back = from_timm("blocks.3.attn.qkv.weight", qkv, 2);
        assert_eq!(
            back.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        assert!(back.iter().all(|(_, array)| *array == numbered(&[4, 2, 2])));
    }

    /// `w.transpose(2, 0, 1).reshape(D, H * dh)`.
    #[test]
    fn the_heads_outputs_come_together_in_order() {
        let name = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/out/kernel";
        let converted = convert(&[(name, &[2, 2, 4])]);
        let proj = &converted.tensors["blocks.0.attn.proj.weight"];
        assert_eq!(proj.values[..8], [0.0, 4.0, 8.0, 12.0, 1.0, 5.0, 9.0, 13.0]);
        assert_eq!(
            from_timm("blocks.0.attn.proj.weight", proj, 2),
            [(name.to_owned(), numbered(&[2, 2, 4]))]
        );
    }

    #[test]
    fn a_root_lies_higher_where_there_are_no_stages() {
        let root =
            [("conv_root/kernel", [7, 7, 3, 64].as_slice()), ("gn_root/scale", &[1, 1, 1, 64])];
        let alone = convert(&root);
        assert_eq!(alone.tensors["patch_embed.backbone.conv.weight"].shape, [64, 3, 7, 7]);
        assert_eq!(alone.tensors["patch_embed.backbone.norm.weight"].shape, [64]);
        let unit = ("block2/unit1/conv_proj/kernel", [1, 1, 4, 8].as_slice());
        let staged = convert(&[root[0], root[1], unit, ("block2/unit3/gn2/bias", &[8])]);
        let names: Vec<_> =
            staged.tensors.keys().map(|name| &name["patch_embed.backbone.".len()..]).collect();
        assert_eq!(
            names,
            [
                "stages.1.blocks.0.downsample.conv.weight",
                "stages.1.blocks.2.norm2.bias",
                "stem.conv.weight",
                "stem.norm.weight",
            ]
        );
        let root = alone.tensors["patch_embed.backbone.conv.weight"].clone();
        assert_eq!(
            from_timm("patch_embed.backbone.conv.weight", &root, 1)[0].0,
            "conv_root/kernel"
        );
    }

    #[test]
    fn big_visions_names_are_known_and_its_class_token_gets_a_position_of_0() {
        let block = "Transformer/encoderblock_0";
        let converted = convert(&[
            ("pos_embedding", &[1, 4, 2]),
            (&format!("{block}/LayerNorm_1/scale"), &[2]),
            (&format!("{block}/MlpBlock_0/Dense_0/kernel"), &[2, 8]),
            (&format!("{block}/MultiHeadDotProductAttention_0/out/bias"), &[2]),
        ]);
        assert_eq!(
            converted.tensors.keys().collect::<Vec<_>>(),
            [
                "blocks.0.attn.proj.bias",
                "blocks.0.mlp.fc1.weight",
                "blocks.0.norm2.weight",
                "pos_embed"
            ]
        );
        let positions = &converted.tensors["pos_embed"];
        assert_eq!(positions.shape, [1, 5, 2]);
        assert_eq!(positions.values[..4], [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(positions.values[2..], numbered(&[1, 4, 2]).values);
    }

    #[test]
    fn what_is_no_tensor_of_a_transformer_is_listed() {
        let arrays = [
            ("MAPHead_0/probe", [1, 1, 2].as_slice()),
            ("embedding/kernel", &[2, 2]),
            ("head/scale", &[2]),
            ("Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/bias", &[2, 1]),
        ];
        let named = arrays.iter().map(|&(name, shape)| (name.to_owned(), numbered(shape)));
        let problems = to_timm(named.collect()).expect_err("none is right");
        assert_eq!(
            problems,
            [
                "`MAPHead_0/probe` is unexpected",
                "`embedding/kernel` is [2, 2], which is no shape of such an array",
                "`head/scale` is unexpected",
                "query, key and value of `blocks.0.attn.qkv.bias` are not three alike",
            ]
        );
    }
}
