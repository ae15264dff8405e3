//! Keys that are known by their shape: what services give out begins in ways that nothing else does.
//!
//! It is looked for in everything before it is kept, whoever wrote it: a key that a model was told, that a
//! program printed, that stands in a file. One pass over the text finds all of them, and the time is in
//! proportion to its length. What looks like nothing in particular, a password above all, is not known.

use serde_json::Value;
use std::ops::Range;

/// Keys with one beginning.
struct Shape {
    /// What stands in its place: `[redacted: NAME]`.
    name: &'static str,
    head: &'static str,
    /// What it goes on with.
    is_part: fn(u8) -> bool,
    /// How many of those there are at least, and at most.
    length: (usize, usize),
    /// Whether the beginning is no secret, and stays.
    keeps_head: bool,
}

const ANY: usize = usize::MAX;

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn word(byte: u8) -> bool {
    alphanumeric(byte) || byte == b'_'
}

fn url_safe(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    url_safe(byte) || byte == b'.'
}

fn base64(byte: u8) -> bool {
    alphanumeric(byte) || matches!(byte, b'+' | b'/')
}

fn path(byte: u8) -> bool {
    alphanumeric(byte) || byte == b'/'
}

const fn shape(
    name: &'static str,
    head: &'static str,
    is_part: fn(u8) -> bool,
    length: (usize, usize),
) -> Shape {
    Shape { name, head, is_part, length, keeps_head: false }
}

/// Those with one beginning; of two that begin alike, the longer comes first. The beginnings are those that
/// the services tell of, so that such keys can be found where they leaked.
const SHAPES: [Shape; 40] = [
    shape("AWS access key", "AKIA", capital, (16, 16)),
    shape("AWS access key", "ASIA", capital, (16, 16)),
    shape("Anthropic key", "sk-ant-", url_safe, (20, ANY)),
    shape("OpenAI key", "sk-proj-", url_safe, (20, ANY)),
    shape("OpenAI key", "sk-svcacct-", url_safe, (20, ANY)),
    shape("OpenAI key", "sk-admin-", url_safe, (20, ANY)),
    shape("OpenRouter key", "sk-or-", url_safe, (20, ANY)),
    shape("API key", "sk-", alphanumeric, (32, ANY)),
    shape("GitHub token", "ghp_", alphanumeric, (36, ANY)),
    shape("GitHub token", "gho_", alphanumeric, (36, ANY)),
    shape("GitHub token", "ghu_", alphanumeric, (36, ANY)),
    shape("GitHub token", "ghs_", alphanumeric, (36, ANY)),
    shape("GitHub token", "ghr_", alphanumeric, (36, ANY)),
    shape("GitHub token", "github_pat_", word, (22, ANY)),
    shape("GitLab token", "glpat-", dotted, (20, ANY)),
    shape("Slack token", "xoxa-", url_safe, (10, ANY)),
    shape("Slack token", "xoxb-", url_safe, (10, ANY)),
    shape("Slack token", "xoxc-", url_safe, (10, ANY)),
    shape("Slack token", "xoxd-", url_safe, (10, ANY)),
    shape("Slack token", "xoxe-", url_safe, (10, ANY)),
    shape("Slack token", "xoxp-", url_safe, (10, ANY)),
    shape("Slack token", "xoxr-", url_safe, (10, ANY)),
    shape("Slack token", "xoxs-", url_safe, (10, ANY)),
    shape("Slack token", "xapp-", url_safe, (10, ANY)),
    Shape {
        keeps_head: true,
        ..shape("Slack address", "https://hooks.slack.com/services/", path, (20, ANY))
    },
    shape("Google key", "AIza", url_safe, (35, 35)),
    shape("Google token", "ya29.", url_safe, (20, ANY)),
    shape("Google secret", "GOCSPX-", url_safe, (20, ANY)),
    shape("Stripe key", "sk_live_", alphanumeric, (16, ANY)),
    shape("Stripe key", "rk_live_", alphanumeric, (16, ANY)),
    shape("Stripe key", "sk_test_", alphanumeric, (16, ANY)),
    shape("Stripe key", "rk_test_", alphanumeric, (16, ANY)),
    shape("Stripe secret", "whsec_", base64, (24, ANY)),
    shape("npm token", "npm_", alphanumeric, (36, 36)),
    shape("PyPI token", "pypi-", url_safe, (50, ANY)),
    shape("Hugging Face token", "hf_", alphanumeric, (34, ANY)),
    shape("SendGrid key", "SG.", dotted, (50, ANY)),
    shape("DigitalOcean token", "dop_v1_", alphanumeric, (60, ANY)),
    shape("Databricks token", "dapi", |byte| byte.is_ascii_hexdigit(), (32, 34)),
    shape("age key", "AGE-SECRET-KEY-1", capital, (50, ANY)),
];

/// A key and where it is.
struct Found {
    name: &'static str,
    place: Range<usize>,
}

/// The first two bytes of what [`SHAPES`] has no beginning for.
const OTHERS: [&[u8; 2]; 15] = [
    b":/", b"--", b"ey", b"be", b"bE", b"Be", b"BE", b"se", b"sE", b"Se", b"SE", b"s_", b"S_",
    b"s-", b"S-",
];

/// The bit of what [`OTHERS`] begin.
const OTHER: u64 = 1 << 63;

const _: () = assert!(SHAPES.len() < 63, "every shape has a bit");

/// What may begin with a byte at its first place and with one at its second, a bit for each of [`SHAPES`]: the
/// look at most bytes ends there.
static BEGINNINGS: [[u64; 256]; 2] = [beginnings(0), beginnings(1)];

const fn beginnings(place: usize) -> [u64; 256] {
    let mut begins = [0; 256];
    let mut index = 0;
    while index < SHAPES.len() {
        begins[SHAPES[index].head.as_bytes()[place] as usize] |= 1 << index;
        index += 1;
    }
    let mut index = 0;
    while index < OTHERS.len() {
        begins[OTHERS[index][place] as usize] |= OTHER;
        index += 1;
    }
    begins
}

/// The text without the keys that it holds; `None` where it holds none.
pub fn without(text: &str) -> Option<String> {
    let found = find(text.as_bytes());
    if found.is_empty() {
        return None;
    }
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for Found { name, place } in found {
        // Both ends stand beside ASCII.
        clean.push_str(text.get(at..place.start).unwrap_or_default());
        clean.push_str("[redacted: ");
        clean.push_str(name);
        clean.push(']');
        at = place.end;
    }
    clean.push_str(text.get(at..).unwrap_or_default());
    Some(clean)
}

/// Whether a value holds a key, in one of its texts or names.
pub fn is_in(value: &Value) -> bool {
    match value {
        Value::String(text) => !find(text.as_bytes()).is_empty(),
        Value::Array(parts) => parts.iter().any(is_in),
        Value::Object(fields) => {
            fields.iter().any(|(key, part)| !find(key.as_bytes()).is_empty() || is_in(part))
        }
        _ => false,
    }
}

/// A value without the keys that it holds.
pub fn cleaned(value: Value) -> Value {
    let text = |text: String| without(&text).unwrap_or(text);
    match value {
        Value::String(held) => text(held).into(),
        Value::Array(parts) => parts.into_iter().map(cleaned).collect(),
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(key, part)| (text(key), cleaned(part))).collect(),
        ),
        other => other,
    }
}

/// Every key, from first to last and apart from each other.
fn find(bytes: &[u8]) -> Vec<Found> {
    let [first, second] = &BEGINNINGS;
    let mut found = Vec::new();
    let mut at = 0;
    // Nothing is a key of one byte.
    while let [one, two, ..] = bytes[at..] {
        let begins = first[usize::from(one)] & second[usize::from(two)];
        if begins != 0
            && let Some(key) = key_at(bytes, at, begins)
        {
            at = key.place.end;
            found.push(key);
        } else {
            at += 1;
        }
    }
    found
}

/// The key that begins at a place, or a little behind it. `begins` says what its first bytes may be those of.
fn key_at(bytes: &[u8], at: usize, begins: u64) -> Option<Found> {
    let rest = &bytes[at..];
    match rest[0] {
        b':' => return password(bytes, at),
        b'-' => return private_key(bytes, at),
        _ if goes_on(bytes, at, alphanumeric) => return None,
        b's' | b'S' => {
            if let Some(secret) = secret_access_key(bytes, at) {
                return Some(secret);
            }
        }
        b'b' | b'B' => return bearer(bytes, at),
        b'e' => return web_token(bytes, at),
        _ => (),
    }
    SHAPES.iter().enumerate().filter(|(index, _)| begins >> index & 1 == 1).find_map(
        |(_, shape)| {
            let begin = at + shape.head.len();
            let rest = rest.strip_prefix(shape.head.as_bytes())?;
            // No longer than what decides: a longer run is not the key of an exact length.
            let (least, most) = shape.length;
            let length = run(rest, shape.is_part, most.saturating_add(1));
            let start = if shape.keeps_head { begin } else { at };
            (least..=most)
                .contains(&length)
                .then(|| Found { name: shape.name, place: start..begin + length })
        },
    )
}

/// Whether what stands at a place goes on from what stands before it: a part of a longer word. An escape of
/// JSON, a line break above all, and one of an address end with letters and are none.
fn goes_on(bytes: &[u8], at: usize, is_part: fn(u8) -> bool) -> bool {
    let before = &bytes[at.saturating_sub(6)..at];
    let is_escape = match before {
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => true,
        [b'\\', b'u', code @ ..] if code.len() == 4 => code.iter().all(u8::is_ascii_hexdigit),
        [.., b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    !is_escape && before.last().is_some_and(|byte| is_part(*byte))
}

/// How many bytes go on so, at most `most`.
fn run(bytes: &[u8], is_part: fn(u8) -> bool, most: usize) -> usize {
    let length = bytes.iter().take(most).take_while(|byte| is_part(**byte)).count();
    #[cfg(test)]
    tests::looked(length + 1);
    length
}

/// The longest name, and the longest password, in an address.
const MOST_USER: usize = 128;
const MOST_PASSWORD: usize = 512;

/// What a name and a password in an address are made of.
fn user_part(byte: u8) -> bool {
    byte > b' ' && byte != 127 && !b":/@\"'<>[]`\\".contains(&byte)
}

/// A password may hold `@` and `:`, though it should not.
fn password_part(byte: u8) -> bool {
    user_part(byte) || matches!(byte, b':' | b'@')
}

/// `://name:password@`: the password.
fn password(bytes: &[u8], at: usize) -> Option<Found> {
    let rest = bytes[at..].strip_prefix(b"://")?;
    let is_scheme = at.checked_sub(1).is_some_and(|before| alphanumeric(bytes[before]));
    let name = run(rest, user_part, MOST_USER);
    if !is_scheme || rest.get(name) != Some(&b':') {
        return None;
    }
    let begin = at + 3 + name + 1;
    let password = &bytes[begin..begin + run(&bytes[begin..], password_part, MOST_PASSWORD)];
    let length = password.iter().rposition(|byte| *byte == b'@').filter(|length| *length > 0)?;
    Some(Found { name: "password", place: begin..begin + length })
}

/// `-----BEGIN … PRIVATE KEY-----` and what follows, to its end, or to that of the text.
fn private_key(bytes: &[u8], at: usize) -> Option<Found> {
    let rest = bytes[at..].strip_prefix(b"-----BEGIN ")?;
    let head =
        run(rest, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ', 64);
    let title = rest[..head].strip_suffix(b" BLOCK").unwrap_or(&rest[..head]);
    if !title.ends_with(b"PRIVATE KEY") || !rest[head..].starts_with(b"-----") {
        return None;
    }
    let body = at + 11 + head + 5;
    let end = memchr::memmem::find(&bytes[body..], b"-----END ").map(|end| {
        let end = body + end + 9;
        end + run(&bytes[end..], |byte| byte.is_ascii_uppercase() || byte == b' ', 64)
    });
    let end = end.map(|end| end + run(&bytes[end..], |byte| byte == b'-', 5));
    Some(Found { name: "private key", place: at..end.unwrap_or(bytes.len()) })
}

/// `bearer TOKEN`: the token.
fn bearer(bytes: &[u8], at: usize) -> Option<Found> {
    let rest = &bytes[at..];
    let is_word = rest.get(..6)?.eq_ignore_ascii_case(b"bearer");
    let gap = run(&rest[6..], |byte| byte == b' ', 4);
    let begin = at + 6 + gap;
    let is_part = |byte: u8| base64(byte) || matches!(byte, b'_' | b'.' | b'~' | b'-' | b'=');
    let length = run(&bytes[begin..], is_part, ANY);
    // A word that comes next in a sentence is shorter, and has no digit.
    let has_digit = bytes[begin..begin + length].iter().any(u8::is_ascii_digit);
    (is_word && gap > 0 && length >= 20 && has_digit)
        .then(|| Found { name: "bearer token", place: begin..begin + length })
}

/// `eyJ….eyJ….…`, a JSON web token.
fn web_token(bytes: &[u8], at: usize) -> Option<Found> {
    // Whatever it goes on from, it is looked at once.
    if goes_on(bytes, at, dotted) {
        return None;
    }
    let part = |begin: usize| {
        let rest = bytes.get(begin..)?;
        let length = run(rest, url_safe, ANY);
        (length >= 8).then_some(begin + length)
    };
    let is_head = |begin: usize| bytes.get(begin..).is_some_and(|rest| rest.starts_with(b"eyJ"));
    let dot = |at: usize| (bytes.get(at) == Some(&b'.')).then_some(at + 1);
    let second = is_head(at).then(|| part(at).and_then(dot))??;
    let third = is_head(second).then(|| part(second).and_then(dot))??;
    let end = part(third)?;
    Some(Found { name: "web token", place: at..end })
}

/// `secret_access_key = …` in any spelling: AWS's secrets say nothing by themselves.
fn secret_access_key(bytes: &[u8], at: usize) -> Option<Found> {
    let mut words = b"secretaccesskey".iter().peekable();
    let mut begin = at;
    while let Some(wanted) = words.peek() {
        let byte = *bytes.get(begin)?;
        if byte.eq_ignore_ascii_case(wanted) {
            words.next();
        } else if !matches!(byte, b'_' | b'-') || begin > at + 20 {
            return None;
        }
        begin += 1;
    }
    begin += run(&bytes[begin..], |byte| b"\"' \t:=>\\".contains(&byte), 12);
    let length = run(&bytes[begin..], base64, 41);
    (length == 40).then(|| Found { name: "AWS secret key", place: begin..begin + 40 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::cell::Cell;

    thread_local! {
        /// The bytes that were looked at.
        static LOOKED: Cell<usize> = const { Cell::new(0) };
    }

    pub fn looked(bytes: usize) {
        LOOKED.set(LOOKED.get() + bytes);
    }

    /// A key of a service, made so that nobody takes it for one that was leaked.
    fn made(head: &str, part: &str, length: usize) -> String {
        format!("{head}{}", part.repeat(length.div_ceil(part.len())).get(..length).expect("ASCII"))
    }

    #[test]
    fn keys_of_services_are_taken_out_wherever_they_stand() {
        let keys = [
            ("AWS access key", made("AKIA", "Q3X7", 16)),
            ("AWS access key", made("ASIA", "Q3X7", 16)),
            ("Anthropic key", made("sk-ant-api03-", "aB3_-x", 40)),
            ("OpenAI key", made("sk-proj-", "aB3_-x", 40)),
            ("API key", made("sk-", "aB3x", 48)),
            ("OpenRouter key", made("sk-or-v1-", "a3f0", 64)),
            ("GitHub token", made("ghp_", "aB3x", 36)),
            ("GitHub token", made("github_pat_", "aB3_x", 60)),
            ("GitLab token", made("glpat-", "aB3_-x", 20)),
            ("Slack token", made("xoxb-", "123-aB", 40)),
            ("Google key", made("AIza", "aB3_-", 35)),
            ("Google token", made("ya29.", "aB3_-", 60)),
            ("Stripe key", made("sk_live_", "aB3x", 24)),
            ("npm token", made("npm_", "aB3x", 36)),
            ("PyPI token", made("pypi-", "AgE_-x", 80)),
            ("Hugging Face token", made("hf_", "aB3x", 34)),
            ("SendGrid key", made("SG.", "aB3_.x", 60)),
            ("DigitalOcean token", made("dop_v1_", "a3f0", 64)),
            ("age key", made("AGE-SECRET-KEY-1", "Q3X7", 58)),
            (
                "web token",
                format!(
                    "{}.{}.{}",
                    made("eyJ", "hbG", 20),
                    made("eyJ", "aB3", 30),
                    made("", "x_-", 40)
                ),
            ),
        ];
        for (name, key) in keys {
            for (before, after) in
                [("", ""), ("key=", " and more"), ("é\"", "\"é"), ("\n", "\n"), ("?k=", "&x=1")]
            {
                let text = format!("{before}{key}{after}");
                let clean = without(&text).unwrap_or_else(|| panic!("{name}: {text}"));
                assert_eq!(clean, format!("{before}[redacted: {name}]{after}"));
                assert_eq!(without(&clean), None, "what is clean stays as it is");
            }
            // A line break, a tab and a sign that stand escaped in the text, as in JSON within JSON.
            for before in ["\\n", "\\t", "\\u003d", "%3D", "%3d"] {
                let clean = without(&format!("text{before}{key}"));
                assert_eq!(clean, Some(format!("text{before}[redacted: {name}]")), "{before}");
            }
            let glued = format!("x{key}");
            assert!(without(&glued).is_none_or(|clean| clean.starts_with('x')), "{glued}");
        }
    }

    #[test]
    fn every_shape_is_looked_for() {
        for Shape { name, head, is_part, length, keeps_head } in SHAPES {
            let part =
                b"A3".iter().find(|byte| is_part(**byte)).expect("every key has such a part");
            let key = made(head, &char::from(*part).to_string(), length.0);
            let kept = if keeps_head { head } else { "" };
            assert_eq!(without(&key), Some(format!("{kept}[redacted: {name}]")), "{head}");
        }
    }

    #[test]
    fn what_is_known_by_what_stands_around_it_is_taken_out_alone() {
        let secret = made("", "aB3/+x", 40);
        let token = made("", "aB3._~", 30);
        let cases = [
            (
                format!("aws_secret_access_key = {secret}\nnext"),
                "aws_secret_access_key = [redacted: AWS secret key]\nnext",
            ),
            (
                format!("\"SecretAccessKey\": \"{secret}\""),
                "\"SecretAccessKey\": \"[redacted: AWS secret key]\"",
            ),
            (
                format!("Authorization: Bearer {token}"),
                "Authorization: Bearer [redacted: bearer token]",
            ),
            ("postgres://app:p4ss!w@db/x".to_owned(), "postgres://app:[redacted: password]@db/x"),
            ("see https://:tok3n@host".to_owned(), "see https://:[redacted: password]@host"),
            (
                format!("https://hooks.slack.com/services/{}", made("", "T0/B0x", 40)),
                "https://hooks.slack.com/services/[redacted: Slack address]",
            ),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIé\n-----END RSA PRIVATE KEY-----\nb"
                    .to_owned(),
                "a\n[redacted: private key]\nb",
            ),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc".to_owned(), "[redacted: private key]"),
        ];
        for (text, wanted) in cases {
            assert_eq!(without(&text).as_deref(), Some(wanted), "{text}");
            assert_eq!(without(wanted), None);
        }
    }

    #[test]
    fn what_only_looks_alike_stays() {
        let texts = [
            "AKIA is how they begin",
            "AKIAQ3X7Q3X7Q3X7Q3X7Q",
            "sk-learn and sk-circle-fade-dot-animation-long",
            "xoxo",
            "hf_",
            "npm_config_registry",
            "the bearer of bad news",
            "bearer internationalization",
            "http://host:8080/path@x",
            "a::b://c",
            "mailto:ann@host",
            "-----BEGIN CERTIFICATE-----\nabc",
            "eyJhbGciOiJIUzI1NiJ9",
            "secret_access_key: see the vault",
            "https://user@host",
            "ghp_short",
            "[redacted: AWS access key]",
            "",
        ];
        for text in texts {
            assert_eq!(without(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_cleaned_in_texts_and_names() {
        let key = made("ghp_", "aB3x", 36);
        let value = json!({ "a": [1, &key, { key.as_str(): null }], "b": true });
        assert!(is_in(&value));
        let clean = cleaned(value);
        assert_eq!(
            clean,
            json!({ "a": [1, "[redacted: GitHub token]", { "[redacted: GitHub token]": null }], "b": true })
        );
        assert!(!is_in(&clean));
    }

    /// Texts on which a search that begins anew at each place would take the square of their length. The
    /// work is counted by what is looked at, so the machine does not matter.
    #[test]
    fn the_work_is_in_proportion_to_the_text() {
        let long = 400_000;
        let heads = [
            "eyJ",
            "eyJ-",
            "eyJ.",
            "sk-",
            "bearer ",
            "Bearer a",
            "://",
            "://a:",
            "://a:b",
            "-----BEGIN ",
            "-----BEGIN A PRIVATE KEY",
            "secret_",
            "AIza",
            "glpat-",
            "ya29.",
            "SG.",
            "https://hooks.slack.com/services/",
            "AKIA",
        ];
        for head in heads {
            let text = head.repeat(long / head.len());
            LOOKED.set(0);
            let _ = without(&text);
            assert!(LOOKED.get() < 10 * long, "{head}: {}", LOOKED.get());
        }
    }
}
