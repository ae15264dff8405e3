//! The canonical text of a type, and serde by way of it. Never prints a description.

use super::{Field, ForeignSchema, Type};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// The canonical form, which [`Type::parse`] reads back as the same type.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("()"),
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Int(range) => write!(f, "int{range}"),
            Self::Float(range) => write!(f, "float{range}"),
            Self::String(length) => write!(f, "string{length}"),
            Self::Literal(text) => f.write_str(&quoted(text)),
            Self::Array(items, length) => write!(f, "{}[]{length}", Tight(items)),
            Self::Map(values, length) => write!(f, "map<string, {values}>{length}"),
            Self::Object(fields) => print_object(fields, f),
            Self::ObjectByLines => f.write_str("object"),
            Self::Union(alternatives) => print_union(alternatives, f),
            Self::Nullable(inner) => write!(f, "{}?", Tight(inner)),
            // For people; its text is its schema.
            Self::Foreign(_) => f.write_str("any"),
        }
    }
}

/// A type before a postfix: a union needs parentheses there.
struct Tight<'a>(&'a Type);

impl fmt::Display for Tight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            union @ Type::Union(_) => write!(f, "({union})"),
            other => other.fmt(f),
        }
    }
}

fn print_union(alternatives: &[Type], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, alternative) in alternatives.iter().enumerate() {
        let separator = if index == 0 { "" } else { " | " };
        write!(f, "{separator}{alternative}")?;
    }
    Ok(())
}

fn print_object(fields: &[Field], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if fields.is_empty() {
        return f.write_str("{}");
    }
    for (index, field) in fields.iter().enumerate() {
        f.write_str(if index == 0 { "{ " } else { ", " })?;
        print_field(field, f)?;
    }
    f.write_str(" }")
}

fn print_field(field: &Field, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&key(&field.name))?;
    match &field.kind {
        Type::Nullable(inner) => write!(f, "?: {inner}")?,
        kind => write!(f, ": {kind}")?,
    }
    match &field.default {
        Some(default) => write!(f, " = {default}"),
        None => Ok(()),
    }
}

/// A field's name as it is written: bare where it is an identifier.
pub(super) fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { quoted(name) }
}

/// Whether it is `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// As the canonical text, and a foreign schema as itself.
impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Foreign(foreign) => foreign.serialize(serializer),
            kind => serializer.collect_str(kind),
        }
    }
}

/// By parsing the text; what is no text is a foreign schema.
impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Self::parse_stored(&text).map_err(serde::de::Error::custom),
            schema => ForeignSchema::deserialize(schema)
                .map(Self::Foreign)
                .map_err(serde::de::Error::custom),
        }
    }
}
