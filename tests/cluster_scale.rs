//! A cluster of many nodes, simulated: what following it costs, and that nothing is lost on the way.
//!
//! The programs of Slurm are one small program of ours (`fake_slurm`), in a world whose clock runs fast; augreg is the
//! real one. `AUGREG_SCALE=full` plays the transfers of the paper: 51,408 jobs on 1,000 nodes.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use augreg_tests::{Study, binary};
use serde_json::{Value, json};

struct Scale {
    /// The largest array, and the tasks that may be submitted at once.
    limits: [u64; 2],
    jobs: u64,
    nodes: u64,
    failures: f64,
    speed: f64,
}

/// Seconds there that a job takes.
const JOB: f64 = 600.0;

fn scale() -> Scale {
    match std::env::var("AUGREG_SCALE").as_deref() {
        Ok("full") => Scale {
            limits: [1001, 10_000],
            jobs: 51_408,
            nodes: 1000,
            failures: 0.02,
            speed: 120.0,
        },
        _ => Scale { limits: [60, 130], jobs: 1200, nodes: 50, failures: 0.1, speed: 900.0 },
    }
}

/// Seconds of processor that a process has taken, its children's apart.
fn cpu(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit_once(')')?.1;
    let ticks: Vec<u64> =
        rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    Some(ticks.iter().sum::<u64>() as f64 / 100.0)
}

#[test]
fn nothing_is_lost_on_a_thousand_nodes_of_which_some_fail_every_hour() {
    let Scale { limits: [array, submitted], jobs, nodes, failures, speed } = scale();
    let study = Study::new();
    let bin = study.path("bin");
    fs::create_dir(&bin).expect("creates");
    for name in ["sbatch", "squeue", "scontrol", "sacct", "scancel"] {
        symlink(binary("fake-slurm"), bin.join(name)).expect("links");
    }
    let settings = json!({
        "speed": speed, "nodes": nodes, "failures": failures, "job": JOB, "checkpoint": 60.0,
        "array": array, "submitted": submitted, "memory": 300.0,
    });
    fs::write(study.path("settings.json"), settings.to_string()).expect("writes");
    study.write("s.toml", &format!("name = \"scale\"\n[noop]\ncount = {jobs}\n"));
    let path = std::env::var("PATH").unwrap_or_default();
    let flags = [
        "launch",
        "s.toml",
        "--executor",
        "slurm",
        "--jobs-per-task",
        "6",
        "--poll-seconds",
        "0.2",
    ];
    let mut command = study.command(&flags);
    command.env("PATH", format!("{}:{path}", bin.display())).env("FAKE_SLURM", study.path(""));
    command.stderr(fs::File::create(study.path("said")).expect("creates"));
    let began = Instant::now();
    let mut child = command.spawn().expect("is built");
    let mut taken = 0.0;
    let ended = loop {
        taken = cpu(child.id()).unwrap_or(taken);
        if let Some(status) = child.try_wait().expect("waits") {
            break status;
        }
        assert!(began.elapsed() < Duration::from_mins(30), "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(study.path("said")).expect("reads");
    assert_eq!(ended.code(), Some(0), "{said}");
    let world: Value = serde_json::from_slice(&fs::read(study.path("world.json")).expect("reads"))
        .expect("is JSON");
    let number = |name: &str| world[name].as_f64().expect("a number");
    let failed: f64 = world["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["failed"].as_f64())
        .sum();

    let counts = study.query(&["select state, count(*) as n from v_jobs group by 1"]);
    assert_eq!(
        (counts.len(), &*counts[0]["state"], &*counts[0]["n"]),
        (1, "succeeded", &*jobs.to_string())
    );
    let results = study.query(&["select count(*) as n from result"]);
    assert_eq!(results[0]["n"], jobs.to_string());
    // Whatever was submitted is accounted for, and each job was in one share only.
    let shares = study.query(&["select count(*) as n, count(distinct job_id) as jobs
         from task_job join submission on id = submission_id where array_job is not null"]);
    assert_eq!((&shares[0]["n"], &shares[0]["jobs"]), (&jobs.to_string(), &jobs.to_string()));
    let open = study.query(&["select count(*) as n from v_tasks where over is null"]);
    assert_eq!(open[0]["n"], "0");
    let cut = study.query(&["select count(*) as n from v_attempts where state <> 'succeeded'"]);
    let cut: f64 = cut[0]["n"].parse().expect("a number");
    assert!(failed > 0.0 && cut > 0.0, "{failed} nodes failed, {cut} attempts were cut off");
    let calls = &world["calls"];
    let counted = |which: &str| -> u64 {
        let asked = format!("select count(*) as n from submission where array_job is {which} null");
        study.query(&[&asked])[0]["n"].parse().expect("a number")
    };
    let (arrays, refused) = (counted("not"), counted(""));
    // One call asked before anything was registered.
    assert_eq!(calls["sbatch"].as_u64(), Some(arrays + refused + 1), "{calls}");
    let fewest = jobs.div_ceil(6).div_ceil(array);
    assert!(arrays <= 4 * fewest, "{arrays} arrays where {fewest} would do");
    assert!(refused > 0 || jobs.div_ceil(6) < submitted, "the limit was never reached");

    let hours = number("useful") / 3600.0;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!("{jobs} jobs of {JOB} s on {nodes} nodes, {} % failures an hour", 100.0 * failures);
    println!("{:.1} h there, {minutes:.1} min here", minutes / 60.0 * speed);
    println!(
        "{failed} nodes failed, {cut} attempts cut off, {:.3} % of the work done again",
        100.0 * number("lost") / number("useful")
    );
    println!(
        "{:.1} % of the nodes' time was work",
        100.0 * hours / (nodes as f64 * minutes / 60.0 * speed)
    );
    println!(
        "calls: {calls}; squeue {:.1} a minute here",
        calls["squeue"].as_f64().unwrap_or(0.0) / minutes
    );
    println!(
        "augreg's own processor time {taken:.1} s, {:.2} % of a core",
        100.0 * taken / (60.0 * minutes)
    );
}
