//! Style sheet and script, served from the program itself.
//!
//! Their addresses hold a hash of their bytes, so a browser may keep them for ever and never shows a page
//! of one version in the clothes of another.

use std::sync::LazyLock;

use augreg_report::{Theme, diverging};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::trouble::Trouble;

/// Where they are.
pub(crate) const FOLDER: &str = "/static/";

/// Steps of a heat map's colours on either side of its middle.
pub(crate) const STEPS: i32 = 20;

struct Asset {
    path: String,
    kind: &'static str,
    text: String,
}

impl Asset {
    fn new(name: &str, kind: &'static str, text: String) -> Self {
        let hash = blake3::hash(text.as_bytes()).to_hex();
        Self { path: format!("{FOLDER}{}/{name}", &hash[..12]), kind, text }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("assets/page.css").to_owned() + &colours();
    Asset::new("page.css", "text/css; charset=utf-8", text)
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("assets/live.js").to_owned();
    Asset::new("live.js", "text/javascript; charset=utf-8", text)
});

/// The style sheet's address.
pub(crate) fn style() -> &'static str {
    &STYLE.path
}

/// The script's.
pub(crate) fn script() -> &'static str {
    &SCRIPT.path
}

/// The colours of the report's heat maps as classes, since no element may bring a style of its own.
fn colours() -> String {
    let rules = |theme| -> String {
        let rule = |step: i32| {
            let colour = diverging(f64::from(step) / f64::from(STEPS), theme);
            let (fill, ink) = (colour.hex(), colour.ink().hex());
            format!(".{}{{background:{fill};fill:{fill};--ink:{ink}}}\n", class(step))
        };
        (-STEPS..=STEPS).map(rule).collect()
    };
    let (light, dark) = (rules(Theme::Light), rules(Theme::Dark));
    format!("{light}@media screen and (prefers-color-scheme:dark){{\n{dark}}}\n")
}

/// The class of a step between `-STEPS` and `STEPS`.
fn class(step: i32) -> String {
    if step < 0 { format!("loss{}", -step) } else { format!("gain{step}") }
}

/// The class of the colour of a position between -1 and 1.
pub(crate) fn colour(position: f64) -> String {
    class((position.clamp(-1.0, 1.0) * f64::from(STEPS)).round() as i32)
}

/// Answers with one of them.
pub(crate) async fn serve(Path(path): Path<String>) -> Response {
    let Some(asset) = [&*STYLE, &*SCRIPT].into_iter().find(|a| a.path[FOLDER.len()..] == path)
    else {
        return Trouble::Nowhere.into_response();
    };
    let headers =
        [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.text.as_str()).into_response()
}
