//! The text of a secret, on its way from where the user keeps it to where it is spent.
//!
//! Nothing shows it: it has no `Display`, no serialized form, and a `Debug` that hides it. Its
//! memory is wiped when it is dropped; copies that a TLS library or the system makes are theirs.

use std::fmt;
use zeroize::Zeroizing;

/// The fewest bytes of a secret. A shorter one could not be taken out of an answer without taking
/// out innocent words with it.
pub const MIN_BYTES: usize = 8;

/// The most bytes of a secret.
pub const MAX_BYTES: usize = 16 * 1024;

/// Why a text cannot be spent as a secret. It holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretTextError {
    /// Too few bytes.
    #[error(
        "it has fewer than {MIN_BYTES} bytes; what is so short cannot be told apart from other words when an answer repeats it"
    )]
    Short,
    /// Too many bytes.
    #[error("it has more than {MAX_BYTES} bytes")]
    Long,
    /// A line break or another character that no header can hold.
    #[error("it has a line break or another control character inside")]
    Control,
}

/// The text of a secret.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a text over; white space at its ends is no part of it.
    ///
    /// # Errors
    ///
    /// It is too short or too long, or holds a control character.
    pub fn new(text: Zeroizing<String>) -> Result<Self, SecretTextError> {
        let inner = text.trim();
        if inner.len() < MIN_BYTES {
            return Err(SecretTextError::Short);
        }
        if inner.len() > MAX_BYTES {
            return Err(SecretTextError::Long);
        }
        if inner.chars().any(char::is_control) {
            return Err(SecretTextError::Control);
        }
        // A copy of the exact length: the meter is told of it as it is.
        Ok(Self(Zeroizing::new(inner.to_owned())))
    }

    /// The text, for whoever spends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, SecretTextError> {
        let secret = SecretText::new(Zeroizing::new(text.to_owned()))?;
        assert!(!format!("{secret:?}").contains(secret.expose()));
        Ok(secret.expose().to_owned())
    }

    #[test]
    fn a_secret_is_one_line_of_some_length() {
        assert_eq!(read("12345678\n"), Ok("12345678".into()));
        assert_eq!(read("pass word ä"), Ok("pass word ä".into()));
        assert_eq!(read("1234567\n"), Err(SecretTextError::Short));
        assert_eq!(read("1234\n5678"), Err(SecretTextError::Control));
        assert_eq!(read("1234\u{0}5678"), Err(SecretTextError::Control));
        assert_eq!(read(&"x".repeat(MAX_BYTES + 1)), Err(SecretTextError::Long));
    }
}
