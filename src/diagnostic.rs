//! One problem as plain data, and the one renderer that turns it into terminal text.
//!
//! MCP, the language server and `--json` show the same data. Nothing here decides what to do about
//! a problem; [`Blame`] says whose turn it is.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Note,
    /// Works, and is probably not what was meant.
    Warning,
    /// Does not work.
    Error,
}

/// Who must act. Exit codes, MCP codes and log levels follow from this one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// Whoever made the call: wrong arguments, a `fail("…")`.
    Caller,
    /// Whoever wrote the feature.
    Author,
    /// Whoever runs the host: configuration, grants, files.
    Operator,
    /// We: a defect of peasy.
    Host,
}

/// A piece of one line of a source file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The line, from 1.
    pub line: u32,
    /// The first column, from 1, in characters.
    pub column: u32,
    /// The length in characters, at least 1.
    pub length: u32,
}

impl Span {
    /// A span of `length` characters; a length of 0 is taken as 1.
    pub fn new(line: usize, column: usize, length: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Self { line: narrow(line), column: narrow(column), length: narrow(length) }
    }
}

/// A span and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What to say there; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, such as `grant/http`; `docs/diagnostics/` explains each.
    pub code: Cow<'static, str>,
    /// Who must act.
    pub blame: Blame,
    /// What was given and what is wrong with it, in one sentence without a full stop.
    pub message: String,
    /// The file the labels point into, as a person would name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Places in that file; the first is the main one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// What to write or run instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A new problem without a place.
    pub fn new(
        severity: Severity,
        blame: Blame,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.into(),
            blame,
            message: message.into(),
            file: None,
            labels: Vec::new(),
            help: Vec::new(),
        }
    }

    /// An error that the feature's author must mend.
    pub fn author(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Blame::Author, code, message)
    }

    /// An error of whoever made the call.
    pub fn caller(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Blame::Caller, code, message)
    }

    /// An error that whoever runs the host must mend.
    pub fn operator(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Blame::Operator, code, message)
    }

    /// A defect of ours.
    pub fn host(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Blame::Host, code, message)
    }

    /// A warning to the feature's author.
    pub fn warning(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Blame::Author, code, message)
    }

    /// A note to the feature's author.
    pub fn note(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Blame::Author, code, message)
    }

    /// Names the file the labels point into.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Whether it is a problem of the moment, for want of threads or processes, which says nothing of
    /// what was asked.
    pub fn is_passing(&self) -> bool {
        ["call/busy", "host/no-thread", "host/no-process"].contains(&&*self.code)
    }

    /// Whether it stops the feature from working.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `error[code]: message`, with file, line and column where known.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(label) = self.labels.first() {
                write!(f, "{}:{}:", label.span.line, label.span.column)?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Whether rendered text carries ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escape sequences.
    Always,
}

/// Renders a labelled picture of the problem.
///
/// `source` is the text of the file that the labels point into; without it, or where a label lies
/// outside of it, the place is named in words instead. Tabs and control characters in the source
/// are shown as spaces, so that untrusted text cannot drive the terminal.
pub fn render(diagnostic: &Diagnostic, source: Option<&str>, colour: Colour) -> String {
    use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = printable(&diagnostic.message);
    let file = diagnostic.file.as_deref().map(printable);
    let shown = source.map(printable_source);
    let located: Vec<_> = shown
        .iter()
        .flat_map(|text| {
            diagnostic
                .labels
                .iter()
                .filter_map(|label| Some((byte_range(text, label.span)?, printable(&label.text))))
        })
        .collect();
    let mut help: Vec<String> = diagnostic.help.iter().map(|text| printable(text)).collect();
    if located.is_empty()
        && let Some(file) = &file
    {
        let place = diagnostic.labels.first().map_or_else(
            || file.clone(),
            |label| format!("{file}:{}:{}", label.span.line, label.span.column),
        );
        help.insert(0, format!("in {place}"));
    }

    let mut group = level
        .primary_title(&*message)
        .id(&*diagnostic.code)
        .elements(std::iter::empty::<annotate_snippets::Element<'_>>());
    if let (Some(text), false) = (&shown, located.is_empty()) {
        let mut snippet = Snippet::source(text.as_str()).path(file.as_deref()).fold(true);
        for (index, (range, label)) in located.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(range.clone());
            snippet = snippet.annotation(if label.is_empty() {
                annotation
            } else {
                annotation.label(label.as_str())
            });
        }
        group = group.element(snippet);
    }
    for (index, text) in help.iter().enumerate() {
        let level = if index == 0 && located.is_empty() && file.is_some() {
            Level::NOTE
        } else {
            Level::HELP
        };
        group = group.element(level.message(text.as_str()));
    }
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    renderer.render(&[group])
}

/// Replaces what could move a terminal's cursor or hide text: control and bidirectional characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { printable_char(c) }).collect()
}

/// `text` as one word of a POSIX shell, for commands that a person may copy.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+=.,/:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn printable_source(text: &str) -> String {
    printable(&text.replace("\r\n", "\n"))
}

fn printable_char(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Whether a character shows nothing itself: controls, marks of direction, and what has no width. Text
/// may need some of them; a name that a person reads before allowing something may not.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The bytes of `span`, clipped to its line; `None` when the line does not exist.
fn byte_range(text: &str, span: Span) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        if index + 1 == span.line as usize {
            let offset = |column: usize| {
                line.char_indices().nth(column).map_or(line.len(), |(byte, _)| byte)
            };
            let first = span.column as usize - 1;
            let (from, to) = (offset(first), offset(first + span.length as usize));
            return Some(start + from..start + to);
        }
        start += line.len() + 1;
    }
    None
}

/// The closest of `candidates` to `given`, if any is close enough to be a slip of the finger.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match given.chars().count() {
        0..=4 => 1,
        5..=7 => 2,
        _ => 3,
    };
    // Whoever slips more than once still begins right.
    let first = given.chars().next();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(given, candidate), candidate))
        .filter(|&(distance, candidate)| {
            let is_cut_short = given.len() >= 3 && candidate.starts_with(given);
            distance <= allowed + usize::from(is_cut_short)
                && distance < candidate.chars().count()
                && (distance <= 1 || first == candidate.chars().next())
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_points_at_the_column() {
        let source = "fn f() {\n    let page = http::get(\"x\");\n}\n";
        let diagnostic = Diagnostic::author("grant/http", "this feature may not reach `x`")
            .in_file("weather.rhai")
            .at(Span::new(2, 16, 9), "")
            .help("allow it with `peasy grant weather http=x`");
        insta::assert_snapshot!(render(&diagnostic, Some(source), Colour::Never), @r#"
        error[grant/http]: this feature may not reach `x`
         --> weather.rhai:2:16
          |
        2 |     let page = http::get("x");
          |                ^^^^^^^^^
          |
          = help: allow it with `peasy grant weather http=x`
        "#);
    }

    #[test]
    fn a_label_outside_the_source_is_named_in_words() {
        let diagnostic = Diagnostic::author("source/parse", "broken")
            .in_file("a.rhai")
            .at(Span::new(9, 1, 1), "here");
        assert!(render(&diagnostic, Some("one line"), Colour::Never).contains("a.rhai:9:1"));
    }

    #[test]
    fn untrusted_text_cannot_drive_the_terminal() {
        let diagnostic = Diagnostic::caller("call/failed", "\u{1b}[2Jgone\u{202e}");
        let text = render(&diagnostic, None, Colour::Never);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn a_shell_takes_a_word_as_one() {
        for (text, word) in [
            ("a/b-c.rhai", "a/b-c.rhai"),
            ("notify:model", "notify:model"),
            ("text=größer", "text=größer"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("fs:read=src/**", "'fs:read=src/**'"),
            ("~", "'~'"),
            (r"a\b", r"'a\b'"),
        ] {
            assert_eq!(shell_word(text), word, "{text}");
        }
    }

    #[test]
    fn nearest_forgives_slips_only() {
        assert_eq!(nearest("parm", ["param", "returns"]), Some("param"));
        assert_eq!(nearest("see", ["param", "returns"]), None);
        assert_eq!(nearest("uniq", ["unique"]), Some("unique"));
        assert_eq!(nearest("lenght", ["length", "len"]), Some("length"));
        for (given, other) in
            [("str", "set"), ("csv", "ask"), ("iter", "filter"), ("fn_name", "name")]
        {
            assert_eq!(nearest(given, [other]), None, "{given} is no slip of {other}");
        }
    }
}
