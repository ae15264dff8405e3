//! `@param` lines, gathered and put in the order of the function's parameters.

use super::tag::{Piece, Tag, clip};
use super::value::{Refused, type_error};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::schema::{Parameters, Type, parse_default_prefix};
use crate::script::parse::Function;
use serde_json::Value;

/// One `@param` line.
struct Line<'a> {
    path: Piece<'a>,
    kind: Type,
    default: Option<Value>,
    description: String,
}

impl Line<'_> {
    /// The parameter that the path starts at.
    fn root(&self) -> &str {
        root(self.path.text)
    }
}

fn root(path: &str) -> &str {
    path.split(['.', '[', '{']).next().unwrap_or(path)
}

/// The `@param` lines of one function.
#[derive(Default)]
pub(super) struct Lines<'a> {
    lines: Vec<Line<'a>>,
    /// Parameters whose line was refused; they are not untyped.
    refused: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    /// `PATH TYPE [= DEFAULT]`
    pub fn read(&mut self, tag: &Tag<'a>, function: &Function) -> Result<(), Refused> {
        let (path, rest) = tag.text.word();
        if path.is_empty() {
            return Err(refuse(
                tag.name,
                "`@param` names no parameter",
                "write `@param text string`",
            ));
        }
        if path.text.starts_with('{') {
            return Err(refuse(
                tag.text,
                "`@param` takes the name first and the type after it, without braces",
                "write `@param text string`",
            ));
        }
        let parsed = self.parse(tag, path, rest, function);
        if parsed.is_err() {
            self.refused.push(root(path.text.trim_end_matches(':')));
        }
        self.lines.push(parsed?);
        Ok(())
    }

    fn parse(
        &self,
        tag: &Tag<'a>,
        path: Piece<'a>,
        rest: Piece<'a>,
        function: &Function,
    ) -> Result<Line<'a>, Refused> {
        if let Some(bare) = path.text.strip_suffix(':') {
            return Err(refuse(
                path,
                "no `:` stands between a parameter and its type",
                &format!("write `@param {bare} {}`", clip(rest.text)),
            ));
        }
        check_name(path, function)?;
        if rest.is_empty() || rest.text.starts_with("- ") {
            return Err(refuse(
                path,
                &format!("`@param {}` has no type", path.text),
                &format!("write `@param {} string`, or `any`", path.text),
            ));
        }
        let (kind, taken) = Type::parse_param_prefix(rest.text)
            .map_err(|error| Box::new(type_error(&error, rest)))?;
        let mut rest = rest.skip(taken).trim();
        let mut default = None;
        if rest.text.starts_with('=') {
            let given = rest.skip(1).trim();
            let (value, taken) = parse_default_prefix(given.text, &kind)
                .map_err(|error| Box::new(type_error(&error, given)))?;
            default = Some(value);
            rest = given.skip(taken).trim();
        }
        let description = tag.description(rest)?;
        Ok(Line { path, kind, default, description })
    }

    /// Adds the lines to the parameters in the order of the function. Parameters without a line
    /// take anything. Says whether all lines were sound.
    pub fn build(
        self,
        function: &Function,
        parameters: &mut Parameters,
        problems: &mut Vec<Diagnostic>,
    ) -> bool {
        let before = problems.iter().filter(|problem| problem.is_error()).count();
        let mut lines = self.lines;
        let mut untyped = Vec::new();
        for name in &function.parameters {
            let (own, others): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| line.root() == name);
            lines = others;
            if own.is_empty() {
                if !self.refused.contains(&name.as_str()) {
                    untyped.push(name.as_str());
                }
                if let Err(error) = parameters.add(name, Type::Any, None, "") {
                    let span = function.place();
                    problems.push(error.to_diagnostic(span.line as usize, span.column as usize));
                }
            }
            for line in own {
                let place = line.path;
                if let Err(error) =
                    parameters.add(place.text, line.kind, line.default, line.description)
                {
                    problems.push(type_error(&error, place));
                }
            }
        }
        if let Err(error) = parameters.finish() {
            let span = function.place();
            problems.push(error.to_diagnostic(span.line as usize, span.column as usize));
        }
        if !untyped.is_empty() {
            problems.push(untyped_note(&untyped, function));
        }
        before == problems.iter().filter(|problem| problem.is_error()).count()
            && self.refused.is_empty()
    }
}

fn check_name(path: Piece<'_>, function: &Function) -> Result<(), Refused> {
    let name = root(path.text);
    if function.parameters.iter().any(|parameter| parameter == name) {
        return Ok(());
    }
    let place = Piece { text: name, ..path };
    let escaped = format!("{name}_");
    let names = function.parameters.iter().map(String::as_str);
    let near = names.clone().find(|known| *known == escaped).or_else(|| nearest(name, names));
    let list: Vec<String> = function.parameters.iter().map(|name| format!("`{name}`")).collect();
    let help = match near {
        Some(near) => format!("did you mean `@param {near}`?"),
        None if list.is_empty() => format!("`fn {}` takes no parameters", function.name),
        None => format!("its parameters are {}", list.join(", ")),
    };
    Err(Box::new(
        Diagnostic::author(
            "annotation/unknown-param",
            format!("`fn {}` has no parameter `{}`", function.name, clip(name)),
        )
        .at(place.span(), "")
        .help(help),
    ))
}

fn refuse(place: Piece<'_>, message: &str, help: &str) -> Refused {
    Box::new(Diagnostic::author("annotation/param", message).at(place.span(), "").help(help))
}

fn untyped_note(untyped: &[&str], function: &Function) -> Diagnostic {
    let names: Vec<String> = untyped.iter().map(|name| format!("`{name}`")).collect();
    let (verb, take) = if untyped.len() == 1 { ("has", "takes") } else { ("have", "take") };
    Diagnostic::note(
        "annotation/untyped",
        format!("{} {verb} no `@param`, and {take} any value", names.join(", ")),
    )
    .at(function.place(), "")
    .help(format!("write `/// @param {} string`, or another type", untyped[0]))
}
