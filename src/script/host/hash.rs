//! `hash`: digests of texts, and texts in hexadecimal digits and base64.
//!
//! A text is hashed as its bytes in UTF-8. There are no keys here: what must stay secret does not
//! belong into a script.

use super::ModuleBuilder;
use crate::script::host::text::work::{WINDOW, output, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use rhai::{ImmutableString, Module, Shared};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::sync::OnceLock;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Sources: RFC 4648, tables 1 and 2.
pub(super) const BASE64: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
pub(super) const BASE64_URL: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Digests, hexadecimal digits and base64, of texts as UTF-8. What cannot be \
             decoded, or is no UTF-8 then, is an error.",
        );
        register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The SHA-256 of a text, in hexadecimal digits.",
            "/// hash::sha256(\"abc\") // => \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        ])
        .function("sha256", ["text: string", "string"], |text: &str| digest::<Sha256>(text))
        .docs(&[
            "/// The SHA-384 of a text, in hexadecimal digits.",
            "/// hash::sha384(\"abc\").sub_string(0, 16) // => \"cb00753f45a35e8b\"",
        ])
        .function("sha384", ["text: string", "string"], |text: &str| digest::<Sha384>(text))
        .docs(&[
            "/// The SHA-512 of a text, in hexadecimal digits.",
            "/// hash::sha512(\"abc\").sub_string(0, 16) // => \"ddaf35a193617aba\"",
        ])
        .function("sha512", ["text: string", "string"], |text: &str| digest::<Sha512>(text))
        .docs(&[
            "/// The bytes of a text in hexadecimal digits.",
            "/// hash::hex(\"añ\") // => \"61c3b1\"",
        ])
        .function("hex", ["text: string", "string"], |text: &str| hex(text.as_bytes()))
        .docs(&[
            "/// The text whose bytes are given in hexadecimal digits, in upper or lower case.",
            "/// hash::from_hex(\"61C3B1\") // => \"añ\"",
        ])
        .function("from_hex", ["digits: string", "string"], from_hex)
        .docs(&[
            "/// The bytes of a text in base64.",
            "/// hash::base64(\"any?\") // => \"YW55Pw==\"",
        ])
        .function("base64", ["text: string", "string"], |text: &str| base64(text, BASE64, true))
        .docs(&[
            "/// The bytes of a text in base64 for addresses and file names: `-` and `_` for `+` and `/`, and no \
             `=`.",
            "/// hash::base64_url(\"a?>b?\") // => \"YT8-Yj8\"",
        ])
        .function("base64_url", ["text: string", "string"], |text: &str| {
            base64(text, BASE64_URL, false)
        })
        .docs(&[
            "/// The text whose bytes are given in base64 of either kind; line breaks and `=` may be left out.",
            "/// hash::from_base64(\"YW55Pw==\") // => \"any?\"",
        ])
        .function("from_base64", ["base64: string", "string"], from_base64);
}

fn digest<D: Digest>(text: &str) -> Outcome<ImmutableString> {
    let mut hasher = D::new();
    for window in text.as_bytes().chunks(WINDOW / 4) {
        // A byte takes much longer to hash than to copy.
        meter::charge_bytes(window.len().saturating_mul(4))?;
        hasher.update(window);
    }
    meter::charge(8)?;
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> Outcome<ImmutableString> {
    let mut result = output(bytes.len().saturating_mul(2))?;
    for window in bytes.chunks(WINDOW) {
        meter::charge_bytes(window.len() * 2)?;
        for byte in window {
            result.push(char::from(HEX[usize::from(byte >> 4)]));
            result.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Ok(result.into())
}

fn from_hex(digits: &str) -> Outcome<ImmutableString> {
    let function = "hash::from_hex";
    let mut bytes = buffer(digits.len() / 2)?;
    if !digits.len().is_multiple_of(2) {
        return Err(refuse(format!(
            "{function}: there are {} digits; a byte takes two",
            digits.len()
        )));
    }
    for window in digits.as_bytes().chunks(WINDOW) {
        meter::charge_bytes(window.len())?;
        for pair in window.chunks_exact(2) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(refuse(format!(
                    "{function}: `{}` is no pair of hexadecimal digits; write 0-9 and a-f",
                    pair.escape_ascii()
                )));
            };
            bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        }
    }
    text_of(function, bytes)
}

fn base64(text: &str, alphabet: &[u8; 64], is_padded: bool) -> Outcome<ImmutableString> {
    Ok(base64_of(text.as_bytes(), alphabet, is_padded)?.into())
}

/// Bytes in base64.
pub(super) fn base64_of(bytes: &[u8], alphabet: &[u8; 64], is_padded: bool) -> Outcome<String> {
    let mut result = output((bytes.len() / 3 + 1).saturating_mul(4))?;
    for window in bytes.chunks(WINDOW / 3 * 3) {
        meter::charge_bytes(window.len() * 2)?;
        for group in window.chunks(3) {
            let bytes = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
            let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
            for place in 0..4 {
                if place <= group.len() {
                    let digit = (bits >> (18 - 6 * place)) & 63;
                    result.push(char::from(alphabet[digit as usize]));
                } else if is_padded {
                    result.push('=');
                }
            }
        }
    }
    Ok(result)
}

fn from_base64(text: &str) -> Outcome<ImmutableString> {
    let function = "hash::from_base64";
    let mut bytes = buffer(text.len() / 4 * 3 + 3)?;
    let (mut bits, mut count, mut is_over) = (0_u32, 0_u32, false);
    for window in text.as_bytes().chunks(WINDOW) {
        meter::charge_bytes(window.len())?;
        for &byte in window {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'\r' | b'\n' => continue,
                b'=' => {
                    is_over = true;
                    continue;
                }
                _ => 64,
            };
            if digit > 63 || is_over {
                return Err(refuse(format!(
                    "{function}: `{}` does not belong there; write A-Z, a-z, 0-9, + and /, and = \
                     at the end",
                    byte.escape_ascii()
                )));
            }
            bits = bits << 6 | u32::from(digit);
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count & 255) as u8);
            }
        }
    }
    if count == 6 {
        return Err(refuse(format!(
            "{function}: the text ends in the middle of a byte; copy all of it"
        )));
    }
    text_of(function, bytes)
}

/// An empty buffer for so many bytes, if they fit.
fn buffer(bytes: usize) -> Outcome<Vec<u8>> {
    output(bytes).map(String::into_bytes)
}

fn text_of(function: &str, bytes: Vec<u8>) -> Outcome<ImmutableString> {
    meter::charge_bytes(bytes.len())?;
    String::from_utf8(bytes).map(ImmutableString::from).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let shown = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
        refuse(format!(
            "{function}: the bytes are no text in UTF-8 from byte {at} on, after {:?}; scripts hold \
             texts, and nothing else of bytes",
            prefix(&shown, 20)
        ))
    })
}

#[cfg(test)]
mod tests {
    use crate::script::host::text::trial::{check, check_examples, check_refused};

    #[test]
    fn examples_are_true() {
        check_examples("hash", &super::module());
    }

    #[test]
    fn texts_come_back() {
        for text in ["", "a", "ab", "abc", "año → 🦀"] {
            let text = format!("{text:?}");
            check(&format!("hash::from_base64(hash::base64({text}))"), &text);
            check(&format!("hash::from_base64(hash::base64_url({text}))"), &text);
            check(&format!("hash::from_hex(hash::hex({text}))"), &text);
        }
        check(
            "let s = text::repeat(\"añb\", 100000); hash::from_base64(hash::base64(s)) == s",
            "true",
        );
        check("let s = text::repeat(\"añb\", 100000); hash::from_hex(hash::hex(s)) == s", "true");
        check(
            "hash::sha256(text::repeat(\"a\", 1000000))",
            "\"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0\"",
        );
        check("hash::sha256(\"\").sub_string(0, 8)", "\"e3b0c442\"");
        check("hash::from_base64(\"YW5\\r\\n5Pw\")", "\"any?\"");
    }

    #[test]
    fn mistakes_are_told_and_can_be_caught() {
        check_refused("hash::from_hex(\"abc\")", "a byte takes two");
        check_refused("hash::from_hex(\"0g\")", "`0g` is no pair");
        check_refused("hash::from_hex(\"61ff\")", "no text in UTF-8 from byte 1 on, after \"a\"");
        check_refused("hash::from_base64(\"a*\")", "`*` does not belong");
        check_refused("hash::from_base64(\"YQ==YQ==\")", "does not belong");
        check_refused("hash::from_base64(\"YWJjZ\")", "in the middle of a byte");
    }
}
