//! Sweeps that grow, shrink and overlap: what was done stays done, and nobody is cancelled silently.

use augreg_tests::{COMMON, HEAD, Study};

/// A sweep of these seeds, and 30 of its jobs would train in a second.
fn sweep(name: &str, seeds: &str) -> String {
    let head = HEAD.replace("\"tiny\"", &format!("\"{name}\""));
    format!("{head}\n[pretrain]\ndataset = \"fashion\"\nseed = {seeds}\nepochs = 0.1\n{COMMON}")
}

fn attempts(study: &Study) -> usize {
    study.query(&["select * from attempt"]).len()
}

/// Threads: ray-project/ray#8647, ray-project/ray#18847, wandb/wandb#5247.
#[test]
fn two_sweeps_share_their_points_and_a_removed_value_is_said_to_be_orphaned_and_kept() {
    let study = Study::new();
    study.write("a.toml", &sweep("a", "[0, 1, 2]"));
    study.write("b.toml", &sweep("b", "[1, 2, 3]"));
    study.expect(0, &["launch", "a.toml"]);
    assert_eq!(attempts(&study), 3);
    let hashes = study.hashes();

    let plan = study.expect(0, &["plan", "b.toml"]);
    assert!(plan.stdout.contains("+1 new, =2 shared (2 done)"), "{}", plan.stdout);
    let launched = study.expect(0, &["launch", "b.toml"]);
    assert!(launched.stderr.contains("b: +1 new, =2 shared (2 done)"), "{}", launched.stderr);
    assert_eq!(attempts(&study), 4, "only the new one runs");
    let shared = study.query(&["select job_id from sweep_job group by 1 having count(*) = 2"]);
    assert_eq!(shared.len(), 2);
    assert!(hashes.iter().all(|(job, hash)| study.hashes()[job] == *hash));

    // A value less, and a value more.
    study.write("a.toml", &sweep("a", "[1, 2, 4]"));
    let said = "a: +1 new, =2 shared (2 done), -1 no longer asked for (kept)";
    let plan = study.expect(0, &["plan", "a.toml"]);
    assert!(plan.stdout.contains(said.trim_start_matches("a: ")), "{}", plan.stdout);
    let launched = study.expect(0, &["launch", "a.toml"]);
    assert!(launched.stderr.contains(said), "{}", launched.stderr);
    assert_eq!(attempts(&study), 5);
    let kept = study.query(&["select count(*) as n from result"]);
    assert_eq!(kept[0]["n"], "5", "nothing is thrown away");
    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains("a: 3 jobs, 3 succeeded"), "{status}");

    // It is asked for again, and is there.
    study.write("a.toml", &sweep("a", "[0, 1, 2, 4]"));
    let launched = study.expect(0, &["launch", "a.toml"]);
    assert!(launched.stderr.contains("nothing to run"), "{}", launched.stderr);
    assert_eq!(attempts(&study), 5);
}

#[test]
fn a_value_that_is_removed_before_its_jobs_ran_leaves_them_queued_and_out_of_the_run() {
    let study = Study::new();
    study.write("a.toml", &sweep("a", "[0, 1, 2]"));
    study.expect(0, &["launch", "a.toml", "--register-only"]);
    study.write("a.toml", &sweep("a", "[0]"));
    let launched = study.expect(0, &["launch", "a.toml"]);
    assert!(launched.stderr.contains("-2 no longer asked for (kept)"), "{}", launched.stderr);
    let states = study.query(&["select state, count(*) as n from job group by 1 order by 1"]);
    let states: Vec<_> = states.iter().map(|row| (&*row["state"], &*row["n"])).collect();
    assert_eq!(states, [("queued", "2"), ("succeeded", "1")], "neither run nor cancelled");
    let cancelled = study.query(&["select * from event where what like 'cancel%'"]);
    assert!(cancelled.is_empty(), "{cancelled:?}");
}
