//! Sweeps on a real Slurm cluster with an accounting: what it limits, what it remembers, and what people do to
//! sweeps there.

use std::fs;
use std::time::Duration;

use augreg_tests::slurm::Slurm;
use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Study};
use rustix::process::{Pid, Signal, kill_process};

const FLAGS: [&str; 6] =
    ["--executor", "slurm", "--poll-seconds", "0.5", "--checkpoint-seconds", "0.5"];

fn sweep(epochs: u32, executor: &str) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = [\"none\", \"light1\"]\nepochs = {epochs}\n\
         seed = [0, 1]\n{COMMON}\n[executor]\nkind = \"slurm\"\njobs_per_task = 1\n{executor}\n"
    )
}

/// Every job has succeeded, and with the bytes that this machine alone finds.
fn is_whole(study: &Study, text: &str) {
    let alone = Study::new();
    alone.write("s.toml", text);
    alone.expect(0, &["launch", "s.toml", "--executor", "local", "--workers", "2"]);
    assert_eq!(study.hashes(), alone.hashes());
    let left = "select count(*) as n from v_jobs where state <> 'succeeded'";
    assert_eq!(study.query(&[left])[0]["n"], "0");
}

#[test]
fn limits_of_an_account_are_kept_and_what_the_queue_forgets_the_accounting_tells() {
    // What has ended is out of the queue before it is asked again.
    let knobs = [("CPUS", "1"), ("GPUS", "0"), ("DBD", "1"), ("MIN_JOB_AGE", "2")];
    let Some(slurm) = Slurm::up(&knobs) else { return };
    let me = whoami();
    for change in [
        "add account vision".to_owned(),
        format!("add user {me} account=vision"),
        "add qos patient".to_owned(),
        "modify qos patient set MaxSubmitJobsPerUser=2".to_owned(),
        format!("modify user {me} set qos=normal,patient"),
    ] {
        let words: Vec<&str> = ["-i"].into_iter().chain(change.split(' ')).collect();
        let ran = slurm.run("sacctmgr", &words);
        assert_eq!(ran.code, Some(0), "{change}: {}{}", ran.stdout, ran.stderr);
    }
    let text = sweep(1, "account = \"vision\"\nqos = \"patient\"");
    let study = slurm.study();
    study.write("s.toml", &text);

    // What Slurm would refuse is refused before anything is registered.
    for (flag, value, said) in
        [("--account", "nobody", "Invalid account"), ("--qos", "royal", "Invalid qos")]
    {
        let refused =
            study.expect(2, &[&["launch", "s.toml"][..], &FLAGS, &[flag, value]].concat()).stderr;
        assert!(refused.contains(said) && refused.contains("sacctmgr show"), "{refused}");
        assert!(!study.root().join("augreg.db").exists(), "nothing was registered");
    }

    // Two of four tasks are let through at once.
    let told = study
        .expect(0, &["launch", "s.toml", "--poll-seconds", "5", "--checkpoint-seconds", "0.5"])
        .stderr;
    assert!(told.contains("submitted 2 tasks for 2 jobs"), "{told}");
    // Why not all four is told in Slurm's word and ours.
    assert!(told.contains("QOSMaxSubmitJobPerUserLimit; an array of 2 is tried"), "{told}");
    is_whole(&study, &text);
    let tasks =
        "select distinct state, node is not null as placed from v_tasks where state <> 'GIVEN_UP'";
    let tasks = study.query(&[tasks]);
    assert_eq!(
        (tasks.len(), &*tasks[0]["state"], &*tasks[0]["placed"]),
        (1, "COMPLETED", "1"),
        "{tasks:?}"
    );
    let queue = slurm.run("squeue", &["-h", "-t", "all"]).stdout;
    assert!(queue.lines().count() < 4, "the queue has forgotten what ended: {queue}");
}

fn whoami() -> String {
    let ran = std::process::Command::new("id").arg("-un").output().expect("is everywhere");
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// The process that is this one where it runs: nodes count their own.
fn worker_here(study: &Study, task: &str, there: &str) -> i32 {
    let root = study.root().canonicalize().expect("is there");
    let root = root.to_string_lossy();
    let (_, number) = task.split_once('_').expect("an index");
    let share = format!("task-{number}.jsonl");
    let processes = fs::read_dir("/proc").expect("is there").flatten();
    let found = processes.filter_map(|process| {
        let here = process.file_name().to_string_lossy().parse().ok()?;
        let command = fs::read_to_string(process.path().join("cmdline")).ok()?;
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let is_it = command.contains(&share) && command.contains(&*root);
        let is_worker = command.contains("augreg-worker");
        (is_it && is_worker && ids.split_whitespace().next_back() == Some(there)).then_some(here)
    });
    let found: Vec<i32> = found.collect();
    assert_eq!(found.len(), 1, "one worker of the study is {there} on its node: {found:?}");
    found[0]
}

/// No warning has come, and the worker is stopped in its tracks until Slurm kills it.
#[test]
fn a_task_that_slurm_ends_at_its_time_limit_goes_on_from_its_checkpoint_in_another() {
    let Some(slurm) = Slurm::up(&[("CPUS", "1"), ("GPUS", "0"), ("KILL_WAIT", "2")]) else {
        return;
    };
    // No warning comes: Slurm sends what it has instead, which nobody minds.
    let text = sweep(80, "time = \"1 min\"\nsbatch = \"--signal=B:URG@1\"");
    let study = slurm.study();
    study.write("s.toml", &text);
    let mut running = study.start(&[&["launch", "s.toml"][..], &FLAGS].concat());
    let row = &study.wait_for(PAST_A_CHECKPOINT)[0];
    let of = format!("where job_id = '{}' and number = {}", row["job_id"], row["number"]);
    let at_work = format!("select pid, slot from v_attempts {of} and pid is not null");
    let at_work = &study.wait_for(&at_work)[0];
    let worker = worker_here(&study, &at_work["slot"], &at_work["pid"]);
    // Slurm wakes what it is about to end.
    let worker = Pid::from_raw(worker).expect("a process id");
    let held = std::thread::spawn(move || {
        while kill_process(worker, Signal::STOP).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });

    let (status, stderr) = running.wait(Duration::from_mins(8));
    assert_eq!(status.code(), Some(0), "{stderr}");
    held.join().expect("the worker is gone");
    let ended = study.query(&[&format!("select failure, message from v_attempts {of}")]);
    assert_eq!(ended[0]["failure"], "timeout", "{ended:?}");
    assert!(ended[0]["message"].contains("reached its time limit"), "{ended:?}");
    let (array, number) = at_work["slot"].split_once('_').expect("an array and an index");
    let task = format!(
        "select task.state as state from task join submission on id = submission_id
         where array_job = '{array}' and number = {number}"
    );
    let task = study.query(&[&task]);
    assert_eq!(task[0]["state"], "TIMEOUT");
    let next = format!("select number from v_attempts where job_id = '{}'", row["job_id"]);
    assert!(study.query(&[&next]).len() > 1, "the job went on in another task");
    is_whole(&study, &text);
}

#[test]
fn a_sweep_in_slurm_is_paused_goes_on_and_loses_a_running_job_when_that_is_cancelled() {
    let Some(slurm) = Slurm::up(&[("CPUS", "1"), ("GPUS", "0")]) else { return };
    let text = sweep(60, "");
    let study = slurm.study();
    study.write("s.toml", &text);
    let mut running = study.start(&[&["launch", "s.toml"][..], &FLAGS].concat());
    study.wait_for(PAST_A_CHECKPOINT);

    study.expect(0, &["pause", "tiny"]);
    study.wait_for("select 1 where not exists (select 1 from v_jobs where state = 'running')");
    study.wait_for("select 1 where not exists (select 1 from task where over is null)");
    assert!(running.is_running(), "it waits for the pause to end");
    study.expect(0, &["unpause", "tiny"]);

    let row = &study.wait_for(PAST_A_CHECKPOINT)[0];
    study.expect(0, &["cancel", &row["job_id"]]);
    let cancelled =
        format!("select 1 from v_jobs where id = '{}' and state = 'cancelled'", row["job_id"]);
    study.wait_for(&cancelled);

    let (status, stderr) = running.wait(Duration::from_mins(4));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("was taken back"), "{stderr}");
    assert!(!stderr.contains("not by augreg"), "{stderr}");
    let counts = study.query(&["select state, count(*) as n from v_jobs group by 1 order by 1"]);
    let counts: Vec<_> = counts.iter().map(|row| (&*row["state"], &*row["n"])).collect();
    assert_eq!(counts, [("cancelled", "1"), ("succeeded", "3")]);
    let most = "select max(number) as most from v_attempts where failure is not null";
    assert_eq!(study.query(&[most])[0]["most"], "", "nothing failed");
}
