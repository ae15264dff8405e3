//! What stands behind single tags: bounds with units, hints, examples.

use super::tag::{Piece, Tag, clip};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::descriptor::{Example, ToolHints};
use crate::feature::hook_event::EventShape;
use crate::feature::schema::{TypeError, parse_value_prefix};
use crate::limit::{Limit, UNITS};
use crate::script::parse::Function;
use serde_json::Value;

/// A diagnostic that stopped the reading of one tag.
pub(super) type Refused = Box<Diagnostic>;

fn refuse(code: &'static str, message: String, place: Piece<'_>) -> Diagnostic {
    Diagnostic::author(code, message).at(place.span(), "")
}

/// The diagnostic of a type error in a text that starts at `place`.
pub(super) fn type_error(error: &TypeError, place: Piece<'_>) -> Diagnostic {
    error.to_diagnostic(place.line as usize, place.column as usize)
}

/// `NAME VALUE` of `@limit`.
pub(super) fn limit(tag: &Tag<'_>) -> Result<(Limit, u64), Refused> {
    const CODE: &str = "annotation/limit";
    let (name, rest) = tag.text.word();
    if name.is_empty() {
        return Err(Box::new(
            Diagnostic::author(CODE, "`@limit` takes the name of a bound and a value")
                .at(tag.span(), "")
                .help("write `@limit time 500ms`"),
        ));
    }
    let Some(limit) = Limit::by_name(name.text) else {
        let names = || Limit::all().map(Limit::name);
        let near = nearest(name.text, names()).map(str::to_owned);
        let help = near.map_or_else(
            || {
                format!(
                    "the bounds are {}",
                    names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
                )
            },
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("`{}` is not a bound", clip(name.text));
        return Err(Box::new(refuse(CODE, message, name).help(help)));
    };
    if matches!(limit, Limit::Source | Limit::Descriptor | Limit::Diagnostics) {
        let message =
            format!("`{limit}` bounds the reading of the file, and a file cannot move it");
        let help = "leave the line out; only the user sets this bound, with `--limit`";
        return Err(Box::new(refuse(CODE, message, name).help(help)));
    }
    if matches!(limit, Limit::EventTime | Limit::EventOperations | Limit::Again) {
        let message = format!("`{limit}` bounds the hooks of all features together");
        let help = "leave the line out, or lower `time` or `operations` for this hook";
        return Err(Box::new(refuse(CODE, message, name).help(help)));
    }
    let (given, rest) = value_and_unit(rest);
    let Ok(value) = limit.parse_value(given.text) else {
        let help = match limit.unit() {
            "bytes" => {
                format!("write `@limit {limit} 16MiB`, with `KiB`, `MiB` or no unit for bytes")
            }
            "ms" => format!("write `@limit {limit} 500ms`, with `ms`, `s` or `min`"),
            unit => format!("write `@limit {limit} 10_000`, a number of {unit}"),
        };
        let message = match given.is_empty() {
            true => format!("`@limit {limit}` has no value"),
            false => format!("`{}` is not a value of `{limit}`", clip(given.text)),
        };
        let place = if given.is_empty() { name } else { given };
        return Err(Box::new(refuse(CODE, message, place).help(help)));
    };
    let most = limit.default_value();
    if value == 0 || value > most {
        let message = match value {
            0 => format!("`{limit}` cannot be 0; every call is bounded"),
            _ => format!(
                "`{limit} {}` is above {most} {}; a feature lowers its bounds, and only the user \
                 raises one",
                given.text,
                limit.unit()
            ),
        };
        let help = format!("write a value from 1 to {most}, or leave the line out");
        return Err(Box::new(refuse(CODE, message, given).help(help)));
    }
    tag.description(rest)?;
    Ok((limit, value))
}

/// The value, with a unit that may stand apart from it.
fn value_and_unit(rest: Piece<'_>) -> (Piece<'_>, Piece<'_>) {
    let (value, after) = rest.word();
    let (unit, last) = after.word();
    let is_number = !value.is_empty() && value.text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if is_number && UNITS.iter().any(|(name, ..)| unit.text.eq_ignore_ascii_case(name)) {
        let whole = rest.trim();
        let end = whole.text.len() - after.text.len() + unit.text.len();
        return (Piece { text: &whole.text[..end], ..whole }, last);
    }
    (value, after)
}

const HINTS: [&str; 4] = ["read_only", "destructive", "idempotent", "open_world"];

/// The words of `@hint`.
pub(super) fn hints(tag: &Tag<'_>, hints: &mut ToolHints) -> Result<(), Refused> {
    const CODE: &str = "annotation/hint";
    let mut rest = tag.text;
    if rest.is_empty() {
        return Err(Box::new(
            Diagnostic::author(CODE, "`@hint` names no hint")
                .at(tag.span(), "")
                .help("write `@hint read_only`, `destructive`, `idempotent` or `open_world`"),
        ));
    }
    while !rest.is_empty() {
        let (word, after) = rest.word();
        if word.text == "-" {
            break;
        }
        rest = after;
        for name in word.text.split([',', '|']).filter(|name| !name.is_empty()) {
            match name {
                "read_only" => hints.read_only = true,
                "destructive" => hints.destructive = true,
                "idempotent" => hints.idempotent = true,
                "open_world" => hints.open_world = true,
                other => return Err(Box::new(unknown_hint(other, word))),
            }
        }
    }
    if hints.read_only && hints.destructive {
        return Err(Box::new(
            refuse(CODE, "a tool cannot be both `read_only` and `destructive`".into(), tag.text)
                .help("keep the one that is true"),
        ));
    }
    Ok(())
}

/// `@asks` stands alone.
pub(super) fn asks(tag: &Tag<'_>) -> Result<(), Refused> {
    tag.description(tag.text).map(drop)
}

/// `@event shell program arguments`: what an event of the tool's calls is about, and which arguments say
/// it.
pub(super) fn event(tag: &Tag<'_>, function: &Function) -> Result<EventShape, Refused> {
    const CODE: &str = "annotation/event";
    let (kind, mut rest) = tag.text.word();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (word, after) = rest.word();
        if word.text == "-" {
            break;
        }
        let is_parameter = |name: &&String| name.trim_end_matches('_') == word.text;
        if !function.parameters.iter().any(|name| is_parameter(&name)) {
            let message = format!("`{}` is no parameter of `{}`", clip(word.text), function.name);
            let problem = refuse(CODE, message, word);
            let parameters = function.parameters.iter().map(|name| format!("`{name}`"));
            let all: Vec<_> = parameters.collect();
            return Err(Box::new(problem.help(format!("it has {}", all.join(", ")))));
        }
        names.push(word.text);
        rest = after;
    }
    match (kind.text, names.as_slice()) {
        ("shell", [_, ..]) => Ok(EventShape::shell(names)),
        ("file", [_, ..]) => Ok(EventShape::file(names)),
        ("fetch", [url]) => Ok(EventShape::fetch(url)),
        (given, _) => {
            let message = format!("`@event {}` does not say what a call is about", clip(given));
            let place = if kind.is_empty() { tag.text } else { kind };
            Err(Box::new(refuse(CODE, message, place).help(
                "write `@event shell ARGUMENT…`, `@event file ARGUMENT…` or `@event fetch ARGUMENT`",
            )))
        }
    }
}

fn unknown_hint(name: &str, place: Piece<'_>) -> Diagnostic {
    let snake = name
        .trim_end_matches("Hint")
        .chars()
        .flat_map(
            |c| if c.is_ascii_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] },
        )
        .collect::<String>()
        .replace('-', "_");
    let near = HINTS.into_iter().find(|hint| *hint == snake).or_else(|| nearest(&snake, HINTS));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the hints are `read_only`, `destructive`, `idempotent` and `open_world`".into(),
    };
    refuse("annotation/hint", format!("`{}` is not a hint", clip(name)), place).help(help)
}

/// An example as written: its data, and where its parts stand for what is checked later.
pub(super) struct Written<'a> {
    pub example: Example,
    pub arguments: Piece<'a>,
    pub result: Piece<'a>,
}

/// `ARGS [=> RESULT]` of `@example`. Where the line alone is incomplete, the indented lines below
/// belong to it.
pub(super) fn example<'a>(tag: &Tag<'a>) -> Result<Written<'a>, Refused> {
    if tag.text.is_empty() && tag.below.is_empty() {
        return Err(Box::new(
            Diagnostic::author("annotation/example", "`@example` shows no arguments")
                .at(tag.span(), "")
                .help("write them as JSON: `@example { \"text\": \"a b\" } => 2`"),
        ));
    }
    match read_example(tag.text, tag.text) {
        Ok(written) => Ok(written),
        Err(_) if !tag.below.is_empty() => {
            let joined = format!("{}\n{}", tag.text.text, tag.below);
            let whole = Piece { text: &joined, ..tag.text };
            match read_example(whole, tag.text) {
                Ok(written) => Ok(written),
                // Columns of a joined text say nothing; the line itself is what can be shown.
                Err(error) => {
                    Err(Box::new(Diagnostic { labels: vec![], ..*error }.at(tag.span(), "")))
                }
            }
        }
        Err(error) => Err(error),
    }
}

fn read_example<'a>(text: Piece<'_>, place: Piece<'a>) -> Result<Written<'a>, Refused> {
    let value = |piece: Piece<'_>| {
        parse_value_prefix(piece.text).map_err(|error| Box::new(type_error(&error, piece)))
    };
    let text = text.trim();
    let (arguments, taken) = value(text)?;
    let written = Piece { text: &text.text[..taken], ..text };
    let Value::Object(arguments) = arguments else {
        return Err(Box::new(
            refuse(
                "annotation/example",
                format!("`{}` is not the arguments of a call by name", clip(written.text)),
                written,
            )
            .help("write an object: `@example { \"text\": \"a b\" } => 2`"),
        ));
    };
    let rest = text.skip(taken).trim();
    let (result, shown) = match rest.text.strip_prefix("=>") {
        None if rest.is_empty() => (None, rest),
        None => {
            return Err(Box::new(
                refuse(
                    "annotation/example",
                    format!("`{}` follows the arguments", clip(rest.text)),
                    rest,
                )
                .help("write `=>` and the result, or nothing"),
            ));
        }
        Some(_) => {
            let after = rest.skip(2).trim();
            let (result, taken) = value(after)?;
            let left = after.skip(taken).trim();
            if !left.is_empty() {
                return Err(Box::new(
                    refuse(
                        "annotation/example",
                        format!("`{}` follows the result", clip(left.text)),
                        left,
                    )
                    .help("write one result and nothing after it"),
                ));
            }
            (Some(result), Piece { text: &after.text[..taken], ..after })
        }
    };
    // What was joined from several lines is shown where it begins.
    let within = |piece: Piece<'_>| {
        let offset = (piece.column.saturating_sub(place.column)) as usize;
        let start = place.text.char_indices().nth(offset).map_or(place.text.len(), |(at, _)| at);
        let left = place.skip(start);
        let end = left.text.char_indices().nth(piece.text.chars().count());
        Piece { text: end.map_or(left.text, |(end, _)| &left.text[..end]), ..left }
    };
    let example = Example { arguments, result, line: Some(place.line) };
    Ok(Written { example, arguments: within(written), result: within(shown) })
}
