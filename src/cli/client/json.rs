//! Servers in a file of JSON, with comments or without: what is not changed stays to the letter.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

/// What is allowed is what the clients allow; anything else is perhaps not read by them either.
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

/// Every server of the file by its name; `None` where it has no such object.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn servers(text: &str, keys: &[&str]) -> Result<Option<Vec<(String, Value)>>, String> {
    let Some(servers) = find(&parse(text)?, keys)? else { return Ok(None) };
    let entries = servers.properties().into_iter().filter_map(|property| {
        Some((property.decoded_name()?, property.value()?.to_serde_value()?))
    });
    Ok(Some(entries.collect()))
}

/// The text with a server of that name, in place of the one that has it, or behind the others.
///
/// # Errors
///
/// As [`servers`].
pub(super) fn set(text: &str, keys: &[&str], name: &str, entry: &Value) -> Result<String, String> {
    let root = parse(text)?;
    let is_new = root.value().is_none();
    find(&root, keys)?;
    let mut object = root.object_value_or_set();
    for key in keys {
        object = object.object_value_or_set(key);
    }
    match child(&object, name)? {
        Some(there) => there.set_value(input(entry)),
        None => _ = object.append(name, input(entry)),
    }
    let text = root.to_string();
    Ok(if is_new && !text.ends_with('\n') { text + "\n" } else { text })
}

/// The text without the server of that name; `None` where there is none.
///
/// # Errors
///
/// As [`servers`].
pub(super) fn remove(text: &str, keys: &[&str], name: &str) -> Result<Option<String>, String> {
    let root = parse(text)?;
    let Some(servers) = find(&root, keys)? else { return Ok(None) };
    let Some(there) = child(&servers, name)? else { return Ok(None) };
    there.remove();
    Ok(Some(root.to_string()))
}

fn parse(text: &str) -> Result<CstRootNode, String> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| error.to_string())
}

fn find(root: &CstRootNode, keys: &[&str]) -> Result<Option<CstObject>, String> {
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
fn child(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, String> {
    let is_it = |property: &CstObjectProp| property.decoded_name().as_deref() == Some(name);
    let mut found = object.properties().into_iter().filter(is_it);
    let first = found.next();
    match found.next() {
        Some(_) => Err(format!("`{name}` stands in it twice")),
        None => Ok(first),
    }
}

fn input(value: &Value) -> CstInputValue {
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
