//! Sweeps on a real Slurm cluster of two nodes: what they find is what this machine alone finds, whatever
//! befalls the cluster or the command that follows it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use augreg_tests::slurm::Slurm;
use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Study};
use rustix::process::Signal;

/// Every node one CPU, so that two tasks run at once, on two nodes.
const KNOBS: [(&str, &str); 2] = [("CPUS", "1"), ("GPUS", "0")];

const FLAGS: [&str; 6] =
    ["--executor", "slurm", "--poll-seconds", "0.5", "--checkpoint-seconds", "0.5"];

/// Four jobs of so many epochs, 63 steps each.
fn sweep(epochs: u32, executor: &str) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = [\"none\", \"light1\"]\nepochs = {epochs}\n\
         seed = [0, 1]\n{COMMON}\n[executor]\n{executor}\n"
    )
}

fn launch(study: &Study, more: &[&str]) -> String {
    study.expect(0, &[&["launch", "s.toml"][..], &FLAGS, more].concat()).stderr
}

/// What this machine alone finds.
fn alone(text: &str) -> BTreeMap<String, String> {
    let study = Study::new();
    study.write("s.toml", text);
    study.expect(0, &["launch", "s.toml", "--executor", "local", "--workers", "2"]);
    study.hashes()
}

/// No two attempts of a job were at work at once: journals begin when the job's lock is had.
fn nothing_ran_twice_at_once(study: &Study) {
    let mut times: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for job in fs::read_dir(study.root().join("runs")).expect("is there").flatten() {
        for attempt in fs::read_dir(job.path()).expect("is there").flatten() {
            let Ok(text) = fs::read_to_string(attempt.path().join("journal.jsonl")) else {
                continue;
            };
            let at = |line: &str| -> Option<u64> {
                serde_json::from_str::<serde_json::Value>(line).ok()?["entry"]["at"].as_u64()
            };
            let at: Vec<u64> = text.lines().filter_map(at).collect();
            if let (Some(first), Some(last)) = (at.first(), at.last()) {
                let name = job.file_name().to_string_lossy().into_owned();
                times.entry(name).or_default().push((*first, *last));
            }
        }
    }
    for (job, mut spans) in times {
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{job} ran twice at once: {spans:?}");
        }
    }
}

fn is_whole(study: &Study, expected: &BTreeMap<String, String>) {
    assert_eq!(study.hashes(), *expected);
    nothing_ran_twice_at_once(study);
    let left = "select count(*) as n from v_jobs where state <> 'succeeded'";
    assert_eq!(study.query(&[left])[0]["n"], "0");
}

#[test]
fn a_sweep_on_two_nodes_finds_what_this_machine_alone_finds() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let transfer = "\n[transfer]\nupstream = { select = \"best-val\", per = [\"model\"] }\ndataset = \"fashion\"\n\
                    learning_rate = [0.01, 0.03]\nsteps = 30\nresolution = 28\nbatch_size = 32\ncrop = \"none\"\n";
    let study = slurm.study();
    let scratch = study.path("scratch");
    fs::create_dir(&scratch).expect("there is room");
    let executor = format!(
        "kind = \"slurm\"\njobs_per_task = 2\nsetup = [\"export AUGREG_LOG=info\"]\nscratch = \"{}\"",
        scratch.display()
    );
    let text = sweep(1, &executor).replace("\n[executor]", &format!("{transfer}\n[executor]"));
    study.write("s.toml", &text);
    let plan = study.expect(0, &["plan", "s.toml"]).stdout;
    assert!(plan.contains("+4 new"), "{plan}");
    let told = study.expect(0, &["launch", "s.toml", "--poll-seconds", "0.5"]).stderr;
    assert!(told.contains("submitted 2 tasks for 4 jobs as "), "{told}");
    is_whole(&study, &alone(&text));

    let placed = study.query(&["select slot, host, executor, batch_job, restarts from v_attempts"]);
    assert_eq!(placed.len(), 6);
    for row in &placed {
        assert_eq!(row["executor"], "slurm");
        assert!(row["slot"].contains('_') && row["host"].starts_with('n'), "{row:?}");
        assert!(row["batch_job"].parse::<u32>().is_ok(), "{row:?}");
    }
    let nodes: std::collections::BTreeSet<_> = placed.iter().map(|row| &row["host"]).collect();
    assert_eq!(nodes.len(), 2, "both nodes were at work");
    let job = &study.query(&["--columns", "id"])[0]["id"];
    let story = study.expect(0, &["show", job]).stdout;
    assert!(story.contains("task ") && story.contains(" on n"), "{story}");
    let tasks = study.query(&["select distinct state, jobs = jobs_ended as whole from v_tasks"]);
    assert_eq!((tasks.len(), &*tasks[0]["state"], &*tasks[0]["whole"]), (1, "COMPLETED", "1"));
    // What an attempt has taken is what its journal says, whenever it was looked at.
    let took = "select count(*) as n from v_attempts where seconds is null or seconds < 0";
    assert_eq!(study.query(&[took])[0]["n"], "0");
    // Data were read from the node's own disk, which is as it was before.
    let log = "select submission from v_tasks where number = 0 limit 1";
    let log = format!("slurm/{}/task-0.log", study.query(&[log])[0]["submission"]);
    let log = fs::read_to_string(study.root().join(log)).expect("it was written");
    assert!(log.contains("copied ") && log.contains("fashion-mnist"), "{log}");
    assert_eq!(fs::read_dir(&scratch).expect("is there").count(), 0);
    // Nothing is submitted for what is done.
    assert!(launch(&study, &[]).contains("nothing to run"));
}

/// hydra-ecosystem/hydra#1928, submitit#1732: what Slurm or people do to tasks is not taken for an end of jobs.
#[test]
fn whatever_befalls_tasks_nodes_and_controller_a_sweep_ends_with_the_same_bytes() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let text = sweep(150, "kind = \"slurm\"\njobs_per_task = 1");
    let study = slurm.study();
    study.write("s.toml", &text);
    let mut running = study.start(&[&["launch", "s.toml"][..], &FLAGS].concat());

    // Somebody cancels a task from outside.
    let row = &study.wait_for(PAST_A_CHECKPOINT)[0];
    let task = format!(
        "select slot from v_attempts where job_id = '{}' and state = 'running'",
        row["job_id"]
    );
    let task = study.wait_for(&task)[0]["slot"].clone();
    assert_eq!(slurm.run("scancel", &[&task]).code, Some(0));
    study.wait_for(&format!(
        "select 1 from v_attempts where job_id = '{}' and state = 'failed'",
        row["job_id"]
    ));

    // A job from a higher partition takes both nodes.
    let urgent = [
        "-p",
        "high",
        "-N",
        "2",
        "--exclusive",
        "--job-name=urgent",
        "-o",
        "/dev/null",
        "--wrap",
        "sleep 3",
    ];
    assert_eq!(slurm.run("sbatch", &urgent).code, Some(0));
    study.wait_for("select 1 from v_attempts where restarts > 0");

    // A node loses its power, and comes back.
    study.wait_for(PAST_A_CHECKPOINT);
    slurm.node("n1", "poweroff");
    std::thread::sleep(Duration::from_secs(2));
    slurm.node("n1", "start");

    // The controller is down for a while; tasks go on.
    study.wait_for(PAST_A_CHECKPOINT);
    slurm.kill_controller();
    std::thread::sleep(Duration::from_secs(30));
    slurm.start();

    let (status, stderr) = running.wait(Duration::from_mins(8));
    assert_eq!(status.code(), Some(0), "{stderr}");
    is_whole(&study, &alone(&text));
}

/// facebookincubator/submitit PR#1603: a time limit is no failure.
#[test]
fn a_task_that_nears_its_time_limit_writes_a_checkpoint_and_is_put_back_to_the_queue() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    // Slurm gives the warning up to a minute early, so within seconds of the start.
    let text = sweep(60, "kind = \"slurm\"\ntime = \"1 min\"\ngrace = \"45 s\"\njobs_per_task = 4");
    let study = slurm.study();
    study.write("s.toml", &text);
    launch(&study, &[]);
    is_whole(&study, &alone(&text));
    let again =
        "select max(restarts) as most, count(*) as n from v_attempts where failure = 'preempted'";
    let again = &study.query(&[again])[0];
    assert_ne!(again["n"], "0", "{again:?}");
    let message = "select message from v_attempts where failure = 'preempted' limit 1";
    assert!(study.query(&[message])[0]["message"].contains("the checkpoint holds step"));
}

#[test]
fn a_command_that_is_killed_at_any_moment_neither_loses_nor_submits_twice() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let text = sweep(8, "kind = \"slurm\"\njobs_per_task = 1");
    let study = slurm.study();
    study.write("s.toml", &text);
    // Blows at moments that are not chosen, from before the first word on.
    for blow in 0..10_u64 {
        let command = if blow == 0 { ["launch", "s.toml"] } else { ["resume", "tiny"] };
        let command =
            if study.root().join("augreg.db").exists() { ["resume", "tiny"] } else { command };
        let mut running = study.start(&[&command[..], &FLAGS].concat());
        std::thread::sleep(Duration::from_millis(blow * blow * 37 % 1900));
        if running.is_running() {
            running.signal(Signal::KILL);
        }
        running.wait(Duration::from_secs(10));
    }
    if study.root().join("augreg.db").exists() {
        study.expect(0, &[&["resume"][..], &FLAGS].concat());
    } else {
        launch(&study, &[]);
    }
    is_whole(&study, &alone(&text));
    let shares = "select max(n) as most from (select count(*) as n from task_job group by job_id)";
    assert_eq!(study.query(&[shares])[0]["most"], "1", "no job was submitted twice");
    let attempts = study.query(&["select max(number) as most from attempt"]);
    assert_eq!(attempts[0]["most"], "1", "tasks went on meanwhile");
}

#[test]
fn what_slurm_refuses_is_told_in_its_words_and_nothing_is_lost() {
    let Some(slurm) = Slurm::up(&[("CPUS", "1"), ("GPUS", "1"), ("MAX_ARRAY", "3")]) else {
        return;
    };
    let study = slurm.study();
    study
        .write("s.toml", &sweep(1, "kind = \"slurm\"\npartition = \"nowhere\"\njobs_per_task = 1"));
    let refused = study.expect(2, &[&["launch", "s.toml"][..], &FLAGS].concat()).stderr;
    assert!(refused.contains("invalid partition specified: nowhere"), "{refused}");
    assert!(refused.contains("sinfo --summarize"), "{refused}");
    assert!(!study.root().join("augreg.db").exists(), "nothing was registered");
    study.expect(0, &["launch", "s.toml", "--register-only"]);

    // What tasks have is what their time is reckoned by, not what this machine has.
    let plan = study.expect(0, &["plan", "s.toml", "--gpus", "h100:1", "--parallel", "8"]).stdout;
    assert!(plan.contains("on 8 slots of GPU"), "{plan}");

    let much = ["--partition", "main", "--gpus", "h100:7"];
    let refused = study.expect(2, &[&["resume"][..], &FLAGS, &much].concat()).stderr;
    assert!(refused.contains("Requested node configuration is not available"), "{refused}");
    assert!(refused.contains("`gpus`"), "{refused}");

    // Arrays are no larger than the cluster allows.
    let told =
        study.expect(0, &[&["resume"][..], &FLAGS, &["--partition", "main"]].concat()).stderr;
    assert!(
        told.contains("submitted 3 tasks for 3 jobs")
            && told.contains("submitted 1 task for 1 jobs"),
        "{told}"
    );
    let left = study.query(&["select count(*) as n from v_jobs where state <> 'succeeded'"]);
    assert_eq!(left[0]["n"], "0");
}

#[test]
fn what_is_left_to_slurm_is_told_cancelled_and_collected() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let text = sweep(20, "kind = \"slurm\"\njobs_per_task = 1");
    let study = slurm.study();
    study.write("s.toml", &text);
    let left = launch(&study, &["--detach"]);
    assert!(left.contains("left to Slurm"), "{left}");
    // The nodes have room for two.
    slurm.wait_for("|PENDING|");
    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains("waiting: "), "{status}");
    let refused = study.expect(2, &["resume", "--executor", "local"]).stderr;
    assert!(refused.contains("are in Slurm"), "{refused}");

    let waiting = slurm.wait_for("|PENDING|");
    let task = waiting.lines().find(|line| line.contains("|PENDING|")).expect("one waits");
    assert!(task.contains("augreg-"), "{task}");
    let queued = "select job_id from task_job where number = 3";
    let job = study.query(&[queued])[0]["job_id"].clone();
    study.expect(0, &["cancel", &job]);
    study.wait_for_status("running in Slurm");
    let at_work = study.query(&["select id from v_jobs where state = 'running'"])[0]["id"].clone();
    let told = study.expect(0, &["cancel", &at_work]).stderr;
    assert!(told.contains("was left to Slurm"), "{told}");
    study.expect(0, &[&["resume"][..], &FLAGS].concat());
    let counts = study.query(&["select state, count(*) as n from v_jobs group by 1 order by 1"]);
    let counts: Vec<_> = counts.iter().map(|row| (&*row["state"], &*row["n"])).collect();
    assert_eq!(counts, [("cancelled", "2"), ("succeeded", "2")]);
    let mut expected = alone(&text);
    for cancelled in [job, at_work] {
        expected.remove(&cancelled);
    }
    assert_eq!(study.hashes(), expected);
    nothing_ran_twice_at_once(&study);
}

#[test]
fn what_starts_from_other_jobs_is_left_to_slurm_with_them_and_status_collects() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let transfer = "\n[transfer]\nupstream = \"all\"\ndataset = \"fashion\"\nlearning_rate = 0.01\n\
                    steps = 30\nresolution = 28\nbatch_size = 32\ncrop = \"none\"\n";
    let text = sweep(1, "kind = \"slurm\"\njobs_per_task = 2")
        .replace("\n[executor]", &format!("{transfer}\n[executor]"));
    let study = slurm.study();
    study.write("s.toml", &text);
    let left = launch(&study, &["--detach"]);
    assert!(left.contains("behind those they start from"), "{left}");
    // Nobody follows; whoever asks how it goes takes in what there is.
    study.wait_for_status("8 jobs, 8 succeeded");
    // A task ends a moment after the last of its jobs, and whoever asks then takes in its end too.
    study.wait_for_status_without("Slurm: ");
    let took = "select count(*) as n from v_attempts where seconds is null or seconds < 0";
    assert_eq!(study.query(&[took])[0]["n"], "0");
    is_whole(&study, &alone(&text));
    let submitted = study.query(&["select count(*) as n from submission"]);
    assert_eq!(submitted[0]["n"], "2");
}

#[test]
fn a_doctor_asks_a_node_what_it_sees() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let study = slurm.study();
    let told = study.expect(0, &["doctor", "--executor", "slurm"]).stdout;
    for said in [
        "augreg-worker ",
        "slurm-wlm ",
        "arrays of up to 1,001 tasks",
        " sees what is written here",
        "locks work between n",
    ] {
        assert!(told.contains(said), "no `{said}` in\n{told}");
    }
    study.write("s.toml", &sweep(1, "kind = \"slurm\"\npartition = \"nowhere\""));
    let ran = study.expect(2, &["doctor", "s.toml"]);
    assert!(ran.stdout.contains("FAIL  `sbatch` refused: invalid partition"), "{}", ran.stdout);
    assert!(ran.stdout.contains("sinfo --summarize"), "{}", ran.stdout);
}

/// The GPUs are made of `/dev/null`, so the jobs are those that do nothing.
#[test]
fn a_task_with_two_gpus_has_a_worker_for_each() {
    let Some(slurm) = Slurm::up(&[("CPUS", "2"), ("GPUS", "2")]) else { return };
    let study = slurm.study();
    study.write("s.toml", "name = \"idle\"\n[noop]\ncount = 7\n");
    let told = launch(&study, &["--gpus", "h100:2", "--cpus", "2", "--jobs-per-task", "7"]);
    assert!(told.contains("submitted 1 task for 7 jobs"), "{told}");
    let rows = study.query(&[
        "select gpus, count(*) as n, count(distinct pid) as workers from v_attempts group by 1",
    ]);
    assert_eq!((rows.len(), &*rows[0]["gpus"], &*rows[0]["n"]), (1, "0,1", "7"));
    assert_eq!(rows[0]["workers"], "2");
}

#[test]
fn an_array_that_slurm_took_when_the_command_was_killed_is_found_again_by_its_name() {
    let Some(slurm) = Slurm::up(&KNOBS) else { return };
    let text = sweep(2, "kind = \"slurm\"\njobs_per_task = 2");
    let study = slurm.study();
    study.write("s.toml", &text);
    // The real one takes it; then whoever asked is killed before it hears of that.
    let bin = study.path("bin");
    fs::create_dir(&bin).expect("there is room");
    let killer = bin.join("sbatch");
    let script = format!(
        "#!/bin/sh\nPATH='{}'\n[ \"$1\" = --test-only ] && exec sbatch \"$@\"\n\
             sbatch \"$@\" >/dev/null\nkill -9 $PPID\n",
        slurm.path()
    );
    fs::write(&killer, script).expect("there is room");
    fs::set_permissions(&killer, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut command = study.command(&[&["launch", "s.toml"][..], &FLAGS].concat());
    let ran = command.env("PATH", format!("{}:{}", bin.display(), slurm.path())).output();
    assert_eq!(ran.expect("runs").status.signal(), Some(Signal::KILL.as_raw()));
    let prepared = study.query(&["select state, array_job from submission"]);
    assert_eq!(
        (prepared.len(), &*prepared[0]["state"], &*prepared[0]["array_job"]),
        (1, "prepared", "")
    );

    let told = study.expect(0, &[&["resume"][..], &FLAGS].concat()).stderr;
    assert!(told.contains("again: Slurm has it as "), "{told}");
    let queue = slurm.run("squeue", &["-h", "-t", "all", "-o", "%F"]).stdout;
    let arrays: std::collections::BTreeSet<_> = queue.lines().collect();
    assert_eq!(arrays.len(), 1, "{queue}");
    is_whole(&study, &alone(&text));
    let attempts = study.query(&["select max(number) as most from attempt"]);
    assert_eq!(attempts[0]["most"], "1");
}
