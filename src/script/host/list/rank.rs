//! The order of values, and numbers that sum a list up.

use super::order::{Direction, Key, picked, sorted};
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{self, Pace, a_type, refuse};
use crate::script::native::compare::{self, Outcome};
use crate::script::value::Kind;
use rhai::{Array, Dynamic, NativeCallContext};
use std::cmp::Ordering;

pub(super) fn register(builder: &mut ModuleBuilder) {
    register_sorts(builder);
    register_extremes(builder);
    register_sums(builder);
}

fn register_sorts(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The values from the smallest to the largest; the list given stays as it is.",
            "/// list::sort([3, 1, 2]) // => [1, 2, 3]",
        ])
        .function("sort", ["list: any[]", "any[]"], sort)
        .docs(&[
            "/// The values from the largest to the smallest.",
            "/// list::sort_desc([3, 1, 2]) // => [3, 2, 1]",
        ])
        .function("sort_desc", ["list: any[]", "any[]"], sort_desc)
        .docs(&[
            "/// The values in the order of a key: a field, or what a function gives. Equal keys keep their order.",
            "/// list::sort_by([\"ccc\", \"a\", \"bb\"], |word| word.len()) // => [\"a\", \"bb\", \"ccc\"]",
            "/// list::sort_by([#{ n: 2 }, #{ n: 1 }], \"n\") // => [#{ n: 1 }, #{ n: 2 }]",
        ])
        .function("sort_by", ["list: any[]", "key: string | Fn", "any[]"], sort_by)
        .docs(&[
            "/// The values in the order of a key, the largest first. Equal keys keep their order.",
            "/// list::sort_by_desc([#{ n: 1 }, #{ n: 2 }], \"n\") // => [#{ n: 2 }, #{ n: 1 }]",
        ])
        .function("sort_by_desc", ["list: any[]", "key: string | Fn", "any[]"], sort_by_desc)
        .docs(&[
            "/// The `n` largest values, the largest first; what `count` gave goes by its counts.",
            "/// list::top([5, 9, 7], 2) // => [9, 7]",
            "/// list::top(list::count([\"a\", \"b\", \"b\"]), 1) // => [#{ value: \"b\", count: 2 }]",
        ])
        .function("top", ["list: any[]", "n: int", "any[]"], top)
        .docs(&[
            "/// The `n` values with the largest key: a field, or what a function gives.",
            "/// list::top([\"a\", \"ccc\", \"bb\"], 1, |word| word.len()) // => [\"ccc\"]",
        ])
        .function("top", ["list: any[]", "n: int", "key: string | Fn", "any[]"], top_by);
}

fn register_extremes(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The smallest value, or `()` for an empty list.",
            "/// list::min([3, 1, 2]) // => 1",
        ])
        .function("min", ["list: any[]", "any?"], min)
        .docs(&[
            "/// The largest value, or `()` for an empty list.",
            "/// list::max([\"a\", \"c\", \"b\"]) // => \"c\"",
        ])
        .function("max", ["list: any[]", "any?"], max)
        .docs(&[
            "/// The first value with the smallest key: a field, or what a function gives.",
            "/// list::min_by([\"bb\", \"a\"], |word| word.len()) // => \"a\"",
        ])
        .function("min_by", ["list: any[]", "key: string | Fn", "any?"], min_by)
        .docs(&[
            "/// The first value with the largest key: a field, or what a function gives.",
            "/// list::max_by([#{ n: 1 }, #{ n: 2 }], \"n\") // => #{ n: 2 }",
        ])
        .function("max_by", ["list: any[]", "key: string | Fn", "any?"], max_by);
}

fn register_sums(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The sum of numbers: an integer, or a float where one of them is a float.",
            "/// list::sum([1, 2, 3]) // => 6",
            "/// list::sum([1, 0.5]) // => 1.5",
        ])
        .function("sum", ["list: any[]", "int | float"], sum)
        .docs(&[
            "/// The mean of numbers as a float, or `()` for an empty list.",
            "/// list::mean([1, 2, 6]) // => 3.0",
        ])
        .function("mean", ["list: any[]", "float?"], mean)
        .docs(&[
            "/// The number in the middle as a float, the mean of both where there are two; or `()`.",
            "/// list::median([9, 1, 2]) // => 2.0",
            "/// list::median([1, 2, 3, 4]) // => 2.5",
        ])
        .function("median", ["list: any[]", "float?"], median);
}

fn sort(list: &mut Array) -> Outcome<Array> {
    picked(list, sorted(list, Direction::Ascending)?.into_iter())
}

fn sort_desc(list: &mut Array) -> Outcome<Array> {
    picked(list, sorted(list, Direction::Descending)?.into_iter())
}

fn sort_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Array> {
    let keys = Key::new("list::sort_by", key)?.of_all(&context, list)?;
    picked(list, sorted(&keys, Direction::Ascending)?.into_iter())
}

fn sort_by_desc(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Array> {
    let keys = Key::new("list::sort_by_desc", key)?.of_all(&context, list)?;
    picked(list, sorted(&keys, Direction::Descending)?.into_iter())
}

fn top(list: &mut Array, n: i64) -> Outcome<Array> {
    let n = work::amount("list::top", "n", n)?;
    match counts(list)? {
        Some(counts) => first_of(list, &counts, n),
        None => first_of(list, list, n),
    }
}

fn top_by(context: NativeCallContext, list: &mut Array, n: i64, key: Dynamic) -> Outcome<Array> {
    let n = work::amount("list::top", "n", n)?;
    let keys = Key::new("list::top", key)?.of_all(&context, list)?;
    first_of(list, &keys, n)
}

fn first_of(list: &Array, keys: &Array, n: usize) -> Outcome<Array> {
    let mut places = sorted(keys, Direction::Descending)?;
    places.truncate(n);
    picked(list, places.into_iter())
}

/// The counts of a list that `count` gave: maps with `value` and an integer `count`.
fn counts(list: &Array) -> Outcome<Option<Array>> {
    let mut pace = Pace::default();
    let mut counts = Array::new();
    for value in list {
        let count = match value.as_map_ref() {
            Ok(map) if Kind::of(value) == Kind::Map && map.contains_key("value") => {
                map.get("count").and_then(|count| count.as_int().ok())
            }
            _ => None,
        };
        match count {
            Some(count) => pace.push(&mut counts, Dynamic::from_int(count))?,
            None => return Ok(None),
        }
    }
    Ok(Some(counts))
}

/// Where the first value stands that no other is `before`.
fn extreme(keys: &Array, before: Ordering) -> Outcome<Option<usize>> {
    let mut best: Option<usize> = None;
    for (place, key) in keys.iter().enumerate() {
        match best {
            Some(found) if compare::order(key, &keys[found])? != before => {}
            _ => best = Some(place),
        }
    }
    Ok(best)
}

/// The value that the keys put first.
fn extreme_of(list: &Array, keys: &Array, before: Ordering) -> Outcome<Dynamic> {
    match extreme(keys, before)?.and_then(|place| list.get(place)) {
        Some(value) => Pace::default().copy(value),
        None => Ok(Dynamic::UNIT),
    }
}

fn min(list: &mut Array) -> Outcome<Dynamic> {
    extreme_of(list, list, Ordering::Less)
}

fn max(list: &mut Array) -> Outcome<Dynamic> {
    extreme_of(list, list, Ordering::Greater)
}

fn min_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Dynamic> {
    let keys = Key::new("list::min_by", key)?.of_all(&context, list)?;
    extreme_of(list, &keys, Ordering::Less)
}

fn max_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Dynamic> {
    let keys = Key::new("list::max_by", key)?.of_all(&context, list)?;
    extreme_of(list, &keys, Ordering::Greater)
}

/// A sum: integers apart, so that they stay exact.
#[derive(Default)]
struct Sum {
    /// Cannot overflow: no list has 2^63 values.
    whole: i128,
    float: f64,
    has_float: bool,
}

impl Sum {
    fn of(function: &str, list: &Array) -> Outcome<Self> {
        let (mut sum, mut pace) = (Self::default(), Pace::default());
        for (place, value) in list.iter().enumerate() {
            pace.pay(1)?;
            match Kind::of(value) {
                Kind::Int => sum.whole += i128::from(value.as_int().unwrap_or_default()),
                Kind::Float => {
                    sum.float += value.as_float().unwrap_or_default();
                    sum.has_float = true;
                }
                _ => return Err(not_a_number(function, place, value)),
            }
        }
        Ok(sum)
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
    fn as_float(&self) -> f64 {
        self.whole as f64 + self.float
    }
}

#[cold]
fn not_a_number(function: &str, place: usize, value: &Dynamic) -> Box<rhai::EvalAltResult> {
    refuse(format!(
        "{function}: value {place} is {}, not a number; take numbers out of maps with list::pluck, \
         and out of texts with text::parse_int",
        a_type(value)
    ))
}

fn sum(list: &mut Array) -> Outcome<Dynamic> {
    let sum = Sum::of("list::sum", list)?;
    if sum.has_float {
        return Ok(Dynamic::from_float(sum.as_float()));
    }
    i64::try_from(sum.whole).map(Dynamic::from_int).map_err(|_| {
        refuse(format!(
            "list::sum: the sum {} is beyond the integers; sum floats instead",
            sum.whole
        ))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
fn mean(list: &mut Array) -> Outcome<Dynamic> {
    let sum = Sum::of("list::mean", list)?;
    if list.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    Ok(Dynamic::from_float(sum.as_float() / list.len() as f64))
}

fn median(list: &mut Array) -> Outcome<Dynamic> {
    Sum::of("list::median", list)?;
    let places = sorted(list, Direction::Ascending)?;
    let number = |place: usize| places.get(place).and_then(|&place| list.get(place)).map(float);
    let middle = places.len() / 2;
    let found = match (number(middle), number(middle.wrapping_sub(1))) {
        (Some(right), Some(left)) if places.len() % 2 == 0 => Some(left / 2.0 + right / 2.0),
        (found, _) => found,
    };
    Ok(found.map_or(Dynamic::UNIT, Dynamic::from_float))
}

#[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
fn float(value: &Dynamic) -> f64 {
    value.as_float().unwrap_or_else(|_| value.as_int().unwrap_or_default() as f64)
}
