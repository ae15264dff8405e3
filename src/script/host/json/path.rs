//! Reaching into a value by a path.

use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, MAX_DEPTH, prefix};
use rhai::Dynamic;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The part of a value at a path, or `()` where there is none.",
            "/// json::get(#{ a: [#{ b: 1 }] }, \"a[0].b\") // => 1",
            "/// json::get(#{ a: [#{ b: 1 }] }, \"/a/0/b\") // => 1",
            "/// json::get(#{ a: 1 }, \"b.c\") // => ()",
        ])
        .function("get", ["value: any", "path: string", "any?"], get)
        .docs(&[
            "/// The same with another value for what is missing.",
            "/// json::get(#{ a: 1 }, \"b\", 0) // => 0",
        ])
        .function("get", ["value: any", "path: string", "default: any", "any"], get_or)
        .docs(&[
            "/// Whether there is something at a path, be it `()`.",
            "/// json::has(#{ a: () }, \"a\") // => true",
        ])
        .function("has", ["value: any", "path: string", "bool"], has);
}

/// A path, taken apart: names of fields and indexes of arrays.
pub(super) struct Path(pub Vec<String>);

impl Path {
    /// Reads the argument `path` of `function`.
    pub(super) fn parse(function: &str, path: &str) -> Outcome<Self> {
        meter::charge_bytes(path.len())?;
        meter::reserve(path.len())?;
        let steps = match path.strip_prefix('/') {
            Some(pointer) => pointer.split('/').take(MAX_DEPTH + 1).map(unescaped).collect(),
            None if path.is_empty() => Vec::new(),
            None => dotted(path).ok_or_else(|| {
                refuse(format!(
                    "{function}: the path `{}` cannot be read; write it as `items[0].name` or \
                     `/items/0/name`",
                    prefix(path, 80)
                ))
            })?,
        };
        if steps.len() > MAX_DEPTH {
            return Err(refuse(format!(
                "{function}: the path has more than {MAX_DEPTH} steps; go there in parts"
            )));
        }
        Ok(Self(steps))
    }
}

/// A step of a JSON Pointer (RFC 6901).
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The steps of `a[0].b`; none where a name is missing or a bracket stands alone.
fn dotted(path: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() && steps.len() <= MAX_DEPTH {
        let step;
        (step, rest) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => {
                let rest = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
                rest.split_at(rest.find(['.', '[', ']']).unwrap_or(rest.len()))
            }
        };
        if step.is_empty() || rest.starts_with(']') {
            return None;
        }
        steps.push(step.to_owned());
    }
    Some(steps)
}

/// The place in an array of `length` values that a step names; negative ones count from the end.
pub(super) fn place(step: &str, length: usize) -> Option<usize> {
    match step.strip_prefix('-') {
        Some(back) => length.checked_sub(back.parse().ok().filter(|&back| back > 0)?),
        None => step.parse().ok().filter(|&place| place < length),
    }
}

/// Hands what is at the path to `found`.
pub(super) fn reach<R>(
    value: &Dynamic,
    steps: &[String],
    found: impl FnOnce(Option<&Dynamic>) -> Outcome<R>,
) -> Outcome<R> {
    let Some((step, rest)) = steps.split_first() else { return found(Some(value)) };
    meter::charge_bytes(step.len().saturating_mul(4))?;
    match Kind::of(value) {
        Kind::Map => {
            let map = value.as_map_ref().map_err(|_| unreadable("value"))?;
            match map.get(step.as_str()) {
                Some(inner) => reach_boxed(inner, rest, Box::new(found)),
                None => found(None),
            }
        }
        Kind::Array => {
            let list = value.as_array_ref().map_err(|_| unreadable("value"))?;
            match place(step, list.len()).and_then(|place| list.get(place)) {
                Some(inner) => reach_boxed(inner, rest, Box::new(found)),
                None => found(None),
            }
        }
        _ => found(None),
    }
}

type Found<'a, R> = Box<dyn FnOnce(Option<&Dynamic>) -> Outcome<R> + 'a>;

/// [`reach`] for what is inside; the box ends the chain of types.
fn reach_boxed<R>(value: &Dynamic, steps: &[String], found: Found<'_, R>) -> Outcome<R> {
    reach(value, steps, found)
}

fn get(value: &mut Dynamic, path: &str) -> Outcome<Dynamic> {
    get_or(value, path, Dynamic::UNIT)
}

fn get_or(value: &mut Dynamic, path: &str, default: Dynamic) -> Outcome<Dynamic> {
    let path = Path::parse("json::get", path)?;
    reach(value, &path.0, |found| match found {
        Some(found) => Pace::default().copy(found),
        None => Ok(default),
    })
}

fn has(value: &mut Dynamic, path: &str) -> Outcome<bool> {
    let path = Path::parse("json::has", path)?;
    reach(value, &path.0, |found| Ok(found.is_some()))
}
