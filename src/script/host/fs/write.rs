//! Writing: each act is on record before it happens, and none is undone.
//!
//! A file is replaced as a whole: what is new is written beside it under another name, and then
//! takes its name. Whoever reads it sees the old text or the new one.

#![expect(clippy::disallowed_methods, reason = "opens what was granted, below handles of folders")]

use super::place::Place;
use super::reach::{COST, Found, LastLink, Reach, Wanted, failed, failed_io};
use super::read::WINDOW;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::FsAccess;
use crate::feature::transaction::Act;
use crate::script::frame::{self, Native, refusal};
use crate::script::meter;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawMode};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

pub(super) fn write(path: &str, text: &str) -> Native {
    let (reach, place) = begin(path)?;
    let found = reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Follow)?;
    found.require_file_or_nothing()?;
    record(writes(&place, text.len() as u64))?;
    replace(&found, 0o666, |file| put(&found.place, file, text.as_bytes()))
}

pub(super) fn append(path: &str, text: &str) -> Native {
    let (reach, place) = begin(path)?;
    let found = reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Follow)?;
    found.require_file_or_nothing()?;
    record(writes(&place, text.len() as u64))?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let (mut file, _) = found.open_file(flags)?;
    put(&found.place, &mut file, text.as_bytes())
}

pub(super) fn make_folder(path: &str) -> Native<bool> {
    let (reach, place) = begin(path)?;
    reach.granted_view(&place, FsAccess::Write, Wanted::It)?;
    let mut made = false;
    for end in 1..=place.names.len() {
        let part = Place { root: place.root, names: place.names[..end].to_vec() };
        // What it lies in need not be granted itself, only lead to what is.
        let wanted = if end == place.names.len() { Wanted::It } else { Wanted::ItOrBelow };
        let found = reach.find(&part, FsAccess::Write, wanted, LastLink::Follow)?;
        match found.kind() {
            Some(FileType::Directory) => continue,
            Some(_) => return Err(failed(&found.place, Errno::EXIST)),
            None => (),
        }
        record(writes(&part, 0))?;
        match fs::mkdirat(&found.parent, &found.name, Mode::from_raw_mode(0o777)) {
            Ok(()) => made = true,
            // Somebody else was faster; the next look says what it is.
            Err(Errno::EXIST) => (),
            Err(error) => return Err(failed(&found.place, error)),
        }
    }
    Ok(made)
}

pub(super) fn remove(path: &str) -> Native<bool> {
    let (reach, place) = begin(path)?;
    let found = reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Keep)?;
    let flags = match found.kind() {
        None => return Ok(false),
        Some(FileType::Directory) => AtFlags::REMOVEDIR,
        Some(FileType::Symlink) => AtFlags::empty(),
        Some(_) => {
            found.require_file_or_nothing()?;
            AtFlags::empty()
        }
    };
    record(Act::Remove { path: place.to_string() })?;
    match fs::unlinkat(&found.parent, &found.name, flags) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(failed(&found.place, error)),
    }
}

pub(super) fn copy(from: &str, to: &str) -> Native {
    let (reach, source) = begin(from)?;
    let source = reach.find(&source, FsAccess::Read, Wanted::It, LastLink::Follow)?;
    let (mut file, stat) = source.open_file(OFlags::RDONLY)?;
    let (_, place) = begin(to)?;
    let found = reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Follow)?;
    found.require_file_or_nothing()?;
    record(writes(&place, u64::try_from(stat.st_size).unwrap_or_default()))?;
    replace(&found, stat.st_mode, |copy| {
        let mut part = vec![0; WINDOW];
        loop {
            meter::charge_bytes(WINDOW)?;
            let length = file.read(&mut part).map_err(|error| failed_io(&source.place, &error))?;
            if length == 0 {
                return Ok(());
            }
            put(&found.place, copy, &part[..length])?;
        }
    })
}

pub(super) fn rename(from: &str, to: &str) -> Native {
    let (reach, source) = begin(from)?;
    // A file that may not be read could be moved to where it may.
    reach.find(&source, FsAccess::Read, Wanted::It, LastLink::Follow)?;
    let old = reach.find(&source, FsAccess::Write, Wanted::It, LastLink::Follow)?;
    let Some(stat) = &old.stat else { return Err(failed(&old.place, Errno::NOENT)) };
    old.require_file_or_nothing()?;
    let (_, place) = begin(to)?;
    let new = reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Follow)?;
    new.require_file_or_nothing()?;
    record(writes(&place, u64::try_from(stat.st_size).unwrap_or_default()))?;
    record(Act::Remove { path: source.to_string() })?;
    fs::renameat(&old.parent, &old.name, &new.parent, &new.name)
        .map_err(|error| failed(&new.place, error))
}

fn begin(path: &str) -> Native<(Reach, Place)> {
    meter::charge(COST)?;
    let place = Place::parse(path).map_err(refusal)?;
    Ok((Reach::of_call()?, place))
}

fn writes(place: &Place, bytes: u64) -> Act {
    Act::Write { path: place.to_string(), bytes }
}

/// Puts an act on record; it may happen once this returned.
fn record(act: Act) -> Native {
    // The log is longer by it for good, so a long path costs more than a look at it.
    let length = match &act {
        Act::Write { path, .. } | Act::Remove { path } => path.len() as u64,
        Act::Exec { .. } | Act::Http { .. } | Act::Bridge { .. } | Act::Pod { .. } => 0,
    };
    meter::charge(COST + length)?;
    frame::act(&act)
}

/// Writes `bytes`, and pays for them piece by piece.
fn put(place: &Place, file: &mut File, bytes: &[u8]) -> Native {
    for part in bytes.chunks(WINDOW) {
        meter::charge_bytes(part.len())?;
        file.write_all(part).map_err(|error| failed_io(place, &error))?;
    }
    Ok(())
}

/// A file that goes away again, unless it took the place of another.
struct Beside<'a> {
    folder: &'a OwnedFd,
    name: String,
    is_placed: bool,
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if !self.is_placed {
            // Nothing is left to do for one that cannot be removed.
            let _ = fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// Lets `fill` write a new file, which then takes the name of the one that was found and keeps its
/// mode; where there was none, it gets `mode` as far as the user's mask allows.
fn replace(found: &Found, mode: RawMode, fill: impl FnOnce(&mut File) -> Native) -> Native {
    let fail = |error| failed(&found.place, error);
    // Who may read it stays; the bits that lend a user's rights do not.
    let old = found.stat.as_ref().map(|old| Mode::from_raw_mode(old.st_mode & 0o777));
    let mode = old.unwrap_or(Mode::from_raw_mode(mode & 0o777));
    let (mut file, mut beside) = beside(found, mode)?;
    if let Some(mode) = old {
        fs::fchmod(&file, mode).map_err(fail)?;
    }
    fill(&mut file)?;
    // Without it, a power cut could leave the name with nothing behind it.
    fs::fsync(&file).map_err(fail)?;
    meter::charge(COST)?;
    fs::renameat(&found.parent, &beside.name, &found.parent, &found.name).map_err(fail)?;
    beside.is_placed = true;
    Ok(())
}

fn beside(found: &Found, mode: Mode) -> Native<(File, Beside<'_>)> {
    /// So that no two writers of this process take one name.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..8 {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let name = format!(".peasy-{:x}-{count:x}-{now:x}.tmp", std::process::id());
        match fs::openat(&found.parent, &name, flags, mode) {
            Ok(handle) => {
                let beside = Beside { folder: &found.parent, name, is_placed: false };
                return Ok((File::from(handle), beside));
            }
            Err(Errno::EXIST) => (),
            Err(error) => return Err(failed(&found.place, error)),
        }
    }
    let message = format!("`{}` cannot be written: no name beside it is free", found.place);
    Err(refusal(Diagnostic::operator("fs/failed", message)))
}
