//! Filters and sort keys as a person types them: `model=Ti/16`, `final_val>0.8`, `-final_test`.

use std::str::FromStr;

use crate::QueryError;

/// One condition on a row of `v_jobs`: column, operator, value.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
}

impl FromStr for Filter {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.to_owned() })
    }
}

/// One sort key over `v_jobs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    text: String,
}

impl FromStr for Sort {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.to_owned() })
    }
}
