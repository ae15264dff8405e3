//! Schemas as servers write them, and as nobody should.

use super::*;
use serde_json::json;

/// What is wrong, as `path: expected`.
fn found(schema: Value, value: Value) -> Vec<String> {
    let found = JsonSchema::new(schema).check(&value);
    found.into_iter().map(|one| format!("{}: {:?} {}", one.path, one.kind, one.expected)).collect()
}

#[test]
fn what_servers_write_is_checked() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "path": { "type": "string", "minLength": 1, "pattern": "^[a-z/]+$" },
            "count": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 },
            "mode": { "enum": ["read", "write"] },
            "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 2, "uniqueItems": true },
            "when": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
            "edit": { "$ref": "#/$defs/edit" },
        },
        "required": ["path"],
        "additionalProperties": false,
        "$defs": { "edit": { "type": "object", "required": ["old"], "properties": { "old": { "type": "string" } } } },
    });
    for (value, expected) in [
        (
            json!({ "path": "a/b", "count": 9, "mode": "read", "tags": ["a"], "when": null, "edit": { "old": "" } }),
            &[][..],
        ),
        (json!({ "path": "a", "count": 2.0 }), &[]),
        (json!({}), &["path: Missing string"]),
        (json!({ "path": 1 }), &["path: Type string"]),
        (
            json!({ "path": "" }),
            &["path: Bounds 1 characters or more", "path: Bounds text like `^[a-z/]+$`"],
        ),
        (json!({ "path": "a", "count": 10 }), &["count: Bounds less than 10"]),
        (json!({ "path": "a", "count": 1.5 }), &["count: Type integer"]),
        (json!({ "path": "a", "mode": "x" }), &["mode: Type \"read\" | \"write\""]),
        (json!({ "path": "a", "tags": ["a", 1] }), &["tags[1]: Type string"]),
        (
            json!({ "path": "a", "tags": ["a", "a"] }),
            &["tags: Bounds items that differ from each other"],
        ),
        (json!({ "path": "a", "tags": ["a", "b", "c"] }), &["tags: Bounds 2 items or fewer"]),
        (json!({ "path": "a", "when": 1 }), &["when: Type null | string"]),
        (json!({ "path": "a", "edit": {} }), &["edit.old: Missing string"]),
        (json!({ "path": "a", "paht": 1 }), &["paht: Unknown path, count, mode, tags, when, edit"]),
        (json!([]), &[": Type object"]),
    ] {
        assert_eq!(found(schema.clone(), value.clone()), expected, "{value}");
    }
}

#[test]
fn every_keyword_that_is_known_refuses() {
    for (schema, right, wrong) in [
        (json!(false), None, json!(1)),
        (json!({ "const": { "a": [1] } }), Some(json!({ "a": [1.0] })), json!({ "a": [2] })),
        (json!({ "type": ["string", "null"] }), Some(json!(null)), json!(1)),
        (json!({ "multipleOf": 0.1 }), Some(json!(0.3)), json!(0.35)),
        (json!({ "multipleOf": 3 }), Some(json!(9_007_199_254_740_993_i64)), json!(10)),
        (json!({ "maximum": 5 }), Some(json!("x")), json!(6)),
        (json!({ "minimum": 5, "exclusiveMinimum": true }), Some(json!(6)), json!(5)),
        (json!({ "minLength": 2, "maxLength": 2 }), Some(json!("äö")), json!("ä")),
        (json!({ "pattern": "^(?=x)" }), Some(json!("looking around is let pass")), Value::Null),
        (
            json!({ "prefixItems": [{ "type": "string" }], "items": false }),
            Some(json!(["a"])),
            json!(["a", 1]),
        ),
        (
            json!({ "items": [{ "type": "string" }], "additionalItems": { "type": "null" } }),
            Some(json!(["a", null])),
            json!(["a", 1]),
        ),
        (
            json!({ "contains": { "const": 1 }, "maxContains": 1 }),
            Some(json!([2, 1])),
            json!([1, 1]),
        ),
        (
            json!({ "patternProperties": { "^x-": { "type": "integer" } }, "additionalProperties": false }),
            Some(json!({ "x-a": 1 })),
            json!({ "y": 1 }),
        ),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            Some(json!({ "a": "" })),
            json!({ "a": 1 }),
        ),
        (
            json!({ "propertyNames": { "pattern": "^[a-z]$" } }),
            Some(json!({ "a": 1 })),
            json!({ "A": 1 }),
        ),
        (json!({ "minProperties": 1, "maxProperties": 1 }), Some(json!({ "a": 1 })), json!({})),
        (
            json!({ "dependentRequired": { "a": ["b"] } }),
            Some(json!({ "b": 1 })),
            json!({ "a": 1 }),
        ),
        (
            json!({ "dependencies": { "a": { "required": ["b"] } } }),
            Some(json!({ "a": 1, "b": 1 })),
            json!({ "a": 1 }),
        ),
        (json!({ "allOf": [{ "type": "integer" }, { "minimum": 2 }] }), Some(json!(2)), json!(1)),
        (json!({ "oneOf": [{ "type": "integer" }, { "minimum": 2 }] }), Some(json!(1)), json!(2)),
        (json!({ "not": { "type": "string" } }), Some(json!(1)), json!("")),
        (
            json!({ "if": { "const": 1 }, "then": true, "else": { "type": "string" } }),
            Some(json!(1)),
            json!(2),
        ),
        (
            json!({ "$ref": "#/a%20b/c~1d", "a b": { "c/d": { "type": "null" } } }),
            Some(json!(null)),
            json!(1),
        ),
        (json!({ "$ref": "https://example.com/elsewhere" }), Some(json!(1)), Value::Null),
        (json!({ "type": "strnig", "format": "email" }), Some(json!("no address")), Value::Null),
    ] {
        if let Some(right) = right {
            assert_eq!(found(schema.clone(), right.clone()), [""; 0], "{schema} takes {right}");
        }
        let is_open = schema.to_string().contains("(?=")
            || schema.get("format").is_some()
            || schema.to_string().contains("elsewhere");
        if !is_open {
            assert!(!found(schema.clone(), wrong.clone()).is_empty(), "{schema} refuses {wrong}");
        }
    }
}

#[test]
fn what_is_wrong_inside_of_the_one_form_that_could_be_meant_is_said() {
    let schema = json!({ "anyOf": [
        { "type": "string" },
        { "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } },
    ] });
    assert_eq!(found(schema.clone(), json!({ "city": 1 })), ["city: Type string"]);
    assert_eq!(found(schema, json!(1)), [": Type object | string"]);
}

#[test]
fn a_schema_that_never_ends_takes_nothing() {
    let mut doubling = Map::new();
    for level in 0..60 {
        let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
        doubling.insert(format!("l{level}"), json!({ "allOf": [next.clone(), next] }));
    }
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
        json!({ "anyOf": [{ "not": { "$ref": "#" } }] }),
        json!({ "$ref": "#/$defs/l0", "$defs": doubling }),
    ] {
        let found = JsonSchema::new(schema).check(&json!({}));
        assert_eq!(found.len(), 1);
        assert!(found[0].expected.contains("bounded time"), "{:?}", found[0]);
    }
    // One that comes back to itself on a part of the value ends with the value.
    let tree = json!({ "type": "object", "additionalProperties": { "$ref": "#" } });
    assert_eq!(found(tree.clone(), json!({ "a": { "b": {} } })), [""; 0]);
    assert_eq!(found(tree, json!({ "a": { "b": 1 } })), ["a.b: Type object"]);
}

#[test]
fn a_pattern_takes_no_longer_than_its_text() {
    let schema = json!({ "pattern": "^(a+)+$" });
    assert_eq!(found(schema, json!("a".repeat(40_000) + "!")).len(), 1);
    let huge = json!({ "pattern": "(\\w{1000}){1000}" });
    assert_eq!(found(huge, json!("x")), [""; 0], "it is not compiled, and lets everything pass");
}

#[test]
fn mismatches_are_bounded_in_number() {
    let schema = json!({ "items": { "type": "string" } });
    let found = found(schema, json!(vec![1; 10_000]));
    assert!(found.len() <= MAX_MISMATCHES, "{}", found.len());
}
