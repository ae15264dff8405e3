//! The embedded library: what `import "std/…"` finds. Its files are part of the binary.
//!
//! What a feature imports from here is part of its [`super::SourceTree`] and so of its digest: a
//! release that changes a module changes the features that use it, and no others.

/// A module of `stdlib/`: its import path and its text.
macro_rules! embedded {
    ($($name:literal)*) => {
        &[$((concat!("std/", $name), include_str!(concat!("../../../stdlib/", $name, ".rhai")))),*]
    };
}

/// Import paths and texts, sorted by path. A module of `stdlib/` is one word here.
const LIBRARY: &[(&str, &str)] =
    embedded!("assert" "cli" "config" "human" "lines" "report" "semver" "tree");

/// The text of a module of the embedded library, by its import path such as `std/report`.
pub fn std_source(path: &str) -> Option<&'static str> {
    let index = LIBRARY.binary_search_by_key(&path, |&(name, _)| name).ok()?;
    LIBRARY.get(index).map(|&(_, text)| text)
}

/// Every import path of the library, sorted.
pub fn std_names() -> impl Iterator<Item = &'static str> {
    LIBRARY.iter().map(|&(name, _)| name)
}

/// Whether a key of [`super::SourceTree::modules`] is one of the library; none of a feature's own
/// files has such a key.
pub(crate) fn is_library(key: &str) -> bool {
    key.starts_with("std/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_is_sorted_and_below_std() {
        assert!(std_names().is_sorted());
        assert!(std_names().all(is_library));
        assert!(std_names().all(|name| std_source(name).is_some()));
        assert_eq!(std_source("std/no-such-module"), None);
    }
}
