//! The file of one store: opening, its format, its lock within this process, looking at it, and
//! setting it aside.

#![expect(clippy::disallowed_methods, reason = "the store owns its folder")]

use super::error::{cannot_open, is_damage};
use super::{Durability, Owner, StoreError};
use crate::private;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The format that this version writes.
const FORMAT: i64 = 1;

/// Marks a file as a store of peasy: the bytes `peas`.
const APPLICATION: i64 = 0x7065_6173;

const SCHEMA: &str = "
    CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE committed (
        number INTEGER PRIMARY KEY, call TEXT NOT NULL, bytes INTEGER NOT NULL, outbox TEXT NOT NULL
    );
";

/// How long the first wait for another process takes, and the longest.
const WAITS: [Duration; 2] = [Duration::from_micros(200), Duration::from_millis(10)];

/// How long a listing waits for a store that another process is making.
const LISTING: Duration = Duration::from_secs(1);

/// The connections to one store: at most one is in use, and one is kept.
pub(super) struct Connections {
    pub file: PathBuf,
    pub owner: Owner,
    durability: Durability,
    state: Mutex<State>,
    freed: Condvar,
    /// Whether a commit waits for the disk.
    is_dirty: AtomicBool,
    /// Who is told before the file is set aside.
    witness: Arc<OnceLock<Witness>>,
}

/// Writes down that the file of an owner is about to be set aside, under another name.
pub(super) type Witness = Box<dyn Fn(&Owner, &Path) -> io::Result<()> + Send + Sync>;

#[derive(Default)]
struct State {
    in_use: bool,
    kept: Option<Connection>,
    /// The file that connections have open; another may have taken its name since.
    opened: Option<FileNumber>,
}

/// What tells a file from another that has its name later.
type FileNumber = (u64, u64);

#[cfg(unix)]
fn number_of(file: &Path) -> Option<FileNumber> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).ok().map(|about| (about.dev(), about.ino()))
}

/// Elsewhere an open file cannot be moved away.
#[cfg(not(unix))]
fn number_of(file: &Path) -> Option<FileNumber> {
    file.exists().then_some((0, 0))
}

impl Connections {
    pub fn new(
        file: PathBuf,
        owner: Owner,
        durability: Durability,
        witness: Arc<OnceLock<Witness>>,
    ) -> Self {
        let (state, freed, is_dirty) = Default::default();
        Self { file, owner, durability, state, freed, is_dirty, witness }
    }

    /// A transaction was committed. Under [`Durability::Group`] it stands in the write-ahead log and
    /// waits for [`Self::sync`]: SQLite itself would wait for its next checkpoint.
    pub fn committed(&self) {
        if self.durability == Durability::Group {
            self.is_dirty.store(true, Ordering::Release);
        }
    }

    #[cfg(test)]
    pub fn is_dirty(&self) -> bool {
        self.is_dirty.load(Ordering::Acquire)
    }

    /// Brings to the disk what was committed.
    pub fn sync(&self) -> io::Result<()> {
        if !self.is_dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = match File::open(beside(&self.file, "-wal")) {
            Ok(wal) => wal.sync_data(),
            // A checkpoint has moved all of it into the store, and waited for the disk.
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(reason) => Err(reason),
        };
        if synced.is_err() {
            self.is_dirty.store(true, Ordering::Release);
        }
        synced
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the store for this process alone, and a connection with an open transaction, which
    /// takes it from all others.
    pub fn take(&self, deadline: Instant) -> Result<Connection, StoreError> {
        self.enter(deadline)?;
        let connection = self.begin(deadline);
        if connection.is_err() {
            self.leave(None);
        }
        connection
    }

    fn enter(&self, deadline: Instant) -> Result<(), StoreError> {
        let mut state = self.state();
        while state.in_use {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Busy);
            }
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.in_use = true;
        Ok(())
    }

    /// Gives the store back, and the connection where it can be used again.
    pub fn leave(&self, connection: Option<Connection>) {
        let mut state = self.state();
        state.in_use = false;
        if connection.is_some() {
            state.kept = connection;
        }
        drop(state);
        self.freed.notify_one();
    }

    fn begin(&self, deadline: Instant) -> Result<Connection, StoreError> {
        let (kept, opened) = {
            let mut state = self.state();
            (state.kept.take(), state.opened)
        };
        let connection = match kept.filter(|_| opened == number_of(&self.file)) {
            Some(connection) => connection,
            None => self.open(deadline).map_err(|error| self.examined(error))?,
        };
        begin_immediate(&connection, deadline).map_err(|error| self.examined(error))?;
        Ok(connection)
    }

    fn open(&self, deadline: Instant) -> Result<Connection, StoreError> {
        create_private(&self.file)?;
        let connection = Connection::open_with_flags(
            &self.file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.set_prepared_statement_cache_capacity(16);
        let found = format(&connection, &self.file, deadline)?;
        patiently(deadline, || connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())))?;
        let level = match self.durability {
            Durability::Always => "FULL",
            Durability::Group => "NORMAL",
            Durability::Never => "OFF",
        };
        connection
            .execute_batch(&format!("PRAGMA synchronous = {level}; PRAGMA trusted_schema = OFF"))?;
        if found == 0 {
            self.create(&connection, deadline)?;
        }
        self.state().opened = number_of(&self.file);
        Ok(connection)
    }

    /// Writes the schema, unless another process did so in this very moment.
    fn create(&self, connection: &Connection, deadline: Instant) -> Result<(), StoreError> {
        begin_immediate(connection, deadline)?;
        if format(connection, &self.file, deadline)? == 0 {
            connection.execute_batch(SCHEMA)?;
            let mut add = connection.prepare("INSERT INTO about VALUES (?1, ?2)")?;
            add.execute(("feature", self.owner.feature.to_string()))?;
            add.execute(("root", self.owner.root.to_string_lossy()))?;
            drop(add);
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.pragma_update(None, "user_version", FORMAT)?;
        }
        Ok(connection.execute_batch("COMMIT")?)
    }

    /// The error as it stands, after a damaged file was set aside.
    pub fn examined(&self, error: StoreError) -> StoreError {
        if cannot_open(&error) {
            return why_closed(&self.file).unwrap_or(error);
        }
        if !is_damage(&error) {
            return error;
        }
        self.state().kept = None;
        let tell = |aside: &Path| match self.witness.get() {
            Some(witness) => witness(&self.owner, aside),
            None => Ok(()),
        };
        match set_aside(&self.file, tell) {
            Ok(aside) => StoreError::Damaged(aside),
            Err(reason) => StoreError::Stuck { file: self.file.clone(), reason },
        }
    }
}

/// Opens a transaction that may write, waiting for other processes until `deadline`.
fn begin_immediate(connection: &Connection, deadline: Instant) -> Result<(), StoreError> {
    patiently(deadline, || connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop))
}

/// Tries again while the file is locked. SQLite's own wait sleeps for up to 100 ms at a time.
fn patiently(
    deadline: Instant,
    mut attempt: impl FnMut() -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let [mut wait, longest] = WAITS;
    loop {
        match attempt().map_err(StoreError::from) {
            Err(StoreError::Busy) if Instant::now() < deadline => std::thread::sleep(wait),
            outcome => return outcome,
        }
        wait = (wait * 2).min(longest);
    }
}

/// The format of a store, 0 for a file that is still empty.
fn format(connection: &Connection, file: &Path, deadline: Instant) -> Result<i64, StoreError> {
    let mut found = (0, 0, 0);
    patiently(deadline, || {
        // One look, for another process may make the store in this very moment: what is half before
        // and half after is no store of anybody's.
        connection.execute_batch("SAVEPOINT look")?;
        let looked = marks(connection);
        connection.execute_batch("RELEASE look")?;
        found = looked?;
        Ok(())
    })?;
    let (application, format, tables) = found;
    match (application, format, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION, 1..=FORMAT, _) => Ok(format),
        (APPLICATION, found, _) => {
            Err(StoreError::Newer { file: file.to_owned(), found, known: FORMAT })
        }
        // A database of somebody else's.
        _ => Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB),
            None,
        ))),
    }
}

/// Whose file it is, its format, and how many tables and indices it has.
fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let pragma = |name: &str| connection.query_row(name, [], |row| row.get::<_, i64>(0));
    // The first read is what the others agree with.
    let tables = pragma("SELECT count(*) FROM sqlite_schema")?;
    Ok((pragma("PRAGMA application_id")?, pragma("PRAGMA user_version")?, tables))
}

/// Makes the file and its folder where they are missing, for nobody but this user.
fn create_private(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        private::make_folder(folder)?;
    }
    private::options().write(true).create(true).truncate(false).open(file).map(drop)
}

/// What the system says of a file that SQLite cannot open, or make another beside; SQLite itself does not tell.
fn why_closed(file: &Path) -> Option<StoreError> {
    let probe = beside(file, ".probe");
    let opened = private::options().append(true).open(file);
    let made = opened
        .and_then(|_| private::options().write(true).create(true).truncate(false).open(&probe));
    let _ = std::fs::remove_file(&probe);
    let reason = made.err()?;
    Some(match reason.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
        io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Io(reason),
    })
}

/// Moves the file and what SQLite keeps beside it out of the way, once that is told; gives the new name.
fn set_aside(file: &Path, tell: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let aside = beside(file, &format!(".damaged-{now}"));
    tell(&aside)?;
    std::fs::rename(file, &aside)?;
    for tail in ["-wal", "-shm"] {
        match std::fs::rename(beside(file, tail), beside(&aside, tail)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(aside)
}

/// The file whose name goes on with `tail`.
fn beside(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    PathBuf::from(name)
}

/// The files of stores in a folder, by name.
pub(super) fn all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sqlite") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Lets `act` look at the store in `file`, of one moment; `None` where there is none, or nothing in it yet.
/// Nothing is locked, made, moved or changed, whatever the file holds.
///
/// # Errors
///
/// The file cannot be read, is damaged, or is of a newer format; or those of `act`.
pub(super) fn look<T>(
    file: &Path,
    mut act: impl FnMut(&Connection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let deadline = Instant::now() + LISTING;
    loop {
        let (before, is_quiet) = (state_of(file), !beside(file, "-wal").exists());
        if before.is_none() {
            return Ok(None);
        }
        let looked = look_once(file, is_quiet, deadline, &mut act);
        // A quiet file was read as if nobody could write it: where somebody did, that was nothing.
        let has_moved = is_quiet && (state_of(file) != before || beside(file, "-wal").exists());
        if !has_moved || Instant::now() >= deadline {
            return looked.map_err(|error| match is_damage(&error) {
                true => StoreError::Broken(file.to_owned()),
                false => error,
            });
        }
    }
}

fn look_once<T>(
    file: &Path,
    is_quiet: bool,
    deadline: Instant,
    act: &mut impl FnMut(&Connection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    // SQLite makes files beside a store that it reads, unless it is told that nobody writes.
    let quiet = if is_quiet { "?immutable=1" } else { "" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(file) + quiet, flags)?;
    if format(&connection, file, deadline)? == 0 {
        return Ok(None);
    }
    connection.execute_batch("BEGIN")?;
    let looked = act(&connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(Some(looked))
}

/// Size, time and number of a file that is there.
fn state_of(file: &Path) -> Option<(u64, Option<SystemTime>, Option<FileNumber>)> {
    let about = std::fs::metadata(file).ok()?;
    Some((about.len(), about.modified().ok(), number_of(file)))
}

/// A path as SQLite takes it with parameters behind it; <https://sqlite.org/uri.html>.
fn uri(file: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            // The separator of folders on Windows.
            b'\\' if cfg!(windows) => uri.push('/'),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The ids of the latest calls that were committed, in their order, and whether none is forgotten.
pub(super) fn calls(connection: &Connection) -> Result<(Vec<String>, bool), StoreError> {
    let mut all =
        connection.prepare_cached("SELECT number, call FROM committed ORDER BY number")?;
    let rows = all.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let is_all = rows.first().is_none_or(|(number, _)| *number == 1);
    Ok((rows.into_iter().map(|(_, call)| call).collect(), is_all))
}

/// The value under a key.
pub(super) fn get(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut get = connection.prepare_cached("SELECT value FROM entry WHERE key = ?1")?;
    Ok(get.query_row([key], |row| row.get(0)).optional()?)
}

/// Every key with its value.
pub(super) fn entries(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut all = connection.prepare_cached("SELECT key, value FROM entry ORDER BY key")?;
    let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a store says of itself.
pub(super) fn about(connection: &Connection, key: &str) -> Result<String, StoreError> {
    let about = "SELECT value FROM about WHERE key = ?1";
    Ok(connection.query_row(about, [key], |row| row.get(0))?)
}

/// How many entries there are, and the bytes of their keys and values.
pub(super) fn size(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let all = "SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))), 0) \
               FROM entry";
    let mut size = connection.prepare_cached(all)?;
    let number = |row: &Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(size.query_row([], |row| Ok((number(row, 0)?, number(row, 1)?)))?)
}

/// Whether the call of that id was committed, and with which texts.
pub(super) fn committed(
    connection: &Connection,
    call: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    // A thousand rows, looked through where a log is opened or verified: no call keeps an index.
    let outbox = connection
        .prepare_cached("SELECT outbox FROM committed WHERE call = ?1")?
        .query_row([call], |row| row.get::<_, String>(0))
        .optional()?;
    // Written by `Lease::commit`, in the same transaction as the rest.
    Ok(outbox.map(|texts| serde_json::from_str(&texts).unwrap_or_default()))
}
