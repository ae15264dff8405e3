//! Listing folders: one of them, or all that a pattern may lead to.
//!
//! Only names that are granted come out, and only folders are entered that may hold some.

use super::place::Place;
use super::reach::{COST, LastLink, Reach, Wanted, failed, is_not_found, open_folder};
use super::read::kind;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{FsAccess, PathGlob};
use crate::script::frame::{Native, refusal};
use crate::script::meter;
use rhai::{Array, EvalAltResult, ImmutableString, Map};
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Dir, FileType};

/// Most entries that `fs::list` gives, and most paths of `fs::glob`.
const MOST_RESULTS: usize = 10_000;

/// Most entries that `fs::glob` looks at.
const MOST_LOOKS: usize = 200_000;

/// Most folders below each other that `fs::glob` enters; each is held open.
const MOST_DEEP: usize = 64;

pub(super) fn list(folder: &str) -> Native<Array> {
    let place = Place::parse(folder).map_err(refusal)?;
    let reach = Reach::of_call()?;
    let found = reach.find(&place, FsAccess::Read, Wanted::ItOrBelow, LastLink::Follow)?;
    let handle = found.open_folder()?;
    let mut looks = MOST_LOOKS;
    let mut entries = entries(&found.place, &handle, &mut looks)?;
    entries.retain(|(name, kind)| {
        let wanted = match kind {
            FileType::Directory => Wanted::ItOrBelow,
            _ => Wanted::It,
        };
        reach.allows(&found.place.child(name), FsAccess::Read, wanted)
    });
    if entries.len() > MOST_RESULTS {
        return Err(too_many(&place, "has more than 10,000 entries"));
    }
    let entry = |(name, file_type)| {
        meter::charge(1)?;
        let name = ImmutableString::from(name);
        let map =
            Map::from([("name".into(), name.into()), ("kind".into(), kind(file_type).into())]);
        Ok(map.into())
    };
    entries.into_iter().map(entry).collect()
}

pub(super) fn glob(pattern: &str) -> Native<Array> {
    let plain = pattern.strip_prefix("./").unwrap_or(pattern);
    let glob: PathGlob = plain.parse().map_err(|reason| {
        let shown: String = pattern.chars().take(80).collect();
        let message = format!("`{shown}` is no pattern: {reason}");
        refusal(Diagnostic::caller("fs/path", message))
    })?;
    let start = Place { root: glob.root(), names: glob.fixed_folders() };
    let reach = Reach::of_call()?;
    let found = match reach.find(&start, FsAccess::Read, Wanted::ItOrBelow, LastLink::Follow) {
        Ok(found) if found.kind() == Some(FileType::Directory) && !found.is_linked => found,
        Ok(_) => return Ok(Array::new()),
        Err(error) if is_not_found(&error) => return Ok(Array::new()),
        Err(error) => return Err(error),
    };
    let handle = found.open_folder()?;
    let mut search =
        Search { reach: &reach, glob: &glob, start, looks: MOST_LOOKS, paths: Vec::new() };
    search.folder(&search.start.clone(), &handle, 0)?;
    search.paths.sort_unstable();
    Ok(search.paths.into_iter().map(|path| ImmutableString::from(path).into()).collect())
}

struct Search<'a> {
    reach: &'a Reach,
    glob: &'a PathGlob,
    start: Place,
    /// Entries that may still be looked at.
    looks: usize,
    paths: Vec<String>,
}

impl Search<'_> {
    fn folder(&mut self, place: &Place, handle: &OwnedFd, depth: usize) -> Native {
        for (name, kind) in entries(place, handle, &mut self.looks)? {
            let child = place.child(&name);
            let path = child.path();
            match kind {
                FileType::RegularFile if self.takes(&child, &path) => {
                    if self.paths.len() == MOST_RESULTS {
                        return Err(too_many(
                            &self.start,
                            "holds more than 10,000 files like that",
                        ));
                    }
                    self.paths.push(child.to_string());
                }
                FileType::Directory
                    if depth < MOST_DEEP
                        && self.glob.may_hold(child.root, &child.names)
                        && self.reach.allows(&child, FsAccess::Read, Wanted::ItOrBelow) =>
                {
                    self.enter(&child, handle, &name, depth)?;
                }
                _ => (),
            }
        }
        Ok(())
    }

    fn takes(&self, child: &Place, path: &str) -> bool {
        self.glob.allows(child.root, path) && self.reach.allows(child, FsAccess::Read, Wanted::It)
    }

    /// Goes into a folder, unless it went away, became something else, or may not be read.
    fn enter(&mut self, child: &Place, parent: &OwnedFd, name: &str, depth: usize) -> Native {
        meter::charge(COST)?;
        let Ok(stat) = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
        if self.reach.is_own_folder(&stat) {
            return Ok(());
        }
        match open_folder(child, parent, name) {
            Ok(handle) => self.folder(child, &handle, depth + 1),
            Err(_) => meter::charge(1),
        }
    }
}

/// The entries of a folder in the order of their names. A name that is not UTF-8 is left out: no
/// script can say it.
fn entries(place: &Place, handle: &OwnedFd, looks: &mut usize) -> Native<Vec<(String, FileType)>> {
    meter::charge(COST)?;
    // Reads a handle of its own, so that the given one stays at its start.
    let directory = Dir::read_from(handle).map_err(|error| failed(place, error))?;
    let mut entries = Vec::new();
    for entry in directory {
        meter::charge(COST / 4)?;
        let entry = entry.map_err(|error| failed(place, error))?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        *looks = looks.checked_sub(1).ok_or_else(|| {
            too_many(place, "is one folder too many: 200,000 names were looked at")
        })?;
        let kind = match entry.file_type() {
            // Not every disk says it beside the name.
            FileType::Unknown => fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            kind => kind,
        };
        entries.push((name.to_owned(), kind));
    }
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

fn too_many(place: &Place, problem: &str) -> Box<EvalAltResult> {
    let message = format!("`{place}` {problem}");
    refusal(
        Diagnostic::caller("fs/too-many", message).help("name fewer folders, as in `src/**/*.rs`"),
    )
}
