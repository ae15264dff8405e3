//! Permissions on disk: rules of the user's policy, and the file by which a project narrows them.
//!
//! A rule is a table: what it says with the tools it is about, and conditions on their arguments. The
//! project's file is the one thing that is read of a project beside its features, and nothing in it
//! allows anything.

use crate::diagnostic::Diagnostic;
use crate::feature::permission::{Condition, Permission, PermissionRule};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike};

/// The file below the root of a project.
pub const PROJECT_FILE: &str = ".peasy/permissions.toml";

/// The key of the tables, in either file.
pub(super) const KEY: &str = "permission";

/// Most rules of one file.
pub const MOST_RULES: usize = 1_000;

/// Most bytes of a project's file.
const MAX_BYTES: u64 = 1 << 20;

/// Why the rules of a project cannot be known. Nothing may be called then: what the file would have
/// held back is not known either.
#[derive(Debug, thiserror::Error)]
#[error("the permissions of the project, `{}`, cannot be understood: {problem}", file.display())]
pub struct ProjectRulesError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl ProjectRulesError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::operator("config/permissions", self.to_string()).help(
            "mend it or move it away; no tool is called while it is not known what the project holds back",
        )
    }
}

/// The rules of the project at `root`, and a warning for each that allows something; none where it has
/// no file.
///
/// # Errors
///
/// The file cannot be read or understood.
pub fn of_project(
    root: &Path,
) -> Result<(Vec<PermissionRule>, Vec<Diagnostic>), ProjectRulesError> {
    let file = root.join(PROJECT_FILE);
    let error = |problem: String| ProjectRulesError { file: file.clone(), problem };
    let text = match read(&file) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        text => text.map_err(|reason| error(reason.to_string()))?,
    };
    let document: DocumentMut =
        text.parse().map_err(|reason| error(super::toml_problem(&text, &reason)))?;
    let mut rules = Vec::new();
    for (key, item) in document.as_table() {
        match key {
            KEY => rules = self::rules(item).map_err(error)?,
            other => {
                let problem = format!("`{other}` is nothing that it has; write `[[permission]]`");
                return Err(error(problem));
            }
        }
    }
    let (lax, rules): (Vec<_>, Vec<_>) =
        rules.into_iter().partition(|rule: &PermissionRule| rule.permission == Permission::Allow);
    let warnings = lax.iter().map(|rule| {
        let message = format!("`{rule}` of `{}` counts for nothing", file.display());
        Diagnostic::warning("permission/project-allow", message)
            .help("a project can only narrow; allow it yourself with `peasy permission allow`")
    });
    Ok((rules, warnings.collect()))
}

/// The rules of a list of tables.
pub(super) fn rules(item: &Item) -> Result<Vec<PermissionRule>, String> {
    let tables = item
        .as_array_of_tables()
        .ok_or("`permission` is no list of tables; write `[[permission]]`")?;
    if tables.len() > MOST_RULES {
        return Err(format!("there are more than {MOST_RULES} permissions"));
    }
    tables.iter().map(rule).collect()
}

/// One rule.
pub(super) fn rule(table: &Table) -> Result<PermissionRule, String> {
    let mut found = None;
    let mut arguments = Vec::new();
    for (key, item) in table {
        let word = Permission::ALL.into_iter().find(|permission| permission.name() == key);
        match (key, word) {
            (_, Some(permission)) => {
                let tool =
                    item.as_str().ok_or_else(|| format!("`{key}` needs a pattern, in quotes"))?;
                let tool = tool.parse().map_err(|reason| format!("{reason}"))?;
                if found.replace(PermissionRule::new(permission, tool)).is_some() {
                    return Err("a `[[permission]]` says two things; write one for each".to_owned());
                }
            }
            ("arguments", None) => {
                let table = item
                    .as_table_like()
                    .ok_or("`arguments` needs patterns by name, as in `{ path = \"/etc/*\" }`")?;
                arguments = conditions(table)?;
            }
            (other, None) => {
                return Err(format!(
                    "`{other}` is nothing that a `[[permission]]` has; there are `allow`, `ask`, `deny` and `arguments`"
                ));
            }
        }
    }
    let rule = found.ok_or("a `[[permission]]` has none of `allow`, `ask` and `deny`")?;
    Ok(PermissionRule { arguments, ..rule })
}

fn conditions(table: &dyn TableLike) -> Result<Vec<Condition>, String> {
    let condition = |(name, item): (&str, &Item)| {
        let value = item.as_str().ok_or_else(|| format!("`{name}` needs a pattern, in quotes"))?;
        let value = value.parse().map_err(|reason| format!("{reason}"))?;
        Condition::new(name, value).map_err(|reason| reason.to_string())
    };
    table.iter().map(condition).collect()
}

/// A rule as a table.
pub(super) fn table_of(rule: &PermissionRule) -> Table {
    let mut table = Table::new();
    table[rule.permission.name()] = toml_edit::value(rule.tool.as_str());
    if !rule.arguments.is_empty() {
        let mut arguments = toml_edit::InlineTable::new();
        for condition in &rule.arguments {
            arguments.insert(condition.argument.as_str(), condition.value.as_str().into());
        }
        table["arguments"] = toml_edit::value(arguments);
    }
    table
}

#[expect(clippy::disallowed_methods, reason = "the one file of a project that is configuration")]
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match read as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!("it has more than {MAX_BYTES} bytes"))),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "writes files of its own")]

    use super::*;

    fn project(text: &str) -> Result<(Vec<String>, usize), String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(".peasy")).expect("a new folder");
        std::fs::write(folder.path().join(PROJECT_FILE), text).expect("the folder takes it");
        let (rules, warnings) =
            of_project(folder.path()).map_err(|error| error.diagnostic().code.to_string())?;
        Ok((rules.iter().map(ToString::to_string).collect(), warnings.len()))
    }

    #[test]
    fn a_project_narrows_and_what_it_allows_counts_for_nothing() {
        let text = "[[permission]]\ndeny = \"fs_*\"\narguments = { path = \"/etc/*\", \"a.b\" = \"1\" }\n\
                    [[permission]]\nallow = \"*\"\n[[permission]]\nask = \"run\"\n";
        let rules = ["deny fs_* path=/etc/* a.b=1".to_owned(), "ask run".to_owned()];
        assert_eq!(project(text), Ok((rules.to_vec(), 1)));
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(of_project(folder.path()).expect("no file").0.is_empty());
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_and_not_no_rule() {
        for text in [
            "= broken",
            "permission = 1",
            "[[permission]]",
            "[[permission]]\ndeny = 1",
            "[[permission]]\ndeny = \"[\"",
            "[[permission]]\ndeny = \"a\"\nask = \"a\"",
            "[[permission]]\ndeny = \"a\"\narguments = \"x\"",
            "[[permission]]\ndeny = \"a\"\narguments = { x = 1 }",
            "[[permission]]\ndeny = \"a\"\narguments = { \"a..b\" = \"x\" }",
            "[[permission]]\ndeny = \"a\"\ntool = \"x\"",
            "[[rule]]\ndeny = \"a\"",
            &"[[permission]]\ndeny = \"a\"\n".repeat(MOST_RULES + 1),
        ] {
            assert_eq!(project(text), Err("config/permissions".to_owned()), "{text:.60}");
        }
    }
}
