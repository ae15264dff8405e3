//! A server at an address: each message is a request, and its answers are the answer's body, one message or
//! a stream of them.
//!
//! A request waits on a thread of its own, so that whoever called may give up before the server does; it ends
//! by itself when its time is up. No redirect is followed, for it would take keys along, and no proxy of the
//! environment takes part.

use super::carrier::Carrier;
use super::fault::{Fault, words};
use super::inbox::Inbox;
use super::line::{Line, Lines};
use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureName;
use serde::Deserialize;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::Response;
use ureq::{Agent, Body};
use url::{Host, Url};

/// The longest that a message may take which has no answer.
const NOTICE: Duration = Duration::from_secs(10);

/// How long telling a server that its session is over may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// The headers of a session, of the version that was agreed on, and of what later versions want to see.
const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// The stack of a thread that waits for an answer.
const STACK: usize = 512 * 1024;

/// Connections to one address.
pub(super) struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    inbox: Arc<Inbox>,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    id: Option<String>,
    version: Option<String>,
}

impl Http {
    /// A way to an address; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// It is no address, or secrets would be sent in the clear.
    pub fn new(
        server: &FeatureName,
        url: &str,
        headers: Vec<(String, String)>,
        has_secrets: bool,
        inbox: &Arc<Inbox>,
    ) -> Result<Arc<Self>, Diagnostic> {
        let refused = |why: &str| {
            let message = format!("the address of the server `{server}` cannot be used: {why}");
            Diagnostic::operator("bridge/address", message)
                .help(format!("correct `url` under `[mcp.servers.{server}]`"))
        };
        let parsed = Url::parse(url).map_err(|reason| refused(&reason.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused(
                "it holds a user or a password; write them as a secret in `headers`",
            ));
        }
        match parsed.scheme() {
            "https" => (),
            "http" if has_secrets && !is_loopback(&parsed) => {
                let message =
                    format!("the secrets for the server `{server}` are not sent in the clear");
                return Err(Diagnostic::operator("secret/in-the-clear", message)
                    .help("write `https://` for `http://`"));
            }
            "http" => (),
            _ => return Err(refused("it begins with neither `https://` nor `http://`")),
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("peasy/", env!("CARGO_PKG_VERSION")))
            .build();
        let shared = Shared {
            agent: agent.into(),
            url: parsed.into(),
            headers,
            inbox: Arc::clone(inbox),
            session: Mutex::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }
}

/// Whether nothing that is sent leaves this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Carrier for Http {
    fn send(&self, id: Option<u64>, message: &[u8], until: Instant) -> Result<(), Fault> {
        let Some(id) = id else {
            let until = until.min(Instant::now() + NOTICE);
            return self.shared.exchange(None, message, until);
        };
        let (shared, message) = (Arc::clone(&self.shared), message.to_owned());
        let waiting = move || {
            if let Err(fault) = shared.exchange(Some(id), &message, until) {
                shared.inbox.fail(id, fault);
            }
        };
        let thread = thread::Builder::new().name("peasy-mcp-http".to_owned()).stack_size(STACK);
        let spawned = thread.spawn(waiting).map(|_| ());
        spawned.map_err(|reason| Fault::Gone(format!("no thread could be started: {reason}")))
    }

    fn agreed(&self, version: &str) {
        self.shared.session().version = Some(version.to_owned());
    }

    fn pushes(&self) -> bool {
        false
    }

    fn end(&self) {
        if let Some(session) = self.shared.session().id.take() {
            let request = self.shared.agent.delete(&self.shared.url);
            let mut request = request.config().timeout_global(Some(FAREWELL)).build();
            for (name, value) in &self.shared.headers {
                request = request.header(name, value);
            }
            // Whether it heard does not matter any more.
            let _ = request.header(SESSION, session).call();
        }
        self.shared.inbox.close("it was ended");
    }
}

/// What is looked at of a message that is sent.
#[derive(Deserialize)]
struct Outside {
    method: Option<String>,
    #[serde(default)]
    params: Inside,
}

#[derive(Default, Deserialize)]
struct Inside {
    name: Option<String>,
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message, and gives what comes back to the inbox.
    fn exchange(
        self: &Arc<Self>,
        id: Option<u64>,
        message: &[u8],
        until: Instant,
    ) -> Result<(), Fault> {
        let mut response = self.post(message, until)?;
        if let Some(session) = header(&response, SESSION) {
            self.session().id = Some(session);
        }
        let status = response.status().as_u16();
        let kind = header(&response, "content-type").unwrap_or_default().to_ascii_lowercase();
        let is_stream = kind.starts_with("text/event-stream");
        let has_session = self.session().id.is_some();
        match status {
            202 | 204 if id.is_none() => Ok(()),
            200..=299 if is_stream => self.stream(id, &mut response, until),
            404 if has_session => {
                self.session().id = None;
                self.inbox.close("it knows its session no more");
                Err(Fault::Gone("it knows its session no more".to_owned()))
            }
            _ => self.body(id, status, &kind, &mut response, until),
        }
    }

    fn post(&self, message: &[u8], until: Instant) -> Result<Response<Body>, Fault> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Late(Duration::ZERO));
        }
        let mut request = self.agent.post(&self.url).config().timeout_global(Some(left)).build();
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request = request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        {
            let session = self.session();
            if let Some(id) = &session.id {
                request = request.header(SESSION, id);
            }
            if let Some(version) = &session.version {
                request = request.header(VERSION, version);
            }
        }
        if let Ok(Outside { method: Some(method), params }) = serde_json::from_slice(message) {
            request = request.header(METHOD, method);
            // A name that no header can hold is not told.
            if let Some(name) =
                params.name.filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))
            {
                request = request.header(NAME, name);
            }
        }
        request.send(message).map_err(|reason| self.fault(&reason))
    }

    fn fault(&self, reason: &ureq::Error) -> Fault {
        match reason {
            ureq::Error::Timeout(_) => Fault::Late(Duration::ZERO),
            reason => Fault::Gone(words(&self.inbox.clean(&reason.to_string()), 300)),
        }
    }

    /// One message, or what a server says that is no message.
    fn body(
        self: &Arc<Self>,
        id: Option<u64>,
        status: u16,
        kind: &str,
        response: &mut Response<Body>,
        until: Instant,
    ) -> Result<(), Fault> {
        let most = self.inbox.most_bytes();
        let mut bytes = Vec::new();
        let read = response.body_mut().as_reader().take(most as u64 + 1).read_to_end(&mut bytes);
        if let Err(reason) = read {
            return Err(self.lost(&reason));
        }
        if bytes.len() > most {
            return Err(Fault::TooLarge(most));
        }
        if kind.starts_with("application/json") && !bytes.trim_ascii().is_empty() {
            self.take(Line::Whole(bytes.clone()), until)?;
        }
        match id {
            Some(id) if self.inbox.is_waiting(id) => {
                let said = words(&self.inbox.clean(&String::from_utf8_lossy(&bytes)), 300);
                Err(match status {
                    200..=299 => Fault::Malformed(format!("status {status} and `{said}`")),
                    _ => Fault::Refused {
                        code: status.into(),
                        message: format!("status {status} and `{said}`"),
                    },
                })
            }
            None if !(200..300).contains(&status) => {
                Err(Fault::Refused { code: status.into(), message: format!("status {status}") })
            }
            _ => Ok(()),
        }
    }

    /// A stream of events, each a message, up to the answer.
    fn stream(
        self: &Arc<Self>,
        id: Option<u64>,
        response: &mut Response<Body>,
        until: Instant,
    ) -> Result<(), Fault> {
        let mut reader = response.body_mut().as_reader();
        let mut lines = Lines::keeping_empty(self.inbox.most_bytes());
        let mut piece = vec![0; PIECE];
        let mut event = Event::default();
        loop {
            let length = reader.read(&mut piece).map_err(|reason| self.lost(&reason))?;
            if length == 0 {
                return match id.is_some_and(|id| self.inbox.is_waiting(id)) {
                    true => Err(Fault::Gone("the stream ended before the answer".to_owned())),
                    false => Ok(()),
                };
            }
            let mut taken = Ok(());
            lines.feed(&piece[..length], |line| {
                if let Some(message) = event.add(line, self.inbox.most_bytes())
                    && taken.is_ok()
                {
                    taken = self.take(message, until);
                }
            });
            taken?;
            if id.is_some_and(|id| !self.inbox.is_waiting(id)) {
                return Ok(());
            }
        }
    }

    fn lost(&self, reason: &std::io::Error) -> Fault {
        match reason.kind() {
            std::io::ErrorKind::TimedOut => Fault::Late(Duration::ZERO),
            _ => Fault::Gone(words(&reason.to_string(), 300)),
        }
    }

    fn take(self: &Arc<Self>, message: Line, until: Instant) -> Result<(), Fault> {
        match self.inbox.take(message) {
            Ok(None) => Ok(()),
            Ok(Some(reply)) => self.exchange(None, &reply, until.min(Instant::now() + NOTICE)),
            Err(how) => {
                self.inbox.close(&how);
                Err(Fault::Gone(how))
            }
        }
    }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// One event of a stream. Source: the HTML standard, server-sent events.
#[derive(Default)]
struct Event {
    data: Option<Vec<u8>>,
    is_too_long: bool,
}

impl Event {
    /// Adds a line; the message, where the event ends with it.
    fn add(&mut self, line: Line, most: usize) -> Option<Line> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong { head, tail } => {
                let head = head
                    .strip_prefix(b"data:")
                    .map_or(head.clone(), |data| data.trim_ascii_start().to_vec());
                return Some(Line::TooLong { head, tail });
            }
        };
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            let is_too_long = std::mem::take(&mut self.is_too_long);
            return self
                .data
                .take()
                .filter(|data| !data.is_empty() && !is_too_long)
                .map(Line::Whole);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.strip_prefix(b" ").unwrap_or(data);
            let all = self.data.get_or_insert_default();
            if all.len() + data.len() + 1 > most {
                self.is_too_long = true;
            } else {
                if !all.is_empty() {
                    all.push(b'\n');
                }
                all.extend_from_slice(data);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_their_lines() {
        let text =
            ": hello\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\nid: 3\r\n\r\ndata:{}\n\n\n";
        let mut lines = Lines::keeping_empty(1_000);
        let mut event = Event::default();
        let mut messages = Vec::new();
        lines.feed(text.as_bytes(), |line| messages.extend(event.add(line, 1_000)));
        assert_eq!(messages, [Line::Whole(b"{\"a\":\n1}".to_vec()), Line::Whole(b"{}".to_vec())]);
    }
}
