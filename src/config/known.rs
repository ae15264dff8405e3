//! The features that peasy has met: where each lies, so that a person can name it from anywhere.
//!
//! A convenience and nothing more: what is written here grants nothing, and a file that cannot be read
//! or written is as good as none.

use crate::feature::id::FeatureId;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// The file below the state folder.
const FILE: &str = "features.json";

/// Most features that are remembered; the ones met longest ago go first.
const MOST: usize = 4_000;

/// A feature that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its id.
    pub id: FeatureId,
    /// The folder that it belongs to.
    pub root: PathBuf,
    /// Its file, canonical.
    pub path: PathBuf,
}

/// The features met so far, the latest last.
pub fn known(state: &Path) -> Vec<Known> {
    read(&state.join(FILE)).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Remembers features, where they are not remembered as they are.
pub fn meet(state: &Path, met: &[Known]) {
    let mut all = known(state);
    let by_path: HashMap<_, _> = all.iter().map(|old| (&old.path, old)).collect();
    // A path that cannot be written as text is not remembered.
    let is_text = |one: &&Known| one.path.to_str().and(one.root.to_str()).is_some();
    let is_new = |one: &&Known| by_path.get(&one.path).is_none_or(|old| old != one);
    let new: Vec<_> = met.iter().filter(is_text).filter(is_new).cloned().collect();
    if new.is_empty() {
        return;
    }
    let places: HashSet<_> = new.iter().map(|one| &one.path).collect();
    all.retain(|old| !places.contains(&old.path));
    all.extend(new);
    // Nobody forgets what is there.
    let forgotten = all.len().saturating_sub(MOST.max(met.len()));
    let text = serde_json::to_vec_pretty(&all[forgotten..]).unwrap_or_default();
    if let Err(reason) = write(state, &text) {
        tracing::debug!(%reason, "where features lie could not be remembered");
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of this module's own")]
fn read(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

#[expect(clippy::disallowed_methods, reason = "a file of this module's own")]
fn write(state: &Path, text: &[u8]) -> io::Result<()> {
    crate::private::make_folder(state)?;
    let draft = state.join(format!("{FILE}.{}", std::process::id()));
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, state.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_place_of_a_feature_is_remembered() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let one = |id: &str, path: &str| Known {
            id: id.parse().expect("an id"),
            root: "/r".into(),
            path: path.into(),
        };
        let state = folder.path().join("state");
        assert_eq!(known(&state), []);
        meet(&state, &[one("user:a", "/r/a"), one("user:b", "/r/b")]);
        meet(&state, &[one("user:c", "/r/a")]);
        assert_eq!(known(&state), [one("user:b", "/r/b"), one("user:c", "/r/a")]);
        // Of very many, those that are there are remembered.
        let many: Vec<_> =
            (0..MOST + 2).map(|index| one("user:d", &format!("/m/{index}"))).collect();
        meet(&state, &many);
        assert_eq!(known(&state), many);
        meet(&state, &[one("user:e", "/r/e")]);
        assert_eq!(known(&state).len(), MOST);
        // One that cannot be written as text takes nothing from the others.
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let path = Path::new(std::ffi::OsStr::from_bytes(b"/r/\xff")).to_owned();
            let strange = Known { path, ..one("user:f", "/") };
            meet(&state, &[strange, one("user:g", "/r/g")]);
            assert_eq!(known(&state).last(), Some(&one("user:g", "/r/g")));
        }
    }
}
