//! Who may read and who may act: asked of every request before anything else is done with it.
//!
//! Whoever sits at this machine may read. To act, or to read from elsewhere, takes the token, which a
//! browser gets once from the address that is printed and then keeps as a cookie that no script and no
//! other site can use. A request that changes something has to come from one of our own pages as well,
//! and every request has to call this machine by a name that is its own: a site whose name was made to
//! point here (DNS rebinding) does not.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::assets;
use crate::headers;
use crate::parameters::Parameters;
use crate::state::{self, Shared};
use crate::trouble::Trouble;

/// Who asks, as the socket says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What a request may do beside reading; what `guard` found out, for the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) acts: bool,
}

/// Lets a request pass or answers in its place. Every answer leaves with the same headers.
pub(crate) async fn guard(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let streams = request.uri().path() == "/events";
    let limit = state.limits.request;
    let answer = answer(&state, request, next);
    let answer = if streams {
        answer.await
    } else {
        tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Trouble::Late.into_response())
    };
    headers::add(answer)
}

async fn answer(state: &state::State, mut request: Request, next: Next) -> Response {
    match admit(state, &request) {
        Ok(rights) => {
            request.extensions_mut().insert(rights);
            next.run(request).await
        }
        Err(answer) => *answer,
    }
}

/// Boxed: an answer is large, and rarely made here.
fn admit(state: &state::State, request: &Request) -> Result<Rights, Box<Response>> {
    let refuse = |trouble: Trouble| Box::new(trouble.into_response());
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| is_ours(host, &state.names)) else {
        return Err(refuse(Trouble::Misdirected));
    };
    if let Some(answer) = welcome(state, request) {
        return Err(Box::new(answer));
    }
    let acts = knows_token(state, headers);
    // What a page looks like is no secret, and a page that says so should look like one.
    if !acts && !is_here(request) && !request.uri().path().starts_with(assets::FOLDER) {
        return Err(refuse(Trouble::Unknown));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !is_same_origin(headers, host) {
        return Err(refuse(Trouble::Foreign));
    }
    if !reads && !acts {
        return Err(refuse(Trouble::Unknown));
    }
    Ok(Rights { acts })
}

/// Whether a name in an address is this machine's. A number is: only names can be made to point elsewhere.
fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => return name.parse::<IpAddr>().is_ok(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The answer to the address that is printed: it leaves the token in the browser and itself behind.
fn welcome(state: &state::State, request: &Request) -> Option<Response> {
    if request.method() != Method::GET {
        return None;
    }
    let parameters = Parameters::parse(request.uri().query()?.as_bytes());
    let text = parameters.get("token")?;
    if !state.token.is(text) {
        return Some(Trouble::Unknown.into_response());
    }
    let cookie = format!("{}={text}; Path=/; HttpOnly; SameSite=Strict", state.cookie);
    let to = format!("{}{}", request.uri().path(), parameters.without("token"));
    let (cookie, to) = (HeaderValue::from_str(&cookie).ok()?, local(&to)?);
    Some((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, to)]).into_response())
}

/// A path of this server as a header: `//host` and `/\host` would be another's.
pub(crate) fn local(path: &str) -> Option<HeaderValue> {
    let rest = path.strip_prefix('/')?;
    if rest.starts_with(['/', '\\']) {
        return None;
    }
    HeaderValue::from_str(path).ok()
}

fn knows_token(state: &state::State, headers: &HeaderMap) -> bool {
    let texts = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let cookies = texts(COOKIE)
        .flat_map(|all: &str| all.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == state.cookie)
        .map(|(_, value)| value);
    let bearers = texts(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
    cookies.chain(bearers).any(|text| state.token.is(text))
}

/// Whether whoever asks sits at this machine. What a proxy hands on may come from anywhere.
fn is_here(request: &Request) -> bool {
    let handed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .into_iter()
        .any(|name| request.headers().contains_key(name));
    let peer = request.extensions().get::<Peer>();
    !handed_on && peer.is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback())
}

/// Whether the page that sends a request is one of ours, as its browser says. A request of which nobody
/// says so is not.
fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let site = headers.get("sec-fetch-site").map(text);
    if site.as_deref().is_some_and(|site| site != "same-origin") {
        return false;
    }
    match headers.get(ORIGIN).map(text) {
        Some(origin) => origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|from| from.eq_ignore_ascii_case(host)),
        None => site.is_some(),
    }
}
