//! `url`: addresses, as browsers read them.
//!
//! Parsing is that of the WHATWG, by the crate that most programs in Rust fetch with: a hook that
//! looks at a host must see the host that would be asked. Nothing here asks anybody.

mod component;
#[cfg(test)]
mod tests;

pub(super) use component::query_of;

use super::ModuleBuilder;
use super::options::Options;
use crate::script::host::text::work::{a_type, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, prefix};
use ::url::Url;
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, Module, Shared};
use std::sync::OnceLock;

/// The longest address, in bytes: browsers and servers take no longer ones, and reading the name
/// of a host takes more than its length.
const MAX_ADDRESS: usize = 16 * 1024;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Addresses, as browsers read them. Nothing is fetched. What is no address is an error \
             that says why; `url::is_valid` asks first.",
        );
        register(&mut builder);
        component::register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The parts of an address: `scheme`, `username`, `password`, `host`, `port`, `path`, `query`, \
             `fragment`, `origin`. What is not there is `()`; a port that is the scheme's own is not there.",
            "/// url::parse(\"https://docs.example.com:8080/a?b=c#d\").host // => \"docs.example.com\"",
            "/// url::parse(\"https://example.com/a\").query // => ()",
        ])
        .function("parse", ["address: string", "map"], parse)
        .docs(&[
            "/// Whether a text is an address with a scheme.",
            "/// url::is_valid(\"/a/b\") // => false",
        ])
        .function("is_valid", ["text: string", "bool"], is_valid)
        .docs(&[
            "/// The address in its usual form: lower case where it makes no difference, no `.` and `..`.",
            "/// url::normalize(\"HTTP://Example.COM:80/a/../b\") // => \"http://example.com/b\"",
        ])
        .function("normalize", ["address: string", "string"], normalize)
        .docs(&[
            "/// The address that a link means on the page at `base`.",
            "/// url::join(\"https://example.com/a/b\", \"../c?d\") // => \"https://example.com/c?d\"",
        ])
        .function("join", ["base: string", "link: string", "string"], join)
        .docs(&[
            "/// The address made of parts, named as `parse` names them; `scheme` and `host` are needed. `query` \
             may be a text, a map, or a list of pairs.",
            "/// url::build(#{ scheme: \"https\", host: \"example.com\", path: \"/a b\", query: #{ q: \"x&y\" } }) // => \"https://example.com/a%20b?q=x%26y\"",
        ])
        .function("build", ["parts: map", "string"], build);
}

fn short<'t>(function: &str, text: &'t str) -> Outcome<&'t str> {
    if text.len() > MAX_ADDRESS {
        return Err(refuse(format!(
            "{function}: the address has {} bytes, and {MAX_ADDRESS} is the most; cut it at the \
             `?`, or send the rest as a body",
            text.len()
        )));
    }
    meter::charge(20)?;
    meter::charge_bytes(text.len().saturating_mul(16))?;
    meter::reserve(text.len().saturating_mul(4))?;
    Ok(text)
}

fn wrong(function: &str, text: &str, reason: &str) -> Box<EvalAltResult> {
    let shown = prefix(text, 80);
    refuse(format!("{function}: {shown:?} is no address: {reason}"))
}

/// An address, as a person writes it.
pub(super) fn read(function: &str, text: &str) -> Outcome<Url> {
    let text = short(function, text)?;
    Url::parse(text).map_err(|error| {
        let reason = match error {
            ::url::ParseError::RelativeUrlWithoutBase => {
                "it has no scheme; write one before it, such as https://, or use url::join".into()
            }
            error => error.to_string(),
        };
        wrong(function, text, &reason)
    })
}

fn parse(address: &str) -> Outcome<Map> {
    let url = read("url::parse", address)?;
    let text = |text: Option<&str>| text.map_or(Dynamic::UNIT, Into::into);
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let origin = url.origin();
    let origin = origin.is_tuple().then(|| origin.ascii_serialization());
    let parts = [
        ("scheme", text(Some(url.scheme()))),
        ("username", text(filled(url.username()).as_deref())),
        ("password", text(url.password())),
        ("host", text(url.host_str())),
        ("port", url.port().map_or(Dynamic::UNIT, |port| Dynamic::from_int(port.into()))),
        ("path", text(Some(url.path()))),
        ("query", text(url.query())),
        ("fragment", text(url.fragment())),
        ("origin", text(origin.as_deref())),
    ];
    Ok(parts.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn is_valid(text: &str) -> Outcome<bool> {
    if text.len() > MAX_ADDRESS {
        return Ok(false);
    }
    Ok(Url::parse(short("url::is_valid", text)?).is_ok())
}

fn normalize(address: &str) -> Outcome<ImmutableString> {
    Ok(String::from(read("url::normalize", address)?).into())
}

fn join(base: &str, link: &str) -> Outcome<ImmutableString> {
    let function = "url::join";
    let base = read(function, base)?;
    let link = short(function, link)?;
    match base.join(link) {
        Ok(url) => Ok(String::from(url).into()),
        Err(error) => Err(wrong(function, link, &format!("{error}, seen from the base"))),
    }
}

fn build(parts: Map) -> Outcome<ImmutableString> {
    let function = "url::build";
    let query = match parts.get("query") {
        Some(query) if matches!(Kind::of(query), Kind::Map | Kind::Array) => {
            Some(query_of(function, query)?)
        }
        _ => None,
    };
    let mut parts = parts;
    if let Some(query) = query {
        parts.insert("query".into(), query.into());
    }
    let mut options = Options::new(function, &parts);
    let mut part = |name: &'static str, example: &str| -> Outcome<Option<ImmutableString>> {
        let text = options.text(name, example)?;
        if let Some(text) = &text {
            short(function, text)?;
        }
        Ok(text)
    };
    let (scheme, host) = (part("scheme", "\"https\"")?, part("host", "\"example.com\"")?);
    let (path, query) = (part("path", "\"/a/b\"")?, part("query", "\"a=1\"")?);
    let fragment = part("fragment", "\"top\"")?;
    let (username, password) = (part("username", "\"ann\"")?, part("password", "\"…\"")?);
    let port = options.number("port")?;
    // What `parse` gives can be given back.
    options.text("origin", "()")?;
    options.done()?;
    let missing = |name: &str| {
        refuse(format!(
            "{function}: `{name}` is missing; write #{{ scheme: \"https\", host: \"example.com\" }}"
        ))
    };
    let scheme = scheme.ok_or_else(|| missing("scheme"))?;
    let host = host.ok_or_else(|| missing("host"))?;
    let refused = |name: &str, value: &str| {
        refuse(format!("{function}: {:?} cannot be the {name}", prefix(value, 60)))
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_plain);
    let mut url = is_scheme
        .then(|| Url::parse(&format!("{scheme}://host/")).ok())
        .flatten()
        .ok_or_else(|| refused("scheme", &scheme))?;
    url.set_host(Some(&host)).map_err(|_| refused("host", &host))?;
    if let Some(port) = port {
        let port_ = u16::try_from(port).map_err(|_| refused("port", &port.to_string()))?;
        url.set_port(Some(port_)).map_err(|()| refused("port", &port.to_string()))?;
    }
    if let Some(username) = username {
        url.set_username(&username).map_err(|()| refused("username", &username))?;
    }
    if let Some(password) = password {
        url.set_password(Some(&password)).map_err(|()| refused("password", "…"))?;
    }
    url.set_path(&path.unwrap_or_default());
    url.set_query(query.as_deref());
    url.set_fragment(fragment.as_deref());
    Ok(String::from(url).into())
}

/// The pairs of a map, or of a list of pairs.
fn pairs_of(function: &str, value: &Dynamic) -> Outcome<Vec<(ImmutableString, Dynamic)>> {
    let refused = |what: String| {
        refuse(format!(
            "{function}: {what}; give a map, such as #{{ q: \"rust\" }}, or pairs, such as \
             [[\"q\", \"rust\"]]"
        ))
    };
    match Kind::of(value) {
        Kind::Map => {
            let map = value.as_map_ref().map_err(|_| unreadable("query"))?;
            meter::charge(map.len() as u64)?;
            meter::reserve(map.len().saturating_mul(64))?;
            map.iter()
                .map(|(name, value)| {
                    meter::reserve(name.len())?;
                    Ok((name.as_str().into(), crate::script::native::callback::copied(value)?))
                })
                .collect()
        }
        Kind::Array => {
            let list = value.as_array_ref().map_err(|_| unreadable("query"))?;
            meter::charge(list.len() as u64)?;
            meter::reserve(list.len().saturating_mul(64))?;
            list.iter()
                .map(|pair| {
                    if Kind::of(pair) != Kind::Array {
                        return Err(refused(format!("a pair is {}", a_type(pair))));
                    }
                    let pair = pair.as_array_ref().map_err(|_| unreadable("query"))?;
                    match pair.as_slice() {
                        [name, value] if Kind::of(name) == Kind::Text => {
                            let name = name.as_immutable_string_ref().map(|name| name.clone());
                            let value = crate::script::native::callback::copied(value)?;
                            Ok((name.map_err(|_| unreadable("query"))?, value))
                        }
                        _ => Err(refused("a pair is no list of a name and a value".into())),
                    }
                })
                .collect()
        }
        _ => Err(refused(format!("the pairs are {}", a_type(value)))),
    }
}
