//! Who may read and who may act, and what nobody may do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::site::{EVIL, Site, status};
use crate::guard::Peer;
use crate::headers::POLICY;
use crate::{Limits, Order, routes, state, token};

const PAGES: [&str; 7] =
    ["/", "/jobs", "/compare", "/devices", "/metrics", "/nowhere", "/static/x"];

#[tokio::test]
async fn every_answer_forbids_scripts_styles_and_frames_of_others() {
    let site = Site::new().await;
    let job = format!("/job/{}", site.jobs[0]);
    let sweep = "/sweep?name=%3Cscript%3Ealert('x')%3C/script%3E";
    for path in PAGES.into_iter().chain([&*job, sweep, "/job/zzzz", "/jobs?where=nonsense"]) {
        let answer = site.get(path, "").await;
        assert!(answer.contains(&format!("content-security-policy: {POLICY}")), "{path}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}: {answer}");
        // What the policy would refuse must not be there at all.
        for inline in [" style=", " onclick=", "<style", "javascript:"] {
            assert!(!answer.contains(inline), "{path} has {inline}");
        }
        assert!(!answer.contains(&site.token), "{path} gives the token away");
    }
    for answer in [site.post("/jobs", "", "").await, site.get("/", "host: evil.example\r\n").await]
    {
        assert!(answer.contains(POLICY), "{answer}");
    }
    assert!(POLICY.contains("default-src 'none'") && !POLICY.contains("unsafe"));
}

#[tokio::test]
async fn names_that_are_markup_are_shown_as_text_on_every_page() {
    let site = Site::new().await;
    site.run(0, Some(0.8)).await;
    site.run(1, None).await;
    let (one, other) = (site.jobs[0], site.jobs[1]);
    let sweep = "/sweep?name=%3Cscript%3Ealert('x')%3C/script%3E";
    let paths = [
        "/".to_owned(),
        sweep.to_owned(),
        "/jobs".to_owned(),
        format!("/jobs?sweep={}&where=model~script", "%3Cscript%3Ealert('x')%3C/script%3E"),
        "/jobs?where=%3Cscript%3E&sort=%3Cscript%3E&columns=%22%3E%3Cscript%3E".to_owned(),
        "/jobs?sweep=%22%3E%3Cscript%3E".to_owned(),
        format!("/job/{other}"),
        format!("/job/{}", site.jobs[2]),
        "/jobs?where=state=failed&columns=message".to_owned(),
        format!("/compare?job={one}&job={other}&job=%3Cscript%3E&metric=%3Cscript%3E"),
        "/devices".to_owned(),
        "/job/%3Cscript%3E".to_owned(),
    ];
    site.fail(2, &format!("`pictures/train/{EVIL}/1.png` cannot be decoded")).await;
    let mut told = 0;
    for path in paths {
        let answer = site.get(&path, &site.cookie()).await;
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        assert_eq!(body.matches("<script").count(), 1, "{path}: {body}");
        assert!(body.contains("<script src=\"/static/"), "{path}");
        told += usize::from(body.contains("&lt;script&gt;"));
    }
    assert!(told >= 10, "{told} pages show the name");
    let metrics = site.get("/metrics", "").await;
    assert!(
        metrics.contains(&format!("sweep=\"{EVIL}\"")) && metrics.contains("text/plain"),
        "{metrics}"
    );
    let log = site.get(&format!("/job/{other}/log/1"), "").await;
    assert!(log.contains("content-type: text/plain") && log.contains(EVIL), "{log}");
}

#[tokio::test]
async fn who_sits_here_may_read_without_the_token_but_not_act() {
    let site = Site::new().await;
    for path in ["/", "/jobs", "/metrics"] {
        let page = site.get(path, "").await;
        assert_eq!(status(&page), 200);
        assert!(!page.contains("/act/") && !page.contains("name=\"form\""), "{page}");
    }
    let proof = site.proof().await;
    let body = format!("form={proof}&job={}", site.jobs[0]);
    let origin = format!("origin: http://{}\r\n", site.address);
    assert_eq!(status(&site.post("/act/cancel", &origin, &body).await), 401);
    let wrong = format!("{origin}cookie: augreg-{}={}\r\n", site.address.port(), "A".repeat(43));
    assert_eq!(status(&site.post("/act/cancel", &wrong, &body).await), 401);
    assert_eq!(site.ordered(), []);
}

#[tokio::test]
async fn from_elsewhere_nothing_goes_without_the_token() {
    let site = Site::new().await;
    for path in ["/", "/jobs", "/metrics", "/events", "/nowhere"] {
        let answer = site.get(path, "x-forwarded-for: 203.0.113.7\r\n").await;
        assert_eq!(status(&answer), 401, "{path}: {answer}");
    }
    let let_in = format!("x-forwarded-for: 203.0.113.7\r\n{}", site.cookie());
    assert_eq!(status(&site.get("/", &let_in).await), 200);
    let bearer =
        format!("x-forwarded-for: 203.0.113.7\r\nauthorization: Bearer {}\r\n", site.token);
    assert_eq!(status(&site.get("/metrics", &bearer).await), 200);

    // What the socket says counts as well.
    let token = token::Token::random().expect("draws");
    let text = token.text();
    let clerk = std::sync::Arc::new(Nobody);
    let state =
        state::State::new(site.store.clone(), clerk, token, (1, Vec::new()), Limits::default());
    for (peer, cookie, expected) in [
        ("127.0.0.1:9", "", 200),
        ("[::1]:9", "", 200),
        ("[::ffff:127.0.0.1]:9", "", 200),
        ("192.168.0.7:9", "", 401),
        ("[2001:db8::7]:9", "", 401),
        ("192.168.0.7:9", &text, 200),
    ] {
        let peer: SocketAddr = peer.parse().expect("an address");
        let mut request = Request::builder()
            .uri("/devices")
            .header("host", "192.168.0.2:8265")
            .header("cookie", format!("augreg-1={cookie}"))
            .body(Body::empty())
            .expect("a request");
        request.extensions_mut().insert(Peer(peer));
        let answer = routes::router(&state).oneshot(request).await.expect("answers");
        assert_eq!(answer.status(), expected, "{peer}");
    }
}

struct Nobody;

impl crate::Hands for Nobody {
    fn carry_out(&self, _: Order) -> crate::Carried<'_> {
        Box::pin(async { Err("nobody is here".to_owned()) })
    }
}

#[tokio::test]
async fn the_address_that_is_printed_leaves_a_cookie_and_not_itself() {
    let site = Site::new().await;
    let answer = site.get(&format!("/jobs?token={}&sort=-seed", site.token), "").await;
    assert_eq!(status(&answer), 303);
    assert!(answer.contains("location: /jobs?sort=-seed\r\n"), "{answer}");
    let cookie = format!(
        "set-cookie: augreg-{}={}; Path=/; HttpOnly; SameSite=Strict\r\n",
        site.address.port(),
        site.token
    );
    assert!(answer.contains(&cookie), "{answer}");
    for wrong in ["/?token=x", "/?token=", "//evil.example/?token=x"] {
        let answer = site.get(wrong, "").await;
        assert!(!answer.contains("set-cookie"), "{answer}");
    }
    let away = site.get(&format!("//evil.example/?token={}", site.token), "").await;
    assert!(!away.contains("location: //"), "{away}");
}

#[tokio::test]
async fn a_form_of_ours_is_carried_out_once_and_says_so_on_the_page_it_came_from() {
    let site = Site::new().await;
    let (proof, job) = (site.proof().await, site.jobs[0]);
    let body = format!("form={proof}&job={job}&next=%2Fjobs%3Fsort%3D-seed");
    let answer = site.post("/act/cancel", &site.own(), &body).await;
    assert_eq!(status(&answer), 303, "{answer}");
    assert!(answer.contains("location: /jobs?sort=-seed&said=1\r\n"), "{answer}");
    assert_eq!(site.ordered(), [Order::Cancel(vec![job])]);
    assert!(site.get("/jobs?sort=-seed&said=1", "").await.contains("written down"));
    let body = format!("form={proof}&job={job}&priority=-3");
    let from = format!("{}referer: http://{}/job/{job}\r\n", site.own(), site.address);
    let answer = site.post("/act/priority", &from, &body).await;
    assert!(answer.contains(&format!("location: /job/{job}?said=2\r\n")), "{answer}");
    assert_eq!(site.ordered()[1], Order::Prioritize(vec![job], -3));
    for (what, body) in [("pause", ""), ("unpause", ""), ("retry", &*format!("&job={job}"))] {
        let answer =
            site.post(&format!("/act/{what}"), &site.own(), &format!("form={proof}{body}")).await;
        assert_eq!(status(&answer), 303, "{answer}");
    }
    let others = [
        Order::Pause { sweep: None, drain: false },
        Order::Unpause { sweep: None },
        Order::Retry(vec![job]),
    ];
    assert_eq!(site.ordered()[2..], others);
}

#[tokio::test]
async fn a_form_of_another_site_or_without_its_proof_changes_nothing() {
    let site = Site::new().await;
    let (proof, job) = (site.proof().await, site.jobs[0]);
    let (host, cookie) = (site.address, site.cookie());
    let body = format!("form={proof}&job={job}");
    for lines in [
        String::new(),
        "origin: http://evil.example\r\n".to_owned(),
        "origin: null\r\n".to_owned(),
        format!("origin: http://{host}.evil.example\r\n"),
        format!("origin: http://127.0.0.1:{}\r\n", host.port() ^ 1),
        format!("origin: http://{host}\r\nsec-fetch-site: cross-site\r\n"),
        "sec-fetch-site: same-site\r\n".to_owned(),
        "sec-fetch-site: none\r\n".to_owned(),
    ] {
        let answer = site.post("/act/cancel", &(cookie.clone() + &lines), &body).await;
        assert_eq!(status(&answer), 403, "{lines}: {answer}");
    }
    for body in
        [format!("job={job}"), format!("form=&job={job}"), format!("form={}&job={job}", site.token)]
    {
        assert_eq!(status(&site.post("/act/cancel", &site.own(), &body).await), 403, "{body}");
    }
    let away = site.post("/act/cancel", &site.own(), &format!("{body}&next=//evil.example/")).await;
    assert_eq!(status(&away), 400, "{away}");
    assert_eq!(site.ordered(), []);
}

#[tokio::test]
async fn nothing_is_changed_by_asking_for_a_page() {
    let site = Site::new().await;
    let proof = site.proof().await;
    for what in ["cancel", "retry", "pause", "unpause", "priority"] {
        let path = format!("/act/{what}?form={proof}&job={}&priority=1", site.jobs[0]);
        for method in ["GET", "HEAD"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{}\r\n",
                site.address,
                site.own()
            );
            assert_eq!(status(&site.send(&request).await), 405, "{method} {what}");
        }
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
                site.address
            );
            assert!(
                [401, 403, 405].contains(&status(&site.send(&request).await)),
                "{method} {what}"
            );
        }
    }
    assert_eq!(site.ordered(), []);
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_not_answered() {
    let site = Site::new().await;
    for host in
        ["evil.example", "127.0.0.1.evil.example:8265", "", "localhost.evil.example", "[evil]:1"]
    {
        let request =
            format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{}\r\n", site.cookie());
        assert_eq!(status(&site.send(&request).await), 421, "{host}");
    }
    for host in ["localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8265", "10.0.0.7"] {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(status(&site.send(&request).await), 200, "{host}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_study() {
    let site = Site::new().await;
    site.run(0, None).await;
    let job = site.jobs[0];
    for path in [
        format!("/job/{job}/log/../../../../../etc/passwd"),
        format!("/job/{job}/log/..%2f..%2f..%2f..%2fetc%2fpasswd"),
        format!("/job/{job}/log/1%2f..%2f1"),
        format!("/job/{job}/log/01"),
        format!("/job/{job}/log/2"),
        format!("/job/{job}/log/%00"),
        "/job/..%2f..%2fetc%2fpasswd/log/1".to_owned(),
        "/job/../log/1".to_owned(),
        "/static/../../Cargo.toml".to_owned(),
        "/static/..%2f..%2fCargo.toml".to_owned(),
        "/augreg.db".to_owned(),
        "/../augreg.db".to_owned(),
    ] {
        let answer = site.get(&path, &site.cookie()).await;
        assert!([400, 404].contains(&status(&answer)), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("SQLite format"), "{path}");
    }
    assert_eq!(status(&site.get(&format!("/job/{job}/log/1"), "").await), 200);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let site = Site::new().await;
    let (proof, job) = (site.proof().await, site.jobs[0]);
    let body = format!("form={proof}&job={job}&x={}", "x".repeat(70 << 10));
    assert_eq!(status(&site.post("/act/cancel", &site.own(), &body).await), 413);
    assert_eq!(site.ordered(), []);
    let long = format!("/jobs?where={}", "x".repeat(100 << 10));
    assert!([400, 414, 431].contains(&status(&site.get(&long, "").await)));
}

#[tokio::test]
async fn who_is_slow_to_say_what_it_wants_is_cut_off() {
    let short = Duration::from_millis(300);
    let site = Site::with(Limits { request: short, header: short, ..Limits::default() }).await;
    let began = Instant::now();
    // A head that never ends, and one that never begins.
    let half = site.send(&format!("GET / HTTP/1.1\r\nhost: {}\r\n", site.address)).await;
    assert!(half.is_empty() || status(&half) == 408, "{half}");
    assert!(site.send("").await.is_empty());
    // A body that never comes.
    let lines = format!("host: {}\r\ncontent-length: 100\r\n{}", site.address, site.own());
    let slow = site.send(&format!("POST /act/cancel HTTP/1.1\r\n{lines}\r\nform=")).await;
    assert_eq!(status(&slow), 408, "{slow}");
    assert!(slow.contains(POLICY) && began.elapsed() < Duration::from_secs(10), "{slow}");
    assert_eq!(site.ordered(), []);
}

#[tokio::test]
async fn who_does_not_take_what_it_asked_for_is_cut_off() {
    let write = Duration::from_millis(300);
    let site = Site::with(Limits { connections: 1, write, ..Limits::default() }).await;
    let mut greedy = TcpStream::connect(site.address).await.expect("connects");
    // Far more answers than the system keeps for somebody who does not read.
    let request = format!("GET /jobs HTTP/1.1\r\nhost: {}\r\n\r\n", site.address);
    let asking = async { while greedy.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("is cut off");
    assert_eq!(status(&site.get("/devices", "").await), 200, "its connection is free again");
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_until_one_is_free() {
    let limits = Limits { connections: 2, header: Duration::from_secs(2), ..Limits::default() };
    let site = Site::with(limits).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(site.address).await.expect("connects"));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = tokio::time::timeout(Duration::from_millis(500), site.get("/devices", "")).await;
    assert!(asked.is_err(), "a third connection was answered");
    drop(idle.pop());
    assert_eq!(status(&site.get("/devices", "").await), 200);
    // One that says nothing makes room by itself.
    idle.push(TcpStream::connect(site.address).await.expect("connects"));
    let began = Instant::now();
    assert_eq!(status(&site.get("/devices", "").await), 200);
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn beyond_the_limit_pages_are_not_live() {
    let site = Site::with(Limits { streams: 1, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(site.address).await.expect("connects");
    let request = format!("GET /events HTTP/1.1\r\nhost: {}\r\n\r\n", site.address);
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.expect("reads");
    assert!(String::from_utf8_lossy(&buffer[..read]).contains("text/event-stream"));
    let second = site.get("/events", "").await;
    assert!(status(&second) == 503 && second.contains("retry-after: 30"), "{second}");
    // It hears of a change.
    site.run(0, None).await;
    let heard = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
    let read = heard.expect("hears").expect("reads");
    assert!(String::from_utf8_lossy(&buffer[..read]).contains("event: change"));
}
