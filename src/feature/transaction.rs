//! What the host does for one call: the state it keeps and the acts it lets out.
//!
//! A call sees its [`Transaction`] and nothing behind it. What it stages there takes effect when the
//! catalog commits it, after the result was checked, or not at all. Grants are not looked at here:
//! whoever asks on behalf of a script has held them against the request, next to the act.

use super::call::{Conditions, Receipt};
use super::capability::SecretName;
use super::commons::{Commons, CommonsAnswer, CommonsAsk, Loose};
use super::grant::GrantSet;
use super::heard::Heard;
use super::id::FeatureId;
use super::secret::SecretText;
use super::subpod::{PodAnswer, PodAsk};
use crate::diagnostic::{Diagnostic, shell_word};
use crate::limit::Limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The host's side of one call. One value serves one call, from any thread.
///
/// Every function may wait, at most until [`CallStart::deadline`].
pub trait Transaction: Send + Sync {
    /// The call is known to the catalog and is about to run.
    fn begin(&self, call: &CallStart<'_>);

    /// The value kept under `key`, as JSON text.
    ///
    /// The first of the store's functions locks the feature's store until the call is over.
    ///
    /// # Errors
    ///
    /// The store is locked by another call (`store/busy`), cannot be read (`store/…`), or this host
    /// keeps none (`store/unavailable`).
    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic>;

    /// Stages `value`, a JSON text, under `key`.
    ///
    /// # Errors
    ///
    /// As [`Self::store_get`], and where the store would be over its quota (`limit/store`).
    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic>;

    /// Stages the removal of `key`, and says whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Self::store_get`].
    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic>;

    /// The keys that begin with `prefix`, in the order of their bytes, at most `most` of them.
    ///
    /// # Errors
    ///
    /// As [`Self::store_get`].
    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic>;

    /// Looks at what is kept for all features of a place together, or stages a change of it.
    ///
    /// The first of these locks the feature's own store and the commons until the call is over.
    ///
    /// # Errors
    ///
    /// As [`Self::store_set`].
    fn commons(&self, commons: Commons, ask: &CommonsAsk) -> Result<CommonsAnswer, Diagnostic> {
        let _ = (commons, ask);
        Detached::no_store()
    }

    /// Asks something of the sessions that this one started. What lets something out, a message above all,
    /// is recorded as an act before it happens.
    ///
    /// # Errors
    ///
    /// There is no such sub-pod or it cannot be done (`pod/…`), or nobody answers in sub-pods of this host
    /// (`pod/no-model`, `pod/unavailable`).
    fn pod(&self, ask: &PodAsk) -> Result<PodAnswer, Diagnostic> {
        let _ = ask;
        Err(Diagnostic::operator("pod/unavailable", "this host has no sub-pods")
            .help("run the feature in a pod, as `peasy chat` does; a test has none"))
    }

    /// Records that an act on the outside world is about to happen. It may only happen after this
    /// returned.
    ///
    /// # Errors
    ///
    /// The act cannot be recorded, or this host lets none out (`host/no-world`).
    fn act(&self, act: &Act) -> Result<(), Diagnostic>;

    /// The secret that the user keeps under `name`, to be spent at once and shown to nobody.
    ///
    /// # Errors
    ///
    /// There is none (`secret/missing`), it cannot be read or spent (`secret/…`), or this host keeps
    /// none (`secret/unavailable`).
    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic>;

    /// The folder that relative paths begin at, canonical; `None` where the host works in none.
    fn workspace(&self) -> Option<&Path>;

    /// The folders that no grant opens, absolute: where the host keeps policy, stores and logs. A
    /// feature that wrote there would grant itself whatever it wants.
    fn closed(&self) -> &[PathBuf] {
        &[]
    }

    /// How many bytes of what the call gets from its host are to be kept on record, so that it can be
    /// run again; 0 where nothing is.
    fn record_room(&self) -> u64 {
        0
    }

    /// What the call got from the host beside its store. Told at most once, before the call ends, and
    /// not where it got nothing.
    fn heard(&self, _: Heard) {}

    /// What the call is given in the place of the world, where it is run again from a record.
    fn rehearsal(&self) -> Option<Heard> {
        None
    }

    /// A call that is run again asks for what the record does not hold.
    fn missed(&self, _: &str) {}

    /// Makes lasting what was staged, and records the call. The reply goes out after this.
    ///
    /// # Errors
    ///
    /// Nothing that was staged has happened, and the call has failed.
    fn commit(&self, ending: &Ending<'_>) -> Result<(), Diagnostic>;

    /// Forgets what was staged and lets go of the store. Also called for a call that never ended;
    /// what its thread asks for from then on is refused.
    fn roll_back(&self);
}

/// A call as its host is told of it.
#[derive(Debug, Clone, Copy)]
pub struct CallStart<'a> {
    /// Whose contribution runs.
    pub feature: &'a FeatureId,
    /// The name of the tool or the hook.
    pub contribution: &'a str,
    /// What it may use: in a sub-pod perhaps less than its feature was granted.
    pub grants: &'a GrantSet,
    /// The bounds in force.
    pub limits: &'a Limits,
    /// The clock and the seed.
    pub conditions: Conditions,
    /// When the caller gets an answer, whatever happens.
    pub deadline: Instant,
}

/// A call that succeeded, as it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The result of the tool, or the decision of the hook as JSON.
    pub result: &'a Value,
    /// Texts for the model, in order.
    pub notices: &'a [String],
    /// What it cost.
    pub receipt: &'a Receipt,
}

/// An act on the outside world, as it is recorded before it happens. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// A file is created or replaced.
    Write {
        /// Which, as the script named it.
        path: String,
        /// How much is written.
        bytes: u64,
    },
    /// A file or an empty folder is removed.
    Remove {
        /// Which, as the script named it.
        path: String,
    },
    /// A program is started.
    Exec {
        /// Which.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// A request goes to a host; each that a redirect leads to is one of its own.
    Http {
        /// `GET`, `POST`, …
        method: String,
        /// Where to, with the query. A secret that it repeats is taken out.
        url: String,
        /// The bytes of its body.
        bytes: u64,
        /// The names of the secrets that are spent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<String>,
    },
    /// A tool of another server is called; its arguments are those of the call.
    Bridge {
        /// The server, as the user's configuration names it.
        server: String,
        /// The tool, as the server names it.
        tool: String,
    },
    /// Something is done with a sub-pod.
    Pod {
        /// What.
        does: PodDeed,
        /// The session of the sub-pod.
        session: String,
    },
}

/// What is done with a sub-pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodDeed {
    /// It is started.
    Spawn,
    /// It is sent a message, which stands in its own record.
    Message,
    /// Its turn is ended.
    Interrupt,
    /// It is brought back.
    Restore,
    /// It is ended.
    Stop,
}

impl PodDeed {
    /// In words, for people.
    fn words(self) -> &'static str {
        match self {
            Self::Spawn => "starts",
            Self::Message => "sends a message to",
            Self::Interrupt => "ends the turn of",
            Self::Restore => "brings back",
            Self::Stop => "ends",
        }
    }
}

/// In words, for people: `runs git log --oneline`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, bytes } => write!(f, "writes {path} ({bytes} bytes)"),
            Self::Remove { path } => write!(f, "removes {path}"),
            Self::Exec { program, arguments } => {
                write!(f, "runs {}", shell_word(program))?;
                arguments.iter().try_for_each(|word| write!(f, " {}", shell_word(word)))
            }
            Self::Http { method, url, bytes, secrets } => {
                write!(f, "sends {method} {url}")?;
                if *bytes > 0 {
                    write!(f, " with {bytes} bytes")?;
                }
                match secrets.is_empty() {
                    true => Ok(()),
                    false => write!(f, " and the secret {}", secrets.join(", ")),
                }
            }
            Self::Pod { does, session } => write!(f, "{} the sub-pod {session}", does.words()),
            Self::Bridge { server, tool } => write!(f, "calls {tool} of the server {server}"),
        }
    }
}

/// The transaction of a host that keeps nothing and lets nothing out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Detached;

impl Detached {
    fn no_store<T>() -> Result<T, Diagnostic> {
        Err(Diagnostic::operator("store/unavailable", "this host keeps no store")
            .help("run the feature in a pod, as `peasy call` and `peasy serve` do"))
    }
}

impl Transaction for Detached {
    fn begin(&self, _: &CallStart<'_>) {}

    fn store_get(&self, _: &str) -> Result<Option<String>, Diagnostic> {
        Self::no_store()
    }

    fn store_set(&self, _: &str, _: &str) -> Result<(), Diagnostic> {
        Self::no_store()
    }

    fn store_delete(&self, _: &str) -> Result<bool, Diagnostic> {
        Self::no_store()
    }

    fn store_keys(&self, _: &str, _: usize) -> Result<Vec<String>, Diagnostic> {
        Self::no_store()
    }

    fn act(&self, _: &Act) -> Result<(), Diagnostic> {
        Err(Diagnostic::operator("host/no-world", "this host lets nothing out")
            .help("run the feature in a pod, as `peasy call` and `peasy serve` do"))
    }

    fn secret(&self, _: &SecretName) -> Result<SecretText, Diagnostic> {
        Err(Diagnostic::operator("secret/unavailable", "this host keeps no secrets")
            .help("run the feature in a pod, as `peasy call` and `peasy serve` do"))
    }

    fn workspace(&self) -> Option<&Path> {
        None
    }

    fn commit(&self, _: &Ending<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn roll_back(&self) {}
}

/// The transaction of a test: a store that begins empty and ends with it, and no outside world.
#[derive(Debug, Default)]
pub struct Scratch {
    entries: Mutex<BTreeMap<String, String>>,
    commons: Mutex<BTreeMap<Commons, Loose>>,
}

impl Scratch {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transaction for Scratch {
    fn begin(&self, _: &CallStart<'_>) {}

    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic> {
        Ok(self.entries().get(key).cloned())
    }

    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic> {
        self.entries().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic> {
        Ok(self.entries().remove(key).is_some())
    }

    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic> {
        let entries = self.entries();
        let keys = entries.range(prefix.to_owned()..).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(most).cloned().collect())
    }

    fn commons(&self, which: Commons, ask: &CommonsAsk) -> Result<CommonsAnswer, Diagnostic> {
        let mut commons = self.commons.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(commons.entry(which).or_default().answer(ask))
    }

    fn act(&self, act: &Act) -> Result<(), Diagnostic> {
        Detached.act(act)
    }

    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic> {
        Detached.secret(name)
    }

    fn workspace(&self) -> Option<&Path> {
        None
    }

    fn commit(&self, _: &Ending<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn roll_back(&self) {}
}
