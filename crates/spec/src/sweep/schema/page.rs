//! The reference of sweep files as a page of Markdown.

use std::fmt::Write;

use super::{Key, Value, tables};

/// The tables of a sweep file, one after the other, with all of their keys.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    for table in tables() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "## `{}`\n\n{}\n", table.title, table.about);
        let _ = writeln!(page, "| key | takes | default | what it is |\n|---|---|---|---|");
        for key in &table.keys {
            let _ = writeln!(page, "{}", row(key));
        }
        page.push('\n');
    }
    page
}

fn row(key: &Key) -> String {
    let default = match (&*key.default, key.required) {
        (_, true) => "required",
        (default, false) => default,
    };
    let cell = |text: &str| text.replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {} |",
        key.name,
        cell(&words(&key.value)),
        cell(default),
        cell(&key.doc)
    )
}

/// What a key takes, for a person.
fn words(value: &Value) -> String {
    match value {
        Value::Text("") => "text".to_owned(),
        Value::Text(example) => format!("text such as `\"{example}\"`"),
        Value::Words(words) => {
            words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
        }
        Value::Name(_) => "a name".to_owned(),
        Value::Number { least, above, below } => {
            let bounds = [
                least.map(|x| format!("at least {x}")),
                above.map(|x| format!("above {x}")),
                below.map(|x| format!("below {x}")),
            ];
            let bounds: Vec<_> = bounds.into_iter().flatten().collect();
            format!("a number {}", bounds.join(", ")).trim_end().to_owned()
        }
        Value::Count(0, u64::MAX) => "a whole number".to_owned(),
        Value::Count(least, u64::MAX) => format!("a whole number, at least {least}"),
        Value::Count(least, most) => format!("a whole number, {least} to {most}"),
        Value::Flag => "`true`, `false`".to_owned(),
        Value::Table(id) => format!("a table `{id}`"),
        Value::Named(id) => format!("tables `{id}`, each under a name"),
        Value::List(item) => format!("a list: {}", words(item)),
        Value::Axis(item) => format!("{}; or a list", words(item)),
        Value::Either(all) => all.iter().map(words).collect::<Vec<_>>().join(", or "),
        Value::Counts => "whole numbers, each under a name".to_owned(),
        Value::Point => "values of axes, under their names".to_owned(),
    }
}
