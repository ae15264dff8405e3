//! Annotations: doc comments become the descriptor.
//!
//! `docs/annotations.md` holds the grammar; its examples are the tests. Every problem is found in
//! one pass and points at the column inside the comment. Nothing here looks at code beyond names
//! of functions and parameters.

mod file;
mod function;
mod known_tags;
mod parameter;
mod tag;
mod value;

use super::parse::ParsedFile;
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::feature::descriptor::{FeatureDescriptor, HookDeclaration, ToolDeclaration};
use crate::feature::id::FeatureSource;
use crate::limit::Limit;
use std::path::Path;
use tag::{Comment, Tag, clip};
use value::Refused;

/// What the main file of a feature declares. Nothing in it is known to work yet.
pub(crate) struct Declared {
    /// The head, without tools and hooks.
    pub descriptor: FeatureDescriptor,
    /// Where each request of the descriptor stands.
    pub request_spans: Vec<Span>,
    /// The contributions, in source order.
    pub contributions: Contributions,
}

/// Tools, hooks and tests, each with the function behind it.
#[derive(Default)]
pub(crate) struct Contributions {
    /// The tools.
    pub tools: Vec<Contribution<ToolDeclaration>>,
    /// The hooks.
    pub hooks: Vec<Contribution<HookDeclaration>>,
    /// The tests.
    pub tests: Vec<Contribution<()>>,
}

/// Something that a function stands behind.
pub(crate) struct Contribution<T> {
    /// What is declared.
    pub declaration: T,
    /// The function's name.
    pub function: String,
    /// Its parameters, as the script writes them.
    pub parameters: Vec<String>,
    /// Where its name stands.
    pub span: Span,
}

/// Reads the annotations of the main file. A feature without a usable name gets a stand-in, and an
/// error is among the problems.
pub(crate) fn read(
    parsed: &ParsedFile,
    path: &Path,
    source: FeatureSource,
    problems: &mut Vec<Diagnostic>,
) -> Declared {
    let mut found = Vec::new();
    let head = file::read(&parsed.head, path, source, &mut found);
    let mut contributions = Contributions::default();
    for function in &parsed.functions {
        function::read(function, &mut contributions, &mut found);
    }
    add(problems, found, parsed);
    Declared { descriptor: head.descriptor, request_spans: head.request_spans, contributions }
}

/// Reads the annotations of an imported file: its tests, and nothing else of ours.
pub(crate) fn read_imported(
    parsed: &ParsedFile,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Contribution<()>> {
    let mut found = Vec::new();
    let mut contributions = Contributions::default();
    for tag in &Comment::parse(&parsed.head).tags {
        if known_tags::of_file(tag.name.text) || known_tags::of_function(tag.name.text) {
            found.push(imported(tag));
        }
    }
    for function in &parsed.functions {
        let comment = Comment::parse(&function.docs);
        let foreign = comment.tags.iter().find(|tag| {
            let name = tag.name.text;
            name != "test"
                && !known_tags::DOCUMENTING.contains(&name)
                && (known_tags::of_function(name) || known_tags::of_file(name))
        });
        match foreign {
            Some(tag) => found.push(imported(tag)),
            None => function::read(function, &mut contributions, &mut found),
        }
    }
    add(problems, found, parsed);
    contributions.tests
}

fn add(problems: &mut Vec<Diagnostic>, found: Vec<Diagnostic>, parsed: &ParsedFile) {
    let name = &parsed.file.name;
    problems.extend(found.into_iter().map(|problem| problem.in_file(name)));
}

fn imported(tag: &Tag<'_>) -> Diagnostic {
    Diagnostic::author(
        "annotation/imported",
        format!(
            "`@{}` stands in a file that is imported; only the main file declares",
            tag.name.text
        ),
    )
    .at(tag.span(), "")
    .help("move it to the main file, or write the text without `@`; `@test` may stay")
}

/// A note for a file that declares nothing; `None` when it offers something.
pub(crate) fn nothing_offered(declared: &Declared, parsed: &ParsedFile) -> Option<Diagnostic> {
    let Contributions { tools, hooks, tests } = &declared.contributions;
    if !(tools.is_empty() && hooks.is_empty() && tests.is_empty()) {
        return None;
    }
    let problem =
        Diagnostic::note("annotation/nothing-offered", "the file offers no tool, hook or test")
            .in_file(&parsed.file.name);
    if let Some((span, tag)) = plain_tag(&parsed.file.text) {
        let mut problem = problem.at(span, "two slashes begin a plain comment");
        problem.severity = Severity::Warning;
        return Some(problem.help(format!("write `/// {tag}`, with three slashes")));
    }
    Some(match parsed.functions.iter().find(|function| !function.private) {
        Some(function) => problem
            .at(function.place(), "")
            .help(format!("write `/// @tool` above `fn {}` to make it a tool", function.name)),
        None => {
            problem.at(Span::new(1, 1, 1), "").help("write a function with `/// @tool` above it")
        }
    })
}

/// The first tag of ours in a comment that is not read: `// @tool`.
fn plain_tag(text: &str) -> Option<(Span, &'static str)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let comment = line.trim_start().strip_prefix("//")?.trim_start();
        let tag = ["@tool", "@hook", "@test"].into_iter().find(|tag| {
            let rest = comment.strip_prefix(tag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })?;
        let column = line.chars().count() - line.trim_start().chars().count() + 1;
        Some((Span::new(index + 1, column, line.trim().chars().count()), tag))
    })
}

/// Text below a tag that is not indented, and so is lost.
fn stray(comment: &Comment<'_>) -> Option<Diagnostic> {
    let piece = comment.stray?;
    Some(
        Diagnostic::warning(
            "annotation/stray-text",
            "the line belongs to no tag and is not part of the description",
        )
        .at(piece.span(), "")
        .help(
            "indent it by two more spaces to describe the tag above, or move it before the first \
             tag to describe the whole",
        ),
    )
}

/// A tag that is not one of those that belong here: ours misspelt, or someone else's.
fn unknown(tag: &Tag<'_>, ours: &[&'static str]) -> Result<(), Refused> {
    match known_tags::meant(tag.name.text, ours) {
        None => Ok(()),
        Some(near) => Err(Box::new(
            Diagnostic::warning(
                "annotation/unknown-tag",
                format!("`@{}` is not a tag of peasy, and has no effect", clip(tag.name.text)),
            )
            .at(tag.span(), "")
            .help(format!("did you mean `@{near}`?")),
        )),
    }
}

fn title(tag: &Tag<'_>) -> Result<String, Refused> {
    const MOST: usize = 120;
    let given = tag.text;
    if given.is_empty() || given.text.chars().count() > MOST {
        let place = if given.is_empty() { tag.span() } else { given.span() };
        return Err(Box::new(
            Diagnostic::author(
                "annotation/title",
                format!("`@title` takes 1 to {MOST} characters on its line"),
            )
            .at(place, "")
            .help("write `@title Word count`"),
        ));
    }
    Ok(given.text.to_owned())
}

fn add_limit(
    limits: &mut Vec<(Limit, u64)>,
    limit: Limit,
    value: u64,
    tag: &Tag<'_>,
) -> Result<(), Refused> {
    if limits.iter().any(|&(other, _)| other == limit) {
        return Err(Box::new(file::duplicate(tag, &format!("limit {limit}"))));
    }
    limits.push((limit, value));
    Ok(())
}
