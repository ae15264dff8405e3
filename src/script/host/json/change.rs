//! Values made from others: a part set or removed, two merged, the differences of two.

use super::path::{Path, place};
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, a_type, output, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::{self, Outcome};
use crate::script::value::{Kind, MAX_DEPTH, prefix};
use rhai::{Array, Dynamic, Map};

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The value with another part at a path; missing maps on the way are made, and an index one past the end appends.",
            "/// json::set(#{ a: [1, 2] }, \"a[0]\", 5) // => #{ a: [5, 2] }",
            "/// json::set(#{}, \"a.b\", 1) // => #{ a: #{ b: 1 } }",
        ])
        .function("set", ["value: any", "path: string", "part: any", "any"], set)
        .docs(&[
            "/// The value without the part at a path.",
            "/// json::remove(#{ a: [1, 2], b: 3 }, \"a[0]\") // => #{ a: [2], b: 3 }",
        ])
        .function("remove", ["value: any", "path: string", "any"], remove)
        .docs(&[
            "/// Both values in one: maps are merged at all levels, anything else is that of `b`.",
            "/// json::merge(#{ a: #{ x: 1 }, b: 1 }, #{ a: #{ y: 2 } }) // => #{ a: #{ x: 1, y: 2 }, b: 1 }",
        ])
        .function("merge", ["a: any", "b: any", "any"], merge)
        .docs(&[
            "/// Where two values differ: path, kind (`added`, `removed` or `changed`), before and after.",
            "/// json::diff(#{ a: 1, b: [1] }, #{ a: 1, b: [2] }) // => [#{ path: \"/b/0\", kind: \"changed\", before: 1, after: 2 }]",
        ])
        .function("diff", ["before: any", "after: any", "map[]"], diff);
}

fn set(mut value: Dynamic, path: &str, part: Dynamic) -> Outcome<Dynamic> {
    let path = Path::parse("json::set", path)?;
    set_at(&mut value, &path.0, part)?;
    Ok(value)
}

fn set_at(value: &mut Dynamic, steps: &[String], part: Dynamic) -> Outcome<()> {
    let Some((step, rest)) = steps.split_first() else {
        *value = part;
        return Ok(());
    };
    meter::charge_bytes(step.len().saturating_mul(4))?;
    if value.is_unit() {
        *value = Dynamic::from_map(Map::new());
    }
    match Kind::of(value) {
        Kind::Map => {
            let mut map = value.as_map_mut().map_err(|_| unreadable("value"))?;
            meter::reserve(step.len())?;
            set_at(map.entry(step.as_str().into()).or_default(), rest, part)
        }
        Kind::Array => {
            let mut list = value.as_array_mut().map_err(|_| unreadable("value"))?;
            let length = list.len();
            if step == "-" || step.parse() == Ok(length) {
                Pace::default().push(&mut list, Dynamic::UNIT)?;
            }
            let place = if step == "-" { Some(length) } else { place(step, list.len()) };
            match place.and_then(|place| list.get_mut(place)) {
                Some(inner) => set_at(inner, rest, part),
                None => Err(refuse(format!(
                    "json::set: `{}` is no place in a list of {length}; write an index up to \
                     {length}, or `-` to append",
                    prefix(step, 40)
                ))),
            }
        }
        _ => Err(refuse(format!(
            "json::set: `{}` cannot be put into {}; only maps and lists have parts",
            prefix(step, 40),
            a_type(value)
        ))),
    }
}

fn remove(mut value: Dynamic, path: &str) -> Outcome<Dynamic> {
    let path = Path::parse("json::remove", path)?;
    if path.0.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    remove_at(&mut value, &path.0)?;
    Ok(value)
}

fn remove_at(value: &mut Dynamic, steps: &[String]) -> Outcome<()> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    meter::charge_bytes(step.len().saturating_mul(4))?;
    match Kind::of(value) {
        Kind::Map => {
            let mut map = value.as_map_mut().map_err(|_| unreadable("value"))?;
            if rest.is_empty() {
                map.remove(step.as_str());
            } else if let Some(inner) = map.get_mut(step.as_str()) {
                remove_at(inner, rest)?;
            }
        }
        Kind::Array => {
            let mut list = value.as_array_mut().map_err(|_| unreadable("value"))?;
            let Some(place) = place(step, list.len()) else { return Ok(()) };
            if rest.is_empty() {
                meter::charge_bytes((list.len() - place).saturating_mul(size_of::<Dynamic>()))?;
                drop(list.remove(place));
            } else if let Some(inner) = list.get_mut(place) {
                remove_at(inner, rest)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn merge(mut a: Dynamic, b: Dynamic) -> Outcome<Dynamic> {
    merge_into(&mut a, b, &mut Pace::default(), 0)?;
    Ok(a)
}

fn merge_into(a: &mut Dynamic, b: Dynamic, pace: &mut Pace, depth: usize) -> Outcome<()> {
    pace.pay(1)?;
    if Kind::of(a) != Kind::Map || Kind::of(&b) != Kind::Map {
        *a = b;
        return Ok(());
    }
    check_depth(depth)?;
    let mut fields = a.as_map_mut().map_err(|_| unreadable("a"))?;
    for (name, value) in b.try_cast::<Map>().unwrap_or_default() {
        pace.touch(name.len().saturating_mul(4))?;
        merge_into(fields.entry(name).or_default(), value, pace, depth + 1)?;
    }
    Ok(())
}

fn check_depth(depth: usize) -> Outcome<()> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(refuse(format!("values are nested deeper than {MAX_DEPTH} levels; flatten them")))
}

fn diff(before: &mut Dynamic, after: Dynamic) -> Outcome<Array> {
    let mut search = Search::default();
    search.visit(Some(before), Some(&after), 0)?;
    Ok(search.found)
}

/// The differences found so far, and where the search is.
#[derive(Default)]
struct Search {
    found: Array,
    path: String,
    pace: Pace,
}

impl Search {
    fn visit(
        &mut self,
        before: Option<&Dynamic>,
        after: Option<&Dynamic>,
        depth: usize,
    ) -> Outcome<()> {
        check_depth(depth)?;
        self.pace.pay(1)?;
        let (Some(before), Some(after)) = (before, after) else {
            return self.note(before, after);
        };
        match (Kind::of(before), Kind::of(after)) {
            (Kind::Map, Kind::Map) => {
                let before = before.as_map_ref().map_err(|_| unreadable("before"))?;
                let after = after.as_map_ref().map_err(|_| unreadable("after"))?;
                self.maps(&before, &after, depth)
            }
            (Kind::Array, Kind::Array) => {
                let before = before.as_array_ref().map_err(|_| unreadable("before"))?;
                let after = after.as_array_ref().map_err(|_| unreadable("after"))?;
                for place in 0..before.len().max(after.len()) {
                    let step = place.to_string();
                    self.step(&step, before.get(place), after.get(place), depth)?;
                }
                Ok(())
            }
            _ if compare::equal(before, after)? => Ok(()),
            _ => self.note(Some(before), Some(after)),
        }
    }

    fn maps(&mut self, before: &Map, after: &Map, depth: usize) -> Outcome<()> {
        for (name, value) in before {
            self.pace.touch(name.len().saturating_mul(4))?;
            self.step(name, Some(value), after.get(name), depth)?;
        }
        for (name, value) in after {
            self.pace.touch(name.len().saturating_mul(4))?;
            if !before.contains_key(name) {
                self.step(name, None, Some(value), depth)?;
            }
        }
        Ok(())
    }

    /// Visits a part: its name is on the path meanwhile, as in a JSON Pointer.
    fn step(
        &mut self,
        name: &str,
        before: Option<&Dynamic>,
        after: Option<&Dynamic>,
        depth: usize,
    ) -> Outcome<()> {
        let length = self.path.len();
        self.pace.write(&mut self.path, "/")?;
        if name.contains(['~', '/']) {
            meter::reserve(name.len().saturating_mul(3))?;
            let name = name.replace('~', "~0").replace('/', "~1");
            self.pace.write(&mut self.path, &name)?;
        } else {
            self.pace.write(&mut self.path, name)?;
        }
        self.visit(before, after, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }

    fn note(&mut self, before: Option<&Dynamic>, after: Option<&Dynamic>) -> Outcome<()> {
        let kind = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        let mut path = output(self.path.len())?;
        self.pace.write(&mut path, &self.path)?;
        let mut record = Map::new();
        record.insert("path".into(), path.into());
        record.insert("kind".into(), kind.into());
        for (name, value) in [("before", before), ("after", after)] {
            let value = value.map_or(Ok(Dynamic::UNIT), |value| self.pace.copy(value))?;
            record.insert(name.into(), value);
        }
        // A record is a map of its own: a node with room for eleven entries.
        meter::charge(8)?;
        self.pace.push(&mut self.found, Dynamic::from_map(record))
    }
}
