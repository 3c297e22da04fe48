//! Files of weights, right and wrong, of networks so small that a test can say all about them.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use augreg_spec::{Gelu, JobId, JobSpec, ModelSpec, NoopSpec, Resnet};
use augreg_weights::checkpoint::{Owner, save_parameters};
use augreg_weights::foreign::{FileFormat, Head, Weights, WeightsError, write_npz, write_timm};
use augreg_weights::{Architecture, TensorSpec, split};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

const PLAIN: ModelSpec =
    ModelSpec { width: 8, depth: 2, mlp: 12, heads: 2, patch: 4, resnet: None };

fn architecture(model: ModelSpec) -> Architecture {
    Architecture::new(model, 3, 5, 32).expect("a network")
}

fn hybrid(stages: &[u32], patch: u32) -> ModelSpec {
    ModelSpec { resnet: Some(Resnet::new(stages).expect("stages")), patch, ..PLAIN }
}

/// Values that are all different.
fn values(architecture: &Architecture) -> Vec<f32> {
    let count: usize = architecture.tensors(0.0).iter().map(TensorSpec::elements).sum();
    (0..count).map(|i| (i as f32).sin()).collect()
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn npz(&self, architecture: &Architecture) -> PathBuf {
        let path = self.path("x.npz");
        write_npz(&path, architecture, &values(architecture)).expect("writes");
        path
    }

    /// An npz of a network with one array more, of one zero of `kind`, NumPy's name of four or eight bytes.
    fn npz_and(&self, architecture: &Architecture, name: &str, kind: &str) -> PathBuf {
        let path = self.npz(architecture);
        let file = fs::File::options().read(true).write(true).open(&path).expect("opens");
        let mut archive = zip::ZipWriter::new_append(file).expect("an archive");
        archive.start_file(format!("{name}.npy"), stored()).expect("an entry");
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (1,), }}\n");
        let size = usize::from(kind.as_bytes()[2] - b'0');
        let length = (header.len() as u16).to_le_bytes();
        let zero = vec![0; size];
        for bytes in [b"\x93NUMPY\x01\0".as_slice(), &length, header.as_bytes(), &zero] {
            archive.write_all(bytes).expect("writes");
        }
        archive.finish().expect("an archive");
        path
    }

    /// A safetensors file of what a network has, changed.
    fn tensors(
        &self,
        architecture: &Architecture,
        change: impl Fn(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>),
    ) -> PathBuf {
        let (specs, values) = (architecture.tensors(0.0), values(architecture));
        let mut tensors: Vec<_> = split(&specs, &values)
            .map(|(spec, values)| {
                let shape = spec.shape.iter().map(|&size| size as usize).collect();
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (spec.name.clone(), Dtype::F32, shape, bytes)
            })
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"))
        });
        let path = self.path("x.safetensors");
        let bytes = safetensors::serialize(views, None).expect("tensors");
        fs::write(&path, bytes).expect("writes");
        path
    }
}

/// What is said of a file that cannot be used for `architecture`.
fn refused(path: &Path, architecture: &Architecture, head: Head) -> String {
    let read = Weights::read(path).and_then(|weights| weights.parameters(architecture, head));
    let text = read.expect_err("refused").to_string();
    assert!(text.contains(path.to_str().expect("text")), "the file is named: {text}");
    text
}

#[test]
fn every_format_gives_back_what_was_written() {
    let files = Files::new();
    for model in [PLAIN, hybrid(&[], 4), hybrid(&[1, 2], 1)] {
        let architecture = architecture(model).with_gelu(Gelu::Erf);
        let values = values(&architecture);
        let npz = files.npz(&architecture);
        let timm = files.path("y.safetensors");
        write_timm(&timm, &architecture, &values, Some("job".to_owned())).expect("writes");
        for (path, format) in [(npz, FileFormat::Npz), (timm, FileFormat::Timm)] {
            let weights = Weights::read(&path).expect("reads");
            assert_eq!(weights.format(), format);
            assert_eq!(weights.described().model(), Some(model), "{format}");
            let found = weights.architecture(None, None, None).expect("a network");
            assert_eq!((found.classes(), found.resolution()), (5, 32));
            assert_eq!(weights.parameters(&found, Head::Kept).expect("fits"), values, "{format}");
        }
        let weights = Weights::read(&files.path("y.safetensors")).expect("reads");
        assert_eq!((weights.gelu(), weights.job()), (Some(Gelu::Erf), Some("job")));
    }
}

#[test]
fn the_same_weights_are_the_same_bytes() {
    let files = Files::new();
    let first = fs::read(files.npz(&architecture(PLAIN))).expect("reads");
    assert_eq!(fs::read(files.npz(&architecture(PLAIN))).expect("reads"), first);
}

#[test]
fn a_checkpoint_of_ours_is_read_and_its_damage_found() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let path = files.path("final.safetensors");
    let spec = JobSpec::Noop(NoopSpec { index: 0, seed: 0 });
    let owner = Owner { job: JobId::of("a"), spec: &spec };
    let (specs, values) = (architecture.tensors(0.0), values(&architecture));
    save_parameters(&path, owner, &specs, 3, &values).expect("saves");
    let weights = Weights::read(&path).expect("reads");
    assert_eq!(weights.format(), FileFormat::Checkpoint);
    assert_eq!(weights.parameters(&architecture, Head::Kept).expect("fits"), values);
    let error = weights.architecture(None, None, None).expect_err("no heads");
    assert!(matches!(error, WeightsError::UnknownHeads { width: 8, .. }), "{error}");

    let mut bytes = fs::read(&path).expect("reads");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&path, bytes).expect("writes");
    assert!(refused(&path, &architecture, Head::Kept).contains("its checksum does not hold"));
}

#[test]
fn a_new_head_is_zeros_and_other_resolutions_resize_the_positions() {
    let files = Files::new();
    let weights = Weights::read(&files.npz(&architecture(PLAIN))).expect("reads");
    let wanted = weights.architecture(None, Some(48), Some(3)).expect("a network");
    assert_eq!(wanted, Architecture::new(PLAIN, 3, 3, 48).expect("a network"));
    let (specs, values) = (wanted.tensors(0.0), weights.parameters(&wanted, Head::Zeros));
    let values = values.expect("fits");
    for (spec, values) in split(&specs, &values) {
        assert_eq!(
            spec.name.starts_with("head"),
            values.iter().all(|v| *v == 0.0),
            "{}",
            spec.name
        );
    }
    let error = weights.architecture(None, Some(30), None).expect_err("4 does not divide 30");
    assert!(matches!(error, WeightsError::Model { .. }), "{error}");
}

#[test]
fn another_model_is_named_on_both_sides() {
    let files = Files::new();
    let asked = ModelSpec::named("S/16").expect("in the zoo");
    let said = refused(&files.npz(&architecture(PLAIN)), &architecture(asked), Head::Kept);
    assert!(said.contains("holds a model of width 8, depth 2, mlp 12, patch 4, heads 2"), "{said}");
    assert!(said.contains("not S/16 (width 384, depth 12, mlp 1536, patch 16, heads 6)"), "{said}");
    let other_heads = ModelSpec { heads: 4, ..PLAIN };
    let said = refused(&files.npz(&architecture(PLAIN)), &architecture(other_heads), Head::Kept);
    assert!(said.contains("heads 2, not a model of") && said.contains("heads 4"), "{said}");
}

#[test]
fn everything_that_does_not_fit_is_listed_at_once() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let path = files.tensors(&architecture, |tensors| {
        tensors.retain(|(name, ..)| name != "norm.bias");
        for (name, _, shape, _) in &mut *tensors {
            match name.as_str() {
                "blocks.1.norm1.weight" => *shape = vec![2, 4],
                "blocks.1.norm1.bias" => "blocks.1.norm1.beta".clone_into(name),
                _ => {}
            }
        }
    });
    let said = refused(&path, &architecture, Head::Kept);
    for problem in [
        "`norm.bias` is missing",
        "`blocks.1.norm1.weight` is [2, 4], not [8]",
        "`blocks.1.norm1.bias` is missing",
        "`blocks.1.norm1.beta` is unexpected",
        "does not fit a model of width 8",
    ] {
        assert!(said.contains(problem), "{said}");
    }
    let five = Architecture::new(PLAIN, 3, 6, 32).expect("a network");
    let said = refused(&files.npz(&architecture), &five, Head::Kept);
    assert!(said.contains("`head.weight` is [5, 8], not [6, 8]"), "{said}");
}

#[test]
fn numbers_of_another_kind_are_refused_with_both_kinds_named() {
    let files = Files::new();
    let path = files.tensors(&architecture(PLAIN), |tensors| {
        for (name, dtype, _, bytes) in tensors {
            if name.starts_with("cls") {
                (*dtype, *bytes) = (Dtype::F16, vec![0; bytes.len() / 2]);
            }
        }
    });
    let said = refused(&path, &architecture(PLAIN), Head::Kept);
    assert!(said.contains("`cls_token` is F16, not F32"), "{said}");
}

#[test]
fn what_is_no_transformer_says_what_is_missing() {
    let files = Files::new();
    let path = files.tensors(&architecture(PLAIN), |tensors| {
        tensors.retain(|(name, ..)| name.starts_with("blocks") || name.starts_with("pos"));
    });
    let said = refused(&path, &architecture(PLAIN), Head::Kept);
    assert!(said.contains("`cls_token` is missing"), "{said}");
    assert!(said.contains("`patch_embed.proj.weight` is missing"), "{said}");
}

/// A length in the header that no file holds, half a file, and files of other kinds.
#[test]
fn a_file_that_is_cut_or_something_else_is_damaged_and_named() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let whole = fs::read(files.npz(&architecture)).expect("reads");
    let tensors = fs::read(files.tensors(&architecture, |_| {})).expect("reads");
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    let path = files.path("damaged");
    for bytes in [
        &whole[..whole.len() - 30],
        &whole[..10],
        &flipped,
        &tensors[..tensors.len() - 1],
        &tensors[..20],
        b"",
        b"PK",
        b"hello, this is not a file of weights",
        &[0xff; 64],
    ] {
        fs::write(&path, bytes).expect("writes");
        let said = refused(&path, &architecture, Head::Kept);
        assert!(said.contains("cannot be read as"), "{said}");
    }
    let said = Weights::read(&files.path("nowhere")).expect_err("not there").to_string();
    assert!(said.contains("failed to read"), "{said}");
}

#[test]
fn a_hidden_layer_before_the_head_goes_only_with_the_head() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let path = files.npz_and(&architecture, "pre_logits/bias", "<f4");
    assert!(refused(&path, &architecture, Head::Kept).contains("`pre_logits`"));
    let weights = Weights::read(&path).expect("reads");
    assert!(weights.has_hidden_layer());
    assert!(weights.parameters(&architecture, Head::Zeros).is_ok());
}

#[test]
fn an_npz_is_as_strict_as_safetensors() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let path = files.npz_and(&architecture, "MAPHead_0/probe", "<f4");
    let said = refused(&path, &architecture, Head::Kept);
    assert!(said.contains("`MAPHead_0/probe` is unexpected"), "{said}");
    let path = files.npz_and(&architecture, "Transformer/extra", "<f8");
    let said = refused(&path, &architecture, Head::Kept);
    assert!(said.contains("`Transformer/extra` is <f8 in NumPy's words, not <f4"), "{said}");
    // Under the prefix of another convention only what has it counts: here one lone array.
    let path = files.npz_and(&architecture, "params/cls", "<f4");
    let said = refused(&path, &architecture, Head::Kept);
    assert!(said.contains("`patch_embed.proj.weight` is missing"), "{said}");
}

#[test]
fn a_pickle_of_pytorchs_is_called_that() {
    let files = Files::new();
    let path = files.path("x.pth");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("x/data.pkl", options).expect("an entry");
    archive.finish().expect("an archive");
    assert!(refused(&path, &architecture(PLAIN), Head::Kept).contains("torch.save"));
}

#[test]
fn a_file_without_a_head_needs_classes() {
    let files = Files::new();
    let path = files.tensors(&architecture(PLAIN), |tensors| {
        tensors.retain(|(name, ..)| !name.starts_with("head"));
    });
    let weights = Weights::read(&path).expect("reads");
    assert_eq!(weights.described().model(), None, "nothing tells the heads");
    let error = weights.architecture(Some(PLAIN), None, None).expect_err("no classes");
    assert!(matches!(error, WeightsError::NoHead { .. }), "{error}");
    let made = weights.architecture(Some(PLAIN), None, Some(7)).expect("a network");
    assert!(weights.parameters(&made, Head::Zeros).is_ok());
}

/// Old flax's files hold the optimizer's state beside the parameters; what begins with their prefix
/// counts, and under another prefix nothing is found.
#[test]
fn a_prefix_that_nobody_uses_is_named_with_the_tensors() {
    let files = Files::new();
    let path = files.tensors(&architecture(PLAIN), |tensors| {
        for (name, ..) in tensors {
            name.insert_str(0, "module.");
        }
    });
    let said = refused(&path, &architecture(PLAIN), Head::Kept);
    assert!(said.contains("`cls_token` is missing"), "{said}");
}

#[test]
fn what_cannot_be_written_says_so_and_leaves_the_old_file() {
    let files = Files::new();
    let architecture = architecture(PLAIN);
    let path = files.npz(&architecture);
    fs::create_dir(files.path("x.new")).expect("stands in the way");
    let error = write_npz(&path, &architecture, &values(&architecture)).expect_err("no place");
    assert!(matches!(error, WeightsError::Io { action: "write", .. }), "{error}");
    assert!(Weights::read(&path).is_ok());
}

#[test]
fn exports_say_what_pytorchs_programs_look_for() {
    let files = Files::new();
    let path = files.path("y.safetensors");
    write_timm(&path, &architecture(PLAIN), &values(&architecture(PLAIN)), None).expect("writes");
    let bytes = fs::read(path).expect("reads");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata: HashMap<_, _> = header.metadata().clone().expect("metadata");
    assert_eq!(metadata["format"], "pt");
}
