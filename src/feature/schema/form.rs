//! Parameters as a form that a person fills in: one flat object of plain fields, as the elicitation
//! of MCP has it. What may be left out is left out, and never null.

use super::json_schema::{Schema, schema, sized, typed};
use super::{ChoiceStyle, Labels, Parameters, Type};
use serde_json::{Value, json};

impl Type {
    /// Whether a person can give a value of this type in one field of a form: a text, a number, yes or
    /// no, one of several texts, or some of them.
    pub fn fits_a_form(&self) -> bool {
        match self {
            Self::Nullable(inner) => inner.fits_a_form(),
            Self::Bool | Self::Int(_) | Self::Float(_) | Self::String(_) => true,
            Self::Array(items, _) => choices(items).is_some(),
            other => choices(other).is_some(),
        }
    }
}

/// The texts that a type lets choose from, where it is nothing else.
fn choices(kind: &Type) -> Option<Vec<&str>> {
    match kind {
        Type::Union(alternatives) => alternatives.iter().map(literal).collect(),
        other => literal(other).map(|text| vec![text]),
    }
}

fn literal(kind: &Type) -> Option<&str> {
    match kind {
        Type::Literal(text) => Some(text),
        _ => None,
    }
}

impl Parameters {
    /// The JSON Schema of a form with a field for each parameter. One of a type that does not
    /// fit a form ([`Type::fits_a_form`]) is there with the schema that an argument would have.
    pub fn to_form_schema(&self) -> Value {
        let mut properties = Schema::new();
        let mut required = Vec::new();
        for parameter in self {
            let name = parameter.argument_name();
            if parameter.is_required() {
                required.push(Value::from(name));
            }
            let mut field = field(&parameter.kind, &parameter.labels);
            let Labels { title, .. } = &parameter.labels;
            for (key, text) in [("description", &parameter.description), ("title", title)] {
                if !text.is_empty() {
                    field.shift_insert(0, key.to_owned(), text.as_str().into());
                }
            }
            if let Some(default) = &parameter.default {
                field.insert("default".to_owned(), default.clone());
            }
            properties.insert(name.to_owned(), Value::Object(field));
        }
        let mut form = typed("object");
        form.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            form.insert("required".to_owned(), Value::Array(required));
        }
        Value::Object(form)
    }
}

fn field(kind: &Type, labels: &Labels) -> Schema {
    match kind {
        Type::Nullable(inner) => field(inner, labels),
        Type::Array(items, length) => match choices(items) {
            Some(texts) => {
                let mut list = typed("array");
                list.insert("items".to_owned(), Value::Object(several(&texts, labels)));
                sized(list, *length, "minItems", "maxItems")
            }
            None => schema(kind),
        },
        other => match choices(other) {
            Some(texts) => one(&texts, labels),
            None => schema(other),
        },
    }
}

/// A `const` with what a person reads in its place, for each text.
fn titled(texts: &[&str], labels: &Labels) -> Value {
    let title = |text: &str| labels.choices.get(text).map_or(text, String::as_str).to_owned();
    texts.iter().map(|text| json!({ "const": text, "title": title(text) })).collect()
}

/// One of these texts.
fn one(texts: &[&str], labels: &Labels) -> Schema {
    let mut schema = typed("string");
    match labels.style {
        _ if labels.choices.is_empty() => {
            schema.insert("enum".to_owned(), json!(texts));
        }
        ChoiceStyle::Const => {
            schema.insert("oneOf".to_owned(), titled(texts, labels));
        }
        ChoiceStyle::EnumNames => {
            let names = texts.iter().map(|text| labels.choices.get(*text).map_or(*text, |n| n));
            schema.insert("enum".to_owned(), json!(texts));
            schema.insert("enumNames".to_owned(), names.collect());
        }
    }
    schema
}

/// What each of several chosen texts may be.
fn several(texts: &[&str], labels: &Labels) -> Schema {
    if labels.choices.is_empty() {
        return one(texts, labels);
    }
    Schema::from_iter([("anyOf".to_owned(), titled(texts, labels))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn form(fields: &[(&str, &str, Option<Value>)]) -> Parameters {
        let mut parameters = Parameters::new();
        for (name, kind, default) in fields {
            let kind = Type::parse(kind).expect("a type");
            assert!(kind.fits_a_form(), "{kind}");
            parameters.add(name, kind, default.clone(), "").expect("a parameter");
        }
        parameters
    }

    #[test]
    fn a_form_is_flat_and_never_asks_for_null() {
        let mut parameters = form(&[
            ("age", "int(0..=150)", Some(json!(30))),
            ("nick", "string(..=20)?", None),
            ("size", "\"s\" | \"m\"", None),
            ("tags", "(\"a\" | \"b\")[](1..=2)", None),
        ]);
        let labels = Labels { title: "How old".into(), ..Labels::default() };
        parameters.label("age", labels);
        assert_eq!(
            parameters.to_form_schema(),
            json!({
                "type": "object",
                "properties": {
                    "age": {
                        "title": "How old", "type": "integer", "minimum": 0, "maximum": 150,
                        "default": 30,
                    },
                    "nick": { "type": "string", "maxLength": 20 },
                    "size": { "type": "string", "enum": ["s", "m"] },
                    "tags": {
                        "type": "array", "items": { "type": "string", "enum": ["a", "b"] },
                        "minItems": 1, "maxItems": 2,
                    },
                },
                "required": ["size", "tags"],
            })
        );
    }

    #[test]
    fn choices_have_titles_in_three_forms() {
        let two = "\"a\" | \"b\"";
        let list = format!("({two})[]");
        let mut parameters = form(&[("one", two, None), ("old", two, None), ("many", &list, None)]);
        let choices = BTreeMap::from([("a".to_owned(), "First".to_owned())]);
        for (name, style) in [
            ("one", ChoiceStyle::Const),
            ("old", ChoiceStyle::EnumNames),
            ("many", ChoiceStyle::Const),
        ] {
            let labels = Labels { choices: choices.clone(), style, ..Labels::default() };
            parameters.label(name, labels);
        }
        let titled = json!([{ "const": "a", "title": "First" }, { "const": "b", "title": "b" }]);
        let schema = parameters.to_form_schema();
        assert_eq!(schema["properties"]["one"], json!({ "type": "string", "oneOf": titled }));
        assert_eq!(
            schema["properties"]["old"],
            json!({ "type": "string", "enum": ["a", "b"], "enumNames": ["First", "b"] })
        );
        assert_eq!(
            schema["properties"]["many"],
            json!({ "type": "array", "items": { "anyOf": titled } })
        );
        // What serde writes is what it reads.
        let stored = serde_json::to_value(&parameters).expect("plain data");
        let read: Parameters = serde_json::from_value(stored).expect("it was written so");
        assert_eq!(read, parameters);
    }

    #[test]
    fn what_no_field_can_hold_does_not_fit() {
        for kind in ["any", "string[]", "{ a: int }", "map<string, int>", "int | \"all\"", "()"] {
            let kind = Type::parse(kind).expect("a type");
            assert!(!kind.fits_a_form(), "{kind}");
        }
    }
}
