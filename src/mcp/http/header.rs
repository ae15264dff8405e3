//! Headers that repeat what a message says, for those on the way who do not read messages. They have to
//! agree with it.

use super::guard::only;
use crate::mcp::message::{Parameters, text};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use std::borrow::Cow;

pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Holds the headers of a message of the stateless era against it.
///
/// # Errors
///
/// One is missing or says something else; which.
pub(super) fn agree(
    headers: &HeaderMap,
    method: &str,
    parameters: Option<&Parameters<'_>>,
) -> Result<(), String> {
    let said = parameters.and_then(|parameters| parameters.meta.version).and_then(text);
    if let Some(said) = said {
        same(headers, &VERSION, &said)?;
    }
    same(headers, &METHOD, method)?;
    // What else goes by a name, this server does not have.
    let name = parameters.filter(|_| method == "tools/call").and_then(|all| all.name);
    match name.and_then(text) {
        Some(name) => same(headers, &NAME, &name),
        None => Ok(()),
    }
}

fn same(headers: &HeaderMap, header: &HeaderName, said: &str) -> Result<(), String> {
    if !headers.contains_key(header) {
        return Err(format!("the header `{header}` is missing"));
    }
    let given = only(headers, header)
        .ok_or_else(|| format!("the header `{header}` stands twice, or is no text"))?;
    let decoded = decoded(given.trim_matches([' ', '\t']))
        .ok_or_else(|| format!("the header `{header}` is no sound Base64"))?;
    if decoded == said {
        return Ok(());
    }
    let shown: String = decoded.chars().take(80).collect();
    Err(format!("the header `{header}` says `{shown}`, and the message something else"))
}

/// A value as it is meant: what no header can hold is written as `=?base64?…?=`.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match inside {
        None => Some(Cow::Borrowed(value)),
        Some(inside) => String::from_utf8(base64(inside)?).ok().map(Cow::Owned),
    }
}

/// The bytes of a text in Base64, with its padding and nothing else in it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (text, padding) = match text.as_bytes() {
        [start @ .., b'=', b'='] => (start, 2),
        [start @ .., b'='] => (start, 1),
        all => (all, 0),
    };
    if (text.len() + padding) % 4 != 0 {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    // What is left over is nothing but zeros, as many as the padding says.
    (held == padding * 2 && bits & ((1 << held) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_taken_as_it_is_written_and_no_other_way() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("SGVsbG8=", Some(b"Hello")),
            ("SGVsbA==", Some(b"Hell")),
            ("SGVs", Some(b"Hel")),
            ("+/+/", Some(b"\xfb\xff\xbf")),
            ("SGVsbG8", None),
            ("SGVsbG9=", None),
            ("SGVs!!!bG8=", None),
            ("SGV=", None),
            ("=", None),
            ("====", None),
            ("A===", None),
            ("SGVs bA==", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_not_marked_is_meant_as_it_stands() {
        assert_eq!(decoded("SGVsbG8=").as_deref(), Some("SGVsbG8="));
        assert_eq!(decoded("=?base64?SGVsbG8=").as_deref(), Some("=?base64?SGVsbG8="));
        assert_eq!(decoded("=?base64?SGVsbG8=?=").as_deref(), Some("Hello"));
        assert_eq!(decoded("=?base64?/w==?="), None);
    }
}
