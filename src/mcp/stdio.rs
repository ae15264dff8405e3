//! Newline-delimited JSON-RPC over standard input and output.
//!
//! A line that is no message gets an answer and never ends the server. When input ends, the transport
//! stays open until every request that came in was answered; how long that may take is bounded by
//! the calls' own deadlines. Reading and writing have a thread each, so that a slow client blocks
//! neither the runtime nor a script.

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::Transport;
use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::thread;
use tokio::sync::{Notify, mpsc, oneshot};

/// Most bytes of one line. Larger than any arguments that a limit lets through.
const MOST_LINE: usize = 32 << 20;

/// Messages that may wait to be taken up, before reading pauses.
const WAITING: usize = 64;

/// The methods that this server answers.
const KNOWN_METHODS: [&str; 6] =
    ["initialize", "ping", "server/discover", "tools/list", "tools/call", "logging/setLevel"];

/// What was read.
enum Incoming {
    Message(Box<ClientJsonRpcMessage>),
    /// A line that is no message, and the answer to it.
    Malformed(Box<ServerJsonRpcMessage>),
}

/// The two ends of the pipe.
pub(super) struct StdioTransport {
    incoming: mpsc::Receiver<Incoming>,
    outgoing: std_mpsc::Sender<Outgoing>,
    open: Arc<Open>,
    phase: Phase,
}

/// How far the session is. Before it is open, a message that is no request would end the server; from
/// then on none may be lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The server waits for the request that opens the session.
    Waiting,
    /// It got one and has not answered it.
    Asked,
    /// The session is open: the answer to `initialize` is on its way, or the server reads on while it
    /// answers a request that carries its own terms.
    Open,
}

struct Outgoing {
    message: Box<ServerJsonRpcMessage>,
    written: oneshot::Sender<io::Result<()>>,
}

impl StdioTransport {
    /// Takes over `input` and `output`, with a thread for each.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub(super) fn new(
        input: impl io::Read + Send + 'static,
        output: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let (to_server, incoming) = mpsc::channel(WAITING);
        let (outgoing, to_client) = std_mpsc::channel();
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("peasy-mcp-read").spawn(move || read_all(io::BufReader::new(input), &to_server))?;
        thread("peasy-mcp-write").spawn(move || write_all(output, &to_client))?;
        Ok(Self { incoming, outgoing, open: Arc::default(), phase: Phase::Waiting })
    }
}

impl Transport<RoleServer> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.phase = match (self.phase, &message) {
            (Phase::Open, _) => Phase::Open,
            (_, ServerJsonRpcMessage::Response(response))
                if matches!(response.result, ServerResult::InitializeResult(_)) =>
            {
                Phase::Open
            }
            _ => Phase::Waiting,
        };
        let answers = answered(&message).cloned();
        let open = Arc::clone(&self.open);
        let (written, done) = oneshot::channel();
        let sent = self.outgoing.send(Outgoing { message: Box::new(message), written });
        async move {
            let result = match sent {
                Ok(()) => done.await.unwrap_or_else(|_| Err(gone())),
                Err(_) => Err(gone()),
            };
            // Only now is the answer out of our hands.
            if let Some(id) = answers {
                open.remove(&id);
            }
            result
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        // Until the session is open, the server answers each request before it reads the next.
        if self.phase == Phase::Asked {
            self.phase = Phase::Open;
        }
        loop {
            match self.incoming.recv().await {
                Some(Incoming::Malformed(answer)) => {
                    // A client that is gone is noticed by the next read.
                    let (written, _) = oneshot::channel();
                    let _ = self.outgoing.send(Outgoing { message: answer, written });
                }
                Some(Incoming::Message(message)) => {
                    if self.admits(&message) {
                        return Some(*message);
                    }
                }
                None => {
                    self.open.until_empty().await;
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.incoming.close();
        Ok(())
    }
}

impl StdioTransport {
    /// Keeps count of the open requests, and leaves out what would end a handshake.
    fn admits(&mut self, message: &ClientJsonRpcMessage) -> bool {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                self.open.insert(request.id.clone());
                if self.phase == Phase::Waiting {
                    self.phase = Phase::Asked;
                }
                true
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    // A cancelled request gets no answer.
                    self.open.remove(id);
                }
                self.phase == Phase::Open
            }
            _ => self.phase == Phase::Open,
        }
    }
}

/// The requests that wait for an answer.
#[derive(Default)]
struct Open {
    ids: Mutex<HashSet<RequestId>>,
    changed: Notify,
}

impl Open {
    fn ids(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        // Nothing panics while it holds the lock.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, id: RequestId) {
        self.ids().insert(id);
    }

    fn remove(&self, id: &RequestId) {
        self.ids().remove(id);
        self.changed.notify_waiters();
    }

    async fn until_empty(&self) {
        loop {
            // Listen first, so that no change is missed in between.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.ids().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

fn answered(message: &ServerJsonRpcMessage) -> Option<&RequestId> {
    match message {
        ServerJsonRpcMessage::Response(response) => Some(&response.id),
        ServerJsonRpcMessage::Error(error) => error.id.as_ref(),
        _ => None,
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "standard output is closed")
}

fn write_all(mut output: impl Write, messages: &std_mpsc::Receiver<Outgoing>) {
    while let Ok(Outgoing { message, written }) = messages.recv() {
        let result = serde_json::to_vec(&message).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            output.write_all(&line)?;
            output.flush()
        });
        // Nobody waits for the answer to a malformed line.
        let _ = written.send(result);
    }
}

fn read_all(mut input: impl BufRead, messages: &mpsc::Sender<Incoming>) {
    let mut line = Vec::new();
    loop {
        let parsed = match read_line(&mut input, &mut line) {
            Ok(Line::Whole) => parse(&line),
            Ok(Line::TooLong) => Some(Incoming::Malformed(Box::new(refusal(
                ErrorCode::INVALID_REQUEST,
                format!("the message has more than {MOST_LINE} bytes"),
                None,
            )))),
            Ok(Line::End) => return,
            Err(reason) => {
                tracing::warn!(%reason, "standard input cannot be read");
                return;
            }
        };
        if let Some(incoming) = parsed
            && messages.blocking_send(incoming).is_err()
        {
            return;
        }
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads up to a line break or the end of input. A line that is too long is skipped to its end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut is_too_long = false;
    loop {
        let available = match input.fill_buf() {
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            return Ok(match (is_too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if is_too_long || line.len() + part.len() > MOST_LINE {
            is_too_long = true;
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(if is_too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

/// The message of a line; `None` where there is nothing to say to it.
fn parse(line: &[u8]) -> Option<Incoming> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return None;
    }
    let reason = match serde_json::from_slice(line) {
        Ok(message) => {
            return Some(match malformed_parameters(&message) {
                Some(answer) => Incoming::Malformed(Box::new(answer)),
                None => Incoming::Message(Box::new(message)),
            });
        }
        Err(reason) => reason,
    };
    let answer = match serde_json::from_slice::<Value>(line) {
        Err(reason) => match Envelope::of(line) {
            Some(envelope) => envelope.refusal(&reason)?,
            None => {
                refusal(ErrorCode::PARSE_ERROR, format!("the line is not JSON: {reason}"), None)
            }
        },
        Ok(Value::Object(map)) => object_refusal(&map, &reason)?,
        Ok(Value::Array(_)) => {
            let message = "batches are not supported; send one message a line";
            refusal(ErrorCode::INVALID_REQUEST, message, None)
        }
        Ok(_) => refusal(ErrorCode::INVALID_REQUEST, "the message is not a JSON object", None),
    };
    Some(Incoming::Malformed(Box::new(answer)))
}

/// The outside of a message whose inside cannot be kept: JSON that is nested too deeply, or a number
/// that no type holds. Reading it looks at any depth and takes no stack for it.
#[derive(Default)]
struct Envelope {
    id: Option<Id>,
    method: Option<Id>,
}

/// A number or a text; anything else is passed over.
enum Id {
    Usable(RequestId),
    Unusable,
}

impl Envelope {
    /// The outside of a line, where it is an object of JSON.
    fn of(line: &[u8]) -> Option<Self> {
        std::str::from_utf8(line).ok().and_then(|text| serde_json::from_str(text).ok())
    }

    /// The answer; `None` for a notification, which gets no answer.
    fn refusal(self, reason: &serde_json::Error) -> Option<ServerJsonRpcMessage> {
        let method = match self.method {
            Some(Id::Usable(RequestId::String(method))) => Some(method),
            _ => None,
        };
        let message = format!("the message cannot be taken: {reason}");
        match (self.id, method) {
            (Some(Id::Usable(id)), Some(method)) if known(&method).is_some() => {
                Some(refusal(ErrorCode::INVALID_PARAMS, message, Some(id)))
            }
            (Some(Id::Usable(id)), _) => {
                Some(refusal(ErrorCode::INVALID_REQUEST, message, Some(id)))
            }
            (None, Some(_)) => None,
            (Some(Id::Unusable), _) | (None, None) => {
                Some(refusal(ErrorCode::INVALID_REQUEST, message, None))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outside;
        impl<'de> Visitor<'de> for Outside {
            type Value = Envelope;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "id" => envelope.id = Some(map.next_value()?),
                        "method" => envelope.method = Some(map.next_value()?),
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Outside)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Usable(RequestId::Number(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
                Ok(i64::try_from(number)
                    .map_or(Id::Unusable, |number| Id::Usable(RequestId::Number(number))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(Id::Usable(RequestId::String(text.into())))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Id, E> {
                Ok(Id::Unusable)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Id, E> {
                Ok(Id::Unusable)
            }

            fn visit_unit<E>(self) -> Result<Id, E> {
                Ok(Id::Unusable)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Id, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Id::Unusable)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Id, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Id::Unusable)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The answer to an object that is no message; `None` for a notification, which gets no answer. What
/// carries an `id` wants an answer, also where nobody can use that id.
fn object_refusal(
    map: &Map<String, Value>,
    reason: &serde_json::Error,
) -> Option<ServerJsonRpcMessage> {
    let id = map.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    let method = map.get("method").and_then(Value::as_str);
    match (id, method) {
        (None, Some(method)) if !map.contains_key("id") => {
            tracing::debug!(method, %reason, "a notification was left aside");
            None
        }
        (Some(id), Some(method)) if map.get("jsonrpc").is_some_and(|version| version == "2.0") => {
            Some(known(method).map_or_else(
                || refusal(ErrorCode::INVALID_REQUEST, NO_MESSAGE, Some(id.clone())),
                |method| wrong_parameters(method, id.clone()),
            ))
        }
        (id, _) => Some(refusal(ErrorCode::INVALID_REQUEST, NO_MESSAGE, id)),
    }
}

const NO_MESSAGE: &str = "the message is not a JSON-RPC 2.0 request, notification or response";

/// The answer to a request whose method is known and whose parameters are not: it arrives as a
/// request of an unknown kind.
fn malformed_parameters(message: &ClientJsonRpcMessage) -> Option<ServerJsonRpcMessage> {
    let ClientJsonRpcMessage::Request(request) = message else { return None };
    let ClientRequest::CustomRequest(custom) = &request.request else { return None };
    Some(wrong_parameters(known(&custom.method)?, request.id.clone()))
}

fn known(method: &str) -> Option<&'static str> {
    KNOWN_METHODS.into_iter().find(|known| *known == method)
}

fn wrong_parameters(method: &str, id: RequestId) -> ServerJsonRpcMessage {
    let message = format!("the parameters of `{method}` do not have the form of the protocol");
    refusal(ErrorCode::INVALID_PARAMS, message, Some(id))
}

fn refusal(
    code: ErrorCode,
    message: impl Into<Cow<'static, str>>,
    id: Option<RequestId>,
) -> ServerJsonRpcMessage {
    ServerJsonRpcMessage::error(ErrorData::new(code, message, None), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(line: &[u8]) -> Option<Value> {
        match parse(line) {
            Some(Incoming::Malformed(answer)) => serde_json::to_value(*answer).ok(),
            _ => None,
        }
    }

    #[test]
    fn every_malformed_line_gets_an_answer() {
        let deep = "[".repeat(100_000);
        for (line, code, id) in [
            (&b"{"[..], -32700, Value::Null),
            (b"\xff\xfe", -32700, Value::Null),
            (deep.as_bytes(), -32700, Value::Null),
            (b"[]", -32600, Value::Null),
            (b"12", -32600, Value::Null),
            (b"{}", -32600, Value::Null),
            (br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600, 7.into()),
            (br#"{"jsonrpc":"2.0","id":"a","method":5}"#, -32600, "a".into()),
            (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, -32602, 1.into()),
            (br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, -32602, 1.into()),
            (br#"{"jsonrpc":"2.0","id":[],"method":5}"#, -32600, Value::Null),
            (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, Value::Null),
            (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, Value::Null),
            (br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32600, Value::Null),
            (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, Value::Null),
            (
                br#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#,
                -32600,
                Value::Null,
            ),
            (
                br#"{"jsonrpc":"2.0","id":null,"method":"notifications/initialized"}"#,
                -32600,
                Value::Null,
            ),
        ] {
            let answer = answer(line).unwrap_or_default();
            let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
            assert_eq!(answer["error"]["code"], code, "{shown}");
            assert_eq!(answer["id"], id, "{shown}");
        }
    }

    /// Arguments that no parser with a bound on its depth takes.
    fn deep() -> String {
        format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))
    }

    #[test]
    fn what_is_too_deep_or_too_large_a_number_is_answered_with_its_id() {
        for inside in [deep(), "1e999".to_owned(), r#""\ud800""#.to_owned()] {
            let call = |outside: &str| {
                answer(format!("{{{outside}\"params\":{{\"arguments\":{inside}}}}}").as_bytes())
            };
            for (outside, code, id) in [
                (r#""jsonrpc":"2.0","id":7,"method":"tools/call","#, -32602, Value::from(7)),
                (r#""id":"a","method":"tools/call","#, -32602, "a".into()),
                (r#""id":7,"method":"no/such","#, -32600, 7.into()),
                (r#""id":7,"#, -32600, 7.into()),
                (r#""id":[[7]],"method":"tools/call","#, -32600, Value::Null),
                (r#""id":{"a":[]},"method":"tools/call","#, -32600, Value::Null),
                (r#""id":1.5,"method":"tools/call","#, -32600, Value::Null),
                ("", -32600, Value::Null),
            ] {
                let answer = call(outside).unwrap_or_default();
                assert_eq!(
                    (&answer["error"]["code"], &answer["id"]),
                    (&code.into(), &id),
                    "{outside}"
                );
            }
            assert!(call(r#""method":"$/setTrace","#).is_none(), "a notification gets no answer");
        }
        let id = format!("{{\"id\":{},\"method\":\"ping\"}}", deep());
        assert_eq!(answer(id.as_bytes()).unwrap_or_default()["error"]["code"], -32600);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![
                Just("2.0"),
                Just("ping"),
                Just("initialize"),
                Just("tools/call"),
                Just("x")
            ]
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        let keys = ["id", "jsonrpc", "method", "params", "name", "arguments", "result", "error"];
        prop::sample::select(keys.to_vec()).prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn who_sends_an_id_is_never_left_waiting(
            id in any_json(),
            others in prop::collection::vec((key(), any_json()), 0..5),
            is_versioned in any::<bool>(),
        ) {
            let mut message: Map<String, Value> = others.into_iter().collect();
            message.insert("id".into(), id);
            if is_versioned {
                message.insert("jsonrpc".into(), "2.0".into());
            }
            let line = Value::Object(message).to_string();
            let is_right = match parse(line.as_bytes()) {
                None => false,
                Some(Incoming::Malformed(_)) => true,
                Some(Incoming::Message(message)) => {
                    !matches!(*message, ClientJsonRpcMessage::Notification(_))
                }
            };
            prop_assert!(is_right, "{}", line);
        }

        #[test]
        fn no_line_is_too_strange(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }

    /// A transport that reads these lines and writes to nowhere.
    fn transport(lines: &[&str]) -> StdioTransport {
        StdioTransport::new(io::Cursor::new(lines.join("\n").into_bytes()), io::sink())
            .expect("threads can be started")
    }

    fn method(message: Option<ClientJsonRpcMessage>) -> String {
        let message = serde_json::to_value(message).expect("messages are JSON");
        message["method"].as_str().unwrap_or_default().to_owned()
    }

    const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

    #[tokio::test]
    async fn a_session_is_open_once_it_was_answered_for() {
        let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
        let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
        let mut transport = transport(&[INITIALIZED, ping, INITIALIZED, initialize, INITIALIZED]);
        let answer = |result: Value, id: i64| {
            let answer = serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": result });
            serde_json::from_value::<ServerJsonRpcMessage>(answer).expect("an answer")
        };
        assert_eq!(method(transport.receive().await), "ping", "the first is left aside");
        transport.send(answer(serde_json::json!({}), 2)).await.expect("nothing refuses it");
        assert_eq!(method(transport.receive().await), "initialize", "a ping opens nothing");
        let result = serde_json::json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "serverInfo": { "name": "test", "version": "1" },
        });
        transport.send(answer(result, 1)).await.expect("nothing refuses it");
        assert_eq!(method(transport.receive().await), "notifications/initialized");
    }

    #[tokio::test]
    async fn a_request_that_is_taken_up_opens_the_session() {
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
        let mut transport = transport(&[INITIALIZED, list, INITIALIZED]);
        assert_eq!(method(transport.receive().await), "tools/list");
        assert_eq!(method(transport.receive().await), "notifications/initialized");
    }

    #[test]
    fn empty_lines_and_unknown_notifications_get_none() {
        assert!(parse(b"").is_none() && parse(b" \r").is_none());
        assert!(answer(br#"{"jsonrpc":"2.0","method":"$/setTrace","params":5}"#).is_none());
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_whole() {
        let mut text = vec![b'x'; MOST_LINE + 10];
        text.extend_from_slice(b"\nnext");
        let (mut input, mut line) = (io::BufReader::new(text.as_slice()), Vec::new());
        assert!(matches!(read_line(&mut input, &mut line), Ok(Line::TooLong)));
        assert!(matches!(read_line(&mut input, &mut line), Ok(Line::Whole)));
        assert_eq!(line, b"next");
        assert!(matches!(read_line(&mut input, &mut line), Ok(Line::End)));
    }
}
