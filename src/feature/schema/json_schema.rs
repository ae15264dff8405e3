//! Types as JSON Schema 2020-12, in the subset that every client reads: no `format`, no `$ref`, no
//! `$schema`.

use super::{Field, FloatRange, IntRange, LengthRange, Parameters, RangeEnd, Type};
use serde_json::{Map, Value, json};

pub(super) type Schema = Map<String, Value>;

impl Type {
    /// The JSON Schema of this type.
    pub fn to_json_schema(&self) -> Value {
        Value::Object(schema(self))
    }
}

impl Parameters {
    /// The JSON Schema of the arguments: a closed object, in declared order.
    pub fn to_json_schema(&self) -> Value {
        let parts = self.iter().map(|parameter| Part {
            name: parameter.argument_name(),
            kind: &parameter.kind,
            default: parameter.default.as_ref(),
            description: &parameter.description,
            required: parameter.is_required(),
        });
        Value::Object(object(parts))
    }
}

/// A parameter or a field.
struct Part<'a> {
    name: &'a str,
    kind: &'a Type,
    default: Option<&'a Value>,
    description: &'a str,
    required: bool,
}

impl<'a> Part<'a> {
    fn of(field: &'a Field) -> Self {
        Self {
            name: &field.name,
            kind: &field.kind,
            default: field.default.as_ref(),
            description: &field.description,
            required: field.is_required(),
        }
    }

    fn schema(&self) -> Schema {
        let mut schema = schema(self.kind);
        if !self.description.is_empty() {
            // First, where a model reads it before the details.
            schema.shift_insert(0, "description".to_owned(), self.description.into());
        }
        if let Some(default) = self.default {
            schema.insert("default".to_owned(), default.clone());
        }
        schema
    }
}

pub(super) fn schema(kind: &Type) -> Schema {
    match kind {
        Type::Any => Schema::new(),
        Type::Null => typed("null"),
        Type::Bool => typed("boolean"),
        Type::Int(range) => int(*range),
        Type::Float(range) => float(*range),
        Type::String(length) => sized(typed("string"), *length, "minLength", "maxLength"),
        Type::Literal(text) => literals(&[text]),
        Type::Array(items, length) => {
            let mut schema = typed("array");
            schema.insert("items".to_owned(), items.to_json_schema());
            sized(schema, *length, "minItems", "maxItems")
        }
        Type::Map(values, length) => {
            let mut schema = typed("object");
            schema.insert("additionalProperties".to_owned(), values.to_json_schema());
            sized(schema, *length, "minProperties", "maxProperties")
        }
        Type::Object(fields) => object(fields.iter().map(Part::of)),
        Type::ObjectByLines => typed("object"),
        Type::Union(alternatives) => union(alternatives),
        Type::Nullable(inner) => nullable(schema(inner)),
    }
}

pub(super) fn typed(name: &str) -> Schema {
    Schema::from_iter([("type".to_owned(), name.into())])
}

fn int(range: IntRange) -> Schema {
    let mut schema = typed("integer");
    insert(&mut schema, "minimum", range.min());
    insert(&mut schema, "maximum", range.max());
    schema
}

fn float(range: FloatRange) -> Schema {
    let mut schema = typed("number");
    insert(&mut schema, "minimum", range.min());
    let maximum = match range.end() {
        RangeEnd::Included => "maximum",
        RangeEnd::Excluded => "exclusiveMaximum",
    };
    insert(&mut schema, maximum, range.max());
    schema
}

pub(super) fn sized(mut schema: Schema, length: LengthRange, min: &str, max: &str) -> Schema {
    insert(&mut schema, min, Some(length.min()).filter(|&min| min > 0));
    insert(&mut schema, max, length.max());
    schema
}

fn insert(schema: &mut Schema, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        schema.insert(key.to_owned(), value.into());
    }
}

fn literals(texts: &[&str]) -> Schema {
    let mut schema = typed("string");
    schema.insert("enum".to_owned(), json!(texts));
    schema
}

fn object<'a>(parts: impl Iterator<Item = Part<'a>>) -> Schema {
    let mut properties = Schema::new();
    let mut required = Vec::new();
    for part in parts {
        if part.required {
            required.push(Value::from(part.name));
        }
        properties.insert(part.name.to_owned(), Value::Object(part.schema()));
    }
    let mut schema = typed("object");
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    schema
}

/// One `enum` for all literals, and `anyOf` where there is anything else.
fn union(alternatives: &[Type]) -> Schema {
    let mut texts: Vec<&str> = Vec::new();
    let mut others = Vec::new();
    for alternative in alternatives {
        match alternative {
            Type::Literal(text) => texts.push(text),
            other => others.push(other.to_json_schema()),
        }
    }
    if others.is_empty() {
        return literals(&texts);
    }
    if !texts.is_empty() {
        others.insert(0, Value::Object(literals(&texts)));
    }
    Schema::from_iter([("anyOf".to_owned(), Value::Array(others))])
}

/// The schema with null allowed as well.
fn nullable(mut schema: Schema) -> Schema {
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.push(json!({ "type": "null" }));
    }
    if let Some(Value::Array(texts)) = schema.get_mut("enum") {
        texts.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}
