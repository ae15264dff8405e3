//! What people write who come from other languages, and what to write here. Never parses it.

use crate::diagnostic::nearest;

/// The words that are types, for a did-you-mean.
pub(super) const WORDS: [&str; 8] =
    ["string", "int", "float", "bool", "any", "array", "map", "object"];

/// What to write instead of a word that is no type.
pub(super) fn instead_of(word: &str) -> String {
    if let Some(known) = by_habit(word) {
        return known.to_owned();
    }
    let lower = if word.len() <= 32 { word.to_ascii_lowercase() } else { String::new() };
    match nearest(&lower, WORDS) {
        Some("array") => ARRAY.to_owned(),
        Some("map") => MAP.to_owned(),
        Some("object") => OBJECT.to_owned(),
        Some(known) => format!("did you mean `{known}`?"),
        None => "the types are `string`, `int`, `float`, `bool`, `any`, `T[]`, `map<string, T>`, \
                 `{ name: T }`, `\"a\" | \"b\"` and `T?`"
            .to_owned(),
    }
}

pub(super) const ARRAY: &str = "write `T[]`, as in `string[]`, or `any[]` for items of any type";
pub(super) const MAP: &str = "write `map<string, T>`, as in `map<string, int>`";
pub(super) const OBJECT: &str =
    "write the fields, as in `{ name: string, age?: int }`, or `map<string, any>` for any fields";
const OPTIONAL: &str = "write `T?`, as in `string?`: it may be null or left out";
const UNION: &str = "write `A | B`, as in `int | string`";
const LITERALS: &str = "write the texts themselves: `\"a\" | \"b\"`";
pub(super) const NULL: &str =
    "write `T?` for what may be null or left out, or `()` for a result that carries nothing";

fn by_habit(word: &str) -> Option<&'static str> {
    Some(match word {
        "str" | "String" | "text" | "Text" | "char" | "STRING" | "Str" => "write `string`",
        "integer" | "Integer" | "i64" | "i32" | "u64" | "u32" | "u8" | "usize" | "isize"
        | "long" | "short" | "Int" | "INT" | "bigint" => "write `int`",
        "number" | "Number" | "num" | "numeric" | "decimal" => {
            "write `int` for whole numbers, `float` for all others"
        }
        "double" | "f64" | "f32" | "real" | "Float" | "FLOAT" => "write `float`",
        "boolean" | "Boolean" | "Bool" | "BOOL" | "true" | "false" | "True" | "False" => {
            "write `bool`"
        }
        "list" | "List" | "array" | "Array" | "vec" | "Vec" | "tuple" | "Tuple" | "set" | "Set"
        | "Sequence" | "Iterable" | "slice" => ARRAY,
        "dict" | "Dict" | "Record" | "record" | "HashMap" | "Map" | "map" | "hash" | "Mapping" => {
            MAP
        }
        "object" | "Object" | "struct" | "class" => OBJECT,
        "Optional" | "optional" | "Option" | "Maybe" | "maybe" | "nullable" | "Nullable" => {
            OPTIONAL
        }
        "Union" | "union" | "oneOf" | "anyOf" | "Either" => UNION,
        "Literal" | "enum" | "Enum" | "choice" => LITERALS,
        "null" | "nil" | "None" | "none" | "undefined" | "void" | "unit" | "Null" => NULL,
        "Any" | "unknown" | "mixed" | "dynamic" | "Dynamic" | "value" | "json" | "JSON" => {
            "write `any`"
        }
        "date" | "Date" | "datetime" | "time" | "url" | "uri" | "uuid" | "email" | "path"
        | "bytes" => "write `string`, and say its form in the description",
        _ => return None,
    })
}
