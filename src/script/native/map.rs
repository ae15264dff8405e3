//! What scripts do with maps.
//!
//! Keys are the memory that hides: they are copied with the map, unlike texts, and `keys` copies
//! them again. So every function here pays for the keys it touches, and comparing, `to_json` and
//! the callbacks go through the bounded versions.

use crate::limit::Limit;
use crate::script::meter;
use crate::script::native::callback::{Callback, copied, is_true};
use crate::script::native::compare::{self, Outcome, fail};
use crate::script::value::{self, Budget, Refusal};
use rhai::plugin::*;
use rhai::{Array, FnPtr, Map};
use std::mem;

/// The bytes of one entry in a map's node, counted as if the node were half full.
const ENTRY: usize = 96;

/// Pays for finding a key: the keys on the way may share a long beginning with it.
fn finding(key: &str) -> Outcome<()> {
    meter::charge_bytes(key.len())
}

/// A key as a value.
fn key_value(key: &str) -> Outcome<Dynamic> {
    meter::charge_bytes(key.len())?;
    meter::reserve(key.len() + ENTRY)?;
    Ok(key.into())
}

/// Pays for moving all entries of `map` into another map.
fn merging(map: &Map) -> Outcome<()> {
    let keys: usize = map.keys().map(|key| key.len()).sum();
    meter::charge(map.len() as u64)?;
    meter::charge_bytes(keys)?;
    meter::reserve(map.len() * ENTRY)
}

/// What the callback says of each entry, asked before anything moves.
fn judge(mut callback: Callback<'_>, map: &mut Map) -> Outcome<Vec<bool>> {
    meter::reserve(map.len())?;
    let mut verdicts = Vec::with_capacity(map.len());
    for (key, item) in map.iter_mut() {
        verdicts.push(is_true(&callback.call_with(item, [key_value(key)?], [])?));
    }
    Ok(verdicts)
}

/// Moves the entries whose verdict is `wanted` out of the map.
fn take_out(map: &mut Map, verdicts: &[bool], wanted: bool) -> Outcome<Map> {
    meter::charge(map.len() as u64)?;
    meter::reserve(map.len() * ENTRY)?;
    let mut taken = Map::new();
    let mut left = Map::new();
    for ((key, item), &verdict) in mem::take(map).into_iter().zip(verdicts) {
        if verdict == wanted { &mut taken } else { &mut left }.insert(key, item);
    }
    *map = left;
    Ok(taken)
}

#[export_module]
#[expect(clippy::unwrap_used, reason = "the macro writes `unwrap` where the types are known")]
pub(super) mod natives {
    /// The number of entries.
    #[rhai_fn(pure)]
    pub fn len(map: &mut Map) -> i64 {
        i64::try_from(map.len()).unwrap_or(i64::MAX)
    }

    /// Whether there is no entry.
    #[rhai_fn(pure)]
    pub fn is_empty(map: &mut Map) -> bool {
        map.is_empty()
    }

    /// Whether there is an entry of that name.
    #[rhai_fn(return_raw, pure)]
    pub fn contains(map: &mut Map, property: &str) -> Outcome<bool> {
        finding(property)?;
        Ok(map.contains_key(property))
    }

    /// A copy of the value of that name, or `()`.
    #[rhai_fn(return_raw, pure)]
    pub fn get(map: &mut Map, property: &str) -> Outcome<Dynamic> {
        finding(property)?;
        map.get(property).map_or(Ok(Dynamic::UNIT), copied)
    }

    /// Sets the value of that name.
    #[rhai_fn(return_raw)]
    pub fn set(map: &mut Map, property: &str, value: Dynamic) -> Outcome<()> {
        finding(property)?;
        meter::reserve(property.len() + ENTRY)?;
        map.insert(property.into(), value);
        Ok(())
    }

    /// Removes all entries.
    pub fn clear(map: &mut Map) {
        map.clear();
    }

    /// Removes the value of that name and gives it; `()` where there is none.
    #[rhai_fn(return_raw)]
    pub fn remove(map: &mut Map, property: &str) -> Outcome<Dynamic> {
        finding(property)?;
        Ok(map.remove(property).unwrap_or_default())
    }

    /// Adds the entries of another map; its values win.
    #[rhai_fn(name = "mixin", name = "+=", return_raw)]
    pub fn mixin(map: &mut Map, map2: Map) -> Outcome<()> {
        merging(&map2)?;
        map.extend(map2);
        Ok(())
    }

    /// Both maps in one; the values of the second win.
    #[rhai_fn(name = "+", return_raw)]
    pub fn merge(map1: Map, map2: Map) -> Outcome<Map> {
        let mut map = map1;
        mixin(&mut map, map2)?;
        Ok(map)
    }

    /// Adds the entries of another map that are missing here.
    #[rhai_fn(return_raw)]
    pub fn fill_with(map: &mut Map, map2: Map) -> Outcome<()> {
        merging(&map2)?;
        for (key, item) in map2 {
            map.entry(key).or_insert(item);
        }
        Ok(())
    }

    /// Whether both maps hold equal entries.
    #[rhai_fn(name = "==", return_raw, pure)]
    pub fn equals(map1: &mut Map, map2: Map) -> Outcome<bool> {
        compare::equal_maps(map1, &map2, 0)
    }

    /// Whether the maps differ.
    #[rhai_fn(name = "!=", return_raw, pure)]
    pub fn not_equals(map1: &mut Map, map2: Map) -> Outcome<bool> {
        compare::equal_maps(map1, &map2, 0).map(|equal| !equal)
    }

    /// The names of the entries, in alphabetical order.
    #[rhai_fn(return_raw, pure)]
    pub fn keys(map: &mut Map) -> Outcome<Array> {
        meter::reserve(map.len() * size_of::<Dynamic>())?;
        let mut result = Array::with_capacity(map.len());
        for key in map.keys() {
            result.push(key_value(key)?);
        }
        Ok(result)
    }

    /// Copies of the values, in the order of `keys`.
    #[rhai_fn(return_raw, pure)]
    pub fn values(map: &mut Map) -> Outcome<Array> {
        meter::reserve(map.len() * size_of::<Dynamic>())?;
        let mut result = Array::with_capacity(map.len());
        for item in map.values() {
            meter::charge(1)?;
            result.push(copied(item)?);
        }
        Ok(result)
    }

    /// A map of what the function gives for each name and value.
    #[rhai_fn(return_raw, pure)]
    pub fn map(ctx: NativeCallContext, map: &mut Map, mapper: FnPtr) -> Outcome<Map> {
        let mut callback = Callback::new("map", &ctx, mapper);
        let mut result = Map::new();
        for (key, item) in map.iter_mut() {
            let answer = callback.call_with(item, [key_value(key)?], [])?;
            meter::reserve(key.len() + ENTRY)?;
            result.insert(key.clone(), answer);
        }
        Ok(result)
    }

    /// Copies of the entries that the function accepts.
    #[rhai_fn(return_raw, pure)]
    pub fn filter(ctx: NativeCallContext, map: &mut Map, filter: FnPtr) -> Outcome<Map> {
        let mut callback = Callback::new("filter", &ctx, filter);
        let mut result = Map::new();
        for (key, item) in map.iter_mut() {
            if is_true(&callback.call_with(item, [key_value(key)?], [])?) {
                meter::reserve(key.len() + ENTRY)?;
                result.insert(key.clone(), copied(item)?);
            }
        }
        Ok(result)
    }

    /// Removes the entries that the function accepts and gives them.
    #[rhai_fn(return_raw)]
    pub fn drain(ctx: NativeCallContext, map: &mut Map, filter: FnPtr) -> Outcome<Map> {
        let verdicts = judge(Callback::new("drain", &ctx, filter), map)?;
        take_out(map, &verdicts, true)
    }

    /// Removes the entries that the function does not accept and gives them.
    #[rhai_fn(return_raw)]
    pub fn retain(ctx: NativeCallContext, map: &mut Map, filter: FnPtr) -> Outcome<Map> {
        let verdicts = judge(Callback::new("retain", &ctx, filter), map)?;
        take_out(map, &verdicts, false)
    }

    /// The map as JSON text.
    #[rhai_fn(return_raw, pure)]
    pub fn to_json(map: &mut Map) -> Outcome<ImmutableString> {
        // The text is built in a buffer that doubles, and then copied.
        let room = meter::memory_left().map_or(MAX_JSON, |left| MAX_JSON.min(left / 3));
        match value::map_to_json_text(map, Budget::of_bytes(room)) {
            Ok(text) => Ok(text.into()),
            Err(error) => match error.reason {
                Refusal::Limit(limit) => Err(meter::kill(limit)),
                Refusal::TooManyBytes(_) | Refusal::TooManyNodes(_) => {
                    Err(meter::kill(Limit::Memory))
                }
                _ => fail(error.to_string()),
            },
        }
    }
}

/// The longest JSON text that `to_json` writes, whatever the memory bound.
const MAX_JSON: usize = 64 << 20;
