//! Files of JSON that belong to other programs, with comments or without: what is not changed stays to the
//! letter.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

/// What is allowed is what those programs allow; anything else is perhaps not read by them either.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The whole file.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<CstRootNode, String> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| error.to_string())
}

/// The object that keys lead to, where it is there.
///
/// # Errors
///
/// Something else has its place, or has it twice.
pub(super) fn find(root: &CstRootNode, keys: &[&str]) -> Result<Option<CstObject>, String> {
    if root.value().is_none() {
        return Ok(None);
    }
    let mut object = root.object_value().ok_or("it does not hold an object")?;
    for key in keys {
        let Some(property) = child(&object, key)? else { return Ok(None) };
        object = property.object_value().ok_or_else(|| format!("`{key}` in it is no object"))?;
    }
    Ok(Some(object))
}

/// The property of that name. Where it stands twice, nobody knows which one counts.
///
/// # Errors
///
/// It stands there twice.
pub(super) fn child(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, String> {
    let is_it = |property: &CstObjectProp| property.decoded_name().as_deref() == Some(name);
    let mut found = object.properties().into_iter().filter(is_it);
    let first = found.next();
    match found.next() {
        Some(_) => Err(format!("`{name}` stands in it twice")),
        None => Ok(first),
    }
}

/// The text of a changed file; one that was empty before ends with a line break.
pub(super) fn written(root: &CstRootNode, is_new: bool) -> String {
    let text = root.to_string();
    if is_new && !text.ends_with('\n') { text + "\n" } else { text }
}

/// A value, to be put into a file.
pub(super) fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(is_true) => CstInputValue::Bool(*is_true),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}
