//! Where features lie: the paths on the command line, the project's folder, the user's folder.
//!
//! Only looks at names and kinds of files; what stands in them is read elsewhere.

#![allow(clippy::disallowed_methods, reason = "finds the files that a command is about")]

use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::id::FeatureSource;
use crate::script::runtime::Location;
use crate::script::source::discover;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The main file of a feature that is a folder.
const MAIN: &str = "main.rhai";

/// The folder of features inside a project.
const PROJECT_FEATURES: &str = ".peasy/features";

/// What a folder of a project holds.
const PROJECT_MARKS: [&str; 2] = [".git", ".peasy"];

/// The features a command is about, before they are read.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Each feature once, in the order of the paths.
    pub locations: Vec<Location>,
    /// Paths that lead to no feature.
    pub problems: Vec<Diagnostic>,
    seen: BTreeSet<PathBuf>,
}

/// Finds the features of `paths`; without paths, those of the project and of the user.
pub(super) fn find(paths: &[PathBuf]) -> Places {
    let mut places = Places::default();
    if paths.is_empty() {
        for folder in default_folders() {
            places.add_folder(&folder);
        }
    }
    for path in paths {
        places.add(path);
    }
    places
}

/// What to say where no path was given and nothing was found.
pub(super) fn nothing_found() -> Diagnostic {
    let project = match project_folder() {
        Some(folder) => format!("the project's folder, `{}`, holds none", folder.display()),
        None => format!("there is no `{PROJECT_FEATURES}` here or in a folder above"),
    };
    let own = user_folder().map_or_else(String::new, |own| {
        format!(", and none in your own folder, `{}`", own.display())
    });
    Diagnostic::operator("cli/no-features", "no features were found")
        .help(format!("{project}{own}"))
        .help("name a file or a folder, or write a feature with `peasy new greet`")
}

/// Whether a word on the command line is meant as a path, not as the name of something.
pub(super) fn is_path(word: &str) -> bool {
    let path = Path::new(word);
    word.contains(['/', '\\'])
        || path.extension().is_some_and(|extension| extension == "rhai")
        || path.is_file()
        || path.is_dir()
}

/// What a file is by where it lies: inside a project, however it was named, or the user's own.
pub(super) fn source_of(path: &Path) -> FeatureSource {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = user_folder().and_then(|folder| folder.canonicalize().ok());
    if own.is_some_and(|own| path.starts_with(own)) {
        return FeatureSource::User;
    }
    let is_project = |folder: &Path| {
        PROJECT_MARKS.iter().any(|mark| folder.join(mark).symlink_metadata().is_ok())
    };
    if path.ancestors().skip(1).any(is_project) {
        FeatureSource::Project
    } else {
        FeatureSource::User
    }
}

/// The project's folder of features, if there is one, and the user's.
fn default_folders() -> Vec<PathBuf> {
    project_folder().into_iter().chain(user_folder()).collect()
}

fn project_folder() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let holds = |folder: &Path| folder.join(PROJECT_FEATURES).is_dir();
    let above = here.ancestors().position(holds)?;
    // Named from here, as a person would.
    Some(PathBuf::from(format!("{}{PROJECT_FEATURES}", "../".repeat(above))))
}

/// The user's own folder of features; it need not exist.
fn user_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("PEASY_HOME")
        .or_else(|| Some(set("XDG_CONFIG_HOME").filter(|path| path.is_absolute())?.join("peasy")))
        .or_else(|| Some(set("HOME")?.join(".config/peasy")))?;
    Some(home.join("features"))
}

impl Places {
    fn add(&mut self, path: &Path) {
        if path.is_dir() {
            let main = path.join(MAIN);
            if main.exists() {
                return self.add_feature(main);
            }
            if self.add_folder(path) == 0 {
                self.problems.push(empty(path));
            }
        } else if !path.exists() {
            self.problems.push(missing(path));
        } else if path.extension().is_some_and(|extension| extension == "rhai") {
            self.add_feature(path.to_owned());
        } else {
            self.problems.push(not_a_script(path));
        }
    }

    /// Adds the features of a folder and says how many entries looked like one.
    fn add_folder(&mut self, folder: &Path) -> usize {
        let found = discover(folder);
        let all = found.features.len() + found.diagnostics.len();
        self.problems.extend(found.diagnostics);
        for feature in found.features {
            self.add_feature(feature);
        }
        all
    }

    fn add_feature(&mut self, path: PathBuf) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
        if self.seen.insert(canonical) {
            let source = source_of(&path);
            self.locations.push(Location { path, source });
        }
    }
}

fn missing(path: &Path) -> Diagnostic {
    let shown = path.display();
    let problem = Diagnostic::operator("source/unreadable", format!("there is no `{shown}`"));
    match near(path) {
        Some(near) => problem.help(format!("did you mean `{}`?", near.display())),
        None => problem
            .help("name a `.rhai` file, a folder with a `main.rhai`, or a folder of features"),
    }
}

/// A feature in the same folder whose name is close to that of `path`.
fn near(path: &Path) -> Option<PathBuf> {
    let given = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let names: Vec<String> = std::fs::read_dir(folder.unwrap_or(Path::new(".")))
        .ok()?
        .take(1_000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai") || !name.contains('.'))
        .collect();
    let with_extension = format!("{given}.rhai");
    let found = names
        .iter()
        .find(|name| **name == with_extension)
        .map(String::as_str)
        .or_else(|| nearest(given, names.iter().map(String::as_str)))?;
    Some(path.with_file_name(found))
}

fn not_a_script(path: &Path) -> Diagnostic {
    Diagnostic::operator("cli/not-a-feature", format!("`{}` is not a `.rhai` file", path.display()))
        .help("name a `.rhai` file, a folder with a `main.rhai`, or a folder of features")
}

fn empty(folder: &Path) -> Diagnostic {
    let problem = Diagnostic::operator(
        "cli/no-features",
        format!("the folder `{}` holds no features", folder.display()),
    );
    let inner = folder.join(PROJECT_FEATURES);
    if inner.is_dir() {
        return problem.help(format!("did you mean `{}`?", inner.display()));
    }
    problem.help("a feature is a `NAME.rhai`, or a folder `NAME` with a `main.rhai`")
}
