//! What can go wrong with a store, whose turn it is, and what SQLite's errors mean here.

use crate::diagnostic::Diagnostic;
use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;

/// Why a store did not do what was asked. What it held is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another call held the lock until the deadline.
    #[error("the store is locked by another call, and was until the deadline")]
    Busy,
    /// The call is over; its store is closed to it.
    #[error("the call is over, and its store is closed")]
    Closed,
    /// The file is no store, or its pages contradict each other.
    #[error("the store is damaged and was set aside as `{}`", .0.display())]
    Damaged(PathBuf),
    /// The file is no store, or its pages contradict each other; it was only looked at.
    #[error("the store `{}` is damaged", .0.display())]
    Broken(PathBuf),
    /// The file is damaged and could not even be moved.
    #[error("the store `{}` is damaged and could not be set aside: {reason}", file.display())]
    Stuck {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A later version of peasy wrote it.
    #[error("the store `{}` has format {found}, and this peasy knows up to {known}", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// It would belong to a folder whose name cannot be written down.
    #[error("the name of the folder `{}` is not UTF-8, so no store is kept for what belongs to it", .0.display())]
    Root(PathBuf),
    /// The disk is full.
    #[error("the disk is full; nothing of the call was kept")]
    Full,
    /// The disk or the file cannot be written.
    #[error("the store cannot be written: the disk or the file is read-only")]
    ReadOnly,
    /// It would be larger than it may.
    #[error("the store would hold {would} bytes and may hold {most}")]
    Quota {
        /// With what was to be written.
        would: u64,
        /// The bound.
        most: u64,
    },
    /// Not a key.
    #[error("{0}")]
    Key(String),
    /// The file system refused.
    #[error("the store cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// Anything else that SQLite says.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Busy => Diagnostic::operator("store/busy", text)
                .help("call again; a call that keeps the store for long should do its other work first"),
            Self::Closed => Diagnostic::host("store/closed", text),
            Self::Damaged(_) => Diagnostic::operator("store/damaged", text)
                .help("the next call begins with an empty store; the file that was set aside is yours to mend"),
            Self::Broken(_) => Diagnostic::operator("store/damaged", text)
                .help("the next call that needs it sets it aside and begins with an empty store; copy it first, should you want to mend it"),
            Self::Stuck { .. } => Diagnostic::operator("store/damaged", text)
                .help("move the file away yourself; nothing is written to it"),
            Self::Newer { .. } => Diagnostic::operator("store/newer", text)
                .help("run the newer peasy, or move the file away; nothing was changed in it"),
            Self::Root(_) => Diagnostic::operator("store/root", text).help("give the folder another name"),
            Self::Full => {
                Diagnostic::operator("store/full", text).help("make room on the disk, then call again")
            }
            Self::ReadOnly => Diagnostic::operator("store/read-only", text)
                .help("make the state folder writable, or name another with `PEASY_STATE`"),
            Self::Quota { .. } => Diagnostic::author("limit/store", text)
                .help("delete what is no longer needed, or keep less; the user may raise `store`"),
            Self::Key(_) => Diagnostic::author("store/key", text),
            Self::Io(_) => Diagnostic::operator("store/unreadable", text)
                .help("check the state folder and who may read and write it"),
            Self::Sqlite(_) => Diagnostic::operator("store/failed", text)
                .help("call again; should it stay so, look at the disk and the file"),
        }
    }
}

/// What SQLite's result codes mean; <https://sqlite.org/rescode.html>.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::OperationInterrupted) => Self::Closed,
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether a file could not be opened, for a reason that SQLite does not tell.
pub(super) fn cannot_open(error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
}

/// Whether the file itself is at fault.
pub(super) fn is_damage(error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}
