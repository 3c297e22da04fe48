//! The settings of a few jobs side by side, read off `v_jobs`.

use augreg_store::{Kind, Rows, V_JOBS, Value};
use maud::{Markup, html};

use crate::words::{printable, value};

/// The columns of `v_jobs` that say what a job is.
pub(crate) fn columns() -> Vec<&'static str> {
    let begin = V_JOBS.columns.iter().skip_while(|column| column.name != "stage");
    let of_spec = begin.take_while(|column| column.name != "state").map(|column| column.name);
    of_spec.chain(["momentum", "parent", "imported", "steps", "parameters"]).collect()
}

/// What a job is: every setting that it has, each with what it means.
pub(crate) fn one(rows: &Rows) -> Markup {
    let Some(row) = rows.rows.first() else { return html! {} };
    html! {
        dl.settings {
            @for (name, cell) in rows.columns.iter().zip(row).filter(|(_, cell)| **cell != Value::Null) {
                div {
                    dt title=[doc(name)] { (name) }
                    dd {
                        @if name == "parent" { a.id href={ "/job/" (value(cell)) } { (short(cell)) } }
                        @else { (printable(&value(cell))) }
                    }
                }
            }
        }
    }
}

/// The columns in which jobs differ.
pub(crate) fn differing(rows: &Rows) -> Vec<usize> {
    let differs = |at: &usize| rows.rows.iter().any(|row| row[*at] != rows.rows[0][*at]);
    (0..rows.columns.len()).filter(differs).collect()
}

pub(crate) fn doc(name: &str) -> Option<&'static str> {
    V_JOBS.columns.iter().find(|column| column.name == name).map(|column| column.doc)
}

/// Whether a column holds numbers.
pub(crate) fn is_number(name: &str) -> bool {
    V_JOBS.columns.iter().any(|column| column.name == name && column.kind != Kind::Text)
}

fn short(cell: &Value) -> String {
    value(cell).chars().take(10).collect()
}
