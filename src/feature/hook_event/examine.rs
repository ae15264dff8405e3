//! The fields of each point's event, and how an event that a person wrote is held against them.

use crate::diagnostic::{Blame, Diagnostic, Severity, nearest};
use crate::feature::hook::{EventKind, HookPoint};
use crate::feature::schema::Type;
use serde_json::Value;
use std::sync::OnceLock;

/// One field of the event that a hook gets.
#[derive(Debug, Clone)]
pub struct EventField {
    /// The key.
    pub name: &'static str,
    /// What its value is where it is there.
    pub kind: Type,
    /// The kind of event that always has it; `None` is every kind.
    pub of: Option<EventKind>,
}

/// An event that can be shown to a hook.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// Its kind, where it says one.
    pub kind: Option<EventKind>,
    /// Its tool, where it says one.
    pub tool: Option<String>,
    /// What is odd about it: fields that no agent sends, and those that it would send.
    pub notes: Vec<Diagnostic>,
}

impl HookPoint {
    /// The fields that its event may have.
    pub fn fields(self) -> &'static [EventField] {
        static FIELDS: OnceLock<[Vec<EventField>; HookPoint::ALL.len()]> = OnceLock::new();
        &FIELDS.get_or_init(|| Self::ALL.map(Self::all_fields))[self as usize]
    }

    fn all_fields(self) -> Vec<EventField> {
        let typed = |text: &str| Type::parse(text).expect("a type");
        let field = |name, kind: &str, of| EventField { name, kind: typed(kind), of };
        let plain = |name, kind| field(name, kind, None);
        let mut about_tools = vec![
            plain("kind", "string"),
            plain("tool", "string"),
            plain("args", "map<string, any>"),
            field("command", "string", Some(EventKind::Shell)),
            field("paths", "string[]", Some(EventKind::File)),
            field("url", "string", Some(EventKind::Fetch)),
        ];
        match self {
            Self::PreToolCall => about_tools,
            Self::PostToolCall => {
                about_tools.push(EventField { name: "result", kind: Type::Any, of: None });
                about_tools
            }
            Self::PreRequest => vec![
                plain("model", "string"),
                plain("messages", "int"),
                plain("text", "string"),
                plain("tools", "string[]"),
                plain("request", "int"),
            ],
            Self::PostAssistant => vec![
                plain("model", "string"),
                plain("text", "string"),
                plain("tool_calls", "{ tool: string, args: map<string, any> }[]"),
            ],
            Self::TurnEnd => {
                vec![plain("text", "string"), plain("turns", "int"), plain("again", "int")]
            }
        }
    }

    /// Holds an event that a person wrote against what an agent sends at this point.
    ///
    /// # Errors
    ///
    /// It is of no kind that there is, or a field has a value of another type than the hook would get.
    pub fn examine(self, event: &Value) -> Result<Examined, Box<Diagnostic>> {
        let Some(given) = event.as_object() else { return Ok(Examined::default()) };
        let fields = self.fields();
        let mut notes = Vec::new();
        for (name, value) in given {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                notes.push(stray(self, name));
                continue;
            };
            let found = match value {
                Value::Null => Vec::new(),
                value => field.kind.check(value.clone()).err().unwrap_or_default(),
            };
            if let Some(mut mismatch) = found.into_iter().next() {
                mismatch.path = format!("{name}{}", mismatch.path);
                return Err(Diagnostic::from(mismatch).into());
            }
        }
        if !self.is_about_tools() {
            return Ok(Examined { notes, ..Examined::default() });
        }
        let kind = match given.get("kind").and_then(Value::as_str) {
            Some(name) => Some(EventKind::by_name(name).ok_or_else(|| unknown_kind(name))?),
            None => None,
        };
        notes.extend(fields.iter().filter(|field| is_left_out(field, kind, given)).map(left_out));
        let tool = given.get("tool").and_then(Value::as_str).map(str::to_owned);
        Ok(Examined { kind, tool, notes })
    }
}

fn warning(message: String) -> Diagnostic {
    Diagnostic::new(Severity::Warning, Blame::Caller, "hook/event", message)
}

fn stray(point: HookPoint, name: &str) -> Diagnostic {
    let names: Vec<&str> = point.fields().iter().map(|field| field.name).collect();
    let meant = match name {
        "cmd" => "command",
        "file" | "files" => "paths",
        "arguments" | "params" | "input" => "args",
        other => other,
    };
    let problem = warning(format!("an event of `{point}` has no field `{name}`"));
    problem.help(meant_one_of(meant, &names))
}

fn is_left_out(
    field: &EventField,
    kind: Option<EventKind>,
    given: &serde_json::Map<String, Value>,
) -> bool {
    field.of.is_some() && field.of == kind && given.get(field.name).is_none_or(Value::is_null)
}

fn left_out(field: &EventField) -> Diagnostic {
    let (kind, name) = (field.of.map_or("tool", EventKind::name), field.name);
    let mut note =
        warning(format!("an event of kind `{kind}` has `{name}`, and this one does not"));
    note.severity = Severity::Note;
    note.help(format!("add `{name}=…`"))
}

fn unknown_kind(name: &str) -> Diagnostic {
    let names = EventKind::ALL.map(EventKind::name);
    Diagnostic::caller("cli/usage", format!("`{name}` is not a kind of tool event"))
        .help(meant_one_of(name, &names))
}

fn meant_one_of(given: &str, names: &[&str]) -> String {
    match nearest(given, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is: {}", names.join(", ")),
    }
}
