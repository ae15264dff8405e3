//! The list of secrets: `secrets.toml` in the configuration folder, one line a secret.

use super::{SecretError, Source};
use crate::feature::capability::SecretName;
use crate::private;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// The file below the configuration folder.
const FILE: &str = "secrets.toml";

const HEADER: &str = "\
# Where secrets are; none is in this file. Written by `peasy secret`; edit it by hand if you like:
# NAME = { env = \"VARIABLE\" }, { file = \"/absolute/path\" }, { kept = true } or { keyring = true }.
";

/// Most bytes of the list.
const MAX_BYTES: u64 = 1 << 20;

/// The names, in order, and where each secret is.
pub(super) fn load(folder: &Path) -> Result<Vec<(SecretName, Source)>, SecretError> {
    let file = folder.join(FILE);
    let text = text(&file).map_err(|reason| SecretError::Io {
        file: file.clone(),
        act: "read",
        reason,
    })?;
    let document = parse(&file, &text)?;
    let mut known = understand(document.as_table())
        .map_err(|problem| SecretError::Malformed { file, problem })?;
    known.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(known.into_iter().map(|Line(name, source)| (name, source)).collect())
}

/// Says where a secret is, or takes its line out. Another process that changes the list waits;
/// comments and order of the file stay.
pub(super) fn change(
    folder: &Path,
    name: &SecretName,
    source: Option<&Source>,
) -> Result<(), SecretError> {
    let file = folder.join(FILE);
    let failed = |reason| SecretError::Io { file: file.clone(), act: "written", reason };
    private::make_folder(folder).map_err(failed)?;
    // The lock is on a file of its own: the list itself is replaced.
    let lock = private::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(".secrets.lock"))
        .map_err(failed)?;
    private::lock(&lock, private::PATIENCE).map_err(failed)?;
    let text = text(&file).map_err(failed)?;
    let header = if text.is_empty() { HEADER } else { "" };
    let mut document = parse(&file, &text)?;
    understand(document.as_table())
        .map_err(|problem| SecretError::Malformed { file: file.clone(), problem })?;
    match source {
        Some(source) => document[name.as_str()] = toml_edit::value(line(source)),
        None => drop(document.remove(name.as_str())),
    }
    private::replace(&file, format!("{header}{document}").as_bytes()).map_err(failed)
}

fn parse(file: &Path, text: &str) -> Result<DocumentMut, SecretError> {
    text.parse().map_err(|error: toml_edit::TomlError| SecretError::Malformed {
        file: file.to_owned(),
        problem: error.to_string(),
    })
}

/// One line.
struct Line(SecretName, Source);

fn understand(table: &Table) -> Result<Vec<Line>, String> {
    table
        .iter()
        .map(|(key, item)| {
            let name = key.parse().map_err(|error| format!("{error}"))?;
            Ok(Line(name, source(key, item)?))
        })
        .collect()
}

fn source(key: &str, item: &Item) -> Result<Source, String> {
    let wrong = || {
        format!(
            "`{key}` needs one of {{ env = \"VARIABLE\" }}, {{ file = \"/absolute/path\" }}, {{ kept = true }} and {{ keyring = true }}"
        )
    };
    let table = item.as_table_like().filter(|table| table.len() == 1).ok_or_else(wrong)?;
    let (word, item) = table.iter().next().ok_or_else(wrong)?;
    let text = item.as_str().filter(|text| !text.is_empty());
    let is_true = item.as_bool() == Some(true);
    match (word, text) {
        ("env", Some(variable)) => Ok(Source::Environment(variable.to_owned())),
        ("file", Some(path)) if Path::new(path).is_absolute() => {
            Ok(Source::File(PathBuf::from(path)))
        }
        ("kept", None) if is_true => Ok(Source::Kept),
        ("keyring", None) if is_true => Ok(Source::Keyring),
        _ => Err(wrong()),
    }
}

fn line(source: &Source) -> InlineTable {
    let (word, value): (&str, Value) = match source {
        Source::Environment(variable) => ("env", variable.as_str().into()),
        Source::File(path) => ("file", path.display().to_string().into()),
        Source::Kept => ("kept", true.into()),
        Source::Keyring => ("keyring", true.into()),
    };
    let mut table = InlineTable::new();
    table.insert(word, value);
    table
}

/// The text of the list, empty where there is none.
#[expect(clippy::disallowed_methods, reason = "the list is this module's to read")]
fn text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    match std::fs::File::open(file) {
        Ok(open) => open.take(MAX_BYTES).read_to_string(&mut text).map(|_| text),
        Err(reason) if reason.kind() == ErrorKind::NotFound => Ok(text),
        Err(reason) => Err(reason),
    }
}
