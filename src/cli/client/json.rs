//! Servers in a file of JSON, with comments or without: what is not changed stays to the letter.

use crate::cli::jsonc::{child, find, input, parse, written};
use serde_json::Value;

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
    Ok(written(&root, is_new))
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
