//! Hosts as grants name them: one host, or everything below a domain, on one port.
//!
//! Nothing here resolves a name or opens a connection.

// `core::net` has addresses and no sockets.
use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// The ports of `http` and `https`, which a host without a port stands for.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Why a host was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing was given.
    #[error("the host is empty; write one, as in `api.example.com`")]
    Empty,
    /// A whole address was given.
    #[error("`{0}` is an address, not a host; write the host alone, as in `api.example.com`")]
    Address(String),
    /// A wildcard over too much.
    #[error("host `{0}` is too wide; a wildcard needs two labels after it, as in `*.example.com`")]
    TooWide(String),
    /// A wildcard anywhere but at the front.
    #[error(
        "host `{0}` has a wildcard inside; only the first label may be one, as in `*.example.com`"
    )]
    Wildcard(String),
    /// A wildcard where exactly one host must be named.
    #[error("host `{0}` is a pattern; name exactly one host, as in `api.example.com`")]
    Pattern(String),
    /// Letters outside of ASCII.
    #[error(
        "host `{0}` has letters outside of ASCII; write its encoded form, as in `xn--bcher-kva.example`"
    )]
    NotAscii(String),
    /// Neither a name nor an address.
    #[error(
        "`{0}` is not a host; write labels of `a-z 0-9 - _` with dots between them, as in `api.example.com`"
    )]
    Malformed(String),
    /// Digits that programs read as different addresses.
    #[error(
        "host `{0}` ends in a number and is not an IPv4 address; write four numbers, as in `192.0.2.7`"
    )]
    Number(String),
    /// Not a port.
    #[error("`{0}` is not a port; write a number from 1 to 65535, as in `api.example.com:8443`")]
    Port(String),
}

/// One host: a DNS name in lower case, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// The host as text, without a port.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an address and not a name.
    pub fn is_address(&self) -> bool {
        self.0.starts_with('[') || self.0.parse::<Ipv4Addr>().is_ok()
    }

    /// Whether it is the name that every system keeps for itself; RFC 6761, section 6.3. Names lead to
    /// public addresses alone, so nothing answers to it.
    pub fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }

    /// Whether it lies below `domain`; a domain does not lie below itself.
    pub fn is_below(&self, domain: &Self) -> bool {
        !self.is_address()
            && self.0.strip_suffix(&domain.0).is_some_and(|front| front.ends_with('.'))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let refused = || HostError::Malformed(text.into());
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            return Ok(Self(format!("[{}]", address.ok_or_else(refused)?)));
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii(text.into()));
        }
        let name = text.to_ascii_lowercase();
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(refused());
        }
        if name.rsplit('.').next().is_some_and(is_numeric) && name.parse::<Ipv4Addr>().is_err() {
            return Err(HostError::Number(text.into()));
        }
        Ok(Self(name))
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// What the URL standard takes for a piece of an IPv4 address.
fn is_numeric(label: &str) -> bool {
    let digits = label.strip_prefix("0x");
    match digits {
        Some(hex) => hex.chars().all(|c| c.is_ascii_hexdigit()),
        None => label.chars().all(|c| c.is_ascii_digit()),
    }
}

/// On which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// The usual one of the scheme: 80 or 443.
    Default,
    /// This one.
    Exact(NonZeroU16),
}

impl Port {
    /// Whether a connection to `port` is meant.
    pub fn allows(self, port: u16) -> bool {
        match self {
            Self::Default => DEFAULT_PORTS.contains(&port),
            Self::Exact(exact) => exact.get() == port,
        }
    }

    fn covers(self, other: Self) -> bool {
        match other {
            Self::Default => self == Self::Default,
            Self::Exact(port) => self.allows(port.get()),
        }
    }
}

/// One host on one port, where no pattern will do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: HostName,
    /// The port.
    pub port: Port,
}

impl Endpoint {
    /// Whether a connection to `host` and `port` is meant.
    pub fn allows(&self, host: &HostName, port: u16) -> bool {
        self.host == *host && self.port.allows(port)
    }

    /// Whether every connection that `other` means is meant.
    pub fn covers(&self, other: &Self) -> bool {
        self.host == other.host && self.port.covers(other.port)
    }

    pub(super) fn narrow(&self, other: &Self) -> Option<Self> {
        [(self, other), (other, self)]
            .into_iter()
            .find(|(wide, narrow)| wide.covers(narrow))
            .map(|(_, narrow)| narrow.clone())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Port::Default => write!(f, "{}", self.host),
            Port::Exact(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

impl FromStr for Endpoint {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.contains('/') || text.contains('?') || text.contains('#') || text.contains('@') {
            return Err(HostError::Address(text.into()));
        }
        if text.contains('*') {
            return Err(HostError::Pattern(text.into()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
            _ => (text, Port::Default),
        };
        Ok(Self { host: host.parse()?, port })
    }
}

fn parse_port(text: &str) -> Result<Port, HostError> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.map(Port::Exact).ok_or_else(|| HostError::Port(text.into()))
}

/// How much of a domain is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breadth {
    /// The host alone.
    Exact,
    /// Every host below it at any depth, and not the host itself: `*.example.com`.
    Below,
}

/// The hosts that a grant reaches.
///
/// Without a port it reaches the usual ones, 80 and 443. A wildcard needs two labels after it; which
/// two-label domains belong to one owner (`co.uk` does not) is for the user to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    breadth: Breadth,
    endpoint: Endpoint,
}

impl HostPattern {
    /// Whether a connection to `host` and `port` is within reach.
    pub fn allows(&self, host: &HostName, port: u16) -> bool {
        let name = match self.breadth {
            Breadth::Exact => *host == self.endpoint.host,
            Breadth::Below => host.is_below(&self.endpoint.host),
        };
        name && self.endpoint.port.allows(port)
    }

    /// How much of [`Self::endpoint`]'s domain is meant.
    pub fn breadth(&self) -> Breadth {
        self.breadth
    }

    /// The host, or the domain after the wildcard, and the port.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether every connection within reach of `other` is within reach.
    pub fn covers(&self, other: &Self) -> bool {
        self.covers_name(other) && self.endpoint.port.covers(other.endpoint.port)
    }

    pub(super) fn narrow(&self, other: &Self) -> Option<Self> {
        let mut narrow = if self.covers_name(other) {
            other.clone()
        } else if other.covers_name(self) {
            self.clone()
        } else {
            return None;
        };
        let (mine, theirs) = (self.endpoint.port, other.endpoint.port);
        narrow.endpoint.port = match (mine.covers(theirs), theirs.covers(mine)) {
            (true, _) => theirs,
            (false, true) => mine,
            (false, false) => return None,
        };
        Some(narrow)
    }

    fn covers_name(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.endpoint.host, &other.endpoint.host);
        match (self.breadth, other.breadth) {
            (Breadth::Exact, Breadth::Exact) => mine == theirs,
            (Breadth::Exact, Breadth::Below) => false,
            (Breadth::Below, Breadth::Exact) => theirs.is_below(mine),
            (Breadth::Below, Breadth::Below) => mine == theirs || theirs.is_below(mine),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.breadth {
            Breadth::Exact => write!(f, "{}", self.endpoint),
            Breadth::Below => write!(f, "*.{}", self.endpoint),
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.contains('/') {
            return Err(HostError::Address(text.into()));
        }
        let Some(domain) = text.strip_prefix("*.") else {
            return match text.contains('*') {
                true if text
                    .trim_start_matches('*')
                    .trim_start_matches(':')
                    .parse::<u16>()
                    .is_ok()
                    || text == "*" =>
                {
                    Err(HostError::TooWide(text.into()))
                }
                true => Err(HostError::Wildcard(text.into())),
                false => Ok(Self { breadth: Breadth::Exact, endpoint: text.parse()? }),
            };
        };
        if domain.contains('*') {
            return Err(HostError::Wildcard(text.into()));
        }
        let endpoint: Endpoint = domain.parse()?;
        if endpoint.host.is_address() || !endpoint.host.as_str().contains('.') {
            return Err(HostError::TooWide(text.into()));
        }
        Ok(Self { breadth: Breadth::Below, endpoint })
    }
}
