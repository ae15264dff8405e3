//! From the tools that a server lists to what a feature declares, and why some of them are left out.
//!
//! Nothing that a server says is trusted: names, texts and schemas are held against their bounds one by one,
//! so that a tool that cannot be taken costs no other.

use super::client::About;
use super::fault::words;
use super::schema::JsonSchema;
use crate::config::server::McpServer;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::feature::capability::Capability;
use crate::feature::descriptor::{
    CapabilityRequest, FeatureDescriptor, FeatureRuntimeKind, ToolDeclaration, ToolHints,
};
use crate::feature::id::{FeatureId, FeatureSource, ToolName};
use crate::feature::registry::{MAX_DESCRIPTION, MAX_NAME, MAX_SCHEMA, MAX_TITLE, MAX_TOOLS};
use crate::feature::schema::{ForeignSchema, Parameters, Type};
use crate::limit::{Limit, Limits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most names that one problem lists.
const MOST_NAMES: usize = 12;

/// What one server offers at one moment, as a feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offer {
    pub descriptor: Arc<FeatureDescriptor>,
    /// The server's own names.
    pub remote: BTreeMap<ToolName, String>,
    /// What was left out, and why.
    pub problems: Vec<Diagnostic>,
}

/// The id that a server's tools go by.
pub(super) fn id(server: &McpServer) -> FeatureId {
    FeatureId::new(FeatureSource::Bridge, server.name.clone())
}

impl Offer {
    /// Nothing, as long as a server has not said what it has.
    pub fn none(server: &McpServer) -> Self {
        let descriptor = FeatureDescriptor::new(id(server), FeatureRuntimeKind::McpBridge);
        Self { descriptor: Arc::new(descriptor), remote: BTreeMap::new(), problems: Vec::new() }
    }

    /// What a server says that it has.
    pub fn of(server: &McpServer, about: &About, listed: Vec<Value>, limits: &Limits) -> Self {
        let mut descriptor = FeatureDescriptor::new(id(server), FeatureRuntimeKind::McpBridge);
        if let Some(title) = &about.title {
            descriptor.title = cut(title, MAX_TITLE);
        }
        descriptor.version = about.version.as_deref().map(|version| cut(version, MAX_NAME));
        descriptor.description = about
            .instructions
            .as_deref()
            .map_or_else(String::new, |text| cut(text, MAX_DESCRIPTION));
        let why = "to say how far a call is";
        descriptor.requests.push(CapabilityRequest::optional(Capability::Emit, why));
        let most = limits.get(Limit::Descriptor);
        let mut taking = Taking {
            server,
            remote: BTreeMap::new(),
            problems: Vec::new(),
            bytes: bytes(&descriptor) + 64,
            most,
            above: Vec::new(),
        };
        let names: Vec<_> = listed.iter().filter_map(|tool| tool["name"].as_str()).collect();
        taking.unmatched(&names);
        let wanted: Vec<_> = listed.iter().filter(|tool| taking.is_wanted(tool)).collect();
        for tool in wanted {
            match taking.declare(tool) {
                Ok(declared) => descriptor.tools.extend(declared),
                Err(problem) => taking.problems.push(*problem),
            }
        }
        taking.finish(about);
        let Taking { remote, problems, .. } = taking;
        Self { descriptor: Arc::new(descriptor), remote, problems }
    }
}

/// The tools of one list, as they are taken.
struct Taking<'a> {
    server: &'a McpServer,
    remote: BTreeMap<ToolName, String>,
    problems: Vec<Diagnostic>,
    bytes: u64,
    most: u64,
    /// Those for which there is no room.
    above: Vec<String>,
}

impl Taking<'_> {
    fn place(&self) -> String {
        format!("[mcp.servers.{}]", self.server.name)
    }

    fn warn(&mut self, code: &'static str, message: String, help: String) {
        let mut problem = Diagnostic::operator(code, message).help(help);
        problem.severity = Severity::Warning;
        self.problems.push(problem);
    }

    /// Names of the settings that the server does not know: it may have renamed a tool.
    fn unmatched(&mut self, names: &[&str]) {
        let server = self.server;
        let near = |given: &str| match nearest(given, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", list(names.iter().copied())),
        };
        for old in server.rename.keys().filter(|old| !names.contains(&old.as_str())) {
            let message = format!(
                "`rename` of the server `{}` names `{}`, which it does not have",
                server.name,
                words(old, 80)
            );
            self.warn("bridge/unmatched", message, near(old));
        }
        for glob in server.allow.iter().chain(&server.deny) {
            if !names.iter().any(|name| glob.fits(name)) {
                let message = format!(
                    "`tools` of the server `{}` names `{glob}`, which fits none of its tools",
                    server.name
                );
                self.warn("bridge/unmatched", message, near(glob.as_str()));
            }
        }
    }

    /// Whether the user takes a tool. One without a name is looked at, to be refused.
    fn is_wanted(&self, tool: &Value) -> bool {
        tool["name"].as_str().is_none_or(|name| self.server.takes(name))
    }

    fn declare(&mut self, tool: &Value) -> Result<Option<ToolDeclaration>, Box<Diagnostic>> {
        let server = &self.server.name;
        let Some(own) = tool["name"].as_str() else {
            let message = format!("the server `{server}` lists a tool without a name");
            return Err(Diagnostic::author("bridge/tool", message).into());
        };
        let shown = words(own, 80);
        let name = match self.server.rename.get(own) {
            Some(name) => name.clone(),
            None => own.parse::<ToolName>().map_err(|_| self.unnamed(own))?,
        };
        if let Some(other) = self.remote.get(&name) {
            let message = match other == own {
                true => format!("the server `{server}` lists the tool `{shown}` twice"),
                false => format!(
                    "two tools of the server `{server}` go by `{name}`: `{}` and `{shown}`",
                    words(other, 80)
                ),
            };
            return Err(Diagnostic::operator("bridge/tool", message)
                .help(self.rename(own, &name))
                .into());
        }
        let schema = |value: &Value, what: &str| {
            let refused = |why: &str| {
                let message = format!("the {what} of `{shown}` of the server `{server}` {why}");
                let problem = Diagnostic::author("bridge/schema", message);
                Box::new(
                    problem.help("the tool is left out; whoever wrote the server must mend it"),
                )
            };
            if !value.is_object() || value["type"] != "object" {
                return Err(refused("is no schema of an object"));
            }
            if bytes(value) > MAX_SCHEMA as u64 {
                return Err(refused(&format!("has more than {MAX_SCHEMA} bytes")));
            }
            Ok(ForeignSchema::new(value.clone(), JsonSchema::new(value.clone())))
        };
        let description = tool["description"].as_str().unwrap_or_default();
        let mut declared = ToolDeclaration::new(name.clone(), cut(description, MAX_DESCRIPTION));
        declared.parameters = Parameters::of_schema(schema(&tool["inputSchema"], "`inputSchema`")?);
        if !tool["outputSchema"].is_null() {
            declared.returns =
                Some(Type::Foreign(schema(&tool["outputSchema"], "`outputSchema`")?));
        }
        let annotations = &tool["annotations"];
        let title = tool["title"].as_str().or_else(|| annotations["title"].as_str());
        declared.title = title.map(|title| cut(title, MAX_TITLE));
        let claims = |hint: &str| annotations[hint] == Value::Bool(true);
        declared.hints = ToolHints {
            read_only: claims("readOnlyHint"),
            destructive: claims("destructiveHint"),
            idempotent: claims("idempotentHint"),
            open_world: claims("openWorldHint"),
        };
        let cost = bytes(&declared) + 1;
        if self.bytes + cost > self.most || self.remote.len() >= MAX_TOOLS {
            self.above.push(shown);
            return Ok(None);
        }
        self.bytes += cost;
        self.remote.insert(name, own.to_owned());
        Ok(Some(declared))
    }

    /// A name that not every client takes.
    fn unnamed(&self, own: &str) -> Box<Diagnostic> {
        let fits = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' };
        let name: String = own.chars().take(64).map(fits).collect();
        let server = &self.server.name;
        let message = format!(
            "the server `{server}` calls a tool `{}`, which not every client takes",
            words(own, 80)
        );
        let problem = Diagnostic::operator("bridge/tool-name", message);
        let name = name.parse().or_else(|_| "tool".parse());
        Box::new(match name {
            Ok(name) => problem.help(self.line(own, &name)),
            Err(_) => problem,
        })
    }

    fn rename(&self, own: &str, taken: &ToolName) -> String {
        match renamed(self.server, taken) {
            Some(name) => self.line(own, &name),
            None => format!("leave one of them out, by `tools` under `{}`", self.place()),
        }
    }

    fn line(&self, own: &str, name: &ToolName) -> String {
        rename_line(self.server, own, name)
    }

    /// Says what there was no room for, and what is not bridged at all.
    fn finish(&mut self, about: &About) {
        let server = &self.server.name;
        if !self.above.is_empty() {
            let message = format!(
                "there is no room for {} tools of the server `{server}`: {}",
                self.above.len(),
                list(self.above.iter().map(String::as_str))
            );
            let help = format!(
                "name those that you want by `tools` under `{}`, or raise `descriptor` under `[limits]`; \
                 a server may have {MAX_TOOLS} tools and {} bytes",
                self.place(),
                self.most
            );
            self.warn("bridge/no-room", message, help);
        }
        if !about.beyond.is_empty() {
            let all = list(about.beyond.iter().map(String::as_str));
            let message = format!("of the server `{server}` tools are bridged, and not: {all}");
            let mut note = Diagnostic::operator("bridge/beyond-tools", message);
            note.severity = Severity::Note;
            self.problems.push(note);
        }
    }
}

/// Another name for a tool: the server's before it.
pub(super) fn renamed(server: &McpServer, name: &ToolName) -> Option<ToolName> {
    let word: String = server.name.as_str().replace('-', "_");
    format!("{word}_{name}").parse().ok()
}

/// The line of the settings that gives a tool another name, with those that have one already.
pub(super) fn rename_line(server: &McpServer, own: &str, name: &ToolName) -> String {
    let mut all = server.rename.clone();
    all.insert(own.to_owned(), name.clone());
    let pairs: Vec<_> = all
        .iter()
        .map(|(old, new)| format!("{} = \"{new}\"", toml_edit::Key::new(old.as_str())))
        .collect();
    format!("write `rename = {{ {} }}` under `[mcp.servers.{}]`", pairs.join(", "), server.name)
}

/// The start of a text, with a mark where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn bytes(value: &impl serde::Serialize) -> u64 {
    serde_json::to_vec(value).map_or(u64::MAX / 2, |text| text.len() as u64)
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut shown: Vec<_> =
        names.take(MOST_NAMES + 1).map(|name| format!("`{}`", words(name, 64))).collect();
    if shown.len() > MOST_NAMES {
        shown[MOST_NAMES] = "…".to_owned();
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::server::Reach;
    use serde_json::json;

    fn server() -> McpServer {
        let reach = Reach::Http { url: "http://127.0.0.1/".into(), headers: Vec::new() };
        McpServer::new("web".parse().expect("a name"), reach)
    }

    fn tool(name: &str) -> Value {
        json!({ "name": name, "inputSchema": { "type": "object" } })
    }

    fn offer(server: &McpServer, tools: Vec<Value>) -> (Vec<String>, Vec<String>) {
        let offer = Offer::of(server, &About::default(), tools, &Limits::default());
        let tools = offer.descriptor.tools.iter().map(|tool| tool.name.to_string()).collect();
        let problems = offer.problems.iter().map(|problem| {
            format!("{}: {}; {}", problem.code, problem.message, problem.help.join("; "))
        });
        (tools, problems.collect())
    }

    #[test]
    fn a_tool_stays_what_the_server_says() {
        let schema = json!({ "type": "object", "properties": { "q": { "type": "string", "format": "uri" } }, "$comment": "kept" });
        let listed = json!({
            "name": "search", "title": "Search", "description": "Finds.", "inputSchema": schema,
            "outputSchema": { "type": "object" }, "annotations": { "readOnlyHint": true, "destructiveHint": false },
        });
        let offer = Offer::of(&server(), &About::default(), vec![listed], &Limits::default());
        let tool = &offer.descriptor.tools[0];
        assert_eq!(tool.parameters.to_json_schema(), schema);
        assert_eq!(
            tool.returns.as_ref().map(Type::to_json_schema),
            Some(json!({ "type": "object" }))
        );
        assert_eq!((tool.title.as_deref(), tool.description.as_str()), (Some("Search"), "Finds."));
        assert!(tool.hints.read_only && !tool.hints.destructive && !tool.hints.open_world);
        assert_eq!(offer.descriptor.id.to_string(), "bridge:web");
    }

    #[test]
    fn what_cannot_be_taken_costs_no_other_and_says_what_to_write() {
        let mut server = server();
        server.rename.insert("b".into(), "a".parse().expect("a name"));
        let tools = vec![
            tool("a"),
            tool("b"),
            tool("read.file"),
            tool("x"),
            tool("x"),
            json!({ "inputSchema": {} }),
            json!({ "name": "list", "inputSchema": { "type": "array" } }),
            json!({ "name": "big", "inputSchema": { "type": "object", "x": "x".repeat(MAX_SCHEMA) } }),
            tool("z"),
        ];
        let (taken, problems) = offer(&server, tools);
        assert_eq!(taken, ["a", "x", "z"]);
        for (problem, said) in problems.iter().zip([
            "bridge/tool: two tools of the server `web` go by `a`: `a` and `b`; write `rename = { b = \"web_a\" }`",
            "bridge/tool-name: the server `web` calls a tool `read.file`, which not every client takes; write `rename = { b = \"a\", \"read.file\" = \"read_file\" }` under `[mcp.servers.web]`",
            "bridge/tool: the server `web` lists the tool `x` twice",
            "bridge/tool: the server `web` lists a tool without a name",
            "bridge/schema: the `inputSchema` of `list`",
            "bridge/schema: the `inputSchema` of `big` of the server `web` has more than",
        ]) {
            assert!(problem.starts_with(said), "{problem}");
        }
        assert_eq!(problems.len(), 6, "{problems:?}");
    }

    #[test]
    fn tools_are_taken_and_left_by_name_and_a_name_that_fits_none_is_told() {
        let mut server = server();
        server.allow = vec!["read_*".parse().expect("a glob"), "lst".parse().expect("a glob")];
        server.deny = vec!["read_secret".parse().expect("a glob")];
        server.rename.insert("serach".into(), "find".parse().expect("a name"));
        let (taken, problems) =
            offer(&server, ["read_a", "read_secret", "list", "search"].map(tool).to_vec());
        assert_eq!(taken, ["read_a"]);
        assert_eq!(
            problems,
            [
                "bridge/unmatched: `rename` of the server `web` names `serach`, which it does not have; did you mean `search`?",
                "bridge/unmatched: `tools` of the server `web` names `lst`, which fits none of its tools; did you mean `list`?",
            ]
        );
    }

    #[test]
    fn what_has_no_room_is_left_out_and_the_rest_is_there() {
        let many: Vec<_> = (0..MAX_TOOLS + 3).map(|index| tool(&format!("t{index}"))).collect();
        let (taken, problems) = offer(&server(), many);
        assert_eq!(taken.len(), MAX_TOOLS);
        assert!(
            problems[0].starts_with("bridge/no-room: there is no room for 3 tools"),
            "{problems:?}"
        );
        let wide = |index| json!({ "name": format!("w{index}"), "inputSchema": { "type": "object", "x": "x".repeat(15_000) } });
        let (taken, problems) = offer(&server(), (0..6).map(wide).chain([tool("small")]).collect());
        assert_eq!(taken, ["w0", "w1", "w2", "w3", "small"]);
        assert!(problems[0].contains("2 tools of the server `web`: `w4`, `w5`"), "{problems:?}");
        let long = json!({ "name": "long", "description": "ä".repeat(MAX_DESCRIPTION), "inputSchema": { "type": "object" } });
        let offer = Offer::of(&server(), &About::default(), vec![long], &Limits::default());
        let text = &offer.descriptor.tools[0].description;
        assert!(text.ends_with('…') && text.len() <= MAX_DESCRIPTION, "{}", text.len());
    }
}
