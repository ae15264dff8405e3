//! The tags that are ours, and words that stand for them elsewhere.

/// Tags at the head of a file.
pub(super) const FILE: [&str; 6] = ["feature", "title", "request", "request?", "channel", "limit"];

/// Tags above a function.
pub(super) const FUNCTION: [&str; 11] = [
    "tool", "hook", "test", "param", "returns", "hint", "example", "title", "limit", "asks",
    "event",
];

/// Tags of functions that only document where no tool is declared.
pub(super) const DOCUMENTING: [&str; 3] = ["param", "returns", "example"];

pub(super) fn of_function(name: &str) -> bool {
    FUNCTION.contains(&name)
}

pub(super) fn of_file(name: &str) -> bool {
    FILE.contains(&name)
}

/// The tag of ours that was probably meant. Close spellings only: `@todo` is not `@tool`.
pub(super) fn meant(name: &str, ours: &[&'static str]) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let by_habit = match lower.as_str() {
        "arg" | "argument" | "parameter" => Some("param"),
        "return" | "result" => Some("returns"),
        "require" | "requires" | "permission" | "capability" => Some("request"),
        "function" | "command" => Some("tool"),
        "name" | "id" => Some("feature"),
        "hooks" | "on" => Some("hook"),
        "tests" => Some("test"),
        _ => None,
    };
    if let Some(tag) = by_habit.filter(|tag| ours.contains(tag)) {
        return Some(tag);
    }
    let allowed = if lower.len() <= 5 { 1 } else { 2 };
    ours.iter()
        .map(|&tag| (strsim::damerau_levenshtein(&lower, tag), tag))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_peoples_tags() {
        assert_eq!(meant("parm", &FUNCTION), Some("param"));
        assert_eq!(meant("Tool", &FUNCTION), Some("tool"));
        assert_eq!(meant("return", &FUNCTION), Some("returns"));
        assert_eq!(meant("reqest", &FILE), Some("request"));
        for other in ["todo", "note", "see", "author", "deprecated", "throws", "text", "type"] {
            let near = meant(other, &FUNCTION);
            assert!(near.is_none() || other == "text", "{other}: {near:?}");
        }
    }
}
