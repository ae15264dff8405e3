//! Where a request goes: an address that was read once, and the host and port in it.

use super::address::is_public;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, HostName, SecretName};
use crate::script::frame::{Frame, Native, refusal};
use crate::script::host::require;
use crate::script::meter;
use crate::script::value::prefix;
use ::url::{Host, Position, Url};
use std::net::IpAddr;

/// The longest address, in bytes: browsers and servers take no longer ones.
const MAX_URL: usize = 16 * 1024;

/// An address of `http` or `https`, without user, password and fragment.
#[derive(Debug, Clone)]
pub(super) struct Target {
    url: Url,
    /// The host, as grants name it.
    pub host: HostName,
    /// The host, where it is an address and no name.
    pub address: Option<IpAddr>,
    /// The port, written or usual.
    pub port: u16,
}

impl Target {
    /// Reads the address that a script gives.
    ///
    /// # Errors
    ///
    /// It is none that is fetched.
    pub fn read(text: &str) -> Native<Self> {
        paid(text)?;
        let url = Url::parse(text).map_err(|reason| {
            let problem = wrong(text, &reason.to_string());
            refusal(match reason {
                ::url::ParseError::RelativeUrlWithoutBase => {
                    problem.help("write `https://` before it")
                }
                _ => problem,
            })
        })?;
        // The standard drops line breaks and tabs: whoever wrote them meant something else.
        if text.trim().contains(|c: char| c.is_ascii_control()) {
            return Err(refusal(wrong(text, "it has a control character inside")));
        }
        Self::of(url, text).map_err(refusal)
    }

    /// What a link means that this address answered with.
    ///
    /// # Errors
    ///
    /// It leads to none that is fetched.
    pub fn join(&self, link: &str) -> Native<Result<Self, Diagnostic>> {
        paid(link)?;
        let joined = self.url.join(link).map_err(|reason| wrong(link, &reason.to_string()));
        Ok(joined.and_then(|url| Self::of(url, link)))
    }

    fn of(mut url: Url, text: &str) -> Result<Self, Diagnostic> {
        if !matches!(url.scheme(), "http" | "https") {
            let reason = format!("it is one of `{}`", prefix(url.scheme(), 40));
            return Err(wrong(text, &reason).help("only `http` and `https` are fetched"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Diagnostic::caller(
                "http/url",
                "an address may hold no user and no password",
            )
            .help("write `#{ basic: #{ user: \"…\", password: secret::get(\"…\") } }`"));
        }
        url.set_fragment(None);
        if url.as_str().len() > MAX_URL {
            return Err(too_long());
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        let host = url.host_str().unwrap_or_default();
        let host: HostName = host.parse().map_err(|reason| wrong(text, &format!("{reason}")))?;
        let Some(port) = url.port_or_known_default().filter(|port| *port != 0) else {
            return Err(wrong(text, "it names the port 0"));
        };
        Ok(Self { url, host, address, port })
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// It without its query.
    pub fn without_query(&self) -> &str {
        &self.url[..Position::AfterPath]
    }

    /// Adds pairs, encoded, to the query.
    ///
    /// # Errors
    ///
    /// The address is too long with them.
    pub fn add_query(&mut self, pairs: &str) -> Native {
        let before = self.url.query().filter(|query| !query.is_empty());
        let query = before.map_or_else(|| pairs.to_owned(), |before| format!("{before}&{pairs}"));
        self.url.set_query(Some(&query));
        if self.as_str().len() > MAX_URL { Err(refusal(too_long())) } else { Ok(()) }
    }

    /// Path and query, as a request names them.
    pub fn path(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    /// The value of the header `Host`.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether nothing that is sent leaves this machine, by address and not by name.
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether it is a name that may lead to the public internet, or an address of it.
    pub fn may_be_public(&self) -> bool {
        match self.address {
            Some(address) => is_public(address),
            None => !self.is_localhost(),
        }
    }

    /// Whether it is the name that every system keeps for itself; RFC 6761, section 6.3.
    pub fn is_localhost(&self) -> bool {
        self.host.is_localhost()
    }

    /// Whether `other` is the same host, on the same port, reached in the same way.
    pub fn has_origin_of(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }

    /// Whether a connection is granted.
    pub fn is_granted(&self, frame: &Frame) -> bool {
        covers(frame, &format!("http={}:{}", self.host, self.port))
    }

    /// Refuses a connection that is not granted.
    ///
    /// # Errors
    ///
    /// It is not granted; the script may catch that.
    pub fn require(&self, frame: &Frame) -> Native {
        if self.is_granted(frame) { Ok(()) } else { require(frame, &self.wanted()?) }
    }

    /// What has to be granted for a connection.
    pub fn wanted(&self) -> Native<Capability> {
        capability(&format!("http={}", self.authority()))
    }

    /// Whether a secret may be spent here.
    pub fn may_spend(&self, frame: &Frame, name: &SecretName) -> bool {
        covers(frame, &format!("secret={name}@{}:{}", self.host, self.port))
    }

    /// Refuses to spend a secret where it is not granted.
    ///
    /// # Errors
    ///
    /// It is not granted; the script may catch that.
    pub fn require_secret(&self, frame: &Frame, name: &SecretName) -> Native {
        if self.may_spend(frame, name) {
            return Ok(());
        }
        require(frame, &capability(&format!("secret={name}@{}", self.authority()))?)
    }
}

fn covers(frame: &Frame, wanted: &str) -> bool {
    wanted.parse().is_ok_and(|wanted: Capability| frame.grants().covers(&wanted))
}

fn capability(text: &str) -> Native<Capability> {
    text.parse().map_err(|reason| refusal(wrong(text, &format!("{reason}"))))
}

fn paid(text: &str) -> Native {
    if text.len() > MAX_URL {
        return Err(refusal(too_long()));
    }
    meter::charge_bytes(text.len().saturating_mul(16))?;
    meter::reserve(text.len().saturating_mul(4))
}

fn too_long() -> Diagnostic {
    Diagnostic::caller("http/url", format!("an address has at most {MAX_URL} bytes"))
        .help("send what is long as a body")
}

fn wrong(text: &str, reason: &str) -> Diagnostic {
    let shown = prefix(text, 200);
    Diagnostic::caller("http/url", format!("{shown:?} is no address that can be fetched: {reason}"))
}
