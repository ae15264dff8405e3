//! `peasy new`: writes a small, complete feature to begin with. Never overwrites anything.

#![allow(clippy::disallowed_methods, reason = "writes the new feature's file")]

use super::output::{BOLD, Output, paint};
use super::{Exit, usage};
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::id::{FeatureName, FeatureSource};
use crate::script::runtime::ScriptRuntime;
use crate::workspace::place::locate;
use clap::Args;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a small, complete feature to begin with.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy new greet                           greet.rhai, with one tool
  peasy new guard --hook                    guard.rhai, with a hook that guards shell commands
  peasy new greet --folder .peasy/features  for this project
  peasy new greet --dir                     greet/main.rhai, with room for more files")]
pub struct NewArguments {
    /// The feature's name, such as `word-count`.
    pub name: String,
    /// The folder to write to; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Write a hook that guards tool calls, instead of a tool.
    #[arg(long)]
    pub hook: bool,
    /// Make the feature a folder with a `main.rhai`.
    #[arg(long)]
    pub dir: bool,
}

/// Writes the feature and says what to do next.
///
/// # Errors
///
/// The name is not a feature's, the file is there already, or it cannot be written.
pub fn run(arguments: &NewArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let name = feature_name(&arguments.name)?;
    let function = function_name(&name, if arguments.hook { "hook" } else { "tool" });
    let file = file_of(&arguments.folder, &name, arguments.dir);
    let text = if arguments.hook { hook(&name, &function) } else { tool(&name, &function) };
    write(&file, &text).map_err(|reason| refused(&file, &reason))?;

    let path = if arguments.dir { arguments.folder.join(name.as_str()) } else { file.clone() };
    let path = shell_word(&plain(&path));
    let (call, flag) = if arguments.hook {
        (format!("{function} kind=shell command='rm -rf ~'"), trust_flag(&file))
    } else {
        (format!("{function} name=World"), "")
    };
    output.say(format_args!("wrote {}", paint(BOLD, plain(&file))));
    output.say("\nNext:");
    output.say(format_args!("  peasy check {path}{flag}"));
    output.say(format_args!("  peasy call {path} {call}{flag}"));
    Ok(Exit::Done)
}

fn feature_name(given: &str) -> Result<FeatureName, Box<Diagnostic>> {
    given.parse().map_err(|_| {
        let problem = usage(format!(
            "`{given}` is not a feature name: 1 to 64 of `a-z 0-9 -`, beginning with a letter"
        ));
        match suggestion(given) {
            Some(name) => problem.help(format!("write `peasy new {name}`")),
            None => problem.help("write a name such as `peasy new word-count`"),
        }
        .into()
    })
}

/// The feature name that comes closest to what was given.
fn suggestion(given: &str) -> Option<String> {
    let stem = given.strip_suffix(".rhai").unwrap_or(given);
    let stem = stem.rsplit(['/', '\\']).next().unwrap_or(stem);
    let mut name = String::new();
    let mut before_was_lower = false;
    for c in stem.chars() {
        let starts_word = c.is_ascii_uppercase() && before_was_lower;
        if (!c.is_ascii_alphanumeric() || starts_word) && !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        }
        before_was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let name = name.trim_matches('-').trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let name: String = name.chars().take(64).collect();
    name.parse::<FeatureName>().is_ok().then_some(name)
}

/// The function's name: the feature's, unless that means something to the language already, to the
/// host's functions or to the template's own words.
fn function_name(name: &FeatureName, role: &str) -> String {
    let snake = name.as_str().replace('-', "_");
    let is_own = ["name", "loud", "greeting", "event", "decision"].contains(&snake.as_str());
    let known = ScriptRuntime::known();
    if known.is_free(&snake) && !known.modules.contains_key(&snake) && !is_own {
        snake
    } else {
        format!("{snake}_{role}")
    }
}

fn file_of(folder: &Path, name: &FeatureName, dir: bool) -> PathBuf {
    if dir {
        folder.join(name.as_str()).join("main.rhai")
    } else {
        folder.join(format!("{name}.rhai"))
    }
}

/// Writes a file that is not there yet, with the folders that lead to it.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(file)?.write_all(text.as_bytes())
}

fn refused(file: &Path, reason: &io::Error) -> Diagnostic {
    let shown = plain(file);
    if reason.kind() == io::ErrorKind::AlreadyExists {
        return Diagnostic::operator("cli/exists", format!("`{shown}` is there already"))
            .help("choose another name, or remove the file first");
    }
    Diagnostic::operator("cli/unwritable", format!("`{shown}` cannot be written: {reason}"))
        .help("choose another folder with `--folder`")
}

/// A path without the `./` that means nothing.
pub(super) fn plain(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// Hooks inside a project wait for trust.
fn trust_flag(file: &Path) -> &'static str {
    if locate(file).source == FeatureSource::Project { " --trust" } else { "" }
}

fn tool(name: &FeatureName, function: &str) -> String {
    TOOL.replace("NAME", name.as_str()).replace("FUNCTION", function)
}

/// A feature with one tool, both called `name`, which is free.
pub(super) fn example(name: &str) -> String {
    TOOL.replace("NAME", name).replace("FUNCTION", name)
}

fn hook(name: &FeatureName, function: &str) -> String {
    HOOK.replace("NAME", name.as_str()).replace("FUNCTION", function)
}

const TOOL: &str = r#"//! Greets people by name.
//! @feature NAME 0.1.0

/// Greet a person by name.
/// @tool
/// @param name string(1..=100)
///   Whom to greet.
/// @param loud bool = false
///   Whether to shout.
/// @returns string
/// @example { "name": "World" } => "Hello, World!"
fn FUNCTION(name, loud) {
    let greeting = `Hello, ${name}!`;
    if loud { text::upper(greeting) } else { greeting }
}

/// @test
fn shouts_when_asked() {
    assert_eq(FUNCTION("World", true), "HELLO, WORLD!");
}
"#;

const HOOK: &str = r#"//! Keeps shell commands away from the home folder.
//! @feature NAME 0.1.0

/// Deny commands that would delete the home folder.
/// @hook pre_tool_call kind=shell
fn FUNCTION(event) {
    if event.command.contains("rm -rf ~") {
        return deny("this would delete the home folder");
    }
}

/// @test
fn denies_deleting_the_home_folder() {
    let decision = FUNCTION(#{ kind: "shell", command: "rm -rf ~" });
    assert_eq(decision.decision, "deny");
}

/// @test
fn lets_other_commands_pass() {
    assert_eq(FUNCTION(#{ kind: "shell", command: "ls" }), ());
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::script::runtime::Location;
    use crate::script::testing::{TestResult, TestRun};
    use std::collections::BTreeSet;

    #[test]
    fn a_name_that_is_none_gets_one() {
        for (given, expected) in [
            ("My Tool", Some("my-tool")),
            ("word_count", Some("word-count")),
            ("wordCount.rhai", Some("word-count")),
            ("features/greet.rhai", Some("greet")),
            ("3d", Some("d")),
            ("--", None),
            ("", None),
        ] {
            assert_eq!(suggestion(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn no_function_takes_a_word_that_means_something() {
        let name = |text: &str| function_name(&text.parse().expect("a name"), "hook");
        assert_eq!(name("word-count"), "word_count");
        for taken in ["loop", "deny", "fail", "print", "max", "assert-eq", "text", "event", "spawn"]
        {
            assert_eq!(name(taken), format!("{}_hook", taken.replace('-', "_")));
        }
    }

    #[test]
    fn whatever_the_name_the_feature_is_clean_and_passes_its_tests() {
        let known = ScriptRuntime::known();
        // Words of the language, whether Rhai uses them or keeps them for later.
        let words = "abs async await break call case catch const continue curry debug default do else \
            eval exit export false fn for global go goto if import in is let loop match module new nil \
            null package print private protected public return shared spawn static super switch sync \
            thread this throw true try type use var void with yield name loud greeting event decision \
            shouts-when-asked lets-other-commands-pass";
        let names: BTreeSet<FeatureName> = known
            .globals
            .keys()
            .chain(known.modules.keys())
            .map(String::as_str)
            .chain(words.split_whitespace())
            .filter_map(|word| word.replace('_', "-").parse().ok())
            .collect();
        assert!(names.len() > 100, "{}", names.len());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut locations = Vec::new();
        for name in &names {
            for (role, text) in [("tool", tool as fn(&FeatureName, &str) -> String), ("hook", hook)]
            {
                let file = file_of(&folder.path().join(role), name, false);
                write(&file, &text(name, &function_name(name, role))).expect("the folder takes it");
                locations.push(Location { path: file, source: FeatureSource::User });
            }
        }
        let limits = Limits::default();
        let runtime = ScriptRuntime::new(&limits).expect("the tests count allocations");
        let run = TestRun { filter: None, limits: &limits };
        for (location, outcome) in locations.iter().zip(runtime.read(&locations)) {
            let path = location.path.display();
            assert!(outcome.diagnostics.is_empty(), "{path}: {:?}", outcome.diagnostics);
            let tests = runtime.test(&outcome.script.expect("it is not broken"), &run);
            assert!(tests.iter().all(TestResult::passed), "{path}: {tests:?}");
        }
    }
}
