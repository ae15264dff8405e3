//! Equality, order and weight of values: what `==`, `in`, `sort`, `pad` and `switch` stand on.
//!
//! Rhai's own versions recurse without a bound, call back into the engine for each element, and
//! wait for captured variables that are in use. Here every step is paid for, nesting ends at
//! [`MAX_DEPTH`], and a function or a captured variable is never looked into.

use crate::script::meter;
use crate::script::value::{Kind, MAX_DEPTH, type_label};
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Identifier, ImmutableString, Map, Position};
use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

/// What a native gives back: a value, or an error of the script or its end.
pub(crate) type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// An error that the script may catch.
#[cold]
pub(crate) fn fail<T>(message: impl Into<Dynamic>) -> Outcome<T> {
    Err(EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into())
}

/// Whether two values are equal as `==` says: integers and floats by number, a character and the
/// string of that character, arrays and maps by content.
///
/// # Errors
///
/// Two functions or two values of a host type meet, nesting is too deep, or a bound is passed.
pub(crate) fn equal(left: &Dynamic, right: &Dynamic) -> Outcome<bool> {
    equal_at(left, right, 0)
}

fn equal_at(left: &Dynamic, right: &Dynamic, depth: usize) -> Outcome<bool> {
    use Kind::{
        Array as List, Bool, Char, Float, Function, Int, Map as Fields, Other, Shared, Text, Unit,
    };
    meter::charge(1)?;
    Ok(match (Kind::of(left), Kind::of(right)) {
        (Unit, Unit) => true,
        (Bool, Bool) => left.as_bool() == right.as_bool(),
        (Int, Int) => left.as_int() == right.as_int(),
        (Int | Float, Int | Float) => nearly_equal(float(left), float(right)),
        (Char, Char) => left.as_char() == right.as_char(),
        (Char | Text, Char | Text) => with_text(left, |left| {
            with_text(right, |right| {
                Ok(left.len() == right.len() && order_text(left, right)?.is_eq())
            })
        })?,
        (List, List) => with::<Array, _>(left, |left| {
            with::<Array, _>(right, |right| equal_lists(left, right, depth))
        })?,
        (Fields, Fields) => with::<Map, _>(left, |left| {
            with::<Map, _>(right, |right| equal_maps(left, right, depth))
        })?,
        (Function, Function) => {
            return fail("functions cannot be compared; compare what they give");
        }
        (Shared, _) | (_, Shared) => return in_use(),
        (Other, Other) => return equal_others(left, right),
        _ => false,
    })
}

pub(super) fn equal_lists(left: &Array, right: &Array, depth: usize) -> Outcome<bool> {
    check_depth(depth)?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !equal_at(left, right, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn equal_maps(left: &Map, right: &Map, depth: usize) -> Outcome<bool> {
    check_depth(depth)?;
    if left.len() != right.len() {
        return Ok(false);
    }
    // Both are sorted by key, so equal maps agree entry by entry.
    for ((left_key, left), (right_key, right)) in left.iter().zip(right) {
        if left_key.len() != right_key.len()
            || order_text(left_key, right_key)?.is_ne()
            || !equal_at(left, right, depth + 1)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_others(left: &Dynamic, right: &Dynamic) -> Outcome<bool> {
    if left.type_id() != right.type_id() {
        return Ok(false);
    }
    if left.is::<Range<i64>>() {
        return with::<Range<i64>, _>(left, |left| {
            with::<Range<i64>, _>(right, |right| Ok(left == right))
        });
    }
    if left.is::<RangeInclusive<i64>>() {
        return with::<RangeInclusive<i64>, _>(left, |left| {
            with::<RangeInclusive<i64>, _>(right, |right| Ok(left == right))
        });
    }
    fail(format!("values of type `{}` cannot be compared", type_label(left)))
}

/// Rhai's equality of floats: within one part in 2^52 of the larger. Infinity equals itself here,
/// and NaN equals nothing; Rhai says `0 == NaN`.
#[expect(clippy::float_cmp, reason = "the exact case comes first, the tolerance after it")]
fn nearly_equal(left: f64, right: f64) -> bool {
    if left == right {
        return true;
    }
    let scale = if left * right == 0.0 { 1.0 } else { left.abs().max(right.abs()) };
    (left - right).abs() / scale <= f64::EPSILON
}

#[expect(clippy::cast_precision_loss, reason = "as Rhai compares an integer with a float")]
fn float(value: &Dynamic) -> f64 {
    value.as_float().or_else(|_| value.as_int().map(|int| int as f64)).unwrap_or(f64::NAN)
}

/// The order of two values, total over all that can be ordered: `()`, booleans, numbers (by value,
/// NaN last), characters and strings, arrays, maps.
///
/// # Errors
///
/// A function, a range or a host type has no order; nesting is too deep, or a bound is passed.
pub(crate) fn order(left: &Dynamic, right: &Dynamic) -> Outcome<Ordering> {
    order_at(left, right, 0)
}

fn order_at(left: &Dynamic, right: &Dynamic, depth: usize) -> Outcome<Ordering> {
    meter::charge(1)?;
    let ranks = (rank(left)?, rank(right)?);
    if ranks.0 != ranks.1 {
        return Ok(ranks.0.cmp(&ranks.1));
    }
    match Kind::of(left) {
        Kind::Bool => Ok(left.as_bool().cmp(&right.as_bool())),
        Kind::Int | Kind::Float => Ok(order_numbers(left, right)),
        Kind::Char | Kind::Text => {
            with_text(left, |left| with_text(right, |right| order_text(left, right)))
        }
        Kind::Array => with::<Array, _>(left, |left| {
            with::<Array, _>(right, |right| order_lists(left, right, depth))
        }),
        Kind::Map => with::<Map, _>(left, |left| {
            with::<Map, _>(right, |right| order_maps(left, right, depth))
        }),
        _ => Ok(Ordering::Equal),
    }
}

fn rank(value: &Dynamic) -> Outcome<u8> {
    match Kind::of(value) {
        Kind::Unit => Ok(0),
        Kind::Bool => Ok(1),
        Kind::Int | Kind::Float => Ok(2),
        Kind::Char | Kind::Text => Ok(3),
        Kind::Array => Ok(4),
        Kind::Map => Ok(5),
        Kind::Shared => in_use(),
        Kind::Function | Kind::Other => fail(format!(
            "a value of type `{}` has no order; give `sort` a function that compares",
            type_label(value)
        )),
    }
}

fn order_numbers(left: &Dynamic, right: &Dynamic) -> Ordering {
    match (left.as_int(), right.as_int()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(left), Err(_)) => order_int_float(left, float(right)),
        (Err(_), Ok(right)) => order_int_float(right, float(left)).reverse(),
        (Err(_), Err(_)) => {
            let (left, right) = (float(left), float(right));
            left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
        }
    }
}

/// Exact, unlike a comparison as floats: 2^53 and 2^53 + 1 are one float, and an order in which
/// both equal that float while they differ is none.
fn order_int_float(int: i64, float: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63, the first float above `i64::MAX`
    if float.is_nan() || float >= LIMIT {
        return Ordering::Less;
    }
    if float < -LIMIT {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let whole = float.trunc() as i64;
    int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

/// The order of two texts, paid for as far as they agree: long texts that share a long beginning
/// are what makes sorting slow.
pub(crate) fn order_text(left: &str, right: &str) -> Outcome<Ordering> {
    if std::ptr::eq(left, right) {
        return Ok(Ordering::Equal);
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let common = left.len().min(right.len());
    let (mut at, mut step) = (0, 1024);
    while at < common {
        let end = common.min(at + step);
        if at > 0 {
            meter::charge_bytes((end - at) / 8)?;
        }
        let found = left[at..end].cmp(&right[at..end]);
        if found.is_ne() {
            return Ok(found);
        }
        (at, step) = (end, (step * 2).min(1 << 20));
    }
    Ok(left.len().cmp(&right.len()))
}

fn order_lists(left: &Array, right: &Array, depth: usize) -> Outcome<Ordering> {
    check_depth(depth)?;
    for (left, right) in left.iter().zip(right) {
        let found = order_at(left, right, depth + 1)?;
        if found.is_ne() {
            return Ok(found);
        }
    }
    Ok(left.len().cmp(&right.len()))
}

fn order_maps(left: &Map, right: &Map, depth: usize) -> Outcome<Ordering> {
    check_depth(depth)?;
    for ((left_key, left), (right_key, right)) in left.iter().zip(right) {
        let mut found = order_text(left_key, right_key)?;
        if found.is_eq() {
            found = order_at(left, right, depth + 1)?;
        }
        if found.is_ne() {
            return Ok(found);
        }
    }
    Ok(left.len().cmp(&right.len()))
}

fn check_depth(depth: usize) -> Outcome<()> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    fail(format!("values nested deeper than {MAX_DEPTH} levels cannot be compared; flatten them"))
}

#[cold]
fn in_use<T>() -> Outcome<T> {
    fail("a captured variable that is in use cannot be compared; copy it before the call")
}

/// Hands the typed content of an unshared value to `action`.
fn with<T: Clone + 'static, R>(
    value: &Dynamic,
    action: impl FnOnce(&T) -> Outcome<R>,
) -> Outcome<R> {
    match value.read_lock::<T>() {
        Some(content) => action(&content),
        None => in_use(),
    }
}

/// Hands a string, or a character as a string, to `action`.
fn with_text<R>(value: &Dynamic, action: impl FnOnce(&str) -> Outcome<R>) -> Outcome<R> {
    match value.as_char() {
        Ok(c) => action(c.encode_utf8(&mut [0; 4])),
        Err(_) => with::<ImmutableString, _>(value, |text| action(text)),
    }
}

/// The header that the allocator adds to an allocation, as the meter counts it.
const ALLOCATION: usize = 16;

/// Values weighed before the answer is "too much": at 16 bytes each, half the largest memory bound.
const MAX_WEIGHED: usize = 1 << 24;

/// The bytes that a deep copy of `value` would allocate; `usize::MAX` where it is nested too deep
/// or too large to tell.
///
/// Texts weigh nothing, because copies share them; the keys of maps do not.
pub(crate) fn weight(value: &Dynamic) -> usize {
    let mut nodes = 0;
    weight_at(value, 0, &mut nodes)
}

fn weight_at(value: &Dynamic, depth: usize, nodes: &mut usize) -> usize {
    *nodes += 1;
    if depth > MAX_DEPTH || *nodes > MAX_WEIGHED {
        return usize::MAX;
    }
    let content = match Kind::of(value) {
        Kind::Array => value.as_array_ref().map(|array| {
            let own = 2 * ALLOCATION + size_of::<Array>() + size_of::<Dynamic>() * array.len();
            weight_all(own, &mut array.iter(), depth, nodes)
        }),
        Kind::Map => value.as_map_ref().map(|map| {
            let slots = if map.is_empty() { 0 } else { MAP_NODE.max(2 * map.len()) };
            let own = ALLOCATION
                + size_of::<Map>()
                + slots * (size_of::<Identifier>() + size_of::<Dynamic>())
                + map.keys().map(key_weight).sum::<usize>();
            weight_all(own, &mut map.values(), depth, nodes)
        }),
        Kind::Function => Ok(value.read_lock::<FnPtr>().map_or(0, |function| {
            let curry = function.curry();
            let own = 2 * ALLOCATION + size_of::<FnPtr>() + size_of_val(curry);
            weight_all(own, &mut curry.iter(), depth, nodes)
        })),
        Kind::Other => Ok(4 * ALLOCATION),
        _ => Ok(0),
    };
    content.unwrap_or(usize::MAX)
}

fn weight_all(
    own: usize,
    items: &mut dyn Iterator<Item = &Dynamic>,
    depth: usize,
    nodes: &mut usize,
) -> usize {
    let mut total = own;
    for item in items {
        total = total.saturating_add(weight_at(item, depth + 1, nodes));
        if total == usize::MAX {
            break;
        }
    }
    total
}

/// Entries in a node of a map, which is allocated whole and at least half full.
const MAP_NODE: usize = 12;

/// What a key takes outside of its node.
fn key_weight(key: &Identifier) -> usize {
    if key.is_inline() { 0 } else { key.len() + ALLOCATION }
}

/// The most values that a `switch` takes apart.
const MAX_SWITCH_NODES: usize = 64;
/// The deepest nesting that a `switch` takes apart.
const MAX_SWITCH_DEPTH: usize = 8;
/// The most text, in bytes, inside an array or map that a `switch` takes apart.
const MAX_SWITCH_TEXT: usize = 4 * 1024;

/// Lets a value into a `switch`, which hashes it in the engine: recursively, unpaid, and with a
/// panic on a captured variable that is in use.
///
/// # Errors
///
/// The value holds a function or a captured variable, or is too large; or a bound is passed.
pub(crate) fn switch_key(value: Dynamic) -> Outcome<Dynamic> {
    match Kind::of(&value) {
        Kind::Text => {
            let bytes = value.as_immutable_string_ref().map_or(0, |text| text.len());
            meter::charge_bytes(bytes)?;
        }
        Kind::Array | Kind::Map | Kind::Function | Kind::Shared => {
            SwitchKey::default().check(&value, 0)?;
        }
        _ => {}
    }
    Ok(value)
}

#[derive(Default)]
struct SwitchKey {
    nodes: usize,
    text: usize,
}

impl SwitchKey {
    fn check(&mut self, value: &Dynamic, depth: usize) -> Outcome<()> {
        meter::charge(1)?;
        self.nodes += 1;
        if self.nodes > MAX_SWITCH_NODES || depth > MAX_SWITCH_DEPTH {
            return fail(format!(
                "`switch` takes apart at most {MAX_SWITCH_NODES} values, nested {MAX_SWITCH_DEPTH} \
                 deep; switch on a part of the value, or use `if`"
            ));
        }
        match Kind::of(value) {
            Kind::Function => fail("`switch` cannot match a function; switch on what it gives"),
            Kind::Shared => {
                fail("`switch` cannot match a captured variable that is in use; copy it first")
            }
            Kind::Text => with_text(value, |text| self.read(text)),
            Kind::Array => with::<Array, _>(value, |array| {
                array.iter().try_for_each(|item| self.check(item, depth + 1))
            }),
            Kind::Map => with::<Map, _>(value, |map| {
                map.iter().try_for_each(|(key, item)| {
                    self.read(key)?;
                    self.check(item, depth + 1)
                })
            }),
            _ => Ok(()),
        }
    }

    fn read(&mut self, text: &str) -> Outcome<()> {
        self.text = self.text.saturating_add(text.len());
        if self.text > MAX_SWITCH_TEXT {
            return fail(format!(
                "`switch` reads at most {MAX_SWITCH_TEXT} bytes of text inside an array or map; \
                 switch on a part of the value, or use `if`"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::native::trial::{bounded, nested, stock};

    fn read(text: &str) -> Dynamic {
        stock().eval_expression(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn equality_is_that_of_the_engine() {
        let values = [
            "()",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "1.0",
            "0.0",
            "0.1 + 0.2",
            "0.3",
            "1e300",
            "9007199254740993",
            "9007199254740992.0",
            "'a'",
            "\"a\"",
            "\"\"",
            "\"ab\"",
            "[]",
            "[1]",
            "[1.0]",
            "[1, \"a\"]",
            "[[]]",
            "#{}",
            "#{a: 1}",
            "#{a: 1.0}",
            "#{b: 1}",
            "#{a: #{a: [()]}}",
            "0..1",
            "0..2",
        ];
        for left in values {
            for right in values {
                let wanted = stock()
                    .eval_expression::<bool>(&format!("({left}) == ({right})"))
                    .unwrap_or_else(|error| panic!("{left} == {right}: {error}"));
                let found = equal(&read(left), &read(right)).expect("no function is involved");
                assert_eq!(found, wanted, "{left} == {right}");
            }
        }
    }

    #[test]
    fn ranges_of_both_kinds_differ() {
        assert!(matches!(equal(&read("0..=1"), &read("0..=1")), Ok(true)));
        assert!(matches!(equal(&read("0..=1"), &read("0..2")), Ok(false)));
    }

    #[test]
    fn functions_are_not_compared() {
        let function = || Dynamic::from(FnPtr::new("f").expect("a valid name"));
        assert!(equal(&function(), &function()).is_err());
        assert!(equal(&vec![function()].into(), &vec![function()].into()).is_err());
        assert!(matches!(equal(&function(), &Dynamic::ONE), Ok(false)));
        assert!(order(&function(), &Dynamic::ONE).is_err());
    }

    #[test]
    fn a_captured_variable_is_refused_without_a_lock() {
        let shared = Dynamic::from_int(1).into_shared();
        let mut other = shared.clone();
        let guard = other.write_lock::<i64>().expect("it is an integer");
        let started = std::time::Instant::now();
        assert!(equal(&shared, &Dynamic::ONE).is_err());
        assert!(order(&shared, &Dynamic::ONE).is_err());
        assert!(switch_key(shared.clone()).is_err());
        assert_eq!(weight(&shared), 0);
        assert!(started.elapsed().as_millis() < 40, "no lock was waited for");
        drop(guard);
    }

    #[test]
    fn the_order_is_total() {
        let sorted = [
            "()",
            "false",
            "true",
            "-1e300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "0",
            "0.5",
            "1",
            "1.5",
            "9007199254740992.0",
            "9007199254740993",
            "9223372036854775807",
            "1e19",
            "1.0 / 0.0",
            "0.0 / 0.0",
            "\"\"",
            "'a'",
            "\"ab\"",
            "\"b\"",
            "\"é\"",
            "[]",
            "[0]",
            "[0, 1]",
            "[1]",
            "[[]]",
            "#{}",
            "#{a: 1}",
            "#{a: 1, b: 1}",
            "#{a: 2}",
            "#{b: 0}",
        ];
        for (at, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                let found = order(&read(left), &read(right)).expect("all have an order");
                assert_eq!(found, at.cmp(&other), "{left} <=> {right}");
            }
        }
        assert!(order(&read("0.0"), &read("-0.0")).expect("numbers").is_eq());
        assert!(order(&read("1"), &read("1.0")).expect("numbers").is_eq());
    }

    #[test]
    fn deep_values_are_refused() {
        assert!(equal(&nested(100), &nested(100)).expect("within the bound"));
        for depth in [200, 2_000] {
            assert!(equal(&nested(depth), &nested(depth)).is_err());
            assert!(order(&nested(depth), &nested(depth)).is_err());
            assert!(switch_key(nested(depth)).is_err());
            assert_eq!(weight(&nested(depth)), usize::MAX);
        }
    }

    #[test]
    fn a_shared_text_is_not_compared_with_itself() {
        let text = Dynamic::from("x".repeat(1 << 20));
        let many = Dynamic::from_array(vec![text.clone(); 10_000]);
        let (result, spent) = bounded(|| equal(&many, &many.clone()));
        assert!(result.expect("within bounds"));
        assert!(spent.operations < 20_000, "{spent:?}");
    }

    #[test]
    fn equal_long_texts_are_paid_for() {
        let left = Dynamic::from("x".repeat(1 << 20));
        let right = Dynamic::from("x".repeat(1 << 20));
        let (result, spent) = bounded(|| equal(&left, &right));
        assert!(result.expect("within bounds"));
        assert!(spent.operations > 1_000, "{spent:?}");
    }

    #[test]
    fn weight_is_near_what_a_copy_takes() {
        for text in [
            "[1, 2, 3, [4, 5, \"text\"], 0..3]",
            "#{a: 1, b: [], a_key_that_is_longer_than_twenty_three_bytes: #{c: 1}}",
            "[[], [], [[]], #{}]",
        ] {
            let value = read(text);
            let (copy, spent) = bounded(|| value.clone());
            let (taken, told) =
                (usize::try_from(spent.left_behind).expect("small"), weight(&value));
            assert!(told >= taken / 2 && told <= taken * 2 + 64, "{text}: {told} for {taken}");
            drop(copy);
        }
        assert_eq!(weight(&Dynamic::from("x".repeat(1000))), 0);
    }

    #[test]
    fn switch_takes_small_values_only() {
        for text in ["1", "()", "'a'", "\"text\"", "0..3", "[1, [2, \"a\"]]", "#{a: [1]}", "1.5"] {
            assert!(switch_key(read(text)).is_ok(), "{text}");
        }
        assert!(switch_key("x".repeat(1 << 20).into()).is_ok());
        assert!(switch_key(vec![Dynamic::UNIT; 63].into()).is_ok());
        assert!(switch_key(vec![Dynamic::UNIT; 64].into()).is_err());
        assert!(switch_key(vec![Dynamic::from("x".repeat(5_000))].into()).is_err());
        assert!(switch_key(nested(8)).is_ok());
        assert!(switch_key(nested(9)).is_err());
        let function = Dynamic::from(FnPtr::new("f").expect("a valid name"));
        assert!(switch_key(function.clone()).is_err());
        assert!(switch_key(vec![function].into()).is_err());
    }
}
