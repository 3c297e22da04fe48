//! Filters and sort keys as a person types them: `model=Ti/16`, `final_val>0.8`, `-final_test`.

use std::str::FromStr;

use augreg_spec::nearest;

use crate::QueryError;
use crate::views::{Column, Kind, V_JOBS};

/// One condition on a row of `v_jobs`: column, operator, value.
///
/// Operators are `=`, `!=`, `<`, `<=`, `>`, `>=`, and `~` for "contains" without regard to case.
/// A value may stand in single or double quotes, and holds the same quote when that is doubled. No
/// value at all (`failure=`) asks for rows that have none; `!=` keeps rows that have none.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub(crate) column: &'static Column,
    pub(crate) operator: Operator,
    pub(crate) operand: Operand,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// Operators as written; of two that begin alike the longer comes first.
const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("~", Operator::Contains),
];

/// What a filter compares with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Nothing,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl FromStr for Filter {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let grammar = || QueryError::FilterGrammar { text: text.to_owned() };
        let name_end = text.find(['=', '!', '<', '>', '~']).ok_or_else(grammar)?;
        let (name, rest) = text.split_at(name_end);
        let &(sign, operator) =
            OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(grammar)?;
        if name.trim().is_empty() {
            return Err(grammar());
        }
        let column = column(name.trim())?;
        let (value, quoted) = value_of(text, name_end + sign.len())?;
        let is_ordering = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if value.is_empty() && !quoted {
            let operand = Operand::Nothing;
            return if is_ordering {
                Err(grammar())
            } else {
                Ok(Self { column, operator, operand })
            };
        }
        let operand =
            match column.kind {
                _ if operator == Operator::Contains => Operand::Text(value),
                Kind::Text => Operand::Text(value),
                Kind::Integer | Kind::Real => number(&value).ok_or_else(|| {
                    QueryError::NotANumber { text: text.to_owned(), column: column.name, value }
                })?,
            };
        Ok(Self { column, operator, operand })
    }
}

/// The value that begins at byte `start` of a filter, and whether it stands in quotes.
fn value_of(text: &str, start: usize) -> Result<(String, bool), QueryError> {
    let value = text[start..].trim_start();
    let start = text.len() - value.len();
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '\'' | '"')) else {
        let value = value.trim_end();
        return match second_filter(value) {
            Some(at) => Err(QueryError::TwoFilters { text: text.to_owned(), at: start + at }),
            None => Ok((value.to_owned(), false)),
        };
    };
    let mut inside = String::new();
    let mut rest = &value[1..];
    loop {
        let Some(at) = rest.find(quote) else {
            return Err(QueryError::OpenQuote { text: text.to_owned(), at: start });
        };
        inside += &rest[..at];
        rest = &rest[at + 1..];
        if !rest.starts_with(quote) {
            break;
        }
        inside.push(quote);
        rest = &rest[1..];
    }
    match rest.trim_start() {
        "" => Ok((inside, true)),
        after => {
            Err(QueryError::AfterQuote { text: text.to_owned(), at: text.len() - after.len() })
        }
    }
}

/// Where in a value without quotes another filter seems to begin: a column and an operator after
/// white space. As a value it would match nothing, and nobody would be told.
fn second_filter(value: &str) -> Option<usize> {
    value.match_indices(char::is_whitespace).find_map(|(at, space)| {
        let at = at + space.len();
        let rest = &value[at..];
        let name = &rest[..rest.find(['=', '!', '<', '>', '~'])?];
        column(name.trim_end()).is_ok().then_some(at)
    })
}

fn number(value: &str) -> Option<Operand> {
    if let Ok(integer) = value.parse() {
        return Some(Operand::Integer(integer));
    }
    value.parse().ok().filter(|real: &f64| real.is_finite()).map(Operand::Real)
}

/// One sort key over `v_jobs`: a column, with `-` before it for descending order. Rows without a
/// value come last either way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    pub(crate) column: &'static Column,
    pub(crate) descending: bool,
}

impl FromStr for Sort {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (name, descending) = match text.trim().strip_prefix('-') {
            Some(name) => (name, true),
            None => (text.trim(), false),
        };
        if name.is_empty() {
            return Err(QueryError::SortGrammar { text: text.to_owned() });
        }
        Ok(Self { column: column(name)?, descending })
    }
}

/// The column of `v_jobs` of this name.
pub(crate) fn column(name: &str) -> Result<&'static Column, QueryError> {
    let names = || V_JOBS.columns.iter().map(|column| column.name);
    V_JOBS.columns.iter().find(|column| column.name == name).ok_or_else(|| {
        let nearest = nearest(name, names()).map(str::to_owned);
        QueryError::UnknownColumn { name: name.to_owned(), nearest }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (&'static str, Operator, Operand) {
        let filter: Filter = text.parse().expect("is a filter");
        (filter.column.name, filter.operator, filter.operand)
    }

    fn refusal(text: &str) -> String {
        text.parse::<Filter>().expect_err("is no filter").to_string()
    }

    #[test]
    fn a_filter_is_column_operator_and_value() {
        let text = |value: &str| Operand::Text(value.to_owned());
        assert_eq!(parsed("model=Ti/16"), ("model", Operator::Equal, text("Ti/16")));
        assert_eq!(parsed("model = 'a b=c'"), ("model", Operator::Equal, text("a b=c")));
        assert_eq!(parsed("model!=\"x\""), ("model", Operator::NotEqual, text("x")));
        assert_eq!(parsed("final_val>0.8"), ("final_val", Operator::Greater, Operand::Real(0.8)));
        assert_eq!(parsed("epochs<=30"), ("epochs", Operator::LessOrEqual, Operand::Integer(30)));
        assert_eq!(parsed("augmentation~MED"), ("augmentation", Operator::Contains, text("MED")));
        assert_eq!(parsed("failure="), ("failure", Operator::Equal, Operand::Nothing));
        assert_eq!(parsed("message=''"), ("message", Operator::Equal, text("")));
    }

    #[test]
    fn what_is_no_filter_says_what_to_write() {
        for text in ["", "model", "=x", "model!x", "epochs<"] {
            assert!(refusal(text).contains("is not a filter"), "{text}");
        }
        assert_eq!(
            refusal("final_vall>0.8"),
            "there is no column `final_vall`, did you mean `final_val`?"
        );
        assert_eq!(
            refusal("epochs=many"),
            "`epochs=many`: column `epochs` holds numbers, and `many` is none"
        );
        assert!(refusal("seed=nan").contains("holds numbers"));
    }

    #[test]
    fn unbalanced_quotes_and_what_follows_them_are_pointed_at() {
        let open = |text: &str| match text.parse::<Filter>() {
            Err(QueryError::OpenQuote { at, .. }) => at,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(open("model=\"x"), 6);
        assert_eq!(open("message = 'it''s"), 10);
        assert_eq!(open("model='"), 6);
        let after = |text: &str| match text.parse::<Filter>() {
            Err(QueryError::AfterQuote { at, .. }) => at,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(after("model='a'b'"), 9);
        assert_eq!(after("model=\"ü\" x"), 11);
        assert_eq!(parsed("message='it''s'").2, Operand::Text("it's".to_owned()));
    }

    #[test]
    fn two_filters_in_one_are_told_from_a_value_with_spaces() {
        let error = "model=Ti/16 final_val>0.8".parse::<Filter>();
        assert!(matches!(error, Err(QueryError::TwoFilters { at: 12, .. })), "{error:?}");
        assert_eq!(parsed("message~loss is x=1").2, Operand::Text("loss is x=1".to_owned()));
        let quoted = Operand::Text("a final_val>0.8".to_owned());
        assert_eq!(parsed("message='a final_val>0.8'").2, quoted);
    }

    #[test]
    fn a_sort_key_may_descend() {
        let sort: Sort = "-final_test".parse().expect("a column");
        assert_eq!((sort.column.name, sort.descending), ("final_test", true));
        let sort: Sort = "model".parse().expect("a column");
        assert_eq!((sort.column.name, sort.descending), ("model", false));
        assert!(matches!("-".parse::<Sort>(), Err(QueryError::SortGrammar { .. })));
        assert!(matches!("modle".parse::<Sort>(), Err(QueryError::UnknownColumn { .. })));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error(text in ".{0,40}") {
            let _ = text.parse::<Filter>();
            let _ = text.parse::<Sort>();
        }

        #[test]
        fn any_value_survives_its_quotes(value in "[^'\"]{0,30}") {
            let filter: Filter = format!("message='{value}'").parse().expect("is a filter");
            prop_assert_eq!(filter.operand, Operand::Text(value));
        }
    }
}
