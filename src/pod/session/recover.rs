//! What a process that died left open is brought to an end by the next one that opens the log.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{Entry, Line};
use super::log::{INSTANCES, LogError, SessionLog, io_error};
use super::read::RawLines;
use crate::store::{Owner, StoreError, Stores};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for a store that a living call has locked.
const PATIENCE: Duration = Duration::from_secs(10);

const UNCOMMITTED: &str = "its process ended before it was committed";

/// What was brought to an end.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Recovered {
    /// Calls whose effects were lasting, and whose line was missing.
    pub completed: Vec<String>,
    /// Calls of which nothing was lasting.
    pub void: Vec<String>,
    /// Calls whose store cannot be read now; the next opening tries again.
    pub open: Vec<String>,
}

impl SessionLog {
    /// Ends the intents of processes that are dead: those that the store committed are completed, the
    /// others are void.
    ///
    /// # Errors
    ///
    /// The log cannot be read or written.
    pub fn recover(&self, stores: &Stores) -> Result<Recovered, LogError> {
        let mut recovered = Recovered::default();
        let folder = self.folder().join(INSTANCES);
        let read = io_error(&folder, "read");
        for entry in std::fs::read_dir(&folder).map_err(&read)? {
            let path = entry.map_err(&read)?.path();
            if path != self.alive_file()
                && let Some(dead) = Dead::find(path)
            {
                self.bury(dead, stores, &mut recovered)?;
            }
        }
        Ok(recovered)
    }

    fn bury(&self, dead: Dead, stores: &Stores, recovered: &mut Recovered) -> Result<(), LogError> {
        let mut is_over = true;
        for (call, owner) in open_intents(self.folder(), dead.begin, &dead.instance)? {
            let Some(owner) = owner else {
                self.void(call, UNCOMMITTED, recovered)?;
                continue;
            };
            match stores.committed(&owner, &call, Instant::now() + PATIENCE) {
                Ok(Some(notices)) => {
                    self.append(&Entry::Done { call: call.clone(), notices, recovered: true })?;
                    recovered.completed.push(call);
                }
                Ok(None) => self.void(call, UNCOMMITTED, recovered)?,
                // A store that was set aside cannot say; it holds nothing of the call any more.
                Err(error @ StoreError::Damaged(_)) => {
                    self.void(call, &error.to_string(), recovered)?;
                }
                Err(error) => {
                    tracing::warn!(%error, %call, "an open call cannot be brought to an end yet");
                    recovered.open.push(call);
                    is_over = false;
                }
            }
        }
        if is_over {
            dead.forget();
        }
        Ok(())
    }

    fn void(&self, call: String, reason: &str, recovered: &mut Recovered) -> Result<(), LogError> {
        let reason = reason.to_owned();
        self.append(&Entry::Void { call: call.clone(), reason })?;
        recovered.void.push(call);
        Ok(())
    }
}

/// A process that no longer lives, locked so that nobody else brings its calls to an end.
struct Dead {
    instance: String,
    begin: u64,
    path: PathBuf,
    _lock: File,
}

impl Dead {
    /// `None` for one that lives, or that somebody else sees to.
    fn find(path: PathBuf) -> Option<Self> {
        let instance = path.file_name()?.to_str()?.to_owned();
        if instance.starts_with('.') {
            // Its process is about to open the log, or died before it did.
            return None;
        }
        let lock = File::open(&path).ok()?;
        lock.try_lock().ok()?;
        // Where it began cannot be read after a power cut, perhaps: then from the start.
        let begin = std::fs::read_to_string(&path).ok()?.trim().parse().unwrap_or(0);
        Some(Self { instance, begin, path, _lock: lock })
    }

    fn forget(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The intents of an instance that have no end, and whose store they meant.
fn open_intents(
    folder: &Path,
    begin: u64,
    instance: &str,
) -> Result<BTreeMap<String, Option<Owner>>, LogError> {
    let mut open = BTreeMap::new();
    let prefix = format!("{instance}-");
    let mut lines = RawLines::from(folder, begin)?;
    while let Some(raw) = lines.next()? {
        // Only lines of its calls are read, and only whole ones.
        let Some(text) = std::str::from_utf8(raw.text).ok().filter(|text| text.contains(&prefix))
        else {
            continue;
        };
        match serde_json::from_str::<Line>(text).map(|line| line.entry) {
            Ok(Entry::Intent { call, about, .. }) if call.starts_with(&prefix) => {
                let owner = about.feature.zip(about.root);
                open.insert(call, owner.map(|(feature, root)| Owner { feature, root }));
            }
            Ok(Entry::Done { call, .. } | Entry::Void { call, .. }) => {
                open.remove(&call);
            }
            _ => (),
        }
    }
    Ok(open)
}

/// Whether the process of that name still lives.
pub(super) fn is_alive(folder: &Path, instance: &str) -> bool {
    File::open(folder.join(INSTANCES).join(instance)).is_ok_and(|file| file.try_lock().is_err())
}
