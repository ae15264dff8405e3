//! One message of JSON-RPC: reading it without reading what it carries, and the errors that answer it.
//!
//! The outside of a message is read first, so that whoever sent an `id` is answered under it, however
//! broken the inside is. What it carries stays text until somebody needs it. Nothing here knows what a
//! method does.

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Most bytes of one message. Larger than any arguments that a limit lets through.
pub(super) const MOST_BYTES: usize = 32 << 20;

/// What a request is known by, to the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum RequestId {
    Number(i64),
    Text(String),
}

/// The codes of errors, from JSON-RPC and from the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Parse,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    Internal,
    HeaderMismatch,
    MissingCapability,
    UnsupportedVersion,
}

impl Code {
    fn number(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::HeaderMismatch => -32020,
            Self::MissingCapability => -32021,
            Self::UnsupportedVersion => -32022,
        }
    }
}

/// What an answer over HTTP says beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The request was taken up, whatever came of it.
    Fine,
    /// The request is not of the protocol's form.
    Malformed,
    /// Nobody answers that method.
    Unknown,
}

/// The text of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub text: String,
    pub status: Status,
}

impl Reply {
    /// The answer to a request: `result` is JSON.
    pub fn result(id: &RequestId, result: &str) -> Self {
        let mut text = String::with_capacity(result.len() + 48);
        text.push_str(r#"{"jsonrpc":"2.0","id":"#);
        text.push_str(&json(id));
        text.push_str(r#","result":"#);
        text.push_str(result);
        text.push('}');
        Self { text, status: Status::Fine }
    }

    /// An error. One whose request has no usable `id` has none either.
    pub fn error(id: Option<&RequestId>, code: Code, message: &str) -> Self {
        Self::error_with(id, code, message, None)
    }

    /// An error with something for programs to read.
    pub fn error_with(
        id: Option<&RequestId>,
        code: Code,
        message: &str,
        data: Option<&Value>,
    ) -> Self {
        let id = id.map_or_else(String::new, |id| format!(r#","id":{}"#, json(id)));
        let data = data.map_or_else(String::new, |data| format!(r#","data":{data}"#));
        let text = format!(
            r#"{{"jsonrpc":"2.0"{id},"error":{{"code":{},"message":{}{data}}}}}"#,
            code.number(),
            json(message)
        );
        let status = match code {
            Code::MethodNotFound => Status::Unknown,
            Code::InvalidParams | Code::Internal => Status::Fine,
            _ => Status::Malformed,
        };
        Self { text, status }
    }

    /// As the answer to a message that is not of the protocol's form.
    pub fn malformed(self) -> Self {
        Self { status: Status::Malformed, ..self }
    }
}

/// A notification: `parameters` is JSON, where there are any.
pub(super) fn notification(method: &str, parameters: Option<&Value>) -> String {
    match parameters {
        Some(parameters) => {
            format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{parameters}}}"#)
        }
        None => format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#),
    }
}

/// A value as JSON.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("it has text keys and finite numbers only")
}

/// A text that may stand in the message itself.
pub(super) type Text<'a> = Cow<'a, str>;

/// What came.
pub(super) enum Parsed<'a> {
    Request(Request<'a>),
    Notification {
        method: Text<'a>,
        parameters: Parameters<'a>,
    },
    /// The answer to a request of ours; an error holds no result.
    Response {
        id: RequestId,
        result: Option<&'a RawValue>,
    },
    /// No message, and the answer to it.
    Refused(Reply),
    /// Nothing that wants an answer.
    Nothing,
}

/// A request that is answered under its `id`.
pub(super) struct Request<'a> {
    pub id: RequestId,
    pub method: Text<'a>,
    /// What it carries; an error says why that is not of the protocol's form.
    pub parameters: Result<Parameters<'a>, String>,
}

/// What requests and notifications carry, each part as text. Those that a method does not know are
/// left aside.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters<'a> {
    #[serde(rename = "_meta", borrow)]
    raw_meta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    pub level: Option<&'a RawValue>,
    #[serde(rename = "protocolVersion", borrow)]
    pub version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub capabilities: Option<&'a RawValue>,
    #[serde(rename = "clientInfo", borrow)]
    pub client: Option<&'a RawValue>,
    #[serde(borrow)]
    pub notifications: Option<&'a RawValue>,
    #[serde(rename = "requestId", borrow)]
    pub request: Option<&'a RawValue>,
    #[serde(rename = "inputResponses", borrow)]
    pub responses: Option<&'a RawValue>,
    #[serde(rename = "requestState", borrow)]
    pub state: Option<&'a RawValue>,
    #[serde(skip)]
    pub meta: Meta<'a>,
}

/// What the protocol itself says in a request.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta<'a> {
    #[serde(rename = "progressToken", borrow)]
    pub progress: Option<&'a RawValue>,
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", borrow)]
    pub version: Option<&'a RawValue>,
    #[serde(rename = "io.modelcontextprotocol/clientInfo", borrow)]
    pub client: Option<&'a RawValue>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities", borrow)]
    pub capabilities: Option<&'a RawValue>,
    #[serde(rename = "io.modelcontextprotocol/logLevel", borrow)]
    pub level: Option<&'a RawValue>,
}

impl<'a> Parameters<'a> {
    fn read(raw: Option<&'a RawValue>) -> Result<Self, String> {
        let mut parameters: Self = object(raw, "params")?;
        parameters.meta = object(parameters.raw_meta, "_meta")?;
        Ok(parameters)
    }
}

/// The parts of an object; of none where there is none. Objects alone: the derived readers would take
/// a list for one.
fn object<'a, T: Default + Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    what: &str,
) -> Result<T, String> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(T::default()) };
    if !raw.get().starts_with('{') {
        return Err(format!("`{what}` is no object"));
    }
    serde_json::from_str(raw.get()).map_err(|reason| format!("`{what}` cannot be taken: {reason}"))
}

/// A text where `raw` is one.
pub(super) fn text(raw: &RawValue) -> Option<Text<'_>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(raw.get()).ok().map(Cow::Owned)
}

/// The message of a line; its bytes need not even be text.
pub(super) fn parse(line: &[u8]) -> Parsed<'_> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Parsed::Nothing;
    }
    let refused = |code, message: &str| Parsed::Refused(Reply::error(None, code, message));
    let line = match std::str::from_utf8(line) {
        Ok(line) => line,
        Err(reason) => {
            let message = format!("the message is not UTF-8: {reason}");
            return match outside_of_bytes(line) {
                Some(id) => Parsed::Refused(Reply::error(Some(&id), Code::Parse, &message)),
                None => refused(Code::Parse, &message),
            };
        }
    };
    match serde_json::from_str::<Outside<'_>>(line) {
        Ok(outside) => outside.message(),
        Err(_) if line.starts_with('[') && is_json(line) => {
            refused(Code::InvalidRequest, "batches are not supported; send one message at a time")
        }
        Err(_) if !line.starts_with('{') && is_json(line) => {
            refused(Code::InvalidRequest, "the message is not a JSON object")
        }
        Err(reason) => refused(Code::Parse, &format!("the message is not JSON: {reason}")),
    }
}

/// Looks at any depth, and takes no stack for it.
fn is_json(line: &str) -> bool {
    serde_json::from_str::<&RawValue>(line).is_ok()
}

/// The `id` of a message that is JSON but for bytes that are no text.
fn outside_of_bytes(line: &[u8]) -> Option<RequestId> {
    let line = String::from_utf8_lossy(line);
    let outside: Outside<'_> = serde_json::from_str(&line).ok()?;
    outside.id.and_then(usable_id)
}

/// The parts of a message, none of them read.
#[derive(Default)]
struct Outside<'a> {
    version: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    parameters: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

const NO_MESSAGE: &str = "the message is not a JSON-RPC 2.0 request, notification or response";

impl<'a> Outside<'a> {
    fn message(self) -> Parsed<'a> {
        let id = self.id.and_then(usable_id);
        let refused = |message: &str| {
            Parsed::Refused(Reply::error(id.as_ref(), Code::InvalidRequest, message))
        };
        if self.version.and_then(text).is_none_or(|version| version != "2.0") {
            return refused(NO_MESSAGE);
        }
        let Some(method) = self.method else {
            return match (&id, self.result, self.error) {
                (Some(id), result, error) if result.is_some() != error.is_some() => {
                    Parsed::Response { id: id.clone(), result }
                }
                // The answer to something that could not be read, as JSON-RPC has it.
                (None, None, Some(_)) => Parsed::Nothing,
                _ => refused(NO_MESSAGE),
            };
        };
        let Some(method) = text(method) else { return refused(NO_MESSAGE) };
        match (self.id, id) {
            (Some(_), Some(id)) => Parsed::Request(Request {
                id,
                method,
                parameters: Parameters::read(self.parameters),
            }),
            (Some(_), None) => Parsed::Refused(Reply::error(
                None,
                Code::InvalidRequest,
                "the `id` is neither a text nor a whole number of 64 bits",
            )),
            // What a notification carries is nobody's answer to refuse.
            (None, _) => {
                let parameters = Parameters::read(self.parameters).unwrap_or_default();
                Parsed::Notification { method, parameters }
            }
        }
    }
}

/// The `id` that `raw` holds, where it is one.
pub(super) fn usable_id(raw: &RawValue) -> Option<RequestId> {
    if let Some(text) = text(raw) {
        return Some(RequestId::Text(text.into_owned()));
    }
    raw.get().parse().ok().map(RequestId::Number)
}

impl<'de: 'a, 'a> Deserialize<'de> for Outside<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Outside<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            /// Of a part that stands twice, the last counts.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outside<'de>, A::Error> {
                let mut outside = Outside::default();
                while let Some(key) = map.next_key::<Key>()? {
                    let part = match key {
                        Key::Version => &mut outside.version,
                        Key::Id => &mut outside.id,
                        Key::Method => &mut outside.method,
                        Key::Parameters => &mut outside.parameters,
                        Key::Result => &mut outside.result,
                        Key::Error => &mut outside.error,
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *part = Some(map.next_value()?);
                }
                Ok(outside)
            }
        }
        deserializer.deserialize_map(Parts)
    }
}

/// The name of a part.
enum Key {
    Version,
    Id,
    Method,
    Parameters,
    Result,
    Error,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "jsonrpc" => Key::Version,
                    "id" => Key::Id,
                    "method" => Key::Method,
                    "params" => Key::Parameters,
                    "result" => Key::Result,
                    "error" => Key::Error,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    fn refusal(line: &[u8]) -> Option<Value> {
        match parse(line) {
            Parsed::Refused(reply) => serde_json::from_str(&reply.text).ok(),
            _ => None,
        }
    }

    #[test]
    fn every_malformed_line_gets_an_answer() {
        let deep = "[".repeat(100_000);
        for (line, code, id) in [
            (&b"{"[..], -32700, Value::Null),
            (b"\xff\xfe", -32700, Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"\xff\"}", -32700, 3.into()),
            (deep.as_bytes(), -32700, Value::Null),
            (br#"{"jsonrpc":"2.0","id":1,"method":"ping"}x"#, -32700, Value::Null),
            (b"[]", -32600, Value::Null),
            (b"12", -32600, Value::Null),
            (b"{}", -32600, Value::Null),
            (br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600, 7.into()),
            (br#"{"id":7,"method":"ping"}"#, -32600, 7.into()),
            (br#"{"method":"notifications/initialized"}"#, -32600, Value::Null),
            (br#"{"jsonrpc":"2.0","id":"a","method":5}"#, -32600, "a".into()),
            (br#"{"jsonrpc":"2.0","id":3}"#, -32600, 3.into()),
            (br#"{"jsonrpc":"2.0","id":3,"result":{},"error":{}}"#, -32600, 3.into()),
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
            let answer = refusal(line).unwrap_or_default();
            let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
            assert_eq!(answer["error"]["code"], code, "{shown}");
            assert_eq!(answer["id"], id, "{shown}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_large_a_number_is_known_by_its_id() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        for inside in [deep.as_str(), "1e999", r#""\ud800""#] {
            let line = format!(
                r#"{{"jsonrpc":"2.0","params":{{"arguments":{inside}}},"method":"tools/call","id":7}}"#
            );
            let Parsed::Request(request) = parse(line.as_bytes()) else { panic!("{inside}") };
            assert_eq!((request.id, &*request.method), (RequestId::Number(7), "tools/call"));
            let arguments =
                request.parameters.expect("an object").arguments.expect("they are there");
            assert!(serde_json::from_str::<Value>(arguments.get()).is_err(), "nobody takes them");
        }
        let line = format!(r#"{{"jsonrpc":"2.0","id":{deep},"method":"ping"}}"#);
        assert_eq!(refusal(line.as_bytes()).unwrap_or_default()["error"]["code"], -32600);
    }

    #[test]
    fn parameters_are_objects() {
        for (parameters, is_right) in [
            ("{}", true),
            ("null", true),
            (r#"{"_meta":{"progressToken":1}}"#, true),
            ("[1]", false),
            ("5", false),
            (r#"{"_meta":[]}"#, false),
            (r#"{"name":1,"name":2}"#, false),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{parameters}}}"#);
            let Parsed::Request(request) = parse(line.as_bytes()) else { panic!("{parameters}") };
            assert_eq!(request.parameters.is_ok(), is_right, "{parameters}");
        }
    }

    #[test]
    fn answers_repeat_the_id_as_it_was_given() {
        for id in ["0", "-9223372036854775808", r#""a\"b""#, r#""""#] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let Parsed::Request(request) = parse(line.as_bytes()) else { panic!("{id}") };
            let reply = Reply::result(&request.id, "{}");
            assert_eq!(reply.text, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        }
    }

    #[test]
    fn empty_lines_and_notifications_get_none() {
        for line in [&b""[..], b" \r", br#"{"jsonrpc":"2.0","id":null,"error":{}}"#] {
            assert!(matches!(parse(line), Parsed::Nothing));
        }
        let line = br#"{"jsonrpc":"2.0","method":"$/setTrace","params":5}"#;
        assert!(matches!(parse(line), Parsed::Notification { .. }));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![Just("2.0"), Just("ping"), Just("tools/call"), Just("x")]
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
            let is_error = message.contains_key("error") && !message.contains_key("method");
            let line = Value::Object(message).to_string();
            let is_right = match parse(line.as_bytes()) {
                Parsed::Request(_) | Parsed::Refused(_) | Parsed::Response { .. } => true,
                Parsed::Nothing => is_error,
                Parsed::Notification { .. } => false,
            };
            prop_assert!(is_right, "{}", line);
        }

        #[test]
        fn no_line_is_too_strange(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }
}
