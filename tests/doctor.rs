//! `augreg doctor`: what runs need, one line each, and what mends what is missing.

use std::fs;

use augreg_tests::{COMMON, HEAD, Study};

/// A sweep of Fashion-MNIST and of these.
fn sweep(datasets: &[(&str, &str)]) -> String {
    let mut names = vec!["fashion"];
    let mut text = HEAD.to_owned();
    for (name, definition) in datasets {
        names.push(name);
        text += &format!("[dataset.{name}]\n{definition}\nsplits = {{ train = \"train\" }}\n");
    }
    format!("{text}\n[pretrain]\ndataset = {names:?}\nepochs = 1\n{COMMON}")
}

#[test]
fn a_machine_with_all_that_runs_need_is_told_so() {
    let study = Study::new();
    study.write("s.toml", &sweep(&[]));
    let told = study.expect(0, &["doctor", "s.toml"]).stdout;
    for said in [
        "ok    augreg-worker ",
        "ok    libtorch 2.",
        " instructions",
        " cores: ",
        " left\n",
        "is safe after",
        "ok    data set `fashion`: 4,000 train + 1,000 val + 2,000 test examples, 10 classes, readable in `",
    ] {
        assert!(told.contains(said), "no `{said}` in\n{told}");
    }
    assert!(!told.contains("FAIL"), "{told}");
    assert!(!study.root().exists(), "nothing is made");
}

/// Everything that is wrong is told at once, each with its mend.
#[test]
fn each_data_set_that_cannot_be_read_is_named_with_its_mend() {
    let study = Study::new();
    fs::create_dir_all(study.path("short")).expect("creates");
    for file in fs::read_dir(augreg_tests::data().join("fashion-mnist")).expect("is set up") {
        let file = file.expect("a file");
        fs::copy(file.path(), study.path("short").join(file.file_name())).expect("copies");
    }
    let images =
        fs::OpenOptions::new().write(true).open(study.path("short/train-images-idx3-ubyte"));
    images.expect("opens").set_len(100_000).expect("truncates");
    for class in ["a", "b"] {
        let folder = study.path("pictures").join("train").join(class);
        fs::create_dir_all(&folder).expect("creates");
        fs::write(folder.join("1.png"), "no picture").expect("writes");
    }
    study.write(
        "s.toml",
        &sweep(&[
            ("away", "format = \"idx\"\npath = \"nowhere\""),
            ("short", "format = \"idx\"\npath = \"short\""),
            ("pictures", "format = \"image-folder\"\npath = \"pictures\""),
        ]),
    );
    let ran = study.expect(2, &["doctor", "s.toml"]);
    assert!(ran.stderr.contains("3 things are wrong"), "{}", ran.stderr);
    let after = |said: &str| {
        let (_, rest) =
            ran.stdout.split_once(said).unwrap_or_else(|| panic!("no `{said}` in {}", ran.stdout));
        rest.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    let away = after("FAIL  data set `away`: ");
    assert!(
        away.contains("nowhere") && away.contains("another `path` in [dataset.away]"),
        "{away}"
    );
    let short = after("FAIL  data set `short`: ");
    assert!(short.contains("train-images-idx3-ubyte"), "{short}");
    let pictures = after("FAIL  data set `pictures`: ");
    assert!(
        pictures.contains("1.png") && pictures.contains("data check FILE pictures"),
        "{pictures}"
    );
    assert!(ran.stdout.contains("ok    data set `fashion`"), "{}", ran.stdout);
}

#[test]
fn a_worker_that_does_not_run_is_told_with_what_builds_it() {
    let study = Study::new();
    for (worker, said) in [
        ("nowhere", "AUGREG_WORKER names `nowhere`, which is no file"),
        ("/bin/true", "`/bin/true` does not say what it is"),
        ("/bin/false", "`/bin/false` does not start: it says nothing"),
        ("/etc/hostname", "`/etc/hostname` does not start: "),
    ] {
        let ran = study.with_worker(worker, &["doctor"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stdout);
        assert!(ran.stdout.contains(&format!("FAIL  {said}")), "{}", ran.stdout);
        assert!(ran.stdout.contains("scripts/build"), "{}", ran.stdout);
    }
}

#[test]
fn a_study_that_cannot_be_written_is_told() {
    let study = Study::new();
    // Not even root writes there.
    let ran = study.expect(2, &["--root", "/proc/study", "doctor"]);
    assert!(ran.stdout.contains("FAIL  `/proc` cannot be written"), "{}", ran.stdout);
    assert!(ran.stdout.contains("`--root`"), "{}", ran.stdout);
    let mistake = study.expect(2, &["doctor", "nowhere.toml"]);
    assert!(mistake.stderr.contains("nowhere.toml"), "{}", mistake.stderr);
}
