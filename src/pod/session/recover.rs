//! What a process that died left open is brought to an end by the next one that opens the log: intents
//! by what their stores say, and calls that let something out and came to no end.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{CallEntry, Entry, Line};
use super::log::{INSTANCES, LogError, SessionLog, io_error};
use super::read::RawLines;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Receipt;
use crate::store::{Owner, StoreError, Stores};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long to wait for a store that a living call has locked.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process is about to open the log for no longer than this; one that still is died before it did.
const OLD: Duration = Duration::from_secs(3_600);

/// The code of the end of a call whose process ended after an act.
pub const INTERRUPTED: &str = "call/interrupted";

const UNCOMMITTED: &str = "its process ended before it was committed";

/// What was brought to an end.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Recovered {
    /// Calls whose effects were lasting, and whose line was missing.
    pub completed: Vec<String>,
    /// Calls of which nothing was lasting.
    pub void: Vec<String>,
    /// Calls that let something out into the world before their process ended, and kept nothing.
    pub interrupted: Vec<String>,
    /// Calls whose store cannot be read now; the next opening tries again.
    pub open: Vec<String>,
}

impl SessionLog {
    /// Ends the calls of processes that are dead: intents that the store committed are completed, the
    /// others are void; calls with acts and no intent failed with `call/interrupted`.
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
            if path == self.alive_file() {
                continue;
            }
            match Dead::find(&path) {
                Some(dead) if dead.is_draft() => dead.forget_if_old(),
                Some(dead) => self.bury(dead, stores, &mut recovered)?,
                None => (),
            }
        }
        Ok(recovered)
    }

    fn bury(&self, dead: Dead, stores: &Stores, recovered: &mut Recovered) -> Result<(), LogError> {
        let mut is_over = true;
        for (call, open) in open_calls(self.folder(), dead.begin, &dead.instance)? {
            let owner = match open {
                Open::Intent(Some(owner)) => owner,
                Open::Intent(None) => {
                    self.void(call, UNCOMMITTED, recovered)?;
                    continue;
                }
                Open::Act(about) => {
                    self.interrupted(call, *about, recovered)?;
                    continue;
                }
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

    fn interrupted(
        &self,
        call: String,
        about: CallEntry,
        recovered: &mut Recovered,
    ) -> Result<(), LogError> {
        let text = "its process ended in the middle of the call, after it let something out into the world";
        let failure = vec![Diagnostic::operator(INTERRUPTED, text).help(
            "look whether it happened, in whole or in part, before the tool is called again",
        )];
        // What it cost nobody knows any more.
        let (result, receipt) = (None, Receipt::default());
        self.append(&Entry::Call { call: call.clone(), about, result, failure, receipt })?;
        recovered.interrupted.push(call);
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
    lock: File,
}

impl Dead {
    /// `None` for one that lives, or that somebody else sees to.
    fn find(path: &Path) -> Option<Self> {
        let instance = path.file_name()?.to_str()?.to_owned();
        let lock = File::open(path).ok()?;
        lock.try_lock().ok()?;
        // Where it began cannot be read after a power cut, perhaps: then from the start.
        let begin = std::fs::read_to_string(path).ok()?.trim().parse().unwrap_or(0);
        Some(Self { instance, begin, path: path.to_owned(), lock })
    }

    /// Whether it died before it opened the log, and so has no calls; or is about to open it.
    fn is_draft(&self) -> bool {
        self.instance.starts_with('.')
    }

    fn forget_if_old(self) {
        let written = self.lock.metadata().and_then(|about| about.modified());
        let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if age.is_some_and(|age| age > OLD) {
            self.forget();
        }
    }

    fn forget(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// How the lines are written that leave something open until another comes.
const OPENING: [&str; 2] = [r#""kind":"act""#, r#""kind":"intent""#];

/// What a call left open.
enum Open {
    /// An intent, and whose store it meant.
    Intent(Option<Owner>),
    /// Something that was let out into the world.
    Act(Box<CallEntry>),
}

/// The calls of an instance that have an intent or an act, and no end.
fn open_calls(
    folder: &Path,
    begin: u64,
    instance: &str,
) -> Result<BTreeMap<String, Open>, LogError> {
    let mut open = BTreeMap::new();
    let prefix = format!("{instance}-");
    let mut lines = RawLines::from(folder, begin)?;
    while let Some(raw) = lines.next()? {
        // Only lines of its calls are read, and only whole ones; and of those, as long as nothing is open,
        // none that opens nothing. A key of a call's input that looks like it is read for nothing.
        let opens =
            |text: &&str| !open.is_empty() || OPENING.iter().any(|kind| text.contains(kind));
        let text = std::str::from_utf8(raw.text).ok().filter(opens);
        let Some(text) = text.filter(|text| text.contains(&prefix)) else { continue };
        match serde_json::from_str::<Line>(text).map(|line| line.entry) {
            Ok(Entry::Act { call, begun: Some(about), .. }) if call.starts_with(&prefix) => {
                open.insert(call, Open::Act(about));
            }
            Ok(Entry::Intent { call, about, .. }) if call.starts_with(&prefix) => {
                let owner = about.feature.zip(about.root);
                let owner = owner.map(|(feature, root)| Owner { feature, root });
                open.insert(call, Open::Intent(owner));
            }
            Ok(Entry::Done { call, .. } | Entry::Void { call, .. } | Entry::Call { call, .. }) => {
                open.remove(&call);
            }
            // What hooks did without staging anything ends with the line of their event.
            Ok(Entry::Decision { hooks, .. }) => {
                for hook in hooks {
                    open.remove(&hook.call);
                }
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
