//! What scripts do with arrays.
//!
//! Rhai's own set is not included, because a third of it has a cost that nothing bounds: `pad`
//! clones its item without weighing it, `drain` and `retain` move the rest of the array for each
//! item, `sort` and `dedup` swallow errors of their callback, the end of a call included, and
//! fourteen overloads take the name of a function. Results are the same, with two exceptions:
//! values of different types can be sorted, and a comparer that fails or answers neither a number
//! nor a boolean ends the sort with an error and leaves the array as it was.

use crate::script::meter;
use crate::script::native::callback::{Callback, copied, index, is_true};
use crate::script::native::compare::{self, Outcome, fail};
use crate::script::value::{Kind, type_label};
use rhai::plugin::*;
use rhai::{Array, FnPtr};
use std::cmp::Ordering;
use std::mem;
use std::ops::{Range, RangeInclusive};

/// The part of an array of `length` items that a start and a count mean: a negative start counts
/// from the end, and both are cut to what is there.
fn span(length: usize, start: i64, count: i64) -> Range<usize> {
    let start = match usize::try_from(start) {
        Ok(start) => start.min(length),
        Err(_) => length.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(length)),
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    start..start.saturating_add(count).min(length)
}

/// The start and the count that a range means; before the beginning there is nothing.
fn bounds(range: &Range<i64>) -> (i64, i64) {
    let start = range.start.max(0);
    (start, range.end.max(start) - start)
}

fn inclusive_bounds(range: &RangeInclusive<i64>) -> (i64, i64) {
    let start = (*range.start()).max(0);
    let end = (*range.end()).max(start).min(i64::MAX - 1);
    (start, (end - start).saturating_add(1))
}

/// Pays for moving `items` items within memory.
fn moving(items: usize) -> Outcome<()> {
    meter::charge(items as u64 / 64 + 1)
}

/// Reserves room for `more` items; a full array doubles.
pub(super) fn growing(array: &Array, more: usize) -> Outcome<()> {
    if array.capacity() - array.len() >= more {
        return Ok(());
    }
    let room = more.max(array.capacity());
    meter::reserve(room.saturating_mul(size_of::<Dynamic>()))
}

/// An empty array with room for `count` items, paid for.
pub(super) fn with_room(count: usize) -> Outcome<Array> {
    moving(count)?;
    meter::reserve(count.saturating_mul(size_of::<Dynamic>()))?;
    Ok(Array::with_capacity(count))
}

/// Copies of items, each paid for.
fn copies(items: &[Dynamic]) -> Outcome<Array> {
    let mut result = with_room(items.len())?;
    for item in items {
        meter::charge(1)?;
        result.push(copied(item)?);
    }
    Ok(result)
}

/// The items of a range, taken out of the array.
fn cut(array: &mut Array, part: Range<usize>) -> Outcome<Array> {
    moving(array.len() - part.start)?;
    let mut result = with_room(part.len())?;
    result.extend(array.drain(part));
    Ok(result)
}

/// Moves the items outside of `part` out of the array.
fn keep(array: &mut Array, part: Range<usize>) -> Outcome<Array> {
    moving(array.len())?;
    let mut result = with_room(array.len() - part.len())?;
    let count = part.len();
    result.extend(array.drain(..part.start));
    result.extend(array.drain(count..));
    Ok(result)
}

/// Replaces a range of items.
fn replace(array: &mut Array, part: Range<usize>, items: Array) -> Outcome<()> {
    moving(array.len() - part.start + items.len())?;
    growing(array, items.len())?;
    array.splice(part, items);
    Ok(())
}

/// What the callback says of each item, asked before anything moves.
fn judge(mut callback: Callback<'_>, array: &mut Array) -> Outcome<Vec<bool>> {
    meter::reserve(array.len())?;
    let mut verdicts = Vec::with_capacity(array.len());
    for (at, item) in array.iter_mut().enumerate() {
        verdicts.push(is_true(&callback.call(item, at)?));
    }
    Ok(verdicts)
}

/// Moves the items whose verdict is `wanted` out of the array.
fn take_out(array: &mut Array, verdicts: &[bool], wanted: bool) -> Outcome<Array> {
    let count = verdicts.iter().filter(|&&verdict| verdict == wanted).count();
    let mut taken = with_room(count)?;
    moving(array.len())?;
    let mut verdicts = verdicts.iter();
    array.retain_mut(|item| {
        let leaves = verdicts.next() == Some(&wanted);
        if leaves {
            taken.push(mem::take(item));
        }
        !leaves
    });
    Ok(taken)
}

/// The first index at or after `start` whose item is equal to `value`.
fn position(array: &Array, value: &Dynamic, start: i64) -> Outcome<Option<usize>> {
    for at in span(array.len(), start, i64::MAX) {
        if compare::equal(&array[at], value)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The first index at or after `start` whose item the callback accepts.
fn accepted(mut callback: Callback<'_>, array: &mut Array, start: i64) -> Outcome<Option<usize>> {
    for at in span(array.len(), start, i64::MAX) {
        if is_true(&callback.call(&mut array[at], at)?) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn found(position: Option<usize>) -> i64 {
    position.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX))
}

/// Sorts stably. On an error the array is as it was; an inconsistent comparer gives some order.
pub(super) fn sort_with(
    array: &mut Array,
    mut compare: impl FnMut(&Dynamic, &Dynamic) -> Outcome<Ordering>,
) -> Outcome<()> {
    let length = array.len();
    if length < 2 {
        return Ok(());
    }
    meter::reserve(length.saturating_mul(2 * size_of::<usize>() + size_of::<Dynamic>()))?;
    let mut order: Vec<usize> = (0..length).collect();
    let mut merged = order.clone();
    let mut width = 1;
    while width < length {
        moving(length)?;
        for (run, target) in order.chunks(2 * width).zip(merged.chunks_mut(2 * width)) {
            let (left, right) = run.split_at(width.min(run.len()));
            merge(array, left, right, target, &mut compare)?;
        }
        mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    *array = order.into_iter().map(|at| mem::take(&mut array[at])).collect();
    Ok(())
}

/// Merges two sorted runs of indices into one.
fn merge<'r>(
    array: &Array,
    mut left: &'r [usize],
    mut right: &'r [usize],
    target: &mut [usize],
    compare: &mut impl FnMut(&Dynamic, &Dynamic) -> Outcome<Ordering>,
) -> Outcome<()> {
    let in_order = match (left.last(), right.first()) {
        (Some(&last), Some(&first)) => compare(&array[last], &array[first])?.is_le(),
        _ => true,
    };
    if in_order {
        target[..left.len()].copy_from_slice(left);
        target[left.len()..].copy_from_slice(right);
        return Ok(());
    }
    for slot in target {
        let from_right = match (left.first(), right.first()) {
            (Some(&first), Some(&second)) => compare(&array[first], &array[second])?.is_gt(),
            (None, _) => true,
            (_, None) => false,
        };
        let source = if from_right { &mut right } else { &mut left };
        if let Some((&first, rest)) = source.split_first() {
            *slot = first;
            *source = rest;
        }
    }
    Ok(())
}

/// Sorts by the order of values. Integers, the common case, need no step for each comparison.
fn sort_by_value(array: &mut Array, descending: bool) -> Outcome<()> {
    let length = array.len() as u64;
    meter::charge(length / 16 + 1)?;
    if array.iter().all(|item| Kind::of(item) == Kind::Int) {
        meter::charge(length * u64::from(length.max(1).ilog2()) / 8)?;
        meter::reserve(array.len().saturating_mul(size_of::<Dynamic>()))?;
        let number = |item: &Dynamic| item.as_int().unwrap_or(0);
        if descending {
            array.sort_by_key(|item| std::cmp::Reverse(number(item)));
        } else {
            array.sort_by_key(number);
        }
        return Ok(());
    }
    sort_with(array, |left, right| {
        let found = compare::order(left, right)?;
        Ok(if descending { found.reverse() } else { found })
    })
}

/// Sorts by a script's comparer.
fn sort_by_callback(
    context: &NativeCallContext,
    array: &mut Array,
    comparer: &FnPtr,
) -> Outcome<()> {
    sort_with(array, |left, right| {
        meter::charge(1)?;
        let answer = comparer.call_raw(context, None, [copied(left)?, copied(right)?])?;
        match (answer.as_int(), answer.as_bool()) {
            (Ok(number), _) => Ok(number.cmp(&0)),
            (_, Ok(true)) => Ok(Ordering::Less),
            (_, Ok(false)) => Ok(Ordering::Greater),
            _ => fail(format!(
                "the comparer answered a value of type `{}`; answer a number below, at or above 0, \
                 or whether the first goes first",
                type_label(&answer)
            )),
        }
    })
}

/// Removes repeated neighbours. On an error the array keeps what was not yet looked at.
fn dedup_with(
    array: &mut Array,
    mut same: impl FnMut(&Dynamic, &Dynamic) -> Outcome<bool>,
) -> Outcome<()> {
    moving(array.len())?;
    let mut error = None;
    array.dedup_by(|item, before| {
        error.is_none()
            && same(before, item).unwrap_or_else(|found| {
                error = Some(found);
                false
            })
    });
    error.map_or(Ok(()), Err)
}

#[export_module]
#[expect(clippy::unwrap_used, reason = "the macro writes `unwrap` where the types are known")]
pub(super) mod natives {
    /// The number of items.
    #[rhai_fn(name = "len", get = "len", pure)]
    pub fn len(array: &mut Array) -> i64 {
        i64::try_from(array.len()).unwrap_or(i64::MAX)
    }

    /// Whether there is no item.
    #[rhai_fn(name = "is_empty", get = "is_empty", pure)]
    pub fn is_empty(array: &mut Array) -> bool {
        array.is_empty()
    }

    /// The item at an index, negative from the end; `()` where there is none.
    #[rhai_fn(return_raw, pure)]
    pub fn get(array: &mut Array, index: i64) -> Outcome<Dynamic> {
        match array.get(span(array.len(), index, 0).start) {
            Some(item) => copied(item),
            None => Ok(Dynamic::UNIT),
        }
    }

    /// Replaces the item at an index; nothing happens where there is none.
    pub fn set(array: &mut Array, index: i64, value: Dynamic) {
        let at = span(array.len(), index, 0).start;
        if let Some(item) = array.get_mut(at) {
            *item = value;
        }
    }

    /// Adds an item at the end.
    #[rhai_fn(return_raw)]
    pub fn push(array: &mut Array, item: Dynamic) -> Outcome<()> {
        growing(array, 1)?;
        array.push(item);
        Ok(())
    }

    /// Adds the items of another array at the end.
    #[rhai_fn(return_raw)]
    pub fn append(array: &mut Array, new_array: Array) -> Outcome<()> {
        moving(new_array.len())?;
        growing(array, new_array.len())?;
        array.extend(new_array);
        Ok(())
    }

    /// Both arrays, one after the other.
    #[rhai_fn(name = "+", return_raw)]
    pub fn concat(array1: Array, array2: Array) -> Outcome<Array> {
        let mut array = array1;
        append(&mut array, array2)?;
        Ok(array)
    }

    /// Adds an item before an index, or at the end where there is none.
    #[rhai_fn(return_raw)]
    pub fn insert(array: &mut Array, index: i64, item: Dynamic) -> Outcome<()> {
        let at = span(array.len(), index, 0).start;
        moving(array.len() - at)?;
        growing(array, 1)?;
        array.insert(at, item);
        Ok(())
    }

    /// Adds copies of an item until the array has `len` items.
    #[rhai_fn(return_raw)]
    pub fn pad(array: &mut Array, len: i64, item: Dynamic) -> Outcome<()> {
        let length = usize::try_from(len).unwrap_or(0);
        let more = length.saturating_sub(array.len());
        if more == 0 {
            return Ok(());
        }
        let each = compare::weight(&item).saturating_add(size_of::<Dynamic>());
        let bytes = more.saturating_mul(each);
        meter::reserve(bytes)?;
        meter::charge_bytes(bytes)?;
        array.resize(length, item);
        Ok(())
    }

    /// Removes the last item and gives it; `()` where there is none.
    pub fn pop(array: &mut Array) -> Dynamic {
        array.pop().unwrap_or_default()
    }

    /// Removes the first item and gives it; `()` where there is none.
    #[rhai_fn(return_raw)]
    pub fn shift(array: &mut Array) -> Outcome<Dynamic> {
        remove(array, 0)
    }

    /// Removes the item at an index and gives it; `()` where there is none.
    #[rhai_fn(return_raw)]
    pub fn remove(array: &mut Array, index: i64) -> Outcome<Dynamic> {
        let length = i64::try_from(array.len()).unwrap_or(i64::MAX);
        if index >= length || index < -length {
            return Ok(Dynamic::UNIT);
        }
        let at = span(array.len(), index, 0).start;
        moving(array.len() - at)?;
        Ok(array.remove(at))
    }

    /// Removes all items.
    pub fn clear(array: &mut Array) {
        array.clear();
    }

    /// Removes the items behind the first `len`.
    pub fn truncate(array: &mut Array, len: i64) {
        array.truncate(usize::try_from(len.max(0)).unwrap_or(usize::MAX));
    }

    /// Removes the items before the last `len`.
    #[rhai_fn(return_raw)]
    pub fn chop(array: &mut Array, len: i64) -> Outcome<()> {
        let left = usize::try_from(len.max(0)).unwrap_or(usize::MAX);
        moving(array.len())?;
        array.drain(..array.len().saturating_sub(left));
        Ok(())
    }

    /// Turns the order of the items around.
    #[rhai_fn(return_raw)]
    pub fn reverse(array: &mut Array) -> Outcome<()> {
        moving(array.len())?;
        array.reverse();
        Ok(())
    }

    /// Replaces a range of items by others.
    #[rhai_fn(name = "splice", return_raw)]
    pub fn splice_range(array: &mut Array, range: Range<i64>, replace: Array) -> Outcome<()> {
        let (start, len) = bounds(&range);
        splice(array, start, len, replace)
    }

    /// Replaces a range of items by others.
    #[rhai_fn(name = "splice", return_raw)]
    pub fn splice_inclusive_range(
        array: &mut Array,
        range: RangeInclusive<i64>,
        replace: Array,
    ) -> Outcome<()> {
        let (start, len) = inclusive_bounds(&range);
        splice(array, start, len, replace)
    }

    /// Replaces `len` items from `start` by others.
    #[rhai_fn(name = "splice", return_raw)]
    pub fn splice(array: &mut Array, start: i64, len: i64, replace: Array) -> Outcome<()> {
        let part = span(array.len(), start, len);
        super::replace(array, part, replace)
    }

    /// A copy of a range of items.
    #[rhai_fn(name = "extract", return_raw, pure)]
    pub fn extract_range(array: &mut Array, range: Range<i64>) -> Outcome<Array> {
        let (start, len) = bounds(&range);
        extract(array, start, len)
    }

    /// A copy of a range of items.
    #[rhai_fn(name = "extract", return_raw, pure)]
    pub fn extract_inclusive_range(
        array: &mut Array,
        range: RangeInclusive<i64>,
    ) -> Outcome<Array> {
        let (start, len) = inclusive_bounds(&range);
        extract(array, start, len)
    }

    /// A copy of `len` items from `start`.
    #[rhai_fn(return_raw, pure)]
    pub fn extract(array: &mut Array, start: i64, len: i64) -> Outcome<Array> {
        copies(&array[span(array.len(), start, len)])
    }

    /// A copy of the items from `start` to the end.
    #[rhai_fn(name = "extract", return_raw, pure)]
    pub fn extract_tail(array: &mut Array, start: i64) -> Outcome<Array> {
        extract(array, start, i64::MAX)
    }

    /// Removes the items from `index` to the end and gives them.
    #[rhai_fn(name = "split", return_raw)]
    pub fn split_at(array: &mut Array, index: i64) -> Outcome<Array> {
        let part = span(array.len(), index, i64::MAX);
        cut(array, part)
    }

    /// Calls a function with each item as `this`, and its index where it takes a parameter.
    #[rhai_fn(return_raw)]
    pub fn for_each(ctx: NativeCallContext, array: &mut Array, map: FnPtr) -> Outcome<()> {
        let mut callback = Callback::on_this("for_each", &ctx, map);
        for (at, item) in array.iter_mut().enumerate() {
            drop(callback.call(item, at)?);
        }
        Ok(())
    }

    /// What the function gives for each item.
    #[rhai_fn(return_raw, pure)]
    pub fn map(ctx: NativeCallContext, array: &mut Array, map: FnPtr) -> Outcome<Array> {
        let mut callback = Callback::new("map", &ctx, map);
        let mut result = with_room(array.len())?;
        for (at, item) in array.iter_mut().enumerate() {
            result.push(callback.call(item, at)?);
        }
        Ok(result)
    }

    /// Copies of the items that the function accepts.
    #[rhai_fn(return_raw, pure)]
    pub fn filter(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<Array> {
        let mut callback = Callback::new("filter", &ctx, filter);
        let mut result = Array::new();
        for (at, item) in array.iter_mut().enumerate() {
            if is_true(&callback.call(item, at)?) {
                growing(&result, 1)?;
                result.push(copied(item)?);
            }
        }
        Ok(result)
    }

    /// Whether an item is equal to the value.
    #[rhai_fn(return_raw, pure)]
    pub fn contains(array: &mut Array, value: Dynamic) -> Outcome<bool> {
        Ok(position(array, &value, 0)?.is_some())
    }

    /// The index of the first item equal to the value, or -1.
    #[rhai_fn(return_raw, pure)]
    pub fn index_of(array: &mut Array, value: Dynamic) -> Outcome<i64> {
        position(array, &value, 0).map(found)
    }

    /// The index of the first item from `start` that is equal to the value, or -1.
    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_starting_from(array: &mut Array, value: Dynamic, start: i64) -> Outcome<i64> {
        position(array, &value, start).map(found)
    }

    /// The index of the first item that the function accepts, or -1.
    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_filter(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Outcome<i64> {
        index_of_filter_starting_from(ctx, array, filter, 0)
    }

    /// The index of the first item from `start` that the function accepts, or -1.
    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_filter_starting_from(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
        start: i64,
    ) -> Outcome<i64> {
        accepted(Callback::new("index_of", &ctx, filter), array, start).map(found)
    }

    /// A copy of the first item that the function accepts, or `()`.
    #[rhai_fn(return_raw, pure)]
    pub fn find(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<Dynamic> {
        find_starting_from(ctx, array, filter, 0)
    }

    /// A copy of the first item from `start` that the function accepts, or `()`.
    #[rhai_fn(name = "find", return_raw, pure)]
    pub fn find_starting_from(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
        start: i64,
    ) -> Outcome<Dynamic> {
        match accepted(Callback::new("find", &ctx, filter), array, start)? {
            Some(at) => copied(&array[at]),
            None => Ok(Dynamic::UNIT),
        }
    }

    /// The first answer of the function that is not `()`.
    #[rhai_fn(return_raw, pure)]
    pub fn find_map(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<Dynamic> {
        find_map_starting_from(ctx, array, filter, 0)
    }

    /// The first answer of the function that is not `()`, from the item at `start`.
    #[rhai_fn(name = "find_map", return_raw, pure)]
    pub fn find_map_starting_from(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
        start: i64,
    ) -> Outcome<Dynamic> {
        let mut callback = Callback::new("find_map", &ctx, filter);
        for at in span(array.len(), start, i64::MAX) {
            let answer = callback.call(&mut array[at], at)?;
            if !answer.is_unit() {
                return Ok(answer);
            }
        }
        Ok(Dynamic::UNIT)
    }

    /// Whether the function accepts an item.
    #[rhai_fn(return_raw, pure)]
    pub fn some(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<bool> {
        Ok(accepted(Callback::new("some", &ctx, filter), array, 0)?.is_some())
    }

    /// Whether the function accepts every item.
    #[rhai_fn(return_raw, pure)]
    pub fn all(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<bool> {
        let mut callback = Callback::new("all", &ctx, filter);
        for (at, item) in array.iter_mut().enumerate() {
            if !is_true(&callback.call(item, at)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes an item that is equal to the one before it; a function is equal to nothing.
    #[rhai_fn(return_raw)]
    pub fn dedup(array: &mut Array) -> Outcome<()> {
        dedup_with(array, |before, item| match compare::equal(before, item) {
            Err(_) if meter::killed().is_none() => Ok(false),
            answer => answer,
        })
    }

    /// Removes an item that the function calls the same as the one before it.
    #[rhai_fn(name = "dedup", return_raw)]
    pub fn dedup_by_comparer(
        ctx: NativeCallContext,
        array: &mut Array,
        comparer: FnPtr,
    ) -> Outcome<()> {
        dedup_with(array, |before, item| {
            let arguments = [copied(before)?, copied(item)?];
            Ok(is_true(&comparer.call_raw(&ctx, None, arguments)?))
        })
    }

    /// What the function makes of the result so far, `()` at first, and each item.
    #[rhai_fn(return_raw, pure)]
    pub fn reduce(ctx: NativeCallContext, array: &mut Array, reducer: FnPtr) -> Outcome<Dynamic> {
        reduce_with_initial(ctx, array, reducer, Dynamic::UNIT)
    }

    /// What the function makes of the result so far, `initial` at first, and each item.
    #[rhai_fn(name = "reduce", return_raw, pure)]
    pub fn reduce_with_initial(
        ctx: NativeCallContext,
        array: &mut Array,
        reducer: FnPtr,
        initial: Dynamic,
    ) -> Outcome<Dynamic> {
        let mut callback = Callback::new("reduce", &ctx, reducer);
        array
            .iter_mut()
            .enumerate()
            .try_fold(initial, |result, (at, item)| callback.call_with(item, [result], [index(at)]))
    }

    /// As `reduce`, from the last item to the first.
    #[rhai_fn(return_raw, pure)]
    pub fn reduce_rev(
        ctx: NativeCallContext,
        array: &mut Array,
        reducer: FnPtr,
    ) -> Outcome<Dynamic> {
        reduce_rev_with_initial(ctx, array, reducer, Dynamic::UNIT)
    }

    /// As `reduce`, from the last item to the first.
    #[rhai_fn(name = "reduce_rev", return_raw, pure)]
    pub fn reduce_rev_with_initial(
        ctx: NativeCallContext,
        array: &mut Array,
        reducer: FnPtr,
        initial: Dynamic,
    ) -> Outcome<Dynamic> {
        let mut callback = Callback::new("reduce_rev", &ctx, reducer);
        array
            .iter_mut()
            .enumerate()
            .rev()
            .try_fold(initial, |result, (at, item)| callback.call_with(item, [result], [index(at)]))
    }

    /// What the function makes of the items of both arrays, pair by pair.
    #[rhai_fn(return_raw, pure)]
    pub fn zip(
        ctx: NativeCallContext,
        array1: &mut Array,
        array2: Array,
        map: FnPtr,
    ) -> Outcome<Array> {
        let mut callback = Callback::on_pairs("zip", &ctx, map);
        let mut result = with_room(array1.len().min(array2.len()))?;
        for (at, (left, mut right)) in array1.iter().zip(array2).enumerate() {
            result.push(callback.call_with(&mut right, [copied(left)?], [index(at)])?);
        }
        Ok(result)
    }

    /// Sorts by a function that says how two items compare.
    #[rhai_fn(name = "sort", name = "sort_by", return_raw)]
    pub fn sort_by(ctx: NativeCallContext, array: &mut Array, comparer: FnPtr) -> Outcome<()> {
        sort_by_callback(&ctx, array, &comparer)
    }

    /// Sorts from the smallest to the largest.
    #[rhai_fn(return_raw)]
    pub fn sort(array: &mut Array) -> Outcome<()> {
        sort_by_value(array, false)
    }

    /// Sorts from the largest to the smallest.
    #[rhai_fn(return_raw)]
    pub fn sort_desc(array: &mut Array) -> Outcome<()> {
        sort_by_value(array, true)
    }

    /// A copy, sorted by a function that says how two items compare.
    #[rhai_fn(name = "order", name = "order_by", return_raw, pure)]
    pub fn order_by(ctx: NativeCallContext, array: &mut Array, comparer: FnPtr) -> Outcome<Array> {
        let mut array = copies(array)?;
        sort_by_callback(&ctx, &mut array, &comparer)?;
        Ok(array)
    }

    /// A copy, sorted from the smallest to the largest.
    #[rhai_fn(return_raw, pure)]
    pub fn order(array: &mut Array) -> Outcome<Array> {
        let mut array = copies(array)?;
        sort_by_value(&mut array, false)?;
        Ok(array)
    }

    /// A copy, sorted from the largest to the smallest.
    #[rhai_fn(return_raw, pure)]
    pub fn order_desc(array: &mut Array) -> Outcome<Array> {
        let mut array = copies(array)?;
        sort_by_value(&mut array, true)?;
        Ok(array)
    }

    /// Removes the items that the function accepts and gives them.
    #[rhai_fn(return_raw)]
    pub fn drain(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<Array> {
        let verdicts = judge(Callback::new("drain", &ctx, filter), array)?;
        take_out(array, &verdicts, true)
    }

    /// Removes a range of items and gives them.
    #[rhai_fn(name = "drain", return_raw)]
    pub fn drain_exclusive_range(array: &mut Array, range: Range<i64>) -> Outcome<Array> {
        let (start, len) = bounds(&range);
        drain_range(array, start, len)
    }

    /// Removes a range of items and gives them.
    #[rhai_fn(name = "drain", return_raw)]
    pub fn drain_inclusive_range(array: &mut Array, range: RangeInclusive<i64>) -> Outcome<Array> {
        let (start, len) = inclusive_bounds(&range);
        drain_range(array, start, len)
    }

    /// Removes `len` items from `start` and gives them.
    #[rhai_fn(name = "drain", return_raw)]
    pub fn drain_range(array: &mut Array, start: i64, len: i64) -> Outcome<Array> {
        let part = span(array.len(), start, len);
        cut(array, part)
    }

    /// Removes the items that the function does not accept and gives them.
    #[rhai_fn(return_raw)]
    pub fn retain(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Outcome<Array> {
        let verdicts = judge(Callback::new("retain", &ctx, filter), array)?;
        take_out(array, &verdicts, false)
    }

    /// Removes the items outside of a range and gives them.
    #[rhai_fn(name = "retain", return_raw)]
    pub fn retain_exclusive_range(array: &mut Array, range: Range<i64>) -> Outcome<Array> {
        let (start, len) = bounds(&range);
        retain_range(array, start, len)
    }

    /// Removes the items outside of a range and gives them.
    #[rhai_fn(name = "retain", return_raw)]
    pub fn retain_inclusive_range(array: &mut Array, range: RangeInclusive<i64>) -> Outcome<Array> {
        let (start, len) = inclusive_bounds(&range);
        retain_range(array, start, len)
    }

    /// Removes the items outside of `len` items from `start` and gives them.
    #[rhai_fn(name = "retain", return_raw)]
    pub fn retain_range(array: &mut Array, start: i64, len: i64) -> Outcome<Array> {
        let part = span(array.len(), start, len);
        if part.is_empty() {
            // Stock Rhai keeps everything where the range is empty.
            return Ok(Array::new());
        }
        keep(array, part)
    }

    /// Whether both arrays hold equal items.
    #[rhai_fn(name = "==", return_raw, pure)]
    pub fn equals(array1: &mut Array, array2: Array) -> Outcome<bool> {
        compare::equal_lists(array1, &array2, 0)
    }

    /// Whether the arrays differ.
    #[rhai_fn(name = "!=", return_raw, pure)]
    pub fn not_equals(array1: &mut Array, array2: Array) -> Outcome<bool> {
        compare::equal_lists(array1, &array2, 0).map(|equal| !equal)
    }
}
