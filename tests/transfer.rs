//! Jobs that start from other jobs, end to end: rules that choose, chains, kills in between, files.

use std::time::Duration;

use augreg_tests::{HEAD, PAST_A_CHECKPOINT, Study, kill};
use rustix::process::Signal;

/// Two upstream models of which one is better, adapted to other pictures, judged.
fn sweep(epochs: u32) -> String {
    format!(
        r#"{HEAD}
[dataset.others]
format = "idx"
path = "${{AUGREG_DATA}}/fashion-mnist"
splits = {{ train = "train[20000:21000]", val = "train[56000:56500]", test = "test[5000:5500]" }}

[pretrain]
dataset = "fashion"
model = "Na/7"
learning_rate = [4e-3, 1e-5]
epochs = {epochs}
resolution = 28
batch_size = 64
crop = "none"
evaluations = 1

[transfer]
upstream = {{ select = "best-val", per = ["model"] }}
dataset = "others"
learning_rate = [0.01, 0.03]
steps = 40
resolution = [28, 42]
batch_size = 32
crop = "none"
evaluations = 4

[[evaluate]]
upstream = {{ stage = "transfer", select = "best-val" }}
dataset = "others"

[[evaluate]]
upstream = {{ select = "best-val" }}
dataset = "others"
shots = 10
resolution = 28
"#
    )
}

const FLAGS: [&str; 4] = ["--workers", "2", "--checkpoint-seconds", "0.2"];

fn launch(study: &Study, file: &str) -> String {
    study.expect(0, &[&["launch", file][..], &FLAGS].concat()).stderr
}

#[test]
fn the_best_of_a_group_is_adapted_as_soon_as_it_is_known_and_the_chain_ends_in_one_launch() {
    let study = Study::new();
    study.write("s.toml", &sweep(2));
    let planned = study.expect(0, &["plan", "s.toml"]).stdout;
    assert!(planned.contains("2 choices are open"), "{planned}");
    let told = launch(&study, "s.toml");
    assert!(told.contains("transfer starts from 1 of 2 candidates of model=Na/7"), "{told}");

    let rows =
        study.query(&["select stage, state, count(*) as n from v_jobs group by 1, 2 order by 1"]);
    let counts: Vec<_> =
        rows.iter().map(|row| (&*row["stage"], &*row["state"], &*row["n"])).collect();
    let done = "succeeded";
    assert_eq!(counts, [("evaluate", done, "2"), ("pretrain", done, "2"), ("transfer", done, "4")]);
    let best = &study
        .query(&["select id from v_jobs where stage = 'pretrain' order by final_val desc limit 1"])
        [0]["id"];
    let parents = study.query(&["select distinct parent from v_jobs where stage = 'transfer'"]);
    assert_eq!(parents.iter().map(|row| &row["parent"]).collect::<Vec<_>>(), [best]);

    // The judge of the best transfer finds what that transfer found.
    let judged =
        study.query(&["select a.final_test as judged, b.final_test as own, b.final_val as val,
                (select max(final_val) from v_jobs where stage = 'transfer') as best
         from v_jobs a join v_jobs b on b.id = a.parent
         where a.stage = 'evaluate' and b.stage = 'transfer'"]);
    assert_eq!(judged[0]["judged"], judged[0]["own"]);
    assert_eq!(judged[0]["val"], judged[0]["best"]);

    transfers_cost_and_compare(&study);

    let index = study.query(&["select * from augreg_index where adapt_ds is not null"]);
    assert_eq!(index.len(), 4);
    let stem = "Na_7-fashion-2ep-lr_0.004-aug_none-wd_0.1-do_0.0-sd_0.0";
    assert_eq!(index[0]["filename"], stem);
    assert!(index[0]["adapt_filename"].starts_with(&format!("{stem}--others-steps_0k-lr_0.0")));

    // Where the database is lost, journals decide what is chosen, and what of that was done.
    for file in ["augreg.db", "augreg.db-wal", "augreg.db-shm"] {
        let _ = std::fs::remove_file(study.root().join(file));
    }
    launch(&study, "s.toml");
    let attempts = study.query(&["select count(*) as n, max(number) as last from attempt"]);
    assert_eq!((attempts[0]["n"].as_str(), attempts[0]["last"].as_str()), ("8", "1"));
    assert_eq!(study.hashes().len(), 8);

    // Nothing is chosen or run again, and a grown sweep runs what is new.
    let again = launch(&study, "s.toml");
    assert!(again.contains("+0 new, =8 shared (8 done)"), "{again}");
    study.write("s.toml", &sweep(2).replace("[0.01, 0.03]", "[0.003, 0.01, 0.03]"));
    let grown = launch(&study, "s.toml");
    assert!(grown.contains("+2 new"), "{grown}");
}

/// A transfer costs its own 40 steps of 32 images, and two of them are held against each other at equal cost.
fn transfers_cost_and_compare(study: &Study) {
    let costs = study
        .query(&["select c.steps_seen, c.images_seen, c.flops_seen, j.flops, c.device_seconds
             from v_compute c join v_jobs j on j.id = c.job_id where j.stage = 'transfer'"]);
    assert_eq!(costs.len(), 4);
    for row in costs {
        assert_eq!((row["steps_seen"].as_str(), row["images_seen"].as_str()), ("40", "1280"));
        assert_eq!(row["flops_seen"], row["flops"]);
        assert!(row["device_seconds"].parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{row:?}");
    }
    // Images of 42 pixels have 36 patches where those of 28 have 16, so at equal cost they are at fewer steps.
    let of = |resolution| format!("stage=transfer,learning_rate=0.03,resolution={resolution}");
    let args = ["compare", &of(28), &of(42), "--at-equal", "flops", "--format", "json"];
    let ran = study.expect(0, &args);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(!rows.is_empty(), "{}", ran.stderr);
    for row in rows {
        let step = |side: &str| {
            let text = row[side].as_str().expect("a step or two").to_owned();
            text.split('–').next_back().and_then(|step| step.parse::<u64>().ok()).expect("a step")
        };
        assert!(step("a_between_steps") >= step("b_between_steps"), "{row}");
    }
}

#[test]
fn a_scheduler_killed_before_the_choice_comes_to_the_same_choice_and_the_same_bytes() {
    // What is to be struck lasts far longer than it takes to see it.
    let long = sweep(30).replace("steps = 40", "steps = 1500");
    let straight = Study::new();
    straight.write("s.toml", &long);
    launch(&straight, "s.toml");

    let struck = Study::new();
    struck.write("s.toml", &long);
    let mut running = struck.start(&[&["launch", "s.toml"][..], &FLAGS].concat());
    struck.wait_for(PAST_A_CHECKPOINT);
    running.signal(Signal::KILL);
    running.wait(Duration::from_mins(1));
    // The sweep file is of no use any more: what a study runs is in the study.
    std::fs::remove_file(struck.path("s.toml")).expect("is there");
    let mut running = struck.start(&[&["resume"][..], &FLAGS].concat());
    let transfers = "select job_id, a.pid from attempt a join job on job.id = job_id
                     where stage = 'transfer' and a.state = 'running' and a.pid is not null";
    let pid = struck.wait_for(transfers)[0]["pid"].parse().expect("a process id");
    kill(pid, Signal::KILL);
    let (status, stderr) = running.wait(Duration::from_mins(4));
    assert_eq!(status.code(), Some(0), "{stderr}");

    assert_eq!(struck.hashes(), straight.hashes());
    let chosen = |study: &Study| {
        let rows = study.query(&["select stage, rule, chosen from v_selections order by 1, 2"]);
        rows.into_iter().map(|row| row["chosen"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&struck), chosen(&straight));
}

#[test]
fn a_transfer_whose_upstream_parameters_are_gone_says_which_job_and_what_to_do() {
    let study = Study::new();
    let text = sweep(1).replace("select = \"best-val\", per = [\"model\"]", "select = \"all\"");
    study.write("s.toml", &text);
    study.expect(0, &["launch", "s.toml", "--register-only"]);
    let upstream = study.query(&["select id from v_jobs where stage = 'pretrain'"]);
    let only = text.split("[transfer]").next().expect("the start");
    study.write("upstream.toml", &only.replace("\"tiny\"", "\"upstream\""));
    launch(&study, "upstream.toml");
    for row in &upstream {
        let folder = study.root().join("runs").join(&row["id"]).join("checkpoint");
        std::fs::remove_file(folder.join("final.safetensors")).expect("it was kept");
    }
    study.expect(1, &[&["resume", "tiny"][..], &FLAGS].concat());
    let failed =
        study.query(&["select distinct failure, message from v_jobs where state = 'failed'"]);
    assert!(!failed.is_empty());
    for row in failed {
        assert_eq!(row["failure"], "data");
        assert!(row["message"].contains("final parameters of job"), "{}", row["message"]);
    }
}

#[test]
fn jobs_that_a_choice_adds_to_a_paused_sweep_wait_as_its_others_do() {
    let study = Study::new();
    study.write("s.toml", &sweep(30));
    study.expect(0, &["launch", "s.toml", "--register-only"]);
    let told = study.expect(0, &["status"]).stdout;
    assert!(told.contains("2 choices are open: jobs follow when their candidates"), "{told}");
    let mut running = study.start(&[&["resume"][..], &FLAGS].concat());
    study.wait_for(
        "select 1 from (select count(*) as n from attempt where state = 'running') where n = 2",
    );
    study.expect(0, &["pause", "tiny", "--drain"]);
    study.wait_for("select 1 from v_selections where stage = 'transfer' and chosen is not null");
    std::thread::sleep(Duration::from_secs(2));
    let rows = study.query(&["select distinct state from v_jobs where stage = 'transfer'"]);
    let states: Vec<_> = rows.iter().map(|row| row["state"].as_str()).collect();
    assert!(
        !states.is_empty() && states.iter().all(|s| matches!(*s, "queued" | "waiting")),
        "{states:?}"
    );
    study.expect(0, &["unpause", "tiny"]);
    let (ended, stderr) = running.wait(Duration::from_mins(3));
    assert_eq!(ended.code(), Some(0), "{stderr}");
    let left = study.query(&["select count(*) as n from v_jobs where state <> 'succeeded'"]);
    assert_eq!(left[0]["n"], "0");
}

#[test]
fn a_choice_that_a_dead_scheduler_did_not_come_to_is_made_by_the_next() {
    let study = Study::new();
    study.write("s.toml", &sweep(1));
    launch(&study, "s.toml");
    // As if it had died between the last upstream result and the choice.
    let jobs = "(select id from job where stage <> 'pretrain')";
    study.tamper(&format!(
        "DELETE FROM selection; DELETE FROM checkpoint WHERE job_id IN {jobs};
         DELETE FROM metric_series WHERE job_id IN {jobs}; DELETE FROM result WHERE job_id IN {jobs};
         DELETE FROM event WHERE job_id IN {jobs}; DELETE FROM attempt WHERE job_id IN {jobs};
         DELETE FROM member WHERE ordinal IN (SELECT ordinal FROM job WHERE stage <> 'pretrain');
         DELETE FROM tally;
         DELETE FROM job WHERE stage <> 'pretrain';
         INSERT INTO tally (sweep_id, state, total, flops)
             SELECT 0, state, count(*), sum(flops) FROM job GROUP BY state;
         INSERT INTO tally (sweep_id, state, total, flops)
             SELECT 1, state, count(*), sum(flops) FROM job GROUP BY state;
         INSERT INTO selection (sweep_id, key, stage, rule, \"group\", candidates, reason)
             SELECT id, 'open', 'transfer', 'a rule', '', 2, 'open' FROM sweep"
    ));
    for folder in std::fs::read_dir(study.root().join("runs")).expect("is there").flatten() {
        let id = folder.file_name().to_string_lossy().into_owned();
        let known = study.query(&[&format!("select 1 from job where id = '{id}'")]);
        if known.is_empty() {
            std::fs::remove_dir_all(folder.path()).expect("removes");
        }
    }
    study.expect(0, &[&["resume"][..], &FLAGS].concat());
    let done = study.query(&["select count(*) as n from v_jobs where state = 'succeeded'"]);
    assert_eq!(done[0]["n"], "8");
}

#[test]
fn a_budget_counts_what_open_choices_will_lead_to() {
    let study = Study::new();
    study.write("s.toml", &sweep(1));
    let planned = study.expect(0, &["plan", "s.toml"]).stdout;
    let amount = planned.split("compute  ").nth(1).and_then(|rest| rest.split(" to do").next());
    let (number, unit) = amount.and_then(|amount| amount.split_once(' ')).expect("a price");
    let number: f64 = number.parse().expect("a number");
    // Two per cent more than the jobs that are known; transfers take far more than that.
    let budget = |factor: f64| format!("[budget]\nflops = \"{:.6} {unit}\"\n", number * factor);
    study.write("s.toml", &(sweep(1) + &budget(1.02)));
    let refused = study.expect(2, &["launch", "s.toml"]).stderr;
    assert!(refused.contains("its budget is"), "{refused}");
    // To register costs nothing; to go on is held against the budget as a launch is.
    study.expect(0, &["launch", "s.toml", "--register-only"]);
    let refused = study.expect(2, &["resume"]).stderr;
    assert!(refused.contains("its budget is") && refused.contains("--force"), "{refused}");
    study.write("s.toml", &(sweep(1) + &budget(100.0)));
    study.expect(0, &["launch", "s.toml", "--register-only"]);
}

#[test]
fn a_file_of_weights_is_adapted_as_the_job_that_made_it_would_be() {
    let study = Study::new();
    let text = sweep(1);
    let (upstream, _) = text.split_once("[transfer]").expect("has one");
    let upstream = upstream.replace("[4e-3, 1e-5]", "4e-3");
    study.write("upstream.toml", &upstream.replace("\"tiny\"", "\"upstream\""));
    launch(&study, "upstream.toml");
    let job = &study.query(&["--columns", "id"])[0]["id"];
    study.expect(0, &["export", job, "--to", "timm", "--out", "na7.safetensors"]);
    let transfer = |upstream: &str| {
        format!(
            "[transfer]\nupstream = {upstream}\ndataset = \"others\"\nlearning_rate = 0.01\nsteps = 20\n\
             resolution = 42\nbatch_size = 32\ncrop = \"none\"\n"
        )
    };
    study.write("of-job.toml", &(upstream.clone() + &transfer("\"all\"")));
    launch(&study, "of-job.toml");
    let head = upstream.split("[pretrain]").next().expect("the start").replace("tiny", "of-file");
    study
        .write("of-file.toml", &(head.clone() + &transfer("{ checkpoint = \"na7.safetensors\" }")));
    launch(&study, "of-file.toml");
    let hashes =
        study.query(&["select parameters_sha256, imported from v_jobs where stage = 'transfer'"]);
    assert_eq!(hashes.len(), 2);
    assert_eq!(hashes[0]["parameters_sha256"], hashes[1]["parameters_sha256"]);

    study.write("none.toml", &(head + &transfer("{ checkpoint = \"nowhere.npz\" }")));
    let refused = study.expect(2, &["plan", "none.toml"]).stderr;
    assert!(refused.contains("nowhere.npz") && refused.contains("none.toml:"), "{refused}");
}
