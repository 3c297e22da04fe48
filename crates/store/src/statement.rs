//! Whether a text is one reading SQL statement. SQLite refuses writes by itself; this check also
//! keeps out statements that touch other files or the connection (`ATTACH`, `PRAGMA`), and a second
//! statement whose rows would be mixed with those of the first.

/// Whether `sql` is one statement that begins with `SELECT`, `WITH`, `VALUES` or `EXPLAIN`.
pub(crate) fn is_one_reading_statement(sql: &str) -> bool {
    let mut rest = skip_blank(sql);
    let word_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest[..word_end].to_ascii_uppercase();
    if !matches!(word.as_str(), "SELECT" | "WITH" | "VALUES" | "EXPLAIN") {
        return false;
    }
    while let Some(c) = rest.chars().next() {
        rest = match c {
            ';' => return skip_blank(&rest[1..]).is_empty(),
            '\'' | '"' | '`' => after(&rest[1..], &c.to_string()),
            '[' => after(&rest[1..], "]"),
            _ => {
                let next = skip_blank(rest);
                if next.len() < rest.len() { next } else { &rest[c.len_utf8()..] }
            }
        };
    }
    true
}

/// Skips white space, comments and nothing else.
fn skip_blank(text: &str) -> &str {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        rest = if let Some(comment) = trimmed.strip_prefix("--") {
            after(comment, "\n")
        } else if let Some(comment) = trimmed.strip_prefix("/*") {
            after(comment, "*/")
        } else {
            return trimmed;
        };
    }
}

/// What follows the first `end`; nothing if there is none. A doubled quote ends one text and
/// begins the next, which is all the same here.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::is_one_reading_statement;
    use proptest::prelude::*;

    #[test]
    fn one_reading_statement_passes_with_comments_quotes_and_a_last_semicolon() {
        for sql in [
            "SELECT 1",
            "  -- a comment; with a semicolon\n select * from v_jobs ; -- done",
            "WITH x AS (SELECT 1) SELECT * FROM x;",
            "values (1), (2)",
            "EXPLAIN QUERY PLAN SELECT ';' || \"a;b\" || [c;d] || `e;f` || 'it''s;'",
            "/* ; */ SELECT 5 - -3 / 2 /* ; */",
        ] {
            assert!(is_one_reading_statement(sql), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for sql in [
            "",
            "DELETE FROM job",
            "PRAGMA query_only = off",
            "ATTACH 'x' AS y",
            "SELECT 1; DELETE FROM job",
            "SELECT 1;;SELECT 2",
            "SELECTED",
            "-- SELECT 1",
        ] {
            assert!(!is_one_reading_statement(sql), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(sql in ".{0,60}") {
            let _ = is_one_reading_statement(&sql);
            let _ = is_one_reading_statement(&format!("SELECT {sql}"));
        }
    }
}
