//! Equal values: counting, grouping, sets.

use super::index::Index;
use super::order::{Direction, Key, picked, sorted};
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, a_type, amount, array, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::{self, Outcome};
use crate::script::native::display::{self, Style};
use crate::script::value::Kind;
use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

/// What a record of [`count`] costs: a map is one node with room for eleven entries.
const RECORD: u64 = 4;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// How often each value occurs, the most frequent first.",
            "/// list::count([\"a\", \"b\", \"a\"]) // => [#{ value: \"a\", count: 2 }, #{ value: \"b\", count: 1 }]",
        ])
        .function("count", ["list: any[]", "map[]"], count)
        .docs(&[
            "/// The `n` most frequent values and how often they occur; faster than `count` where few are wanted.",
            "/// list::most_common(text::words(\"b a b c\"), 1) // => [#{ value: \"b\", count: 2 }]",
        ])
        .function("most_common", ["list: any[]", "n: int", "map[]"], most_common)
        .docs(&[
            "/// How often one value occurs.",
            "/// list::count([1, 2, 1], 1) // => 2",
        ])
        .function("count", ["list: any[]", "value: any", "int"], count_one)
        .docs(&[
            "/// Each distinct value once, in the order of their first places.",
            "/// list::unique([3, 1, 3, 2, 1]) // => [3, 1, 2]",
        ])
        .function("unique", ["list: any[]", "any[]"], unique)
        .docs(&[
            "/// The first value of each distinct key: a field, or what a function gives.",
            "/// list::unique([\"Bo\", \"bo\", \"Al\"], |name| text::lower(name)) // => [\"Bo\", \"Al\"]",
        ])
        .function("unique", ["list: any[]", "key: string | Fn", "any[]"], unique_by)
        .docs(&[
            "/// A map from each key, as text, to the list of the values that have it. The key is a field, or what a function gives.",
            "/// list::group_by([#{ a: 1, n: 1 }, #{ a: 2, n: 2 }], \"a\")[\"2\"] // => [#{ a: 2, n: 2 }]",
            "/// list::group_by([1, 2, 3], |n| if n % 2 == 0 { \"even\" } else { \"odd\" }) // => #{ even: [2], odd: [1, 3] }",
        ])
        .function("group_by", ["list: any[]", "key: string | Fn", "map"], group_by)
        .docs(&[
            "/// Whether the list holds the value.",
            "/// list::contains([1, 2], 2) // => true",
        ])
        .function("contains", ["list: any[]", "value: any", "bool"], contains)
        .docs(&[
            "/// The index of the first place of the value, or `()`.",
            "/// list::index_of([\"a\", \"b\"], \"b\") // => 1",
            "/// list::index_of([\"a\", \"b\"], \"c\") // => ()",
        ])
        .function("index_of", ["list: any[]", "value: any", "int?"], index_of)
        .docs(&[
            "/// The values of `a` that are not in `b`, each once.",
            "/// list::difference([1, 2, 2, 3], [3]) // => [1, 2]",
        ])
        .function("difference", ["a: any[]", "b: any[]", "any[]"], difference)
        .docs(&[
            "/// The values of `a` that are in `b` as well, each once.",
            "/// list::intersection([1, 2, 2, 3], [3, 2]) // => [2, 3]",
        ])
        .function("intersection", ["a: any[]", "b: any[]", "any[]"], intersection)
        .docs(&[
            "/// The values of both lists, each once.",
            "/// list::union([1, 2], [2, 3]) // => [1, 2, 3]",
        ])
        .function("union", ["a: any[]", "b: any[]", "any[]"], union);
}

fn count(list: &mut Array) -> Outcome<Array> {
    frequent(list, usize::MAX)
}

fn most_common(list: &mut Array, n: i64) -> Outcome<Array> {
    frequent(list, amount("list::most_common", "n", n)?)
}

/// Records of value and count, at most so many.
fn frequent(list: &Array, wanted: usize) -> Outcome<Array> {
    let mut index = Index::new();
    let (mut counts, mut pace) = (Array::new(), Pace::default());
    let mut totals: Vec<i64> = Vec::new();
    for value in list {
        let place = index.place(value)?;
        match totals.get_mut(place) {
            Some(total) => *total += 1,
            None => totals.push(1),
        }
    }
    for &total in &totals {
        pace.push(&mut counts, Dynamic::from_int(total))?;
    }
    let values: Vec<&Dynamic> = index.values().collect();
    let mut result = array(values.len().min(wanted))?;
    for place in sorted(&counts, Direction::Descending)?.into_iter().take(wanted) {
        meter::charge(RECORD)?;
        let mut record = Map::new();
        record.insert("count".into(), Dynamic::from_int(totals[place]));
        record.insert("value".into(), pace.copy(values[place])?);
        result.push(Dynamic::from_map(record));
    }
    Ok(result)
}

fn count_one(list: &mut Array, value: Dynamic) -> Outcome<i64> {
    let mut count = 0;
    for item in list.iter() {
        count += i64::from(compare::equal(item, &value)?);
    }
    Ok(count)
}

fn unique(list: &mut Array) -> Outcome<Array> {
    copies(Index::of(list)?.values())
}

fn unique_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Array> {
    let keys = Key::new("list::unique", key)?.of_all(&context, list)?;
    let mut index = Index::new();
    let mut places = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        if index.place(key)? == places.len() {
            places.push(place);
        }
    }
    picked(list, places.into_iter())
}

fn copies<'a>(values: impl Iterator<Item = &'a Dynamic>) -> Outcome<Array> {
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for value in values {
        let value = pace.copy(value)?;
        pace.push(&mut result, value)?;
    }
    Ok(result)
}

fn group_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Map> {
    let key = Key::new("list::group_by", key)?;
    let (mut groups, mut pace) = (Map::new(), Pace::default());
    for (place, value) in list.iter().enumerate() {
        let name = name_of(&key.of(&context, &mut pace, place, value)?)?;
        let value = pace.copy(value)?;
        let slot = slot(&mut groups, &mut pace, &name)?;
        if slot.is_unit() {
            *slot = Dynamic::from_array(Array::new());
        }
        if let Ok(mut group) = slot.as_array_mut() {
            pace.push(&mut group, value)?;
        }
    }
    Ok(groups)
}

/// The entry of that name, which is `()` where it is new.
pub(super) fn slot<'a>(map: &'a mut Map, pace: &mut Pace, name: &str) -> Outcome<&'a mut Dynamic> {
    // A look-up compares the name with one key for each doubling of the map.
    pace.touch(name.len().saturating_mul(map.len().max(1).ilog2() as usize + 1))?;
    if !map.contains_key(name) {
        meter::reserve(name.len())?;
    }
    Ok(map.entry(name.into()).or_default())
}

/// A key of a map for a value.
pub(super) fn name_of(value: &Dynamic) -> Outcome<ImmutableString> {
    match Kind::of(value) {
        Kind::Text => {
            value.as_immutable_string_ref().map(|name| name.clone()).map_err(|_| unreadable("key"))
        }
        Kind::Unit => Ok("()".into()),
        Kind::Int | Kind::Float | Kind::Bool | Kind::Char => Ok(display::text(value, Style::Print)),
        _ => Err(refuse(format!(
            "a key of a map cannot be {}; give a text, a number or a boolean",
            a_type(value)
        ))),
    }
}

fn contains(list: &mut Array, value: Dynamic) -> Outcome<bool> {
    Ok(place_of(list, &value)?.is_some())
}

fn index_of(list: &mut Array, value: Dynamic) -> Outcome<Dynamic> {
    let place = place_of(list, &value)?.and_then(|place| i64::try_from(place).ok());
    Ok(place.map_or(Dynamic::UNIT, Dynamic::from_int))
}

fn place_of(list: &Array, value: &Dynamic) -> Outcome<Option<usize>> {
    for (place, item) in list.iter().enumerate() {
        if compare::equal(item, value)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn difference(a: &mut Array, b: Array) -> Outcome<Array> {
    filtered(a, &b, false)
}

fn intersection(a: &mut Array, b: Array) -> Outcome<Array> {
    filtered(a, &b, true)
}

fn filtered(a: &Array, b: &Array, wanted: bool) -> Outcome<Array> {
    let (a, mut b) = (Index::of(a)?, Index::of(b)?);
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for value in a.values() {
        if b.contains(value)? == wanted {
            let value = pace.copy(value)?;
            pace.push(&mut result, value)?;
        }
    }
    Ok(result)
}

fn union(a: &mut Array, b: Array) -> Outcome<Array> {
    let mut index = Index::of(a)?;
    for value in &b {
        index.place(value)?;
    }
    copies(index.values())
}
