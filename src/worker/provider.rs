//! Models of real providers, through the library `genai`, which keeps up with how each of them speaks.
//!
//! This file alone knows the library. It turns messages of the log into the library's and what streams
//! back into pieces; it retries nothing, follows no redirect, asks no proxy of the environment, and
//! writes no key anywhere.

use super::model::{Answer, Fault, Model, ModelError, Piece, Request, Tokens};
use super::shown;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::call::Cancel;
use crate::feature::secret::SecretText;
use crate::pod::session::{Called, Content};
use futures_core::Stream;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent, ContentPart, MessageContent,
    StopReason, StreamEnd, ToolCall, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long a provider may say nothing: models think before the first word. Signs of life are no words.
const SILENCE: Duration = Duration::from_secs(300);
/// How long a whole answer may take.
const WHOLE: Duration = Duration::from_secs(3_600);
/// How often the switch that cancels is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Most characters that are told of what a provider says to an error.
const MOST_SAID: usize = 600;

/// Which model, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    kind: AdapterKind,
    name: String,
}

impl ModelName {
    /// Reads `PROVIDER/NAME`, such as `anthropic/claude-sonnet-4-5` or `ollama/qwen3`.
    ///
    /// # Errors
    ///
    /// There is no such provider, or a part is missing.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refused =
            |message: String, help: String| Diagnostic::caller("worker/model", message).help(help);
        let Some((provider, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty())
        else {
            return Err(refused(
                format!("`{text}` names no model"),
                "write PROVIDER/NAME, as in `anthropic/claude-sonnet-4-5`, `openai/gpt-5`, \
                 `gemini/gemini-2.5-pro` or `ollama/qwen3`"
                    .to_owned(),
            ));
        };
        let Some(kind) = AdapterKind::from_lower_str(provider) else {
            let known = AdapterKind::all().iter().map(|kind| kind.as_lower_str());
            let help = match nearest(provider, known) {
                Some(near) => format!("did you mean `{near}/{name}`?"),
                None => "there are `anthropic`, `openai`, `gemini`, `ollama` and others; what speaks like \
                         OpenAI goes as `openai` with `--base-url`"
                    .to_owned(),
            };
            return Err(refused(format!("there is no provider `{provider}`"), help));
        };
        Ok(Self { kind, name: name.to_owned() })
    }

    /// The provider's word.
    pub fn provider(&self) -> &'static str {
        self.kind.as_lower_str()
    }

    /// The model, as its provider calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The variable of the environment that programs take this provider's key from; `None` where it
    /// needs none.
    pub fn key_variable(&self) -> Option<&'static str> {
        self.kind.default_key_env_name()
    }
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider(), self.name)
    }
}

/// A model of a real provider.
pub struct Provider {
    name: ModelName,
    base_url: Option<String>,
    key: Option<SecretText>,
    client: Client,
    runtime: Runtime,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, base_url, .. } = self;
        f.debug_struct("Provider")
            .field("name", name)
            .field("base_url", base_url)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// A model at its provider, or at `base_url`: the address up to what the provider's own paths begin
    /// with, such as `http://127.0.0.1:8080/v1`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The address is none, the key would leave this machine without encryption, or the provider needs a
    /// key and there is none.
    pub fn new(
        name: ModelName,
        base_url: Option<&str>,
        key: Option<SecretText>,
    ) -> Result<Self, Diagnostic> {
        let base_url = base_url.map(address).transpose()?;
        if let (Some(_), Some(address)) = (&key, base_url.as_deref().filter(|url| is_open(url))) {
            let message = format!("the key is not sent in the clear, to `{address}`");
            return Err(Diagnostic::operator("secret/in-the-clear", message)
                .help("write `https://` for `http://`, or take the key away if it needs none"));
        }
        if let (None, None, Some(variable)) = (&key, &base_url, name.key_variable()) {
            let message = format!("there is no key for `{}`", name.provider());
            return Err(Diagnostic::operator("worker/key", message).help(format!(
                "set {variable}, or keep it as a secret: `peasy secret set {}`",
                variable.to_ascii_lowercase()
            )));
        }
        let failed = |what: String| Diagnostic::host("worker/client", what);
        let client = client().map_err(failed)?;
        let auth = match (&key, name.key_variable()) {
            (Some(key), _) => AuthData::from_single(key.expose()),
            // The library wants some key for those that need one; a server of one's own looks at none.
            (None, Some(_)) => AuthData::from_single("none"),
            (None, None) => AuthData::None,
        };
        let endpoint = base_url.as_deref().map(Endpoint::from_owned);
        let client = Client::builder()
            .with_reqwest(client)
            .with_auth_resolver_fn(move |_: ModelIden| Ok(Some(auth.clone())))
            .with_service_target_resolver_fn(move |mut target: ServiceTarget| {
                if let Some(endpoint) = &endpoint {
                    target.endpoint = endpoint.clone();
                }
                Ok(target)
            })
            .build();
        let client = client.map_err(|reason| failed(reason.to_string()))?;
        // Of the thread that asks; one more moves what streams while that one is at other work.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("peasy-model")
            .enable_all()
            .build()
            .map_err(|reason| failed(reason.to_string()))?;
        Ok(Self { name, base_url, key, client, runtime })
    }

    /// The model's full name.
    pub fn full_name(&self) -> &ModelName {
        &self.name
    }

    /// What a failure is, without the key in its words.
    fn error(&self, fault: Fault, text: &str) -> ModelError {
        let mut text = text.to_owned();
        if let Some(key) = &self.key {
            text = text.replace(key.expose(), "[key]");
        }
        let end = shown::boundary(&text, MOST_SAID);
        if end < text.len() {
            text.truncate(end);
            text.push('…');
        }
        ModelError::new(fault, format!("{}: {}", self.name, text.trim()))
    }

    /// What a failure of the library is. `has_begun` says whether something of an answer has come.
    fn failed(&self, error: &genai::Error, has_begun: bool) -> ModelError {
        if let genai::Error::WebStream { error: inner, cause, .. } = error {
            if let Some(inner) = inner.downcast_ref::<genai::Error>() {
                return self.failed(inner, has_begun);
            }
            let fault = if has_begun { Fault::Cut } else { Fault::Unreachable };
            let cause = match inner.downcast_ref::<reqwest::Error>() {
                Some(reason) => chain(reason),
                None => cause.clone(),
            };
            let what = if has_begun { "the connection was cut" } else { "it cannot be reached" };
            return self.error(fault, &format!("{what}: {cause}"));
        }
        if let genai::Error::ChatResponse { body, .. } = error {
            return self.error(fault_of_event(body), &format!("it failed: {}", said(body)));
        }
        if let Some(status) = error.status() {
            let fault = match status.as_u16() {
                401 | 403 => Fault::Denied,
                408 | 425 | 429 => Fault::Busy,
                500.. => Fault::Server,
                _ => Fault::Refused,
            };
            let body = match error {
                genai::Error::HttpError { body, .. } => body.clone(),
                other => other.to_string(),
            };
            let body = serde_json::from_str(&body).map_or(body, |body: Value| said(&body));
            let mut failed = self.error(fault, &format!("it answered {status}: {body}"));
            failed.retry_after = error.headers().and_then(|headers| {
                let text =
                    |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
                let milliseconds = text("retry-after-ms").map(|wait| wait / 1_000.0);
                let wait = milliseconds.or_else(|| text("retry-after"))?;
                Duration::try_from_secs_f64(wait).ok()
            });
            return failed;
        }
        let fault = match error {
            genai::Error::StreamParse { .. }
            | genai::Error::SerdeJson(_)
            | genai::Error::JsonValueExt(_) => Fault::Malformed,
            _ => Fault::Refused,
        };
        self.error(fault, &error.to_string())
    }
}

impl Model for Provider {
    fn provider(&self) -> &str {
        self.name.provider()
    }

    fn name(&self) -> &str {
        &self.name.name
    }

    fn ask(
        &self,
        request: Request<'_>,
        hear: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
        cancel: &Cancel,
    ) -> Result<Answer, ModelError> {
        let mut options = ChatOptions::default()
            .with_capture_usage(true)
            .with_capture_content(true)
            .with_capture_tool_calls(true)
            .with_capture_reasoning_content(true)
            .with_stream_header_timeout(SILENCE)
            .with_stream_read_timeout(SILENCE);
        if let Some(most) = request.max_tokens {
            options = options.with_max_tokens(most);
        }
        let request = self.request(request)?;
        let model = ModelIden::new(self.name.kind, self.name.name.as_str());
        self.runtime.block_on(async {
            let mut until = Until::from(Instant::now());
            let opened = self.client.exec_chat_stream(model, request, Some(&options));
            let opened = within(opened, until.next(), cancel).await;
            let opened = opened.map_err(|end| self.ended(end, &until, false))?;
            let mut stream = opened.map_err(|error| self.failed(&error, false))?.stream;
            let mut has_begun = false;
            // How much of each call was counted.
            let mut counted: HashMap<String, usize> = HashMap::new();
            loop {
                let next = std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context));
                let next = within(next, until.next(), cancel).await;
                let next = next.map_err(|end| self.ended(end, &until, has_begun))?;
                let Some(event) = next else {
                    let fault = if has_begun { Fault::Cut } else { Fault::Malformed };
                    return Err(self.error(fault, "the answer ends before its end"));
                };
                let event = event.map_err(|error| self.failed(&error, has_begun))?;
                let piece = match &event {
                    ChatStreamEvent::Start | ChatStreamEvent::Heartbeat => continue,
                    ChatStreamEvent::Chunk(chunk) => Piece::Text(&chunk.content),
                    ChatStreamEvent::ReasoningChunk(chunk) => Piece::Thought(&chunk.content),
                    ChatStreamEvent::ThoughtSignatureChunk(chunk) => {
                        Piece::Call(chunk.content.len())
                    }
                    ChatStreamEvent::ToolCallChunk(chunk) => {
                        let ToolCall { call_id, fn_name, fn_arguments, .. } = &chunk.tool_call;
                        let now = fn_name.len() + fn_arguments.as_str().map_or(0, str::len);
                        let before = counted.insert(call_id.clone(), now).unwrap_or_default();
                        Piece::Call(now.saturating_sub(before))
                    }
                    ChatStreamEvent::End(_) => Piece::Call(0),
                };
                if let ChatStreamEvent::End(end) = event {
                    return Ok(self.answer(end));
                }
                has_begun = true;
                until.heard(piece, Instant::now());
                if hear(piece).is_break() {
                    return Err(self.error(Fault::Enough, "the answer was cut"));
                }
            }
        })
    }
}

impl Provider {
    /// Why nobody waits any longer.
    fn ended(&self, end: Ended, until: &Until, has_begun: bool) -> ModelError {
        let seconds = |time: Duration| time.as_secs();
        match end {
            Ended::Cancelled => ModelError::new(Fault::Cancelled, "the turn was cancelled"),
            Ended::Late if until.is_all() => self.error(
                Fault::Enough,
                &format!("the answer took longer than {} seconds", seconds(WHOLE)),
            ),
            Ended::Late => {
                let fault = if has_begun { Fault::Cut } else { Fault::Unreachable };
                self.error(fault, &format!("it said nothing for {} seconds", seconds(SILENCE)))
            }
        }
    }

    /// The messages of the log as the library has them.
    fn request(&self, request: Request<'_>) -> Result<ChatRequest, ModelError> {
        let mut chat = ChatRequest::default();
        let mut tools_of: HashMap<String, String> = HashMap::new();
        let mut results = Vec::new();
        for message in request.messages {
            let message =
                message.map_err(|error| self.error(Fault::Refused, &error.to_string()))?;
            if !results.is_empty() && !matches!(message.content, Content::ToolResult { .. }) {
                chat.messages.push(std::mem::take(&mut results).into());
            }
            match message.content {
                Content::Instructions { text } => chat.messages.push(ChatMessage::system(text)),
                Content::User { content } => {
                    chat.messages.push(ChatMessage::user(shown::text_of(&content)));
                }
                Content::Notice { text } => {
                    chat.messages.push(ChatMessage::user(format!("<notice>\n{text}\n</notice>")));
                }
                Content::Summary { text, .. } => chat.messages.push(ChatMessage::user(format!(
                    "<summary>\nWhat came before, in short:\n{text}\n</summary>"
                ))),
                Content::Assistant { text, calls, opaque } => {
                    for Called { id, tool, .. } in &calls {
                        tools_of.insert(id.clone(), wire_name(tool));
                    }
                    let parts = self.own_parts(opaque).unwrap_or_else(|| parts(text, calls));
                    if !parts.is_empty() {
                        let content = MessageContent::from_parts(parts);
                        chat.messages.push(ChatMessage::assistant(content));
                    }
                }
                Content::ToolResult { id, shown: value, is_error } => {
                    let mut text = shown::text_of(&value);
                    if is_error {
                        text = format!("error: {text}");
                    }
                    // Some providers find a result by its tool's name, and want all of an answer in one
                    // message.
                    let mut response = ToolResponse::new(id.clone(), text);
                    response.fn_name = tools_of.remove(&id);
                    results.push(response);
                }
            }
        }
        if !results.is_empty() {
            chat.messages.push(results.into());
        }
        let tools = request.tools.iter().map(|tool| {
            genai::chat::Tool::new(tool.name.as_str())
                .with_description(tool.description.as_str())
                .with_schema(tool.schema.clone())
        });
        let tools: Vec<_> = tools.collect();
        chat.tools = (!tools.is_empty()).then_some(tools);
        Ok(chat)
    }

    /// The parts of an answer as this provider sent them, where they are its own.
    fn own_parts(&self, opaque: Option<Value>) -> Option<Vec<ContentPart>> {
        let Value::Object(mut opaque) = opaque? else { return None };
        if opaque.get("provider")?.as_str()? != self.name.provider() {
            return None;
        }
        let mut parts: Vec<ContentPart> = serde_json::from_value(opaque.remove("content")?).ok()?;
        for part in &mut parts {
            if let ContentPart::ToolCall(call) = part {
                call.fn_name = wire_name(&call.fn_name);
                call.fn_arguments = object(std::mem::take(&mut call.fn_arguments));
            }
        }
        Some(parts)
    }

    fn answer(&self, end: StreamEnd) -> Answer {
        let StreamEnd { captured_usage, captured_stop_reason, captured_reasoning_content, .. } =
            &end;
        let number = |number: Option<i32>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let tokens = captured_usage.as_ref().map(|usage| Tokens {
            input: number(usage.prompt_tokens),
            output: number(usage.completion_tokens),
            cached: number(
                usage.prompt_tokens_details.as_ref().and_then(|some| some.cached_tokens),
            ),
        });
        let is_full = matches!(captured_stop_reason, Some(StopReason::MaxTokens(_)));
        let stop = captured_stop_reason.as_ref().map(|reason| match reason {
            StopReason::Completed(word)
            | StopReason::MaxTokens(word)
            | StopReason::ToolCall(word)
            | StopReason::ContentFilter(word)
            | StopReason::StopSequence(word)
            | StopReason::Other(word) => word.clone(),
        });
        let reasoning = captured_reasoning_content.clone();
        let mut parts = end.captured_content.map(MessageContent::into_parts).unwrap_or_default();
        let has_calls = parts.iter().any(|part| matches!(part, ContentPart::ToolCall(_)));
        let has_reasoning =
            parts.iter().any(|part| matches!(part, ContentPart::ReasoningContent(_)));
        if let Some(reasoning) = reasoning.filter(|_| has_calls && !has_reasoning) {
            // Some providers want it back with the results of the calls.
            parts.insert(0, ContentPart::ReasoningContent(reasoning));
        }
        let is_own = parts.iter().any(|part| match part {
            ContentPart::Text(_) => false,
            ContentPart::ToolCall(call) => call.thought_signatures.is_some(),
            _ => true,
        });
        let opaque = is_own.then(|| json!({ "provider": self.name.provider(), "content": &parts }));
        let calls = parts.into_iter().filter_map(|part| match part {
            ContentPart::ToolCall(call) => Some((call.call_id, call.fn_name, call.fn_arguments)),
            _ => None,
        });
        Answer { calls: calls.collect(), opaque, stop, is_full, tokens }
    }
}

/// A client with the certificates of Mozilla, and the one backend of cryptography that this crate has.
fn client() -> Result<reqwest::Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|reason| reason.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("peasy/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|reason| chain(&reason))
}

/// The address that the paths of a provider are appended to.
fn address(text: &str) -> Result<String, Diagnostic> {
    let is_fine = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_fine {
        let message = format!("`{text}` is no address of a model");
        return Err(Diagnostic::caller("worker/address", message)
            .help("write it as in `http://127.0.0.1:8080/v1`"));
    }
    Ok(format!("{}/", text.trim_end_matches('/')))
}

/// Whether what is sent there leaves this machine without encryption.
fn is_open(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| {
        let is_here = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        url.scheme() != "https" && !is_here
    })
}

/// How long an answer is waited for.
struct Until {
    /// When all of it has to be there.
    whole: Instant,
    /// When something of it has to come.
    word: Instant,
}

impl Until {
    fn from(now: Instant) -> Self {
        Self { whole: now + WHOLE, word: now + SILENCE }
    }

    fn heard(&mut self, piece: Piece<'_>, now: Instant) {
        let is_word = match piece {
            Piece::Text(text) | Piece::Thought(text) => !text.is_empty(),
            Piece::Call(bytes) => bytes > 0,
        };
        if is_word {
            self.word = now + SILENCE;
        }
    }

    fn next(&self) -> Instant {
        self.whole.min(self.word)
    }

    /// Whether the time for the whole answer ends first.
    fn is_all(&self) -> bool {
        self.whole <= self.word
    }
}

/// Why a future is waited for no longer.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Cancelled,
    Late,
}

/// A future's value, where it comes in time and before the turn is cancelled.
async fn within<T>(
    future: impl Future<Output = T>,
    until: Instant,
    cancel: &Cancel,
) -> Result<T, Ended> {
    let mut future = std::pin::pin!(future);
    loop {
        if cancel.is_cancelled() {
            return Err(Ended::Cancelled);
        }
        if Instant::now() >= until {
            return Err(Ended::Late);
        }
        if let Ok(value) = tokio::time::timeout(LOOK, &mut future).await {
            return Ok(value);
        }
    }
}

/// The parts of an answer that has no others.
fn parts(text: String, calls: Vec<Called>) -> Vec<ContentPart> {
    let text = (!text.is_empty()).then_some(ContentPart::Text(text));
    let calls = calls.into_iter().map(|Called { id, tool, arguments }| {
        ContentPart::ToolCall(ToolCall {
            call_id: id,
            fn_name: wire_name(&tool),
            fn_arguments: object(arguments),
            thought_signatures: None,
        })
    });
    text.into_iter().chain(calls).collect()
}

/// Arguments that a provider takes back: an object, whatever the model wrote.
fn object(arguments: Value) -> Value {
    match arguments {
        Value::Object(_) => arguments,
        Value::Null => Value::Object(Map::new()),
        other => json!({ "unreadable": shown::text_of(&other) }),
    }
}

/// A name that a provider takes back, whatever the model called.
fn wire_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = name.chars().take(64).map(|c| if fits(c) { c } else { '_' }).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// What an error in the middle of a stream is.
fn fault_of_event(body: &Value) -> Fault {
    let error = body.get("error").unwrap_or(body);
    let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = format!("{} {}", word("type"), word("code"));
    match kind {
        kind if kind.contains("rate_limit") => Fault::Busy,
        kind if ["overloaded", "api_error", "server_error", "timeout", "internal"]
            .iter()
            .any(|word| kind.contains(word)) =>
        {
            Fault::Server
        }
        _ => Fault::Refused,
    }
}

/// The message of a provider's error, or all of it.
fn said(body: &Value) -> String {
    let message = body.pointer("/error/message").or_else(|| body.get("message"));
    let message = message.or_else(|| body.get("error"));
    message.and_then(Value::as_str).map_or_else(|| body.to_string(), str::to_owned)
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(&format!(": {error}"));
        inner = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_with_its_provider() {
        let name = ModelName::parse("openai/gpt-5").expect("a model");
        assert_eq!((name.provider(), name.name()), ("openai", "gpt-5"));
        assert_eq!(name.key_variable(), Some("OPENAI_API_KEY"));
        let name = ModelName::parse("open_router/a/b:free").expect("a model");
        assert_eq!(name.name(), "a/b:free");
        assert_eq!(ModelName::parse("ollama/qwen3").expect("a model").key_variable(), None);
        for (text, help) in [
            ("gpt-5", "write PROVIDER/NAME"),
            ("openai/", "write PROVIDER/NAME"),
            ("antropic/x", "did you mean `anthropic/x`?"),
            ("zzzzzzzz/x", "with `--base-url`"),
        ] {
            let problem = ModelName::parse(text).expect_err(text);
            assert!(problem.help[0].contains(help), "{text}: {:?}", problem.help);
        }
    }

    #[test]
    fn addresses_are_looked_at_before_anything_is_sent() {
        assert_eq!(address("http://[::1]:8/v1").ok().as_deref(), Some("http://[::1]:8/v1/"));
        assert_eq!(address("https://h/v1/").ok().as_deref(), Some("https://h/v1/"));
        for text in ["", "localhost:1", "ftp://h/", "http://", "file:///x"] {
            assert_eq!(address(text).expect_err(text).code, "worker/address");
        }
    }

    #[test]
    fn signs_of_life_are_no_words_and_no_answer_takes_for_ever() {
        let begin = Instant::now();
        let mut until = Until::from(begin);
        let later = |seconds| begin + Duration::from_secs(seconds);
        for piece in [Piece::Text(""), Piece::Thought(""), Piece::Call(0)] {
            until.heard(piece, later(200));
            assert_eq!(until.next(), begin + SILENCE, "{piece:?}");
        }
        until.heard(Piece::Text("a"), later(200));
        assert!(until.next() == later(200) + SILENCE && !until.is_all());
        until.heard(Piece::Call(1), later(3_590));
        assert!(until.next() == begin + WHOLE && until.is_all());

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (never, cancel) = (std::future::pending::<()>, Cancel::default());
            assert_eq!(within(never(), begin, &cancel).await, Err(Ended::Late));
            assert_eq!(within(async { 7 }, begin + WHOLE, &cancel).await, Ok(7));
            cancel.cancel();
            assert_eq!(within(never(), begin + WHOLE, &cancel).await, Err(Ended::Cancelled));
        });
    }

    #[test]
    fn a_key_leaves_this_machine_encrypted_alone() {
        let provider = |address: &str, has_key: bool| {
            let key = has_key.then(|| SecretText::new("sk-0123456789".to_owned().into()));
            let name = ModelName::parse("openai/x").expect("a model");
            Provider::new(name, Some(address), key.map(|key| key.expect("a key")))
        };
        for address in ["http://10.0.0.7/v1", "http://example.com/v1", "HTTP://[2001:db8::1]/"] {
            let problem = provider(address, true).expect_err(address);
            assert_eq!(problem.code, "secret/in-the-clear");
            assert!(provider(address, false).is_ok(), "nothing is given away");
        }
        for address in ["http://127.0.0.1:1/v1", "http://localhost/", "https://example.com/v1"] {
            assert!(provider(address, true).is_ok(), "{address}");
        }
    }

    #[test]
    fn what_a_model_wrote_is_taken_back_by_its_provider() {
        assert_eq!(wire_name("a b/é"), "a_b__");
        assert_eq!(wire_name(""), "unnamed");
        assert_eq!(object(json!("{broken")), json!({ "unreadable": "{broken" }));
        assert_eq!(object(Value::Null), json!({}));
    }
}
