//! Where features lie: the paths on the command line, the project's folder, the user's folder.
//!
//! Only looks at names and kinds of files; what stands in them is read elsewhere.

#![allow(clippy::disallowed_methods, reason = "finds the files that a command is about")]

use crate::builtin;
use crate::config::Folders;
use crate::config::policy::{Policy, Subject};
use crate::diagnostic::{Diagnostic, Severity, nearest, shell_word};
use crate::feature::id::FeatureId;
use crate::script::runtime::{Location, Surroundings, is_project_root};
use crate::script::source::{discover, unreadable};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// The main file of a feature that is a folder.
pub(super) const MAIN: &str = "main.rhai";

/// The folder of features inside a project.
const PROJECT_FEATURES: &str = ".peasy/features";

/// The features that paths lead to, before they are read.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Each feature once, in the order of the paths.
    pub locations: Vec<Location>,
    /// Paths that lead to no feature.
    pub problems: Vec<Diagnostic>,
    /// Folders in which features were looked for, there or not.
    pub folders: Vec<PathBuf>,
    /// What was looked at around them.
    pub around: Surroundings,
    seen: HashSet<PathBuf>,
}

/// Finds the features of `paths`; without paths, those of the project and of the user.
pub(super) fn find(paths: &[PathBuf]) -> Places {
    let own = user_folder();
    let mut places = Places { around: Surroundings::new(own.as_deref()), ..Places::default() };
    if paths.is_empty() {
        match project_folder() {
            Some(Found { path, is_foreign: true }) => places.problems.push(foreign(&path)),
            Some(Found { path, is_foreign: false }) => _ = places.add_folder(&path),
            None => places.folders.push(PROJECT_FEATURES.into()),
        }
        if let Some(own) = &own {
            places.add_folder(own);
        }
    }
    if paths.is_empty() {
        places.locations.extend(granted_built_ins());
    }
    for path in paths {
        places.add(path);
    }
    if places.locations.is_empty() && !places.problems.iter().any(Diagnostic::is_error) {
        places.problems.push(nothing_found());
    }
    places
}

/// The features that are built in and were granted something. A policy that cannot be read grants
/// nothing; that is said where it is put to use.
fn granted_built_ins() -> Vec<Location> {
    let policy = Folders::of_user().and_then(|folders| Policy::load(&folders.config).ok());
    let Some(policy) = policy else { return Vec::new() };
    let is_granted = |location: &Location| {
        let name = location.built_in_name().unwrap_or_default();
        let Ok(id) = FeatureId::builtin(name) else { return false };
        let subject = Subject { id, root: location.root(), digest: String::new() };
        policy.is_enabled(&subject) && policy.granted(&subject).next().is_some()
    };
    builtin::names().map(Location::built_in).filter(is_granted).collect()
}

/// What to say where no path was given and nothing was found.
pub(super) fn nothing_found() -> Diagnostic {
    let project = match project_folder() {
        Some(Found { path, is_foreign: true }) => {
            format!("the project's folder, `{}`, belongs to another user", path.display())
        }
        Some(Found { path, is_foreign: false }) => {
            format!("the project's folder, `{}`, holds none", path.display())
        }
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
///
/// What is built in is named as a path is: by itself, wherever one is.
pub fn is_path(word: &str) -> bool {
    let path = Path::new(word);
    word.starts_with(builtin::PREFIX)
        || word.contains(['/', '\\'])
        || path.extension().is_some_and(|extension| extension == "rhai")
        || path.is_file()
        || path.is_dir()
}

/// The script of this folder that a bare name leaves the ending off: `greet` for `greet.rhai`.
pub fn beside(name: &str) -> Option<String> {
    let file = format!("{name}.rhai");
    Path::new(&file).is_file().then_some(file)
}

/// A file, as what its place makes it.
pub fn locate(path: &Path) -> Location {
    Location::of(path, user_folder().as_deref())
}

/// A folder of features that nobody named.
struct Found {
    path: PathBuf,
    /// Whether another user put it there.
    is_foreign: bool,
}

/// The project's folder of features: of this folder or of the nearest above that has one, up to the
/// root of the repository or the home folder, and no further.
fn project_folder() -> Option<Found> {
    let here = std::env::current_dir().ok()?;
    let home = variable("HOME").and_then(|home| home.canonicalize().ok());
    let own = user_folder().and_then(|own| own.canonicalize().ok());
    for (above, folder) in here.ancestors().enumerate() {
        let features = folder.join(PROJECT_FEATURES);
        if features.is_dir() && features.canonicalize().ok() != own {
            // Named from here, as a person would.
            let path = PathBuf::from(format!("{}{PROJECT_FEATURES}", "../".repeat(above)));
            return Some(Found { path, is_foreign: is_foreign(&features) });
        }
        if is_project_root(folder) || home.as_deref() == Some(folder) {
            return None;
        }
    }
    None
}

/// The root of the project that this folder belongs to.
pub(super) fn project_root() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    here.ancestors().find(|folder| is_project_root(folder)).map(Path::to_owned)
}

/// The project's folder of features, as a command without paths takes it; none that another user put
/// where it is.
pub fn project_features() -> Option<PathBuf> {
    project_folder().filter(|found| !found.is_foreign).map(|found| found.path)
}

/// The folder of the project around this folder, canonical; this folder itself where it is in none.
pub fn project() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    let home = variable("HOME").and_then(|home| home.canonicalize().ok());
    let mut above = here.ancestors().take_while(|folder| home.as_deref() != Some(*folder));
    Some(above.find(|folder| is_project_root(folder)).unwrap_or(&here).to_owned())
}

/// Whether a user who is neither this one nor the system's put a folder of features where it is: below
/// a folder that everybody may write to, such as `/tmp`, anyone can.
#[cfg(unix)]
fn is_foreign(features: &Path) -> bool {
    let system = 0;
    !belongs_to(features, &[rustix::process::geteuid().as_raw(), system])
}

/// Whether the folder and the `.peasy` around it are these users', and so is the link where either is
/// one.
#[cfg(unix)]
fn belongs_to(features: &Path, users: &[u32]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_theirs =
        |kind: io::Result<std::fs::Metadata>| kind.is_ok_and(|kind| users.contains(&kind.uid()));
    let mut folders = features.ancestors().take(2);
    folders.all(|folder| is_theirs(folder.metadata()) && is_theirs(folder.symlink_metadata()))
}

#[cfg(not(unix))]
fn is_foreign(_: &Path) -> bool {
    false
}

/// The user's own folder of features; it need not exist.
fn user_folder() -> Option<PathBuf> {
    Folders::of_user().map(|folders| folders.features())
}

/// A folder that the environment names. A relative one would be another in every project, and is left
/// aside, as the rules for `XDG_CONFIG_HOME` have it.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

impl Places {
    fn add(&mut self, path: &Path) {
        if let Some(name) = path.to_str().and_then(|path| path.strip_prefix(builtin::PREFIX)) {
            return match builtin::text(name) {
                Some(_) if !self.seen.insert(path.to_owned()) => (),
                Some(_) => self.locations.push(Location::built_in(name)),
                None => self.problems.push(not_built_in(name)),
            };
        }
        let is_script = path.extension().is_some_and(|extension| extension == "rhai");
        match path.metadata() {
            Ok(kind) if kind.is_dir() => {
                let main = path.join(MAIN);
                if main.symlink_metadata().is_ok() {
                    self.add_feature(main);
                } else if self.add_folder(path) == 0 {
                    self.problems.push(empty(path));
                }
            }
            Ok(_) if is_script => self.add_feature(path.to_owned()),
            Ok(_) => self.problems.push(not_a_script(path)),
            Err(reason) => {
                self.folders.push(path.to_owned());
                self.problems.push(unfollowed(path, &reason));
            }
        }
    }

    /// Adds the features of a folder and says how many entries looked like one.
    fn add_folder(&mut self, folder: &Path) -> usize {
        self.folders.push(folder.to_owned());
        let found = discover(folder);
        let all = found.features.len() + found.diagnostics.len();
        self.problems.extend(found.diagnostics);
        for feature in found.features {
            if found.plain.contains(&feature) {
                self.around.set_plain(&feature);
            }
            self.add_feature(feature);
        }
        all
    }

    fn add_feature(&mut self, path: PathBuf) {
        let canonical = self.around.real(&path).unwrap_or_else(|| path.clone());
        if self.seen.insert(canonical) {
            self.locations.push(self.around.locate(path));
        }
    }
}

/// A path that leads nowhere: there is nothing of that name, or what is there cannot be followed.
fn unfollowed(path: &Path, reason: &io::Error) -> Diagnostic {
    let is_missing = reason.kind() == io::ErrorKind::NotFound;
    match (is_missing, path.symlink_metadata()) {
        (true, Err(_)) => missing(path),
        (true, Ok(_)) => {
            let nowhere = io::Error::other("the link leads to nothing");
            unreadable(&path.display().to_string(), &nowhere)
        }
        (false, _) => unreadable(&path.display().to_string(), reason),
    }
}

fn not_built_in(name: &str) -> Diagnostic {
    let message = format!("there is no `{}{name}`", builtin::PREFIX);
    let problem = Diagnostic::operator("source/unreadable", message);
    match nearest(name, builtin::names()) {
        Some(near) => problem.help(format!("did you mean `{}{near}`?", builtin::PREFIX)),
        None => {
            let all: Vec<_> =
                builtin::names().map(|name| format!("`{}{name}`", builtin::PREFIX)).collect();
            problem.help(format!("there are {}", all.join(", ")))
        }
    }
}

fn foreign(folder: &Path) -> Diagnostic {
    let shown = folder.display().to_string();
    let message = format!("`{shown}` belongs to another user and is left out");
    let mut problem = Diagnostic::operator("cli/foreign-folder", message)
        .help(format!("read what is in it, then name it: `peasy list {}`", shell_word(&shown)));
    problem.severity = Severity::Warning;
    problem
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
        .filter(|name| name != given && (name.ends_with(".rhai") || !name.contains('.')))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_of_another_user_is_told_from_ones_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let features = folder.path().join(PROJECT_FEATURES);
        let user = rustix::process::geteuid().as_raw();
        assert!(!belongs_to(&features, &[user]), "what is not there is nobody's");
        std::fs::create_dir_all(&features).expect("the folder takes it");
        assert!(belongs_to(&features, &[user]));
        assert!(belongs_to(&features, &[user + 1, user]));
        assert!(!belongs_to(&features, &[user + 1]));
        assert!(!is_foreign(&features));
    }

    #[test]
    fn a_foreign_folder_is_a_warning_and_ends_nothing() {
        let problem = foreign(Path::new("../.peasy/features"));
        assert_eq!((problem.is_error(), &*problem.code), (false, "cli/foreign-folder"));
        assert_eq!(
            problem.help,
            ["read what is in it, then name it: `peasy list ../.peasy/features`"]
        );
    }

    #[test]
    fn no_name_is_proposed_for_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["loop.rhai", "loops.rhai"] {
            std::fs::write(folder.path().join(name), "").expect("the folder takes it");
        }
        let near = |name: &str| near(&folder.path().join(name));
        assert_eq!(near("loop.rhai"), Some(folder.path().join("loops.rhai")));
        assert_eq!(near("lop.rhai"), Some(folder.path().join("loop.rhai")));
    }
}
