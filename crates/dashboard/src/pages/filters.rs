//! The table's question as it stands in the address: `sweep`, any number of `where`, `sort`, `columns`,
//! `page`. The words are those of `augreg query`, and what is wrong with one is said beside it.

use std::str::FromStr;

use augreg_store::{Filter, JobQuery, QueryError, Sort, StoreError, V_JOBS};

use crate::parameters::Parameters;

/// Rows of a page.
pub(crate) const ROWS: u64 = 100;

/// Columns that are shown when none are named.
pub(crate) const COLUMNS: [&str; 15] = [
    "state",
    "stage",
    "dataset",
    "model",
    "augmentation",
    "dropout",
    "weight_decay",
    "learning_rate",
    "epochs",
    "seed",
    "final_val",
    "final_test",
    "seconds",
    "attempts",
    "priority",
];

/// A part of a question as it was written, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) wrong: Option<String>,
}

/// A question as it was written and as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) sweep: Option<String>,
    pub(crate) conditions: Vec<Written>,
    pub(crate) sort: Written,
    pub(crate) columns: Written,
    /// From 0.
    pub(crate) page: u64,
    /// Columns of the table.
    pub(crate) shown: Vec<String>,
    /// What to ask; none: something is wrong.
    pub(crate) query: Option<JobQuery>,
}

impl Question {
    pub(crate) fn of(parameters: &Parameters) -> Self {
        let sweep = parameters.get("sweep").map(str::to_owned);
        let texts = parameters.all("where").map(str::trim).filter(|text| !text.is_empty());
        let (conditions, filters) = read::<Filter>(texts);
        let text = parameters.get("sort").unwrap_or_default();
        let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
        let (keys, sort) = read::<Sort>(keys);
        let wrong = keys.into_iter().find_map(|key| key.wrong);
        let sort_written = Written { text: text.to_owned(), wrong };
        let (columns, shown) = columns(parameters.get("columns").unwrap_or_default());
        let page = parameters.get("page").and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
        let is_right = |part: &Written| part.wrong.is_none();
        let all_right =
            conditions.iter().all(is_right) && is_right(&sort_written) && is_right(&columns);
        let query = all_right.then(|| JobQuery {
            sweep: sweep.clone(),
            filters,
            columns: Some(
                ["id"]
                    .into_iter()
                    .chain(shown.iter().map(String::as_str))
                    .map(str::to_owned)
                    .collect(),
            ),
            sort,
            limit: Some(ROWS),
        });
        let page = page.clamp(1, 1 << 40) - 1;
        Self { sweep, conditions, sort: sort_written, columns, page, shown, query }
    }

    /// Which way a column is sorted by as the first key, if it is: descending or not.
    pub(crate) fn sorted(&self, column: &str) -> Option<bool> {
        let first = self.sort.text.split(',').next()?.trim();
        match first.strip_prefix('-') {
            Some(name) => (name == column).then_some(true),
            None => (first == column).then_some(false),
        }
    }

    /// The same question for a terminal.
    pub(crate) fn command(&self) -> String {
        let mut text = "augreg query".to_owned();
        if let Some(sweep) = &self.sweep {
            text += &format!(" --sweep {}", quoted(sweep));
        }
        for condition in &self.conditions {
            text += &format!(" --where {}", quoted(&condition.text));
        }
        if !self.sort.text.is_empty() {
            text += &format!(" --sort={}", quoted(&self.sort.text));
        }
        if !self.columns.text.is_empty() {
            text += &format!(" --columns {}", quoted(&self.columns.text));
        }
        text
    }
}

fn read<'a, T: FromStr<Err = QueryError>>(
    texts: impl Iterator<Item = &'a str>,
) -> (Vec<Written>, Vec<T>) {
    let (mut written, mut read) = (Vec::new(), Vec::new());
    for text in texts {
        let wrong = match text.parse::<T>() {
            Ok(part) => {
                read.push(part);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        written.push(Written { text: text.to_owned(), wrong });
    }
    (written, read)
}

fn columns(text: &str) -> (Written, Vec<String>) {
    let names: Vec<_> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let unknown = names.iter().find(|name| V_JOBS.columns.iter().all(|known| known.name != **name));
    let wrong = unknown.map(|name| {
        let nearest = augreg_spec::nearest(name, V_JOBS.columns.iter().map(|known| known.name));
        let nearest =
            nearest.map_or(String::new(), |nearest| format!(", did you mean `{nearest}`?"));
        format!("there is no column `{name}`{nearest}")
    });
    let shown = match names.as_slice() {
        [] => COLUMNS.map(str::to_owned).to_vec(),
        names => names.iter().map(|name| (*name).to_owned()).collect(),
    };
    (Written { text: text.to_owned(), wrong }, shown)
}

/// An argument for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:+%@=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What is wrong with the sweep that a question names, if it is that.
pub(crate) fn wrong_sweep(error: &QueryError) -> Option<String> {
    match error {
        QueryError::Store(error @ StoreError::UnknownSweep { .. }) => Some(error.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Question {
        Question::of(&Parameters::parse(text.as_bytes()))
    }

    #[test]
    fn a_question_reads_as_on_the_command_line_and_back() {
        let one = question(
            "sweep=my+mini&where=model%3DTi/16&where=final_val%3E0.8&where=&sort=-final_test&page=3",
        );
        assert!(one.query.is_some());
        assert_eq!(
            (one.page, one.sorted("final_test"), one.sorted("model")),
            (2, Some(true), None)
        );
        let command = "augreg query --sweep 'my mini' --where model=Ti/16 --where 'final_val>0.8' --sort=-final_test";
        assert_eq!(one.command(), command);
    }

    #[test]
    fn what_is_wrong_is_said_of_the_part_that_is_wrong() {
        let one = question(
            "where=model%3D%22x&where=final_vall%3E0.8&where=model%3Dx&sort=modle&columns=modl",
        );
        let wrong = |part: &Written| part.wrong.clone().unwrap_or_default();
        assert!(one.query.is_none());
        assert!(wrong(&one.conditions[0]).contains("is never closed"));
        assert!(wrong(&one.conditions[1]).contains("did you mean `final_val`?"));
        assert_eq!(wrong(&one.conditions[2]), "");
        assert!(wrong(&one.sort).contains("did you mean `model`?"));
        assert!(wrong(&one.columns).contains("did you mean `model`?"));
    }
}
