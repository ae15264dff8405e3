//! How often hooks made a turn of an agent go on: an agent says whether they did, and not how often.
//!
//! One small file a session in the state folder, there while a turn goes on. What cannot be read counts as
//! once, and the turn ends where it cannot be written: it must not go on for ever.

#![allow(clippy::disallowed_methods, reason = "a folder of this module's own")]

use crate::pod::session::entry::{AgentSession, hash_of};
use crate::private;
use std::io;
use std::path::{Path, PathBuf};

/// The folder below the state folder.
const FOLDER: &str = "agent-hook";

/// Files that no turn will come back to are removed when another is written.
const STALE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The count of one session's turn.
#[derive(Debug)]
pub struct Again {
    folder: PathBuf,
    file: PathBuf,
}

impl Again {
    /// The count of a session, below a state folder.
    pub fn of(state: &Path, session: &AgentSession) -> Self {
        let folder = state.join(FOLDER);
        let name = hash_of(format!("{}\n{}", session.name, session.session).as_bytes());
        Self { file: folder.join(&name[..32]), folder }
    }

    /// How often the turn went on, of which the agent says that it did.
    pub fn count(&self) -> u64 {
        let kept = std::fs::read_to_string(&self.file).ok();
        kept.and_then(|text| text.trim().parse().ok()).unwrap_or(1).max(1)
    }

    /// Keeps that it went on so often.
    ///
    /// # Errors
    ///
    /// The folder does not take it.
    pub fn keep(&self, count: u64) -> io::Result<()> {
        private::make_folder(&self.folder)?;
        private::put(&self.file, count.to_string().as_bytes())?;
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            let age = entry.metadata().and_then(|about| about.modified()).ok();
            if age.and_then(|written| written.elapsed().ok()).is_some_and(|age| age > STALE) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// The turn has ended.
    pub fn forget(&self) {
        // Most turns had none.
        let _ = std::fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_goes_on_is_counted_and_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let session =
            |name: &str| AgentSession { name: "codex".into(), session: name.into(), call: None };
        let (one, other) = (session("one"), session("../two"));
        let again = Again::of(folder.path(), &one);
        assert_eq!(again.count(), 1, "the agent says that it went on");
        again.keep(2).expect("the folder takes it");
        assert_eq!(Again::of(folder.path(), &one).count(), 2);
        assert_eq!(Again::of(folder.path(), &other).count(), 1);
        again.forget();
        assert_eq!(again.count(), 1);
    }
}
