//! What a script asks for: method, headers, body and bounds, read from its map of options.

use super::target::Target;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::SecretName;
use crate::script::frame::{Native, refusal};
use crate::script::host::options::Options;
use crate::script::host::secret::Handle;
use crate::script::host::text::work::{Pace, a_type, refuse, unreadable};
use crate::script::host::url::query_of;
use crate::script::meter;
use crate::script::native::display::{self, Style};
use crate::script::value::{Budget, Kind, prefix, to_json_text};
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest that a request may be given, in milliseconds; the call's own bound is as long.
const MOST_TIME: i64 = 600_000;

/// The bytes of an answer that are taken, and the most that may be asked for.
pub(super) const MOST: i64 = 1 << 20;
const MOST_MOST: i64 = 16 << 20;

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 16 << 20;

/// The most headers of a request, and the most bytes of all of them.
const MOST_HEADERS: usize = 64;
const MAX_HEADERS: usize = 32 * 1024;

/// The longest name of a method.
const MAX_METHOD: usize = 20;

/// Headers that the host writes, or that would change how a message is read.
const RESERVED: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// A request as a script asks for it.
pub(super) struct Asked {
    pub method: String,
    pub target: Target,
    pub headers: Vec<Header>,
    pub body: Option<ImmutableString>,
    pub timeout: Option<Duration>,
    pub most: usize,
    /// Whether the body is given in base64.
    pub base64: bool,
    /// Whether redirects are followed.
    pub follow: bool,
}

/// A header of a request.
#[derive(Clone)]
pub(super) struct Header {
    pub name: String,
    pub pieces: Vec<Piece>,
    pub coding: Coding,
}

/// How the pieces of a header become its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// One after another.
    Plain,
    /// After `Basic `, in base64. Source: RFC 7617.
    Basic,
}

/// A piece of a header.
#[derive(Clone)]
pub(super) enum Piece {
    Text(ImmutableString),
    Secret(SecretName),
}

impl Header {
    fn plain(name: &str, pieces: Vec<Piece>) -> Self {
        Self { name: name.to_owned(), pieces, coding: Coding::Plain }
    }

    /// The secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name),
            Piece::Text(_) => None,
        })
    }

    /// Its value as a test sees it.
    pub fn shown(&self) -> String {
        let mut shown = String::from(if self.coding == Coding::Basic { "Basic " } else { "" });
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => shown.push_str(text),
                Piece::Secret(name) => shown.push_str(&format!("[secret {name}]")),
            }
        }
        shown
    }
}

impl Asked {
    /// What is asked for, without secrets.
    pub fn on_record(&self) -> Value {
        let headers = self.headers.iter().map(|header| json!([header.name, header.shown()]));
        json!({
            "method": self.method,
            "url": self.target.as_str(),
            "headers": headers.collect::<Value>(),
            "body": self.body.as_deref(),
            "timeout": self.timeout.map(|timeout| timeout.as_millis() as u64),
            "most": self.most,
            "base64": self.base64,
            "follow": self.follow,
        })
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// The address, the method or an option is none that can be sent.
    pub fn read(function: &'static str, method: &str, url: &str, map: &Map) -> Native<Self> {
        let mut options = Options::new(function, map);
        let mut target = Target::read(url)?;
        if let Some(query) = options.take("query") {
            let pairs = query_of(function, query)?;
            if !pairs.is_empty() {
                target.add_query(&pairs)?;
            }
        }
        let mut headers = match options.take("headers") {
            Some(map) => headers(function, map)?,
            None => Vec::new(),
        };
        authorization(function, &mut options, &mut headers)?;
        let body = body(function, &mut options, &mut headers)?;
        let timeout = bounded(function, "timeout", options.number("timeout")?, MOST_TIME)?;
        let most = bounded(function, "most", options.number("most")?, MOST_MOST)?;
        let asked = Self {
            method: self::method(method)?,
            target,
            headers,
            body,
            timeout: timeout.map(Duration::from_millis),
            most: usize::try_from(most.unwrap_or(MOST as u64)).unwrap_or_default(),
            base64: options.flag("base64", false)?,
            follow: options.flag("follow", true)?,
        };
        options.done()?;
        let bytes =
            asked.headers.iter().map(|one| one.name.len() + one.shown().len()).sum::<usize>();
        few(asked.headers.len())?;
        if bytes > MAX_HEADERS {
            return Err(bad_header(format!(
                "the headers have more than {MAX_HEADERS} bytes in all"
            )));
        }
        Ok(asked)
    }

    /// The secrets that it spends.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.headers.iter().flat_map(Header::secrets)
    }
}

fn bounded(function: &str, name: &str, given: Option<i64>, most: i64) -> Native<Option<u64>> {
    let Some(number) = given else { return Ok(None) };
    match u64::try_from(number) {
        Ok(number @ 1..) if number <= most.unsigned_abs() => Ok(Some(number)),
        _ => Err(refuse(format!(
            "{function}: `{name}` is {number}; write a whole number from 1 to {most}"
        ))),
    }
}

fn method(given: &str) -> Native<String> {
    let is_word = !given.is_empty()
        && given.len() <= MAX_METHOD
        && given.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    let method = given.to_ascii_uppercase();
    if is_word && !matches!(method.as_str(), "CONNECT" | "TRACE") {
        return Ok(method);
    }
    let shown = prefix(given, 40);
    let message = format!("{shown:?} is no method that is sent");
    let help = "write one such as `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD` or `OPTIONS`";
    Err(refusal(Diagnostic::caller("http/method", message).help(help)))
}

fn headers(function: &str, given: &Dynamic) -> Native<Vec<Header>> {
    let fields = map(function, "headers", given, "#{ \"x-api-version\": \"2\" }")?;
    few(fields.len())?;
    let mut headers: Vec<Header> = Vec::with_capacity(fields.len());
    for (name, value) in &fields {
        meter::charge(5)?;
        let name = self::name(name)?;
        if value.is_unit() {
            continue;
        }
        if headers.iter().any(|other| other.name == name) {
            return Err(bad_header(format!("the header `{name}` is given twice")));
        }
        headers.push(Header { pieces: pieces(&name, value)?, name, coding: Coding::Plain });
    }
    Ok(headers)
}

/// Refuses more headers than a message has.
pub(super) fn few(count: usize) -> Native {
    if count <= MOST_HEADERS {
        return Ok(());
    }
    Err(bad_header(format!("there are {count} headers, and {MOST_HEADERS} is the most")))
}

/// The name of a header in lower case, if a script may set it.
fn name(given: &str) -> Native<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if given.is_empty() || given.len() > 128 || !given.bytes().all(is_token) {
        let shown = prefix(given, 40);
        return Err(bad_header(format!("{shown:?} is not the name of a header")));
    }
    let name = given.to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) {
        return Err(bad_header(format!("the header `{name}` is the host's to write")));
    }
    Ok(name)
}

/// The value of a header: a text, a secret, or a list of those.
fn pieces(name: &str, value: &Dynamic) -> Native<Vec<Piece>> {
    if Kind::of(value) != Kind::Array {
        return Ok(vec![piece(name, value)?]);
    }
    let list = value.as_array_ref().map_err(|_| unreadable(name))?;
    if list.len() > MOST_HEADERS {
        return Err(bad_header(format!("the header `{name}` has too many pieces")));
    }
    list.iter().map(|value| piece(name, value)).collect()
}

fn piece(name: &str, value: &Dynamic) -> Native<Piece> {
    if let Some(handle) = value.read_lock::<Handle>() {
        return Ok(Piece::Secret(handle.0.clone()));
    }
    let text: ImmutableString = match Kind::of(value) {
        Kind::Text => value.clone().into_immutable_string().map_err(|_| unreadable(name))?,
        Kind::Int | Kind::Float | Kind::Bool | Kind::Char => display::text(value, Style::Print),
        _ => {
            let kind = a_type(value);
            return Err(bad_header(format!("the header `{name}` is {kind}, and a text is needed")));
        }
    };
    if text.len() > MAX_HEADERS {
        return Err(bad_header(format!("the header `{name}` has more than {MAX_HEADERS} bytes")));
    }
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(bad_header(format!(
            "the header `{name}` has a line break or another control character in it"
        )));
    }
    if text.contains("[secret ") {
        return Err(bad_header(format!(
            "the header `{name}` has a secret that was made text, which shows its name alone; write a list, as in `[\"token \", key]`"
        )));
    }
    Ok(Piece::Text(text))
}

/// The header that `bearer` or `basic` stands for.
fn authorization(function: &str, options: &mut Options<'_>, headers: &mut Vec<Header>) -> Native {
    const NAME: &str = "authorization";
    let bearer = match options.take("bearer") {
        Some(token) => {
            let pieces = vec![Piece::Text("Bearer ".into()), piece("bearer", token)?];
            Some(Header::plain(NAME, pieces))
        }
        None => None,
    };
    let basic = match options.take("basic") {
        Some(given) => Some(basic(function, given)?),
        None => None,
    };
    let given = headers.iter().filter(|header| header.name == NAME).count();
    if given + usize::from(bearer.is_some()) + usize::from(basic.is_some()) > 1 {
        return Err(bad_header(
            "`bearer`, `basic` and the header `authorization` are one header; give one of them"
                .into(),
        ));
    }
    headers.extend(bearer);
    headers.extend(basic);
    Ok(())
}

fn basic(function: &str, given: &Dynamic) -> Native<Header> {
    let example = "#{ user: \"me\", password: secret::get(\"PASSWORD\") }";
    let fields = map(function, "basic", given, example)?;
    if let Some(other) = fields.keys().find(|name| !matches!(name.as_str(), "user" | "password")) {
        let other = prefix(other, 40);
        return Err(refuse(format!("{function}: `basic` has no `{other}`; write {example}")));
    }
    let part = |name: &str| match fields.get(name) {
        None => Ok(Piece::Text(ImmutableString::new())),
        Some(value) => piece(name, value),
    };
    let (user, password) = (part("user")?, part("password")?);
    if matches!(&user, Piece::Text(user) if user.contains(':')) {
        return Err(refuse(format!("{function}: the `user` of `basic` cannot hold a colon")));
    }
    let pieces = vec![user, Piece::Text(":".into()), password];
    Ok(Header { name: "authorization".to_owned(), pieces, coding: Coding::Basic })
}

/// The body, and the header that says what it is, where none was given.
fn body(
    function: &str,
    options: &mut Options<'_>,
    headers: &mut Vec<Header>,
) -> Native<Option<ImmutableString>> {
    let text = options.text("body", "\"text\"")?;
    let json = match options.take("json") {
        Some(value) => Some(json(function, value)?),
        None => None,
    };
    let form = match options.take("form") {
        Some(pairs) => Some(query_of(function, pairs)?),
        None => None,
    };
    let mut given = [
        (text, "text/plain; charset=utf-8"),
        (json, "application/json"),
        (form, "application/x-www-form-urlencoded"),
    ]
    .into_iter()
    .filter_map(|(body, kind)| Some((body?, kind)));
    let (Some((body, kind)), None) = (given.next(), given.next()) else {
        return match options.take("body").or(options.take("json")).or(options.take("form")) {
            None => Ok(None),
            Some(_) => Err(refuse(format!(
                "{function}: `body`, `json` and `form` are one body; give one of them"
            ))),
        };
    };
    if body.len() > MAX_BODY {
        let message = format!("the body has {} bytes, and {MAX_BODY} is the most", body.len());
        return Err(refusal(Diagnostic::caller("http/body", message)));
    }
    if !headers.iter().any(|header| header.name == "content-type") {
        headers.push(Header::plain("content-type", vec![Piece::Text(kind.into())]));
    }
    Ok(Some(body))
}

/// The JSON text of a value.
pub(super) fn json(function: &str, value: &Dynamic) -> Native<ImmutableString> {
    let room = meter::memory_left().map_or(MAX_BODY, |left| (left / 3).min(MAX_BODY));
    let text =
        to_json_text(value, Budget::of_bytes(room)).map_err(|error| match meter::killed() {
            Some(limit) => meter::kill(limit),
            None => refuse(format!("{function}: `json`: {error}")),
        })?;
    Ok(text.into())
}

/// A copy of an option that is a map.
pub(super) fn map(function: &str, name: &str, given: &Dynamic, example: &str) -> Native<Map> {
    if Kind::of(given) != Kind::Map {
        let kind = a_type(given);
        return Err(refuse(format!("{function}: `{name}` is {kind}; write {name}: {example}")));
    }
    // Weighed before it is copied, whatever hangs below it.
    Pace::default().copy(given)?.try_cast::<Map>().ok_or_else(|| unreadable(name))
}

fn bad_header(message: String) -> Box<EvalAltResult> {
    refusal(Diagnostic::caller("http/header", message))
}
