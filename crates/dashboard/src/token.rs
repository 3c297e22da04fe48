//! The secret that tells whoever started the dashboard from everybody else who can reach it.

use blake3::Hash;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// 256 random bits, for the life of one process; never on disk.
pub(crate) struct Token {
    secret: [u8; 32],
}

impl Token {
    /// A new one.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret })
    }

    /// As it stands in the address that is printed, and in the cookie.
    pub(crate) fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.secret)
    }

    /// Whether somebody knows it.
    pub(crate) fn is(&self, text: &str) -> bool {
        same(&self.text(), text)
    }

    /// What forms carry: made from the token, so that a page which gets about does not give it away.
    pub(crate) fn of_forms(&self) -> String {
        HEXLOWER.encode(blake3::keyed_hash(&self.secret, b"forms").as_bytes())
    }

    /// Whether a form is one of ours.
    pub(crate) fn is_of_forms(&self, text: &str) -> bool {
        same(&self.of_forms(), text)
    }
}

/// Compares in a time that tells nothing: BLAKE3's hashes compare so, whatever the texts have in common.
fn same(one: &str, other: &str) -> bool {
    let hash = |text: &str| -> Hash { blake3::hash(text.as_bytes()) };
    hash(one) == hash(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_text_alone_and_no_two_are_alike() {
        let (one, other) = (Token::random().expect("draws"), Token::random().expect("draws"));
        assert_eq!(one.text().len(), 43);
        assert!(one.is(&one.text()) && !one.is(&other.text()) && !one.is("") && !one.is("x"));
        assert!(!one.is(&one.text()[..42]) && !one.is(&one.of_forms()));
        assert!(one.is_of_forms(&one.of_forms()) && !one.is_of_forms(&one.text()));
    }
}
