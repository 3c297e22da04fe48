//! Other people's results come in, stand beside own ones, and go out as they came.

use std::fmt::Write;

use augreg_tests::{COMMON, HEAD, Study};

const HEADER: &str = "name,ds,epochs,lr,aug,wd,do,sd,best_val,final_val,final_test,adapt_ds,adapt_lr,\
adapt_steps,adapt_resolution,adapt_final_val,adapt_final_test,params,infer_samples_per_sec,filename,\
adapt_filename";

const MODELS: [&str; 9] =
    ["R+Ti/16", "Ti/16", "S/32", "S/16", "B/32", "R26+S/32", "B/16", "L/16", "R50+L/32"];

/// The study's adaptations: the data set, its learning rates and its steps, at two resolutions each.
/// 4 + 4 × 16 = 68 (paper, Table 4, with the four rates that were released).
const ADAPTATIONS: [(&str, &[&str], &[u32]); 5] = [
    ("imagenet2012", &["0.01", "0.03"], &[20_000]),
    ("cifar100", &["0.001", "0.003", "0.01", "0.03"], &[2500, 10_000]),
    ("kitti", &["0.001", "0.003", "0.01", "0.03"], &[500, 2500]),
    ("oxford_iiit_pet", &["0.001", "0.003", "0.01", "0.03"], &[500, 2500]),
    ("resisc45", &["0.001", "0.003", "0.01", "0.03"], &[500, 2500]),
];

/// A table of the size and in the grammar of the published one, with made-up numbers. As in the
/// published one, a row is missing: of an adaptation to ImageNet at 384 pixels with rate 0.03.
fn published() -> String {
    let presets = ["none", "light0", "light1", "medium1", "medium2", "strong1", "strong2"];
    let mut text = format!("{HEADER}\n");
    let mut rows = 0_u32;
    for model in MODELS {
        for (dataset, epochs) in [("i1k", 300), ("i21k_30", 30), ("i21k", 300)] {
            for (at, preset) in presets.iter().enumerate() {
                for weight_decay in ["0.03", "0.1"] {
                    for rate in ["0.0", "0.1"] {
                        let file = model.replace(['/', '+'], "_");
                        let stem = format!(
                            "{file}-{dataset}-{epochs}ep-lr_0.001-aug_{preset}-wd_{weight_decay}-\
                             do_{rate}-sd_{rate}"
                        );
                        let upstream = format!(
                            "{model},{dataset},{epochs},0.001,{preset},{weight_decay},{rate},{rate},\
                             0.5,0.{at}7,0.4"
                        );
                        adaptations(&mut text, &mut rows, &upstream, &stem);
                    }
                }
            }
        }
    }
    assert_eq!(rows, 9 * 3 * 28 * 68 - 1);
    text
}

fn adaptations(text: &mut String, rows: &mut u32, upstream: &str, stem: &str) {
    for (dataset, rates, steps) in ADAPTATIONS {
        for steps in steps {
            for resolution in [224, 384] {
                for rate in rates {
                    let missing =
                        stem.starts_with("R50_L_32-i21k-300ep-lr_0.001-aug_strong2-wd_0.1-do_0.1");
                    if missing && (dataset, resolution, *rate) == ("imagenet2012", 384, "0.03") {
                        continue;
                    }
                    *rows += 1;
                    let thousands = steps / 1000;
                    writeln!(
                        text,
                        "{upstream},{dataset},{rate},{steps},{resolution},0.9,0.8,1000,,{stem},\
                         {stem}--{dataset}-steps_{thousands}k-lr_{rate}-res_{resolution}"
                    )
                    .expect("writes to a string");
                }
            }
        }
    }
}

#[test]
fn fifty_thousand_published_rows_stand_beside_own_runs_in_one_query() {
    let study = Study::new();
    study.write("index.csv", &published());
    let ran = study.expect(0, &["import", "index.csv", "--source", "augreg"]);
    assert!(ran.stderr.contains("imported 51,407 rows as `augreg`"), "{}", ran.stderr);
    let again = study.expect(0, &["import", "index.csv", "--source", "augreg"]);
    assert!(again.stderr.contains("nothing changed"), "{}", again.stderr);
    study.expect(0, &["status"]);

    // A study that began with an import is one like any other.
    let sweep = format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"light1\"\nepochs = 0.1\n{COMMON}"
    );
    study.write("own.toml", &sweep);
    study.expect(0, &["launch", "own.toml"]);
    let sql = "select source, count(*) as n, count(distinct model) as models, \
               max(final_val) > 0 as measured from v_runs where augmentation = 'light1' \
               group by source order by source";
    let rows = study.query(&[sql]);
    let told = |row: usize, column: &str| rows[row][column].as_str();
    assert_eq!((told(0, "source"), told(0, "n"), told(0, "models")), ("augreg", "7344", "9"));
    assert_eq!((told(1, "source"), told(1, "n"), told(1, "measured")), ("own", "1", "1"));
    assert_eq!(rows.len(), 2);

    // What was called light0 there is light1 here, and i21k_30 is i21k.
    let sql = "select dataset, epochs, count(*) as n from reference group by 1, 2 order by 1, 2";
    let rows = study.query(&[sql]);
    let counts: Vec<_> = rows.iter().map(|row| (&*row["dataset"], &*row["n"])).collect();
    assert_eq!(counts, [("i1k", "17136"), ("i21k", "17136"), ("i21k", "17135")]);

    // Another table under the name replaces the first, and says so.
    let shorter: String = published().split_inclusive('\n').take(11).collect();
    study.write("index.csv", &shorter);
    let ran = study.expect(0, &["import", "index.csv", "--source", "augreg", "--format", "csv"]);
    assert!(ran.stderr.contains("10 rows as `augreg`, in place of 51,407"), "{}", ran.stderr);
    assert_eq!(
        ran.stdout,
        "source,rows,adapted,models,datasets,adapt_datasets\naugreg,10,10,1,1,2\n"
    );
}

#[test]
fn a_table_with_mistakes_changes_nothing_and_makes_no_study() {
    let study = Study::new();
    let table: String = published().split_inclusive('\n').take(3).collect();
    let refused = |text: &[u8], said: &[&str]| {
        std::fs::write(study.path("bad.csv"), text).expect("writes");
        let ran = study.expect(2, &["import", "bad.csv"]);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        for said in said.iter().chain(&["bad.csv", "nothing was imported"]) {
            assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
        }
    };
    refused(b"", &["is empty"]);
    refused(table.replace("final_test", "test").as_bytes(), &["line 1", "`final_test`"]);
    refused(table.replace("0.9,0.8", "90,0.8").as_bytes(), &["line 2, column 16", "0.795"]);
    refused(format!("{table}{}", table.lines().last().unwrap()).as_bytes(), &["line 4", "line 3"]);
    refused(&table.as_bytes()[..table.len() - 70], &["line 3", "cut off"]);
    assert!(!study.root().exists(), "nothing is created");

    study.write("own.csv", &table);
    let own = study.expect(2, &["import", "own.csv"]);
    assert!(own.stderr.contains("--source"), "{}", own.stderr);
    let weights = study.expect(2, &["import", "own.csv", "--classes", "10"]);
    assert!(weights.stderr.contains("`--classes` is for files of weights"), "{}", weights.stderr);
    study.write("x.npz", "PK");
    let weights = study.expect(2, &["import", "x.npz", "--source", "x"]);
    assert!(weights.stderr.contains("`--source` is for tables"), "{}", weights.stderr);
    study.expect(2, &["import"]);
    study.expect(2, &["import", "own.csv", "--paper"]);
    assert!(!study.root().exists(), "nothing is created");
}

#[test]
fn the_papers_tables_are_shown_alone_and_beside_what_the_study_has() {
    let study = Study::new();
    let list = study.expect(0, &["paper", "--format", "csv"]).stdout;
    assert!(list.contains("figure4,378,"), "{list}");
    let alone = study.expect(0, &["paper", "table3", "--format", "csv"]).stdout;
    assert!(alone.contains("\nB/16,fine-tuned,i21k,300,384,85.49\n"), "{alone}");
    assert!(!study.root().exists(), "looking creates nothing");

    study.expect(0, &["import", "--paper"]);
    let rows = study.query(&["select max(final_val) as best from v_runs where dataset = 'i1k'"]);
    assert_eq!(rows[0]["best"], "0.83");
    let beside = ["paper", "figure4", "--source", "paper-figure4", "--format", "csv"];
    let beside = study.expect(0, &beside).stdout;
    assert_eq!(beside.lines().filter(|line| line.ends_with(",0.0,1")).count(), 378, "{beside}");
    let unknown = study.expect(2, &["paper", "figure4", "--source", "paper"]);
    assert!(unknown.stderr.contains("there is `paper-figure4`"), "{}", unknown.stderr);
}
