//! What a client may ask, in both eras of the protocol.
//!
//! A message comes in with the way back to whoever sent it. What is quick is answered at once; a call is
//! handed back, to be run where it keeps nobody waiting. Both transports share all of this, and nothing
//! here knows either.

use super::ask::can_ask;
use super::call::{Asking, Call, Slot, in_use, list_changed};
use super::channel::Channel;
use super::fixed::{self, FixedList};
use super::list::ToolList;
use super::message::{Code, Parameters, Reply, Request, RequestId, notification, text, usable_id};
use super::reply;
use super::session::{Client, Session};
use super::sink::{LogLevel, Teller};
use super::state::Key;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::call::{Conditions, Failure, Outcome};
use crate::feature::catalog::{CallOptions, InstalledTool};
use crate::limit::Limit;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The versions of the era that begins with a handshake, the newest first.
pub(super) const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The version in which each request stands for itself.
pub(super) const STATELESS: &str = "2026-07-28";

/// Takes note of calls that failed for a reason that the model cannot mend.
pub trait FailureObserver: Send + Sync {
    /// A call failed, and its author, its operator or we must act.
    fn failed(&self, tool: &InstalledTool, failure: &Failure);
}

/// What a server is told beside its tools.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Learns of the calls that failed.
    pub observer: Option<Arc<dyn FailureObserver>>,
    /// Which clients get `peasy_call` and `peasy_tools`.
    pub fixed: FixedList,
    /// For how long clients may keep a list of tools, in milliseconds.
    pub keep: u64,
}

/// Why the server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The operating system gave no threads, no random numbers, or no signals.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
    /// The client was gone before it had an answer; it must act, or whoever started it.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The address cannot be listened at.
    #[error("nobody can listen at {address}: {reason}")]
    Address {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
}

/// A catalog behind the protocol.
pub(super) struct Server {
    pub tools: Arc<ToolList>,
    pub options: ServeOptions,
    pub key: Key,
}

/// What is left to do for a message.
pub(super) enum Step {
    /// Nothing, or nothing yet.
    Done,
    Reply(Reply),
    /// To be run where it keeps nobody waiting.
    Call(Box<Call>),
}

/// Fields behind those of a result of the stateless era.
const TAIL: &str = concat!(
    r#","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"peasy","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}"#
);

/// What every result of the stateless era says of the server.
pub(super) fn meta() -> Value {
    json!({ "io.modelcontextprotocol/serverInfo": about() })
}

fn about() -> Value {
    json!({ "name": "peasy", "version": env!("CARGO_PKG_VERSION") })
}

fn capabilities() -> Value {
    json!({ "logging": {}, "tools": { "listChanged": true } })
}

/// The system's clock, in milliseconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Where a request stands: its id, whose it is, and the way back.
struct At<'a> {
    session: &'a Arc<Session>,
    channel: &'a Arc<dyn Channel>,
    id: RequestId,
}

/// What a call is run under.
struct Terms {
    asking: Asking,
    is_fixed: bool,
    level: Option<LogLevel>,
    tail: &'static str,
}

impl Server {
    /// A server for these tools.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn new(tools: Arc<ToolList>, options: ServeOptions) -> Result<Arc<Self>, ServeError> {
        Ok(Arc::new(Self { tools, options, key: Key::draw()? }))
    }

    /// Takes up a request.
    pub fn request(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Arc<dyn Channel>,
        request: Request<'_>,
    ) -> Step {
        let Request { id, method, parameters } = request;
        let at = At { session, channel, id };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(_) if !is_known(&method) => return unknown_method(&at.id, &method),
            Err(reason) => return refuse(&at.id, &reason),
        };
        if parameters.meta.version.is_some() {
            return self.stateless(at, &method, &parameters);
        }
        match &*method {
            "initialize" => self.initialize(&at, &parameters),
            "ping" => Step::Reply(Reply::result(&at.id, "{}")),
            "server/discover" => missing_meta(&at.id, &parameters),
            "tools/list" | "tools/call" | "logging/setLevel" => match session.client() {
                Some(client) => self.handshake(at, &method, &parameters, client),
                None => before_handshake(&at.id),
            },
            _ => unknown_method(&at.id, &method),
        }
    }

    /// Takes note of a notification. `opened` is where changes are told from then on, where that is the
    /// notification's to say.
    pub fn notification(
        &self,
        session: &Arc<Session>,
        method: &str,
        parameters: &Parameters<'_>,
        opened: Option<&Arc<dyn Channel>>,
    ) {
        match (method, opened) {
            ("notifications/cancelled", _) => {
                if let Some(id) = parameters.request.and_then(usable_id) {
                    session.cancel(&id);
                }
            }
            ("notifications/initialized", Some(channel)) if session.client().is_some() => {
                let channel = Arc::clone(channel);
                let told = move || channel.tell(list_changed(None));
                session.keep(self.tools.listen(Arc::new(told)));
            }
            _ => tracing::debug!(method, "a notification was left aside"),
        }
    }

    /// Takes up the answer to a request of ours.
    pub fn response(session: &Session, id: &RequestId, result: Option<&RawValue>) -> Step {
        let RequestId::Number(number) = id else { return Step::Done };
        let call = session.answered(*number).and_then(|call| call.go_on(result));
        call.map_or(Step::Done, Step::Call)
    }

    fn initialize(&self, at: &At<'_>, parameters: &Parameters<'_>) -> Step {
        let Some(wanted) = parameters.version.and_then(text) else {
            return refuse(&at.id, "`protocolVersion` is missing, or no text");
        };
        let version = HANDSHAKE.into_iter().find(|known| *known == wanted).unwrap_or(HANDSHAKE[0]);
        at.session.agree(Client {
            version,
            // Before that, the protocol knew no questions.
            can_ask: version >= "2025-06-18" && can_ask(parameters.capabilities),
            is_fixed: self.options.fixed.covers(parameters.client),
        });
        let result = json!({
            "protocolVersion": version,
            "capabilities": capabilities(),
            "serverInfo": about(),
        });
        Step::Reply(Reply::result(&at.id, &result.to_string()))
    }

    fn handshake(
        self: &Arc<Self>,
        at: At<'_>,
        method: &str,
        parameters: &Parameters<'_>,
        client: Client,
    ) -> Step {
        match method {
            "tools/list" => self.list(&at.id, parameters, client.is_fixed, ""),
            "logging/setLevel" => {
                let level = parameters.level.and_then(text);
                match level.as_deref().and_then(LogLevel::named) {
                    Some(level) => {
                        at.session.set_level(level);
                        Step::Reply(Reply::result(&at.id, "{}"))
                    }
                    None => refuse(&at.id, "`level` is none of the protocol's levels"),
                }
            }
            _ => {
                let terms = Terms {
                    asking: if client.can_ask { Asking::ByRequest } else { Asking::Not },
                    is_fixed: client.is_fixed,
                    level: Some(at.session.level()),
                    tail: "",
                };
                self.call(at, parameters, &terms)
            }
        }
    }

    fn stateless(self: &Arc<Self>, at: At<'_>, method: &str, parameters: &Parameters<'_>) -> Step {
        let meta = &parameters.meta;
        let declared = meta.capabilities.filter(|declared| declared.get().starts_with('{'));
        match (meta.version.and_then(text), declared) {
            (Some(version), _) if version != STATELESS => {
                return Step::Reply(unsupported(&at.id, &version));
            }
            (Some(_), Some(_)) => (),
            _ => return missing_meta(&at.id, parameters),
        }
        let is_fixed = self.options.fixed.covers(meta.client);
        match method {
            "server/discover" => self.discover(&at.id),
            "tools/list" => {
                let keep =
                    format!(r#","ttlMs":{},"cacheScope":"private"{TAIL}"#, self.options.keep);
                self.list(&at.id, parameters, is_fixed, &keep)
            }
            "tools/call" => {
                let level = meta.level.and_then(text);
                let terms = Terms {
                    asking: if can_ask(declared) { Asking::ByResult } else { Asking::Not },
                    is_fixed,
                    level: level.as_deref().and_then(LogLevel::named),
                    tail: TAIL,
                };
                self.call(at, parameters, &terms)
            }
            "subscriptions/listen" => self.listen(at, parameters),
            _ => unknown_method(&at.id, method),
        }
    }

    fn discover(&self, id: &RequestId) -> Step {
        let versions: Vec<_> = [STATELESS].into_iter().chain(HANDSHAKE).collect();
        let result = json!({
            "resultType": "complete",
            "supportedVersions": versions,
            "capabilities": capabilities(),
            "ttlMs": self.options.keep,
            "cacheScope": "private",
            "_meta": meta(),
        });
        Step::Reply(Reply::result(id, &result.to_string()))
    }

    fn list(
        &self,
        id: &RequestId,
        parameters: &Parameters<'_>,
        is_fixed: bool,
        tail: &str,
    ) -> Step {
        if parameters.cursor.is_some() {
            // All tools are on the first page, so no cursor was ever handed out.
            return refuse(id, "the cursor is not one of this server");
        }
        let tools = self.tools.text();
        let (comma, fixed) = match is_fixed {
            false => ("", String::new()),
            true if tools.is_empty() => ("", fixed::listed()),
            true => (",", fixed::listed()),
        };
        let result = format!(r#"{{"tools":[{tools}{comma}{fixed}]{tail}}}"#);
        Step::Reply(Reply::result(id, &result))
    }

    fn listen(self: &Arc<Self>, at: At<'_>, parameters: &Parameters<'_>) -> Step {
        let wanted = parameters.notifications.map(|wanted| serde_json::from_str(wanted.get()));
        let Some(Ok(wanted)) = wanted else {
            return refuse(&at.id, "`notifications` is missing, or no object");
        };
        let wanted: Map<String, Value> = wanted;
        let mut accepted = Map::new();
        let wants_tools = wanted.get("toolsListChanged") == Some(&Value::Bool(true));
        if wants_tools {
            accepted.insert("toolsListChanged".into(), true.into());
        }
        let (id, channel) = (at.id.clone(), Arc::clone(at.channel));
        // First the acknowledgement, whatever changes meanwhile.
        let ready = Arc::new(std::sync::Mutex::new(false));
        let told = {
            let (id, channel, ready) = (id.clone(), Arc::clone(&channel), Arc::clone(&ready));
            move || {
                let ready = ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if *ready && wants_tools {
                    channel.tell(list_changed(Some(&id)));
                }
            }
        };
        let mut ready = ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let listening = self.tools.listen(Arc::new(told));
        if !at.session.listen(&id, Arc::clone(&channel), listening) {
            return Step::Reply(in_use(&id));
        }
        let parameters = json!({
            "_meta": { "io.modelcontextprotocol/subscriptionId": id },
            "notifications": accepted,
        });
        channel.tell(notification("notifications/subscriptions/acknowledged", Some(&parameters)));
        *ready = true;
        Step::Done
    }

    /// The last of a subscription, where it is we who end it.
    pub fn end_of_listening(id: &RequestId) -> Reply {
        let mut meta = meta();
        meta["io.modelcontextprotocol/subscriptionId"] = json!(id);
        let result = json!({ "resultType": "complete", "_meta": meta });
        Reply::result(id, &result.to_string())
    }

    fn call(self: &Arc<Self>, at: At<'_>, parameters: &Parameters<'_>, terms: &Terms) -> Step {
        let Some(name) = parameters.name.and_then(text) else {
            return refuse(&at.id, "`name` is missing, or no text");
        };
        let catalog = self.tools.pod().catalog();
        let (name, arguments) = match catalog.tool(&*name) {
            Some(_) => (name, parameters.arguments),
            None if terms.is_fixed && name == fixed::TOOLS => {
                let listed = Value::String(format!("[{}]", self.tools.text()));
                return self.told(&at.id, &Outcome::success(listed), terms);
            }
            None if terms.is_fixed && name == fixed::CALL => match fixed::meant(parameters) {
                Ok(meant) => meant,
                Err(problem) => {
                    let problem = Diagnostic::caller("arguments/type", problem);
                    return self.told(&at.id, &Outcome::failure(problem), terms);
                }
            },
            None => (name, None),
        };
        let Some(tool) = catalog.tool(&*name) else { return self.unknown_tool(&at.id, &name) };
        if let Some(problem) = too_large(tool, arguments) {
            return self.told(&at.id, &Outcome::failure(problem), terms);
        }
        let arguments = match arguments {
            None => Value::Object(Map::new()),
            Some(raw) if !raw.get().starts_with('{') => {
                return refuse(&at.id, "`arguments` is no object");
            }
            Some(raw) => match serde_json::from_str(raw.get()) {
                Ok(arguments) => arguments,
                Err(reason) => {
                    return refuse(&at.id, &format!("`arguments` cannot be taken: {reason}"));
                }
            },
        };
        self.begin(at, parameters, terms, name, arguments)
    }

    fn begin(
        self: &Arc<Self>,
        at: At<'_>,
        parameters: &Parameters<'_>,
        terms: &Terms,
        name: Cow<'_, str>,
        arguments: Value,
    ) -> Step {
        let state = match parameters.state.filter(|_| terms.asking == Asking::ByResult) {
            None => None,
            Some(state) => {
                let state = text(state).unwrap_or_default();
                match self.key.open(&state, &name, &arguments, now()) {
                    Ok(state) => Some(state),
                    Err(reason) => return refuse(&at.id, &reason.to_string()),
                }
            }
        };
        let slot = match Slot::begin(at.session, at.channel, at.id) {
            Ok(slot) => slot,
            Err(reply) => return Step::Reply(reply),
        };
        let channel = Arc::clone(at.channel);
        let Conditions { now, seed } = CallOptions::default().conditions;
        let call = Call {
            server: Arc::clone(self),
            slot,
            teller: Arc::new(Teller::new(channel, parameters.meta.progress, terms.level)),
            name: name.into_owned(),
            arguments,
            conditions: Conditions { now, seed },
            answers: Vec::new(),
            asking: terms.asking,
            tail: terms.tail,
            asked: None,
        };
        match state {
            None => Step::Call(Box::new(call)),
            Some(state) => call.take_up(state, parameters.responses).map_or(Step::Done, Step::Call),
        }
    }

    /// The answer to a call that runs nothing.
    fn told(&self, id: &RequestId, outcome: &Outcome, terms: &Terms) -> Step {
        Step::Reply(Reply::result(id, &reply::result(outcome, terms.tail)))
    }

    fn unknown_tool(&self, id: &RequestId, name: &str) -> Step {
        let shown = shown(name);
        let catalog = self.tools.pod().catalog();
        let names = catalog.tools().map(|tool| tool.declaration().name.as_str());
        let help = nearest(&shown, names)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        refuse(id, &format!("there is no tool `{shown}`{help}"))
    }
}

/// The problem with arguments whose text alone says that they are too large for the tool. Nothing of
/// them is taken apart for that.
fn too_large(tool: &InstalledTool, arguments: Option<&RawValue>) -> Option<Diagnostic> {
    let most = tool.limits().get(Limit::Arguments);
    let text = arguments?.get();
    if text.len() as u64 <= most || least_bytes(text) <= most {
        return None;
    }
    let message = format!("the arguments have more than {most} bytes as JSON");
    Some(Diagnostic::caller(Limit::Arguments.code(), message).help("send less at once"))
}

/// What `text` has at least, written without spaces and without escapes that it does not need.
fn least_bytes(text: &str) -> u64 {
    let (mut bytes, mut is_inside) = (0, false);
    let mut all = text.bytes();
    while let Some(byte) = all.next() {
        match byte {
            b'"' => is_inside = !is_inside,
            b'\\' if is_inside && all.next() == Some(b'u') => _ = all.nth(3),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => (),
            _ if !is_inside => continue,
            _ => (),
        }
        bytes += 1;
    }
    bytes
}

/// Whether any era knows the method.
fn is_known(method: &str) -> bool {
    const METHODS: [&str; 7] = [
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "tools/call",
        "logging/setLevel",
        "subscriptions/listen",
    ];
    METHODS.contains(&method)
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

fn refuse(id: &RequestId, message: &str) -> Step {
    Step::Reply(Reply::error(Some(id), Code::InvalidParams, message))
}

fn unknown_method(id: &RequestId, method: &str) -> Step {
    let message = format!("there is no method `{}`", shown(method));
    Step::Reply(Reply::error(Some(id), Code::MethodNotFound, &message))
}

fn before_handshake(id: &RequestId) -> Step {
    let message = format!(
        "nothing was agreed on: send `initialize` first, or write `io.modelcontextprotocol/protocolVersion`: \
         \"{STATELESS}\" and `io.modelcontextprotocol/clientCapabilities` into `_meta`"
    );
    Step::Reply(Reply::error(Some(id), Code::InvalidParams, &message).malformed())
}

/// The refusal of a request of the stateless era that does not say what each has to say.
pub(super) fn missing_meta(id: &RequestId, parameters: &Parameters<'_>) -> Step {
    let meta = &parameters.meta;
    let lacks = |name: &'static str, is_there: bool| (!is_there).then_some(name);
    let missing: Vec<_> = [
        lacks("io.modelcontextprotocol/protocolVersion", meta.version.and_then(text).is_some()),
        lacks(
            "io.modelcontextprotocol/clientCapabilities",
            meta.capabilities.is_some_and(|declared| declared.get().starts_with('{')),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let message = format!("`_meta` lacks, or has not in their form: {}", missing.join(", "));
    Step::Reply(Reply::error(Some(id), Code::InvalidParams, &message).malformed())
}

fn unsupported(id: &RequestId, version: &str) -> Reply {
    let message = format!(
        "the version `{}` is not spoken request by request; {STATELESS} is, and others after `initialize`",
        shown(version)
    );
    let data = json!({ "requested": shown(version), "supported": [STATELESS] });
    Reply::error_with(Some(id), Code::UnsupportedVersion, &message, Some(&data))
}

#[cfg(test)]
mod tests;
