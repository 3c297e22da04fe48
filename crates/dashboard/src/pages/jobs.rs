//! The table of jobs: a question in the address, its answer page by page.

use augreg_store::{Page, V_JOBS, Value};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};

use super::filters::{self, Question, ROWS, Written};
use super::settings::is_number;
use crate::frame::{Frame, scroll, state};
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::words::{count, counted, printable, value};

pub(crate) async fn page(
    State(shared): State<Shared>,
    Extension(rights): Extension<Rights>,
    parameters: Parameters,
) -> Result<(StatusCode, Markup), Trouble> {
    let frame = Frame::new(&shared, rights, "/jobs", "/jobs", &parameters);
    let question = Question::of(&parameters);
    let mut wrong_sweep = None;
    let mut answer = None;
    if let Some(query) = &question.query {
        match shared.store.page(query, question.page * ROWS).await {
            Ok(page) => answer = Some(page),
            Err(error) => match filters::wrong_sweep(&error) {
                Some(text) => wrong_sweep = Some(text),
                None => return Err(error.into()),
            },
        }
    }
    let names: Vec<_> = shared.store.sweeps().await?.into_iter().map(|sweep| sweep.name).collect();
    let parameters = parameters.without("said");
    let body = html! {
        h1 { "Jobs" }
        (frame.reader())
        (form(&question, &names, wrong_sweep.as_deref()))
        @match &answer {
            Some(answer) => (table(&frame, &question, &parameters, answer)),
            None => p.notice.bad role="alert" { "Nothing was asked: mend what is marked above." },
        }
    };
    let status = if answer.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok((status, frame.page("Jobs", &body)))
}

fn form(question: &Question, names: &[String], wrong_sweep: Option<&str>) -> Markup {
    html! {
        form.filters action="/jobs" method="get" role="search" aria-label="Filter jobs" {
            div.field {
                label for="sweep" { "Sweep" }
                select #sweep name="sweep" aria-invalid=[wrong_sweep.map(|_| "true")] aria-describedby=[wrong_sweep.map(|_| "sweep-wrong")] {
                    option value="" { "all" }
                    @for name in names {
                        option value=(name) selected[question.sweep.as_deref() == Some(name)] { (printable(name)) }
                    }
                }
                @if let Some(text) = wrong_sweep { (wrong("sweep-wrong", text)) }
            }
            @for (at, condition) in question.conditions.iter().enumerate() {
                (field(&format!("where-{at}"), "where", "Where", condition, ""))
            }
            @let blank = Written { text: String::new(), wrong: None };
            (field("where-new", "where", "Where", &blank, "final_val>0.8"))
            (field("sort", "sort", "Sort by", &question.sort, "-final_val"))
            (field("columns", "columns", "Columns", &question.columns, "the usual"))
            div.field.go { button { "Show" } a href="/jobs" { "Clear" } }
        }
        details #language {
            summary { "What can be asked" }
            p { "A condition is a column, " code { "= != < <= > >=" } " or " code { "~" } " (contains), and a value; all must hold. "
                code { "failure=" } " asks for jobs without one. Empty a field to drop its condition. "
                "Sort by columns, " code { "-" } " before one for descending." }
            p.columns { @for column in V_JOBS.columns { code title=(column.doc) { (column.name) } " " } }
            p { "The same in a terminal: " code { (printable(&question.command())) } }
        }
    }
}

fn field(id: &str, name: &str, label: &str, written: &Written, hint: &str) -> Markup {
    let described = written.wrong.as_ref().map(|_| format!("{id}-wrong"));
    html! {
        div.field {
            label for=(id) { (label) }
            input id=(id) name=(name) value=(written.text) placeholder=(hint) size="18" spellcheck="false"
                autocomplete="off" autocapitalize="off" aria-invalid=[described.as_ref().map(|_| "true")]
                aria-describedby=[described.as_deref()];
            @if let Some(text) = &written.wrong { (wrong(&format!("{id}-wrong"), text)) }
        }
    }
}

fn wrong(id: &str, text: &str) -> Markup {
    html! { p.wrong id=(id) role="alert" { (printable(text)) } }
}

fn table(frame: &Frame<'_>, question: &Question, parameters: &Parameters, answer: &Page) -> Markup {
    let pages = answer.total.div_ceil(ROWS).max(1);
    let rows = html! {
        table {
            thead { tr {
                th scope="col" { span.hidden { "Choose" } }
                th scope="col" aria-sort=[sort_word(question, "id")] { (heading(question, parameters, "id")) }
                @for name in &question.shown {
                    th scope="col" class=(if is_number(name) { "num" } else { "" })
                        aria-sort=[sort_word(question, name)] { (heading(question, parameters, name)) }
                }
            } }
            tbody { @for row in &answer.rows.rows { (self::row(&question.shown, row)) } }
        }
    };
    html! {
        form method="get" action="/compare" {
            div #rows data-live {
                p.line {
                    b { (counted(answer.total, "job")) }
                    @if pages > 1 { (turn(parameters, question.page, pages)) }
                }
                @if answer.rows.rows.is_empty() { p.muted { "No job is so." } }
                @else { (scroll("jobs-table", "Jobs", &rows)) }
            }
            (buttons(frame))
        }
        @if pages > 1 { nav.line aria-label="Pages" { (turn(parameters, question.page, pages)) } }
    }
}

/// One form for the chosen rows: to compare them is a question, the rest are orders, whose proof goes with
/// their own buttons so that it never gets into an address.
fn buttons(frame: &Frame<'_>) -> Markup {
    html! {
        div.line.chosen {
            "Chosen jobs: " button { "Compare curves" }
            @if frame.rights.acts {
                @let proof = frame.state.token.of_forms();
                button name="form" value=(proof) formmethod="post" formaction={ "/act/cancel" } { "Cancel" }
                button name="form" value=(proof) formmethod="post" formaction="/act/retry" { "Retry" }
                label { "Priority " input name="priority" type="number" step="1" value="1" size="4"; }
                button name="form" value=(proof) formmethod="post" formaction="/act/priority" { "Set" }
            }
        }
    }
}

fn row(shown: &[String], row: &[Value]) -> Markup {
    let id = row.first().map(value).unwrap_or_default();
    let short: String = id.chars().take(10).collect();
    html! {
        tr {
            td.choose { input type="checkbox" name="job" value=(id) aria-label={ "Choose " (short) }; }
            th scope="row" { a.id href={ "/job/" (id) } { (short) } }
            @for (name, cell) in shown.iter().zip(row.iter().skip(1)) {
                @if name == "state" { td { (state(&value(cell))) } }
                @else if is_number(name) { td.num { (number(name, cell)) } }
                @else { td.text { (printable(&value(cell))) } }
            }
        }
    }
}

/// Accuracies stand beneath each other with equally many digits.
fn number(name: &str, cell: &Value) -> String {
    match cell {
        Value::Real(x) if name.ends_with("_val") || name.ends_with("_test") => format!("{x:.4}"),
        Value::Real(x) if name == "seconds" => format!("{x:.1}"),
        Value::Integer(n) if *n >= 10_000 => count(*n as u64),
        cell => value(cell),
    }
}

/// A heading that sorts: ascending, descending, not at all.
fn heading(question: &Question, parameters: &Parameters, name: &str) -> Markup {
    let next = match question.sorted(name) {
        None if is_number(name) && measured(name) => format!("-{name}"),
        None => name.to_owned(),
        Some(false) if !measured(name) => format!("-{name}"),
        Some(true) if measured(name) => name.to_owned(),
        Some(_) => String::new(),
    };
    let to = parameters.without("sort").without("page").and("sort", next);
    let doc = V_JOBS.columns.iter().find(|column| column.name == name).map(|column| column.doc);
    html! { a href={ "/jobs" (to) } title=[doc] { (if name == "id" { "job" } else { name }) } }
}

/// Whether of a column the greatest values are looked for first.
fn measured(name: &str) -> bool {
    ["best_val", "final_val", "final_test", "seconds", "images_per_second", "attempts", "priority"]
        .contains(&name)
}

fn sort_word(question: &Question, name: &str) -> Option<&'static str> {
    question.sorted(name).map(|descending| if descending { "descending" } else { "ascending" })
}

fn turn(parameters: &Parameters, page: u64, pages: u64) -> Markup {
    let to = |page: u64| format!("/jobs{}", parameters.without("page").and("page", page + 1));
    html! {
        span.turn {
            @if page > 0 { a href=(to(0)) { "first" } " " a rel="prev" href=(to(page - 1)) { "previous" } " " }
            "page " (count(page + 1)) " of " (count(pages))
            @if page + 1 < pages { " " a rel="next" href=(to(page + 1)) { "next" } " " a href=(to(pages - 1)) { "last" } }
        }
    }
}
