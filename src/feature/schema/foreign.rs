//! A schema that somebody else wrote, in all of JSON Schema: shown as it is, and checked by whoever
//! brought it.
//!
//! Nothing here reads the schema: how it is understood is for its checker to say.

use super::Mismatch;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Holds values against a schema that the [`Type`](super::Type)s of this crate cannot express.
pub trait SchemaCheck: Send + Sync {
    /// Every place where the value does not fit, up to [`MAX_MISMATCHES`](super::MAX_MISMATCHES).
    /// Ends in a bounded time, whatever the schema says.
    fn check(&self, value: &Value) -> Vec<Mismatch>;
}

/// Such a schema. Clones share it.
///
/// Serde writes the schema alone; what is read back takes every object, for there is nobody to check it.
#[derive(Clone)]
pub struct ForeignSchema {
    schema: Arc<Value>,
    check: Option<Arc<dyn SchemaCheck>>,
}

impl ForeignSchema {
    /// A schema, and what holds values against it.
    pub fn new(schema: Value, check: Arc<dyn SchemaCheck>) -> Self {
        Self { schema: Arc::new(schema), check: Some(check) }
    }

    /// The schema, as it was given.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Whether the schema takes objects alone, as far as its first line says.
    pub(super) fn is_object(&self) -> bool {
        self.schema.get("type").and_then(Value::as_str) == Some("object")
    }

    pub(super) fn check(&self, value: &Value) -> Vec<Mismatch> {
        self.check.as_ref().map_or_else(Vec::new, |check| check.check(value))
    }
}

/// By the schema alone.
impl PartialEq for ForeignSchema {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl Eq for ForeignSchema {}

impl fmt::Debug for ForeignSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignSchema").field(&self.schema).finish()
    }
}

impl Serialize for ForeignSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.schema.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ForeignSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let schema = Value::deserialize(deserializer)?;
        Ok(Self { schema: Arc::new(schema), check: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MismatchKind, Parameters, Type};
    use super::*;
    use serde_json::json;

    /// Refuses everything but an object with the field `a`.
    struct WantsA;

    impl SchemaCheck for WantsA {
        fn check(&self, value: &Value) -> Vec<Mismatch> {
            let missing = Mismatch {
                kind: MismatchKind::Missing,
                path: "a".into(),
                expected: "any".into(),
                got: "nothing".into(),
                help: None,
            };
            if value.get("a").is_some() { Vec::new() } else { vec![missing] }
        }
    }

    fn schema() -> ForeignSchema {
        let schema = json!({ "type": "object", "required": ["a"], "x-own": [1, 2] });
        ForeignSchema::new(schema, Arc::new(WantsA))
    }

    #[test]
    fn a_foreign_schema_is_shown_as_it_is_and_checked_by_whoever_brought_it() {
        let parameters = Parameters::of_schema(schema());
        assert_eq!(parameters.to_json_schema(), *schema().schema());
        let given = json!({ "b": 1, "a": null });
        let checked = parameters.check_value(given.clone()).expect("it fits");
        assert_eq!(Value::Object(checked.as_map().clone()), given);
        let found = parameters.check_value(json!({ "b": 1 })).expect_err("`a` is missing");
        assert_eq!(found[0].kind, MismatchKind::Missing);
        assert!(parameters.check_value(json!([1])).is_err(), "no object");
        let returns = Type::Foreign(schema());
        assert!(returns.is_object() && returns.check(json!({ "a": 1 })).is_ok());
        assert!(returns.check(json!({})).is_err());
    }

    #[test]
    fn a_foreign_schema_is_written_and_read_back_without_its_checker() {
        let parameters = Parameters::of_schema(schema());
        let text = serde_json::to_string(&parameters).expect("it is JSON");
        let back: Parameters = serde_json::from_str(&text).expect("it was written so");
        assert_eq!(back, parameters);
        assert!(back.check_value(json!({})).is_ok(), "nobody checks it");
        let text = serde_json::to_string(&Type::Foreign(schema())).expect("it is JSON");
        assert_eq!(serde_json::from_str::<Type>(&text).ok(), Some(Type::Foreign(schema())));
    }
}
