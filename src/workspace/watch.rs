//! What changed on the disk, told by the system.
//!
//! Folders are watched and not files, because editors replace files; and only those in which a
//! feature has files, because a project may have a great many others.

use notify::event::EventKind;
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// These entries of watched folders.
    Paths(BTreeSet<PathBuf>),
    /// It cannot be told; perhaps too much at once.
    Everything,
}

impl Changed {
    pub fn none() -> Self {
        Self::Paths(BTreeSet::new())
    }

    /// Whether nothing did.
    pub fn is_none(&self) -> bool {
        *self == Self::none()
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Paths(mut paths), Self::Paths(more)) => {
                paths.extend(more);
                Self::Paths(paths)
            }
            _ => Self::Everything,
        }
    }

    /// What of it `wanted` knows.
    fn only(self, mut wanted: impl FnMut(&Path) -> bool) -> Self {
        match self {
            Self::Paths(mut paths) => {
                paths.retain(|path| wanted(path));
                Self::Paths(paths)
            }
            Self::Everything => Self::Everything,
        }
    }

    /// Whether an entry changed that `wanted` knows.
    pub fn has(&self, wanted: impl FnMut(&PathBuf) -> bool) -> bool {
        match self {
            Self::Paths(paths) => paths.iter().any(wanted),
            Self::Everything => true,
        }
    }
}

/// What whoever watches is told.
pub(super) enum Heard {
    Changed(Changed),
    /// To watch no longer.
    Stop,
}

/// What to watch.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Folders of which every entry matters.
    pub folders: BTreeSet<PathBuf>,
    /// Files and folders that matter and not what lies beside them.
    pub names: BTreeSet<PathBuf>,
}

/// What came of following folders.
#[derive(Default)]
pub(super) struct Followed {
    /// Those that are watched from now on. What happened in them before was not heard of.
    pub new: BTreeSet<PathBuf>,
    /// Why others are not.
    pub errors: Vec<notify::Error>,
}

/// Folders that are watched.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    /// Those that the system was asked to watch.
    folders: BTreeSet<PathBuf>,
    /// What is wanted, as events name it.
    wanted: Wanted,
}

impl Watch {
    /// Watches nothing yet; what changes is sent to `heard`.
    ///
    /// # Errors
    ///
    /// The system gives no means.
    pub fn new(heard: Sender<Heard>) -> notify::Result<Self> {
        let tell = move |event: notify::Result<Event>| {
            if let Some(changed) = changed(event) {
                // A listener that is gone listens no more.
                let _ = heard.send(Heard::Changed(changed));
            }
        };
        let watcher = RecommendedWatcher::new(tell, Config::default())?;
        Ok(Self { watcher, folders: BTreeSet::new(), wanted: Wanted::default() })
    }

    /// What of a change concerns what is watched: something in its folders, or what leads there. A
    /// folder around them is often busy with other things.
    pub fn concerning(&self, changed: Changed) -> Changed {
        let Wanted { folders, names } = &self.wanted;
        changed.only(|path| {
            path.parent().is_some_and(|folder| folders.contains(folder))
                || folders.iter().chain(names).any(|wanted| wanted.starts_with(path))
        })
    }

    /// Watches `wanted` and nothing else. A folder that is not there is watched for where it would be.
    pub fn follow(&mut self, wanted: &Wanted, changed: &Changed) -> Followed {
        let around = wanted.names.iter().filter_map(|name| name.parent());
        let folders = wanted.folders.iter().map(PathBuf::as_path).chain(around);
        let folders: BTreeSet<_> = folders.filter_map(|folder| Some(existing(folder)?.0)).collect();
        self.wanted = Wanted {
            folders: wanted.folders.iter().filter_map(|folder| as_told(folder)).collect(),
            names: wanted.names.iter().filter_map(|name| named(name)).collect(),
        };
        let wanted = folders;
        // A folder that was moved or made anew is another under the same name.
        let is_kept =
            |folder: &PathBuf| wanted.contains(folder) && !changed.has(|path| path == folder);
        let (kept, dropped) = std::mem::take(&mut self.folders).into_iter().partition(is_kept);
        self.folders = kept;
        for folder in dropped {
            // The system may have let go of it before.
            let _ = self.watcher.unwatch(&folder);
        }
        let mut followed = Followed::default();
        for folder in wanted {
            if !self.folders.contains(&folder) {
                match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        followed.new.insert(folder.clone());
                        self.folders.insert(folder);
                    }
                    Err(error) => followed.errors.push(error),
                }
            }
        }
        followed
    }
}

/// The nearest folder at or above `folder` that is there, without links, and the rest of the path.
fn existing(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    // The folder that this program stands in has no name of its own.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::path::absolute(folder).ok()?;
    absolute.ancestors().find_map(|above| {
        let real = above.canonicalize().ok().filter(|real| real.is_dir())?;
        Some((real, absolute.strip_prefix(above).ok()?.to_owned()))
    })
}

/// The folder as events name it, there or not.
fn as_told(folder: &Path) -> Option<PathBuf> {
    let (real, rest) = existing(folder)?;
    // Nothing is joined to a folder that is there: that would end it with a separator.
    Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
}

/// The entry of a folder as events name it.
fn named(path: &Path) -> Option<PathBuf> {
    match path.file_name() {
        Some(name) => Some(as_told(path.parent()?)?.join(name)),
        None => as_told(path),
    }
}

fn changed(event: notify::Result<Event>) -> Option<Changed> {
    match event {
        Ok(event) if event.need_rescan() => Some(Changed::Everything),
        Ok(Event { kind: EventKind::Access(_), .. }) => None,
        Ok(event) => Some(Changed::Paths(event.paths.into_iter().collect())),
        Err(reason) => {
            tracing::warn!(%reason, "watching for changes");
            Some(Changed::Everything)
        }
    }
}
