//! Who may speak to the server: the token, and the names that requests may come by.
//!
//! A page in a browser can send requests to this machine, and a name that it chose can be made to lead
//! here. So a request has to name a host that is meant, and a page that it comes from has to be one of
//! this machine or one that was allowed.

use crate::mcp::state::draw_name;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Fewest and most characters of a token.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=512;

/// What clients have to know; kept as its hash.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why a text is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is too easy to guess, or too long to send.
    #[error("a token has 16 to 512 characters, and this has {0}")]
    Length(usize),
    /// It cannot be sent.
    #[error("a token has visible characters of ASCII alone, without spaces")]
    Character,
}

impl Token {
    /// The token of that text.
    ///
    /// # Errors
    ///
    /// It is too short to be one, or cannot be sent.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        if !LENGTH.contains(&text.len()) {
            return Err(TokenError::Length(text.len()));
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// The text of a token that nobody knows: 32 random bytes in hexadecimal.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn draw() -> std::io::Result<String> {
        draw_name::<32>()
    }

    /// Hashes are compared, so that how long it takes says nothing of the token.
    fn is(&self, text: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(text).into();
        given == self.0
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the `Host` header names no host that this server is known by")]
    Host,
    #[error("the `Origin` header names a page that may not use this server")]
    Origin,
    #[error("the `Authorization` header has no bearer token, or not that of this server")]
    Token,
}

/// Looks at each request before anything else does.
pub(super) struct Guard {
    pub token: Option<Token>,
    /// Hosts beside those of this machine: a name, or a name and a port.
    pub hosts: Vec<String>,
    /// Origins beside those of this machine.
    pub origins: Vec<String>,
    pub address: SocketAddr,
}

impl Guard {
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        if !only(headers, &HOST).is_some_and(|host| self.knows_host(host)) {
            return Err(Refused::Host);
        }
        if headers.contains_key(ORIGIN)
            && !only(headers, &ORIGIN).is_some_and(|origin| self.knows_origin(origin))
        {
            return Err(Refused::Origin);
        }
        let Some(token) = &self.token else { return Ok(()) };
        let given = only(headers, &AUTHORIZATION).and_then(bearer);
        if given.is_some_and(|given| token.is(given)) { Ok(()) } else { Err(Refused::Token) }
    }

    fn knows_host(&self, host: &str) -> bool {
        let name = name_of(host);
        let is_address = name.parse::<IpAddr>().is_ok_and(|ip| ip == self.address.ip());
        let is_named =
            |known: &String| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name);
        is_of_this_machine(name) || is_address || self.hosts.iter().any(is_named)
    }

    fn knows_origin(&self, origin: &str) -> bool {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let is_here = host.is_some_and(|host| is_of_this_machine(name_of(host)));
        is_here || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

fn is_of_this_machine(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The name before the port, without the brackets of an address.
fn name_of(host: &str) -> &str {
    if let Some(inside) = host.strip_prefix('[') {
        return match inside.split_once(']') {
            Some((name, "")) => name,
            Some((name, port)) if is_port(port.strip_prefix(':')) => name,
            _ => host,
        };
    }
    match host.split_once(':') {
        Some((name, port)) if is_port(Some(port)) => name,
        _ => host,
    }
}

fn is_port(port: Option<&str>) -> bool {
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

/// The value of a header that stands once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn guard(token: Option<&str>) -> Guard {
        Guard {
            token: token.map(|text| Token::new(text).expect("a token")),
            hosts: vec!["peasy.example:8443".into(), "box".into()],
            origins: vec!["https://app.example".into()],
            address: "192.0.2.7:80".parse().expect("an address"),
        }
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header");
        let mut headers = HeaderMap::new();
        for (name, text) in all {
            headers.append(*name, value(text));
        }
        headers
    }

    #[test]
    fn a_host_is_one_that_is_meant() {
        for (host, is_known) in [
            ("localhost", true),
            ("LOCALHOST:7332", true),
            ("127.0.0.1:7332", true),
            ("127.9.9.9", true),
            ("[::1]:7332", true),
            ("[::1]", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("box:1", true),
            ("peasy.example:8443", true),
            ("peasy.example", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("localhost:evil", false),
            ("localhost:80:80", false),
            ("[::1]evil", false),
            ("evil@localhost", false),
            ("", false),
        ] {
            let checked = guard(None).check(&headers(&[("host", host)]));
            assert_eq!(checked.is_ok(), is_known, "{host}");
        }
        assert_eq!(guard(None).check(&HeaderMap::new()), Err(Refused::Host));
        let twice = headers(&[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(guard(None).check(&twice), Err(Refused::Host));
    }

    #[test]
    fn an_origin_is_of_this_machine_or_allowed() {
        for (origin, is_known) in [
            ("http://localhost:3000", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:5", true),
            ("https://app.example", true),
            ("http://app.example", false),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://localhost/", false),
            ("null", false),
            ("file://localhost", false),
            ("", false),
        ] {
            let all = headers(&[("host", "localhost"), ("origin", origin)]);
            assert_eq!(guard(None).check(&all).is_ok(), is_known, "{origin}");
        }
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let token = "0123456789abcdef";
        for (given, is_right) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
        ] {
            let all = headers(&[("host", "localhost"), ("authorization", given)]);
            assert_eq!(guard(Some(token)).check(&all).is_ok(), is_right, "{given}");
        }
        let none = headers(&[("host", "localhost")]);
        assert_eq!(guard(Some(token)).check(&none), Err(Refused::Token));
        assert!(Token::new("short").is_err() && Token::new("a token with spaces").is_err());
        assert!(Token::new(&Token::draw().expect("random numbers")).is_ok());
    }
}
