//! Where a feature lies, and what that makes it: the user's own, or a project's.
//!
//! Trust hangs on this rule, so every program that reads files by path asks here. It looks at names
//! of files and never into them.

use crate::builtin;
use crate::feature::id::FeatureSource;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where a feature to be read lies, and what that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// A `.rhai` file, or a folder with a `main.rhai`.
    pub path: PathBuf,
    /// The source that qualifies its id.
    pub source: FeatureSource,
}

/// What the root of a project holds: what a version control system keeps there, or our own folder.
/// `.fslckout` and `_FOSSIL_` are those of Fossil.
const PROJECT_MARKS: [&str; 10] =
    [".git", ".hg", ".jj", ".svn", ".bzr", ".fslckout", "_FOSSIL_", ".pijul", "_darcs", OWN_MARK];

const OWN_MARK: &str = ".peasy";

impl Location {
    /// The file at `path`, as what its place makes it.
    ///
    /// A file below the root of a project is [`FeatureSource::Project`], however it was named and
    /// through whatever links; any other is [`FeatureSource::User`]. What lies in `own`, the user's
    /// own folder of features, is the user's, though a project should lie around it; a program that
    /// has no such folder passes `None`. A path that cannot be followed counts as a project's, which
    /// gets the least.
    pub fn of(path: impl Into<PathBuf>, own: Option<&Path>) -> Self {
        Surroundings::new(own).locate(path)
    }

    /// A feature that is built in, by its name: it lies in no file.
    pub fn built_in(name: &str) -> Self {
        Self { path: format!("{}{name}", builtin::PREFIX).into(), source: FeatureSource::Builtin }
    }

    /// The name of one that is built in.
    pub(crate) fn built_in_name(&self) -> Option<&str> {
        let name = self.path.to_str()?.strip_prefix(builtin::PREFIX)?;
        (self.source == FeatureSource::Builtin).then_some(name)
    }

    /// The folder that the feature belongs to, canonical: the root of its project, or else the
    /// folder that it lies in; empty for one that is built in. With the id it tells a feature from others of its name.
    pub fn root(&self) -> PathBuf {
        Surroundings::new(None).root(self)
    }
}

/// The folders around some features at one moment, each looked at once. Not to be kept: folders
/// change.
#[derive(Debug, Default)]
pub struct Surroundings {
    own: Option<PathBuf>,
    /// Folders, and what they are without links.
    real: HashMap<PathBuf, Option<PathBuf>>,
    /// The same of what lies in them.
    entries: HashMap<PathBuf, Option<PathBuf>>,
    /// What lies in a canonical folder, for [`Self::locate`].
    sources: HashMap<PathBuf, FeatureSource>,
    /// The nearest root of a project at or above a canonical folder.
    projects: HashMap<PathBuf, Option<PathBuf>>,
}

impl Surroundings {
    /// Nothing looked at yet. `own` is the user's own folder of features, as for [`Location::of`].
    pub fn new(own: Option<&Path>) -> Self {
        let own = own.filter(|own| own.is_absolute()).and_then(|own| own.canonicalize().ok());
        Self { own, ..Self::default() }
    }

    /// As [`Location::of`].
    pub fn locate(&mut self, path: impl Into<PathBuf>) -> Location {
        let path = path.into();
        let source = self.source_of(&path);
        Location { path, source }
    }

    /// As [`Location::root`].
    pub fn root(&mut self, location: &Location) -> PathBuf {
        if location.source == FeatureSource::Builtin {
            return PathBuf::new();
        }
        let real = self.followed(&location.path).unwrap_or_else(|| location.path.clone());
        let is_main = real.file_name().is_some_and(|name| name == "main.rhai");
        let depth = if is_main { 2 } else { 1 };
        let folder = real.ancestors().nth(depth).unwrap_or(&real);
        match (&location.source, real.parent()) {
            (FeatureSource::Project, Some(parent)) => {
                self.project(parent).unwrap_or_else(|| folder.to_owned())
            }
            _ => folder.to_owned(),
        }
    }

    /// The path without links, of what is there.
    pub fn real(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(known) = self.entries.get(path) {
            return known.clone();
        }
        let real = self.look_up(path);
        self.entries.insert(path.to_owned(), real.clone());
        real
    }

    /// Takes it from whoever has just listed the folder that the file at `path` is no link.
    pub fn set_plain(&mut self, path: &Path) {
        let named = self.named(path);
        self.entries.insert(path.to_owned(), named);
    }

    fn look_up(&mut self, path: &Path) -> Option<PathBuf> {
        let Some(named) = self.named(path) else { return path.canonicalize().ok() };
        match named.symlink_metadata().ok()?.is_symlink() {
            true => named.canonicalize().ok(),
            false => Some(named),
        }
    }

    /// The name that the path ends with, in its folder without links; it need not be there.
    pub fn named(&mut self, path: &Path) -> Option<PathBuf> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (folder, name) = (folder.unwrap_or(Path::new(".")), path.file_name()?);
        if !self.real.contains_key(folder) {
            self.real.insert(folder.to_owned(), folder.canonicalize().ok());
        }
        Some(self.real.get(folder)?.as_ref()?.join(name))
    }

    fn followed(&mut self, path: &Path) -> Option<PathBuf> {
        self.real(path).or_else(|| followed(path))
    }

    fn source_of(&mut self, path: &Path) -> FeatureSource {
        let Some(real) = self.followed(path) else { return FeatureSource::Project };
        if self.own.as_ref().is_some_and(|own| real.starts_with(own)) {
            return FeatureSource::User;
        }
        real.parent().map_or(FeatureSource::User, |folder| self.source_in(folder))
    }

    /// The source of what lies in a canonical folder that is not the user's own.
    fn source_in(&mut self, folder: &Path) -> FeatureSource {
        if let Some(known) = self.sources.get(folder) {
            return known.clone();
        }
        // `~/.peasy` may be the user's own folder; that makes no project of the home folder.
        let home = self.own.as_deref().and_then(Path::parent);
        let except = |mark: &str| home.filter(|_| mark == OWN_MARK);
        let source = if PROJECT_MARKS.into_iter().any(|mark| has(folder, mark, except(mark))) {
            FeatureSource::Project
        } else {
            folder.parent().map_or(FeatureSource::User, |above| self.source_in(above))
        };
        self.sources.insert(folder.to_owned(), source.clone());
        source
    }

    fn project(&mut self, folder: &Path) -> Option<PathBuf> {
        if let Some(known) = self.projects.get(folder) {
            return known.clone();
        }
        let root = folder.ancestors().find(|folder| is_project_root(folder)).map(Path::to_owned);
        self.projects.insert(folder.to_owned(), root.clone());
        root
    }
}

/// The path without links. What is not there yet lies where its folder does; a link that leads
/// nowhere lies nowhere.
fn followed(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let absolute = std::path::absolute(path).ok()?;
    let there = absolute.ancestors().find(|folder| folder.symlink_metadata().is_ok())?;
    Some(there.canonicalize().ok()?.join(absolute.strip_prefix(there).ok()?))
}

/// Whether `folder` is the root of a project: of a repository, or because it has a `.peasy`.
pub fn is_project_root(folder: &Path) -> bool {
    PROJECT_MARKS.into_iter().any(|mark| has(folder, mark, None))
}

fn has(folder: &Path, mark: &str, except: Option<&Path>) -> bool {
    let mark = folder.join(mark);
    let is_excepted =
        || except.is_some_and(|except| mark.canonicalize().is_ok_and(|real| real == except));
    mark.symlink_metadata().is_ok() && !is_excepted()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "lays out folders of its own")]

    use super::*;
    use std::fs;

    fn source(path: &Path, own: Option<&Path>) -> FeatureSource {
        Location::of(path, own).source
    }

    fn file(root: &Path, name: &str) -> PathBuf {
        let file = root.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder takes it");
        fs::write(&file, "").expect("the folder takes it");
        file
    }

    #[test]
    fn a_checkout_of_any_kind_is_a_project() {
        for mark in PROJECT_MARKS {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let tool = file(folder.path(), "evil/tools/deep/tool.rhai");
            assert_eq!(source(&tool, None), FeatureSource::User, "before {mark}");
            // A mark may be a file: work trees of git, checkouts of Fossil.
            for is_folder in [true, false] {
                let mark = folder.path().join("evil").join(mark);
                let _ = fs::remove_dir(&mark);
                if is_folder {
                    fs::create_dir(&mark).expect("the folder takes it");
                } else {
                    fs::write(&mark, "").expect("the folder takes it");
                }
                assert_eq!(source(&tool, None), FeatureSource::Project, "{}", mark.display());
                assert!(is_project_root(&folder.path().join("evil")));
            }
            let beside = file(folder.path(), "tool.rhai");
            assert_eq!(source(&beside, None), FeatureSource::User, "beside {mark}");
        }
    }

    #[test]
    fn the_own_folder_is_the_users_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tool = file(folder.path(), "home/.config/peasy/features/tool.rhai");
        let other = file(folder.path(), "home/notes/tool.rhai");
        fs::create_dir(folder.path().join("home/.git")).expect("the folder takes it");
        let own = folder.path().join("home/.config/peasy/features");
        assert_eq!(source(&tool, Some(&own)), FeatureSource::User);
        assert_eq!(source(&tool, None), FeatureSource::Project);
        assert_eq!(source(&other, Some(&own)), FeatureSource::Project);
        let relative = Path::new("features");
        assert_eq!(source(&tool, Some(relative)), FeatureSource::Project, "no folder is relative");
    }

    #[test]
    fn an_own_folder_below_home_makes_no_project_of_home() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tool = file(folder.path(), ".peasy/features/tool.rhai");
        let other = file(folder.path(), "notes/tool.rhai");
        let own = folder.path().join(".peasy/features");
        assert_eq!(source(&tool, Some(&own)), FeatureSource::User);
        assert_eq!(source(&other, Some(&own)), FeatureSource::User);
        assert_eq!(source(&other, None), FeatureSource::Project);
        fs::create_dir(folder.path().join(".git")).expect("the folder takes it");
        assert_eq!(source(&other, Some(&own)), FeatureSource::Project);
    }

    #[test]
    fn a_file_that_is_not_there_yet_lies_where_its_folder_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let new = folder.path().join("a/b/new.rhai");
        assert_eq!(source(&new, None), FeatureSource::User);
        fs::create_dir(folder.path().join(".hg")).expect("the folder takes it");
        assert_eq!(source(&new, None), FeatureSource::Project);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_get_the_least() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tool = file(folder.path(), "project/tool.rhai");
        fs::create_dir(folder.path().join("project/.svn")).expect("the folder takes it");
        let link = folder.path().join("tool.rhai");
        symlink(&tool, &link).expect("a link");
        assert_eq!(source(&link, None), FeatureSource::Project);
        let ring = folder.path().join("ring.rhai");
        symlink(&ring, &ring).expect("a link");
        assert_eq!(source(&ring.join("tool.rhai"), None), FeatureSource::Project);
    }
}
