//! A store in the hands of one call.

use super::file::{self, Connections};
use super::{MAX_KEY, Owner, StoreError};
use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// How many of the latest calls a store remembers. A call is looked up when a log is opened that
/// does not know its end, which is the last of a process or a few of them.
const REMEMBERED: i64 = 1_000;
/// Older ones are forgotten with every hundredth call.
const SWEEP: i64 = 100;

/// Most entries, and most bytes of them, that wait to be written together.
const MOST_STAGED: usize = 1_000;
const MOST_STAGED_BYTES: usize = 64 * 1024;

/// Rows that one statement writes, where there are as many: each statement costs about as much as a row.
const ROWS: usize = 8;
const SET: &str = "INSERT OR REPLACE INTO entry VALUES (?, ?)";
const SET_ROWS: &str = "INSERT OR REPLACE INTO entry VALUES \
                        (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?)";

/// A store locked for one call. Dropped, it forgets what was staged and lets go.
///
/// What is set waits here until the call ends or a listing needs it, so that a value which is set again
/// and again is written once.
pub struct Lease {
    connections: Arc<Connections>,
    /// Taken only by the end of the lease.
    connection: Option<Connection>,
    quota: u64,
    /// The bytes of keys and values are at most this, once they were asked for. What a new value takes
    /// the place of is not looked up while there is room for both.
    used: Option<u64>,
    /// Whether `used` was counted in this lease and is kept exact: there is not much room left.
    is_counted: bool,
    staged: HashMap<Arc<str>, Arc<str>, RandomState>,
    staged_bytes: usize,
    changed: bool,
    ended: bool,
}

impl Lease {
    pub(super) fn begin(
        connections: Arc<Connections>,
        quota: u64,
        deadline: Instant,
    ) -> Result<Self, StoreError> {
        let connection = Some(connections.take(deadline)?);
        Ok(Self {
            connections,
            connection,
            quota,
            used: None,
            is_counted: false,
            staged: HashMap::default(),
            staged_bytes: 0,
            changed: false,
            ended: false,
        })
    }

    /// Whether anything was staged.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whose store it is.
    pub fn owner(&self) -> &Owner {
        &self.connections.owner
    }

    /// Whether it is the lease of the store in that file.
    pub(super) fn is_of(&self, file: &Path) -> bool {
        self.connections.file == file
    }

    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Closed)
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// The key cannot be one, or the file cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        check_key(key)?;
        if let Some(value) = self.staged.get(key) {
            return Ok(Some(String::from(&**value)));
        }
        file::get(self.connection()?, key)
    }

    /// Stages `value` under `key`.
    ///
    /// # Errors
    ///
    /// As [`Self::get`], and where the store would be over its quota, or the disk is full. A full disk
    /// may also be found out later, when what was staged is written.
    pub fn set(
        &mut self,
        key: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Result<(), StoreError> {
        let (key, value) = (key.into(), value.into());
        check_key(&key)?;
        let after = (key.len() + value.len()) as u64;
        let mut would = self.used_without(&key)? + after;
        if would > self.quota && !self.is_counted {
            self.count()?;
            would = self.used_without(&key)? + after;
        }
        // A store whose quota was lowered holds more, and may shrink.
        if would > self.quota && would > self.used()? {
            return Err(StoreError::Quota { would, most: self.quota });
        }
        self.staged_bytes += key.len() + value.len();
        let key_bytes = key.len();
        if let Some(before) = self.staged.insert(key, value) {
            self.staged_bytes -= key_bytes + before.len();
        }
        self.used = Some(would);
        self.changed = true;
        if self.staged.len() >= MOST_STAGED || self.staged_bytes >= MOST_STAGED_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Stages the removal of `key`, and says whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Self::set`].
    pub fn delete(&mut self, key: &str) -> Result<bool, StoreError> {
        check_key(key)?;
        self.write()?;
        let before = self.written_size(key)?;
        let used = self.used()?;
        let mut delete = self.connection()?.prepare_cached("DELETE FROM entry WHERE key = ?1")?;
        delete.execute([key])?;
        drop(delete);
        self.used = Some(used.saturating_sub(before));
        self.changed |= before > 0;
        Ok(before > 0)
    }

    /// The keys that begin with `prefix`, by their bytes, at most `most`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or what was staged cannot be written.
    pub fn keys(&mut self, prefix: &str, most: usize) -> Result<Vec<String>, StoreError> {
        self.write()?;
        let connection = self.connection()?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        // Bytes compare as SQLite's default collation does, so a prefix is a range of keys.
        let mut keys = connection
            .prepare_cached("SELECT key FROM entry WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
        let rows = keys.query_map((prefix, most), |row| row.get::<_, String>(0))?;
        let mut found = Vec::new();
        for key in rows {
            let key = key?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push(key);
        }
        Ok(found)
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// As [`Self::set`].
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.forget_staged();
        self.connection()?.execute("DELETE FROM entry", [])?;
        self.used = Some(0);
        self.changed = true;
        Ok(())
    }

    /// Makes lasting what was staged, together with the call's id and its texts for the model.
    ///
    /// # Errors
    ///
    /// Nothing was kept: the disk is full, or the file cannot be written. A damaged file was set aside.
    pub fn commit(mut self, call: &str, texts: &[String]) -> Result<(), StoreError> {
        self.try_commit(call, texts).map_err(|error| self.examined(error))?;
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        self.ended = true;
        let connection = self.connection.take();
        self.connections.committed();
        self.connections.leave(connection);
    }

    fn try_commit(&mut self, call: &str, texts: &[String]) -> Result<(), StoreError> {
        self.write()?;
        let used = self.used()?;
        let connection = self.connection()?;
        record(connection, call, used, texts)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Makes lasting what was written, under no call.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.connection()?.prepare_cached("COMMIT")?.execute([])?;
        self.end();
        Ok(())
    }

    /// Whether the call of that id was committed, and with which texts.
    pub(super) fn committed(&self, call: &str) -> Result<Option<Vec<String>>, StoreError> {
        file::committed(self.connection()?, call)
    }

    /// The error as it stands, after a damaged file was set aside.
    pub fn examined(&mut self, error: StoreError) -> StoreError {
        let examined = self.connections.examined(error);
        if matches!(examined, StoreError::Damaged(_) | StoreError::Stuck { .. }) {
            self.connection = None;
        }
        examined
    }

    /// Writes what is staged into the transaction. Where that fails it stays staged, so that no call
    /// is committed without a part of what it set.
    pub(super) fn write(&mut self) -> Result<(), StoreError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let connection = self.connection()?;
        // In the order of their keys one comes where the last one went.
        let mut rows: Vec<_> = self.staged.iter().collect();
        rows.sort_unstable();
        let rows = rows.chunks_exact(ROWS);
        let rest = rows.remainder().chunks(1);
        for rows in rows.chain(rest) {
            let mut set =
                connection.prepare_cached(if rows.len() == ROWS { SET_ROWS } else { SET })?;
            set.execute(params_from_iter(rows.iter().flat_map(|(key, value)| [key, value])))?;
        }
        self.forget_staged();
        Ok(())
    }

    pub(super) fn forget_staged(&mut self) {
        self.staged.clear();
        self.staged_bytes = 0;
    }

    /// The bytes of an entry as it was written, 0 where there is none: a key has at least one.
    fn written_size(&self, key: &str) -> Result<u64, StoreError> {
        let mut size = self
            .connection()?
            .prepare_cached("SELECT length(CAST(value AS BLOB)) FROM entry WHERE key = ?1")?;
        let bytes = size.query_row([key], |row| row.get::<_, i64>(0)).optional()?;
        Ok(bytes.map_or(0, |bytes| bytes.unsigned_abs() + key.len() as u64))
    }

    /// The most bytes that all other entries may have.
    fn used_without(&mut self, key: &str) -> Result<u64, StoreError> {
        let used = self.used()?;
        let before = match self.staged.get(key) {
            Some(staged) => (key.len() + staged.len()) as u64,
            None if self.is_counted => self.written_size(key)?,
            None => 0,
        };
        // A file that somebody else has changed may hold more than was counted.
        Ok(used.saturating_sub(before))
    }

    /// The most bytes that all entries may have, as the last commit wrote them down.
    fn used(&mut self) -> Result<u64, StoreError> {
        if let Some(used) = self.used {
            return Ok(used);
        }
        let kept = {
            let mut bytes = self
                .connection()?
                .prepare_cached("SELECT bytes FROM committed ORDER BY number DESC LIMIT 1")?;
            bytes.query_row([], |row| row.get::<_, i64>(0)).optional()?
        };
        Ok(*self.used.insert(kept.unwrap_or(0).unsigned_abs()))
    }

    /// Counts the bytes of all entries.
    fn count(&mut self) -> Result<(), StoreError> {
        self.write()?;
        self.used = Some(file::size(self.connection()?)?.1);
        self.is_counted = true;
        Ok(())
    }
}

fn record(
    connection: &Connection,
    call: &str,
    bytes: u64,
    texts: &[String],
) -> Result<(), StoreError> {
    let outbox = serde_json::to_string(texts).unwrap_or_default();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT INTO committed (call, bytes, outbox) VALUES (?1, ?2, ?3)")?
        .execute((call, bytes, outbox))?;
    let number = connection.last_insert_rowid();
    if number % SWEEP == 0 {
        connection
            .prepare_cached("DELETE FROM committed WHERE number <= ?1")?
            .execute([number - REMEMBERED])?;
    }
    Ok(())
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let connection = self.connection.take().filter(|connection| {
            connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([])).is_ok()
        });
        self.connections.leave(connection);
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    let problem = if key.is_empty() {
        "a key is empty; write a name, as in `todo/1`".to_owned()
    } else if key.len() > MAX_KEY {
        format!("a key has {} bytes and may have {MAX_KEY}", key.len())
    } else if let Some(bad) = key.chars().find(|c| c.is_control()) {
        format!("a key contains `{}`; write letters, digits and signs", bad.escape_default())
    } else {
        return Ok(());
    };
    Err(StoreError::Key(problem))
}

#[cfg(test)]
impl Lease {
    /// As on a disk with room for so many pages.
    pub(super) fn limit_pages(&self, pages: u32) {
        let connection = self.connection().expect("the lease is open");
        let sql = format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&sql, [], |_| Ok(())).expect("a pragma");
    }

    pub(super) fn calls(&self) -> i64 {
        let connection = self.connection().expect("the lease is open");
        let count = "SELECT count(*) FROM committed";
        connection.query_row(count, [], |row| row.get(0)).expect("a count")
    }
}
