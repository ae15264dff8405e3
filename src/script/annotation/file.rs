//! The head of a file: identity, requests, channels, bounds.

use super::tag::{Comment, Tag, clip};
use super::value::{self, Refused};
use super::{known_tags, stray, unknown};
use crate::diagnostic::{Diagnostic, Span};
use crate::feature::capability::Capability;
use crate::feature::descriptor::{
    CapabilityRequest, EventChannelDeclaration, FeatureDescriptor, FeatureRuntimeKind, Need,
};
use crate::feature::id::{FeatureId, FeatureName, FeatureSource};
use crate::script::parse::DocLine;
use std::path::Path;

/// What the head of a file declares, and where its requests stand.
pub(super) struct Head {
    pub descriptor: FeatureDescriptor,
    /// In the order of the descriptor's requests.
    pub request_spans: Vec<Span>,
}

/// Reads the head. A feature without a usable name gets a stand-in, and an error is among the
/// problems.
pub(super) fn read(
    lines: &[DocLine],
    path: &Path,
    source: FeatureSource,
    problems: &mut Vec<Diagnostic>,
) -> Head {
    let comment = Comment::parse(lines);
    problems.extend(stray(&comment));
    let mut name = None;
    let mut version = None;
    let mut named = false;
    for tag in comment.tags.iter().filter(|tag| tag.name.text == "feature") {
        if named {
            problems.push(duplicate(tag, "feature"));
            continue;
        }
        named = true;
        match feature(tag) {
            Ok((given, given_version)) => (name, version) = (Some(given), given_version),
            Err(problem) => problems.push(*problem),
        }
    }
    if !named {
        name = match name_of_path(path) {
            Ok(name) => Some(name),
            Err(problem) => {
                problems.push(*problem);
                None
            }
        };
    }
    // The other tags are checked even where the name is missing: one pass finds everything.
    let name = name.unwrap_or_else(|| "unnamed".parse().expect("a plain word is a feature name"));
    let id = FeatureId::new(source, name);
    let runtime = match id.source() {
        FeatureSource::Builtin => FeatureRuntimeKind::Builtin,
        _ => FeatureRuntimeKind::Script,
    };
    let mut descriptor = FeatureDescriptor::new(id, runtime);
    descriptor.version = version;
    descriptor.description = comment.description.clone();
    let mut head = Head { descriptor, request_spans: Vec::new() };
    let mut titled = false;
    for tag in &comment.tags {
        if tag.name.text == "title" && std::mem::replace(&mut titled, true) {
            problems.push(duplicate(tag, "title"));
        } else if let Err(problem) = head.tag(tag) {
            problems.push(*problem);
        }
    }
    head
}

pub(super) fn duplicate(tag: &Tag<'_>, name: &str) -> Diagnostic {
    Diagnostic::author("annotation/duplicate-tag", format!("`@{name}` is given twice"))
        .at(tag.span(), "")
        .help("keep one of them")
}

fn feature(tag: &Tag<'_>) -> Result<(FeatureName, Option<String>), Refused> {
    let (name, rest) = tag.text.word();
    if name.is_empty() {
        return Err(Box::new(
            Diagnostic::author("annotation/feature", "`@feature` has no name")
                .at(tag.span(), "")
                .help("write `@feature word-count`; without the line, the file's name is used"),
        ));
    }
    let parsed: FeatureName = name.text.parse().map_err(|_| {
        let better = kebab(name.text);
        let problem = Diagnostic::author(
            "annotation/feature",
            format!(
                "`{}` is not a feature name: 1 to 64 of `a-z 0-9 -`, beginning with a letter",
                clip(name.text)
            ),
        )
        .at(name.span(), "");
        Box::new(match better.parse::<FeatureName>() {
            Ok(better) => problem.help(format!("write `@feature {better}`")),
            Err(_) => problem.help("write a name as in `@feature word-count`"),
        })
    })?;
    if rest.text.starts_with("- ") || rest.is_empty() {
        tag.description(rest)?;
        return Ok((parsed, None));
    }
    let (version, rest) = rest.word();
    if version.text.len() > 64 || !version.text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Box::new(
            Diagnostic::author(
                "annotation/feature",
                format!("`{}` is not a version", clip(version.text)),
            )
            .at(version.span(), "")
            .help(format!("write `@feature {parsed} 1.0.0`, or leave the version out")),
        ));
    }
    tag.description(rest)?;
    Ok((parsed, Some(version.text.to_owned())))
}

/// `word_count.rhai` → `word-count`; `main.rhai` is named by its folder.
fn name_of_path(path: &Path) -> Result<FeatureName, Refused> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = || {
        let folder = path.parent()?;
        let whole = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let whole =
            if whole.file_name().is_none() { whole.canonicalize().ok()? } else { whole.into() };
        Some(whole.file_name()?.to_str()?.to_owned())
    };
    let plain = if stem == "main" { folder().unwrap_or_default() } else { stem.to_owned() };
    kebab(&plain).parse().map_err(|_| {
        Diagnostic::author(
            "annotation/feature",
            format!("no feature name can be made of `{}`", clip(&plain)),
        )
        .at(Span::new(1, 1, 1), "")
        .help("write one at the head of the file: `//! @feature word-count`")
        .into()
    })
}

fn kebab(text: &str) -> String {
    let mut name = String::new();
    let mut previous = ' ';
    for c in text.chars() {
        if c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit()) {
            name.push('-');
        }
        previous = c;
        match c {
            '_' | '-' | ' ' | '.' => name.push('-'),
            other => name.extend(other.to_lowercase()),
        }
    }
    name.trim_matches('-').to_owned()
}

impl Head {
    fn tag(&mut self, tag: &Tag<'_>) -> Result<(), Refused> {
        match tag.name.text {
            "feature" => Ok(()),
            "title" => {
                self.descriptor.title = super::title(tag)?;
                Ok(())
            }
            "request" => self.request(tag, Need::Required),
            "request?" => self.request(tag, Need::Optional),
            "channel" => self.channel(tag),
            "limit" => {
                let (limit, value) = value::limit(tag)?;
                super::add_limit(&mut self.descriptor.limits, limit, value, tag)
            }
            name if known_tags::of_function(name) => Err(Box::new(
                Diagnostic::author(
                    "annotation/misplaced-tag",
                    format!("`@{name}` describes a function, and stands at the head of the file"),
                )
                .at(tag.span(), "")
                .help(format!("write `/// @{name}` above the `fn` that it is about")),
            )),
            _ => unknown(tag, &known_tags::FILE),
        }
    }

    fn request(&mut self, tag: &Tag<'_>, need: Need) -> Result<(), Refused> {
        let (given, rest) = tag.text.word();
        if given.is_empty() {
            return Err(Box::new(
                Diagnostic::author(
                    "capability/malformed",
                    format!("`@{}` names no capability", tag.name.text),
                )
                .at(tag.span(), "")
                .help("write `@request store`, and below it, indented, what for"),
            ));
        }
        let capability = match self.descriptor.id.source() {
            FeatureSource::Builtin => given.text.parse(),
            _ => Capability::with_scope(given.text),
        };
        let capability =
            capability.map_err(|error| Box::new(error.diagnostic().at(given.span(), "")))?;
        let requests = &mut self.descriptor.requests;
        if requests.iter().any(|request| request.capability == capability) {
            return Err(Box::new(
                Diagnostic::author(
                    "annotation/duplicate-tag",
                    format!("`{capability}` is requested twice"),
                )
                .at(given.span(), "")
                .help("keep one of them: `@request` if nothing works without it, else `@request?`"),
            ));
        }
        let reason = tag.description(rest)?;
        requests.push(CapabilityRequest { capability, need, reason });
        self.request_spans.push(given.span());
        Ok(())
    }

    fn channel(&mut self, tag: &Tag<'_>) -> Result<(), Refused> {
        const CODE: &str = "annotation/channel";
        let (given, rest) = tag.text.word();
        let name: crate::feature::id::ChannelName = given.text.parse().map_err(|_| {
            let place = if given.is_empty() { tag.span() } else { given.span() };
            let better = kebab(given.text);
            let better = if better.is_empty() { "work-item".to_owned() } else { better };
            Box::new(
                Diagnostic::author(
                    CODE,
                    format!(
                        "`{}` is not a channel name: 1 to 64 of `a-z 0-9 -`, beginning with a letter",
                        clip(given.text)
                    ),
                )
                .at(place, "")
                .help(format!("write `@channel {better}`")),
            )
        })?;
        let channels = &mut self.descriptor.channels;
        if channels.iter().any(|channel| channel.name == name) {
            return Err(Box::new(duplicate(tag, &format!("channel {name}"))));
        }
        let description = tag.description(rest)?;
        channels.push(EventChannelDeclaration { name, description });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_files_and_folders() {
        let name = |path: &str| name_of_path(Path::new(path)).map(|name| name.to_string()).ok();
        assert_eq!(name("a/word_count.rhai").as_deref(), Some("word-count"));
        assert_eq!(name("a/wordCount.rhai").as_deref(), Some("word-count"));
        assert_eq!(name("a/Word Count/main.rhai").as_deref(), Some("word-count"));
        assert_eq!(name("a/42.rhai"), None);
        assert_eq!(name("a/ärger.rhai"), None);
    }
}
