//! Distinct values, found by hash: what counting, grouping and set operations stand on.
//!
//! Values are told apart as by `==`, except that numbers are compared exactly. The hash is a fast
//! one with random keys, which a script cannot see; should values collide all the same, every
//! further comparison is paid for. Results never depend on it.

use super::hash::Hash;
use crate::script::host::text::work::{Pace, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::{self, Outcome};
use crate::script::value::{Kind, MAX_DEPTH};
use rhai::Dynamic;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasherDefault, Hasher};

/// No further value with this hash.
const END: usize = usize::MAX;

/// Passes a hash through: the keys of the table are hashes already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {
        // Only whole hashes are ever written.
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One distinct value, and the next one that has its hash.
struct Entry<'a> {
    value: &'a Dynamic,
    next: usize,
}

/// Distinct values in the order in which they were seen first.
pub(super) struct Index<'a> {
    entries: Vec<Entry<'a>>,
    heads: HashMap<u64, usize, BuildHasherDefault<Same>>,
    empty: Hash,
    pace: Pace,
}

impl<'a> Index<'a> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            heads: HashMap::default(),
            empty: Hash::random(),
            pace: Pace::default(),
        }
    }

    /// An index of all values of a list.
    pub(super) fn of(list: &'a [Dynamic]) -> Outcome<Self> {
        let mut index = Self::new();
        for value in list {
            index.place(value)?;
        }
        Ok(index)
    }

    /// The distinct values.
    pub(super) fn values(&self) -> impl Iterator<Item = &'a Dynamic> {
        self.entries.iter().map(|entry| entry.value)
    }

    /// The number of a value among the distinct ones; the count grows where it is a new one.
    pub(super) fn place(&mut self, value: &'a Dynamic) -> Outcome<usize> {
        let hash = self.hash(value)?;
        let new = self.entries.len();
        let next = match self.heads.entry(hash) {
            Slot::Occupied(mut slot) => {
                let head = *slot.get();
                if let Some(found) = follow(&self.entries, &mut self.pace, head, value)? {
                    return Ok(found);
                }
                slot.insert(new);
                head
            }
            Slot::Vacant(slot) => {
                slot.insert(new);
                END
            }
        };
        if new == self.entries.capacity() {
            // The table of hashes grows with the entries.
            let bytes = size_of::<Entry>() + 2 * size_of::<(u64, usize)>();
            meter::reserve(new.saturating_mul(2).max(4).saturating_mul(bytes))?;
        }
        self.entries.push(Entry { value, next });
        Ok(new)
    }

    /// Whether a value is among them.
    pub(super) fn contains(&mut self, value: &Dynamic) -> Outcome<bool> {
        let hash = self.hash(value)?;
        match self.heads.get(&hash) {
            Some(&head) => Ok(follow(&self.entries, &mut self.pace, head, value)?.is_some()),
            None => Ok(false),
        }
    }

    fn hash(&mut self, value: &Dynamic) -> Outcome<u64> {
        let mut hash = self.empty;
        hash_into(&mut hash, value, &mut self.pace, 0)?;
        Ok(hash.finish())
    }
}

/// The value among those of one hash, from `at` on.
fn follow(
    entries: &[Entry<'_>],
    pace: &mut Pace,
    mut at: usize,
    value: &Dynamic,
) -> Outcome<Option<usize>> {
    while let Some(entry) = entries.get(at) {
        if is_same(entry.value, value)? {
            return Ok(Some(at));
        }
        pace.pay(1)?;
        at = entry.next;
    }
    Ok(None)
}

/// Whether two values are one: exactly, for numbers.
#[expect(clippy::float_cmp, reason = "values that differ at all are distinct")]
fn is_same(left: &Dynamic, right: &Dynamic) -> Outcome<bool> {
    match (Kind::of(left), Kind::of(right)) {
        (Kind::Text, Kind::Text) => {
            match (left.as_immutable_string_ref(), right.as_immutable_string_ref()) {
                (Ok(left), Ok(right)) if left.len() != right.len() => Ok(false),
                // Short texts were paid for with their hash.
                (Ok(left), Ok(right)) if left.len() < 64 => Ok(*left == *right),
                (Ok(left), Ok(right)) => Ok(compare::order_text(&left, &right)?.is_eq()),
                _ => Err(unreadable("list")),
            }
        }
        (Kind::Int, Kind::Int) => Ok(left.as_int() == right.as_int()),
        (Kind::Float, Kind::Float) => match (left.as_float(), right.as_float()) {
            (Ok(left), Ok(right)) => Ok(left == right || (left.is_nan() && right.is_nan())),
            _ => Ok(false),
        },
        (Kind::Int | Kind::Float, Kind::Int | Kind::Float) => {
            Ok(compare::order(left, right)?.is_eq())
        }
        _ => compare::equal(left, right),
    }
}

/// Adds to a hash what tells a value apart, in such a way that equal values add the same.
fn hash_into(hash: &mut Hash, value: &Dynamic, pace: &mut Pace, depth: usize) -> Outcome<()> {
    match Kind::of(value) {
        Kind::Text => {
            let text = value.as_immutable_string_ref().map_err(|_| unreadable("list"))?;
            pace.touch(text.len())?;
            hash.bytes(text.as_bytes());
            return Ok(());
        }
        Kind::Char => {
            let mut buffer = [0; 4];
            hash.bytes(value.as_char().unwrap_or_default().encode_utf8(&mut buffer).as_bytes());
        }
        Kind::Int => hash.number(value.as_int().unwrap_or_default().cast_unsigned()),
        Kind::Float => hash.number(float_bits(value.as_float().unwrap_or_default())),
        Kind::Bool => hash.number(u64::from(value.as_bool().unwrap_or_default())),
        Kind::Array | Kind::Map if depth >= MAX_DEPTH => {
            return Err(refuse(format!(
                "values nested deeper than {MAX_DEPTH} levels cannot be compared; flatten them"
            )));
        }
        Kind::Array => {
            let list = value.as_array_ref().map_err(|_| unreadable("list"))?;
            hash.number(list.len() as u64);
            for item in list.iter() {
                hash_into(hash, item, pace, depth + 1)?;
            }
        }
        Kind::Map => {
            let map = value.as_map_ref().map_err(|_| unreadable("list"))?;
            hash.number(map.len() as u64);
            for (key, item) in map.iter() {
                pace.touch(key.len())?;
                hash.bytes(key.as_bytes());
                hash_into(hash, item, pace, depth + 1)?;
            }
        }
        // The comparison that follows decides on these.
        Kind::Unit | Kind::Function | Kind::Shared | Kind::Other => hash.number(0),
    }
    pace.pay(1)
}

/// A whole number hashes as the integer that it equals.
#[expect(clippy::cast_possible_truncation, reason = "whole numbers within bounds only")]
#[expect(clippy::float_cmp, reason = "whether a number is whole is an exact question")]
fn float_bits(number: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63, the first float above `i64::MAX`
    if number.trunc() == number && (-LIMIT..LIMIT).contains(&number) {
        (number as i64).cast_unsigned()
    } else if number.is_nan() {
        f64::NAN.to_bits()
    } else {
        number.to_bits()
    }
}
