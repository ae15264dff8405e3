//! The keyring of the system: Secret Service, Keychain or Credential Manager.

use super::SecretError;
use crate::feature::capability::SecretName;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// The name under which all entries of peasy stand.
#[cfg(feature = "keyring")]
const SERVICE: &str = "peasy";

/// What keeps secrets under a password of the user's. Each function may wait for a person.
pub(super) trait Keyring: Send + Sync {
    /// A secret, where there is one.
    fn get(&self, name: &SecretName) -> Result<Option<Zeroizing<String>>, String>;

    /// Keeps a secret.
    fn set(&self, name: &SecretName, text: &str) -> Result<(), String>;

    /// Removes a secret, where there is one.
    fn remove(&self, name: &SecretName) -> Result<(), String>;
}

/// The keyring of this system.
pub(super) struct SystemKeyring;

#[cfg(feature = "keyring")]
impl Keyring for SystemKeyring {
    fn get(&self, name: &SecretName) -> Result<Option<Zeroizing<String>>, String> {
        match entry(name)?.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(reason) => Err(words(reason)),
        }
    }

    fn set(&self, name: &SecretName, text: &str) -> Result<(), String> {
        entry(name)?.set_password(text).map_err(words)
    }

    fn remove(&self, name: &SecretName) -> Result<(), String> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(reason) => Err(words(reason)),
        }
    }
}

#[cfg(feature = "keyring")]
fn entry(name: &SecretName) -> Result<keyring::Entry, String> {
    if let Err(reason) = keyring::Entry::store_status() {
        return Err(format!("there is none: {}", without_bytes(reason)));
    }
    keyring::Entry::new(SERVICE, name.as_str()).map_err(words)
}

/// Whether there is a keyring, and if not, why. It may take as long as it likes.
#[cfg(feature = "keyring")]
pub fn keyring_status() -> Result<(), String> {
    keyring::Entry::store_status().as_ref().map(|_| ()).map_err(without_bytes)
}

/// There is none.
#[cfg(not(feature = "keyring"))]
pub fn keyring_status() -> Result<(), String> {
    Err(NONE.to_owned())
}

#[cfg(feature = "keyring")]
fn words(reason: keyring::Error) -> String {
    without_bytes(&reason)
}

/// An error in words. Two kinds hold what was found, which may be a secret.
#[cfg(feature = "keyring")]
fn without_bytes(reason: &keyring::Error) -> String {
    use keyring::Error::{BadDataFormat, BadEncoding};
    match reason {
        BadEncoding(_) | BadDataFormat(..) => "it is no text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(not(feature = "keyring"))]
impl Keyring for SystemKeyring {
    fn get(&self, _: &SecretName) -> Result<Option<Zeroizing<String>>, String> {
        Err(NONE.to_owned())
    }

    fn set(&self, _: &SecretName, _: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }

    fn remove(&self, _: &SecretName) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}

#[cfg(not(feature = "keyring"))]
const NONE: &str = "this build of peasy knows no keyring";

type Answer = Result<Option<Zeroizing<String>>, String>;

/// What the asking thread leaves for whoever waits.
#[derive(Default)]
struct Slot {
    answer: Mutex<Option<Answer>>,
    ready: Condvar,
}

/// Whether a thread asks. One for the process: a keyring that is locked asks one person, once.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Asks for a secret on a thread of its own, and waits at most until `until`: nothing ends a keyring
/// that waits for a person, and its answer to a question that is over is dropped.
pub(super) fn read_until(
    keyring: &Arc<dyn Keyring>,
    name: &SecretName,
    until: Instant,
) -> Result<Option<Zeroizing<String>>, SecretError> {
    let refused = |reason: &str| SecretError::Keyring { name: name.clone(), reason: reason.into() };
    if ASKING.swap(true, Ordering::AcqRel) {
        return Err(refused("it still waits for an answer; is it locked?"));
    }
    let slot = Arc::new(Slot::default());
    let (theirs, keyring, wanted) = (Arc::clone(&slot), Arc::clone(keyring), name.clone());
    let asking = move || {
        let answer = keyring.get(&wanted);
        ASKING.store(false, Ordering::Release);
        *theirs.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        theirs.ready.notify_one();
    };
    let thread = std::thread::Builder::new().name("peasy-keyring".to_owned());
    if thread.spawn(asking).is_err() {
        ASKING.store(false, Ordering::Release);
        return Err(refused("the system gives no thread to ask it"));
    }
    let mut answer = slot.answer.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(answer) = answer.take() {
            return answer.map_err(|reason| refused(&reason));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(refused("it does not answer; is it locked?"));
        }
        answer = slot.ready.wait_timeout(answer, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}
