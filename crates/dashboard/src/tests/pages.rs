//! What pages say.

use std::collections::BTreeSet;

use super::site::{Site, status};

#[tokio::test]
async fn each_page_shows_what_it_is_for() {
    let site = Site::new().await;
    site.run(0, Some(0.8125)).await;
    site.run(1, None).await;
    let (done, runs) = (site.jobs[0], site.jobs[1]);
    let sweep = "/sweep?name=%3Cscript%3Ealert('x')%3C/script%3E";
    let job = format!("/job/{runs}");
    let both = format!("/compare?job={done}&job={runs}");
    let pages: [(&str, &[&str]); 7] = [
        ("/", &["Sweeps", "1 of 4 jobs ended", "What runs", "cpu-0"]),
        (sweep, &["cell gain0", "81.2", "1/2", "0/2", "runs"]),
        ("/jobs", &["4 jobs", "0.8125", "Choose ", "succeeded", "running"]),
        (
            &job,
            &["train_loss", "<path d=\"M", "Attempts", "training began", "Checkpoints", "Audit"],
        ),
        (&both, &["Compare", "leave out", "augmentation", "<path d=\"M"]),
        ("/devices", &["cpu-0", "500", "occupied"]),
        ("/metrics", &["augreg_images_per_second 500"]),
    ];
    for (path, parts) in pages {
        let mut page = site.get(path, &site.cookie()).await;
        // On a busy machine a grid takes longer than a page waits, and was counted before the results.
        for _ in 0..100 {
            if path != sweep || page.contains("gain0") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            page = site.get(path, &site.cookie()).await;
        }
        assert_eq!(status(&page), 200, "{path}: {page}");
        for part in parts {
            assert!(page.contains(part), "{path} lacks {part}: {page}");
        }
    }
}

#[tokio::test]
async fn the_question_in_the_address_is_answered_or_mended_where_it_is_wrong() {
    let site = Site::new().await;
    site.run(0, Some(0.8)).await;
    let found = site.get("/jobs?where=augmentation%3Dlight1&sort=-seed&columns=seed", "").await;
    assert!(found.contains("2 jobs") && found.contains("aria-sort=\"descending\""), "{found}");
    let (first, second) = (site.jobs[3].to_string(), site.jobs[1].to_string());
    assert!(found.find(&first) < found.find(&second), "{found}");
    for (path, says) in [
        ("/jobs?where=final_vall%3E0.8", "did you mean `final_val`?"),
        ("/jobs?where=model%3D%22x", "is never closed"),
        ("/jobs?where=epochs%3Dmany", "holds numbers"),
        ("/jobs?sort=modle", "did you mean `model`?"),
        ("/jobs?columns=modle", "did you mean `model`?"),
        ("/jobs?sweep=mini", "the study has no sweep `mini`"),
        ("/compare?job=zzzz", "the study has no job whose id begins with `zzzz`"),
    ] {
        let page = site.get(path, "").await;
        assert_eq!(status(&page), 400, "{path}: {page}");
        assert!(page.contains("aria-invalid=\"true\"") && page.contains(says), "{path}: {page}");
    }
    let beyond = site.get("/jobs?page=999999999999999999999&where=seed%3E1", "").await;
    assert!(status(&beyond) == 200 && beyond.contains("2 jobs"), "{beyond}");
}

#[tokio::test]
async fn jobs_are_found_by_the_start_of_their_ids_and_candidates_are_named() {
    let site = Site::new().await;
    let id = site.jobs[2].to_string();
    let found = site.get(&format!("/job?id={}", &id[..12]), "").await;
    assert!(
        status(&found) == 303 && found.contains(&format!("location: /job/{id}\r\n")),
        "{found}"
    );
    for path in ["/job/zzzz", "/job?id=zzzz", "/job?id=", "/sweep?name=none", "/job/zzzz/log/1"] {
        let page = site.get(path, "").await;
        assert_ne!(status(&page), 500, "{path}: {page}");
        assert!(status(&page) == 404 || path.ends_with('='), "{path}: {page}");
    }
    let nothing = site.get("/job?id=", "").await;
    assert_eq!(status(&nothing), 404);
    // Of 33 ids two begin with the same of 32 letters.
    let all = site.add(33).await;
    let begins = |letter: char| all.iter().filter(move |id| id.starts_with(letter));
    let letter = ('0'..='z').max_by_key(|letter| begins(*letter).count()).expect("a letter");
    let several = site.get(&format!("/job?id={letter}"), "").await;
    assert_eq!(status(&several), 300, "{several}");
    for id in begins(letter) {
        assert!(several.contains(&format!("/job/{id}")), "{id}: {several}");
    }
}

#[tokio::test]
async fn prometheus_can_read_the_metrics() {
    let site = Site::new().await;
    site.run(0, Some(0.8)).await;
    site.run(1, None).await;
    let page = site.get("/metrics", "").await;
    let body = page.split_once("\r\n\r\n").expect("a body").1;
    let scrape = prometheus_parse::Scrape::parse(body.lines().map(|line| Ok(line.to_owned())));
    let scrape = scrape.expect("is in Prometheus' format");
    let names: BTreeSet<_> = scrape.samples.iter().map(|sample| sample.metric.as_str()).collect();
    for name in [
        "augreg_build_info",
        "augreg_jobs",
        "augreg_study_jobs",
        "augreg_running_attempts",
        "augreg_images_per_second",
        "augreg_device_seconds_total",
        "augreg_wasted_device_seconds_total",
    ] {
        assert!(names.contains(name), "no {name}: {body}");
    }
    let helped: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    let typed: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(helped.len(), typed.len());
    for sample in &scrape.samples {
        assert!(
            typed.iter().any(|line| line.starts_with(&format!("{} ", sample.metric))),
            "{sample:?}"
        );
    }
    let lines: BTreeSet<_> = body.lines().collect();
    assert_eq!(lines.len(), body.lines().count(), "a sample stands there twice: {body}");
}
