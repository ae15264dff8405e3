//! Servers in a file of TOML: what is not changed stays to the letter.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

/// As [`super::json::servers`].
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn servers(text: &str, keys: &[&str]) -> Result<Option<Vec<(String, Value)>>, String> {
    let document = parse(text)?;
    let Some(servers) = find(document.as_item(), keys)? else { return Ok(None) };
    Ok(Some(servers.iter().map(|(name, entry)| (name.to_owned(), value(entry))).collect()))
}

/// As [`super::json::set`].
///
/// # Errors
///
/// As [`servers`].
pub(super) fn set(text: &str, keys: &[&str], name: &str, entry: &Value) -> Result<String, String> {
    let mut document = parse(text)?;
    find(document.as_item(), keys)?;
    let mut item = document.as_item_mut();
    for key in keys {
        let table =
            item.as_table_like_mut().ok_or_else(|| format!("`{key}` has no place in it"))?;
        item = table.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
    }
    let is_inline = item.is_inline_table();
    let servers = item.as_table_like_mut().ok_or("the servers in it are no table")?;
    let new = table(entry);
    let new =
        if is_inline { Item::Value(new.into_inline_table().into()) } else { Item::Table(new) };
    match servers.get_mut(name) {
        Some(there) => put(there, new),
        None => _ = servers.insert(name, new),
    }
    Ok(with_line_ends_of(text, document.to_string()))
}

/// Puts an entry in the place of another, with the comments before it and the lines it stands on.
fn put(there: &mut Item, new: Item) {
    match (there, new) {
        (Item::Table(there), Item::Table(mut new)) => {
            *new.decor_mut() = there.decor().clone();
            if let Some(position) = there.position() {
                new.set_position(Some(position));
            }
            *there = new;
        }
        (there, Item::Table(new)) => *there = Item::Value(new.into_inline_table().into()),
        (there, new) => *there = new,
    }
}

/// As [`super::json::remove`].
///
/// # Errors
///
/// As [`servers`].
pub(super) fn remove(text: &str, keys: &[&str], name: &str) -> Result<Option<String>, String> {
    let mut document = parse(text)?;
    find(document.as_item(), keys)?;
    let mut item = document.as_item_mut();
    for key in keys {
        let Some(below) = item.as_table_like_mut().and_then(|table| table.get_mut(key)) else {
            return Ok(None);
        };
        item = below;
    }
    let removed = item.as_table_like_mut().and_then(|servers| servers.remove(name));
    Ok(removed.map(|_| with_line_ends_of(text, document.to_string())))
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| error.to_string())
}

fn find<'a>(root: &'a Item, keys: &[&str]) -> Result<Option<&'a dyn TableLike>, String> {
    let mut table = root.as_table_like().ok_or("it holds no table")?;
    for key in keys {
        let Some(item) = table.get(key) else { return Ok(None) };
        table = item.as_table_like().ok_or_else(|| format!("`{key}` in it is no table"))?;
    }
    Ok(Some(table))
}

/// What is new has line feeds; a file of Windows gets its own line ends everywhere.
fn with_line_ends_of(before: &str, after: String) -> String {
    let ends = before.matches('\n').count();
    if ends > 0 && before.matches("\r\n").count() == ends {
        return after.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    after
}

fn table(entry: &Value) -> Table {
    let mut table = Table::new();
    for (key, value) in entry.as_object().into_iter().flatten() {
        table.insert(key, item(value));
    }
    table
}

/// What entries hold: texts, lists of texts, and objects of texts.
fn item(value: &Value) -> Item {
    match value {
        Value::Array(list) => {
            let texts = list.iter().filter_map(Value::as_str);
            Item::Value(texts.collect::<Array>().into())
        }
        Value::Object(_) => Item::Value(table(value).into_inline_table().into()),
        Value::Bool(is_true) => toml_edit::value(*is_true),
        other => toml_edit::value(other.as_str().unwrap_or_default()),
    }
}

/// An entry as it is compared and shown; what has no like in JSON is its text.
fn value(item: &Item) -> Value {
    use toml_edit::Value as Toml;
    let of = |value: &Toml| match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Boolean(is_true) => Value::Bool(*is_true.value()),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Array(list) => {
            list.iter().map(|one| self::value(&Item::Value(one.clone()))).collect()
        }
        other => Value::String(other.to_string().trim().to_owned()),
    };
    match item.as_table_like() {
        Some(table) => {
            Value::Object(table.iter().map(|(key, item)| (key.to_owned(), value(item))).collect())
        }
        None => item.as_value().map_or(Value::Null, of),
    }
}
