//! The network as timm calls it, and the `config.json` from which timm and the Hugging Face hub build it.

use augreg_spec::{Gelu, ModelSpec};
use augreg_weights::Architecture;
use serde_json::{Map, Value, json};

/// What timm calls the models of the study (`timm/models/vision_transformer{,_hybrid}.py`).
const NAMES: [(&str, &str); 10] = [
    ("Ti/16", "vit_tiny_patch16_224"),
    ("S/32", "vit_small_patch32_224"),
    ("S/16", "vit_small_patch16_224"),
    ("B/32", "vit_base_patch32_224"),
    ("B/16", "vit_base_patch16_224"),
    ("B/8", "vit_base_patch8_224"),
    ("L/16", "vit_large_patch16_224"),
    ("R+Ti/16", "vit_tiny_r_s16_p8_224"),
    ("R26+S/32", "vit_small_r26_s32_224"),
    ("R50+L/32", "vit_large_r50_s32_224"),
];

/// The model of timm that plain models of other sizes are made of, every number set.
const ANY: &str = "vit_tiny_patch16_224";

/// Side of the images that all of these are made for, if nothing else is said.
const SIDE: u32 = 224;

/// How timm makes a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Timm {
    /// The model's name.
    pub architecture: &'static str,
    /// The arguments of `timm.create_model` without which it would be another network.
    pub arguments: Map<String, Value>,
}

/// How timm makes this network; none for a hybrid that is not the study's.
#[must_use]
pub fn architecture(network: &Architecture) -> Option<Timm> {
    let model = network.model();
    let named = model.name().and_then(|name| NAMES.iter().find(|known| known.0 == name));
    let mut arguments = match named {
        Some(_) => Map::new(),
        None if model.resnet.is_none() => numbers(&model),
        None => return None,
    };
    if network.resolution() != SIDE {
        arguments.insert("img_size".to_owned(), json!(network.resolution()));
    }
    if network.channels() != 3 {
        arguments.insert("in_chans".to_owned(), json!(network.channels()));
    }
    if network.gelu() == Gelu::Tanh {
        arguments.insert("act_layer".to_owned(), json!("gelu_tanh"));
    }
    Some(Timm { architecture: named.map_or(ANY, |known| known.1), arguments })
}

fn numbers(model: &ModelSpec) -> Map<String, Value> {
    let ratio = f64::from(model.mlp) / f64::from(model.width);
    [
        ("patch_size", json!(model.patch)),
        ("embed_dim", json!(model.width)),
        ("depth", json!(model.depth)),
        ("num_heads", json!(model.heads)),
        ("mlp_ratio", json!(ratio)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// The `config.json` of a network, in the form of timm's `save_config_for_hf`.
#[must_use]
pub fn config(network: &Architecture, timm: &Timm) -> String {
    let side = network.resolution();
    let half = vec![0.5; network.channels() as usize]; // Pixels are in [-1, 1].
    let first = match network.resnet() {
        None => "patch_embed.proj",
        Some(_) if timm.architecture.contains("_r_") => "patch_embed.backbone.conv",
        Some(_) => "patch_embed.backbone.stem.conv",
    };
    let config = json!({
        "architecture": timm.architecture,
        "num_classes": network.classes(),
        "num_features": network.width(),
        "global_pool": "token",
        "model_args": timm.arguments,
        "pretrained_cfg": {
            "custom_load": false,
            "input_size": [network.channels(), side, side],
            "fixed_input_size": true,
            "interpolation": "bilinear",
            // The shorter side at evaluation: 448 before 384 are cut out, else as 256 before 224.
            "crop_pct": if side == 384 { 384.0 / 448.0 } else { 0.875 },
            "crop_mode": "center",
            "mean": half,
            "std": half,
            "num_classes": network.classes(),
            "pool_size": null,
            "first_conv": first,
            "classifier": "head",
        },
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(model: ModelSpec, channels: u32, classes: u32, side: u32) -> Architecture {
        Architecture::new(model, channels, classes, side).expect("a network")
    }

    #[test]
    fn every_model_of_the_study_has_a_name_in_timm() {
        for name in ModelSpec::names() {
            let model = ModelSpec::named(name).expect("in the zoo");
            let network = network(model, 3, 1000, 224).with_gelu(Gelu::Erf);
            let timm = architecture(&network).expect("timm has it");
            assert!(timm.arguments.is_empty(), "{name}: {:?}", timm.arguments);
            assert_ne!(timm.architecture == ANY, name != "Ti/16");
        }
    }

    #[test]
    fn a_hybrid_of_other_sizes_has_none() {
        let model = ModelSpec::named("R26+S/32").expect("in the zoo");
        assert_eq!(architecture(&network(ModelSpec { width: 192, ..model }, 3, 10, 224)), None);
    }

    #[test]
    fn the_configuration_says_what_makes_the_network() {
        let model = ModelSpec { depth: 2, heads: 2, mlp: 48, patch: 7, resnet: None, width: 24 };
        let network = network(model, 1, 10, 28);
        insta::assert_snapshot!(config(&network, &architecture(&network).expect("a plain model")));
    }
}
