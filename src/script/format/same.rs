//! What a script means, as far as laying it out must not change it.

use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureSource;
use crate::limit::Limit;
use crate::script::annotation;
use crate::script::parse::{self, Abort, DocLine};
use crate::script::source::SourceFile;
use std::path::PathBuf;
use std::sync::Arc;

use super::scan::{Kind, scan};

/// Everything that is compared.
#[derive(Debug, PartialEq)]
pub(super) struct Meaning {
    /// The tokens of the parser, comments left out.
    tokens: Vec<String>,
    /// What the annotations declare, and the codes of what is wrong with them.
    declared: Vec<String>,
    /// Every doc comment, word by word.
    documented: Vec<String>,
    /// Every other comment.
    comments: Vec<String>,
}

impl Meaning {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// It cannot be parsed.
    pub fn of(name: &str, text: &str, abort: &Abort) -> Result<Self, Box<Diagnostic>> {
        let path = PathBuf::from(name);
        let file = SourceFile { name: name.to_owned(), path: path.clone(), text: text.into() };
        let mut problems = Vec::new();
        let parsed = parse::parse(&Arc::new(file), abort, &mut problems);
        if parsed.ast.is_none() {
            let error = problems.into_iter().find(Diagnostic::is_error);
            return Err(error
                .unwrap_or_else(|| {
                    Diagnostic::author(Limit::Source.code(), "the script cannot be parsed")
                })
                .into());
        }
        let read = annotation::read(&parsed, &path, FeatureSource::User, &mut problems);
        let mut declared = vec![format!("{:?}", read.descriptor)];
        let all = read.contributions;
        declared.extend(all.tools.iter().map(|tool| format!("{:?}", tool.declaration)));
        declared.extend(all.hooks.iter().map(|hook| format!("{:?}", hook.declaration)));
        declared.extend(all.tests.iter().map(|test| test.function.clone()));
        declared.extend(problems.iter().map(|problem| problem.code.to_string()));
        let mut documented = vec![words(&parsed.head)];
        for function in &parsed.functions {
            documented.push(words(&function.docs));
        }
        let comments = scan(text).unwrap_or_default();
        let comments = comments.iter().flat_map(|line| &line.pieces).filter(|piece| {
            piece.kind == Kind::BlockComment
                || piece.kind == Kind::LineComment && !is_doc(piece.text)
        });
        Ok(Self {
            tokens: parse::tokens(text),
            declared,
            documented,
            comments: comments.map(|piece| piece.text.to_owned()).collect(),
        })
    }
}

/// Whether a comment is one that annotations are read from.
pub(super) fn is_doc(comment: &str) -> bool {
    comment.starts_with("//!") || comment.starts_with("///") && !comment.starts_with("////")
}

/// The words of a doc comment. A dash between a tag and its description goes where that moves down.
fn words(lines: &[DocLine]) -> String {
    let words = lines.iter().flat_map(|line| line.text.split_whitespace());
    words.filter(|word| !super::doc::DASHES.contains(word)).collect::<Vec<_>>().join(" ")
}
