//! From a path to a handle: what a grant reaches, and how it is reached without leaving it.
//!
//! The walk opens one name after another, each relative to the handle of its folder and none
//! through a link. A link is read instead, and its names are walked in turn: it may lead anywhere
//! below the root it lies in, and what it leads to must be granted as well. So there is no moment
//! at which something swapped in on the disk is followed.
//!
//! This is cap-std's way. It is written out here because cap-std follows links without saying
//! where they led, which is what has to be held against the grants, and opens what lies at the end
//! before one can see that it is a device.

#![expect(clippy::disallowed_methods, reason = "opens what was granted, below handles of folders")]

use super::place::{MOST_NAMES, Place};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, FsAccess, PathGlob, PathRoot};
use crate::script::frame::{self, Native, refusal};
use crate::script::host::with_remedy;
use crate::script::meter;
use rhai::EvalAltResult;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The operations that one look at the disk costs.
pub(super) const COST: u64 = 20;

/// Most links that one path may lead through; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// A handle of a folder that need not be readable.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Flags of every file that is opened: no link at its end, no waiting for the other end of a pipe,
/// no terminal of ours.
const FILE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// What of a path has to be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The path itself.
    It,
    /// It, or something below it: for folders that are looked into.
    ItOrBelow,
}

/// What becomes of a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLink {
    /// What it leads to is meant.
    Follow,
    /// The link itself is meant.
    Keep,
}

/// The grants of the running call for `fs`, and the folders that they speak of.
pub(super) struct Reach {
    globs: Vec<(FsAccess, PathGlob)>,
    workspace: String,
    home: Option<String>,
    own: Vec<OwnFolder>,
}

/// A place on the disk, held by its folder.
pub(super) struct Found {
    /// Where it lies, links resolved.
    pub place: Place,
    /// The folder that it lies in; for a root, the root.
    pub parent: OwnedFd,
    /// Its name there.
    pub name: String,
    /// What it is; `None` where there is nothing.
    pub stat: Option<Stat>,
    /// Whether links were followed on the way.
    pub is_linked: bool,
}

impl Reach {
    /// What the running call reaches.
    ///
    /// # Errors
    ///
    /// The host works in no folder.
    pub fn of_call() -> Native<Self> {
        let workspace = super::super::workspace()?;
        let own = frame::ask_host(|host| Ok(own_folders(host.closed())))?;
        let globs: Vec<_> = frame::with(|frame| {
            let globs = frame.grants().iter().filter_map(|grant| match grant {
                Capability::Fs { access, paths } => Some((*access, paths.clone())),
                _ => None,
            });
            Ok(globs.collect())
        })?;
        Ok(Self { globs, workspace, home: home(), own })
    }

    /// Looks up `place`, as far as it is granted.
    ///
    /// # Errors
    ///
    /// It is not granted, a folder on the way is missing, or it cannot be looked at.
    pub fn find(
        &self,
        place: &Place,
        access: FsAccess,
        wanted: Wanted,
        last: LastLink,
    ) -> Native<Found> {
        let place = self.granted_view(place, access, wanted)?;
        let found = self.walk(&place, last)?;
        if found.is_linked {
            self.granted_view(&found.place, access, wanted)?;
        }
        Ok(found)
    }

    /// Whether `place` is granted, under whatever root.
    pub fn allows(&self, place: &Place, access: FsAccess, wanted: Wanted) -> bool {
        self.views(place).iter().any(|view| self.allows_view(view, access, wanted))
    }

    /// The view of `place` that is granted.
    ///
    /// # Errors
    ///
    /// None is.
    pub fn granted_view(&self, place: &Place, access: FsAccess, wanted: Wanted) -> Native<Place> {
        meter::charge(COST)?;
        let view =
            self.views(place).into_iter().find(|view| self.allows_view(view, access, wanted));
        match view {
            Some(view) => Ok(view),
            None => Err(denied(place, access, wanted)),
        }
    }

    fn allows_view(&self, view: &Place, access: FsAccess, wanted: Wanted) -> bool {
        let path = view.path();
        self.globs.iter().filter(|(granted, _)| *granted == access).any(|(_, glob)| {
            glob.allows(view.root, &path)
                || (wanted == Wanted::ItOrBelow && glob.may_hold(view.root, &view.names))
        })
    }

    /// The same place seen from each root that it lies below, its own first.
    fn views(&self, place: &Place) -> Vec<Place> {
        let mut views = vec![place.clone()];
        let absolute = self.absolute(place);
        for root in [PathRoot::Workspace, PathRoot::Home, PathRoot::Absolute] {
            let rest = self.folder(root).and_then(|folder| absolute.strip_prefix(folder).ok());
            let names = rest.map(|rest| rest.iter().map(|name| name.to_str().map(str::to_owned)));
            if root != place.root
                && let Some(Some(names)) = names.map(Iterator::collect)
            {
                views.push(Place { root, names });
            }
        }
        views
    }

    fn folder(&self, root: PathRoot) -> Option<&str> {
        match root {
            PathRoot::Workspace => Some(&self.workspace),
            PathRoot::Home => self.home.as_deref(),
            PathRoot::Absolute => Some("/"),
        }
    }

    fn absolute(&self, place: &Place) -> PathBuf {
        let folder = Path::new(self.folder(place.root).unwrap_or("/"));
        folder.iter().chain(place.names.iter().map(AsRef::as_ref)).collect()
    }

    /// Walks to `place`.
    fn walk(&self, place: &Place, last: LastLink) -> Native<Found> {
        let Some(root) = self.folder(place.root) else {
            let message =
                format!("`{place}` begins at the home folder, and the environment names none");
            return Err(refusal(Diagnostic::operator("fs/failed", message)));
        };
        let root_handle =
            fs::openat(CWD, root, FOLDER, Mode::empty()).map_err(|error| failed(place, error))?;
        let mut walk = Walk {
            reach: self,
            asked: place,
            root,
            names: Vec::new(),
            handles: vec![root_handle],
            open: place.names.iter().rev().cloned().collect(),
            links: 0,
        };
        let found = walk.run(last)?;
        if self.is_own(&found.place) {
            return Err(own(place));
        }
        Ok(found)
    }

    /// Whether a place is one of peasy's own, by its name: it may not be there yet.
    fn is_own(&self, place: &Place) -> bool {
        let path = self.absolute(place);
        self.own.iter().any(|own| path.starts_with(&own.path))
    }

    /// Whether a folder is one of peasy's own, by whatever name.
    pub fn is_own_folder(&self, folder: &Stat) -> bool {
        self.own.iter().any(|own| own.identity == Some(identity(folder)))
    }
}

/// A folder of peasy's own.
struct OwnFolder {
    path: PathBuf,
    /// Device and number; `None` where it is not there yet.
    identity: Option<(u64, u64)>,
}

impl frame::Heap for OwnFolder {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        tell(self.path.capacity());
    }
}

#[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "differs between systems")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

struct Walk<'a> {
    reach: &'a Reach,
    /// What was asked for, for messages.
    asked: &'a Place,
    root: &'a str,
    /// Where the walk is, from the root.
    names: Vec<String>,
    /// The root, and a handle for each of `names`.
    handles: Vec<OwnedFd>,
    /// What is still to be walked, the next name last.
    open: Vec<String>,
    links: usize,
}

impl Walk<'_> {
    fn run(&mut self, last: LastLink) -> Native<Found> {
        while let Some(name) = self.open.pop() {
            meter::charge(COST)?;
            if name == ".." {
                // Only a link has one: paths of scripts are plain.
                if self.names.pop().is_none() {
                    return Err(refusal(outside(self.asked)));
                }
                self.handles.pop();
                continue;
            }
            let is_last = self.open.is_empty();
            let stat = match fs::statat(self.folder()?, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Some(stat),
                Err(Errno::NOENT) if is_last => None,
                Err(error) => return Err(failed(self.asked, error)),
            };
            let Some(stat) = stat else { return self.found(name, None) };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink if !(is_last && last == LastLink::Keep) => {
                    self.read_link(&name)?
                }
                FileType::Directory => self.enter(name, &stat)?,
                _ if is_last => return self.found(name, Some(stat)),
                _ => {
                    let message =
                        format!("`{}` leads through `{name}`, which is no folder", self.asked);
                    return Err(refusal(Diagnostic::caller("fs/kind", message)));
                }
            }
        }
        self.found_folder()
    }

    fn folder(&self) -> Native<&OwnedFd> {
        self.handles.last().ok_or_else(|| refusal(outside(self.asked)))
    }

    fn enter(&mut self, name: String, stat: &Stat) -> Native {
        if self.names.len() == MOST_NAMES {
            let message = format!("`{}` leads more than {MOST_NAMES} folders deep", self.asked);
            return Err(refusal(Diagnostic::caller("fs/path", message)));
        }
        if self.reach.is_own_folder(stat) {
            return Err(own(self.asked));
        }
        let handle = fs::openat(self.folder()?, &name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|error| failed(self.asked, error))?;
        self.handles.push(handle);
        self.names.push(name);
        Ok(())
    }

    /// Walks the names of a link instead of its own.
    fn read_link(&mut self, name: &str) -> Native {
        self.links += 1;
        let circle = self.links > MOST_LINKS || self.open.len() > MOST_NAMES;
        if circle {
            let message = format!("`{}` leads through more than {MOST_LINKS} links", self.asked);
            return Err(refusal(Diagnostic::caller("fs/loop", message)));
        }
        let target = fs::readlinkat(self.folder()?, name, Vec::new())
            .map_err(|error| failed(self.asked, error))?;
        let outside = || refusal(outside(self.asked));
        let target = target.to_str().map_err(|_| outside())?;
        let mut rest = Path::new(target);
        if rest.is_absolute() {
            rest = rest.strip_prefix(self.root).map_err(|_| outside())?;
            self.names.clear();
            self.handles.truncate(1);
        }
        let names = rest.to_str().unwrap_or_default().split('/');
        let names: Vec<_> = names.filter(|name| !matches!(*name, "" | ".")).collect();
        self.open.extend(names.into_iter().rev().map(str::to_owned));
        Ok(())
    }

    fn found(&mut self, name: String, stat: Option<Stat>) -> Native<Found> {
        let Some(parent) = self.handles.pop() else { return Err(refusal(outside(self.asked))) };
        require_disk(self.asked, &parent)?;
        let mut names = std::mem::take(&mut self.names);
        names.push(name.clone());
        let place = Place { root: self.asked.root, names };
        Ok(Found { place, parent, name, stat, is_linked: self.links > 0 })
    }

    /// The walk ended in a folder.
    fn found_folder(&mut self) -> Native<Found> {
        let (handle, name) = (self.handles.pop(), self.names.pop());
        let Some(handle) = handle else { return Err(refusal(outside(self.asked))) };
        require_disk(self.asked, &handle)?;
        let stat = fs::fstat(&handle).map_err(|error| failed(self.asked, error))?;
        match name {
            Some(name) => self.found(name, Some(stat)),
            None if self.reach.is_own_folder(&stat) => Err(own(self.asked)),
            None => {
                let place = Place { root: self.asked.root, names: Vec::new() };
                let (name, is_linked) = (".".to_owned(), self.links > 0);
                Ok(Found { place, parent: handle, name, stat: Some(stat), is_linked })
            }
        }
    }
}

impl Found {
    /// What there is; `None` where there is nothing.
    pub fn kind(&self) -> Option<FileType> {
        self.stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// Opens the file that is there.
    ///
    /// # Errors
    ///
    /// There is none, or it is something else.
    pub fn open_file(&self, flags: OFlags) -> Native<(File, Stat)> {
        match self.kind() {
            None if flags.contains(OFlags::CREATE) => (),
            None => return Err(failed(&self.place, Errno::NOENT)),
            Some(kind) => require_file(&self.place, kind)?,
        }
        let mode = Mode::from_raw_mode(0o666);
        let handle = fs::openat(&self.parent, &self.name, FILE | flags, mode)
            .map_err(|error| failed(&self.place, error))?;
        require_disk(&self.place, &handle)?;
        // What stands under the name may have been exchanged since it was looked at.
        let stat = fs::fstat(&handle).map_err(|error| failed(&self.place, error))?;
        require_file(&self.place, FileType::from_raw_mode(stat.st_mode))?;
        Ok((File::from(handle), stat))
    }

    /// Opens the folder that is there, to read its entries.
    ///
    /// # Errors
    ///
    /// There is none, or it is something else.
    pub fn open_folder(&self) -> Native<OwnedFd> {
        match self.kind() {
            None => return Err(failed(&self.place, Errno::NOENT)),
            Some(FileType::Directory) => (),
            Some(_) => {
                let message = format!("`{}` is no folder", self.place);
                return Err(refusal(Diagnostic::caller("fs/kind", message)));
            }
        }
        open_folder(&self.place, &self.parent, &self.name)
    }

    /// Says no to what is there and neither a file nor nothing.
    ///
    /// # Errors
    ///
    /// It is a folder or a special file.
    pub fn require_file_or_nothing(&self) -> Native {
        self.kind().map_or(Ok(()), |kind| require_file(&self.place, kind))
    }
}

/// Opens a folder to read its entries.
pub(super) fn open_folder(place: &Place, parent: &OwnedFd, name: &str) -> Native<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle =
        fs::openat(parent, name, flags, Mode::empty()).map_err(|error| failed(place, error))?;
    require_disk(place, &handle)?;
    Ok(handle)
}

fn require_file(place: &Place, kind: FileType) -> Native {
    let diagnostic = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => {
            Diagnostic::caller("fs/kind", format!("`{place}` is a folder, and a file is needed"))
                .help("`fs::list(folder)` gives what is in it")
        }
        // It was a link only after it had been looked at.
        FileType::Symlink => return Err(failed(place, Errno::LOOP)),
        _ => special(place),
    };
    Err(refusal(diagnostic))
}

/// File systems of the kernel: what lies there is no file but a view of processes and devices, and
/// reading or writing it can do anything. Source: linux/magic.h.
#[cfg(target_os = "linux")]
const KERNEL: [u64; 20] = [
    0x9fa0,      // proc
    0x9fa1,      // openprom
    0x9fa2,      // usbfs
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6367_7270, // cgroup2
    0x0027_e0eb, // cgroup
    0x1cd1,      // devpts
    0x4249_4e4d, // binfmt_misc
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0xcafe_4a11, // bpf
    0x6e73_6673, // nsfs
    0x6573_5543, // fusectl
    0x6e66_7364, // nfsd
    0x1980_0202, // mqueue
];

/// Says no to the file systems of the kernel.
#[cfg(target_os = "linux")]
fn require_disk(place: &Place, handle: &OwnedFd) -> Native {
    let about = fs::fstatfs(handle).map_err(|error| failed(place, error))?;
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "differs between machines")]
    let kind = (about.f_type as u64) & 0xffff_ffff;
    if KERNEL.contains(&kind) { Err(refusal(special(place))) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
fn require_disk(_: &Place, _: &OwnedFd) -> Native {
    Ok(())
}

fn home() -> Option<String> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    home.canonicalize().ok().filter(|_| home.is_absolute())?.to_str().map(str::to_owned)
}

/// The folders that the host closes, as the walk names them: without links in what is there already.
fn own_folders(closed: &[PathBuf]) -> Vec<OwnFolder> {
    let folder = |closed: &PathBuf| {
        let there = closed
            .ancestors()
            .find_map(|above| Some((above.canonicalize().ok()?, closed.strip_prefix(above).ok()?)));
        let path = there.map_or_else(|| closed.clone(), |(real, rest)| real.join(rest));
        let identity = fs::stat(&path).ok().map(|stat| identity(&stat));
        OwnFolder { path, identity }
    };
    closed.iter().map(folder).collect()
}

fn own(place: &Place) -> Box<EvalAltResult> {
    let message = format!("`{place}` lies where peasy keeps policy, stores and logs");
    refusal(Diagnostic::caller("fs/own", message).help("no grant opens these folders to a feature"))
}

fn special(place: &Place) -> Diagnostic {
    Diagnostic::caller(
        "fs/special",
        format!("`{place}` is a device, a pipe or a part of the system"),
    )
    .help("only files and folders of a disk are open to a feature")
}

fn outside(place: &Place) -> Diagnostic {
    Diagnostic::caller(
        "fs/outside",
        format!("`{place}` leads through a link out of its root folder"),
    )
    .help("name the place itself, and let it be granted")
}

/// The refusal of what is not granted, with the very grant that would open it.
fn denied(place: &Place, access: FsAccess, wanted: Wanted) -> Box<EvalAltResult> {
    let head = match access {
        FsAccess::Read => "fs:read",
        FsAccess::Write => "fs:write",
    };
    if wanted == Wanted::It && place.names.is_empty() {
        let message = format!("`{place}` is the folder that paths begin at, and no part of it");
        return refusal(Diagnostic::caller("fs/kind", message).help("name what lies in it"));
    }
    let capability = wish(head, place, wanted);
    let granted = frame::with(|frame| {
        let feature = frame.feature();
        let message = format!("`{capability}` is not granted to `{feature}`");
        Ok(with_remedy(Diagnostic::operator("grant/fs", message), feature, &capability))
    });
    match granted {
        Ok(diagnostic) => refusal(diagnostic),
        Err(error) => error,
    }
}

/// The narrowest capability that can be written for a place.
fn wish(head: &str, place: &Place, wanted: Wanted) -> Capability {
    let mut place = place.clone();
    let mut is_exact = wanted == Wanted::It;
    loop {
        let text = match (is_exact, place.names.is_empty()) {
            (true, _) => format!("{head}={place}"),
            (false, false) => format!("{head}={place}/**"),
            (false, true) => match place.root {
                PathRoot::Workspace => format!("{head}=**"),
                PathRoot::Home => format!("{head}=~/**"),
                PathRoot::Absolute => format!("{head}=/**"),
            },
        };
        let is_plain = !place.names.iter().any(|name| name.contains(['*', '?']));
        match text.parse() {
            Ok(capability) if is_plain => return capability,
            // A name that a glob cannot say: its folder can.
            _ if place.names.pop().is_some() => is_exact = false,
            _ => is_exact = false,
        }
    }
}

/// An error of the system as a refusal.
pub(super) fn failed(place: &Place, error: Errno) -> Box<EvalAltResult> {
    let caller = |code, problem: &str| Diagnostic::caller(code, format!("`{place}` {problem}"));
    let operator = |code, problem: &str| Diagnostic::operator(code, format!("`{place}` {problem}"));
    refusal(match error {
        Errno::NOENT => caller("fs/not-found", "does not exist"),
        Errno::EXIST => caller("fs/exists", "exists already"),
        Errno::NOTEMPTY => caller("fs/not-empty", "is a folder that is not empty"),
        Errno::ISDIR => caller("fs/kind", "is a folder, and a file is needed"),
        Errno::NXIO => special(place),
        Errno::NAMETOOLONG => caller("fs/path", "has a name that is too long for the disk"),
        Errno::LOOP | Errno::NOTDIR => {
            caller("fs/changed", "was exchanged while it was looked at").help("try again")
        }
        Errno::ACCESS | Errno::PERM => {
            operator("fs/denied", "may not be touched by the user that peasy runs as")
        }
        Errno::ROFS => operator("fs/read-only", "lies on a disk that cannot be written"),
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
            operator("fs/full", "does not fit: the disk or the user's share of it is full")
        }
        other => {
            let text = std::io::Error::from(other).to_string();
            operator("fs/failed", &format!("cannot be used: {text}"))
        }
    })
}

/// As [`failed`], of an error that the standard library gave.
pub(super) fn failed_io(place: &Place, error: &std::io::Error) -> Box<EvalAltResult> {
    failed(place, Errno::from_io_error(error).unwrap_or(Errno::IO))
}

/// Whether an error says that something is not there.
pub(super) fn is_not_found(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => value
            .read_lock::<frame::Refusal>()
            .is_some_and(|refusal| refusal.0.code == "fs/not-found"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "lays out folders of its own")]

    use super::*;
    use std::os::unix::fs::symlink;

    /// What became of a look at each of these paths, for a feature that was granted everything.
    fn looks(root: &Path, paths: &[&str]) -> Vec<String> {
        let closed = ["home/.config/peasy", "home/.local/state/peasy", "state"];
        let text = |path: PathBuf| path.to_str().expect("a plain path").to_owned();
        let globs = ["**", "~/**", "/**"].map(|glob| glob.parse().expect("a glob"));
        let reach = Reach {
            globs: globs.map(|glob| (FsAccess::Write, glob)).to_vec(),
            workspace: text(root.join("work")),
            home: Some(text(root.join("home"))),
            own: own_folders(&closed.map(|folder| root.join(folder))),
        };
        let look = |path: &&str| {
            let path = path.replace("ROOT", root.to_str().expect("a plain path"));
            let place = Place::parse(&path).expect("a path");
            match reach.find(&place, FsAccess::Write, Wanted::It, LastLink::Follow) {
                Ok(_) => "open".to_owned(),
                Err(error) => match *error {
                    EvalAltResult::ErrorRuntime(value, _) => {
                        let refusal = value.read_lock::<frame::Refusal>().expect("a refusal");
                        refusal.0.code.to_string()
                    }
                    other => other.to_string(),
                },
            }
        };
        paths.iter().map(look).collect()
    }

    #[test]
    fn peasy_s_own_folders_are_closed_to_every_grant() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there");
        for name in ["home/.config/other", "state/store", "work"] {
            std::fs::create_dir_all(root.join(name)).expect("a folder");
        }
        let paths = [
            "~/.config/peasy/policy.toml",
            "~/.config/peasy",
            "~/.config/other/../peasy/policy.toml",
            "~/.local/state/peasy",
            "ROOT/home/.config/peasy/x",
            "ROOT/state/store/x",
            "ROOT/state",
            "link/store/x",
            "~/.config/other/x",
            "x",
        ];
        symlink(root.join("state"), root.join("work/link")).expect("a link");
        let before = [
            "fs/not-found",
            "fs/own",
            "fs/not-found",
            "fs/not-found",
            "fs/not-found",
            "fs/own",
            "fs/own",
            "fs/outside",
            "open",
            "open",
        ];
        assert_eq!(looks(&root, &paths), before);
        // A link of the home folder makes it no other folder.
        std::fs::create_dir_all(root.join("dotfiles/peasy")).expect("a folder");
        symlink("../../dotfiles/peasy", root.join("home/.config/peasy")).expect("a link");
        let by_name = looks(&root, &["ROOT/dotfiles/peasy/x", "ROOT/home/.config/peasy/x"]);
        assert_eq!(by_name, ["fs/own", "fs/own"]);
    }
}
