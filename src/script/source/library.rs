//! The embedded library: what `import "std/…"` finds. Its files are part of the binary.

/// Import paths and texts, sorted by path. A module of `stdlib/` is one line here.
const LIBRARY: &[(&str, &str)] = &[];

/// The text of a module of the embedded library, by its import path such as `std/report`.
pub fn std_source(path: &str) -> Option<&'static str> {
    let index = LIBRARY.binary_search_by_key(&path, |&(name, _)| name).ok()?;
    LIBRARY.get(index).map(|&(_, text)| text)
}

/// Every import path of the library.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LIBRARY.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_is_sorted_and_below_std() {
        assert!(names().is_sorted());
        assert!(names().all(|name| name.starts_with("std/")));
        assert_eq!(std_source("std/no-such-module"), None);
    }
}
