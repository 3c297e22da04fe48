//! Workers that hang, crash, are killed, fail on one slot, or grow: each end is recorded for what it
//! was, and jobs go on elsewhere to the same bits.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use augreg_tests::memory_group::MemoryGroup;
use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Running, Study, binary, kill};
use rustix::process::Signal;

type Row = BTreeMap<String, String>;

fn sweep(seeds: &str, epochs: u32) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"light2\"\n\
         regularization = 0.1\nseed = {seeds}\nepochs = {epochs}\n{COMMON}"
    )
}

fn launch(study: &Study, flags: &[&str]) -> Running {
    let common = ["launch", "tiny.toml", "--checkpoint-seconds", "0.2"];
    study.start(&[&common[..], flags].concat())
}

/// Waits for a worker in the middle of a job that is none of `but`.
fn at_work(study: &Study, but: &[&Row]) -> Row {
    let taken: Vec<_> = but.iter().map(|row| format!("'{}'", row["job_id"])).collect();
    let sql = format!("{PAST_A_CHECKPOINT} and a.job_id not in ({})", taken.join(", "));
    study.wait_for(&sql).swap_remove(0)
}

fn pid(row: &Row) -> i32 {
    row["pid"].parse().expect("a process id")
}

/// Sends a signal until the process is gone. (Rust's own handler of SIGSEGV takes the first for a
/// fault that will happen again, as one of its own would.)
fn end(pid: i32, signal: Signal) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while is_there() {
        let _ = std::panic::catch_unwind(|| kill(pid, signal));
        assert!(Instant::now() < deadline, "{pid} does not die of {signal:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The attempt that a row is about, as it ended.
fn ended(study: &Study, row: &Row) -> Row {
    let (job, number) = (&row["job_id"], &row["number"]);
    let sql = format!("select * from attempt where job_id = '{job}' and number = {number}");
    study.query(&[&sql]).swap_remove(0)
}

#[test]
fn a_worker_that_hangs_crashes_or_is_killed_for_memory_costs_an_attempt_and_no_bit() {
    let undisturbed = Study::new();
    undisturbed.write("tiny.toml", &sweep("[0, 1, 2]", 40));
    undisturbed.expect(0, &["launch", "tiny.toml", "--workers", "2"]);

    let study = Study::new();
    study.write("tiny.toml", &sweep("[0, 1, 2]", 40));
    let mut augreg = launch(&study, &["--workers", "2", "--heartbeat-timeout", "4"]);
    let stopped = at_work(&study, &[]);
    kill(pid(&stopped), Signal::STOP);
    let crashed = at_work(&study, &[&stopped]);
    end(pid(&crashed), Signal::SEGV);
    let group = MemoryGroup::new();
    let confined = group.as_ref().map(|group| {
        let confined = at_work(&study, &[&stopped, &crashed]);
        group.confine(pid(&confined), 1 << 20).expect("the group is ours");
        confined
    });
    let (status, stderr) = augreg.wait(Duration::from_mins(4));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(study.hashes(), undisturbed.hashes(), "{stderr}");

    let mut ends = vec![
        (&stopped, "timeout", "the worker gave no sign of life for 4.0 s"),
        (&crashed, "lost", "the worker was killed by signal 11 (SIGSEGV)"),
    ];
    if let Some(confined) = &confined {
        ends.push((confined, "out-of-memory", "the system ran out of memory"));
    } else {
        let text = "not run: a kill for want of memory, for this user may make no control group";
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    for (row, failure, why) in ends {
        let attempt = ended(&study, row);
        assert_eq!((&*attempt["state"], &*attempt["failure"]), ("failed", failure), "{attempt:?}");
        assert!(attempt["message"].contains(why), "{attempt:?}");
        assert!(stderr.contains(&format!("after {failure}: ")), "{stderr}");
        let (job, number) = (&row["job_id"], &row["number"]);
        let next = format!(
            "select * from attempt where job_id = '{job}' and number > {number} and from_step > 0 \
             and pid <> {}",
            row["pid"]
        );
        assert!(!study.query(&[&next]).is_empty(), "{job} went on elsewhere, from a checkpoint");
        // What it wrote to standard error until then is kept, and quoted where it crashed.
        let logs = study.expect(0, &["logs", job, "--attempt", number]).stdout;
        assert!(logs.contains("training"), "{logs}");
        if failure != "timeout" {
            let last = logs.lines().last().unwrap_or_default();
            assert!(attempt["message"].contains(last), "{attempt:?}");
        }
    }
}

#[test]
fn workers_are_replaced_after_so_many_jobs_and_the_results_are_the_same() {
    let run = |flags: &[&str]| {
        let study = Study::new();
        study.write("tiny.toml", &sweep("[0, 1, 2, 3]", 1));
        let ran = study.expect(0, &[&["launch", "tiny.toml", "--workers", "1"], flags].concat());
        let pids = study.query(&["select pid, count(*) as jobs from attempt group by pid"]);
        let jobs: Vec<_> = pids.iter().map(|row| row["jobs"].clone()).collect();
        (study, ran.stderr, jobs)
    };
    let (warm, stderr, jobs) = run(&[]);
    assert_eq!(jobs, ["4"], "one process runs them all\n{stderr}");
    let expected = warm.hashes();
    for (flags, served, why) in [
        (&["--recycle-after", "2"][..], &["2", "2"][..], "it has run 2 jobs"),
        (&["--worker-memory", "1MB"], &["1", "1", "1", "1"], "MB of memory, 1 MB are allowed"),
        (&["--worker-memory", "1TB"], &["4"], ""),
    ] {
        let (study, stderr, jobs) = run(flags);
        assert_eq!(jobs, served, "{flags:?}\n{stderr}");
        assert_eq!(study.hashes(), expected, "{flags:?}");
        let told = study.query(&["select reason from event where what = 'worker-recycled'"]);
        assert_eq!(told.is_empty(), why.is_empty(), "{told:?}");
        for row in told {
            assert!(row["reason"].contains(why), "{row:?}");
            assert!(stderr.contains(&row["reason"]), "{stderr}");
        }
        let failed = study.query(&["select * from attempt where state <> 'succeeded'"]);
        assert!(failed.is_empty(), "{failed:?}");
    }
}

#[test]
fn jobs_of_milliseconds_are_counted_though_they_are_handed_out_ahead_of_time() {
    let study = Study::new();
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 95\n");
    let flags = ["--workers", "1", "--recycle-after", "10"];
    study.expect(0, &[&["--quiet", "launch", "idle.toml"], &flags[..]].concat());
    let pids = study.query(&["select count(*) as jobs from attempt group by pid order by 1"]);
    let jobs: Vec<_> = pids.iter().map(|row| row["jobs"].as_str()).collect();
    assert_eq!(jobs, ["5", "10", "10", "10", "10", "10", "10", "10", "10", "10"]);
    assert_eq!(study.query(&["select count(*) as n from attempt"])[0]["n"], "95", "none ran twice");
}

/// A worker that works on every slot but one, where it dies over whatever it is given: one job for
/// each that others finish, so that how fast the machine is makes no difference.
fn bad_on_slot_1(study: &Study) -> String {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh\n\
         case $(readlink /proc/$$/fd/2) in *worker-1.log)\n\
         echo '{{\"type\":\"hello\",\"version\":\"{version}\",\"pid\":'$$'}}'\n\
         done_so_far() {{ ls runs/*/checkpoint/final.safetensors 2>/dev/null | wc -l; }}\n\
         read -r assignment || exit 0\n\
         before=$(done_so_far)\n\
         for i in $(seq 60); do [ $(done_so_far) -gt $before ] && break; sleep 0.1; done\n\
         exit 3\n\
         ;;\n\
         esac\n\
         exec '{worker}'\n",
        version = env!("CARGO_PKG_VERSION"),
        worker = binary("augreg-worker").display(),
    );
    study.write("worker.sh", &script);
    let path = study.path("worker.sh");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it is ours");
    path.to_string_lossy().into_owned()
}

/// Threads: It4innovations/hyperqueue#501, #764, #937 (one bad node fails job after job).
#[test]
fn a_slot_that_fails_three_jobs_which_others_finish_is_quarantined_and_said_so() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]", 1));
    let worker = bad_on_slot_1(&study);
    let flags = ["launch", "tiny.toml", "--workers", "2"];
    let ran = study.with_worker(&worker, &flags);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = "slot 1 is quarantined: it failed 3 jobs in a row that succeeded elsewhere";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains(said), "{status}");
    let audit = study.query(&["select * from event where what = 'slot-quarantined'"]);
    assert!(audit.len() == 1 && audit[0]["reason"].contains(said), "{audit:?}");

    let lost = study.query(&["select slot, failure, message from attempt where state = 'failed'"]);
    assert!(lost.len() >= 3, "{lost:?}");
    let later = "select distinct slot from attempt \
                 where started > (select at from event where what = 'slot-quarantined')";
    let later = study.query(&[later]);
    assert!(later.len() == 1 && later[0]["slot"] == "0", "nothing more is handed to it: {later:?}");
    for row in &lost {
        assert_eq!((&*row["slot"], &*row["failure"]), ("1", "lost"), "{row:?}");
        assert!(row["message"].contains("exited with code 3"), "{row:?}");
    }
    // The next run tries it again, and says nothing of the last.
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 3\n");
    study.expect(0, &["launch", "idle.toml"]);
    let status = study.expect(0, &["status"]).stdout;
    assert!(!status.contains("quarantined"), "{status}");
}
