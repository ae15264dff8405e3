//! The features that are part of the binary, as texts: `builtin:fs`, `builtin:exec`, ….
//!
//! Each is a script like any other. It comes through the same reading, planning, grants, bounds and log,
//! and has no power that another script could not be granted. Nothing of one runs until the user
//! grants what it asks for. Nothing here reads or runs anything.

/// What their ids begin with.
pub const PREFIX: &str = "builtin:";

/// A feature of this folder: its name and its text.
macro_rules! embedded {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!($name, ".rhai")))),*] };
}

/// Names and texts, sorted by name. A feature of this folder is one word here.
const FEATURES: &[(&str, &str)] = embedded!("exec" "fs" "memory" "pod" "web" "work-item");

/// The text of the feature of that name.
pub fn text(name: &str) -> Option<&'static str> {
    let index = FEATURES.binary_search_by_key(&name, |&(name, _)| name).ok()?;
    FEATURES.get(index).map(|&(_, text)| text)
}

/// Every name, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().map(|&(name, _)| name)
}
