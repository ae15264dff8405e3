//! Parts of lists, and lists of lists.

use super::order::picked;
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{self, Pace, a_type, array, part, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::Kind;
use rhai::{Array, Dynamic, FnPtr, NativeCallContext};
use std::ops::Range;

pub(super) fn register(builder: &mut ModuleBuilder) {
    register_parts(builder);
    register_shapes(builder);
    register_ranges(builder);
}

fn register_parts(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The first value, or `()` for an empty list.",
            "/// list::first([1, 2, 3]) // => 1",
        ])
        .function("first", ["list: any[]", "any?"], first)
        .docs(&[
            "/// The last value, or `()` for an empty list.",
            "/// list::last([1, 2, 3]) // => 3",
        ])
        .function("last", ["list: any[]", "any?"], last)
        .docs(&[
            "/// The first `n` values, or all where there are fewer.",
            "/// list::take([1, 2, 3], 2) // => [1, 2]",
        ])
        .function("take", ["list: any[]", "n: int", "any[]"], take)
        .docs(&[
            "/// The values after the first `n`.",
            "/// list::skip([1, 2, 3], 2) // => [3]",
        ])
        .function("skip", ["list: any[]", "n: int", "any[]"], skip)
        .docs(&[
            "/// The values from index `start` on; a negative index counts from the end.",
            "/// list::slice([1, 2, 3, 4], -2) // => [3, 4]",
        ])
        .function("slice", ["list: any[]", "start: int", "any[]"], slice_from)
        .docs(&[
            "/// The values from index `start` to before `end`; negative indexes count from the end.",
            "/// list::slice([1, 2, 3, 4], 1, -1) // => [2, 3]",
        ])
        .function("slice", ["list: any[]", "start: int", "end: int", "any[]"], slice)
        .docs(&[
            "/// The values in reverse order; the list given stays as it is.",
            "/// list::reverse([1, 2, 3]) // => [3, 2, 1]",
        ])
        .function("reverse", ["list: any[]", "any[]"], reverse)
        .docs(&[
            "/// The values that are not `()`.",
            "/// list::compact([1, (), 2]) // => [1, 2]",
        ])
        .function("compact", ["list: any[]", "any[]"], compact)
        .docs(&[
            "/// Two lists: the values for which the function gives `true`, and the others.",
            "/// list::partition([1, 2, 3], |n| n > 1) // => [[2, 3], [1]]",
        ])
        .function("partition", ["list: any[]", "test: Fn", "any[][]"], partition);
}

fn register_shapes(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Lists of `n` values each; the last one may be shorter.",
            "/// list::chunk([1, 2, 3], 2) // => [[1, 2], [3]]",
        ])
        .function("chunk", ["list: any[]", "n: int", "any[][]"], chunk)
        .docs(&[
            "/// Every `n` neighbours in a row.",
            "/// list::window([1, 2, 3], 2) // => [[1, 2], [2, 3]]",
        ])
        .function("window", ["list: any[]", "n: int", "any[][]"], window)
        .docs(&[
            "/// The values of all lists inside the list, one level deep; other values stay.",
            "/// list::flatten([[1, 2], 3, [[4]]]) // => [1, 2, 3, [4]]",
        ])
        .function("flatten", ["list: any[]", "any[]"], flatten)
        .docs(&[
            "/// Pairs of the values at the same index, as many as the shorter list has.",
            "/// list::zip([1, 2], [\"a\", \"b\"]) // => [[1, \"a\"], [2, \"b\"]]",
        ])
        .function("zip", ["a: any[]", "b: any[]", "any[][]"], zip)
        .docs(&[
            "/// Pairs of index and value.",
            "/// list::enumerate([\"a\", \"b\"]) // => [[0, \"a\"], [1, \"b\"]]",
        ])
        .function("enumerate", ["list: any[]", "any[][]"], enumerate);
}

fn register_ranges(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// The integers from 0 to before `end`.", "/// list::range(3) // => [0, 1, 2]"])
        .function("range", ["end: int", "int[]"], range_to)
        .docs(&[
            "/// The integers from `start` to before `end`.",
            "/// list::range(2, 5) // => [2, 3, 4]",
        ])
        .function("range", ["start: int", "end: int", "int[]"], range)
        .docs(&[
            "/// The same in steps, which may go down.",
            "/// list::range(5, 0, -2) // => [5, 3, 1]",
        ])
        .function("range", ["start: int", "end: int", "step: int", "int[]"], range_by);
}

fn one(value: Option<&Dynamic>) -> Outcome<Dynamic> {
    value.map_or(Ok(Dynamic::UNIT), |value| Pace::default().copy(value))
}

fn first(list: &mut Array) -> Outcome<Dynamic> {
    one(list.first())
}

fn last(list: &mut Array) -> Outcome<Dynamic> {
    one(list.last())
}

fn take(list: &mut Array, n: i64) -> Outcome<Array> {
    let n = work::amount("list::take", "n", n)?;
    picked(list, 0..n.min(list.len()))
}

fn skip(list: &mut Array, n: i64) -> Outcome<Array> {
    let n = work::amount("list::skip", "n", n)?;
    picked(list, n.min(list.len())..list.len())
}

fn slice_from(list: &mut Array, start: i64) -> Outcome<Array> {
    picked(list, part(list.len(), start, i64::MAX))
}

fn slice(list: &mut Array, start: i64, end: i64) -> Outcome<Array> {
    picked(list, part(list.len(), start, end))
}

fn reverse(list: &mut Array) -> Outcome<Array> {
    picked(list, (0..list.len()).rev())
}

fn compact(list: &mut Array) -> Outcome<Array> {
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for value in list.iter() {
        pace.pay(1)?;
        if Kind::of(value) != Kind::Unit {
            let value = pace.copy(value)?;
            pace.push(&mut result, value)?;
        }
    }
    Ok(result)
}

fn partition(context: NativeCallContext, list: &mut Array, test: FnPtr) -> Outcome<Array> {
    let (mut yes, mut no, mut pace) = (Array::new(), Array::new(), Pace::default());
    for value in list.iter() {
        let argument = pace.copy(value)?;
        let answer = test.call_raw(&context, None, [argument])?;
        let Ok(answer) = answer.as_bool() else {
            return Err(refuse(format!(
                "list::partition: the function gives {} for a value; let it give true or false",
                a_type(&answer)
            )));
        };
        let value = pace.copy(value)?;
        pace.push(if answer { &mut yes } else { &mut no }, value)?;
    }
    Ok(vec![Dynamic::from_array(yes), Dynamic::from_array(no)])
}

fn chunk(list: &mut Array, n: i64) -> Outcome<Array> {
    let n = work::positive("list::chunk", "n", n)?;
    let length = list.len();
    parts(list, (0..length.div_ceil(n)).map(|at| at * n..(at * n).saturating_add(n).min(length)))
}

fn window(list: &mut Array, n: i64) -> Outcome<Array> {
    let n = work::positive("list::window", "n", n)?;
    let count = (list.len() + 1).saturating_sub(n);
    meter::reserve(count.saturating_mul(n).saturating_mul(size_of::<Dynamic>()))?;
    parts(list, (0..count).map(|at| at..at + n))
}

fn parts(list: &Array, ranges: impl ExactSizeIterator<Item = Range<usize>>) -> Outcome<Array> {
    let mut result = array(ranges.len())?;
    for range in ranges {
        meter::charge(1)?;
        result.push(Dynamic::from_array(picked(list, range)?));
    }
    Ok(result)
}

fn flatten(list: &mut Array) -> Outcome<Array> {
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for value in list.iter() {
        if Kind::of(value) == Kind::Array {
            for value in value.as_array_ref().map_err(|_| unreadable("list"))?.iter() {
                let value = pace.copy(value)?;
                pace.push(&mut result, value)?;
            }
            pace.pay(1)?;
        } else {
            let value = pace.copy(value)?;
            pace.push(&mut result, value)?;
        }
    }
    Ok(result)
}

fn zip(a: &mut Array, b: Array) -> Outcome<Array> {
    let mut pace = Pace::default();
    let mut result = array(a.len().min(b.len()))?;
    for (left, right) in a.iter().zip(b) {
        // Each pair is an allocation.
        meter::charge(2)?;
        result.push(Dynamic::from_array(vec![pace.copy(left)?, right]));
    }
    Ok(result)
}

fn enumerate(list: &mut Array) -> Outcome<Array> {
    let mut pace = Pace::default();
    let mut result = array(list.len())?;
    for (place, value) in (0..).zip(list.iter()) {
        meter::charge(2)?;
        result.push(Dynamic::from_array(vec![Dynamic::from_int(place), pace.copy(value)?]));
    }
    Ok(result)
}

fn range_to(end: i64) -> Outcome<Array> {
    range_by(0, end, 1)
}

fn range(start: i64, end: i64) -> Outcome<Array> {
    range_by(start, end, 1)
}

fn range_by(start: i64, end: i64, step: i64) -> Outcome<Array> {
    if step == 0 {
        return Err(refuse("list::range: `step` is 0; write 1 or more, or -1 or less to go down"));
    }
    let distance = if step > 0 {
        i128::from(end) - i128::from(start)
    } else {
        i128::from(start) - i128::from(end)
    };
    let stride = i128::from(step.unsigned_abs());
    let count = (distance.max(0) + stride - 1) / stride;
    let mut pace = Pace::default();
    let mut result = array(usize::try_from(count).unwrap_or(usize::MAX))?;
    let mut next = Some(start);
    while let Some(number) = next.filter(|&next| if step > 0 { next < end } else { next > end }) {
        pace.push(&mut result, Dynamic::from_int(number))?;
        next = number.checked_add(step);
    }
    Ok(result)
}
