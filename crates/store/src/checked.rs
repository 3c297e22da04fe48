//! SQL that is checked when the crate is compiled.
//!
//! `sqlx::query!` and its kin hold a statement to the schema: its syntax, its tables and columns,
//! the number of its parameters, the types of what it returns. What they need to know of the schema
//! is in `.sqlx/`, a file a statement, written by `scripts/sqlx-prepare`.

/// Hands out a statement's text, held to the schema, for where the text is needed itself: to be
/// repeated, to travel with others, to be chosen at run time. A `_` stands for each parameter.
macro_rules! checked {
    ($sql:literal $(, $parameter:tt)*) => {{
        // Never called; to compile it is the check.
        const _: fn() = || drop(sqlx::query!($sql $(, $crate::checked::checked!(@ $parameter))*));
        $sql
    }};
    (@ _) => {
        None::<i64>
    };
}

pub(crate) use checked;
