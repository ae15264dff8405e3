//! What features keep: one SQLite file for each feature and root, opened when it is first used.
//!
//! A call leases its feature's store from its first use to its end; nobody else, in this process or
//! another, sees or changes it meanwhile. What a lease stages becomes lasting in one transaction,
//! together with the call's id and its texts for the model, or not at all. A damaged file is
//! set aside and never overwritten. Nothing here knows scripts, logs or grants.

mod commons;
mod error;
mod file;
mod lease;

pub use commons::CommonsLease;
pub use error::StoreError;
pub use lease::Lease;

use crate::feature::id::FeatureId;
use file::{Connections, Witness};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// Most bytes of a key.
pub const MAX_KEY: usize = 512;

/// When what is written has to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Before the reply. A reply that went out survives a power cut.
    Always,
    /// Within a fifth of a second. A reply that went out survives the end of the process, however it
    /// comes; a power cut may take the last of them.
    #[default]
    Group,
    /// When the system finds time. As [`Self::Group`], with a longer wait.
    Never,
}

/// Whose store: a feature by its id and the canonical folder that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The feature.
    pub feature: FeatureId,
    /// The root of its project, or the folder of the user's own features.
    pub root: PathBuf,
}

impl Owner {
    /// The name of its file: readable, and another for every owner.
    fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.feature.to_string().as_bytes(), self.root.as_os_str().as_encoded_bytes()]
        {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let tail: String =
            hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{tail}.sqlite", self.feature.name())
    }
}

/// The stores of one host, all in one folder.
pub struct Stores {
    folder: PathBuf,
    durability: Durability,
    connections: Mutex<HashMap<Owner, Arc<Connections>>>,
    witness: Arc<OnceLock<Witness>>,
}

/// What is known of a store without a lease.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoreInfo {
    /// Whose.
    pub feature: String,
    /// The folder that the feature belongs to.
    pub root: PathBuf,
    /// Its file.
    pub file: PathBuf,
    /// How many keys it has.
    pub keys: u64,
    /// The bytes of keys and values.
    pub bytes: u64,
}

/// A store of one moment, only looked at.
pub struct Look<'a>(&'a Connection);

impl Look<'_> {
    /// The ids of the latest calls that it has committed, in their order, and whether none is forgotten.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn calls(&self) -> Result<(Vec<String>, bool), StoreError> {
        file::calls(self.0)
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// As [`Self::calls`].
    pub fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        file::get(self.0, key)
    }

    /// Every key with its value, by the bytes of the keys.
    ///
    /// # Errors
    ///
    /// As [`Self::calls`].
    pub fn entries(&self) -> Result<Vec<(String, String)>, StoreError> {
        file::entries(self.0)
    }

    /// Whose store it is, as far as the file says: the id of its feature.
    ///
    /// # Errors
    ///
    /// As [`Self::calls`].
    pub fn feature(&self) -> Result<String, StoreError> {
        file::about(self.0, "feature")
    }
}

/// A store, or a file that cannot be read as one.
pub type Listed = Looked<StoreInfo>;

/// What was seen of a store, or what is wrong with a file.
pub type Looked<T> = Result<T, (PathBuf, StoreError)>;

impl Stores {
    /// The stores in `folder`, which is made when the first is used.
    pub fn new(folder: impl Into<PathBuf>, durability: Durability) -> Self {
        let (connections, witness) = Default::default();
        Self { folder: folder.into(), durability, connections, witness }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether no store was asked for yet.
    pub fn is_untouched(&self) -> bool {
        self.all().is_empty()
    }

    /// The file of `owner`, there or not.
    pub fn file(&self, owner: &Owner) -> PathBuf {
        self.folder.join(owner.file_name())
    }

    /// Locks the store of `owner` for one call that may keep `quota` bytes, waiting until `deadline`.
    ///
    /// # Errors
    ///
    /// It is locked until then, cannot be opened, is damaged, or is of a newer format.
    pub fn lease(&self, owner: &Owner, quota: u64, deadline: Instant) -> Result<Lease, StoreError> {
        // A log could not say whose store it is when a call is brought to an end.
        if owner.root.to_str().is_none() {
            return Err(StoreError::Root(owner.root.clone()));
        }
        let connections = self.connections(owner);
        Lease::begin(connections, quota, deadline)
    }

    /// The texts that were committed with the call of that id; `None` where it was not.
    ///
    /// # Errors
    ///
    /// As [`Self::lease`].
    pub fn committed(
        &self,
        owner: &Owner,
        call: &str,
        deadline: Instant,
    ) -> Result<Option<Vec<String>>, StoreError> {
        if !self.file(owner).exists() {
            return Ok(None);
        }
        self.lease(owner, u64::MAX, deadline)?.committed(call)
    }

    /// Tells `witness` before a damaged file is set aside: whose it is, and its name from then on. Where that
    /// fails, the file stays where it is.
    pub fn tell_before_setting_aside(
        &self,
        witness: impl Fn(&Owner, &Path) -> std::io::Result<()> + Send + Sync + 'static,
    ) {
        // One pod has the stores, and says so once.
        let _ = self.witness.set(Box::new(witness));
    }

    /// Lets `act` look at the store of `owner`; `None` where there is none. It is not locked, and a damaged
    /// file stays where it is.
    ///
    /// # Errors
    ///
    /// It cannot be read, is damaged, or is of a newer format; or those of `act`.
    pub fn look<T>(
        &self,
        owner: &Owner,
        mut act: impl FnMut(&Look<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        file::look(&self.file(owner), |connection| act(&Look(connection)))
    }

    /// As [`Self::look`], at each store there is, in the order of their files.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn look_at_all<T>(
        &self,
        mut act: impl FnMut(&Look<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<Looked<T>>, StoreError> {
        let files = self.files()?.into_iter();
        let looked = files.filter_map(|file| {
            let looked = file::look(&file, |connection| act(&Look(connection)));
            looked.map_err(|error| (file, error)).transpose()
        });
        Ok(looked.collect())
    }

    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        match file::all(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            files => Ok(files?),
        }
    }

    /// The stores there are, in the order of their files, and what is wrong with those that cannot be
    /// read.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let files = self.files()?.into_iter();
        let listed = files.filter_map(|file| {
            let info = file::look(&file, |connection| info(&file, connection));
            info.map_err(|error| (file, error)).transpose()
        });
        Ok(listed.collect())
    }

    /// Brings to the disk what calls have committed under [`Durability::Group`] since the last time.
    ///
    /// # Errors
    ///
    /// A store cannot be brought there; the next time tries again.
    pub fn sync(&self) -> std::io::Result<()> {
        let all: Vec<_> = self.all().values().cloned().collect();
        // Without the lock: a disk that is slow keeps nobody from opening a store.
        all.iter().map(|store| store.sync()).fold(Ok(()), Result::and)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Connections>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self, owner: &Owner) -> Arc<Connections> {
        let mut all = self.all();
        if let Some(known) = all.get(owner) {
            return Arc::clone(known);
        }
        let file = self.file(owner);
        let witness = Arc::clone(&self.witness);
        let new = Arc::new(Connections::new(file, owner.clone(), self.durability, witness));
        all.insert(owner.clone(), Arc::clone(&new));
        new
    }
}

fn info(file: &Path, connection: &Connection) -> Result<StoreInfo, StoreError> {
    let (keys, bytes) = file::size(connection)?;
    Ok(StoreInfo {
        feature: file::about(connection, "feature")?,
        root: file::about(connection, "root")?.into(),
        file: file.to_owned(),
        keys,
        bytes,
    })
}

#[cfg(test)]
mod tests;
