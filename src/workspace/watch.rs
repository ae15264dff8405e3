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
    folders: BTreeSet<PathBuf>,
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
        Ok(Self { watcher, folders: BTreeSet::new() })
    }

    /// Watches `wanted` and no others. A folder that is not there is watched for where it would be.
    pub fn follow(&mut self, wanted: &BTreeSet<PathBuf>, changed: &Changed) -> Followed {
        let wanted: BTreeSet<_> = wanted.iter().filter_map(|folder| existing(folder)).collect();
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

/// The nearest folder at or above `folder` that is there, without links.
fn existing(folder: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(folder).ok()?;
    absolute.ancestors().find_map(|above| above.canonicalize().ok().filter(|real| real.is_dir()))
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
