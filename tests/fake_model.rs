//! A model that says what it is told to: a server on this machine that speaks as OpenAI's chat completions
//! and as Anthropic's messages do, streaming, one step of a script for each request.
//!
//! A step is a JSON object:
//!
//! - `text`: what the model says; `thought`: what it thinks before;
//! - `calls`: the tools that it calls, each `{"tool": …, "arguments": {…}}`, or with `raw`, a text in the place
//!   of the arguments' JSON, and with an `id` of its own; `first`: the number that the first of them has, as
//!   some give it that count from one; `whole`: each comes in one piece;
//! - `usage`: `[read, written]` tokens; `stop`: why it ends, as the provider says it;
//! - `status`: another answer than 200, with `message` and `retry_after` (seconds);
//! - `cut`: the connection ends after the text; `hold`: it stays open after the text until the server ends;
//! - `endless`: `text` or `call`, without end;
//! - `event`: an error in the middle of the stream, of this type.
//!
//! Everything is sent in small pieces that end in the middle of lines and of characters.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Bytes of one piece of the stream.
const PIECE: usize = 7;
/// Bytes of text in one event.
const WORD: usize = 9;

/// The server. It ends when it is dropped.
pub struct FakeModel {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    steps: Mutex<VecDeque<Value>>,
    requests: Mutex<Vec<Asked>>,
    is_over: Mutex<bool>,
    ended: Condvar,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// Its headers, in lower case.
    pub headers: String,
    /// Its body.
    pub body: Value,
}

#[derive(Clone, Copy, PartialEq)]
enum Speech {
    OpenAi,
    Anthropic,
}

impl FakeModel {
    /// Begins to serve a script, at a free port.
    pub fn start(steps: impl IntoIterator<Item = Value>) -> Self {
        Self::start_at(0, steps).expect("a port is free")
    }

    /// Begins to serve a script at a port.
    pub fn start_at(port: u16, steps: impl IntoIterator<Item = Value>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        state.steps.lock().expect("no panic").extend(steps);
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if *serving.is_over.lock().expect("no panic") {
                    return;
                }
                let (Ok(stream), serving) = (stream, Arc::clone(&serving)) else { continue };
                // Whoever asked may be gone.
                std::thread::spawn(move || _ = serving.serve(stream));
            }
        });
        Ok(Self { address, state })
    }

    /// The address for `--base-url`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Adds steps.
    pub fn push(&self, steps: impl IntoIterator<Item = Value>) {
        self.state.steps.lock().expect("no panic").extend(steps);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.state.requests.lock().expect("no panic").clone()
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        *self.state.is_over.lock().expect("no panic") = true;
        self.state.ended.notify_all();
        // Wakes the thread that listens.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let (mut headers, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            let line = line.to_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap_or(0);
            }
            headers.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let speech = match path.ends_with("/messages") {
            true => Speech::Anthropic,
            false => Speech::OpenAi,
        };
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let step = self.steps.lock().expect("no panic").pop_front();
        let over = || json!({ "status": 400, "message": "the script of the fake model is over" });
        let step = step.unwrap_or_else(over);
        self.requests.lock().expect("no panic").push(Asked { path, headers, body });
        self.answer(&stream, &step, speech)
    }

    fn answer(&self, mut stream: &TcpStream, step: &Value, speech: Speech) -> io::Result<()> {
        if let Some(status) = step["status"].as_u64() {
            let message = step["message"].as_str().unwrap_or("it failed");
            let body = json!({ "error": { "type": "fake", "message": message } }).to_string();
            let wait = match step["retry_after"].as_f64() {
                Some(wait) => format!("retry-after: {wait}\r\n"),
                None => String::new(),
            };
            return write!(
                stream,
                "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n{wait}content-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
        }
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
              connection: close\r\n\r\n",
        )?;
        let mut events = Events { stream, speech, index: 0 };
        events.begin(step)?;
        if let Some(thought) = step["thought"].as_str() {
            events.thought(thought)?;
        }
        if let Some(text) = step["text"].as_str() {
            events.text(text)?;
        }
        match step["endless"].as_str() {
            Some("call") => loop {
                events.call("c-1", "endless", &"[1,".repeat(2_000))?;
            },
            Some(_) => loop {
                events.text(&"and on ".repeat(2_000))?;
            },
            None => {}
        }
        if let Some(kind) = step["event"].as_str() {
            return events.error(kind);
        }
        if step["hold"] == true {
            let mut is_over = self.is_over.lock().expect("no panic");
            while !*is_over {
                is_over = self.ended.wait(is_over).expect("no panic");
            }
            return Ok(());
        }
        if step["cut"] == true {
            // In the middle of a chunk.
            return stream.write_all(b"ff\r\ndata: {\"half");
        }
        let calls = step["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(first) = step["first"].as_u64() {
            events.index = usize::try_from(first).unwrap_or_default();
        }
        for (at, call) in calls.iter().enumerate() {
            let id = call["id"].as_str().map_or_else(|| format!("call-{}", at + 1), str::to_owned);
            let arguments = match call["raw"].as_str() {
                Some(raw) => raw.to_owned(),
                None => call["arguments"].to_string(),
            };
            let tool = call["tool"].as_str().unwrap_or_default();
            match step["whole"] == true && speech == Speech::OpenAi {
                true => events.whole_call(&id, tool, &arguments)?,
                false => events.call(&id, tool, &arguments)?,
            }
        }
        events.end(step, !calls.is_empty())?;
        stream.write_all(b"0\r\n\r\n")
    }
}

/// The events of one answer.
struct Events<'a> {
    stream: &'a TcpStream,
    speech: Speech,
    /// The number of the next block or call.
    index: usize,
}

impl Events<'_> {
    /// Sends one event, in pieces.
    fn send(&mut self, name: Option<&str>, data: &Value) -> io::Result<()> {
        let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
        self.write(&format!("{name}data: {data}\n\n"))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        for piece in text.as_bytes().chunks(PIECE) {
            write!(self.stream, "{:x}\r\n", piece.len())?;
            self.stream.write_all(piece)?;
            self.stream.write_all(b"\r\n")?;
        }
        self.stream.flush()
    }

    /// OpenAI: one change of the first choice.
    fn delta(&mut self, delta: &Value, end: Option<&str>) -> io::Result<()> {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": end });
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake",
            "choices": [choice],
        });
        self.send(None, &chunk)
    }

    /// Anthropic: an event that has its name in its data as well.
    fn named(&mut self, name: &str, mut data: Value) -> io::Result<()> {
        data["type"] = name.into();
        self.send(Some(name), &data)
    }

    /// Anthropic: a block, from its beginning over its pieces to its end.
    fn block(&mut self, begin: &Value, pieces: &[Value]) -> io::Result<()> {
        let index = self.index;
        self.index += 1;
        let start = json!({ "index": index, "content_block": begin });
        self.named("content_block_start", start)?;
        for piece in pieces {
            self.named("content_block_delta", json!({ "index": index, "delta": piece }))?;
        }
        self.named("content_block_stop", json!({ "index": index }))
    }

    fn begin(&mut self, step: &Value) -> io::Result<()> {
        match self.speech {
            Speech::OpenAi => self.delta(&json!({ "role": "assistant", "content": "" }), None),
            Speech::Anthropic => {
                let read = step["usage"][0].as_u64().unwrap_or(10);
                let usage = json!({ "input_tokens": read, "output_tokens": 1 });
                let message = json!({
                    "id": "msg-1", "type": "message", "role": "assistant", "model": "fake",
                    "content": [], "stop_reason": null, "usage": usage,
                });
                self.named("message_start", json!({ "message": message }))?;
                self.named("ping", json!({}))
            }
        }
    }

    fn thought(&mut self, text: &str) -> io::Result<()> {
        match self.speech {
            Speech::OpenAi => {
                for word in words(text) {
                    self.delta(&json!({ "reasoning_content": word }), None)?;
                }
                Ok(())
            }
            Speech::Anthropic => {
                let mut pieces: Vec<_> = words(text)
                    .map(|word| json!({ "type": "thinking_delta", "thinking": word }))
                    .collect();
                pieces.push(json!({ "type": "signature_delta", "signature": "c2lnbmVk" }));
                let begin = json!({ "type": "thinking", "thinking": "", "signature": "" });
                self.block(&begin, &pieces)
            }
        }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        match self.speech {
            Speech::OpenAi => {
                for word in words(text) {
                    self.delta(&json!({ "content": word }), None)?;
                }
                Ok(())
            }
            Speech::Anthropic => {
                let pieces: Vec<_> =
                    words(text).map(|word| json!({ "type": "text_delta", "text": word })).collect();
                self.block(&json!({ "type": "text", "text": "" }), &pieces)
            }
        }
    }

    fn call(&mut self, id: &str, tool: &str, arguments: &str) -> io::Result<()> {
        match self.speech {
            Speech::OpenAi => {
                let index = self.index;
                self.index += 1;
                let function = json!({ "name": tool, "arguments": "" });
                let call =
                    json!({ "index": index, "id": id, "type": "function", "function": function });
                self.delta(&json!({ "tool_calls": [call] }), None)?;
                for word in words(arguments) {
                    let call = json!({ "index": index, "function": { "arguments": word } });
                    self.delta(&json!({ "tool_calls": [call] }), None)?;
                }
                Ok(())
            }
            Speech::Anthropic => {
                let begin = json!({ "type": "tool_use", "id": id, "name": tool, "input": {} });
                let pieces: Vec<_> = words(arguments)
                    .map(|word| json!({ "type": "input_json_delta", "partial_json": word }))
                    .collect();
                self.block(&begin, &pieces)
            }
        }
    }

    /// OpenAI: a call in one piece.
    fn whole_call(&mut self, id: &str, tool: &str, arguments: &str) -> io::Result<()> {
        let function = json!({ "name": tool, "arguments": arguments });
        let call =
            json!({ "index": self.index, "id": id, "type": "function", "function": function });
        self.index += 1;
        self.delta(&json!({ "tool_calls": [call] }), None)
    }

    fn error(&mut self, kind: &str) -> io::Result<()> {
        let error = json!({ "error": { "type": kind, "message": "the fake model failed" } });
        match self.speech {
            Speech::OpenAi => self.send(None, &error),
            Speech::Anthropic => self.named("error", error),
        }
    }

    fn end(&mut self, step: &Value, has_calls: bool) -> io::Result<()> {
        let (read, written) =
            (step["usage"][0].as_u64().unwrap_or(10), step["usage"][1].as_u64().unwrap_or(5));
        let stop = |usual: &str| step["stop"].as_str().unwrap_or(usual).to_owned();
        match self.speech {
            Speech::OpenAi => {
                let stop = stop(if has_calls { "tool_calls" } else { "stop" });
                self.delta(&json!({}), Some(&stop))?;
                let usage = json!({
                    "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
                });
                let chunk = json!({
                    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                    "model": "fake", "choices": [], "usage": usage,
                });
                self.send(None, &chunk)?;
                self.write("data: [DONE]\n\n")
            }
            Speech::Anthropic => {
                let stop = stop(if has_calls { "tool_use" } else { "end_turn" });
                let delta = json!({ "stop_reason": stop, "stop_sequence": null });
                let usage = json!({ "output_tokens": written });
                self.named("message_delta", json!({ "delta": delta, "usage": usage }))?;
                self.named("message_stop", json!({}))
            }
        }
    }
}

/// A text in pieces that end between characters.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = (1..=rest.len()).find(|at| *at >= WORD && rest.is_char_boundary(*at));
        let (word, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        (!word.is_empty()).then_some(word)
    })
}
