//! Why a type, a default or a parameter's path was refused. Never prints anything.

use crate::diagnostic::{Diagnostic, Span};

/// What is wrong with the text of a type, a default or a path, and what to write instead.
///
/// Offset and length count characters of the text that was given to the function that failed, so
/// that a label can be put under it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    /// The stable code: one of the constants of [`TypeError`].
    pub code: &'static str,
    /// Where it is wrong, in characters from the start of the text.
    pub offset: usize,
    /// How many characters are wrong, at least 1.
    pub length: usize,
    /// What was given and what is wrong with it.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl TypeError {
    /// The word is not one of ours.
    pub const UNKNOWN_TYPE: &'static str = "annotation/unknown-type";
    /// The text is no type: a bracket is missing, something stands after the end, …
    pub const TYPE_SYNTAX: &'static str = "annotation/type-syntax";
    /// The range after a type is malformed or empty.
    pub const BOUNDS: &'static str = "annotation/bounds";
    /// The text is longer, deeper or has more parts than a type may have.
    pub const TYPE_SIZE: &'static str = "annotation/type-size";
    /// A default is no literal, or does not fit its type.
    pub const DEFAULT: &'static str = "annotation/default";
    /// A value, as in `@example`, is no literal.
    pub const VALUE: &'static str = "annotation/value";
    /// The path of a `@param` does not fit the type of its parent.
    pub const PARAM_PATH: &'static str = "annotation/param-path";
    /// One parameter or field is described twice.
    pub const DUPLICATE_PARAM: &'static str = "annotation/duplicate-param";

    /// An error at `offset`, in characters; a length of 0 is taken as 1.
    pub(super) fn new(
        code: &'static str,
        offset: usize,
        length: usize,
        message: impl Into<String>,
    ) -> Self {
        Self { code, offset, length: length.max(1), message: message.into(), help: None }
    }

    /// Adds what to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem as a diagnostic for the feature's author, where the text that was given starts
    /// at `line` and `column` of its file (both from 1, in characters).
    pub fn to_diagnostic(&self, line: usize, column: usize) -> Diagnostic {
        let span = Span::new(line, column.saturating_add(self.offset), self.length);
        let diagnostic = Diagnostic::author(self.code, self.message.clone()).at(span, "");
        match &self.help {
            Some(help) => diagnostic.help(help.clone()),
            None => diagnostic,
        }
    }
}
