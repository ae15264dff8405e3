//! `peasy fmt`: lays scripts out in one way. What they mean stays the same, or they stay as they are.

#![allow(clippy::disallowed_methods, reason = "looks for the scripts of a folder")]

use super::output::{BOLD, Output, count, paint, safe};
use super::policy::LimitArguments;
use super::replace::{read, replace};
use super::{Exit, PathArguments, usage, workspace};
use crate::config::Folders;
use crate::diagnostic::Diagnostic;
use crate::script::differences;
use crate::script::runtime::ScriptRuntime;
use crate::script::source::unreadable;
use crate::workspace::place::project_features;
use clap::Args;
use serde::Serialize;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Lays scripts out in one way, without changing what they mean.
#[derive(Debug, Args)]
#[command(after_help = "\
Indents by what is open, puts spaces round operators, takes white space from the ends of lines,
and moves a description behind a tag to the line below it. Lines are neither joined nor split;
strings and comments stay to the letter. A grant that holds for one text of a feature has to be
given anew.

Examples:
  peasy fmt                        the scripts of this project, and your own
  peasy fmt greet.rhai
  peasy fmt --check .              change nothing; fail where something would change
  peasy fmt - < greet.rhai         from standard input to standard output")]
pub struct FmtArguments {
    #[command(flatten)]
    places: PathArguments,
    /// Change nothing: show what would, and fail if anything would.
    #[arg(long)]
    check: bool,
    /// As the path `-`: from standard input to standard output.
    #[arg(long, conflicts_with = "paths")]
    stdin: bool,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// What came of one script.
#[derive(Debug, Serialize)]
struct Formatted {
    path: String,
    /// Whether it was, or would be, laid out differently.
    changed: bool,
    /// Why it stays as it is.
    problem: Option<Diagnostic>,
    #[serde(skip)]
    before: String,
    #[serde(skip)]
    after: String,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    files: Vec<Formatted>,
}

/// Lays out, or checks.
///
/// # Errors
///
/// A path leads to no script, or a script cannot be read or written.
pub fn run(arguments: &FmtArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let runtime = workspace::runtime(&LimitArguments::default())?;
    let paths = &arguments.places.paths;
    if arguments.stdin || paths.iter().any(|path| path == Path::new("-")) {
        if paths.len() > 1 {
            return Err(usage("`-` stands alone: standard input is one script").into());
        }
        return from_stdin(arguments, &runtime, output);
    }
    let mut files = Vec::new();
    for path in scripts(paths)? {
        let one = format(&runtime, &path)?;
        if one.changed && !arguments.check {
            replace(&path, Some(&one.before), &one.after).map_err(|reason| {
                let message = format!("`{}` cannot be written: {reason}", path.display());
                Diagnostic::operator("cli/unwritable", message).help("it stays as it was")
            })?;
        }
        files.push(one);
    }
    let report = Report { files };
    if arguments.json {
        output.say_json(&report);
    } else {
        print(&report, arguments.check, output);
    }
    Ok(exit(&report, arguments.check))
}

fn from_stdin(
    arguments: &FmtArguments,
    runtime: &ScriptRuntime,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(|reason| usage(format!("standard input cannot be read: {reason}")))?;
    let name = "<stdin>";
    let after = match runtime.format(name, &text) {
        Ok(after) => after,
        Err(problem) => {
            output.tell_picture(&problem, Some(&text));
            return Ok(Exit::of(&problem));
        }
    };
    if !arguments.check {
        output.say_result(&after);
        return Ok(Exit::Done);
    }
    output.say_result(&differences(&text, &after, name));
    Ok(if after == text { Exit::Done } else { Exit::Failed })
}

/// The most that is read from standard input.
const MOST: u64 = 64 << 20;

fn format(runtime: &ScriptRuntime, path: &Path) -> Result<Formatted, Box<Diagnostic>> {
    let name = path.display().to_string();
    let before = match read(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(unreadable(&name, &io::ErrorKind::NotFound.into()).into()),
        Err(reason) => return Err(unreadable(&name, &reason).into()),
    };
    let (after, problem) = match runtime.format(&name, &before) {
        Ok(after) => (after, None),
        Err(problem) => (before.clone(), Some(*problem)),
    };
    Ok(Formatted { path: name, changed: after != before, problem, before, after })
}

/// Every script that the paths lead to, each once, in order.
fn scripts(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let own = || Folders::of_user().map(|folders| folders.features()).filter(|own| own.is_dir());
    let paths: Vec<PathBuf> = match paths {
        [] => project_features().into_iter().chain(own()).collect(),
        paths => paths.to_vec(),
    };
    let mut found = Vec::new();
    for path in &paths {
        let name = path.display().to_string();
        let kind = path.metadata().map_err(|reason| unreadable(&name, &reason))?;
        if kind.is_dir() {
            below(path, &mut found).map_err(|reason| unreadable(&name, &reason))?;
        } else if is_script(path) {
            found.push(path.clone());
        } else {
            let problem = Diagnostic::operator(
                "cli/not-a-feature",
                format!("`{name}` is not a `.rhai` file"),
            );
            return Err(problem.help("name a `.rhai` file, or a folder that holds some").into());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    if found.is_empty() {
        let problem = Diagnostic::operator("cli/no-features", "there are no scripts to lay out");
        return Err(problem.help("name a `.rhai` file, or a folder that holds some").into());
    }
    Ok(found)
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rhai")
}

/// Adds the scripts below a folder. Hidden folders are somebody else's, and links may lead anywhere.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // What features are found in is named on purpose.
        if kind.is_dir() && (!is_hidden || entry.file_name() == ".peasy") {
            below(&path, found)?;
        } else if kind.is_file() && !is_hidden && is_script(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn print(report: &Report, is_check: bool, output: &mut Output) {
    for one in &report.files {
        if let Some(problem) = &one.problem {
            output.tell_picture(problem, Some(&one.before));
        }
        if one.changed && is_check {
            output.say_result(&differences(&one.before, &one.after, &one.path));
        } else if one.changed {
            output.say(format_args!("laid out {}", paint(BOLD, safe(&one.path))));
        }
    }
    let changed = report.files.iter().filter(|one| one.changed).count();
    let all = count(report.files.len(), "script");
    output.tell(match (changed, is_check) {
        (0, _) => format!("{all}, nothing to change"),
        (_, true) => format!("{all}, {changed} to lay out: run `peasy fmt` without `--check`"),
        (_, false) => format!("{all}, {changed} laid out"),
    });
}

/// A script that cannot be read ends the command as it would end others; what would change is its
/// author's to do.
fn exit(report: &Report, is_check: bool) -> Exit {
    let problems = report.files.iter().filter_map(|one| one.problem.as_ref());
    match Exit::of_first(problems) {
        Exit::Done if is_check && report.files.iter().any(|one| one.changed) => Exit::Failed,
        exit => exit,
    }
}
