//! Values on their way in and out of a script: JSON to [`Dynamic`] and back.
//!
//! What leaves a script passes a [`Budget`]: functions, variables in use, numbers that JSON cannot
//! hold and types without a JSON form are refused with the path to them. Nothing here formats a
//! raw [`Dynamic`], recurses deeper than the budget, or follows a value around a cycle for longer
//! than the budget lasts.

use crate::feature::hook::Decision;
use crate::limit::Limit;
use crate::script::frame;
use crate::script::host::content::{Block, Blocks};
use crate::script::host::secret::Handle;
use crate::script::meter;
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};

/// How deep values may nest where they are compared, shown or converted. JSON parsers stop here
/// as well.
pub(crate) const MAX_DEPTH: usize = 128;

/// Nodes converted between two payments to the meter.
const NODES_PER_CHARGE: usize = 64;

/// The longest path that an error spells out, in bytes; keys are the script's and may be huge.
const MAX_PATH: usize = 200;

/// What a value is, told without taking a lock: the engine's own `type_id`, `type_name` and `hash`
/// wait for a captured variable that is in use, and then panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unit,
    Bool,
    Int,
    Float,
    Char,
    Text,
    Array,
    Map,
    Function,
    /// A captured variable; what it holds is not looked at.
    Shared,
    /// A range, or a type of the host.
    Other,
}

impl Kind {
    /// The kind of `value`, without looking into a captured variable.
    pub(crate) fn of(value: &Dynamic) -> Self {
        if value.is_shared() {
            Self::Shared
        } else if value.is_int() {
            Self::Int
        } else if value.is_string() {
            Self::Text
        } else if value.is_map() {
            Self::Map
        } else if value.is_array() {
            Self::Array
        } else if value.is_float() {
            Self::Float
        } else if value.is_bool() {
            Self::Bool
        } else if value.is_unit() {
            Self::Unit
        } else if value.is_char() {
            Self::Char
        } else if value.is_fnptr() {
            Self::Function
        } else {
            Self::Other
        }
    }
}

/// The name of a value's type as an author knows it, told without taking a lock.
pub(crate) fn type_label(value: &Dynamic) -> &'static str {
    match Kind::of(value) {
        Kind::Unit => "()",
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Char => "char",
        Kind::Text => "string",
        Kind::Array => "array",
        Kind::Map => "map",
        Kind::Function => "function",
        Kind::Shared => "captured variable",
        Kind::Other if value.is::<Range<i64>>() || value.is::<RangeInclusive<i64>>() => "range",
        Kind::Other if value.is::<Decision>() => "decision",
        Kind::Other if value.is::<Handle>() => "secret",
        Kind::Other if value.is::<Block>() => "block",
        Kind::Other if value.is::<Blocks>() => "content",
        Kind::Other if frame::words(value).is_some() => "error",
        Kind::Other => short_type_name(value.type_name()),
    }
}

/// The longest prefix of `text` that is no longer than `bytes` bytes.
pub(crate) fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `Secret` for `some::module::Secret<T>`: a path of Rust modules tells an author nothing.
fn short_type_name(name: &'static str) -> &'static str {
    let bare = name.split_once('<').map_or(name, |(bare, _)| bare);
    bare.rsplit("::").next().unwrap_or(bare)
}

/// What a conversion may produce at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Arrays and objects inside each other.
    pub depth: usize,
    /// Values of any kind, nested ones included.
    pub nodes: usize,
    /// Bytes of JSON text; an estimate that is never above the true size where a tree is built.
    pub bytes: usize,
}

impl Budget {
    /// A budget for `bytes` bytes of JSON text; a value and its comma take at least two.
    pub(crate) const fn of_bytes(bytes: usize) -> Self {
        Self { depth: MAX_DEPTH, nodes: bytes / 2 + 1, bytes }
    }
}

/// Why a value cannot become JSON, and where in it the reason is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place(path))]
pub(crate) struct ValueError {
    /// The way to the refused part, such as `items[3].qty`; empty where it is the value itself.
    pub path: String,
    /// What is wrong there.
    pub reason: Refusal,
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}

/// Why a part of a value cannot become JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a function cannot leave the script; return what it computes instead")]
    Function,
    #[error("a captured variable that is in use cannot be read; copy it before the call")]
    Locked,
    #[error("`{0}` has no JSON form; check the number, or return it as text")]
    NotFinite(&'static str),
    #[error("values are nested deeper than {0} levels; flatten them, or check for a cycle")]
    TooDeep(usize),
    #[error("there are more than {0} values; return fewer")]
    TooManyNodes(usize),
    #[error("the JSON text is longer than {0} bytes; return less, or cut long texts")]
    TooManyBytes(usize),
    #[error("a secret has no JSON form and leaves the script in no other way; give it to `http`")]
    Secret,
    #[error(
        "a block of content leaves the script as the whole result of a tool and in no other way: \
         `content::result([…])`"
    )]
    Content,
    #[error("a value of type `{0}` has no JSON form; convert it to text, a number or a map")]
    Unsupported(&'static str),
    /// The call ended during the conversion.
    #[error("the call ran out of its bound on {0}")]
    Limit(Limit),
}

/// One step of the path to a refused value.
enum Step {
    Key(String),
    Index(usize),
}

/// A refusal on its way up; the path is built only when there is one to tell.
struct Refused {
    reason: Refusal,
    steps: Vec<Step>,
}

impl Refused {
    fn at(mut self: Box<Self>, step: Step) -> Box<Self> {
        self.steps.push(step);
        self
    }

    fn into_error(self) -> ValueError {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            if path.len() > MAX_PATH {
                path.push('…');
                break;
            }
            match step {
                Step::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
                Step::Key(key) if is_plain_key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
                Step::Key(key) => {
                    let _ = write!(path, "[{key:?}]");
                }
            }
        }
        ValueError { path, reason: self.reason }
    }
}

fn is_plain_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Whether a value is what only the whole result of a tool may be.
fn is_content(value: &Dynamic) -> bool {
    value.is::<Block>() || value.is::<Blocks>()
}

/// A key as an error spells it: its first bytes are enough to find it.
fn key_step(key: &str) -> Step {
    let start = prefix(key, MAX_PATH / 2);
    let cut = if start.len() < key.len() { "…" } else { "" };
    Step::Key(format!("{start}{cut}"))
}

type Walked<T> = Result<T, Box<Refused>>;

#[cold]
fn refuse<T>(reason: Refusal) -> Walked<T> {
    Err(Box::new(Refused { reason, steps: Vec::new() }))
}

/// JSON as a script sees it: `null` is `()`, an integer above `i64::MAX` becomes a float.
///
/// # Errors
///
/// What a script holds is several times its text, and a bound is passed; the call is over.
pub(crate) fn from_json(value: &Value) -> Result<Dynamic, Box<EvalAltResult>> {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => Dynamic::from_bool(*flag),
        Value::Number(number) => number.as_i64().map_or_else(
            || Dynamic::from_float(number.as_f64().unwrap_or(f64::NAN)),
            Dynamic::from_int,
        ),
        Value::String(text) => {
            meter::reserve(text.len())?;
            text.as_str().into()
        }
        Value::Array(items) => {
            meter::reserve(items.len().saturating_mul(size_of::<Dynamic>()))?;
            let mut array = Array::with_capacity(items.len());
            for item in items {
                array.push(from_json(item)?);
            }
            Dynamic::from_array(array)
        }
        Value::Object(fields) => {
            // Looks at what is held, and at whether the call should end, without a cost.
            meter::charge(0)?;
            let mut map = Map::new();
            for (key, value) in fields {
                map.insert(key.as_str().into(), from_json(value)?);
            }
            Dynamic::from_map(map)
        }
    })
}

/// The JSON tree of `value`.
///
/// A captured variable is read where nothing else uses it. Numbers keep their kind, characters
/// become strings, `()` becomes `null`.
///
/// # Errors
///
/// Some part has no JSON form or the budget is spent; the error names the path.
pub(crate) fn to_json(value: &Dynamic, budget: Budget) -> Result<Value, ValueError> {
    let mut walk = Walk::new(budget);
    walk.tree(value, 0).map_err(|refused| refused.into_error())
}

/// The JSON text of `value`, without a tree in between; the budget's bytes bound it exactly.
///
/// # Errors
///
/// As [`to_json`].
pub(crate) fn to_json_text(value: &Dynamic, budget: Budget) -> Result<String, ValueError> {
    let mut walk = Walk::new(budget);
    let mut text = String::new();
    walk.text(value, 0, &mut text).map_err(|refused| refused.into_error())?;
    Ok(text)
}

/// The JSON text of a map, as [`to_json_text`].
pub(crate) fn map_to_json_text(map: &Map, budget: Budget) -> Result<String, ValueError> {
    let mut walk = Walk::new(budget);
    let mut text = String::new();
    walk.object_text(map, 0, &mut text).map_err(|refused| refused.into_error())?;
    Ok(text)
}

/// A conversion under way and what is left of its budget.
struct Walk {
    budget: Budget,
    nodes: usize,
    bytes: usize,
}

impl Walk {
    fn new(budget: Budget) -> Self {
        Self { budget, nodes: 0, bytes: 0 }
    }

    fn enter(&mut self, depth: usize) -> Walked<()> {
        if depth > self.budget.depth {
            return refuse(Refusal::TooDeep(self.budget.depth));
        }
        self.nodes += 1;
        if self.nodes > self.budget.nodes {
            return refuse(Refusal::TooManyNodes(self.budget.nodes));
        }
        if self.nodes.is_multiple_of(NODES_PER_CHARGE) {
            pay(|| meter::charge(NODES_PER_CHARGE as u64))?;
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Walked<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.budget.bytes {
            return refuse(Refusal::TooManyBytes(self.budget.bytes));
        }
        Ok(())
    }

    /// Checks that `count` more values, of `size` bytes each in memory, may follow.
    fn expect(&mut self, count: usize, size: usize) -> Walked<()> {
        if count > self.budget.nodes - self.nodes {
            return refuse(Refusal::TooManyNodes(self.budget.nodes));
        }
        pay(|| meter::reserve(count * size))
    }

    fn tree(&mut self, value: &Dynamic, depth: usize) -> Walked<Value> {
        self.enter(depth)?;
        match Kind::of(value) {
            Kind::Text => {
                with::<ImmutableString, _>(value, |text| self.copied(text).map(Value::String))
            }
            Kind::Map => with::<Map, _>(value, |map| self.object(map, depth)),
            Kind::Array => with::<Array, _>(value, |array| self.list(array, depth)),
            Kind::Shared => match value.read_lock::<Dynamic>() {
                Some(inner) => self.tree(&inner, depth + 1),
                None => refuse_locked(),
            },
            Kind::Unit => self.spend(4).map(|()| Value::Null),
            Kind::Bool => self.spend(4).map(|()| Value::Bool(value.as_bool().unwrap_or(false))),
            Kind::Int => self.spend(1).map(|()| Value::from(value.as_int().unwrap_or(0))),
            Kind::Float => {
                self.spend(1)?;
                let number = value.as_float().unwrap_or(f64::NAN);
                serde_json::Number::from_f64(number)
                    .map_or_else(|| refuse_number(number), |number| Ok(Value::Number(number)))
            }
            Kind::Char => {
                self.spend(3)?;
                Ok(Value::String(value.as_char().unwrap_or_default().into()))
            }
            Kind::Function => refuse(Refusal::Function),
            Kind::Other if value.is::<Handle>() => refuse(Refusal::Secret),
            Kind::Other if is_content(value) => refuse(Refusal::Content),
            Kind::Other => refuse(Refusal::Unsupported(type_label(value))),
        }
    }

    /// A copy of a text that is long enough to be paid for by its length, or short.
    fn copied(&mut self, text: &str) -> Walked<String> {
        self.spend(text.len() + 2)?;
        pay_text(text.len())?;
        Ok(text.to_owned())
    }

    fn list(&mut self, array: &Array, depth: usize) -> Walked<Value> {
        self.spend(2 + array.len().saturating_sub(1))?;
        self.expect(array.len(), size_of::<Value>())?;
        let mut items = Vec::with_capacity(array.len());
        for (index, item) in array.iter().enumerate() {
            items.push(
                self.tree(item, depth + 1).map_err(|refused| refused.at(Step::Index(index)))?,
            );
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, map: &Map, depth: usize) -> Walked<Value> {
        self.spend(1 + 2 * map.len())?;
        self.expect(map.len(), 2 * size_of::<Value>())?;
        let mut fields = serde_json::Map::with_capacity(map.len());
        for (key, item) in map {
            let name = self.copied(key)?;
            let field = self.tree(item, depth + 1).map_err(|refused| refused.at(key_step(key)))?;
            fields.insert(name, field);
        }
        Ok(Value::Object(fields))
    }

    fn text(&mut self, value: &Dynamic, depth: usize, out: &mut String) -> Walked<()> {
        self.enter(depth)?;
        match Kind::of(value) {
            Kind::Text => with::<ImmutableString, _>(value, |text| self.quoted(text, out)),
            Kind::Map => with::<Map, _>(value, |map| self.object_text(map, depth, out)),
            Kind::Array => with::<Array, _>(value, |array| self.list_text(array, depth, out)),
            Kind::Shared => match value.read_lock::<Dynamic>() {
                Some(inner) => self.text(&inner, depth + 1, out),
                None => refuse_locked(),
            },
            Kind::Unit => self.raw("null", out),
            Kind::Bool => {
                self.raw(if value.as_bool().unwrap_or(false) { "true" } else { "false" }, out)
            }
            Kind::Int => self.raw(&value.as_int().unwrap_or(0).to_string(), out),
            Kind::Float => {
                let number = value.as_float().unwrap_or(f64::NAN);
                match serde_json::Number::from_f64(number) {
                    Some(number) => self.raw(&number.to_string(), out),
                    None => refuse_number(number),
                }
            }
            Kind::Char => {
                self.quoted(value.as_char().unwrap_or_default().encode_utf8(&mut [0; 4]), out)
            }
            Kind::Function => refuse(Refusal::Function),
            Kind::Other if value.is::<Handle>() => refuse(Refusal::Secret),
            Kind::Other if is_content(value) => refuse(Refusal::Content),
            Kind::Other => refuse(Refusal::Unsupported(type_label(value))),
        }
    }

    fn list_text(&mut self, array: &Array, depth: usize, out: &mut String) -> Walked<()> {
        self.raw("[", out)?;
        for (index, item) in array.iter().enumerate() {
            if index > 0 {
                self.raw(",", out)?;
            }
            self.text(item, depth + 1, out).map_err(|refused| refused.at(Step::Index(index)))?;
        }
        self.raw("]", out)
    }

    fn object_text(&mut self, map: &Map, depth: usize, out: &mut String) -> Walked<()> {
        self.raw("{", out)?;
        for (index, (key, item)) in map.iter().enumerate() {
            if index > 0 {
                self.raw(",", out)?;
            }
            self.quoted(key, out)?;
            self.raw(":", out)?;
            self.text(item, depth + 1, out).map_err(|refused| refused.at(key_step(key)))?;
        }
        self.raw("}", out)
    }

    fn raw(&mut self, piece: &str, out: &mut String) -> Walked<()> {
        self.spend(piece.len())?;
        out.push_str(piece);
        Ok(())
    }

    /// Writes a JSON string, in runs of characters that need no escape.
    fn quoted(&mut self, text: &str, out: &mut String) -> Walked<()> {
        self.spend(text.len() + 2)?;
        pay_text(text.len())?;
        out.push('"');
        let mut rest = text;
        while let Some(at) =
            rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
        {
            out.push_str(&rest[..at]);
            let escaped = rest.as_bytes()[at];
            self.escape(escaped, out)?;
            rest = &rest[at + 1..];
        }
        out.push_str(rest);
        out.push('"');
        Ok(())
    }

    fn escape(&mut self, byte: u8, out: &mut String) -> Walked<()> {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            _ => {
                self.spend(5)?;
                let _ = write!(out, "\\u{byte:04x}");
                return Ok(());
            }
        };
        self.spend(1)?;
        out.push_str(short);
        Ok(())
    }
}

/// Pays the meter; a call that ran out of a bound ends its conversions.
fn pay(charge: impl FnOnce() -> Result<(), Box<EvalAltResult>>) -> Walked<()> {
    match charge() {
        Ok(()) => Ok(()),
        Err(_) => refuse(Refusal::Limit(meter::killed().unwrap_or(Limit::Memory))),
    }
}

/// Pays for a copy of a text; a short one goes with the charge for its node.
fn pay_text(bytes: usize) -> Walked<()> {
    if bytes < 64 {
        return Ok(());
    }
    pay(|| meter::charge_bytes(bytes).and_then(|()| meter::reserve(bytes)))
}

#[cold]
fn refuse_number<T>(number: f64) -> Walked<T> {
    refuse(Refusal::NotFinite(match number {
        n if n.is_nan() => "NaN",
        n if n > 0.0 => "infinity",
        _ => "-infinity",
    }))
}

/// A variable in use made the engine wait for 50 ms; the clock is looked at before another wait.
#[cold]
fn refuse_locked<T>() -> Walked<T> {
    let _ = meter::charge(1_000);
    refuse(Refusal::Locked)
}

/// Hands the typed content of an unshared value to `action`.
fn with<T: Clone + 'static, R>(value: &Dynamic, action: impl FnOnce(&T) -> Walked<R>) -> Walked<R> {
    match value.read_lock::<T>() {
        Some(content) => action(&content),
        None => refuse(Refusal::Unsupported(type_label(value))),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests evaluate values alone, without a sandbox")]
mod tests {
    use super::*;
    use rhai::{Engine, FnPtr};
    use serde_json::json;

    const WIDE: Budget = Budget::of_bytes(1 << 20);

    fn script(text: &str) -> Dynamic {
        #[expect(clippy::disallowed_methods, reason = "a test needs a stock engine")]
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        engine.eval(text).expect("the script runs")
    }

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value = json!({
            "text": "a \"quoted\" \\ line\n\u{1}\u{8}é😀",
            "numbers": [0, -1, i64::MAX, 1.5, -0.25, 1e300],
            "nothing": null,
            "flags": [true, false],
            "empty": [{}, [], ""],
        });
        let inside = from_json(&value).expect("no bounds are in force");
        assert_eq!(to_json(&inside, WIDE), Ok(value.clone()));
        let text = to_json_text(&inside, WIDE).expect("it fits");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
        let sorted: std::collections::BTreeMap<String, Value> =
            serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(text, serde_json::to_string(&sorted).expect("it serializes"));
    }

    #[test]
    fn an_integer_beyond_i64_becomes_a_float() {
        let inside = |value| from_json(&value).expect("no bounds are in force");
        assert_eq!(inside(json!(u64::MAX)).as_float(), Ok(18_446_744_073_709_551_615.0));
        assert_eq!(inside(json!(i64::MIN)).as_int(), Ok(i64::MIN));
    }

    #[test]
    fn a_character_becomes_a_string() {
        assert_eq!(to_json(&Dynamic::from_char('é'), WIDE), Ok(json!("é")));
        assert_eq!(to_json_text(&Dynamic::from_char('"'), WIDE).as_deref(), Ok("\"\\\"\""));
    }

    /// Both conversions refuse alike.
    fn refused(value: &Dynamic, budget: Budget) -> String {
        let tree = to_json(value, budget).expect_err("it is refused");
        let text = to_json_text(value, budget).expect_err("it is refused");
        assert_eq!(tree.reason, text.reason);
        text.to_string()
    }

    #[test]
    fn a_refusal_says_where_and_what() {
        let function = Dynamic::from(FnPtr::new("f").expect("a valid name"));
        assert_eq!(
            refused(&function, WIDE),
            "a function cannot leave the script; return what it computes instead"
        );
        assert_eq!(
            refused(&script("#{ items: [1, 2, #{ qty: 0.0 / 0.0 }] }"), WIDE),
            "`items[2].qty`: `NaN` has no JSON form; check the number, or return it as text"
        );
        assert_eq!(
            refused(&script("[#{ \"a b\": 0..3 }]"), WIDE),
            "`[0][\"a b\"]`: a value of type `range` has no JSON form; convert it to text, a \
             number or a map"
        );
        assert_eq!(
            refused(&Dynamic::from(std::time::Duration::ZERO), WIDE),
            "a value of type `Duration` has no JSON form; convert it to text, a number or a map"
        );
    }

    #[test]
    fn each_budget_is_kept() {
        let mut deep = Dynamic::UNIT;
        for _ in 0..200 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(refused(&deep, WIDE).ends_with(
            "values are nested deeper than 128 levels; flatten them, or check for a cycle"
        ));
        let wide = Dynamic::from_array(vec![Dynamic::ZERO; 100]);
        let few = Budget { nodes: 100, ..WIDE };
        assert!(refused(&wide, few).ends_with("there are more than 100 values; return fewer"));
        assert!(to_json(&wide, Budget { nodes: 101, ..WIDE }).is_ok());
        let long = Dynamic::from("x".repeat(99));
        assert!(to_json_text(&long, Budget::of_bytes(101)).is_ok());
        assert!(refused(&long, Budget::of_bytes(100)).contains("longer than 100 bytes"));
    }

    #[test]
    fn text_is_bounded_with_its_escapes() {
        let value = Dynamic::from("\u{1}".repeat(100));
        assert!(to_json_text(&value, Budget::of_bytes(602)).is_ok());
        assert!(to_json_text(&value, Budget::of_bytes(601)).is_err());
    }

    #[test]
    fn one_shared_text_cannot_be_multiplied() {
        let text = Dynamic::from("x".repeat(1 << 16));
        let many = Dynamic::from_array(vec![text; 10_000]);
        assert!(refused(&many, WIDE).contains("longer than 1048576 bytes"));
    }

    #[test]
    fn a_captured_variable_is_read_and_a_cycle_ends() {
        assert_eq!(
            to_json(&Dynamic::from_array(vec![Dynamic::from_int(1).into_shared()]), WIDE),
            Ok(json!([1]))
        );
        let cycle = Dynamic::from_array(vec![Dynamic::UNIT]).into_shared();
        let inner = cycle.clone();
        cycle.clone().write_lock::<Array>().expect("it is an array")[0] = inner;
        assert!(refused(&cycle, WIDE).contains("check for a cycle"));
        // Without this the cell would keep itself alive.
        cycle.clone().write_lock::<Array>().expect("it is an array").clear();
    }

    #[test]
    fn a_variable_in_use_is_refused() {
        let shared = Dynamic::from_int(1).into_shared();
        let mut other = shared.clone();
        let guard = other.write_lock::<i64>().expect("it is an integer");
        assert!(refused(&shared, WIDE).starts_with("a captured variable that is in use"));
        drop(guard);
    }

    #[test]
    fn a_long_key_is_cut_in_the_path() {
        let mut map = Map::new();
        map.insert("k".repeat(100_000).into(), Dynamic::from_float(f64::INFINITY));
        assert!(refused(&Dynamic::from_map(map), WIDE).len() < 300);
    }
}
