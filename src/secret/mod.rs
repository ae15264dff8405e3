//! Where the user keeps secrets, and how one is read when it is spent.
//!
//! A file in the user's configuration folder names them and says where each is: in a variable of the
//! environment, in a file that its owner alone may read, or in the keyring of the system. The names
//! are no secret, and nothing here gives a text to anybody but the caller of [`Secrets::read`].
//! Nothing is ever read from a project.

mod error;
mod keyring;
mod list;
#[cfg(test)]
mod tests;

pub use error::SecretError;
pub use keyring::keyring_status;

use crate::feature::capability::SecretName;
use crate::feature::redact::Exposed;
use crate::feature::secret::{MAX_BYTES, SecretText};
use crate::private;
use keyring::{Keyring, SystemKeyring};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The folder of the files that peasy keeps secrets in, below the configuration folder.
const KEPT: &str = "secrets";

/// How long a keyring may take to answer a call. One that is locked asks a person first, and that
/// takes longer than a call has.
const KEYRING_PATIENCE: Duration = Duration::from_millis(1_500);

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a variable of the environment that peasy runs in.
    Environment(String),
    /// In a file of the user's, by its absolute path.
    File(PathBuf),
    /// In a file of its own in the configuration folder.
    Kept,
    /// In the keyring of the system.
    Keyring,
}

/// The secrets of one user.
#[derive(Clone)]
pub struct Secrets {
    folder: PathBuf,
    keyring: Arc<dyn Keyring>,
    variable: fn(&str) -> Option<String>,
    exposed: Exposed,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Secrets {
    /// The secrets that the configuration folder `folder` names.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let (keyring, exposed) = (Arc::new(SystemKeyring), Exposed::default());
        Self { folder: folder.into(), keyring, variable, exposed }
    }

    /// The secrets that were read to be spent, for whoever keeps records.
    pub fn exposed(&self) -> &Exposed {
        &self.exposed
    }

    /// The names, in order, and where each secret is.
    ///
    /// # Errors
    ///
    /// The list cannot be read or understood.
    pub fn list(&self) -> Result<Vec<(SecretName, Source)>, SecretError> {
        list::load(&self.folder)
    }

    /// Reads a secret, to be spent at once; waits for a keyring until `until`, and not for long.
    ///
    /// # Errors
    ///
    /// There is none of that name, it cannot be read, or it cannot be spent.
    pub fn read(&self, name: &SecretName, until: Instant) -> Result<SecretText, SecretError> {
        let source = self.source(name)?.ok_or_else(|| SecretError::Missing(name.clone()))?;
        let text = match &source {
            Source::Environment(variable) => {
                (self.variable)(variable).map(Zeroizing::new).ok_or_else(|| SecretError::Unset {
                    name: name.clone(),
                    variable: variable.clone(),
                })?
            }
            Source::File(file) => read(name, file)?,
            Source::Kept => read(name, &self.kept(name))?,
            Source::Keyring => {
                let until = until.min(Instant::now() + KEYRING_PATIENCE);
                let text = keyring::read_until(&self.keyring, name, until)?;
                text.ok_or_else(|| SecretError::Missing(name.clone()))?
            }
        };
        let text = SecretText::new(text);
        let text = text.map_err(|reason| SecretError::Unusable { name: name.clone(), reason })?;
        self.exposed.add(name, text.expose());
        Ok(text)
    }

    fn source(&self, name: &SecretName) -> Result<Option<Source>, SecretError> {
        Ok(self.list()?.into_iter().find(|(known, _)| known == name).map(|(_, source)| source))
    }

    fn kept(&self, name: &SecretName) -> PathBuf {
        self.folder.join(KEPT).join(name.as_str())
    }

    /// Keeps a secret in a file of its own.
    ///
    /// # Errors
    ///
    /// Nothing was changed: the list or the file cannot be written.
    pub fn keep(&self, name: &SecretName, text: &SecretText) -> Result<(), SecretError> {
        let file = self.kept(name);
        let failed = |reason| SecretError::Io { file: file.clone(), act: "written", reason };
        private::make_folder(&self.folder.join(KEPT)).map_err(failed)?;
        private::replace(&file, text.expose().as_bytes()).map_err(failed)?;
        self.point(name, &Source::Kept)
    }

    /// Keeps a secret in the keyring of the system.
    ///
    /// # Errors
    ///
    /// The keyring does not take it, or the list cannot be written.
    pub fn keep_in_keyring(&self, name: &SecretName, text: &SecretText) -> Result<(), SecretError> {
        let kept = self.keyring.set(name, text.expose());
        kept.map_err(|reason| SecretError::Keyring { name: name.clone(), reason })?;
        self.point(name, &Source::Keyring)
    }

    /// Says where a secret is. What peasy itself kept under the name before is removed.
    ///
    /// # Errors
    ///
    /// The list cannot be written; it is then as it was.
    pub fn point(&self, name: &SecretName, source: &Source) -> Result<(), SecretError> {
        let before = self.source(name)?;
        list::change(&self.folder, name, Some(source))?;
        if before.as_ref() == Some(source) { Ok(()) } else { self.discard(name, before) }
    }

    /// Forgets a secret, and says whether there was one. What peasy itself kept is removed; a
    /// variable and a file of the user's stay.
    ///
    /// # Errors
    ///
    /// The list, the file or the keyring cannot be changed.
    pub fn remove(&self, name: &SecretName) -> Result<bool, SecretError> {
        let Some(source) = self.source(name)? else { return Ok(false) };
        self.discard(name, Some(source))?;
        list::change(&self.folder, name, None)?;
        Ok(true)
    }

    #[expect(clippy::disallowed_methods, reason = "a file of this module's own")]
    fn discard(&self, name: &SecretName, source: Option<Source>) -> Result<(), SecretError> {
        match source {
            Some(Source::Kept) => match std::fs::remove_file(self.kept(name)) {
                Err(reason) if reason.kind() != ErrorKind::NotFound => {
                    Err(SecretError::Io { file: self.kept(name), act: "removed", reason })
                }
                _ => Ok(()),
            },
            Some(Source::Keyring) => {
                let removed = self.keyring.remove(name);
                removed.map_err(|reason| SecretError::Keyring { name: name.clone(), reason })
            }
            Some(Source::Environment(_) | Source::File(_)) | None => Ok(()),
        }
    }
}

/// Reads a file that its owner alone may read.
fn read(name: &SecretName, path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let failed = |reason: io::Error| match reason.kind() {
        ErrorKind::NotFound => SecretError::NoFile { name: name.clone(), file: path.to_owned() },
        _ => SecretError::Io { file: path.to_owned(), act: "read", reason },
    };
    let mut file = open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(failed(io::Error::other("it is no file")));
    }
    if !private::is_private(&about) {
        return Err(SecretError::Exposed { name: name.clone(), file: path.to_owned() });
    }
    // Room for all that a secret may have, so that growing leaves no copy of it behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 64));
    (&mut file).take(MAX_BYTES as u64 + 32).read_to_end(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| failed(ErrorKind::InvalidData.into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "reads the file that the user named for the secret")]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}
