//! Secrets that were spent, and how they are taken out of whatever is shown or kept.
//!
//! A text may repeat a secret as it is, or in a form that programs write texts in: with `%`, as part of
//! a JSON or HTML text, in base64 alone or inside of more, or in hexadecimal digits. Each is replaced,
//! whatever its case. Who means to betray a secret can say it in other ways: they have it.

pub mod shape;

use super::capability::SecretName;
use memchr::memmem;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What is looked for: forms of secrets in lower case, each with the name that takes its place.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Vec<(Zeroizing<Vec<u8>>, SecretName)>,
}

/// Work that is about to be done, for whoever pays for it.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Bytes that are looked at.
    pub looks: usize,
    /// Bytes that are allocated.
    pub holds: usize,
}

impl Redactor {
    /// Looks for all forms of these from now on as well.
    pub fn add(&mut self, name: &SecretName, text: &str) {
        for mut form in forms_of(text) {
            form.make_ascii_lowercase();
            self.forms.push((Zeroizing::new(form.as_bytes().to_vec()), name.clone()));
        }
        self.forms.sort_by(|one, other| one.0.as_slice().cmp(&other.0));
        self.forms.dedup_by(|one, other| one.0 == other.0);
    }

    /// How many forms are looked for.
    pub fn forms(&self) -> usize {
        self.forms.len()
    }

    /// The secrets that a text holds.
    pub fn held(&self, text: &str) -> Vec<&SecretName> {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let is_in = |form: &[u8]| memmem::find(lower.as_bytes(), form).is_some();
        self.forms.iter().filter(|(form, _)| is_in(form)).map(|(_, name)| name).collect()
    }

    /// Bytes without secrets. `pay` is asked before each part of the work.
    ///
    /// # Errors
    ///
    /// Those of `pay`.
    pub fn clean<E>(
        &self,
        bytes: Vec<u8>,
        pay: &mut impl FnMut(Work) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        let places = self.places(&bytes, pay)?;
        if places.is_empty() {
            return Ok(bytes);
        }
        let size = bytes.len().saturating_add(places.len().saturating_mul(MAX_SIGN));
        pay(Work { looks: 0, holds: size })?;
        let mut clean = Vec::with_capacity(size);
        let mut at = 0;
        for place in places {
            clean.extend_from_slice(&bytes[at..place.start]);
            clean.extend_from_slice(format!("[secret {}]", place.name).as_bytes());
            at = place.end;
        }
        clean.extend_from_slice(&bytes[at..]);
        Ok(clean)
    }

    /// A text without secrets.
    pub fn clean_text(&self, text: &str) -> String {
        let free = |_: Work| Ok::<(), Infallible>(());
        let clean = self.clean(text.as_bytes().to_vec(), &mut { free });
        let clean = clean.unwrap_or_else(|never| match never {});
        // A form is whole characters, so what is left is text.
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// A value without secrets: not in its texts, its keys or its numbers.
    pub fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.clean_text(&text).into(),
            Value::Number(number) => {
                let text = number.to_string();
                if self.held(&text).is_empty() {
                    Value::Number(number)
                } else {
                    self.clean_text(&text).into()
                }
            }
            Value::Array(parts) => parts.into_iter().map(|part| self.clean_value(part)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                let fields =
                    fields.map(|(key, part)| (self.clean_text(&key), self.clean_value(part)));
                Value::Object(fields.collect())
            }
            other => other,
        }
    }

    /// Where secrets are, from first to last and apart from each other.
    fn places<E>(
        &self,
        bytes: &[u8],
        pay: &mut impl FnMut(Work) -> Result<(), E>,
    ) -> Result<Vec<Place<'_>>, E> {
        if self.forms.is_empty() {
            return Ok(Vec::new());
        }
        pay(Work { looks: bytes.len().saturating_mul(2), holds: bytes.len() })?;
        let lower = Zeroizing::new(bytes.to_ascii_lowercase());
        let mut found: Vec<Place<'_>> = Vec::new();
        for (form, name) in &self.forms {
            pay(Work { looks: lower.len() / 4, holds: 0 })?;
            let finder = memmem::Finder::new(form.as_slice());
            let mut at = 0;
            // Every place, those that overlap with the last one included.
            while let Some(next) = finder.find(&lower[at..]) {
                let start = at + next;
                let grows = found.len() == found.capacity();
                let holds = if grows { (found.len() * 2 + 4) * size_of::<Place<'_>>() } else { 0 };
                pay(Work { looks: 64, holds })?;
                found.push(Place { start, end: start + form.len(), name });
                at = start + 1;
            }
        }
        found.sort_by_key(|place: &Place<'_>| place.start);
        let mut merged: Vec<Place<'_>> = Vec::new();
        for place in found {
            match merged.last_mut() {
                Some(last) if place.start < last.end => last.end = last.end.max(place.end),
                _ => merged.push(place),
            }
        }
        Ok(merged)
    }
}

/// The most bytes of `[secret NAME]`.
const MAX_SIGN: usize = 74;

/// Where a secret was found.
struct Place<'r> {
    start: usize,
    end: usize,
    name: &'r SecretName,
}

/// Every secret that was spent through a door, for whoever keeps records behind it. Clones share it.
#[derive(Clone, Default)]
pub struct Exposed(Arc<RwLock<Arc<Redactor>>>);

impl std::fmt::Debug for Exposed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exposed(…)")
    }
}

impl Exposed {
    /// Looks for this secret from now on as well.
    pub fn add(&self, name: &SecretName, text: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let lower = text.to_ascii_lowercase();
        if known.forms.binary_search_by(|(form, _)| form.as_slice().cmp(lower.as_bytes())).is_err()
        {
            Arc::make_mut(&mut known).add(name, text);
        }
    }

    /// What is looked for; `None` while nothing was spent.
    pub fn redactor(&self) -> Option<Arc<Redactor>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (!known.forms.is_empty()).then(|| Arc::clone(&known))
    }
}

/// The ways in which programs write a text.
fn forms_of(text: &str) -> Vec<Zeroizing<String>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let mut forms = vec![
        text.to_owned(),
        // Everything;
        percent(text, |_| false),
        // RFC 3986; forms of HTML; `encodeURIComponent`; `encodeURI`; what must be written so at least.
        percent(text, |byte| is_word(byte) || b"-._~".contains(&byte)),
        percent(text, |byte| is_word(byte) || b"*-._ ".contains(&byte)).replace(' ', "+"),
        percent(text, |byte| is_word(byte) || b"-._~!'()*".contains(&byte)),
        percent(text, |byte| is_word(byte) || b"-._~!'()*;,/?:@&=+$#".contains(&byte)),
        percent(text, |byte| byte.is_ascii_graphic() && !b"\"#<>'".contains(&byte)),
        percent(text, |byte| byte.is_ascii_graphic() && !b"\"#<>?`{}".contains(&byte)),
    ];
    for escapes in [JsonEscapes::Least, JsonEscapes::Slash, JsonEscapes::Html] {
        forms.push(json(text, escapes, false));
        forms.push(json(text, escapes, true));
    }
    for quotes in [["&quot;", "&#39;"], ["&#34;", "&#x27;"]] {
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        forms.push(html.replace('"', quotes[0]).replace('\'', quotes[1]));
    }
    for alphabet in [BASE64, BASE64_URL] {
        forms.push(base64_of(text.as_bytes(), alphabet));
        for before in 0..3 {
            let mut bytes = Zeroizing::new(vec![0; before]);
            bytes.extend_from_slice(text.as_bytes());
            let encoded = Zeroizing::new(base64_of(&bytes, alphabet));
            // The digits that its bytes alone decide; those at the ends are shared with neighbours.
            let digits = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
            forms.push(encoded.get(digits).unwrap_or_default().to_owned());
        }
    }
    forms.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.retain(|form| !form.is_empty());
    forms.into_iter().map(Zeroizing::new).collect()
}

/// Bytes in base64, without padding.
fn base64_of(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity((bytes.len() / 3 + 1) * 4);
    for group in bytes.chunks(3) {
        let bytes = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..=group.len() {
            let digit = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(alphabet[digit as usize]));
        }
    }
    text
}

fn percent(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut written = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if is_kept(byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    written
}

/// What a JSON text escapes beside quotes and backslashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonEscapes {
    Least,
    /// As PHP does.
    Slash,
    /// As Go does.
    Html,
}

fn json(text: &str, escapes: JsonEscapes, is_ascii: bool) -> String {
    let mut written = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            '/' if escapes == JsonEscapes::Slash => written.push_str("\\/"),
            '<' | '>' | '&' | '\'' if escapes == JsonEscapes::Html && (c != '\'' || is_ascii) => {
                written.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if is_ascii && !c.is_ascii() => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    written.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => written.push(c),
        }
    }
    written
}
