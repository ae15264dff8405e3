//! What is kept for all features of a place together, in the hands of one call.
//!
//! A commons is a store with an index of words. What a call changes there belongs to the call's own store:
//! that store's transaction decides whether it happened. Before it, the changes are written down here as
//! *prepared*, with the call and whose store decides; after it, they are made. Whoever opens a commons and finds
//! some prepared, because a process died in between, asks the store that decides, and makes them or forgets
//! them before anything else. So nobody sees a commons without what was committed before, and nothing is in it
//! that was not.

use super::{Lease, Owner, StoreError, Stores};
use crate::feature::commons::{CommonsAnswer, CommonsAsk, key_of, number_of};
use rusqlite::{Connection, OptionalExtension};
use std::time::{Duration, Instant};

/// The tables that a commons has beside those of every store.
const SCHEMA: &str = "
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
        text, content = '', contentless_delete = 1,
        tokenize = 'porter unicode61 remove_diacritics 2'
    );
    CREATE TABLE IF NOT EXISTS prepared (
        call TEXT PRIMARY KEY, feature TEXT NOT NULL, root TEXT NOT NULL, changes TEXT NOT NULL
    ) WITHOUT ROWID;
";

/// How long a store that decides is waited for at a time; the commons is free meanwhile.
const TURN: Duration = Duration::from_millis(20);

/// A commons locked for one call. Dropped, it forgets what was staged and lets go.
pub struct CommonsLease {
    lease: Lease,
    changes: Vec<CommonsAsk>,
}

/// Changes that a process left behind.
struct Prepared {
    call: String,
    owner: Owner,
}

impl Stores {
    /// Locks the commons of `owner` for one call, whose own store is `held` and may keep `quota` bytes,
    /// waiting until `deadline`. What dead processes left there is brought to an end first.
    ///
    /// # Errors
    ///
    /// As [`Self::lease`]; also where a store that decides about such changes stays locked.
    pub fn commons(
        &self,
        owner: &Owner,
        held: Option<&mut Lease>,
        quota: u64,
        deadline: Instant,
    ) -> Result<CommonsLease, StoreError> {
        let mut held = held;
        loop {
            let lease = self.lease(owner, quota, deadline)?;
            lease.connection()?.execute_batch(SCHEMA)?;
            let Some(prepared) = first_prepared(lease.connection()?)? else {
                lease.connection()?.execute_batch("SAVEPOINT call")?;
                return Ok(CommonsLease { lease, changes: Vec::new() });
            };
            // Whoever holds the store that decides may be waiting for this commons.
            drop(lease);
            let decided = self.decided(&prepared, held.as_deref_mut(), deadline)?;
            let lease = self.lease(owner, u64::MAX, deadline)?;
            lease.connection()?.execute_batch(SCHEMA)?;
            lease.bring_to_an_end(&prepared.call, decided)?;
        }
    }

    /// Makes what a call has prepared in the commons of `owner`, once its own store has committed it.
    ///
    /// # Errors
    ///
    /// As [`Self::commons`]; the next to open the commons makes it then.
    pub fn settle(&self, owner: &Owner, deadline: Instant) -> Result<(), StoreError> {
        self.commons(owner, None, u64::MAX, deadline).map(drop)
    }

    /// Whether the call that prepared something was committed. Its store is locked while the call lives,
    /// so whoever can lock it knows.
    fn decided(
        &self,
        prepared: &Prepared,
        held: Option<&mut Lease>,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let Prepared { call, owner } = prepared;
        if let Some(held) = held.filter(|held| held.is_of(&self.file(owner))) {
            return Ok(held.committed(call)?.is_some());
        }
        loop {
            match self.committed(owner, call, (Instant::now() + TURN).min(deadline)) {
                Ok(texts) => return Ok(texts.is_some()),
                // A store that was set aside cannot say; it holds nothing of the call any more.
                Err(StoreError::Damaged(_)) => return Ok(false),
                Err(StoreError::Busy) if Instant::now() < deadline => (),
                Err(error) => return Err(error),
            }
        }
    }
}

impl CommonsLease {
    /// Whether anything was staged.
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Looks, or stages a change.
    ///
    /// # Errors
    ///
    /// The key cannot be one, the commons would be over its quota, or the file cannot be read or written.
    pub fn answer(&mut self, ask: &CommonsAsk) -> Result<CommonsAnswer, StoreError> {
        let answer = self.lease.make(ask)?;
        if ask.is_change() && answer != CommonsAnswer::Done(false) {
            self.changes.push(ask.clone());
        }
        Ok(answer)
    }

    /// Writes down what was staged, to be made once the store of `owner` has committed the call. The commons
    /// is free from here on, and nobody gets past what was written down.
    ///
    /// # Errors
    ///
    /// Nothing was written down.
    pub fn prepare(mut self, call: &str, owner: &Owner) -> Result<(), StoreError> {
        let changes = serde_json::to_string(&self.changes).unwrap_or_default();
        self.lease.forget_staged();
        let connection = self.lease.connection()?;
        connection.execute_batch("ROLLBACK TO call")?;
        connection.prepare_cached("INSERT INTO prepared VALUES (?1, ?2, ?3, ?4)")?.execute((
            call,
            owner.feature.to_string(),
            owner.root.to_string_lossy(),
            changes,
        ))?;
        self.lease.finish()
    }

    /// The error as it stands, after a damaged file was set aside.
    pub fn examined(&mut self, error: StoreError) -> StoreError {
        self.lease.examined(error)
    }
}

impl Lease {
    /// Does what is asked, within the transaction.
    fn make(&mut self, ask: &CommonsAsk) -> Result<CommonsAnswer, StoreError> {
        Ok(match ask {
            CommonsAsk::Get(key) => CommonsAnswer::Value(self.get(key)?),
            CommonsAsk::Set { key, value, words } => {
                self.set(key.as_str(), value.as_str())?;
                self.forget_words(key)?;
                let mut add = self
                    .connection()?
                    .prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
                add.execute((row_of(key)?, words))?;
                CommonsAnswer::Done(true)
            }
            CommonsAsk::Delete(key) => {
                let was_there = self.delete(key)?;
                if was_there {
                    self.forget_words(key)?;
                }
                CommonsAnswer::Done(was_there)
            }
            CommonsAsk::Entries { below, most } => {
                CommonsAnswer::Entries(self.entries(*below, *most)?)
            }
            CommonsAsk::Search { words, most } => {
                CommonsAnswer::Entries(self.search(words, *most)?)
            }
        })
    }

    fn forget_words(&self, key: &str) -> Result<(), StoreError> {
        let mut forget = self.connection()?.prepare_cached("DELETE FROM words WHERE rowid = ?1")?;
        forget.execute([row_of(key)?])?;
        Ok(())
    }

    fn entries(&mut self, below: u64, most: usize) -> Result<Vec<(String, String)>, StoreError> {
        self.write()?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut entries = self.connection()?.prepare_cached(
            "SELECT key, value FROM entry WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3",
        )?;
        let range = (key_of(1), key_of(below), most);
        let rows = entries.query_map(range, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entries that have the words: first those that have all of them, then those that have some.
    fn search(
        &mut self,
        words: &[String],
        most: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.write()?;
        let mut found = Vec::new();
        for joint in [" AND ", " OR "] {
            for number in self.numbers(words, joint, most)? {
                if found.len() < most && !found.contains(&number) {
                    found.push(number);
                }
            }
        }
        let connection = self.connection()?;
        let mut entry = connection.prepare_cached("SELECT key, value FROM entry WHERE key = ?1")?;
        let mut entries = Vec::new();
        for number in found {
            let key = key_of(number.unsigned_abs());
            entries
                .extend(entry.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?);
        }
        Ok(entries)
    }

    fn numbers(&self, words: &[String], joint: &str, most: usize) -> Result<Vec<i64>, StoreError> {
        // Each in quotes, so that none is a word of the query's language.
        let terms = words.iter().map(|word| {
            let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
            format!("\"{plain}\"*")
        });
        let query = terms.filter(|term| term.len() > 3).collect::<Vec<_>>().join(joint);
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut search = self.connection()?.prepare_cached(
            "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rank, rowid DESC LIMIT ?2",
        )?;
        let rows = search.query_map((query, most), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Makes what a call prepared, or forgets it, and commits that; unless somebody else did.
    fn bring_to_an_end(mut self, call: &str, is_committed: bool) -> Result<(), StoreError> {
        let changes: Option<String> = self
            .connection()?
            .prepare_cached("SELECT changes FROM prepared WHERE call = ?1")?
            .query_row([call], |row| row.get(0))
            .optional()?;
        let Some(changes) = changes else { return Ok(()) };
        if is_committed {
            let changes: Vec<CommonsAsk> = serde_json::from_str(&changes).unwrap_or_default();
            for change in &changes {
                self.make(change)?;
            }
        }
        self.connection()?
            .prepare_cached("DELETE FROM prepared WHERE call = ?1")?
            .execute([call])?;
        match is_committed {
            true => self.commit(call, &[]),
            false => self.finish(),
        }
    }
}

fn first_prepared(connection: &Connection) -> Result<Option<Prepared>, StoreError> {
    let mut first = connection
        .prepare_cached("SELECT call, feature, root FROM prepared ORDER BY call LIMIT 1")?;
    let row = first.query_row([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    });
    let Some((call, feature, root)) = row.optional()? else { return Ok(None) };
    let feature =
        feature.parse().map_err(|_| StoreError::Key(format!("`{feature}` is no feature")))?;
    Ok(Some(Prepared { call, owner: Owner { feature, root: root.into() } }))
}

/// The row of an entry's words.
fn row_of(key: &str) -> Result<i64, StoreError> {
    let number = number_of(key).and_then(|number| i64::try_from(number).ok());
    number.ok_or_else(|| StoreError::Key(format!("`{key}` is no key of a commons")))
}
