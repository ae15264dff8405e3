//! Parts of addresses as texts: percent signs and pairs.

use super::pairs_of;
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, a_type, output, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::native::display::{self, Style};
use crate::script::value::{Kind, prefix};
use rhai::{Array, Dynamic, ImmutableString};

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text as a part of an address: everything but ASCII letters, digits and `-._~` is written \
             with `%`.",
            "/// url::encode(\"a b/ñ\") // => \"a%20b%2F%C3%B1\"",
        ])
        .function("encode", ["text: string", "string"], encode)
        .docs(&[
            "/// The text that was encoded so; a `+` stays one.",
            "/// url::decode(\"a%20b%2F%C3%B1+\") // => \"a b/ñ+\"",
        ])
        .function("decode", ["text: string", "string"], decode)
        .docs(&[
            "/// The pairs of a query, with or without the `?` before it, decoded.",
            "/// url::pairs(\"?q=a+b&q=%C3%B1&x\") // => [[\"q\", \"a b\"], [\"q\", \"ñ\"], [\"x\", \"\"]]",
        ])
        .function("pairs", ["query: string", "string[][]"], pairs)
        .docs(&[
            "/// The query made of a map or of a list of pairs, encoded; a list as a value gives a pair for each, \
             `()` gives none.",
            "/// url::query(#{ page: 2, tag: [\"a b\", \"c\"], to: () }) // => \"page=2&tag=a%20b&tag=c\"",
        ])
        .function("query", ["pairs: map | array", "string"], |pairs: Dynamic| {
            query_of("url::query", &pairs)
        });
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn write_encoded(pace: &mut Pace, result: &mut String, text: &str) -> Outcome<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let (bytes, mut done) = (text.as_bytes(), 0);
    while done < bytes.len() {
        let run = bytes[done..].iter().take_while(|&&byte| is_plain(byte)).count();
        if run > 0 {
            pace.write(result, &text[done..done + run])?;
            done += run;
        }
        if let Some(&byte) = bytes.get(done) {
            let digits = [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            pace.write(result, str::from_utf8(&digits).unwrap_or_default())?;
            done += 1;
        }
    }
    Ok(())
}

fn encode(text: &str) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    write_encoded(&mut pace, &mut result, text)?;
    Ok(result.into())
}

/// What a pair of digits behind a `%` stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [b'%', high, low, ..] = bytes else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// The bytes of an encoded text. What is no escape stays as it is, unless it is refused.
fn decoded(
    pace: &mut Pace,
    text: &str,
    is_form: bool,
    refused: impl Fn(usize) -> Outcome<()>,
) -> Outcome<Vec<u8>> {
    let bytes = text.as_bytes();
    let (mut result, mut at) = (output(bytes.len())?.into_bytes(), 0);
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|&&byte| byte != b'%' && byte != b'+').count();
        let run = run.min(crate::script::host::text::work::WINDOW);
        pace.touch(run)?;
        result.extend_from_slice(&bytes[at..at + run]);
        at += run;
        match bytes.get(at) {
            Some(b'%') => match escaped(&bytes[at..]) {
                Some(byte) => {
                    result.push(byte);
                    at += 3;
                }
                None => {
                    refused(at)?;
                    result.push(b'%');
                    at += 1;
                }
            },
            Some(b'+') => {
                result.push(if is_form { b' ' } else { b'+' });
                at += 1;
            }
            _ => (),
        }
    }
    Ok(result)
}

fn decode(text: &str) -> Outcome<ImmutableString> {
    let refused = |at: usize| {
        let rest = prefix(text.get(at..).unwrap_or_default(), 20);
        Err(refuse(format!(
            "url::decode: {rest:?} does not begin with a `%` and two hexadecimal digits; write %25 \
             for a percent sign"
        )))
    };
    let bytes = decoded(&mut Pace::default(), text, false, refused)?;
    meter::charge_bytes(bytes.len())?;
    String::from_utf8(bytes).map(ImmutableString::from).map_err(|_| {
        refuse("url::decode: the bytes are no text in UTF-8; another encoding was used")
    })
}

fn pairs(query: &str) -> Outcome<Array> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for pair in query.split('&') {
        pace.touch(pair.len())?;
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut both = Array::with_capacity(2);
        for part in [name, value] {
            // Forms are read leniently, as servers do.
            let bytes = decoded(&mut pace, part, true, |_| Ok(()))?;
            pace.push_text(&mut both, &String::from_utf8_lossy(&bytes))?;
        }
        pace.push(&mut result, Dynamic::from_array(both))?;
    }
    Ok(result)
}

/// The query of a map or a list of pairs.
pub(in crate::script::host) fn query_of(
    function: &str,
    pairs: &Dynamic,
) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (String::new(), Pace::default());
    for (name, value) in pairs_of(function, pairs)? {
        let mut write = |value: &Dynamic| {
            match Kind::of(value) {
                Kind::Unit => return Ok(()),
                Kind::Text | Kind::Char | Kind::Int | Kind::Float | Kind::Bool => (),
                _ => {
                    return Err(refuse(format!(
                        "{function}: the value of `{}` is {}; give a text, a number, a boolean, or \
                         a list of those",
                        prefix(&name, 40),
                        a_type(value)
                    )));
                }
            }
            if !result.is_empty() {
                pace.write(&mut result, "&")?;
            }
            write_encoded(&mut pace, &mut result, &name)?;
            pace.write(&mut result, "=")?;
            write_encoded(&mut pace, &mut result, &display::text(value, Style::Print))
        };
        if Kind::of(&value) == Kind::Array {
            let list = value.as_array_ref().map_err(|_| unreadable("query"))?;
            for value in list.iter() {
                write(value)?;
            }
        } else {
            write(&value)?;
        }
    }
    Ok(result.into())
}
