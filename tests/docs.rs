//! Every command of the documentation, run as its reader would run it.
//!
//! A fenced block of a page that is tagged `sh` or `python` is run here, and there is no other place for commands.
//! Where a page begins in a study that is there already, its test makes that study first.

use std::fs;
use std::path::Path;

use augreg_tests::page::{blocks, mistakes};
use augreg_tests::reader::{Endless, Reader, Sign, checkout, page};
use augreg_tests::slurm::Slurm;
use augreg_tests::{HEAD, Study, binary};

/// Commands that go on until they are interrupted, or for an hour.
const ENDLESS: [Endless; 5] = [
    Endless { begins: "augreg dashboard", sign: Sign::Says("http://"), code: 0 },
    Endless { begins: "augreg --root study dashboard", sign: Sign::Says("http://"), code: 0 },
    Endless {
        begins: "augreg launch sweeps/fashion-study.toml",
        sign: Sign::Finds("select 1 from attempt where state = 'succeeded'"),
        code: 130,
    },
    Endless {
        begins: "augreg launch long.toml",
        sign: Sign::Finds(
            "select 1 from metric join v_jobs on id = job_id where epochs = 40 and step > 200",
        ),
        code: 130,
    },
    Endless { begins: "tensorboard", sign: Sign::Says("http://"), code: 0 },
];

/// The first sets up a machine and trains for minutes, CI runs it by itself; the second runs this test.
const ELSEWHERE: [&str; 2] = ["scripts/quickstart", "scripts/test"];

/// Upstream on a part of the images and on all, with and without augmentation and regularization, from scratch and
/// by transfer: what the study's findings are about.
const FINDINGS: &str = r#"
[dataset.tenth]
extends = "fashion"
subset = { percent = 10 }

[dataset.digits]
format = "idx"
path = "${AUGREG_DATA}/digits"
splits = { train = "train[:90%]", val = "train[90%:]", test = "test" }

[[pretrain]]
dataset = ["tenth", "fashion"]
model = "Na/7"
augmentation = ["none", "medium1"]
regularization = [0.0, 0.1]
epochs = 1
resolution = 28
batch_size = 64
evaluations = 2

[[pretrain]]
dataset = "digits"
model = "Na/7"
epochs = 2
resolution = 28
batch_size = 64
evaluations = 2

[[transfer]]
upstream = { select = "best-val", per = ["dataset"], where = { dataset = ["tenth", "fashion"] } }
dataset = "digits"
learning_rate = 0.03
steps = 40
resolution = 28
batch_size = 64
evaluations = 2
"#;

fn reader() -> Reader {
    Reader::new(Study::new(), &ENDLESS, &ELSEWHERE)
}

/// A reader who has followed the README as far as its first launch.
fn reader_with_mini() -> Reader {
    let reader = reader();
    reader.write("README.md");
    reader.study().expect(0, &["launch", "mini.toml"]);
    reader
}

/// What `scripts/setup --with-tests` has put into a folder of `.tools`.
fn tool(name: &str) -> String {
    let folder = checkout().join(".tools").join(name);
    folder.canonicalize().expect("scripts/setup --with-tests").to_string_lossy().into_owned()
}

/// The names of all pages: of the checkout's own folder, and of `docs` and what is in it.
fn pages(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            let is_docs = folder != checkout() || entry.file_name() == "docs";
            if is_docs {
                pages(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(checkout()).expect("is in it");
            found.push(name.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn every_command_of_the_documentation_is_in_a_block_that_a_test_here_runs() {
    let mut all = Vec::new();
    pages(&checkout(), &mut all);
    assert!(all.len() > 12, "{all:?}");
    let mut wrong = Vec::new();
    for name in all {
        let text = page(&name);
        wrong.extend(mistakes(&text).iter().map(|mistake| format!("{name}, {mistake}")));
        let is_run = include_str!("docs.rs").contains(&format!(".read({name:?})"));
        let has_commands =
            blocks(&text).iter().any(|block| ["sh", "python"].contains(&&*block.tag));
        if has_commands && !is_run {
            wrong.push(format!("{name} has commands, and no test here reads it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_of_the_readme_runs() {
    reader().read("README.md");
}

#[test]
fn every_command_of_the_guide_runs() {
    reader().read("docs/guide.md");
}

#[test]
fn every_command_of_the_page_on_clusters_runs() {
    let Some(slurm) = Slurm::up(&[]) else { return };
    let reader = Reader::new(slurm.study(), &ENDLESS, &ELSEWHERE);
    reader.write("README.md");
    reader.read("docs/cluster.md");
}

#[test]
fn every_command_of_the_page_on_the_dashboard_runs() {
    reader_with_mini().read("docs/dashboard.md");
}

#[test]
fn every_command_of_the_page_on_the_miniature_study_runs() {
    let reader = reader();
    // Of an hour's 670 jobs the two that take seconds come first, so that there is something to report.
    reader.study().expect(0, &["launch", "sweeps/fashion-study.toml", "--register-only"]);
    let mut brief = reader.study().query(&["stage=throughput", "--columns", "id"]);
    let brief: Vec<String> = brief.iter_mut().filter_map(|row| row.remove("id")).collect();
    reader.study().expect(0, &["priority", &brief[0], &brief[1], "1"]);
    reader.read("docs/fashion-study.md");
}

#[test]
fn every_command_of_the_page_on_the_findings_runs() {
    let reader = reader();
    reader.study().write("findings.toml", &format!("{HEAD}{FINDINGS}"));
    reader.study().expect(0, &["launch", "findings.toml"]);
    reader.read("docs/findings.md");
}

#[test]
fn every_command_of_the_page_on_the_papers_sweeps_runs() {
    reader().read("docs/paper-sweeps.md");
}

#[test]
fn every_command_of_the_page_on_performance_runs() {
    let binaries = binary("augreg");
    let binaries = binaries.parent().expect("has a folder").to_string_lossy().into_owned();
    let reader = reader().with("AUGREG_BIN", &binaries);
    reader.write("README.md");
    reader.read("docs/performance.md");
}

#[test]
fn every_command_of_the_page_on_results_runs() {
    let [exports, timm] = [tool("exports"), tool("timm")];
    let path = std::env::var("PATH").unwrap_or_default();
    reader_with_mini()
        .with("PATH", &format!("{exports}/bin:{path}"))
        .with("PYTHONPATH", &format!("{exports}:{timm}"))
        .read("docs/results.md");
}

#[test]
fn every_command_of_the_page_on_sweep_files_runs() {
    reader().read("docs/sweep-file.md");
}

#[test]
fn every_command_of_the_page_on_weights_runs() {
    let reader = reader_with_mini().with("PYTHONPATH", &format!(".:{}", tool("timm")));
    // PyTorch is there without most of its CUDA libraries: scripts/test.d/parity.py says more.
    reader.study().write("sitecustomize.py", "import os, sys\nsys.setdlopenflags(os.RTLD_LAZY)\n");
    reader.read("docs/weights.md");
}
