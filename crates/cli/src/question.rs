//! What a person asks of a study's jobs, on the command line: SQL told from filters, the filters that pick
//! jobs for several commands. What is asked for of each job is the commands' own.

use augreg_store::{Filter, QueryError};

use crate::failure::Failure;

/// First words of SQL statements. Those that write are among them, so that they are answered as SQL: the
/// refusal then says what is refused.
const STATEMENTS: [&str; 21] = [
    "alter", "analyze", "attach", "begin", "commit", "create", "delete", "detach", "drop", "end",
    "explain", "insert", "pragma", "reindex", "replace", "rollback", "select", "update", "vacuum",
    "values", "with",
];

/// The statement, if what was typed is SQL: it begins with a word that begins a statement, which is not
/// followed by what makes it a filter.
pub(crate) fn sql(words: &[String]) -> Option<String> {
    let text = words.join(" ");
    let start = text.trim_start();
    let end = start.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(start.len());
    let (word, rest) = start.split_at(end);
    let is_filter = rest.trim_start().starts_with(['=', '!', '<', '>', '~', '_']);
    let is_statement = STATEMENTS.contains(&word.to_ascii_lowercase().as_str());
    ((is_statement || start.starts_with("/*")) && !is_filter).then_some(text)
}

/// Reads filters; one that is none is pointed at.
pub(crate) fn filters<'a>(
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<Filter>, Failure> {
    texts.into_iter().map(|text| text.parse().map_err(QueryError::into)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sql(text: &str) -> bool {
        sql(&[text.to_owned()]).is_some()
    }

    #[test]
    fn sql_is_told_from_filters_by_its_first_word() {
        for text in [
            "select 1",
            "  SELECT\n* FROM v_jobs",
            "With x AS (select 1) select * from x",
            "values(1)",
            "explain select 1",
            "pragma table_info(job)",
            "delete from job",
            "vacuum into 'x'",
            "/* all */ select 1",
            "select",
        ] {
            assert!(is_sql(text), "{text}");
        }
        for text in [
            "model=Ti/16",
            "final_val>0.8",
            "selected=1",
            "with_x=1",
            "select=1",
            "values = 3",
            "",
            "x",
        ] {
            assert!(!is_sql(text), "{text}");
        }
        let words = ["select", "*", "from", "job"].map(str::to_owned);
        assert_eq!(sql(&words).as_deref(), Some("select * from job"));
    }
}
