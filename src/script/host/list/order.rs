//! Sorting: keys first, one a value, then an order of indices that errors can leave at any time.

use crate::script::host::text::work::{Pace, a_type, array, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::{self, Outcome};
use crate::script::value::Kind;
use rhai::{Array, Dynamic, FnPtr, ImmutableString, NativeCallContext};
use std::cmp::Ordering;

/// Which values come first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::script::host) enum Direction {
    Ascending,
    Descending,
}

/// What a value is sorted, grouped or found by.
pub(super) enum Key {
    /// The field of that name; the values are maps.
    Field(ImmutableString),
    /// What a function gives for it.
    Closure(FnPtr),
}

impl Key {
    /// Reads the argument `value` of `function`.
    pub(super) fn new(function: &str, value: Dynamic) -> Outcome<Self> {
        match Kind::of(&value) {
            Kind::Text => {
                value.into_immutable_string().map(Self::Field).map_err(|_| unreadable("key"))
            }
            Kind::Function => value.try_cast().map(Self::Closure).ok_or_else(|| unreadable("key")),
            _ => Err(refuse(format!(
                "{function}: `key` is {}; write the name of a field, such as \"name\", or a \
                 function, such as |item| item.len()",
                a_type(&value)
            ))),
        }
    }

    /// The key of the value at `index`.
    pub(super) fn of(
        &self,
        context: &NativeCallContext,
        pace: &mut Pace,
        index: usize,
        value: &Dynamic,
    ) -> Outcome<Dynamic> {
        match self {
            Self::Closure(function) => {
                let argument = pace.copy(value)?;
                function.call_raw(context, None, [argument])
            }
            Self::Field(name) => field(context.fn_name(), pace, index, value, name),
        }
    }

    /// The keys of all values.
    pub(super) fn of_all(&self, context: &NativeCallContext, list: &Array) -> Outcome<Array> {
        let mut pace = Pace::default();
        let mut keys = array(list.len())?;
        for (index, value) in list.iter().enumerate() {
            let key = self.of(context, &mut pace, index, value)?;
            keys.push(key);
        }
        Ok(keys)
    }
}

/// The field `name` of the map at `index`, or `()`.
pub(super) fn field(
    function: &str,
    pace: &mut Pace,
    index: usize,
    value: &Dynamic,
    name: &str,
) -> Outcome<Dynamic> {
    let map = match Kind::of(value) {
        Kind::Map => value.as_map_ref().map_err(|_| unreadable("list"))?,
        _ => {
            return Err(refuse(format!(
                "list::{function}: value {index} is {}, which has no field `{}`; give a list of \
                 maps",
                a_type(value),
                crate::script::value::prefix(name, 40)
            )));
        }
    };
    // Looking a name up compares it with a few of the map's.
    pace.touch(name.len().saturating_mul(4))?;
    map.get(name).map_or(Ok(Dynamic::UNIT), |value| pace.copy(value))
}

/// The indices of `keys` in the order of the keys. Equal keys stay in the order they had.
pub(in crate::script::host) fn sorted(
    keys: &[Dynamic],
    direction: Direction,
) -> Outcome<Vec<usize>> {
    let directed = |found: Ordering| match direction {
        Direction::Ascending => found,
        Direction::Descending => found.reverse(),
    };
    let mut pace = Pace::default();
    if keys.iter().all(|key| Kind::of(key) == Kind::Int) {
        meter::reserve(keys.len().saturating_mul(size_of::<i64>()))?;
        let keys: Vec<i64> = keys.iter().map(|key| key.as_int().unwrap_or_default()).collect();
        // Integers are compared much faster than an operation takes.
        let mut compared = 0_u32;
        return sorted_with(keys.len(), |left, right| {
            compared = compared.wrapping_add(1);
            pace.pay(u64::from(compared.is_multiple_of(16)))?;
            Ok(directed(keys[left].cmp(&keys[right])))
        });
    }
    if keys.iter().all(|key| Kind::of(key) == Kind::Text) {
        meter::reserve(keys.len().saturating_mul(size_of::<ImmutableString>()))?;
        let keys: Vec<ImmutableString> = keys
            .iter()
            .map(|key| key.as_immutable_string_ref().map(|text| text.clone()).unwrap_or_default())
            .collect();
        return sorted_with(keys.len(), |left, right| {
            pace.pay(1)?;
            let (left, right) = (keys[left].as_str(), keys[right].as_str());
            if left.len().min(right.len()) < 64 {
                return Ok(directed(left.cmp(right)));
            }
            Ok(directed(compare::order_text(left, right)?))
        });
    }
    sorted_with(keys.len(), |left, right| compare::order(&keys[left], &keys[right]).map(directed))
}

/// Runs of this length are sorted by insertion.
const RUN: usize = 8;

/// The indices below `length` in the order that `compare` tells: a merge sort, which needs no
/// total order to end, and which an error leaves at once.
fn sorted_with(
    length: usize,
    mut compare: impl FnMut(usize, usize) -> Outcome<Ordering>,
) -> Outcome<Vec<usize>> {
    meter::charge_bytes(length.saturating_mul(2 * size_of::<usize>()))?;
    meter::reserve(length.saturating_mul(2 * size_of::<usize>()))?;
    let mut order: Vec<usize> = (0..length).collect();
    for run in order.chunks_mut(RUN) {
        for end in 1..run.len() {
            let mut at = end;
            while at > 0 && compare(run[at - 1], run[at])?.is_gt() {
                run.swap(at - 1, at);
                at -= 1;
            }
        }
    }
    let (mut merged, mut width) = (order.clone(), RUN);
    while width < length {
        meter::charge_bytes(length.saturating_mul(size_of::<usize>()))?;
        for (run, target) in order.chunks(2 * width).zip(merged.chunks_mut(2 * width)) {
            merge(run.split_at(width.min(run.len())), target, &mut compare)?;
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    Ok(order)
}

/// Merges two sorted runs into `target`.
fn merge(
    (mut left, mut right): (&[usize], &[usize]),
    target: &mut [usize],
    compare: &mut impl FnMut(usize, usize) -> Outcome<Ordering>,
) -> Outcome<()> {
    if let (Some(&last), [first, ..]) = (left.last(), right)
        && compare(last, *first)?.is_le()
    {
        // They follow each other already, as in a list that was sorted before.
        target[..left.len()].copy_from_slice(left);
        target[left.len()..].copy_from_slice(right);
        return Ok(());
    }
    for slot in target {
        let is_left = match (left.first(), right.first()) {
            (Some(&a), Some(&b)) => compare(a, b)?.is_le(),
            (first, _) => first.is_some(),
        };
        let source = if is_left { &mut left } else { &mut right };
        if let [first, rest @ ..] = *source {
            *slot = *first;
            *source = rest;
        }
    }
    Ok(())
}

/// The values of `list` at those places.
pub(in crate::script::host) fn picked(
    list: &Array,
    places: impl ExactSizeIterator<Item = usize>,
) -> Outcome<Array> {
    let mut pace = Pace::default();
    let mut result = array(places.len())?;
    for place in places {
        if let Some(value) = list.get(place) {
            result.push(pace.copy(value)?);
        }
    }
    Ok(result)
}
