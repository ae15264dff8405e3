//! How a value differs from its type, as data. Never decides what to do about it.

use crate::diagnostic::{Blame, Diagnostic, Severity};
use serde::{Deserialize, Serialize};

/// In which way a value differs from its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MismatchKind {
    /// A value of another type.
    Type,
    /// A required argument or field was left out.
    Missing,
    /// An argument or field that nobody declared.
    Unknown,
    /// The right type, out of its bounds.
    Bounds,
}

/// Whose value was checked, which decides code and blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Arguments: the caller's to mend, `arguments/…`.
    Arguments,
    /// A result: the feature author's to mend, `result/…`.
    Result,
}

/// One place where a value differs from its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// In which way.
    pub kind: MismatchKind,
    /// Where, such as `items[3].qty`; empty for the value itself.
    pub path: String,
    /// What belongs there: the canonical type, or for what is unknown the names that are known.
    /// Shortened.
    pub expected: String,
    /// What was given instead, shortened: `string "abc…"`.
    pub got: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl MismatchKind {
    /// The stable code, such as `arguments/missing`.
    pub fn code(self, subject: Subject) -> &'static str {
        match (subject, self) {
            (Subject::Arguments, Self::Type) => "arguments/type",
            (Subject::Arguments, Self::Missing) => "arguments/missing",
            (Subject::Arguments, Self::Unknown) => "arguments/unknown",
            (Subject::Arguments, Self::Bounds) => "arguments/bounds",
            (Subject::Result, Self::Type) => "result/type",
            (Subject::Result, Self::Missing) => "result/missing",
            (Subject::Result, Self::Unknown) => "result/unknown",
            (Subject::Result, Self::Bounds) => "result/bounds",
        }
    }
}

impl Mismatch {
    /// The sentence a person reads, without help.
    pub fn message(&self, subject: Subject) -> String {
        let whole = match subject {
            Subject::Arguments => "the arguments",
            Subject::Result => "the result",
        };
        let place = match (subject, self.path.as_str()) {
            (_, "") => whole.to_owned(),
            (Subject::Arguments, path) => format!("`{path}`"),
            (Subject::Result, path) => format!("the result's `{path}`"),
        };
        match self.kind {
            MismatchKind::Missing => format!("{place} is missing; it is `{}`", self.expected),
            MismatchKind::Unknown => format!("{place} is unknown; it was given as {}", self.got),
            _ => format!("{place} must be `{}`, not {}", self.expected, self.got),
        }
    }

    /// What to write in the code that made a result.
    fn help_for_author(&self) -> Option<String> {
        if self.kind == MismatchKind::Unknown {
            let known = self.help.as_deref().filter(|help| help.starts_with("did you mean"));
            let add = "leave it out, or add it to the type of `@returns`".to_owned();
            return Some(known.map_or(add, str::to_owned));
        }
        let wanted = self.expected.split(['(', '?', '[', ' ']).next().unwrap_or_default();
        let is_list = self.expected.contains("[]");
        let help = match (wanted, self.got.split(' ').next().unwrap_or_default()) {
            _ if self.kind != MismatchKind::Type => return None,
            (_, "null") if self.path.is_empty() => {
                "the last statement gives no value: write the value there; where there may be none, \
                 end the type in `?`"
            }
            (_, "null") => "say what counts instead, `x ?? …`; or end the type in `?`",
            _ if is_list => return None,
            ("string", "int" | "float" | "bool") => "write `value.to_string()`",
            ("int", "float") => "write `value.round().to_int()`, or another type",
            ("int", "string") => "write `text::parse_int(value)`",
            ("float", "string") => "write `text::parse_float(value)`",
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// The mismatch as a diagnostic: the caller's for arguments, the author's for a result.
    pub fn into_diagnostic(self, subject: Subject) -> Diagnostic {
        let blame = match subject {
            Subject::Arguments => Blame::Caller,
            Subject::Result => Blame::Author,
        };
        let message = self.message(subject);
        let diagnostic = Diagnostic::new(Severity::Error, blame, self.kind.code(subject), message);
        let help = match subject {
            Subject::Arguments => self.help,
            Subject::Result => self.help_for_author().or(self.help),
        };
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// As arguments; see [`Mismatch::into_diagnostic`] for results.
impl From<Mismatch> for Diagnostic {
    fn from(mismatch: Mismatch) -> Self {
        mismatch.into_diagnostic(Subject::Arguments)
    }
}
