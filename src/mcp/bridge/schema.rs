//! Holds values against the JSON Schemas of other servers: 2020-12, and what older drafts write otherwise.
//!
//! A schema comes from somebody else, so that a check has a bounded number of steps and levels, follows no
//! reference out of the schema, and runs patterns in linear time. What it does not know (`format`,
//! `unevaluatedProperties`, anchors, patterns that look around) it lets pass: the server checks once more,
//! and a schema that is too costly takes nothing.

mod count;

use crate::feature::schema::{MAX_MISMATCHES, Mismatch, MismatchKind, SchemaCheck};
use regex_automata::hybrid::regex::{Cache, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, hybrid};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Steps of one check: a schema on a value is one, and what costs more counts more.
const STEPS: u32 = 200_000;

/// Schemas that may be applied inside each other.
const LEVELS: u32 = 160;

/// Bytes of one compiled pattern, and of what it remembers.
const PATTERN_BYTES: usize = 512 * 1024;

/// Patterns of one schema that are looked at.
const MOST_PATTERNS: usize = 64;

/// Characters of a value that a mismatch repeats.
const SHOWN: usize = 60;

/// A schema and its patterns, compiled once.
pub(super) struct JsonSchema {
    schema: Value,
    patterns: HashMap<String, Pattern>,
}

struct Pattern {
    regex: Regex,
    cache: Mutex<Cache>,
}

impl JsonSchema {
    /// Takes a schema over.
    pub fn new(schema: Value) -> Arc<Self> {
        let mut texts = BTreeSet::new();
        find_patterns(&schema, &mut texts);
        let compiled = texts.into_iter().take(MOST_PATTERNS);
        let patterns = compiled.filter_map(|text| Some((text.clone(), Pattern::new(&text)?)));
        let patterns = patterns.collect();
        Arc::new(Self { schema, patterns })
    }
}

impl SchemaCheck for JsonSchema {
    fn check(&self, value: &Value) -> Vec<Mismatch> {
        let mut run = Run { schema: self, steps: STEPS, is_over: false };
        let mut found = Vec::new();
        run.apply(&self.schema, value, &At::ROOT, LEVELS, &mut found);
        if run.is_over {
            return vec![Mismatch {
                kind: MismatchKind::Bounds,
                path: String::new(),
                expected: "what its schema can be held against in a bounded time".to_owned(),
                got: "a value that takes longer".to_owned(),
                help: Some("give less at once".to_owned()),
            }];
        }
        found
    }
}

impl Pattern {
    fn new(text: &str) -> Option<Self> {
        let limits = thompson::Config::new().nfa_size_limit(Some(PATTERN_BYTES));
        let lazy = hybrid::dfa::Config::new()
            .cache_capacity(PATTERN_BYTES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(None);
        let regex = Regex::builder()
            .syntax(syntax::Config::new().nest_limit(64))
            .thompson(limits)
            .dfa(lazy)
            .build(text)
            .ok()?;
        let cache = Mutex::new(regex.create_cache());
        Some(Self { regex, cache })
    }

    fn fits(&self, text: &str) -> bool {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // What the automaton cannot tell counts as fitting.
        self.regex.is_match(&mut cache, Input::new(text))
    }
}

/// The patterns of a schema, wherever they stand. A `Value` is never nested deeper than a text that is read.
fn find_patterns(schema: &Value, texts: &mut BTreeSet<String>) {
    match schema {
        Value::Array(parts) => parts.iter().for_each(|part| find_patterns(part, texts)),
        Value::Object(fields) => {
            texts.extend(fields.get("pattern").and_then(Value::as_str).map(str::to_owned));
            if let Some(Value::Object(patterns)) = fields.get("patternProperties") {
                texts.extend(patterns.keys().cloned());
            }
            fields.values().for_each(|part| find_patterns(part, texts));
        }
        _ => (),
    }
}

/// The way to a value, written out only for a mismatch.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Key(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    const ROOT: At<'static> = At::Root;

    fn write(&self, text: &mut String) {
        match self {
            Self::Root => (),
            Self::Key(parent, key) => {
                parent.write(text);
                if !text.is_empty() {
                    text.push('.');
                }
                text.extend(key.chars().take(SHOWN));
            }
            Self::Index(parent, index) => {
                parent.write(text);
                text.push_str(&format!("[{index}]"));
            }
        }
    }
}

/// One check.
struct Run<'s> {
    schema: &'s JsonSchema,
    steps: u32,
    is_over: bool,
}

impl<'s> Run<'s> {
    fn pay(&mut self, steps: usize) -> bool {
        match u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps)) {
            Some(left) => self.steps = left,
            None => self.is_over = true,
        }
        !self.is_over
    }

    /// Whether a value fits, whatever is wrong with it.
    fn fits(&mut self, schema: &'s Value, value: &Value, levels: u32) -> bool {
        let mut found = Vec::new();
        self.apply(schema, value, &At::ROOT, levels, &mut found);
        found.is_empty()
    }

    fn apply(
        &mut self,
        schema: &'s Value,
        value: &Value,
        at: &At<'_>,
        levels: u32,
        found: &mut Vec<Mismatch>,
    ) {
        let Some(levels) = levels.checked_sub(1) else {
            self.is_over = true;
            return;
        };
        if !self.pay(1) || found.len() >= MAX_MISMATCHES {
            return;
        }
        let fields = match schema {
            Value::Bool(false) => {
                found.push(unknown(value, at, &[]));
                return;
            }
            Value::Object(fields) => fields,
            // `true`, and what is no schema at all.
            _ => return,
        };
        let mut one = One { run: self, fields, value, at, levels, found };
        one.references();
        one.kinds();
        match value {
            Value::Object(map) => one.object(map),
            Value::Array(list) => one.array(list),
            Value::String(text) => one.text(text),
            Value::Number(_) => one.number(),
            _ => (),
        }
        one.combinations();
    }
}

/// One schema on one value.
struct One<'r, 's, 'v, 'f> {
    run: &'r mut Run<'s>,
    fields: &'s Map<String, Value>,
    value: &'v Value,
    at: &'v At<'v>,
    levels: u32,
    found: &'f mut Vec<Mismatch>,
}

impl<'s> One<'_, 's, '_, '_> {
    fn list(&self, key: &str) -> &'s [Value] {
        self.fields.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn count(&self, key: &str) -> Option<u64> {
        let number = self.fields.get(key)?;
        // A whole number may be written with a point.
        number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
    }

    fn inner(&mut self, schema: &'s Value, value: &Value, at: &At<'_>) {
        self.run.apply(schema, value, at, self.levels, self.found);
    }

    fn fits(&mut self, schema: &'s Value) -> bool {
        self.run.fits(schema, self.value, self.levels)
    }

    fn differs(&mut self, kind: MismatchKind, expected: impl Into<String>) {
        let expected = expected.into();
        self.found.push(Mismatch { kind, expected, ..blank(self.value, self.at) });
    }

    /// A reference inside of the schema; others are left aside.
    fn references(&mut self) {
        let Some(target) = self.fields.get("$ref").and_then(Value::as_str) else { return };
        let Some(pointer) = target.strip_prefix('#') else { return };
        if !self.run.pay(1 + pointer.len() / 16) {
            return;
        }
        let pointer = decoded(pointer);
        let schema = self.run.schema;
        if let Some(target) = schema.schema.pointer(&pointer) {
            self.inner(target, self.value, self.at);
        }
    }

    fn kinds(&mut self) {
        let is_of = |name: &Value| name.as_str().is_none_or(|name| is_kind(self.value, name));
        let is_right = match self.fields.get("type") {
            Some(Value::Array(names)) => names.iter().any(is_of),
            Some(name) => is_of(name),
            None => true,
        };
        if !is_right {
            self.differs(MismatchKind::Type, said(self.fields));
            return;
        }
        if let Some(Value::Array(values)) = self.fields.get("enum") {
            let is_one =
                self.run.pay(values.len()) && values.iter().any(|one| same(one, self.value));
            if !is_one {
                self.differs(MismatchKind::Type, said(self.fields));
            }
        }
        if let Some(one) = self.fields.get("const")
            && !same(one, self.value)
        {
            self.differs(MismatchKind::Type, said(self.fields));
        }
    }

    fn object(&mut self, map: &Map<String, Value>) {
        let known = self.fields.get("properties").and_then(Value::as_object);
        for name in self.list("required").iter().filter_map(Value::as_str) {
            if !self.run.pay(1) {
                return;
            }
            if !map.contains_key(name) {
                let kind = known.and_then(|known| known.get(name)).and_then(Value::as_object);
                self.missing(name, kind.map_or_else(|| "any".to_owned(), said));
            }
        }
        self.sized(map.len(), "minProperties", "maxProperties", "fields");
        let patterns = self.fields.get("patternProperties").and_then(Value::as_object);
        let others = self.fields.get("additionalProperties");
        let names = self.fields.get("propertyNames");
        for (key, value) in map {
            if !self.run.pay(1) {
                return;
            }
            let at = At::Key(self.at, key);
            let mut is_known = false;
            if let Some(schema) = known.and_then(|known| known.get(key)) {
                is_known = true;
                self.inner(schema, value, &at);
            }
            for (pattern, schema) in patterns.into_iter().flatten() {
                if self.run.pay(1 + key.len() / 16) && self.matches(pattern, key) {
                    is_known = true;
                    self.inner(schema, value, &at);
                }
            }
            match others {
                Some(Value::Bool(false)) if !is_known => {
                    let all: Vec<_> =
                        known.into_iter().flatten().map(|(name, _)| &**name).collect();
                    self.found.push(unknown(value, &at, &all));
                }
                Some(schema) if !is_known => self.inner(schema, value, &at),
                _ => (),
            }
            if let Some(schema) = names {
                let key = Value::String(key.clone());
                self.inner(schema, &key, &at);
            }
        }
        self.dependents(map);
    }

    /// What has to be there beside something else that is.
    fn dependents(&mut self, map: &Map<String, Value>) {
        for key in ["dependentRequired", "dependentSchemas", "dependencies"] {
            let Some(table) = self.fields.get(key).and_then(Value::as_object) else { continue };
            for (_, wanted) in table.iter().filter(|(name, _)| map.contains_key(*name)) {
                match wanted {
                    Value::Array(names) => {
                        for name in names.iter().filter_map(Value::as_str) {
                            if self.run.pay(1) && !map.contains_key(name) {
                                self.missing(name, "any".to_owned());
                            }
                        }
                    }
                    schema => self.inner(schema, self.value, self.at),
                }
            }
        }
    }

    fn array(&mut self, list: &[Value]) {
        self.sized(list.len(), "minItems", "maxItems", "items");
        let (first, rest) = match (self.fields.get("prefixItems"), self.fields.get("items")) {
            (Some(Value::Array(first)), rest) => (first.as_slice(), rest),
            // As drafts before 2020-12 write it.
            (_, Some(Value::Array(first))) => {
                (first.as_slice(), self.fields.get("additionalItems"))
            }
            (_, rest) => (&[][..], rest),
        };
        for (index, value) in list.iter().enumerate() {
            if let Some(schema) = first.get(index).or(rest) {
                self.inner(schema, value, &At::Index(self.at, index));
            }
        }
        if let Some(schema) = self.fields.get("contains") {
            let (run, levels) = (&mut *self.run, self.levels);
            let held = list.iter().filter(|value| run.fits(schema, value, levels)).count() as u64;
            let least = self.count("minContains").unwrap_or(1);
            if held < least || self.count("maxContains").is_some_and(|most| held > most) {
                self.differs(MismatchKind::Bounds, "other items in it");
            }
        }
        if self.fields.get("uniqueItems") == Some(&Value::Bool(true)) && !self.are_unique(list) {
            self.differs(MismatchKind::Bounds, "items that differ from each other");
        }
    }

    fn are_unique(&mut self, list: &[Value]) -> bool {
        let mut seen = BTreeSet::new();
        list.iter().all(|value| {
            let text = count::plain(value);
            self.run.pay(1 + text.len() / 16) && seen.insert(text)
        })
    }

    fn text(&mut self, text: &str) {
        let has_bounds =
            self.fields.contains_key("minLength") || self.fields.contains_key("maxLength");
        if has_bounds && self.run.pay(text.len() / 64) {
            self.sized(text.chars().count(), "minLength", "maxLength", "characters");
        }
        if let Some(pattern) = self.fields.get("pattern").and_then(Value::as_str)
            && self.run.pay(text.len() / 16)
            && !self.matches(pattern, text)
        {
            let shown: String = pattern.chars().take(SHOWN).collect();
            self.differs(MismatchKind::Bounds, format!("text like `{shown}`"));
        }
    }

    /// A pattern that cannot be compiled takes every text.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.run.schema.patterns.get(pattern).is_none_or(|pattern| pattern.fits(text))
    }

    fn number(&mut self) {
        let bounds = [
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("exclusiveMinimum", "more than"),
            ("exclusiveMaximum", "less than"),
            ("multipleOf", "a multiple of"),
        ];
        for (key, words) in bounds {
            let Some(bound) = self.fields.get(key) else { continue };
            if !count::holds(self.fields, key, bound, self.value) {
                self.differs(MismatchKind::Bounds, format!("{words} {bound}"));
            }
        }
    }

    fn sized(&mut self, size: usize, least: &str, most: &str, of: &str) {
        let size = size as u64;
        match (self.count(least), self.count(most)) {
            (Some(least), _) if size < least => {
                self.differs(MismatchKind::Bounds, format!("{least} {of} or more"));
            }
            (_, Some(most)) if size > most => {
                self.differs(MismatchKind::Bounds, format!("{most} {of} or fewer"));
            }
            _ => (),
        }
    }

    fn missing(&mut self, name: &str, expected: String) {
        let at = At::Key(self.at, name);
        let found = Mismatch { kind: MismatchKind::Missing, expected, ..blank(&Value::Null, &at) };
        self.found.push(found);
    }

    fn combinations(&mut self) {
        for schema in self.list("allOf") {
            self.inner(schema, self.value, self.at);
        }
        let any = self.list("anyOf");
        if !any.is_empty() && !any.iter().any(|schema| self.fits(schema)) {
            self.none_of(any);
        }
        let one = self.list("oneOf");
        if !one.is_empty() {
            match one.iter().filter(|schema| self.fits(schema)).count() {
                0 => self.none_of(one),
                1 => (),
                _ => self.differs(MismatchKind::Type, "what fits one of its forms and no other"),
            }
        }
        if let Some(schema) = self.fields.get("not")
            && self.fits(schema)
        {
            self.differs(MismatchKind::Type, "something else");
        }
        if let Some(schema) = self.fields.get("if") {
            let branch = if self.fits(schema) { "then" } else { "else" };
            if let Some(schema) = self.fields.get(branch) {
                self.inner(schema, self.value, self.at);
            }
        }
    }

    /// Where one alternative alone is of the value's kind, what is wrong with it says more than that none fits.
    fn none_of(&mut self, alternatives: &'s [Value]) {
        let is_near = |schema: &&Value| match schema.get("type") {
            Some(Value::String(name)) => is_kind(self.value, name),
            _ => true,
        };
        let near: Vec<_> = alternatives.iter().filter(is_near).collect();
        if let ([only], true) = (near.as_slice(), self.value.is_object() || self.value.is_array()) {
            self.inner(only, self.value, self.at);
            return;
        }
        let names: Vec<_> = alternatives
            .iter()
            .filter_map(Value::as_object)
            .map(said)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        self.differs(MismatchKind::Type, names.join(" | "));
    }
}

fn blank(value: &Value, at: &At<'_>) -> Mismatch {
    let mut path = String::new();
    at.write(&mut path);
    Mismatch {
        kind: MismatchKind::Type,
        path,
        expected: String::new(),
        got: shown(value),
        help: None,
    }
}

fn unknown(value: &Value, at: &At<'_>, known: &[&str]) -> Mismatch {
    let given = match at {
        At::Key(_, key) => *key,
        _ => "",
    };
    let near = crate::diagnostic::nearest(given, known.iter().copied());
    let help = near.map(|near| format!("did you mean `{near}`?"));
    let expected = known.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    Mismatch { kind: MismatchKind::Unknown, expected, help, ..blank(value, at) }
}

/// A value as a mismatch repeats it: `string "abc…"`.
fn shown(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Array(list) => return format!("array of {}", list.len()),
        Value::Object(map) => return format!("object of {} fields", map.len()),
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
    };
    let text = match value {
        Value::String(text) => {
            let cut: String = text.chars().take(SHOWN).collect();
            let more = if cut.len() < text.len() { "…" } else { "" };
            format!("{}{more}", Value::String(cut))
        }
        other => other.to_string(),
    };
    format!("{kind} {text}")
}

/// What a schema takes, in a few words.
fn said(schema: &Map<String, Value>) -> String {
    let shorten = |values: &[Value]| {
        let mut words: Vec<_> = values.iter().take(8).map(|one| count::short(one, SHOWN)).collect();
        if values.len() > words.len() {
            words.push("…".to_owned());
        }
        words.join(" | ")
    };
    match (schema.get("const"), schema.get("enum"), schema.get("type")) {
        (Some(one), ..) => count::short(one, SHOWN),
        (_, Some(Value::Array(values)), _) => shorten(values),
        (.., Some(Value::String(name))) => name.chars().take(SHOWN).collect(),
        (.., Some(Value::Array(names))) => {
            names.iter().filter_map(Value::as_str).take(8).collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    }
}

fn is_kind(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64()
                || value.is_u64()
                || value.as_f64().is_some_and(|number| number.is_finite() && number.fract() == 0.0)
        }
        // A word that nobody knows refuses nothing.
        _ => true,
    }
}

/// Whether two values are the same to JSON Schema: `1` is `1.0`, and the order of fields does not count.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => count::plain(a) == count::plain(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// A pointer in a fragment, with `%` resolved.
fn decoded(pointer: &str) -> Cow<'_, str> {
    if !pointer.contains('%') {
        return Cow::Borrowed(pointer);
    }
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut rest = pointer.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
