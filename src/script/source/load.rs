//! The main file and the closure of its imports, each file read and parsed once.

#![allow(clippy::disallowed_methods, reason = "resolves imports inside the feature's folder")]

use super::read::{ReadError, file, read, too_large, unreadable};
use super::{
    ImportEdge, MAX_MODULES, Pinned, SourceFile, SourceTree, digest, is_library, std_names,
    std_source,
};
use crate::diagnostic::{Diagnostic, nearest};
use crate::script::parse::{Abort, ParsedFile, parse};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// The files of a feature, read and parsed.
pub(crate) struct Loaded {
    /// The files.
    pub tree: SourceTree,
    /// The main file, parsed.
    pub main: ParsedFile,
    /// The modules, parsed, by their keys in [`SourceTree::modules`].
    pub modules: BTreeMap<String, ParsedFile>,
}

/// Reads the feature at `path`, a file or a folder with a `main.rhai`. `None` when there is no
/// main file to speak of; whatever else is wrong is in `problems`.
///
/// Each file may have at most `most` bytes.
pub(crate) fn load(
    path: &Path,
    most: u64,
    abort: &Abort,
    problems: &mut Vec<Diagnostic>,
) -> Option<Loaded> {
    let main = open_main(path, most).map_err(|problem| problems.push(*problem)).ok()?;
    let root = folder_of(&main).canonicalize();
    let root = root.map_err(|error| problems.push(unreadable(&main.name, &error))).ok()?;
    Some(Loader::new(root, most, abort, problems).run(main))
}

/// The main file of the feature at `path`, with everything that makes its place.
pub(crate) struct Opened {
    /// The main file.
    pub main: SourceFile,
    /// The feature's own folder, canonical.
    pub root: PathBuf,
}

/// Folders as they are without links, each looked at once. Not to be kept.
#[derive(Default)]
pub(crate) struct Folders(HashMap<PathBuf, PathBuf>);

/// The main file of the feature at `path`, read and not parsed; `None` where it cannot be read.
pub(crate) fn open(path: &Path, most: u64, folders: &mut Folders) -> Option<Opened> {
    let main = open_main(path, most).ok()?;
    let folder = folder_of(&main);
    let root = match folders.0.get(folder) {
        Some(root) => root.clone(),
        None => {
            let root = folder.canonicalize().ok()?;
            folders.0.insert(folder.to_owned(), root.clone());
            root
        }
    };
    Some(Opened { main, root })
}

impl Opened {
    /// The files of the feature, read and not parsed, where its imports are `edges` and lead where
    /// they led. Whether the texts are the same is for the digest to say; `None` where an import
    /// leads elsewhere or nowhere.
    pub fn follow(self, edges: &[ImportEdge], most: u64) -> Option<SourceTree> {
        let Self { main, root } = self;
        let mut problems = Vec::new();
        let abort: Abort = Rc::new(|| None);
        let mut loader = Loader::new(root, most, &abort, &mut problems);
        loader.begin(&main);
        if !edges.is_empty() {
            loader.main_key = main.path.canonicalize().ok().and_then(|path| loader.key_of(&path));
        }
        for edge in edges {
            let (key, found) = loader.resolve(&edge.path, edge.from.as_deref()).ok()?;
            if key != edge.module || loader.main_key.as_ref() == Some(&key) {
                return None;
            }
            if !loader.files.contains_key(&key) {
                let file = loader.source(&key, found).ok()?;
                loader.files.insert(key, Arc::new(file));
            }
            loader.edges.push(edge.clone());
        }
        Some(loader.tree(Arc::new(main)))
    }
}

fn open_main(path: &Path, most: u64) -> Result<SourceFile, Box<Diagnostic>> {
    let shown = path.display().to_string();
    let main = match read(path, &shown, most) {
        Err(ReadError::Folder(_)) => {
            let main = path.join("main.rhai");
            if !main.exists() {
                return Err(Box::new(no_main(&shown)));
            }
            read(&main, &main.display().to_string(), most)
        }
        other => other,
    };
    main.map_err(|error| Box::new(error.into()))
}

/// The folder that a main file lies in.
fn folder_of(main: &SourceFile) -> &Path {
    let folder = main.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// As [`load`], for a text that lies in no file; it may import the embedded library alone.
pub(crate) fn load_text(
    name: &str,
    text: &str,
    most: u64,
    abort: &Abort,
    problems: &mut Vec<Diagnostic>,
) -> Option<Loaded> {
    if text.len() as u64 > most {
        problems.push(too_large(name, most));
        return None;
    }
    Some(Loader::new(PathBuf::new(), most, abort, problems).run(file(name, Path::new(name), text)))
}

/// As [`load`], for files that were read before; nothing is read from the disk.
pub(crate) fn load_pinned(
    pinned: &Pinned,
    most: u64,
    abort: &Abort,
    problems: &mut Vec<Diagnostic>,
) -> Loaded {
    let main = pinned.main();
    let mut loader = Loader::new(PathBuf::new(), most, abort, problems);
    loader.pinned = Some(pinned);
    loader.run(main)
}

fn no_main(shown: &str) -> Diagnostic {
    Diagnostic::operator("source/no-main", format!("the folder `{shown}` has no `main.rhai`"))
        .in_file(shown)
        .help("a feature in a folder begins with `main.rhai`; or name the `.rhai` file itself")
}

struct Loader<'a> {
    /// The feature's folder; empty when it has none.
    root: PathBuf,
    /// The bytes that each file may have.
    most: u64,
    abort: &'a Abort,
    problems: &'a mut Vec<Diagnostic>,
    /// The key that the main file would have as a module.
    main_key: Option<String>,
    /// The name of the main file, up to its last separator: what names of modules begin with.
    prefix: String,
    files: BTreeMap<String, Arc<SourceFile>>,
    parsed: BTreeMap<String, ParsedFile>,
    edges: Vec<ImportEdge>,
    /// The modules being read, outermost first.
    open: Vec<String>,
    /// Where the files come from, if not from the disk.
    pinned: Option<&'a Pinned>,
}

impl<'a> Loader<'a> {
    fn new(root: PathBuf, most: u64, abort: &'a Abort, problems: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            root,
            most,
            abort,
            problems,
            main_key: None,
            prefix: String::new(),
            files: BTreeMap::new(),
            parsed: BTreeMap::new(),
            edges: Vec::new(),
            open: Vec::new(),
            pinned: None,
        }
    }

    fn run(mut self, main: SourceFile) -> Loaded {
        self.begin(&main);
        let main = Arc::new(main);
        let parsed = parse(&main, self.abort, self.problems);
        if !parsed.imports.is_empty() {
            self.main_key = main.path.canonicalize().ok().and_then(|path| self.key_of(&path));
            self.imports(&parsed, None);
        }
        let modules = std::mem::take(&mut self.parsed);
        Loaded { tree: self.tree(main), main: parsed, modules }
    }

    fn begin(&mut self, main: &SourceFile) {
        self.prefix = main.name[..main.name.rfind(['/', '\\']).map_or(0, |end| end + 1)].to_owned();
    }

    fn tree(self, main: Arc<SourceFile>) -> SourceTree {
        SourceTree {
            digest: digest(&main, &self.files),
            main,
            modules: self.files,
            imports: self.edges,
            root: self.root,
        }
    }

    fn imports(&mut self, parsed: &ParsedFile, from: Option<&str>) {
        for import in &parsed.imports {
            let resolved = self
                .resolve(&import.path, from)
                .and_then(|(key, found)| self.check_cycle(&key, from).map(|()| (key, found)));
            let outcome = resolved.and_then(|(key, found)| {
                self.edges.push(ImportEdge {
                    from: from.map(str::to_owned),
                    path: import.path.clone(),
                    alias: import.alias.clone(),
                    module: key.clone(),
                    span: import.path_span,
                });
                self.module(key, found)
            });
            if let Err(problem) = outcome {
                // What is wrong inside of a file that was found has its place there.
                self.problems.push(if problem.labels.is_empty() {
                    problem.at(import.path_span, "").in_file(&parsed.file.name)
                } else {
                    *problem
                });
            }
        }
    }

    /// Reads a module unless another import did already.
    fn module(&mut self, key: String, found: Found) -> Result<(), Box<Diagnostic>> {
        if self.files.contains_key(&key) {
            return Ok(());
        }
        if self.files.len() >= MAX_MODULES {
            return Err(Box::new(
                Diagnostic::author(
                    "import/too-many",
                    format!("the feature imports more than {MAX_MODULES} modules"),
                )
                .help("join modules that belong together into one file"),
            ));
        }
        let source = Arc::new(self.source(&key, found)?);
        self.files.insert(key.clone(), Arc::clone(&source));
        let parsed = parse(&source, self.abort, self.problems);
        self.open.push(key.clone());
        self.imports(&parsed, Some(&key));
        self.open.pop();
        self.parsed.insert(key, parsed);
        Ok(())
    }

    fn source(&self, key: &str, found: Found) -> Result<SourceFile, Box<Diagnostic>> {
        match found {
            Found::Pinned(source) => Ok(source),
            Found::Library(text) => Ok(file(&format!("{key}.rhai"), Path::new(key), text)),
            Found::File(path) => {
                let name = format!("{}{key}.rhai", self.prefix);
                read(&path, &name, self.most).map_err(|error| Box::new(error.into()))
            }
        }
    }

    fn check_cycle(&self, key: &str, from: Option<&str>) -> Result<(), Box<Diagnostic>> {
        let is_main = self.main_key.as_deref() == Some(key);
        let start = self.open.iter().position(|open| open == key);
        if !is_main && start.is_none() {
            return Ok(());
        }
        let main = is_main.then_some(key);
        let chain: Vec<&str> = main
            .into_iter()
            .chain(self.open[start.unwrap_or(0)..].iter().map(String::as_str))
            .chain([key])
            .collect();
        let chain = chain.join(" → ");
        let what = if from.is_none() || from == Some(key) { "itself" } else { "its importer" };
        Err(Box::new(
            Diagnostic::author("import/cycle", format!("the module imports {what}: {chain}"))
                .help("move what both need into a third file, and import that from both"),
        ))
    }

    fn resolve(&self, path: &str, from: Option<&str>) -> Result<(String, Found), Box<Diagnostic>> {
        check_path(path)?;
        if let Some(pinned) = self.pinned {
            let found = pinned.module(from, path);
            let (key, source) = found.ok_or_else(|| not_found(path, Vec::new()))?;
            return Ok((key, Found::Pinned(source)));
        }
        if is_library(path) {
            return match std_source(path) {
                Some(text) => Ok((path.to_owned(), Found::Library(text))),
                None => Err(not_in_library(path)),
            };
        }
        if self.root.as_os_str().is_empty() || from.is_some_and(is_library) {
            return Err(not_found(path, Vec::new()));
        }
        let folder = match from.and_then(|key| key.rsplit_once('/')) {
            Some((folder, _)) => self.root.join(folder),
            None => self.root.clone(),
        };
        let wanted = folder.join(format!("{path}.rhai"));
        let real = wanted.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_found(path, siblings(&folder)),
            _ => unreadable_import(path, &error),
        })?;
        let key = self
            .key_of(&real)
            .ok_or_else(|| outside(path, "leads out of the feature's folder through a link"))?;
        // `std/…` names the library alone, whatever a link or a file system without case makes of it.
        if is_library(&key) {
            return Err(outside(path, "lies in a folder named `std`"));
        }
        Ok((key, Found::File(real)))
    }

    /// The path below the feature's folder, without extension and with `/` between its parts.
    fn key_of(&self, canonical: &Path) -> Option<String> {
        let below = canonical.strip_prefix(&self.root).ok()?.with_extension("");
        let parts: Option<Vec<&str>> =
            below.components().map(|part| part.as_os_str().to_str()).collect();
        parts.map(|parts| parts.join("/"))
    }
}

enum Found {
    Pinned(SourceFile),
    Library(&'static str),
    File(PathBuf),
}

/// What every import path must be, wherever it leads.
fn check_path(path: &str) -> Result<(), Box<Diagnostic>> {
    let lower = path.to_lowercase();
    if lower.contains("://") || lower.starts_with("data:") || lower.starts_with("file:") {
        return Err(outside(path, "is a URL"));
    }
    let bytes = path.as_bytes();
    if path.starts_with(['/', '\\', '~']) || bytes.get(1) == Some(&b':') {
        return Err(outside(path, "is an absolute path"));
    }
    if path.split(['/', '\\']).any(|part| part == "..") {
        return Err(outside(path, "leads upwards"));
    }
    let better = path.strip_prefix("./").unwrap_or(path);
    let better = better.strip_suffix(".rhai").unwrap_or(better).replace('\\', "/");
    if better != path && is_plain_path(&better) {
        let message = "is not how a module is named; its file is found from its bare name";
        return Err(bad_path(path, message, format!("write `import \"{better}\"`")));
    }
    if !is_plain_path(path) {
        let help = "write up to 200 of `A-Z a-z 0-9 _ - /`, as in `import \"parse\"`";
        return Err(bad_path(path, "is not a module's name", help.into()));
    }
    Ok(())
}

fn is_plain_path(path: &str) -> bool {
    path.len() <= 200
        && path.split('/').all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        })
}

fn bad_path(path: &str, why: &str, help: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::author("import/path", format!("`{path}` {why}")).help(help))
}

fn outside(path: &str, why: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::author(
            "import/outside",
            format!("`{path}` {why}; a feature imports files of its own folder and `std/…` alone"),
        )
        .help("copy the file into the feature's folder and import it by its name"),
    )
}

fn no_module(path: &str) -> Diagnostic {
    Diagnostic::author("import/not-found", format!("there is no module `{path}` to import"))
}

/// For a path that begins with `std/`: the nearest module, and all that there are.
fn not_in_library(path: &str) -> Box<Diagnostic> {
    let near = nearest(path, std_names());
    let problem = near.into_iter().fold(no_module(path), |problem, near| {
        problem.help(format!("did you mean `import \"{near}\"`?"))
    });
    let all: Vec<String> = std_names().map(|name| format!("`{name}`")).collect();
    let help = format!("`std/…` is the embedded library, which has {}", all.join(", "));
    Box::new(problem.help(help))
}

/// For the path of a file; `candidates` are those that lie where it should.
fn not_found(path: &str, candidates: Vec<String>) -> Box<Diagnostic> {
    let named = match path.rsplit_once('/') {
        Some(_) => None,
        None => nearest(path, candidates.iter().map(String::as_str)),
    };
    let in_library = std_names().find(|name| name.strip_prefix("std/") == Some(path));
    let problem = no_module(path);
    Box::new(match (named, in_library) {
        (_, Some(name)) => problem.help(format!(
            "did you mean `import \"{name}\"`? A path without `std/` is a file of your own"
        )),
        (Some(near), None) => problem.help(format!("did you mean `import \"{near}\"`?")),
        (None, None) => {
            problem.help(format!("create `{path}.rhai` beside the file that imports it"))
        }
    })
}

fn unreadable_import(path: &str, error: &io::Error) -> Box<Diagnostic> {
    let reason = error.to_string().to_lowercase();
    Box::new(Diagnostic::operator(
        "source/unreadable",
        format!("the module `{path}` cannot be read: {reason}"),
    ))
}

/// The modules that lie in a folder, a bounded number of them.
fn siblings(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .take(1_000)
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".rhai").map(str::to_owned)
        })
        .collect()
}
