//! The dashboard as a person sees it: a real browser on a study in which real jobs train.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use augreg_tests::browser::{Browser, Look};
use augreg_tests::{COMMON, HEAD, Study, kill};
use rustix::process::Signal;
use serde_json::json;

/// A dashboard of a study, at a port of its own.
struct Served {
    process: Child,
    /// With the token.
    url: String,
    /// Without.
    site: String,
}

impl Served {
    fn new(study: &Study) -> Self {
        let mut process = study
            .command(&["dashboard", "--port", "0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("run `cargo build --workspace` first");
        let mut line = String::new();
        let stderr = process.stderr.take().expect("is piped");
        BufReader::new(stderr).read_line(&mut line).expect("says where it is");
        let url = line.trim().strip_prefix("dashboard: ").expect(&line).to_owned();
        let site = url.split_once("/?token=").expect("a token").0.to_owned();
        Self { process, url, site }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.site)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_filters_jobs_sees_a_curve_grow_and_cancels_the_job() {
    let study = Study::new();
    study.write(
        "tiny.toml",
        &format!(
            "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = [\"none\", \"light1\", \"medium1\"]\n\
             regularization = [0.0, 0.1]\nepochs = [1, 400]\n{COMMON}"
        ),
    );
    // The long ones come first; those behind them wait, but for one that has ended.
    let mut sweep =
        study.start(&["launch", "tiny.toml", "--workers", "1", "--checkpoint-seconds", "1"]);
    let short = study.wait_for("select id from v_jobs where epochs = 1")[0]["id"].clone();
    let running =
        study.wait_for("select job_id from attempt where state = 'running'")[0]["job_id"].clone();
    let served = Served::new(&study);
    let browser = Browser::start(Look::Light).await;

    browser.open(&served.url).await;
    assert_eq!(browser.address().await, served.at("/"), "the token leaves the address");
    browser.until("document.querySelector('#liveness').textContent === 'live'").await;
    assert_eq!(browser.run("return document.cookie").await, json!(""), "no script sees the token");
    browser.photograph("sweeps").await;

    // What cannot be served says why, and what to do.
    let port = served.site.rsplit_once(':').expect("a port").1;
    let taken = study.expect(2, &["dashboard", "--port", port]).stderr;
    assert!(taken.contains("is in use") && taken.contains("--port"), "{taken}");
    let nothing = study.expect(2, &["--root", "nowhere", "dashboard", "--port", "0"]).stderr;
    assert!(nothing.contains("holds no study"), "{nothing}");

    // A question, by keyboard: the field is one key away.
    browser.open(&served.at("/jobs")).await;
    browser.press("/").await;
    browser.until("document.activeElement.id === 'where-new'").await;
    browser.press("epochs>100\u{e007}").await;
    browser.until("document.querySelectorAll('tbody tr').length === 6").await;
    assert!(browser.address().await.contains("where=epochs%3E100"));
    browser.click("th a[href*='sort=augmentation']").await;
    browser.until("document.querySelector('th[aria-sort=ascending]')").await;
    let first = "return document.querySelector('tbody tr').innerText";
    assert!(browser.run(first).await.as_str().expect("a row").contains("light1"));
    browser.press("j").await;
    browser.until("document.activeElement.matches('tbody th a')").await;
    browser.photograph("jobs").await;
    browser.type_into("#where-new", "modle=x\n").await;
    browser
        .until("document.querySelector('.wrong').innerText.includes('did you mean `model`')")
        .await;
    browser.photograph("jobs-wrong").await;

    // The running job's curve grows while nobody loads the page again.
    browser.open(&served.at(&format!("/job/{running}"))).await;
    browser.run("window.untouched = true").await;
    let steps = "Number(document.querySelector('#chart-train_loss-numbers tbody tr:last-child td').innerText.replace(',', ''))";
    browser.until("document.querySelector('#chart-train_loss path')").await;
    browser.run("document.querySelector('#chart-train_loss-numbers').open = true").await;
    let begin = browser.run(&format!("return {steps}")).await.as_f64().expect("a step");
    browser.until(&format!("{steps} > {}", begin + 50.0)).await;
    assert_eq!(browser.run("return window.untouched").await, json!(true));
    assert_eq!(
        browser.run("return document.querySelector('#chart-train_loss-numbers').open").await,
        json!(true)
    );
    browser.photograph("job").await;

    // The run beside it heeds a priority: a short job comes before five long ones.
    browser.open(&served.at(&format!("/job/{short}"))).await;
    browser.run("document.querySelector('input[name=priority]').value = ''").await;
    browser.type_into("input[name=priority]", "7\n").await;
    browser
        .until("document.querySelector('.notice.good').innerText.includes('have priority 7')")
        .await;
    browser.open(&served.at(&format!("/job/{running}"))).await;
    browser.click("form[action='/act/cancel'] button").await;
    browser.until("document.querySelector('.notice.good')").await;
    browser.until("document.querySelector('#head .state').innerText === 'cancelled'").await;
    let state = format!("select 1 from v_jobs where id = '{running}' and state = 'cancelled'");
    study.wait_for(&state);
    study.wait_for(&format!("select 1 from v_jobs where id = '{short}' and state = 'succeeded'"));

    // The grid has filled in.
    browser.open(&served.at("/sweep?name=tiny")).await;
    browser.until("document.querySelector('.grid .cell[class*=gain]')").await;
    browser.photograph("sweep").await;
    browser.open(&served.at("/devices")).await;
    browser.photograph("devices").await;
    browser.open(&served.at(&format!("/compare?job={running}&job={short}"))).await;
    browser.until("document.querySelectorAll('.legend li').length === 2").await;
    browser.photograph("compare").await;
    browser.close().await;

    small_and_dark(&served, &running).await;
    kill(served.process.id() as i32, Signal::TERM);
    sweep.signal(Signal::INT);
    sweep.wait(Duration::from_mins(1));
}

/// The same pages in dark, and on a phone, where nothing but the boxes of tables scrolls sideways.
async fn small_and_dark(served: &Served, job: &str) {
    let pages = [
        ("sweeps", "/".to_owned()),
        ("sweep", "/sweep?name=tiny".to_owned()),
        ("jobs", "/jobs?where=epochs%3E100".to_owned()),
        ("job", format!("/job/{job}")),
        ("compare", format!("/compare?job={job}")),
        ("devices", "/devices".to_owned()),
    ];
    for (look, kind) in [(Look::Dark, "dark"), (Look::Phone, "phone")] {
        let browser = Browser::start(look).await;
        browser.open(&served.url).await;
        for (name, path) in &pages {
            browser.open(&served.at(path)).await;
            browser.until("document.querySelector('main').innerText.length > 20").await;
            browser.photograph(&format!("{name}-{kind}")).await;
            let dark =
                browser.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(dark, json!(look == Look::Dark), "{name}");
            if look == Look::Phone {
                let wide =
                    browser.run("return [document.documentElement.scrollWidth, innerWidth]").await;
                assert_eq!(wide, json!([360, 360]), "{name} is too wide for a phone");
            }
        }
        browser.close().await;
    }
}

/// Results for most jobs of a study that has trained none: as many rows as a year of work leaves.
const PRETEND: &str = "
    INSERT INTO attempt (job_id, number, state, executor, slot, device, host, from_step, failure, message, started, ended)
    SELECT id, 1, iif(ordinal % 50 = 7, 'failed', 'succeeded'), 'local', 'cpu-' || (ordinal % 2), 'cpu', 'here', 0,
           iif(ordinal % 50 = 7, 'diverged', NULL), iif(ordinal % 50 = 7, 'the loss is NaN', NULL),
           1795000000000 + ordinal * 100, 1795000005000 + ordinal * 100
    FROM job WHERE state = 'queued' AND attempts = 0 AND ordinal < 45000;
    INSERT INTO result (job_id, attempt, best_val, final_val, final_test, train_loss, steps, seconds, images_per_second, peak_memory, parameters_sha256)
    SELECT id, 1, 0.7 + (ordinal * 7919 % 1000) / 5000.0, 0.68 + (ordinal * 7919 % 1000) / 5000.0,
           0.66 + (ordinal * 7919 % 1000) / 5000.0, 0.3, steps, 5.0, 900.0, 100000000, 'ab'
    FROM job WHERE state = 'queued' AND attempts = 1 AND ordinal % 50 <> 7;
    UPDATE job SET state = 'failed' WHERE state = 'queued' AND attempts = 1 AND ordinal % 50 = 7;
    UPDATE job SET state = 'succeeded' WHERE state = 'queued' AND attempts = 1;";

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_thousand_jobs_the_first_page_is_painted_within_300_milliseconds() {
    let study = Study::new();
    study.write(
        "big.toml",
        &format!(
            "{HEAD}\n[model.\"Mi/7\"]\nwidth = 48\ndepth = 2\nmlp = 96\nheads = 2\npatch = 7\n\
             [pretrain]\ndataset = \"fashion\"\nmodel = [\"Na/7\", \"Mi/7\"]\nresolution = 28\nbatch_size = 64\n\
             crop = \"none\"\nevaluations = 2\nepochs = [1, 3, 10, 30]\nregularization = [0.0, 0.1]\n\
             augmentation = [\"none\", \"light1\", \"light2\", \"medium1\", \"medium2\", \"strong1\", \"strong2\"]\n\
             weight_decay = [0.01, 0.03, 0.1, 0.2, 0.3]\nlearning_rate = [1e-3, 2e-3, 4e-3, 8e-3]\n\
             seed = [{}]\n",
            (0..23).map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ")
        ),
    );
    let mut sweep = study.start(&["launch", "big.toml", "--workers", "1", "--force"]);
    study.wait_for("select 1 from job where ordinal > 51000 limit 1");
    sweep.signal(Signal::INT);
    sweep.wait(Duration::from_mins(1));
    std::thread::scope(|scope| scope.spawn(|| study.tamper(PRETEND)).join()).expect("changes");

    let served = Served::new(&study);
    let browser = Browser::start(Look::Light).await;
    browser.open(&served.url).await;
    // Counting the grid for the first time may take longer; it appears by itself.
    browser.open(&served.at("/sweep?name=tiny")).await;
    browser.until("document.querySelectorAll('.grid .cell').length > 100").await;
    for path in [
        "/",
        "/jobs",
        "/jobs?sort=-final_test",
        "/jobs?where=final_val%3E0.8&where=model%3DMi/7&sort=-final_val",
        "/jobs?sweep=tiny&page=500",
        "/sweep?name=tiny",
        "/devices",
    ] {
        let mut best = f64::MAX;
        for _ in 0..6 {
            browser.open(&served.at(path)).await;
            browser.until("performance.getEntriesByName('first-contentful-paint').length").await;
            let paint =
                "return performance.getEntriesByName('first-contentful-paint')[0].startTime";
            best = best.min(browser.run(paint).await.as_f64().expect("a time"));
        }
        println!("first paint of {path}: {best:.0} ms");
        assert!(best < 300.0, "first paint of {path} took {best:.0} ms at best");
    }
    browser.open(&served.at("/jobs?sort=-final_test")).await;
    assert_eq!(
        browser.run("return document.querySelectorAll('tbody tr').length").await,
        json!(100)
    );
    browser.photograph("jobs-50000").await;
    browser.open(&served.at("/sweep?name=tiny")).await;
    browser.photograph("sweep-50000").await;
    browser.close().await;
}
