//! The type language that scripts and features written in Rust share: `string`, `int(1..=100)`,
//! `{ name: string, tags: string[]? }`, …
//!
//! A type is parsed from text, printed in one canonical form, turned into JSON Schema 2020-12, and
//! checked against JSON values. `docs/annotations.md` holds the grammar; its examples are the
//! tests. Nothing here knows a script engine or MCP, opens a file, or coerces a value beyond what
//! JSON's single number type asks for.

mod check;
mod cursor;
mod error;
mod form;
mod habit;
mod json_schema;
mod literal;
mod mismatch;
mod nested;
mod parameter;
mod parse;
mod print;
mod range;
#[cfg(test)]
mod tests;

pub use error::TypeError;
pub use literal::{parse_default, parse_default_prefix, parse_value, parse_value_prefix};
pub use mismatch::{Mismatch, MismatchKind, Subject};
pub use parameter::{Arguments, ChoiceStyle, Labels, Parameter, Parameters};
pub use range::{FloatRange, IntRange, LengthRange, RangeEnd};

use serde_json::Value;

/// Containers (arrays, maps, objects) that a type may nest.
pub const MAX_TYPE_DEPTH: usize = 32;
/// Alternatives of one union, and fields of one object.
pub const MAX_TYPE_PARTS: usize = 256;
/// Bytes of a type, a default or a value in an annotation.
pub const MAX_TYPE_TEXT: usize = 8 * 1024;
/// Arrays and objects that a checked value may nest; `serde_json` stops parsing there as well.
pub const MAX_VALUE_DEPTH: usize = 128;
/// Mismatches that one check reports.
pub const MAX_MISMATCHES: usize = 20;

/// What a value may be.
///
/// [`Type::parse`] makes one from text, and `Display` prints the canonical text; serde uses that
/// same text. Descriptions of fields are no part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `()`: null, as the result of a function that returns nothing.
    Null,
    /// `any`: every value, null included.
    Any,
    /// `bool`
    Bool,
    /// `int`, `int(1..=100)`: an integer within the range of `i64`.
    Int(IntRange),
    /// `float`, `float(0.0..=1.0)`: a finite number.
    Float(FloatRange),
    /// `string`, `string(..=200)`: the length counts characters.
    String(LengthRange),
    /// `"a"`: this text and no other.
    Literal(String),
    /// `T[]`, `T[](..=50)`
    Array(Box<Type>, LengthRange),
    /// `map<string, T>`, `map<string, T>(..=50)`
    Map(Box<Type>, LengthRange),
    /// `{ name: T, other?: T }`: these fields and no others.
    Object(Vec<Field>),
    /// `object`: an object whose fields are given by nested `@param` lines. Only parameters may be
    /// written so, and [`Parameters::finish`] refuses what no line has filled in.
    ObjectByLines,
    /// `A | B`. [`Type::union`] makes one: flat, without repeats, never with a null in it.
    Union(Vec<Type>),
    /// `T?`: may be null or left out. [`Type::optional`] makes one.
    Nullable(Box<Type>),
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub name: String,
    /// What its value may be; a [`Type::Nullable`] field may be left out.
    pub kind: Type,
    /// The value of a field that was left out.
    pub default: Option<Value>,
    /// What it is for; empty when nobody said.
    pub description: String,
}

impl Type {
    /// Gives back memory that nothing needs.
    pub(super) fn shrink_to_fit(&mut self) {
        match self {
            Self::Array(kind, _) | Self::Map(kind, _) | Self::Nullable(kind) => {
                kind.shrink_to_fit();
            }
            Self::Object(fields) => {
                fields.shrink_to_fit();
                for field in fields {
                    field.kind.shrink_to_fit();
                    field.description.shrink_to_fit();
                }
            }
            Self::Union(kinds) => {
                kinds.shrink_to_fit();
                kinds.iter_mut().for_each(Self::shrink_to_fit);
            }
            Self::Literal(text) => text.shrink_to_fit(),
            _ => (),
        }
    }
}

impl Field {
    /// A field without default and description.
    pub fn new(name: impl Into<String>, kind: Type) -> Self {
        Self { name: name.into(), kind, default: None, description: String::new() }
    }

    /// Adds what it is for.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !self.kind.is_optional()
    }

    /// Sets a default that was checked against the type.
    fn with_default(self, default: Option<Value>) -> Self {
        let (kind, default) = settled(self.kind, default);
        Self { kind, default, ..self }
    }
}

/// A type and its default in their one form: a default of null means the same as `T?`.
fn settled(kind: Type, default: Option<Value>) -> (Type, Option<Value>) {
    match default {
        Some(Value::Null) => (kind.optional(), None),
        other => (kind, other),
    }
}

impl Type {
    /// `int` without bounds.
    pub fn int() -> Self {
        Self::Int(IntRange::default())
    }

    /// `float` without bounds.
    pub fn float() -> Self {
        Self::Float(FloatRange::default())
    }

    /// `string` without bounds.
    pub fn string() -> Self {
        Self::String(LengthRange::default())
    }

    /// `T[]` without bounds.
    pub fn array(items: Self) -> Self {
        Self::Array(Box::new(items), LengthRange::default())
    }

    /// `map<string, T>` without bounds.
    pub fn map(values: Self) -> Self {
        Self::Map(Box::new(values), LengthRange::default())
    }

    /// `T?`; a type that may be left out already stays as it is.
    #[must_use]
    pub fn optional(self) -> Self {
        if self.is_optional() { self } else { Self::Nullable(Box::new(self)) }
    }

    /// `A | B | …`: flattened and without repeats. A null among the alternatives makes the whole
    /// optional, one alternative alone is itself, and none is `()`.
    pub fn union(alternatives: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        let mut nullable = false;
        for alternative in alternatives {
            flatten(alternative, &mut flat, &mut nullable);
        }
        let whole = match flat.len() {
            0 => return Self::Null,
            1 => flat.remove(0),
            _ => Self::Union(flat),
        };
        if nullable { whole.optional() } else { whole }
    }

    /// Whether a parameter or field of this type may be left out.
    pub fn is_optional(&self) -> bool {
        matches!(self, Self::Nullable(_) | Self::Null)
    }

    /// Whether the JSON Schema is an object at its root, as MCP asks of an `outputSchema`.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Map(..) | Self::ObjectByLines)
    }

    /// How many containers are nested, this one included.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Array(inner, _) | Self::Map(inner, _) => 1 + inner.depth(),
            Self::Object(fields) => {
                1 + fields.iter().map(|field| field.kind.depth()).max().unwrap_or(0)
            }
            Self::Union(alternatives) => alternatives.iter().map(Self::depth).max().unwrap_or(0),
            Self::Nullable(inner) => inner.depth(),
            Self::ObjectByLines => 1,
            _ => 0,
        }
    }
}

fn flatten(kind: Type, flat: &mut Vec<Type>, nullable: &mut bool) {
    match kind {
        Type::Null => *nullable = true,
        Type::Nullable(inner) => {
            *nullable = true;
            flatten(*inner, flat, nullable);
        }
        Type::Union(alternatives) => {
            for alternative in alternatives {
                flatten(alternative, flat, nullable);
            }
        }
        other if flat.contains(&other) => {}
        other => flat.push(other),
    }
}
