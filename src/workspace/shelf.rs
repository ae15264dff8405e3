//! Where the features that were read are kept for the next start: a file in the user's cache folder for
//! each way of naming features.
//!
//! Nothing hangs on it but time. What cannot be read, belongs to somebody else, or was written by
//! another build is as good as nothing, and what cannot be written is left unwritten.

#![allow(clippy::disallowed_methods, reason = "a folder of this module's own")]

use crate::config::Folders;
use crate::limit::Limits;
use crate::private;
use crate::script::cache::Cache;
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The folder below the user's cache folder.
const FOLDER: &str = "read";

/// Fewer features than this are parsed as quickly as they are looked up, in a process that goes on.
pub(super) const FEWEST: usize = 4;

/// Most files that are kept, and most bytes of all of them. The oldest go first.
const MOST_FILES: usize = 32;
const MOST_BYTES: u64 = 64 << 20;

/// Most bytes of one file.
const MOST_IN_ONE: u64 = 32 << 20;

/// How old a draft is that nobody will finish.
const STALE: Duration = Duration::from_secs(600);

/// One file of features that were read.
pub(super) struct Shelf {
    folder: PathBuf,
    file: PathBuf,
    stamp: String,
}

impl Shelf {
    /// The place for the features that `paths` lead to from here. `None` where there is no place.
    pub fn of(paths: &[PathBuf], limits: &Limits) -> Option<Self> {
        let folder = Folders::of_user()?.cache?.join(FOLDER);
        let stamp = format!("{}\n{limits:?}", build()?);
        let mut hash = Sha256::new();
        let here = std::env::current_dir().ok()?;
        for part in [Path::new(&stamp), &here].into_iter().chain(paths.iter().map(PathBuf::as_path))
        {
            let part = part.as_os_str().as_encoded_bytes();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let name: String =
            hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Some(Self { file: folder.join(name), folder, stamp })
    }

    /// What was kept; nothing where that cannot be read, or is not this user's alone.
    pub fn load(&self) -> Cache {
        let bytes = self.read().unwrap_or_else(|reason| {
            tracing::debug!(%reason, file = %self.file.display(), "no features are remembered");
            Vec::new()
        });
        Cache::new(self.stamp.clone(), bytes)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        check(&self.folder.symlink_metadata()?, Metadata::is_dir)?;
        // Opening something else than a plain file may wait for ever.
        check(&self.file.symlink_metadata()?, Metadata::is_file)?;
        let open = private::options().read(true).open(&self.file)?;
        let about = open.metadata()?;
        check(&about, Metadata::is_file)?;
        if about.len() > MOST_IN_ONE {
            return Err(io::Error::other("it is too large"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0) + 1);
        open.take(MOST_IN_ONE).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Keeps what was read, where it is not kept already.
    pub fn save(&self, cache: &Cache) {
        if cache.is_changed()
            && let Err(reason) = self.write(&cache.to_bytes())
        {
            tracing::debug!(%reason, file = %self.file.display(), "no features are remembered");
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > MOST_IN_ONE {
            return Err(io::Error::other("it would be too large"));
        }
        private::make_folder(&self.folder)?;
        check(&self.folder.symlink_metadata()?, Metadata::is_dir)?;
        private::put(&self.file, bytes)?;
        tidy(&self.folder)
    }
}

/// Removes the oldest files, and drafts of processes that died.
fn tidy(folder: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // Another process may have removed it meanwhile.
        let Ok(about) = path.symlink_metadata() else { continue };
        let written = about.modified().unwrap_or(UNIX_EPOCH);
        let is_draft = path.extension().is_some();
        if !is_draft {
            files.push((written, about.len(), path));
        } else if written.elapsed().is_ok_and(|age| age > STALE) {
            let _ = std::fs::remove_file(&path);
        }
    }
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (index, (_, length, path)) in files.iter().enumerate() {
        bytes += length;
        if index >= MOST_FILES || bytes > MOST_BYTES {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

fn check(about: &Metadata, is_expected: fn(&Metadata) -> bool) -> io::Result<()> {
    if !is_expected(about) {
        return Err(io::Error::other("it is of another kind"));
    }
    if !private::is_private(about) {
        return Err(io::Error::other("others than this user can write to it or look into it"));
    }
    Ok(())
}

/// What tells this build of the program from every other: another reads otherwise, perhaps, whatever its
/// version says.
fn build() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let about = program.metadata().ok()?;
    let written = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let version = env!("CARGO_PKG_VERSION");
    Some(format!("{version}\n{}\n{}\n{}", program.display(), about.len(), written.as_nanos()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::feature::id::FeatureSource;
    use crate::script::runtime::{Location, ScriptRuntime};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;

    fn shelf(folder: &TempDir) -> Shelf {
        let folder = folder.path().join("cache/read");
        Shelf { file: folder.join("0123"), folder, stamp: "a build".to_owned() }
    }

    /// Reads a feature with what the shelf has; whether it had it.
    fn is_kept(folder: &TempDir, shelf: &Shelf) -> bool {
        let path = folder.path().join("one.rhai");
        fs::write(&path, "/// Gives.\n/// @tool\nfn one() { 1 }\n").expect("a file");
        let runtime = ScriptRuntime::new(&Limits::default()).expect("the tests count allocations");
        let mut cache = shelf.load();
        let read = runtime.read_with(&[Location { path, source: FeatureSource::User }], &mut cache);
        assert!(read.iter().all(|outcome| outcome.script.is_some()));
        shelf.save(&cache);
        !cache.is_changed()
    }

    #[test]
    fn what_others_could_have_written_is_nothing() {
        let folder = TempDir::new().expect("a temporary folder");
        let shelf = shelf(&folder);
        assert!(!is_kept(&folder, &shelf));
        assert!(is_kept(&folder, &shelf));
        let open = |path: &Path, mode: u32| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
        };
        open(&shelf.file, 0o640);
        assert!(!is_kept(&folder, &shelf), "a file that others may read");
        assert!(is_kept(&folder, &shelf), "it was replaced");
        open(&shelf.folder, 0o777);
        assert!(!is_kept(&folder, &shelf), "a folder that others may write to");
        assert!(!is_kept(&folder, &shelf), "nothing is written there");
        open(&shelf.folder, 0o700);
        assert!(is_kept(&folder, &shelf));
        let aside = folder.path().join("aside");
        fs::rename(&shelf.file, &aside).expect("it moves");
        symlink(&aside, &shelf.file).expect("a link");
        assert!(!is_kept(&folder, &shelf), "a link");
        assert!(is_kept(&folder, &shelf), "it was replaced");
        fs::remove_file(&shelf.file).expect("it was there");
        fs::create_dir(&shelf.file).expect("a folder");
        assert!(!is_kept(&folder, &shelf), "a folder of that name");
    }

    #[test]
    fn a_folder_that_cannot_be_made_only_costs_time() {
        let folder = TempDir::new().expect("a temporary folder");
        let shelf = shelf(&folder);
        fs::write(folder.path().join("cache"), "a file").expect("a file");
        assert!(!is_kept(&folder, &shelf));
        assert!(!is_kept(&folder, &shelf));
    }

    #[test]
    fn the_oldest_go_first_and_drafts_of_the_dead_too() {
        let folder = TempDir::new().expect("a temporary folder");
        let begin = SystemTime::now() - STALE * 4;
        let make = |name: &str, age: u32, length: u64| {
            let file = fs::File::create(folder.path().join(name)).expect("a file");
            file.set_len(length).expect("it grows");
            file.set_modified(begin + Duration::from_secs(age.into())).expect("it is ours");
        };
        for index in 0..40 {
            make(&format!("{index:02}"), index, 1);
        }
        make("old.1.new", 0, 1);
        fs::write(folder.path().join("fresh.1.new"), "").expect("a file");
        let names = || {
            let entries = fs::read_dir(folder.path()).expect("a folder");
            let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
            let mut names: Vec<_> =
                entries.map(|entry| name(entry).into_string().expect("text")).collect();
            names.sort();
            names
        };
        tidy(folder.path()).expect("the folder is read");
        let mut expected: Vec<_> = (8..40).map(|index| format!("{index:02}")).collect();
        expected.push("fresh.1.new".to_owned());
        assert_eq!(names(), expected);
        make("39", 39, MOST_BYTES - 1);
        tidy(folder.path()).expect("the folder is read");
        assert_eq!(names(), ["38", "39", "fresh.1.new"].map(str::to_owned));
    }
}
