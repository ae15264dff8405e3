//! The protocol as a client speaks it: how both sides come together, and the few things a bridge asks.
//!
//! Both eras: the handshake of 2024-11-05 to 2025-11-25 comes first, because every server of that era knows
//! it and few later ones do not. A server that has no handshake says so, and is asked request by request.

use super::carrier::Carrier;
use super::fault::{Fault, words};
use super::inbox::{Inbox, Live};
use super::wire;
use crate::feature::call::Cancel;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The newest version of the handshake, and all that are understood.
const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The version that is spoken request by request.
const STATELESS: &str = "2026-07-28";

/// Most pages of a list of tools, and most tools of all of them.
const MOST_PAGES: usize = 64;
const MOST_TOOLS: usize = 1_024;

/// How long telling a server that an answer is not wanted may take.
const CANCEL: Duration = Duration::from_millis(200);

/// How versions are told and agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Handshake,
    Stateless,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct About {
    pub title: Option<String>,
    pub version: Option<String>,
    pub instructions: Option<String>,
    /// The version of the protocol.
    pub protocol: String,
    /// What it offers beside tools, by the names of the protocol.
    pub beyond: Vec<String>,
    has_tools: bool,
    has_log: bool,
}

/// A server that can be asked.
pub(super) struct Client {
    inbox: Arc<Inbox>,
    carrier: Arc<dyn Carrier>,
    era: Era,
    pub about: About,
}

impl Client {
    /// Comes together with a server.
    ///
    /// # Errors
    ///
    /// It does not answer in time, or not as the protocol has it.
    pub fn open(
        inbox: Arc<Inbox>,
        carrier: Arc<dyn Carrier>,
        until: Instant,
    ) -> Result<Self, Fault> {
        let mut client = Self { inbox, carrier, era: Era::Handshake, about: About::default() };
        match client.shake_hands(until) {
            // Whoever knows no handshake says that there is no such method, or which versions there are.
            Err(Fault::Refused { code: -32601 | -32022 | -32602, .. }) => client.discover(until)?,
            other => other?,
        }
        client.carrier.agreed(&client.about.protocol);
        Ok(client)
    }

    fn shake_hands(&mut self, until: Instant) -> Result<(), Fault> {
        let parameters = json!({
            "protocolVersion": HANDSHAKE[0],
            "capabilities": {},
            "clientInfo": client_info(),
        });
        let result = self.request("initialize", parameters, None, until, &Cancel::default())?;
        let version = result["protocolVersion"].as_str().unwrap_or_default();
        if !HANDSHAKE.contains(&version) {
            let how = format!("it speaks the version `{}` of the protocol", words(version, 40));
            return Err(Fault::Malformed(how));
        }
        self.about = About::read(&result, &result["serverInfo"], version);
        self.carrier.agreed(version);
        self.notify("notifications/initialized", &json!({}), until)?;
        if self.about.has_log {
            // Without it some servers say everything, some nothing. That one does not know it is no matter.
            let level = json!({ "level": "info" });
            match self.request("logging/setLevel", level, None, until, &Cancel::default()) {
                Ok(_) | Err(Fault::Refused { .. }) => (),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn discover(&mut self, until: Instant) -> Result<(), Fault> {
        self.era = Era::Stateless;
        self.carrier.agreed(STATELESS);
        let result = self.request("server/discover", json!({}), None, until, &Cancel::default())?;
        let versions = result["supportedVersions"].as_array();
        if versions.is_some_and(|versions| !versions.iter().any(|one| one == STATELESS)) {
            let all = Value::from(versions.cloned().unwrap_or_default()).to_string();
            return Err(Fault::Malformed(format!("it speaks the versions {}", words(&all, 120))));
        }
        let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        let info = if info.is_object() { info } else { &result["serverInfo"] };
        self.about = About::read(&result, info, STATELESS);
        // The answer to this comes when it ends; what it brings are notifications.
        if self.carrier.pushes()
            && let Ok(waiting) = self.inbox.open(None)
        {
            let wanted = json!({ "notifications": { "toolsListChanged": true } });
            let message = wire::request(waiting.id, "subscriptions/listen", &self.dressed(wanted));
            self.carrier.send(Some(waiting.id), &message, until)?;
        }
        Ok(())
    }

    /// Parameters with what the era wants in each request.
    fn dressed(&self, mut parameters: Value) -> Value {
        if self.era == Era::Stateless
            && let Some(parameters) = parameters.as_object_mut()
        {
            let meta = parameters.entry("_meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                let key = |name: &str| format!("io.modelcontextprotocol/{name}");
                meta.insert(key("protocolVersion"), STATELESS.into());
                meta.insert(key("clientInfo"), client_info());
                meta.insert(key("clientCapabilities"), json!({}));
            }
        }
        parameters
    }

    /// Asks and waits for the result. An answer that is not wanted any more is called off.
    ///
    /// # Errors
    ///
    /// There is none.
    fn request(
        &self,
        method: &str,
        parameters: Value,
        live: Option<Live>,
        until: Instant,
        cancel: &Cancel,
    ) -> Result<Value, Fault> {
        let begun = Instant::now();
        let waiting = self.inbox.open(live)?;
        let mut parameters = parameters;
        if method == "tools/call"
            && let Some(parameters) = parameters.as_object_mut()
        {
            parameters.insert("_meta".into(), json!({ "progressToken": waiting.id }));
        }
        let message = wire::request(waiting.id, method, &self.dressed(parameters));
        let answer = self
            .carrier
            .send(Some(waiting.id), &message, until)
            .and_then(|()| self.carrier.wait(&waiting, until, cancel));
        match answer {
            Err(fault @ (Fault::Late(_) | Fault::Cancelled)) => {
                let reason = if fault == Fault::Cancelled { "cancelled" } else { "too late" };
                let id = json!({ "requestId": waiting.id, "reason": reason });
                // A handshake cannot be called off.
                if method != "initialize" {
                    let _ = self.notify("notifications/cancelled", &id, Instant::now() + CANCEL);
                }
                Err(if fault == Fault::Cancelled { fault } else { Fault::Late(begun.elapsed()) })
            }
            answer => answer,
        }
    }

    fn notify(&self, method: &str, parameters: &Value, until: Instant) -> Result<(), Fault> {
        self.carrier.send(None, &wire::notification(method, parameters), until)
    }

    /// The tools, as the server lists them.
    ///
    /// # Errors
    ///
    /// There is no list.
    pub fn tools(&self, until: Instant) -> Result<Vec<Value>, Fault> {
        let mut tools = Vec::new();
        if !self.about.has_tools {
            return Ok(tools);
        }
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let parameters = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let page = self.request("tools/list", parameters, None, until, &Cancel::default())?;
            let Value::Object(mut page) = page else {
                return Err(Fault::Malformed("its list of tools is no object".to_owned()));
            };
            match page.remove("tools") {
                Some(Value::Array(more)) => tools.extend(more),
                _ => return Err(Fault::Malformed("it has no list of tools".to_owned())),
            }
            if tools.len() > MOST_TOOLS {
                return Err(Fault::Malformed(format!("it lists more than {MOST_TOOLS} tools")));
            }
            match page.remove("nextCursor") {
                Some(Value::String(next)) => cursor = Some(next),
                _ => return Ok(tools),
            }
        }
        Err(Fault::Malformed(format!("its list of tools has more than {MOST_PAGES} pages")))
    }

    /// Calls a tool by the name that the server has for it.
    ///
    /// # Errors
    ///
    /// There is no result.
    pub fn call(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        live: Live,
        until: Instant,
        cancel: &Cancel,
    ) -> Result<Value, Fault> {
        let parameters = json!({ "name": tool, "arguments": arguments });
        let result = self.request("tools/call", parameters, Some(live), until, cancel)?;
        match result["resultType"].as_str() {
            None | Some("complete") => Ok(result),
            Some("input_required") => Err(Fault::Beyond("input".to_owned())),
            Some(other) => Err(Fault::Malformed(format!("its result is `{}`", words(other, 40)))),
        }
    }

    /// Asks whether the server is there. One that knows no such question is.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn ping(&self, until: Instant) -> Result<(), Fault> {
        let method = match self.era {
            Era::Handshake => "ping",
            Era::Stateless => "server/discover",
        };
        match self.request(method, json!({}), None, until, &Cancel::default()) {
            Ok(_) | Err(Fault::Refused { .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Whether the server says by itself that its tools are others.
    pub fn pushes(&self) -> bool {
        self.carrier.pushes()
    }

    /// Whether requests wait for an answer.
    pub fn is_busy(&self) -> bool {
        self.inbox.count() > 0
    }

    /// How the connection ended, if it did.
    pub fn closed(&self) -> Option<String> {
        self.inbox.closed()
    }

    /// What the server wanted that is not bridged, and a line of it that was no message.
    pub fn oddities(&self) -> (Vec<String>, Option<String>) {
        self.inbox.oddities()
    }

    /// The last of what the server wrote for people.
    pub fn complaints(&self) -> String {
        self.carrier.complaints()
    }

    /// Ends the connection.
    pub fn end(&self) {
        self.carrier.end();
    }
}

fn client_info() -> Value {
    json!({ "name": "peasy", "version": env!("CARGO_PKG_VERSION") })
}

impl About {
    fn read(result: &Value, info: &Value, protocol: &str) -> Self {
        let text =
            |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let capabilities = result["capabilities"].as_object();
        let has = |name: &str| capabilities.is_some_and(|all| all.contains_key(name));
        let beyond = ["prompts", "resources", "completions", "tasks"];
        Self {
            title: text(&info["title"]).or_else(|| text(&info["name"])),
            version: text(&info["version"]),
            instructions: text(&result["instructions"]),
            protocol: protocol.to_owned(),
            beyond: beyond.into_iter().filter(|name| has(name)).map(str::to_owned).collect(),
            has_tools: has("tools"),
            has_log: has("logging"),
        }
    }
}
