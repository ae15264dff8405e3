//! Takes out of what a host says the secrets that were told to it.
//!
//! An answer may repeat a secret as it is, or in a form that programs write texts in: with `%`, as
//! part of a JSON or HTML text, in base64 alone or inside of more, or in hexadecimal digits. Each is
//! replaced, whatever its case. A host that means to betray a secret can say it in other ways: it
//! has it.

use crate::feature::capability::SecretName;
use crate::script::frame::Native;
use crate::script::host::hash::{BASE64, BASE64_URL, base64_of};
use crate::script::meter;
use memchr::memmem;
use zeroize::Zeroizing;

/// A secret that the call has spent.
#[derive(Clone)]
pub(super) struct Spent {
    pub name: SecretName,
    /// Its text, or a text that it is a part of and that was sent as one.
    pub text: Zeroizing<String>,
}

/// What is looked for: forms of secrets in lower case, each with the name that takes its place.
#[derive(Default)]
pub(super) struct Redactor {
    forms: Vec<(Zeroizing<Vec<u8>>, SecretName)>,
}

impl Redactor {
    /// Looks for all forms of these.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn of(spent: &[Spent]) -> Native<Self> {
        let mut forms = Vec::new();
        for one in spent {
            meter::charge_bytes(one.text.len().saturating_mul(64))?;
            meter::reserve(one.text.len().saturating_mul(64))?;
            for mut form in forms_of(&one.text)? {
                form.make_ascii_lowercase();
                forms.push((Zeroizing::new(form.into_bytes()), one.name.clone()));
            }
        }
        forms.sort_by(|one, other| one.0.as_slice().cmp(&other.0));
        forms.dedup_by(|one, other| one.0 == other.0);
        Ok(Self { forms })
    }

    /// The secrets that a text holds.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn held(&self, text: &str) -> Native<Vec<&SecretName>> {
        meter::charge_bytes(text.len().saturating_mul(self.forms.len()))?;
        meter::reserve(text.len())?;
        let lower = text.to_ascii_lowercase();
        let is_in = |form: &[u8]| memmem::find(lower.as_bytes(), form).is_some();
        let held = self.forms.iter().filter(|(form, _)| is_in(form)).map(|(_, name)| name);
        Ok(held.collect())
    }

    /// A text without secrets.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn clean_text(&self, text: &str) -> Native<String> {
        let clean = self.clean(text.as_bytes().to_vec())?;
        // A form is whole characters, so what is left is text.
        Ok(String::from_utf8_lossy(&clean).into_owned())
    }

    /// Bytes without secrets.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn clean(&self, bytes: Vec<u8>) -> Native<Vec<u8>> {
        let places = self.places(&bytes)?;
        if places.is_empty() {
            return Ok(bytes);
        }
        let added = places.len().saturating_mul(MAX_SIGN);
        meter::reserve(bytes.len().saturating_add(added))?;
        let mut clean = Vec::with_capacity(bytes.len().saturating_add(added));
        let mut at = 0;
        for place in places {
            clean.extend_from_slice(&bytes[at..place.start]);
            clean.extend_from_slice(format!("[secret {}]", place.name).as_bytes());
            at = place.end;
        }
        clean.extend_from_slice(&bytes[at..]);
        Ok(clean)
    }

    /// Where secrets are, from first to last and apart from each other.
    fn places(&self, bytes: &[u8]) -> Native<Vec<Place<'_>>> {
        if self.forms.is_empty() {
            return Ok(Vec::new());
        }
        meter::charge_bytes(bytes.len().saturating_mul(2))?;
        meter::reserve(bytes.len())?;
        let lower = bytes.to_ascii_lowercase();
        let mut found = Vec::new();
        for (form, name) in &self.forms {
            meter::charge_bytes(lower.len() / 4)?;
            let finder = memmem::Finder::new(form.as_slice());
            let mut at = 0;
            // Every place, those that overlap with the last one included.
            while let Some(next) = finder.find(&lower[at..]) {
                let start = at + next;
                if found.len() == found.capacity() {
                    meter::reserve((found.len() * 2 + 4) * size_of::<Place<'_>>())?;
                }
                found.push(Place { start, end: start + form.len(), name });
                at = start + 1;
                meter::charge(1)?;
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

/// The ways in which programs write a text.
fn forms_of(text: &str) -> Native<Vec<String>> {
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
        forms.push(base64_of(text.as_bytes(), alphabet, false)?);
        for before in 0..3 {
            let mut bytes = Zeroizing::new(vec![0; before]);
            bytes.extend_from_slice(text.as_bytes());
            let encoded = base64_of(&bytes, alphabet, false)?;
            // The digits that its bytes alone decide; those at the ends are shared with neighbours.
            let digits = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
            forms.push(encoded.get(digits).unwrap_or_default().to_owned());
        }
    }
    forms.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.retain(|form| !form.is_empty());
    Ok(forms)
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr&t/kéy+\"x\"='9<";

    fn redactor(text: &str) -> Redactor {
        let name = "KEY".parse().expect("a name");
        Redactor::of(&[Spent { name, text: Zeroizing::new(text.to_owned()) }]).expect("no bound")
    }

    #[test]
    fn every_form_of_a_secret_is_found() {
        let redactor = redactor(SECRET);
        let form: String = ::url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let url = ::url::Url::parse_with_params("https://a.example/", [("k", SECRET)]);
        let path = ::url::Url::parse(&format!("https://a.example/{}", percent(SECRET, |_| false)));
        for said in [
            SECRET.to_owned(),
            SECRET.to_uppercase().replace('É', "é"),
            serde_json::to_string(SECRET).expect("a text"),
            format!("a{SECRET}b{SECRET}{SECRET}"),
            form.clone(),
            form.to_lowercase(),
            url.expect("an address").to_string(),
            path.expect("an address").to_string(),
            "s3cr&amp;t/kéy+&quot;x&quot;=&#39;9&lt;".to_owned(),
            "\"s3cr\\u0026t/k\\u00e9y+\\\"x\\\"=\\u00279\\u003c\"".to_owned(),
            "s3cr&t\\/kéy+\\\"x\\\"='9<".to_owned(),
            SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ] {
            let clean = redactor.clean_text(&said).expect("no bound");
            assert!(clean.contains("[secret KEY]"), "{said}: {clean}");
            assert!(!clean.to_lowercase().contains("s3cr"), "{said}: {clean}");
        }
    }

    #[test]
    fn base64_of_more_than_the_secret_shows_nothing_of_it() {
        let redactor = redactor("Tr0ub4dor&3-horse");
        for alphabet in [BASE64, BASE64_URL] {
            for front in ["", "u", "us", "user:", "{\"password\": \""] {
                for back in ["", "x", "xy", "\"}"] {
                    let said = format!("{front}Tr0ub4dor&3-horse{back}");
                    for is_padded in [true, false] {
                        let said =
                            base64_of(said.as_bytes(), alphabet, is_padded).expect("no bound");
                        let clean = redactor.clean_text(&said).expect("no bound");
                        assert!(clean.contains("[secret KEY]"), "{front}|{back}: {said} {clean}");
                        let rest = clean.replace("[secret KEY]", "").len();
                        assert!(rest <= (front.len() + back.len()) * 4 / 3 + 6, "{clean}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let redactor = redactor(SECRET);
        for said in ["", "s3cr", "[secret KEY]", "čeština & <b>"] {
            assert_eq!(redactor.clean_text(said).expect("no bound"), said);
        }
        let bytes = vec![0xff, 0, 0xfe];
        assert_eq!(redactor.clean(bytes.clone()).expect("no bound"), bytes);
        assert_eq!(Redactor::default().clean_text(SECRET).expect("no bound"), SECRET);
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_between() {
        let name = |name: &str| name.parse().expect("a name");
        let spent = [
            Spent { name: name("A"), text: Zeroizing::new("abcdefgh".to_owned()) },
            Spent { name: name("B"), text: Zeroizing::new("efghijkl".to_owned()) },
        ];
        let redactor = Redactor::of(&spent).expect("no bound");
        assert_eq!(redactor.clean_text("-abcdefghijkl-").expect("no bound"), "-[secret A]-");
        assert_eq!(redactor.clean_text("aaabcdefgh").expect("no bound"), "aa[secret A]");
    }
}
