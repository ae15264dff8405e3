//! The feature that a person means: by a path, or by the name or id of one that can be found.

use super::policy::LimitArguments;
use super::usage;
use super::workspace::{self, folders};
use crate::config::known::known;
use crate::config::policy::Subject;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::capability::Capability;
use crate::workspace::{Workspace, place};
use std::path::PathBuf;

/// A feature as it stands on disk.
pub(super) struct Found {
    pub subject: Subject,
    pub path: PathBuf,
    /// What it asks for.
    pub requests: Vec<Capability>,
}

/// Finds the feature that `word` means.
///
/// # Errors
///
/// There is none, or several.
pub(super) fn find(word: &str) -> Result<Found, Box<Diagnostic>> {
    if place::is_path(word) {
        let path = [PathBuf::from(word)];
        let workspace = workspace::read(&path, &LimitArguments::default())?;
        // Why nothing is there, where that is known.
        return match workspace.problems.iter().find(|problem| problem.is_error()) {
            Some(problem) if workspace.features.is_empty() => Err(problem.clone().into()),
            _ => one(word, found_in(&workspace, &path)?),
        };
    }
    let is_named = |found: &Found| {
        let id = &found.subject.id;
        id.to_string() == word || id.name().as_str() == word
    };
    let mut meant: Vec<_> = read(&[])?;
    let names: Vec<_> = meant.iter().map(|found| found.subject.id.name().to_string()).collect();
    meant.retain(is_named);
    // One that was named by its path before; another of the name may be the one that is meant.
    let files = |found: &[Found]| -> Vec<_> {
        found.iter().filter_map(|one| one.path.canonicalize().ok()).collect()
    };
    let (here, met) = (files(&meant), known(&folders()?.state));
    let paths = met.into_iter().map(|known| known.path);
    let paths: Vec<_> = paths.filter(|path| path.exists() && !here.contains(path)).collect();
    if !paths.is_empty() {
        meant.extend(read(&paths)?.into_iter().filter(is_named));
    }
    if meant.is_empty() {
        let problem =
            usage(format!("there is no feature `{word}` here, and none was met by that name"));
        return Err(match nearest(word, names.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")).into(),
            None => problem.help("name its file").into(),
        });
    }
    one(word, meant)
}

fn one(word: &str, mut found: Vec<Found>) -> Result<Found, Box<Diagnostic>> {
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => Err(usage(format!("there is no feature at `{word}`")).into()),
        (Some(last), others) => {
            let all = others.iter().chain([&last]);
            let paths: Vec<_> = all.map(|one| format!("`{}`", one.path.display())).collect();
            Err(usage(format!("`{word}` means {} features", paths.len()))
                .help(format!("name the file of one: {}", paths.join(", ")))
                .into())
        }
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Found>, Box<Diagnostic>> {
    found_in(&workspace::read(paths, &LimitArguments::default())?, paths)
}

fn found_in(workspace: &Workspace, paths: &[PathBuf]) -> Result<Vec<Found>, Box<Diagnostic>> {
    if let [path] = paths
        && let [only] = workspace.features.as_slice()
        && let Some(error) = only.errors().next()
    {
        let problem = usage(format!("the feature at `{}` is broken", path.display()));
        return Err(problem.help(format!("mend it first: {}", error.message)).into());
    }
    Ok(workspace
        .features
        .iter()
        .filter_map(|read| {
            let script = read.script()?;
            let subject = workspace.subjects().find(|one| one.id == script.descriptor.id)?.clone();
            let requests = script.descriptor.requests.iter().map(|one| one.capability.clone());
            Some(Found { subject, path: read.location.path.clone(), requests: requests.collect() })
        })
        .collect())
}
