//! Arguments as people type them: `key=value` by the tool's types, a JSON object, or standard input.
//!
//! What fits a type is not decided here: a value that cannot be read as its type goes on as text,
//! and the check of the call says what belongs there.

#![allow(clippy::disallowed_methods, reason = "reads the files that `key=@FILE` names")]

use super::usage;
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::hook::HookPoint;
use crate::feature::schema::{Parameters, Type};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::io::{self, Read};

/// Most bytes that are read of a file or of standard input. No limit lets larger arguments through.
const MOST: u64 = 32 << 20;

/// How the words are to be understood.
#[derive(Clone, Copy)]
pub(super) enum Expected<'a> {
    /// The parameters of a tool.
    Tool(&'a Parameters),
    /// The event of a hook at that point; its other fields are anything.
    Event(HookPoint),
}

impl<'a> Expected<'a> {
    /// The type of an argument or a field of the event, where it is known.
    fn kind_of(self, name: &str) -> Option<&'a Type> {
        match self {
            Self::Tool(parameters) => {
                parameters.iter().find(|one| one.argument_name() == name).map(|one| &one.kind)
            }
            Self::Event(point) => {
                point.fields().iter().find(|field| field.name == name).map(|field| &field.kind)
            }
        }
    }
}

/// Puts the arguments of a call together. A JSON object and `-` come first, and `key=value` after
/// them adds to them.
///
/// # Errors
///
/// A word is none of these, a key is given twice, or what it refers to cannot be read.
pub(super) fn collect(words: &[String], expected: Expected<'_>) -> Result<Value, Box<Diagnostic>> {
    collect_from(words, expected, &mut io::stdin().lock())
}

fn collect_from(
    words: &[String],
    expected: Expected<'_>,
    stdin: &mut dyn Read,
) -> Result<Value, Box<Diagnostic>> {
    let mut reader = Reader { expected, stdin, all: Map::new(), given: Vec::new() };
    for word in words {
        if word == "-" {
            let text = reader.read_stdin()?;
            reader.add_json(&text, "standard input")?;
        } else if word.trim_start().starts_with('{') {
            reader.add_json(word, "the argument")?;
        } else if let Some((key, text)) = assignment(word) {
            reader.add(key, text)?;
        } else {
            return Err(stray(word, expected, &reader.given).into());
        }
    }
    Ok(Value::Object(reader.all))
}

/// Whether a word belongs to the arguments, and is not the name of a tool.
pub(super) fn is_argument(word: &str) -> bool {
    word == "-"
        || word.trim_start().starts_with(['{', '['])
        || word.split_once('=').is_some_and(|(key, _)| is_key(key))
}

/// The two sides of `key=value`; no key begins with dashes.
fn assignment(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(key, _)| is_key(key) && !key.starts_with("--"))
}

fn is_key(key: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    !key.is_empty() && key.chars().all(is_name)
}

fn stray(word: &str, expected: Expected<'_>, given: &[String]) -> Diagnostic {
    let problem = usage(format!("`{word}` is not an argument"));
    if let Some(flag) = word.strip_prefix("--") {
        let (name, value) = flag.split_once('=').unwrap_or((flag, "…"));
        return problem.help(format!("write `{name}={}`, without dashes", shell_word(value)));
    }
    // A switch of other commands: its name alone.
    match expected.kind_of(word) {
        Some(Type::Bool) => return problem.help(format!("write `{word}=true`")),
        Some(Type::Nullable(inner)) if **inner == Type::Bool => {
            return problem.help(format!("write `{word}=true`"));
        }
        Some(_) => return problem.help(format!("write `{word}=…`")),
        None => (),
    }
    let is_free = |name: &&str| !given.iter().any(|given| given == name);
    let first = match expected {
        Expected::Tool(parameters) => {
            parameters.iter().map(|one| one.argument_name()).find(is_free)
        }
        Expected::Event(_) => None,
    };
    match first {
        Some(name) if !word.contains('=') => {
            problem.help(format!("write `{name}={}`", shell_word(word)))
        }
        _ => problem.help("write `key=value`, a JSON object, or `-` for JSON on standard input"),
    }
}

/// Refuses a text that begins like JSON, where only JSON fits, and is none; and says where it
/// breaks.
fn require_json(key: &str, text: &str, kind: &Type) -> Result<(), Box<Diagnostic>> {
    let trimmed = text.trim_start();
    let takes_text = !matches!(reading(kind), Reading::JsonOrText) || *kind == Type::Any;
    if takes_text || !trimmed.starts_with(['[', '{']) {
        return Ok(());
    }
    let Err(reason) = serde_json::from_str::<IgnoredAny>(text) else { return Ok(()) };
    let said = reason.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    let mut problem = usage(format!("`{key}` is not JSON: {said}"));
    let rest: String = text
        .lines()
        .nth(reason.line().saturating_sub(1))
        .and_then(|line| line.get(reason.column().saturating_sub(1)..))
        .map(|rest| rest.chars().take(24).collect())
        .unwrap_or_default();
    if !rest.is_empty() {
        problem = problem.help(format!("it breaks at `{rest}`"));
    }
    let help = if trimmed.contains('"') || reason.is_eof() {
        "keys and texts stand in double quotes, and every bracket is closed".to_owned()
    } else {
        format!(
            "keys and texts stand in double quotes; single quotes keep them from the shell: \
             `{key}='{}'`",
            if trimmed.starts_with('[') { r#"[{"name": "a"}]"# } else { r#"{"name": "a"}"# }
        )
    };
    Err(problem.help(help).into())
}

/// Refuses several numbers in the word of one, `1,2`: each has a word of its own.
fn require_one(key: &str, text: &str, items: &Type) -> Result<(), Box<Diagnostic>> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let fits = |part: &&str| {
        serde_json::from_str(part).is_ok_and(|value: Value| items.check(value).is_ok())
    };
    if parts.len() < 2 || !matches!(items, Type::Int(_) | Type::Float(_) | Type::Bool) {
        return Ok(());
    }
    if !parts.iter().all(fits) {
        return Ok(());
    }
    let words: Vec<String> = parts.iter().take(3).map(|part| format!("{key}={part}")).collect();
    Err(usage(format!("`{key}` takes one item in each word, and `{text}` holds several"))
        .help(format!("write `{}`, or a JSON array: `{key}='[{text}]'`", words.join(" ")))
        .into())
}

struct Reader<'a> {
    expected: Expected<'a>,
    stdin: &'a mut dyn Read,
    all: Map<String, Value>,
    /// Keys that had a word of their own, and whether they take more.
    given: Vec<String>,
}

impl Reader<'_> {
    fn add_json(&mut self, text: &str, whence: &str) -> Result<(), Box<Diagnostic>> {
        let value: Value = serde_json::from_str(text).map_err(|reason| {
            usage(format!("{whence} is not JSON: {reason}"))
                .help("write an object, as in `{\"text\": \"a b\"}`")
        })?;
        match value {
            Value::Object(map) => {
                self.all.extend(map);
                Ok(())
            }
            _ => Err(usage(format!("{whence} is JSON and not an object"))
                .help("write an object, as in `{\"text\": \"a b\"}`")
                .into()),
        }
    }

    fn add(&mut self, key: &str, text: &str) -> Result<(), Box<Diagnostic>> {
        let text = self.resolve(key, text)?;
        let (path, kind) = find(self.expected, key);
        let again = self.given.iter().any(|given| given == key);
        // A value for all of it would put away the fields that have words of their own.
        let inside =
            |given: &&String| given.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        if let Some(field) = self.given.iter().find(inside) {
            return Err(usage(format!("`{key}` is given twice: whole, and as `{field}`"))
                .help(format!("give `{key}` first, or all of it in one"))
                .into());
        }
        self.given.push(key.to_owned());
        let slot = slot(&mut self.all, &path)
            .ok_or_else(|| usage(format!("`{key}` lies inside a value that is no object")))?;
        // A list may be given item by item; an item may begin with a bracket.
        let is_list = || serde_json::from_str::<Vec<IgnoredAny>>(&text).is_ok();
        if let Some(items) = kind.and_then(items).filter(|_| !is_list()) {
            require_json(key, &text, items)?;
            require_one(key, &text, items)?;
            let item = typed(Some(items), text);
            match slot {
                Value::Array(list) if again => list.push(item),
                _ => *slot = Value::Array(vec![item]),
            }
            return Ok(());
        }
        if again {
            return Err(usage(format!("`{key}` is given twice")).into());
        }
        if let Some(kind) = kind {
            require_json(key, &text, kind)?;
        }
        *slot = typed(kind, text);
        Ok(())
    }

    /// The text of a value: `@FILE` and `@-` are read, `@@` stands for one `@`.
    fn resolve(&mut self, key: &str, text: &str) -> Result<String, Box<Diagnostic>> {
        match text.strip_prefix('@') {
            None => Ok(text.to_owned()),
            Some("-") => self.read_stdin(),
            Some(rest) if rest.starts_with('@') => Ok(rest.to_owned()),
            Some(file) => {
                let read = std::fs::File::open(file).and_then(read_all);
                read.map_err(|reason| {
                    let itself = format!("{key}={}", shell_word(&format!("@@{file}")));
                    usage(format!("`{file}`, which `{key}` names, cannot be read: {reason}"))
                        .help(format!("write `{itself}` for the text itself"))
                        .into()
                })
            }
        }
    }

    fn read_stdin(&mut self) -> Result<String, Box<Diagnostic>> {
        read_all(&mut *self.stdin)
            .map_err(|reason| usage(format!("standard input cannot be read: {reason}")).into())
    }
}

/// The names that lead to a value, and its type where it is known.
fn find<'a>(expected: Expected<'a>, key: &str) -> (Vec<String>, Option<&'a Type>) {
    let names: Vec<String> = key.split('.').map(str::to_owned).collect();
    let first = expected.kind_of(&names[0]);
    let kind = names[1..].iter().fold(first, |kind, name| field(kind?, name));
    (names, kind)
}

fn read_all(source: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    source.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        let message = format!("it has more than {MOST} bytes, the most that arguments may have");
        return Err(io::Error::other(message));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// The place that the names lead to, made where it is not there.
fn slot<'a>(all: &'a mut Map<String, Value>, names: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = names.split_first()?;
    let mut slot = all.entry(first.clone()).or_insert(Value::Null);
    for name in rest {
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        slot = slot.as_object_mut()?.entry(name.clone()).or_insert(Value::Null);
    }
    Some(slot)
}

fn field<'a>(kind: &'a Type, name: &str) -> Option<&'a Type> {
    match kind {
        Type::Object(fields) => {
            fields.iter().find(|field| field.name == name).map(|field| &field.kind)
        }
        Type::Map(values, _) => Some(values),
        Type::Nullable(inner) => field(inner, name),
        Type::Union(kinds) => kinds.iter().find_map(|kind| field(kind, name)),
        _ => None,
    }
}

/// The type of the items of a list.
fn items(kind: &Type) -> Option<&Type> {
    match kind {
        Type::Array(items, _) => Some(items),
        Type::Nullable(inner) => items(inner),
        _ => None,
    }
}

/// The value that a text stands for, by its type.
fn typed(kind: Option<&Type>, text: String) -> Value {
    match kind.map_or(Reading::JsonOrText, reading) {
        Reading::Text => Value::String(text),
        Reading::JsonOrText => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Reading::FittingJson(kind) => match serde_json::from_str::<Value>(&text) {
            Ok(value) if !value.is_string() && kind.check(value.clone()).is_ok() => value,
            _ => Value::String(text),
        },
    }
}

enum Reading<'a> {
    /// The text as it is.
    Text,
    /// JSON, and what is not JSON as text.
    JsonOrText,
    /// JSON where it fits the type, and text otherwise.
    FittingJson(&'a Type),
}

fn reading(kind: &Type) -> Reading<'_> {
    match kind {
        Type::String(_) | Type::Literal(_) => Reading::Text,
        Type::Nullable(inner) => reading(inner),
        Type::Union(kinds) if kinds.iter().all(|kind| matches!(reading(kind), Reading::Text)) => {
            Reading::Text
        }
        Type::Union(kinds) if kinds.iter().any(|kind| matches!(reading(kind), Reading::Text)) => {
            Reading::FittingJson(kind)
        }
        _ => Reading::JsonOrText,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameters(lines: &[(&str, &str)]) -> Parameters {
        let mut parameters = Parameters::new();
        for (name, kind) in lines {
            let kind = Type::parse(kind).expect("a type");
            parameters.add(name, kind, None, String::new()).expect("a parameter");
        }
        parameters.finish().expect("parameters");
        parameters
    }

    fn collected(words: &[&str], stdin: &str) -> Result<Value, String> {
        let parameters = parameters(&[
            ("text", "string?"),
            ("count", "int?"),
            ("loud", "bool?"),
            ("tags", "string[]?"),
            ("mode", "\"fast\" | int"),
            ("place", "{ city: string, zip: int? }?"),
            ("more", "any"),
        ]);
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        collect_from(&words, Expected::Tool(&parameters), &mut stdin.as_bytes())
            .map_err(|problem| problem.message)
    }

    #[test]
    fn values_are_read_by_their_types() {
        for (word, expected) in [
            ("text=12", json!({ "text": "12" })),
            ("text=a=b", json!({ "text": "a=b" })),
            ("text=", json!({ "text": "" })),
            ("text=@@bob", json!({ "text": "@bob" })),
            ("count=12", json!({ "count": 12 })),
            ("count=many", json!({ "count": "many" })),
            ("loud=true", json!({ "loud": true })),
            ("tags=a", json!({ "tags": ["a"] })),
            ("tags=[\"a\",\"b\"]", json!({ "tags": ["a", "b"] })),
            ("tags=[]", json!({ "tags": [] })),
            ("tags=", json!({ "tags": [""] })),
            ("tags=[x] done", json!({ "tags": ["[x] done"] })),
            ("tags=[1, 2", json!({ "tags": ["[1, 2"] })),
            ("mode=fast", json!({ "mode": "fast" })),
            ("mode=3", json!({ "mode": 3 })),
            ("place.city=12", json!({ "place": { "city": "12" } })),
            ("place.zip=12", json!({ "place": { "zip": 12 } })),
            ("more={\"a\":1}", json!({ "more": { "a": 1 } })),
            ("more=words", json!({ "more": "words" })),
            ("unknown=1", json!({ "unknown": 1 })),
            ("{\"text\":\"a\"}", json!({ "text": "a" })),
        ] {
            assert_eq!(collected(&[word], ""), Ok(expected), "{word}");
        }
    }

    #[test]
    fn words_add_up() {
        let all =
            collected(&["-", "tags=a", "tags=b", "count=1"], "{\"text\": \"x\", \"count\": 5}");
        assert_eq!(all, Ok(json!({ "text": "x", "count": 1, "tags": ["a", "b"] })));
        assert_eq!(collected(&["text=@-"], "from afar"), Ok(json!({ "text": "from afar" })));
    }

    #[test]
    fn an_event_has_the_types_of_its_point() {
        let event = |point, words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            collect_from(&words, Expected::Event(point), &mut "".as_bytes()).ok()
        };
        let before = HookPoint::PreToolCall;
        for (words, expected) in [
            (&["kind=shell", "command=true"][..], json!({ "kind": "shell", "command": "true" })),
            (&["tool=5", "command=12"], json!({ "tool": "5", "command": "12" })),
            (&["paths=/etc/passwd"], json!({ "paths": ["/etc/passwd"] })),
            (&["paths=a.pem", "paths=b"], json!({ "paths": ["a.pem", "b"] })),
            (&["paths=[\"a\"]"], json!({ "paths": ["a"] })),
            (&["args={\"n\":1}"], json!({ "args": { "n": 1 } })),
            (&["args.n=1"], json!({ "args": { "n": 1 } })),
            (&["url=null"], json!({ "url": "null" })),
        ] {
            assert_eq!(event(before, words), Some(expected), "{words:?}");
        }
        let after = event(HookPoint::PostToolCall, &["result=[1]"]);
        assert_eq!(after, Some(json!({ "result": [1] })));
        let free = event(HookPoint::TurnEnd, &["tokens=12"]);
        assert_eq!(
            free,
            Some(json!({ "tokens": 12 })),
            "a field that it does not have is any value"
        );
        let turns = event(HookPoint::TurnEnd, &["turns=2", "text=3"]);
        assert_eq!(turns, Some(json!({ "turns": 2, "text": "3" })));
    }

    #[test]
    fn advice_can_be_followed() {
        let kinds = parameters(&[
            ("name", "string"),
            ("loud", "bool?"),
            ("rows", "{ a: int }[]?"),
            ("prices", "float[]?"),
        ]);
        let help = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let problem = collect_from(&words, Expected::Tool(&kinds), &mut "".as_bytes());
            problem.expect_err("it is refused").help.join("; ")
        };
        assert_eq!(help(&["World"]), "write `name=World`");
        assert_eq!(help(&["name=A", "loud"]), "write `loud=true`");
        assert_eq!(help(&["name"]), "write `name=…`");
        assert_eq!(help(&["name=A", "x"]), "write `loud=x`");
        assert_eq!(help(&["--name=x"]), "write `name=x`, without dashes");
        assert_eq!(
            help(&["prices=0.1,0.2"]),
            "write `prices=0.1 prices=0.2`, or a JSON array: `prices='[0.1,0.2]'`"
        );
        assert!(help(&["rows=[{'a':1}]"]).starts_with("it breaks at `'a':1}]`; keys and texts"));
        assert!(help(&["prices=[0.1,0.2"]).contains("every bracket is closed"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for (words, stdin) in [
            (&["World"][..], ""),
            (&["text=a", "text=b"], ""),
            (&["-"], "[1]"),
            (&["-"], "nonsense"),
            (&["{\"text\": }"], ""),
            (&["text=@no/such/file"], ""),
            (&["text=a", "text.b=c"], ""),
            (&["place.city=Rome", "place={\"city\":\"Bonn\"}"], ""),
            (&["place.city=Rome", "place.city=Bonn"], ""),
        ] {
            assert!(collected(words, stdin).is_err(), "{words:?}");
        }
        let whole_first = collected(&["place={\"city\":\"Bonn\"}", "place.zip=1"], "");
        assert_eq!(whole_first, Ok(json!({ "place": { "city": "Bonn", "zip": 1 } })));
    }

    #[test]
    fn what_is_too_much_is_refused_and_never_cut() {
        let most = usize::try_from(MOST).expect("it fits");
        assert_eq!(read_all(&*vec![b'a'; most]).map(|text| text.len()).ok(), Some(most));
        // The last character would be cut in two.
        let mut long = vec![b'a'; most - 1];
        long.extend("ö".as_bytes());
        let refused = read_all(&*long).expect_err("it is too much").to_string();
        assert!(refused.contains("more than 33554432 bytes"), "{refused}");
    }
}
