//! The log: JSON Lines, numbered and hash-chained, appended under a file lock.
//!
//! A line is in the file before what it records can be seen. Several processes may append to one
//! log; each holds a lock of its own for as long as it lives, so that what a dead one left open can
//! be told from what a living one is at. Nothing here decides what is recorded.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{self, Body, Entry, FORMAT, INLINE, StoreChange, hash_of};
use super::tail::{self, Tail, TailError};
use crate::diagnostic::Diagnostic;
use crate::feature::redact::{Exposed, Redactor, shape};
use crate::private::{self, Identity};
use crate::store::{Durability, Owner};
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long lines may wait for the disk under [`Durability::Group`].
const GROUP: Duration = Duration::from_millis(200);

/// Why the log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("the log `{}` cannot be {act}: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// `opened`, `written`, …
        act: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// Another process held the lock for too long.
    #[error("the log `{}` was locked by another process for {} seconds", .0.display(), private::PATIENCE.as_secs())]
    Busy(PathBuf),
    /// The file is no longer the one that this process writes.
    #[error("the log `{}` was moved or removed while this process writes it", .0.display())]
    Moved(PathBuf),
    /// A newer peasy began it, in a format that this one cannot go on in.
    #[error(
        "the log `{}` has the format {format}, and this version of peasy writes {FORMAT}; nothing was written to it",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its major version.
        format: u32,
    },
    /// The end of the file is not that of a log.
    #[error("the end of the log `{}` is damaged; nothing was written to it", .0.display())]
    Damaged(PathBuf),
}

impl LogError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Io { reason, .. } if reason.kind() == io::ErrorKind::StorageFull => {
                Diagnostic::operator("log/full", text)
                    .help("make room on the disk; no call is answered that cannot be recorded")
            }
            Self::Io { .. } => Diagnostic::operator("log/failed", text)
                .help("check the state folder and who may write it; no call is answered that cannot be recorded"),
            Self::Busy(_) => Diagnostic::operator("log/busy", text)
                .help("end the process that holds it, or wait for it; no call is answered that cannot be recorded"),
            Self::Moved(_) => Diagnostic::operator("log/moved", text)
                .help("start this process anew, and a new log is begun; no call is answered that cannot be recorded"),
            Self::Newer { .. } => Diagnostic::operator("log/newer", text)
                .help("go on with the version of peasy that began it; this one can show it"),
            Self::Damaged(_) => Diagnostic::operator("log/damaged", text)
                .help("look at it with `peasy log verify`; then move it away, and a new one is begun"),
        }
    }
}

/// The log of one session, open in this process.
pub struct SessionLog {
    folder: PathBuf,
    instance: String,
    durability: Durability,
    calls: AtomicU64,
    writer: Arc<Writer>,
    exposed: Exposed,
    /// Held for as long as the process lives; its file is removed with the log.
    alive: Alive,
}

struct Writer {
    path: PathBuf,
    state: Mutex<State>,
    /// Whether lines wait for the disk.
    dirty: AtomicBool,
    /// What has to be on the disk before lines that speak of it.
    before: OnceLock<Before>,
    /// Side files that wait for the disk, in the folder of bodies.
    bodies: Mutex<Vec<PathBuf>>,
    /// The bytes that the disk of a test still has.
    #[cfg(test)]
    room: AtomicU64,
}

/// Brings something to the disk.
type Before = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

struct State {
    file: File,
    identity: Identity,
    tail: Tail,
}

/// The lock that says that an instance lives.
struct Alive {
    path: PathBuf,
    /// Whether a line could not be written: it may be the end of a call, which the next to open the log
    /// has to find out.
    has_failed: AtomicBool,
    _file: File,
}

impl Alive {
    fn end(&self) {
        if self.has_failed.load(Ordering::Acquire) {
            return;
        }
        // What cannot be removed is found without a lock, and cleared away, by whoever comes next.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.end();
    }
}

/// The file of lines in a session's folder.
pub(super) const FILE: &str = "log.jsonl";
/// The folder of large values.
pub(super) const BODIES: &str = "bodies";
/// The folder that says which catalogs were recorded.
const CATALOGS: &str = "catalogs";
/// The folder of the locks of living processes.
pub(super) const INSTANCES: &str = "instances";

impl SessionLog {
    /// Opens the log in `folder`, which is made where it is missing, and writes that it was opened.
    /// A last line that is not whole is cut off, and a line says so.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made, read or written, or the end of the file is damaged.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, LogError> {
        let path = folder.join(FILE);
        let opened = io_error(&path, "opened");
        private::make_folder(folder).map_err(&opened)?;
        private::make_folder(&folder.join(BODIES)).map_err(&opened)?;
        private::make_folder(&folder.join(INSTANCES)).map_err(&opened)?;
        let mut file =
            private::options().read(true).append(true).create(true).open(&path).map_err(&opened)?;
        let format = tail::format(&mut file).map_err(&opened)?;
        if format > FORMAT {
            return Err(LogError::Newer { file: path.clone(), format });
        }
        let identity = Identity::of(&file.metadata().map_err(&opened)?);
        let state = Mutex::new(State { file, identity, tail: Tail::start() });
        let writer = Arc::new(Writer {
            path: path.clone(),
            state,
            dirty: AtomicBool::new(false),
            before: OnceLock::new(),
            bodies: Mutex::default(),
            #[cfg(test)]
            room: AtomicU64::new(u64::MAX),
        });
        let instance = new_instance();
        // The end of what is whole: behind it may be part of a line, which is cut off.
        let begin = writer.settled_end()?;
        let alive = Alive::new(folder, &instance, begin).map_err(&opened)?;
        if durability == Durability::Group {
            keep_synced(&writer);
        }
        let log = Self {
            folder: folder.to_owned(),
            instance,
            durability,
            calls: AtomicU64::new(0),
            writer,
            exposed: Exposed::default(),
            alive,
        };
        log.append(&Entry::Open {
            instance: log.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            durability: format!("{durability:?}").to_lowercase(),
            format: FORMAT,
        })?;
        Ok(log)
    }

    /// Under [`Durability::Group`], brings something to the disk each time before lines that speak of
    /// it: a log that says what a power cut took from a store would be wrong.
    pub fn sync_first(&self, before: impl Fn() -> io::Result<()> + Send + Sync + 'static) {
        // One pod writes a log, and says so once.
        let _ = self.writer.before.set(Box::new(before));
    }

    /// Writes no secret that was spent through `exposed`, in whatever form.
    #[must_use]
    pub fn without(mut self, exposed: Exposed) -> Self {
        self.exposed = exposed;
        self
    }

    /// Leaves the lines that wait for the disk to the system, which brings them there when it finds time;
    /// under [`Durability::Always`] none wait.
    pub(in crate::pod) fn leave(&self) {
        self.writer.dirty.store(false, Ordering::Release);
    }

    /// Brings lines to the disk before the process ends, and where it leaves nothing open says that it did.
    pub(in crate::pod) fn close(&self, leaves_nothing: bool) {
        if self.durability == Durability::Group {
            self.writer.sync();
        }
        if leaves_nothing {
            self.alive.end();
        }
    }

    /// The side files that wait for the disk.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<PathBuf> {
        self.writer.bodies().clone()
    }

    /// The session's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the session: that of its folder.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// When lines have to be on the disk.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The name of this process in the log.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The disk has room for so many bytes.
    #[cfg(test)]
    pub(super) fn has_room(&self, bytes: u64) {
        self.writer.room.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn alive_file(&self) -> &Path {
        &self.alive.path
    }

    /// An id for a call; no other call of any process has it.
    pub fn next_call(&self) -> String {
        format!("{}-{}", self.instance, self.calls.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Writes a line. It is in the file when this returns, and on the disk as the durability says.
    ///
    /// # Errors
    ///
    /// It is not in the file.
    pub fn append(&self, entry: &Entry) -> Result<(), LogError> {
        self.record(entry).map(drop)
    }

    /// As [`Self::append`], and says which line it is.
    ///
    /// # Errors
    ///
    /// It is not in the file.
    pub fn record(&self, entry: &Entry) -> Result<u64, LogError> {
        let recorded = self.record_cleaned(entry);
        if recorded.is_err() {
            self.alive.has_failed.store(true, Ordering::Release);
        }
        recorded
    }

    fn record_cleaned(&self, entry: &Entry) -> Result<u64, LogError> {
        let sync = self.durability == Durability::Always;
        let redactor = self.exposed.redactor();
        // Where secrets were spent, each line is looked at once more.
        let holds_spent = redactor.as_ref().is_some_and(|redactor| {
            let text = serde_json::to_string(entry).unwrap_or_default();
            !redactor.held(&text).is_empty()
        });
        if holds_spent || entry.has_texts() {
            let failed = |error| io_error(&self.writer.path, "written")(io::Error::other(error));
            let value = serde_json::to_value(entry).map_err(failed)?;
            if holds_spent || shape::is_in(&value) {
                let clean = cleaned(value, redactor.as_deref()).map_err(failed)?;
                return self.writer.append(&clean, sync);
            }
        }
        self.writer.append(entry, sync)
    }

    /// Writes that a store is about to be changed by something else than a call.
    ///
    /// # Errors
    ///
    /// It is not in the file; the store is to stay as it is.
    pub fn store_changes(&self, owner: &Owner, change: StoreChange) -> Result<(), LogError> {
        let Owner { feature, root } = owner.clone();
        self.append(&Entry::Store { feature, root, change })
    }

    /// A value as a line holds it: itself, or the name of a file that is written here.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn body(&self, value: &Value) -> Result<Body, LogError> {
        self.body_above(value, INLINE)
    }

    /// As [`Self::body`], for a value that comes again and again: one of more than `most` bytes has a
    /// file of its own.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn body_above(&self, value: &Value, most: usize) -> Result<Body, LogError> {
        let holds_key = shape::is_in(value);
        self.kept(value, most, holds_key)
    }

    /// As [`Self::body_above`], for what the user installed: a text that looks like a key is part of it, and
    /// it would be another without.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(in crate::pod) fn body_of_feature(
        &self,
        value: &Value,
        most: usize,
    ) -> Result<Body, LogError> {
        self.kept(value, most, false)
    }

    fn kept(&self, value: &Value, most: usize, holds_key: bool) -> Result<Body, LogError> {
        let mut value = Cow::Borrowed(value);
        let mut redacted = holds_key;
        if let Some(redactor) = self.exposed.redactor()
            && !redactor.held(&value.to_string()).is_empty()
        {
            value = Cow::Owned(redactor.clean_value(value.into_owned()));
            redacted = true;
        }
        if holds_key {
            value = Cow::Owned(shape::cleaned(value.into_owned()));
        }
        // Most values stand in the line, and are written there: here they are only measured.
        if fits(&value, most) {
            let value = value.into_owned();
            return Ok(if redacted { Body::Redacted(value) } else { Body::Value(value) });
        }
        let text = value.to_string();
        let sha256 = hash_of(text.as_bytes());
        let path = self.folder.join(BODIES).join(&sha256);
        let bytes = text.len() as u64;
        let is_there = std::fs::metadata(&path).is_ok_and(|about| about.len() == bytes);
        if !is_there {
            self.write_body(&path, text.as_bytes()).map_err(io_error(&path, "written"))?;
            if self.durability == Durability::Group {
                self.writer.bodies().push(path);
            }
        }
        Ok(Body::File { sha256, bytes, redacted })
    }

    /// The body that was [remembered](Self::remember) under a key, where its file is still there.
    pub fn remembered(&self, key: &str) -> Option<Body> {
        let text = std::fs::read(self.folder.join(CATALOGS).join(hash_of(key.as_bytes()))).ok()?;
        let body = serde_json::from_slice(&text).ok()?;
        let is_there = match &body {
            Body::Value(_) | Body::Redacted(_) => true,
            Body::File { sha256, bytes, .. } => {
                let about = std::fs::metadata(self.folder.join(BODIES).join(sha256));
                about.is_ok_and(|about| about.len() == *bytes)
            }
        };
        is_there.then_some(body)
    }

    /// Remembers a body under a key that says all of what it was made of, so that it need not be made
    /// again. It is no loss where that fails.
    pub fn remember(&self, key: &str, body: &Body) {
        let path = self.folder.join(CATALOGS).join(hash_of(key.as_bytes()));
        let text = serde_json::to_vec(body).unwrap_or_default();
        let written = private::make_folder(&self.folder.join(CATALOGS))
            .and_then(|()| self.write_body(&path, &text));
        if let Err(reason) = written {
            tracing::debug!(%reason, "a catalog could not be remembered");
        }
    }

    /// Under its name there is all of it or nothing.
    fn write_body(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let draft = path.with_extension(self.next_call());
        let written = (|| {
            let mut file = private::options().write(true).create_new(true).open(&draft)?;
            file.write_all(text)?;
            if self.durability == Durability::Always {
                file.sync_data()?;
            }
            std::fs::rename(&draft, path)?;
            match path.parent().filter(|_| self.durability == Durability::Always) {
                Some(folder) => sync_folder(folder),
                None => Ok(()),
            }
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        written
    }
}

/// Brings the names in a folder to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems bring them there with the files.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// An entry without secrets in its texts. What is no text was made by the host, or is a body that was
/// cleaned before.
fn cleaned(mut value: Value, redactor: Option<&Redactor>) -> serde_json::Result<Entry> {
    fn walk(value: &mut Value, redactor: Option<&Redactor>) {
        match value {
            Value::String(text) => {
                if let Some(redactor) = redactor {
                    *text = redactor.clean_text(text);
                }
                if let Some(clean) = shape::without(text) {
                    *text = clean;
                }
            }
            Value::Array(parts) => parts.iter_mut().for_each(|part| walk(part, redactor)),
            Value::Object(fields) => fields.values_mut().for_each(|part| walk(part, redactor)),
            _ => (),
        }
    }
    walk(&mut value, redactor);
    serde_json::from_value(value)
}

impl Alive {
    /// `begin` is where the lines of this process begin in the file, at the earliest. Nobody sees the
    /// lock's file before it is locked, and takes this process for a dead one.
    fn new(folder: &Path, instance: &str, begin: u64) -> io::Result<Self> {
        let folder = folder.join(INSTANCES);
        let (draft, path) = (folder.join(format!(".{instance}")), folder.join(instance));
        let written = (|| {
            let mut file = private::options().write(true).create_new(true).open(&draft)?;
            file.lock()?;
            write!(file, "{begin}")?;
            std::fs::rename(&draft, &path)?;
            Ok(file)
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        let has_failed = AtomicBool::new(false);
        written.map(|_file| Self { path, has_failed, _file })
    }
}

impl Writer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `act` at the end of the file, where nobody else writes meanwhile.
    fn at_end<T>(
        &self,
        act: impl FnOnce(&mut State) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let mut state = self.state();
        let length = self.lock(&state)?;
        let outcome = self.catch_up(&mut state, length).and_then(|()| act(&mut state));
        // The lock goes with the file at the latest.
        let _ = state.file.unlock();
        outcome
    }

    /// Waits for other processes, makes sure that the file is still the one of that name, and gives its
    /// length: one question to the system for both.
    fn lock(&self, State { file, identity, .. }: &State) -> Result<u64, LogError> {
        private::lock(file, private::PATIENCE).map_err(|reason| match reason.kind() {
            io::ErrorKind::TimedOut => LogError::Busy(self.path.clone()),
            _ => io_error(&self.path, "written")(reason),
        })?;
        let length = identity.length_at(&self.path);
        if let Ok(Some(length)) = length {
            return Ok(length);
        }
        let _ = file.unlock();
        Err(match length {
            Err(reason) => io_error(&self.path, "written")(reason),
            Ok(_) => LogError::Moved(self.path.clone()),
        })
    }

    /// Where the whole lines end.
    fn settled_end(&self) -> Result<u64, LogError> {
        self.at_end(|state| Ok(state.tail.end))
    }

    fn append(&self, entry: &Entry, sync: bool) -> Result<u64, LogError> {
        self.at_end(|state| {
            self.write_line(state, entry)?;
            if sync {
                state.file.sync_data().map_err(io_error(&self.path, "written"))?;
            } else {
                self.dirty.store(true, Ordering::Release);
            }
            Ok(state.tail.n)
        })
    }

    /// Learns what other processes wrote since, and cuts off a line that one did not finish.
    fn catch_up(&self, state: &mut State, length: u64) -> Result<(), LogError> {
        if length == state.tail.end {
            return Ok(());
        }
        let (tail, behind) = tail::find(&mut state.file).map_err(|error| match error {
            TailError::Io(reason) => io_error(&self.path, "read")(reason),
            TailError::Damaged => LogError::Damaged(self.path.clone()),
        })?;
        state.tail = tail;
        if behind > 0 {
            state.file.set_len(state.tail.end).map_err(io_error(&self.path, "written"))?;
            tracing::warn!(
                bytes = behind,
                "the last line of the log was not whole and was cut off"
            );
            self.write_line(state, &Entry::Cut { bytes: behind })?;
        }
        Ok(())
    }

    fn write_line(&self, state: &mut State, entry: &Entry) -> Result<(), LogError> {
        let n = state.tail.n + 1;
        let (mut line, hash) = entry::write(n, now(), &state.tail.hash, entry);
        line.push('\n');
        if let Err(reason) = self.put(&mut state.file, line.as_bytes()) {
            // Part of a line would be cut off by the next writer; that need not wait.
            let _ = state.file.set_len(state.tail.end);
            return Err(io_error(&self.path, "written")(reason));
        }
        state.tail = Tail { n, hash, end: state.tail.end + line.len() as u64 };
        Ok(())
    }

    #[cfg(not(test))]
    fn put(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Writes as much as the disk of the test takes.
    #[cfg(test)]
    fn put(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let fits = self.room.load(Ordering::Relaxed).min(bytes.len() as u64);
        self.room.fetch_sub(fits, Ordering::Relaxed);
        let fits = usize::try_from(fits).expect("no more than there are");
        file.write_all(&bytes[..fits])?;
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn bodies(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings side files to the disk, before lines that name them.
    fn sync_bodies(&self) -> io::Result<()> {
        let written = std::mem::take(&mut *self.bodies());
        let synced = written.iter().try_for_each(|path| match File::open(path) {
            Ok(file) => file.sync_data(),
            // Removed by somebody; `verify` says so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        });
        let folder = written.first().and_then(|path| path.parent());
        let synced = synced.and_then(|()| folder.map_or(Ok(()), sync_folder));
        if synced.is_err() {
            self.bodies().extend(written);
        }
        synced
    }

    fn sync(&self) {
        if self.dirty.swap(false, Ordering::AcqRel) {
            let file = self.state().file.try_clone();
            // Without the lock: a disk that is slow keeps nobody from writing.
            let before = self.before.get().map_or(Ok(()), |before| before());
            let synced = before
                .and_then(|()| self.sync_bodies())
                .and(file)
                .and_then(|file| file.sync_data());
            if let Err(reason) = synced {
                tracing::error!(%reason, "the log could not be brought to the disk");
                self.dirty.store(true, Ordering::Release);
            }
        }
    }
}

impl Drop for SessionLog {
    fn drop(&mut self) {
        if self.durability == Durability::Group {
            self.writer.sync();
        }
    }
}

/// Brings lines to the disk from time to time, until the log is gone.
fn keep_synced(writer: &Arc<Writer>) {
    let writer: Weak<Writer> = Arc::downgrade(writer);
    let work = move || {
        loop {
            std::thread::sleep(GROUP);
            match writer.upgrade() {
                Some(writer) => writer.sync(),
                None => return,
            }
        }
    };
    let thread = std::thread::Builder::new().name("peasy-log".to_owned()).spawn(work);
    if let Err(reason) = thread {
        tracing::error!(%reason, "no thread could be started to bring the log to the disk");
    }
}

/// Whether `value` has at most `most` bytes as JSON. Keeps no text.
fn fits(value: &Value, most: usize) -> bool {
    struct Room(usize);
    impl Write for Room {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(text.len()).ok_or(io::ErrorKind::WriteZero)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Room(most), value).is_ok()
}

/// A name that no other process of any time has.
fn new_instance() -> String {
    let time = now().unsigned_abs();
    // The keys of a hasher are as random as the standard library gets.
    let random = RandomState::new().build_hasher().finish() & 0xffff_ffff;
    format!("{time:x}{random:08x}")
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn io_error(file: &Path, act: &'static str) -> impl Fn(io::Error) -> LogError {
    let file = file.to_owned();
    move |reason| LogError::Io { file: file.clone(), act, reason }
}
