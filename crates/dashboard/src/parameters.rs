//! What stands behind the `?` of an address, and in the body of a form: names that may come several
//! times, in their order.

use std::convert::Infallible;
use std::fmt::{self, Display, Formatter};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// Names and values, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of a name, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).find(|value| !value.is_empty())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same without a name.
    pub(crate) fn without(&self, name: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| known != name);
        Self(others.cloned().collect())
    }

    /// The same with one more value.
    pub(crate) fn and(mut self, name: &str, value: impl Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }
}

/// As it stands behind the `?`, and the `?` where there is anything; names without a value left out.
impl Display for Parameters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.0.iter().filter(|(_, value)| !value.is_empty()));
        let text = text.finish();
        if text.is_empty() { Ok(()) } else { write!(f, "?{text}") }
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_what_is_empty_is_left_out() {
        let one =
            Parameters::default().and("where", "a=<b> & 'c'").and("where", "d>1").and("x", "");
        assert_eq!(one.to_string(), "?where=a%3D%3Cb%3E+%26+%27c%27&where=d%3E1");
        let read = Parameters::parse(&one.to_string().as_bytes()[1..]);
        assert_eq!(read.all("where").collect::<Vec<_>>(), ["a=<b> & 'c'", "d>1"]);
        assert_eq!((read.get("x"), read.get("where")), (None, Some("a=<b> & 'c'")));
        assert_eq!(read.without("where").to_string(), "");
    }
}
