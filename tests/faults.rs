//! Damaged files, and files of other versions: each is named, with what was kept and how to mend it,
//! and nothing begins again without saying so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Ran, Study, kill};
use rustix::process::Signal;

fn sweep(seeds: &str) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"light2\"\nseed = {seeds}\n\
         epochs = 20\n{COMMON}"
    )
}

const LAUNCH: [&str; 6] = ["launch", "tiny.toml", "--workers", "1", "--checkpoint-seconds", "0.2"];

fn undisturbed(seeds: &str) -> Study {
    let study = Study::new();
    study.write("tiny.toml", &sweep(seeds));
    study.expect(0, &LAUNCH);
    study
}

/// A study of which the scheduler and the worker were killed in the middle of a job.
fn killed(seeds: &str) -> Study {
    let study = Study::new();
    study.write("tiny.toml", &sweep(seeds));
    let mut launch = study.start(&LAUNCH);
    study.wait_for(PAST_A_CHECKPOINT);
    // Neither is to see the other go: a worker would stop in order, within milliseconds.
    launch.signal(Signal::STOP);
    study.workers().into_iter().for_each(|pid| kill(pid, Signal::KILL));
    while !study.workers().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    launch.signal(Signal::KILL);
    launch.wait(Duration::from_mins(3));
    study
}

fn only(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).expect("reads").flatten();
    let first = entries.next().expect("there is one").path();
    assert!(entries.next().is_none(), "there is one only");
    first
}

/// One error that says all of this, with advice, and no panic.
fn is_clear(ran: &Ran, said: &[&str]) {
    assert!(ran.code.is_some_and(|code| code == 1 || code == 2), "{:?} {}", ran.code, ran.stderr);
    for said in said.iter().chain(&["help: "]) {
        assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

/// Threads: It4innovations/hyperqueue#1059 (a damaged journal keeps the server from starting),
/// IDSIA/sacred#566, #434 (days of runs lost with the database).
#[test]
fn hyperqueue_1059_a_damaged_database_is_named_and_a_new_one_learns_from_the_journals() {
    let expected = undisturbed("[0, 1]");
    let study = Study::new();
    study.write("tiny.toml", &sweep("[0, 1]"));
    let mut launch = study.start(&LAUNCH);
    study.wait_for(&format!("{PAST_A_CHECKPOINT} and exists (select 1 from result)"));
    launch.signal(Signal::INT);
    assert_eq!(launch.wait(Duration::from_mins(3)).0.code(), Some(130));

    let database = study.root().join("augreg.db");
    let path = database.display().to_string();
    let sound = std::fs::read(&database).expect("reads");
    let commands = [&["status"][..], &["resume"], &LAUNCH, &["query", "select * from v_jobs"]];
    let advice =
        ["nothing that was trained is lost", "`runs/`", "launch the same sweep files", ".recover"];
    let damaged = |bytes: &[u8], finding: &str| {
        std::fs::write(&database, bytes).expect("writes");
        for command in commands {
            is_clear(&study.augreg(command), &[&[&path, finding][..], &advice].concat());
            assert_eq!(std::fs::read(&database).expect("reads"), bytes, "it is left as it is");
        }
    };
    damaged(&sound[..sound.len() / 2], "it has lost its end");
    let mut scratched = sound.clone();
    scratched[..100].fill(0xa5);
    damaged(&scratched, "damaged or no SQLite database");

    // Damage that only shows where somebody looks is looked for after a crash.
    let mut scratched = sound.clone();
    let middle = sound.len() / 2 / 4096 * 4096;
    scratched[middle..middle + 512].fill(0xa5);
    std::fs::write(&database, &scratched).expect("writes");
    let log = database.with_extension("db-wal");
    std::fs::write(&log, []).expect("writes");
    let refused = study.augreg(&["resume"]);
    is_clear(&refused, &[&[&*path, "damaged"][..], &advice].concat());
    let _ = std::fs::remove_file(&log);

    std::fs::write(&database, []).expect("writes");
    for command in [&["status"][..], &["resume"]] {
        is_clear(&study.augreg(command), &[&[&*path, "is empty"][..], &advice].concat());
    }

    // As advised.
    for name in ["augreg.db", "augreg.db-wal", "augreg.db-shm"] {
        let _ = std::fs::rename(study.root().join(name), study.path(name));
    }
    let mended = study.expect(0, &LAUNCH);
    let said = "the database did not know 2 attempts that left journals";
    assert!(mended.stderr.contains(said), "{}", mended.stderr);
    assert!(mended.stderr.contains("1 jobs have their results"), "{}", mended.stderr);
    assert_eq!(study.hashes(), expected.hashes());
    let curves = "select job_id, name, step, value from v_curves where name <> 'images_per_second' \
                  and name not like '%_seconds' order by 1, 2, 3";
    assert!(study.query(&[curves]) == expected.query(&[curves]), "every metric of every step");
    let again = study.query(&["select sum(ran_again) as n from v_ledger where sweep is null"]);
    assert_eq!(again[0]["n"], "0");
    let attempts = study
        .query(&["select number, from_step > 0 as resumed, device, host from attempt \
                                  order by number desc"]);
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    assert_eq!((&*attempts[0]["number"], &*attempts[0]["resumed"]), ("2", "1"), "{attempts:?}");
    assert!(attempts.iter().all(|row| !row["host"].is_empty()), "{attempts:?}");
}

#[test]
fn a_damaged_journal_is_named_by_file_and_byte_and_its_job_goes_on_from_its_checkpoint() {
    let study = killed("0");
    let journal = only(&study.root().join("runs")).join("attempt-1/journal.jsonl");
    let mut bytes = std::fs::read(&journal).expect("reads");
    // Half a line that somebody went on after: no torn end, but damage.
    let at = bytes.len();
    bytes.extend_from_slice(b"{\"crc\":12,\"entry\":{\"v\":1,\n");
    std::fs::write(&journal, &bytes).expect("writes");
    let resumed = study.expect(0, &["resume", "--workers", "1"]);
    let path = journal.canonicalize().expect("it is there").display().to_string();
    for said in [
        &*format!("the journal `{path}` is damaged at byte {at}"),
        "is kept",
        "from its checkpoint",
    ] {
        assert!(resumed.stderr.contains(said), "no `{said}` in\n{}", resumed.stderr);
    }
    assert_eq!(study.hashes(), undisturbed("0").hashes());
    assert_eq!(std::fs::read(&journal).expect("reads"), bytes, "nobody tampers with it");
    let attempts =
        study.query(&["select failure, message, from_step from attempt order by number"]);
    assert_eq!(attempts[0]["failure"], "bug");
    assert!(attempts[0]["message"].contains(&path), "{attempts:?}");
    assert_ne!(attempts[1]["from_step"], "0", "{attempts:?}");
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_job_begins_again_and_says_so() {
    let study = killed("0");
    let folder = only(&study.root().join("runs")).join("checkpoint");
    let latest = folder.join("latest.safetensors");
    let mut bytes = std::fs::read(&latest).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&latest, &bytes).expect("writes");
    let resumed = study.expect(0, &["resume", "--workers", "1"]);
    for said in [
        "latest.safetensors` is damaged: its checksum does not hold",
        "it was kept as `",
        "latest.corrupt-1` and the job begins again at step 0",
    ] {
        assert!(resumed.stderr.contains(said), "no `{said}` in\n{}", resumed.stderr);
    }
    assert_eq!(std::fs::read(folder.join("latest.corrupt-1")).expect("it is kept"), bytes);
    assert_eq!(study.hashes(), undisturbed("0").hashes());
    let boundary = study.query(&["select exact, why from v_boundaries"]);
    assert_eq!(boundary[0]["exact"], "0");
    assert!(
        boundary[0]["why"].contains("could not be used: it began again at step 0"),
        "{boundary:?}"
    );
    let job = study.query(&["--columns", "id"])[0]["id"].clone();
    let shown = study.expect(0, &["show", &job]).stdout;
    assert!(shown.contains("could not be used: it began again at step 0"), "{shown}");
}

fn idle(count: u32) -> String {
    format!("name = \"idle\"\n[noop]\ncount = {count}\n")
}

#[test]
fn a_worker_of_another_version_is_refused_at_its_hello_with_both_versions_named() {
    use std::os::unix::fs::PermissionsExt;
    let study = Study::new();
    study.write("idle.toml", &idle(3));
    let hello = "{\"type\":\"hello\",\"version\":\"9.9.9\",\"pid\":1}";
    study.write("worker.sh", &format!("#!/bin/sh\necho '{hello}'\ncat > /dev/null\n"));
    let worker = study.path("worker.sh");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&worker, mode).expect("it is ours");
    let refused = study.with_worker(&worker.to_string_lossy(), &["launch", "idle.toml"]);
    let ours = format!("augreg is version {}", env!("CARGO_PKG_VERSION"));
    is_clear(&refused, &["the worker is version 9.9.9", &ours, "scripts/build"]);
    let states = study.query(&["select distinct state from job"]);
    assert_eq!((states.len(), &*states[0]["state"]), (1, "queued"));
    study.expect(0, &["resume"]);
}

#[test]
fn a_job_of_a_newer_augreg_is_refused_by_name_and_can_be_taken_out() {
    let study = Study::new();
    study.write("idle.toml", &idle(5));
    study.write("tiny.toml", &sweep("0").replace("epochs = 20", "epochs = 0.1"));
    study.expect(0, &["launch", "tiny.toml", "--register-only"]);
    let job = study.query(&["--columns", "id"])[0]["id"].clone();
    study.tamper("drop trigger axes_are_those_of_the_spec");
    let spec = study.query(&["select spec from job"])[0]["spec"].clone();
    let ours = format!("augreg {}", env!("CARGO_PKG_VERSION"));
    for (change, said) in [
        ("json_set(spec, '$.zeta', 1)", "unknown field `zeta`"),
        ("json_set(spec, '$.recipe', 2)", "recipe 2, this one trains by recipe 1"),
        ("json_set(spec, '$.stage', 'dream')", "dream"),
        ("'{'", "EOF"),
    ] {
        study.tamper(&format!("update job set spec = {change}"));
        let refused = study.augreg(&["resume"]);
        is_clear(&refused, &[&format!("job {job} cannot be run by {ours}"), said, "augreg cancel"]);
        assert_eq!(study.query(&["select * from attempt where ended is null"]).len(), 0);
        study.tamper(&format!("update job set spec = '{spec}'"));
    }
    study.tamper("update job set spec = json_set(spec, '$.zeta', 1)");
    let shown = study.augreg(&["show", &job]);
    assert!(shown.stderr.contains("zeta") && shown.stderr.contains(&job), "{}", shown.stderr);
    // Other sweeps are run, and without it the study as well.
    study.expect(0, &["launch", "idle.toml"]);
    study.expect(0, &["cancel", &job]);
    study.expect(0, &["resume"]);
}

#[test]
fn a_database_of_a_newer_augreg_is_refused_and_left_as_it_is() {
    let study = Study::new();
    study.write("idle.toml", &idle(3));
    study.expect(0, &["launch", "idle.toml"]);
    study.tamper(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999999, 'of tomorrow', true, x'00', 0)",
    );
    let database = || std::fs::read(study.root().join("augreg.db")).expect("reads");
    let before = database();
    let path = study.root().join("augreg.db").display().to_string();
    for command in [&["status"][..], &["resume"], &["launch", "idle.toml"], &["query"], &["pause"]]
    {
        let refused = study.expect(2, command);
        for said in [&*path, "schema version 999999", "use a newer augreg"] {
            assert!(refused.stderr.contains(said), "no `{said}` in\n{}", refused.stderr);
        }
        assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    }
    assert_eq!(database(), before);
}

/// A worker that dies between journalling its success and tidying up.
#[test]
fn what_a_finished_job_needs_no_longer_is_removed_by_the_next_run() {
    let study = undisturbed("0");
    let folder = only(&study.root().join("runs")).join("checkpoint");
    let (latest, last) = (folder.join("latest.safetensors"), folder.join("final.safetensors"));
    assert!(!latest.exists() && last.exists());
    std::fs::copy(&last, &latest).expect("copies");
    study.write("idle.toml", &idle(3));
    study.expect(0, &["launch", "idle.toml"]);
    assert!(!latest.exists() && last.exists());
}
