//! The job id: 128 bits of BLAKE3, shown as 26 characters.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`, so an id survives being read aloud.
const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str(ALPHABET);
    specification.encoding().expect("the alphabet is a constant of 32 distinct symbols")
});

/// Characters of an id.
const LENGTH: usize = 26;

/// Names a job: the hash of everything that can change its result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId([u8; 16]);

impl JobId {
    /// The id of a canonical JSON text.
    #[must_use]
    pub fn of(canonical: &str) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(canonical.as_bytes()).as_bytes()[..16]);
        Self(bytes)
    }

    /// The first ten characters, enough to tell the jobs of a study apart on a screen.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        BASE32.encode_mut(&self.0, &mut text);
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

/// A text that is no job id.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a job id: 26 characters of `{ALPHABET}`")]
pub struct JobIdError(String);

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, JobIdError> {
        let mut bytes = [0; 16];
        let decoded = text.len() == LENGTH
            && BASE32.decode_mut(text.as_bytes(), &mut bytes).is_ok_and(|length| length == 16);
        if decoded { Ok(Self(bytes)) } else { Err(JobIdError(text.to_owned())) }
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_26_characters() {
        let id = JobId::of("{}");
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("not-an-id".parse::<JobId>().is_err());
    }
}
