//! Replacing matches, by a template or by what a function gives.

use super::search::{Place, Search};
use super::{Ruler, found};
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, a_type, output, refuse, text_of, unreadable};
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, prefix};
use rhai::{Dynamic, FnPtr, ImmutableString, NativeCallContext};

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text with every match replaced. In `to`, `$1` and `$name` or `${name}` stand for groups, \
             `$0` for the whole match and `$$` for a dollar sign; or it is a function that gets the match \
             as `captures` gives it.",
            "/// regex::replace(\"a1b2\", `\\d`, \"<$0>\") // => \"a<1>b<2>\"",
            "/// regex::replace(\"a1b2\", `\\d`, |m| m.text + m.text) // => \"a11b22\"",
        ])
        .function(
            "replace",
            ["text: string", "pattern: string", "to: string | Fn", "string"],
            replace,
        )
        .docs(&[
            "/// The text with the first match replaced.",
            "/// regex::replace_first(\"Ada Lovelace\", `(\\w+) (\\w+)`, \"$2, $1\") // => \"Lovelace, Ada\"",
        ])
        .function(
            "replace_first",
            ["text: string", "pattern: string", "to: string | Fn", "string"],
            replace_first,
        );
}

fn replace(
    context: NativeCallContext,
    text: ImmutableString,
    pattern: &str,
    to: Dynamic,
) -> Outcome<ImmutableString> {
    replace_up_to(&context, &text, pattern, to, usize::MAX)
}

fn replace_first(
    context: NativeCallContext,
    text: ImmutableString,
    pattern: &str,
    to: Dynamic,
) -> Outcome<ImmutableString> {
    replace_up_to(&context, &text, pattern, to, 1)
}

/// What stands in for a match.
enum To {
    Template(Vec<Part>, ImmutableString),
    Function(FnPtr),
}

/// A part of a template.
enum Part {
    Text(Place),
    Group(usize),
}

fn replace_up_to(
    context: &NativeCallContext,
    text: &ImmutableString,
    pattern: &str,
    to: Dynamic,
    times: usize,
) -> Outcome<ImmutableString> {
    let function = format!("regex::{}", context.fn_name());
    let mut search = Search::new(&function, pattern, text)?;
    let to = match Kind::of(&to) {
        Kind::Function => To::Function(to.try_cast().ok_or_else(|| unreadable("to"))?),
        Kind::Text | Kind::Char => {
            let template = text_of(&function, "to", &to)?;
            To::Template(parts(&function, &search, &template)?, template)
        }
        _ => {
            return Err(refuse(format!(
                "{function}: `to` is {}; write a text, such as \"<$0>\", or a function, such as \
                 |m| m.text.len().to_string()",
                a_type(&to)
            )));
        }
    };
    let (mut result, mut done, mut ruler) = (None, 0, Ruler::default());
    let mut pace = Pace::default();
    for _ in 0..times {
        let Some(place) = search.next()? else { break };
        let result = match &mut result {
            Some(result) => result,
            none => none.insert(output(text.len())?),
        };
        pace.write(result, &text[done..place.start])?;
        done = place.end;
        match &to {
            To::Template(parts, template) => {
                fill(&mut pace, result, &mut search, &place, parts, template)?;
            }
            To::Function(closure) => {
                let found = found(&mut search, place, &mut ruler)?;
                let given = closure.call_raw(context, None, [Dynamic::from_map(found)])?;
                let what = || format!("{function}: what the function gave");
                if !matches!(Kind::of(&given), Kind::Text | Kind::Char) {
                    return Err(refuse(format!(
                        "{} is {}; give a text, as with .to_string()",
                        what(),
                        a_type(&given)
                    )));
                }
                pace.write(result, &text_of(&function, "to", &given)?)?;
            }
        }
    }
    let Some(mut result) = result else { return Ok(text.clone()) };
    pace.write(&mut result, &text[done..])?;
    Ok(result.into())
}

fn fill(
    pace: &mut Pace,
    result: &mut String,
    search: &mut Search,
    place: &Place,
    parts: &[Part],
    template: &str,
) -> Outcome<()> {
    let is_plain = parts.iter().all(|part| !matches!(part, Part::Group(1..)));
    let groups = if is_plain { vec![Some(place.clone())] } else { search.groups(place)? };
    for part in parts {
        match part {
            Part::Text(piece) => pace.write(result, &template[piece.clone()])?,
            Part::Group(group) => {
                let group = groups.get(*group).cloned().flatten().unwrap_or_default();
                pace.write(result, &search.text()[group])?;
            }
        }
    }
    Ok(())
}

/// Takes a template apart.
fn parts(function: &str, search: &Search, template: &str) -> Outcome<Vec<Part>> {
    let (mut parts, mut done, mut pace) = (Vec::new(), 0, Pace::default());
    while let Some(at) = template[done..].find('$').map(|at| done + at) {
        pace.touch(at - done)?;
        if at > done {
            parts.push(Part::Text(done..at));
        }
        let rest = &template[at + 1..];
        if rest.starts_with('$') {
            parts.push(Part::Text(at..at + 1));
            done = at + 2;
            continue;
        }
        let (name, length) = match rest.strip_prefix('{') {
            Some(inner) => {
                let name = inner.split_once('}').map_or("", |(name, _)| name);
                (name, name.len() + 2)
            }
            None => {
                let name = bare_name(rest);
                (name, name.len())
            }
        };
        parts.push(Part::Group(group_of(function, search, name)?));
        done = at + 1 + length;
        pace.pay(4)?;
    }
    if done < template.len() {
        parts.push(Part::Text(done..template.len()));
    }
    Ok(parts)
}

/// The digits, or the name, that a text begins with.
fn bare_name(text: &str) -> &str {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if digits > 0 {
        return &text[..digits];
    }
    let name = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..name]
}

fn group_of(function: &str, search: &Search, name: &str) -> Outcome<usize> {
    let count = search.names().count();
    let group = match name.parse::<usize>() {
        Ok(group) => Some(group).filter(|group| *group < count),
        Err(_) => search.names().position(|known| known == Some(name)),
    };
    group.ok_or_else(|| {
        let shown = prefix(name, 40);
        refuse(match name {
            "" => format!(
                "{function}: `$` in `to` is followed by no group; write $1, ${{name}}, or $$ for \
                 a dollar sign"
            ),
            _ => format!(
                "{function}: the pattern has no group `{shown}`; it has {} of them, and a name \
                 is given as in (?<name>…); write $$ for a dollar sign",
                count - 1
            ),
        })
    })
}
