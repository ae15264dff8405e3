//! Newline-delimited JSON-RPC over standard input and output.
//!
//! A line that is no message gets an answer and never ends the server. When input ends, the transport
//! stays open until every request that came in was answered; how long that may take is bounded by
//! the calls' own deadlines. Reading and writing have a thread each, so that a slow client blocks
//! neither the runtime nor a script.

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
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
    is_ready: Ready,
}

struct Outgoing {
    message: Box<ServerJsonRpcMessage>,
    written: oneshot::Sender<io::Result<()>>,
}

/// Whether the handshake is over. Before it, a message that is no request would end the server.
#[derive(Clone, Default)]
pub(super) struct Ready(Arc<AtomicBool>);

impl Ready {
    /// The handshake is over.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
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
        is_ready: Ready,
    ) -> io::Result<Self> {
        let (to_server, incoming) = mpsc::channel(WAITING);
        let (outgoing, to_client) = std_mpsc::channel();
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("peasy-mcp-read").spawn(move || read_all(io::BufReader::new(input), &to_server))?;
        thread("peasy-mcp-write").spawn(move || write_all(output, &to_client))?;
        Ok(Self { incoming, outgoing, open: Arc::default(), is_ready })
    }
}

impl Transport<RoleServer> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
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
    fn admits(&self, message: &ClientJsonRpcMessage) -> bool {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                self.open.insert(request.id.clone());
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
                self.is_ready.0.load(Ordering::Acquire)
            }
            _ => self.is_ready.0.load(Ordering::Acquire),
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
        Err(syntax) => {
            refusal(ErrorCode::PARSE_ERROR, format!("the line is not JSON: {syntax}"), None)
        }
        Ok(Value::Object(map)) => object_refusal(&map, &reason)?,
        Ok(Value::Array(_)) => {
            let message = "batches are not supported; send one message a line";
            refusal(ErrorCode::INVALID_REQUEST, message, None)
        }
        Ok(_) => refusal(ErrorCode::INVALID_REQUEST, "the message is not a JSON object", None),
    };
    Some(Incoming::Malformed(Box::new(answer)))
}

/// The answer to an object that is no message; `None` for a notification, which gets no answer.
fn object_refusal(
    map: &Map<String, Value>,
    reason: &serde_json::Error,
) -> Option<ServerJsonRpcMessage> {
    let id = map.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    let method = map.get("method").and_then(Value::as_str);
    match (id, method) {
        (None, Some(method)) => {
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
        ] {
            let answer = answer(line).unwrap_or_default();
            let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
            assert_eq!(answer["error"]["code"], code, "{shown}");
            assert_eq!(answer["id"], id, "{shown}");
        }
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
