//! Values against types. Values are moved, never cloned, and nothing is coerced but numbers: JSON
//! has one type for them, so `1` is a float where one is asked for, and `1.0` is an int.

use super::cursor::shortened;
use super::print::{is_identifier, quoted};
use super::{
    Arguments, Field, LengthRange, MAX_MISMATCHES, MAX_VALUE_DEPTH, Mismatch, MismatchKind,
    Parameters, Type,
};
use crate::diagnostic::nearest;
use serde_json::{Map, Number, Value};

/// Characters of a type or a value that a mismatch quotes.
const SHOWN: usize = 120;
/// Characters of a text or a key that a mismatch quotes.
const SHOWN_TEXT: usize = 40;
/// Bytes up to which a name is compared with others for a did-you-mean.
const COMPARED: usize = 64;
/// Up to here every integer is a float of its own, and a float's text cannot have been rounded.
const MAX_SAFE_INT: f64 = 9_007_199_254_740_992.0;

impl Type {
    /// Checks a value and hands it back with defaults filled in and numbers converted.
    ///
    /// # Errors
    ///
    /// Every place where the value does not fit, up to [`MAX_MISMATCHES`].
    pub fn check(&self, value: Value) -> Result<Value, Vec<Mismatch>> {
        let mut checker = Checker::new();
        let value = checker.shallow(value, MAX_VALUE_DEPTH, &Path::ROOT)?;
        let value = checker.value(self, value, &Path::ROOT);
        if checker.found.is_empty() { Ok(value) } else { Err(checker.found) }
    }
}

impl Parameters {
    /// Checks the arguments of a call.
    ///
    /// # Errors
    ///
    /// Every place where an argument does not fit, up to [`MAX_MISMATCHES`].
    pub fn check(&self, mut arguments: Map<String, Value>) -> Result<Arguments, Vec<Mismatch>> {
        let mut checker = Checker::new();
        for (name, value) in &mut arguments {
            *value = checker.shallow(value.take(), MAX_VALUE_DEPTH - 1, &Path::ROOT.key(name))?;
        }
        if let Some(foreign) = self.foreign() {
            let arguments = Value::Object(arguments);
            let found = foreign.check(&arguments);
            let Value::Object(arguments) = arguments else { return Err(found) };
            return if found.is_empty() { Ok(Arguments::checked(arguments)) } else { Err(found) };
        }
        let slots = self.iter().map(|parameter| Slot {
            name: parameter.argument_name(),
            kind: &parameter.kind,
            default: parameter.default.as_ref(),
            left_out: LeftOut::Null,
        });
        let values = checker.fields(slots, arguments, &Path::ROOT);
        if checker.found.is_empty() { Ok(Arguments::checked(values)) } else { Err(checker.found) }
    }

    /// As [`Parameters::check`], for arguments that may not even be an object. Null counts as no
    /// arguments.
    ///
    /// # Errors
    ///
    /// Every place where an argument does not fit, up to [`MAX_MISMATCHES`].
    pub fn check_value(&self, arguments: Value) -> Result<Arguments, Vec<Mismatch>> {
        match arguments {
            Value::Object(map) => self.check(map),
            Value::Null => self.check(Map::new()),
            other => {
                let mut checker = Checker::new();
                let other = checker.shallow(other, MAX_VALUE_DEPTH, &Path::ROOT)?;
                checker.found.push(Mismatch {
                    kind: MismatchKind::Type,
                    path: String::new(),
                    expected: "object".to_owned(),
                    got: described(&other),
                    help: Some("write `{ \"name\": value }`".to_owned()),
                });
                Err(checker.found)
            }
        }
    }
}

/// What becomes of a field that was left out and has no default.
#[derive(Clone, Copy)]
enum LeftOut {
    /// It is null: every parameter of a function has a value.
    Null,
    /// It stays away, as in the value that was given.
    Absent,
}

/// One place in an object.
#[derive(Clone, Copy)]
struct Slot<'a> {
    name: &'a str,
    kind: &'a Type,
    default: Option<&'a Value>,
    left_out: LeftOut,
}

impl<'a> Slot<'a> {
    fn of(field: &'a Field) -> Self {
        Self {
            name: &field.name,
            kind: &field.kind,
            default: field.default.as_ref(),
            left_out: LeftOut::Absent,
        }
    }
}

/// The way from the root to a value, kept on the stack and written out only for a mismatch.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

enum Segment<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    const ROOT: Path<'static> = Path { parent: None, segment: Segment::Root };

    fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), segment: Segment::Key(key) }
    }

    fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), segment: Segment::Index(index) }
    }

    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        match self.segment {
            Segment::Root => {}
            Segment::Index(index) => *text += &format!("[{index}]"),
            Segment::Key(key) if is_identifier(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                *text += &shortened(key, SHOWN_TEXT);
            }
            Segment::Key(key) => *text += &format!("[{}]", quoted(&shortened(key, SHOWN_TEXT))),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

struct Checker {
    found: Vec<Mismatch>,
    /// What is left of [`MOST_STEPS`].
    steps: u64,
}

impl Checker {
    fn new() -> Self {
        Self { found: Vec::new(), steps: MOST_STEPS }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_MISMATCHES
    }

    fn report(
        &mut self,
        kind: MismatchKind,
        path: &Path<'_>,
        expected: String,
        got: String,
        help: Option<String>,
    ) {
        if !self.is_full() {
            self.found.push(Mismatch { kind, path: path.text(), expected, got, help });
        }
    }

    /// Reports that the value is no `shown`.
    fn differs(&mut self, kind: MismatchKind, shown: &Type, value: &Value, path: &Path<'_>) {
        let (expected, got) = (type_text(shown), described(value));
        self.report(kind, path, expected, got, hint(shown, value));
    }

    /// The value as its type has it; null once something was reported.
    fn value(&mut self, kind: &Type, value: Value, path: &Path<'_>) -> Value {
        match (kind, value) {
            (Type::Nullable(_), Value::Null) => Value::Null,
            (Type::Nullable(inner), value) => self.present(inner, value, kind, path),
            (kind, value) => self.present(kind, value, kind, path),
        }
    }

    /// As [`Checker::value`]; `shown` is the type that a mismatch names.
    fn present(&mut self, kind: &Type, value: Value, shown: &Type, path: &Path<'_>) -> Value {
        match (kind, value) {
            (Type::Any, value) | (Type::ObjectByLines, value @ Value::Object(_)) => value,
            (Type::Foreign(foreign), value) => {
                self.found.extend(foreign.check(&value));
                value
            }
            (Type::Null, Value::Null) => Value::Null,
            (Type::Bool, value @ Value::Bool(_)) => value,
            (Type::Int(range), Value::Number(number)) => match int_of(&number) {
                Some(int) if range.contains(int) => Value::from(int),
                _ => {
                    let kind =
                        if int_like(&number) { MismatchKind::Bounds } else { MismatchKind::Type };
                    self.differs(kind, shown, &Value::Number(number), path);
                    Value::Null
                }
            },
            (Type::Float(range), Value::Number(number)) => match number.as_f64() {
                Some(float) if range.contains(float) => Value::from(float),
                _ => {
                    self.differs(MismatchKind::Bounds, shown, &Value::Number(number), path);
                    Value::Null
                }
            },
            (Type::String(length), Value::String(text)) => {
                if !text_fits(*length, &text) {
                    self.wrong_length(shown, text.chars().count(), "string", "characters", path);
                }
                Value::String(text)
            }
            (Type::Literal(literal), Value::String(text)) if *literal == text => {
                Value::String(text)
            }
            (Type::Array(items, length), Value::Array(values)) => {
                if !length.contains(values.len()) {
                    self.wrong_length(shown, values.len(), "array", "items", path);
                }
                self.items(items, values, path)
            }
            (Type::Map(values, length), Value::Object(map)) => {
                if !length.contains(map.len()) {
                    self.wrong_length(shown, map.len(), "object", "fields", path);
                }
                self.entries(values, map, path)
            }
            (Type::Object(fields), Value::Object(map)) => {
                Value::Object(self.fields(fields.iter().map(Slot::of), map, path))
            }
            (Type::Union(alternatives), value) => self.union(alternatives, value, shown, path),
            (Type::Nullable(inner), value) => self.value(inner, value, path),
            (_, value) => {
                self.differs(MismatchKind::Type, shown, &value, path);
                Value::Null
            }
        }
    }

    /// Hands the value back unless it nests deeper than `levels`, which ends the check: all that
    /// follows may recurse.
    fn shallow(
        &mut self,
        value: Value,
        levels: usize,
        path: &Path<'_>,
    ) -> Result<Value, Vec<Mismatch>> {
        if nests_within(&value, levels) {
            return Ok(value);
        }
        dismantle(value);
        let got = format!("a value that nests deeper than {MAX_VALUE_DEPTH} levels");
        let help = "pass a flatter value, or a part of it".to_owned();
        self.report(MismatchKind::Bounds, path, "any".to_owned(), got, Some(help));
        Err(std::mem::take(&mut self.found))
    }

    fn wrong_length(
        &mut self,
        shown: &Type,
        length: usize,
        what: &str,
        unit: &str,
        path: &Path<'_>,
    ) {
        let got = format!("{what} of {length} {unit}");
        self.report(MismatchKind::Bounds, path, type_text(shown), got, None);
    }

    fn items(&mut self, kind: &Type, mut values: Vec<Value>, path: &Path<'_>) -> Value {
        for (index, slot) in values.iter_mut().enumerate() {
            if self.is_full() {
                break;
            }
            *slot = self.value(kind, slot.take(), &path.index(index));
        }
        Value::Array(values)
    }

    fn entries(&mut self, kind: &Type, mut map: Map<String, Value>, path: &Path<'_>) -> Value {
        for (key, slot) in &mut map {
            if self.is_full() {
                break;
            }
            *slot = self.value(kind, slot.take(), &path.key(key));
        }
        Value::Object(map)
    }

    /// The fields in declared order. Each is taken out of what was given; what remains is unknown.
    fn fields<'a>(
        &mut self,
        slots: impl ExactSizeIterator<Item = Slot<'a>> + Clone,
        mut given: Map<String, Value>,
        path: &Path<'_>,
    ) -> Map<String, Value> {
        let mut checked = Map::with_capacity(slots.len());
        for slot in slots.clone() {
            match given.swap_remove_entry(slot.name) {
                Some((name, value)) => {
                    let value = self.value(slot.kind, value, &path.key(slot.name));
                    checked.insert(name, value);
                }
                None => self.left_out(slot, &mut checked, path),
            }
        }
        for (key, value) in &given {
            if self.is_full() {
                break;
            }
            let names = || slots.clone().map(|slot| slot.name);
            self.unknown(key, value, names, path);
        }
        checked
    }

    fn left_out(&mut self, slot: Slot<'_>, checked: &mut Map<String, Value>, path: &Path<'_>) {
        let value = match (slot.default, slot.left_out) {
            (Some(default), _) => default.clone(),
            (None, LeftOut::Null) if slot.kind.is_optional() => Value::Null,
            (None, LeftOut::Absent) if slot.kind.is_optional() => return,
            (None, _) => {
                let (path, expected) = (path.key(slot.name), type_text(slot.kind));
                let got = "nothing".to_owned();
                return self.report(MismatchKind::Missing, &path, expected, got, None);
            }
        };
        checked.insert(slot.name.to_owned(), value);
    }

    fn unknown<'a, I: Iterator<Item = &'a str>>(
        &mut self,
        key: &str,
        value: &Value,
        names: impl Fn() -> I,
        path: &Path<'_>,
    ) {
        let near = if key.len() <= COMPARED { nearest(key, names()) } else { None };
        let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        let (expected, help) = match (near, all.is_empty()) {
            (_, true) => ("nothing".to_owned(), "leave it out; nothing is taken here".to_owned()),
            (Some(near), _) => (listed(&all), format!("did you mean `{near}`?")),
            (None, _) => (listed(&all), format!("leave it out, or write {}", listed(&all))),
        };
        let (path, got) = (path.key(key), described(value));
        self.report(MismatchKind::Unknown, &path, expected, got, Some(help));
    }

    /// The first alternative that fits, exactly if one does. Where none does, the closest speaks.
    fn union(
        &mut self,
        alternatives: &[Type],
        value: Value,
        shown: &Type,
        path: &Path<'_>,
    ) -> Value {
        let steps = &mut self.steps;
        if let Some((_, kind)) = closest(alternatives.iter(), &value, Fit::COERCED, steps) {
            return self.value(kind, value, path);
        }
        let same = alternatives.iter().filter(|kind| same_json_type(kind, &value));
        let several = same.clone().nth(1).is_some();
        let closest = closest(same, &value, Fit::UNKNOWN, steps);
        if *steps == 0 {
            let (expected, got) = (type_text(shown), described(&value));
            let help = "it is too large to be held against each alternative; send less at once";
            self.report(MismatchKind::Bounds, path, expected, got, Some(help.to_owned()));
            return Value::Null;
        }
        match closest.map(|(_, kind)| kind) {
            Some(kind) if value.is_object() || value.is_array() => {
                self.present(kind, value, kind, path)
            }
            Some(kind) if !several => self.present(kind, value, shown, path),
            _ => {
                self.differs(MismatchKind::Type, shown, &value, path);
                Value::Null
            }
        }
    }
}

/// How far a value is from a type; less is closer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Fit {
    /// Weighted count of what is wrong; 0 fits.
    wrong: u32,
    /// Whether a number has to change its type.
    coerced: bool,
}

impl Fit {
    const EXACT: Self = Self { wrong: 0, coerced: false };
    const COERCED: Self = Self { wrong: 0, coerced: true };
    const BOUNDS: Self = Self { wrong: 1, coerced: false };
    const OTHER: Self = Self { wrong: 2, coerced: false };
    /// A literal tells alternatives apart, so it weighs more than all the rest of an object.
    const LITERAL: Self = Self { wrong: 1_000, coerced: false };

    /// Further off than anything that was looked at to its end.
    const UNKNOWN: Self = Self { wrong: u32::MAX, coerced: true };

    fn and(self, other: Self) -> Self {
        Self {
            wrong: self.wrong.saturating_add(other.wrong),
            coerced: self.coerced || other.coerced,
        }
    }

    /// The sum of `parts`, looked at no further than to where it is worse than `most`.
    fn sum(self, parts: impl Iterator<Item = Self>, most: Self) -> Self {
        let add = |sum: Self, part| match sum.and(part) {
            sum if sum <= most => Ok(sum),
            worse => Err(worse),
        };
        let mut parts = parts;
        parts.try_fold(self, add).unwrap_or_else(|worse| worse)
    }

    fn bounds(fine: bool) -> Self {
        if fine { Self::EXACT } else { Self::BOUNDS }
    }
}

/// Most pairs of a type and a value that one check may look at to choose among alternatives; a
/// choice looks at a value once for each alternative.
const MOST_STEPS: u64 = 2_000_000;

/// The first of the closest alternatives, and how close it is; `None` where each is worse than
/// `most`.
fn closest<'a>(
    alternatives: impl Iterator<Item = &'a Type>,
    value: &Value,
    most: Fit,
    steps: &mut u64,
) -> Option<(Fit, &'a Type)> {
    let mut best: Option<(Fit, &Type)> = None;
    for kind in alternatives {
        let bound = best.map_or(most, |(fit, _)| fit);
        let fit = fit(kind, value, bound, steps);
        if best.map_or(fit <= most, |(best, _)| fit < best) {
            best = Some((fit, kind));
        }
        if fit == Fit::EXACT {
            break;
        }
    }
    best
}

/// How far `value` is from `kind`, in one pass over both, so that nested unions cost a sum and not a
/// product. What turns out worse than `most` is not looked at further, nor is anything without steps.
fn fit(kind: &Type, value: &Value, most: Fit, steps: &mut u64) -> Fit {
    match steps.checked_sub(1) {
        Some(left) => *steps = left,
        None => return Fit::UNKNOWN,
    }
    match (kind, value) {
        (Type::Any, _) | (Type::Null | Type::Nullable(_), Value::Null) => Fit::EXACT,
        (Type::Bool, Value::Bool(_)) | (Type::ObjectByLines, Value::Object(_)) => Fit::EXACT,
        (Type::Nullable(inner), value) => fit(inner, value, most, steps),
        (Type::Int(range), Value::Number(number)) => match int_of(number) {
            Some(int) if !range.contains(int) => Fit::BOUNDS,
            Some(_) if number.is_f64() => Fit::COERCED,
            Some(_) => Fit::EXACT,
            None => Fit::OTHER,
        },
        (Type::Float(range), Value::Number(number)) => match number.as_f64() {
            Some(float) if !range.contains(float) => Fit::BOUNDS,
            Some(_) if number.is_f64() => Fit::EXACT,
            _ => Fit::COERCED,
        },
        (Type::String(length), Value::String(text)) => {
            *steps = steps.saturating_sub(text.len() as u64 / 64);
            Fit::bounds(text_fits(*length, text))
        }
        (Type::Literal(literal), Value::String(text)) if literal == text => Fit::EXACT,
        (Type::Literal(_), _) => Fit::LITERAL,
        (Type::Array(items, length), Value::Array(values)) => {
            let parts = values.iter().map(|value| fit(items, value, most, steps));
            Fit::bounds(length.contains(values.len())).sum(parts, most)
        }
        (Type::Map(kind, length), Value::Object(map)) => {
            let parts = map.values().map(|value| fit(kind, value, most, steps));
            Fit::bounds(length.contains(map.len())).sum(parts, most)
        }
        (Type::Object(fields), Value::Object(map)) => fit_object(fields, map, most, steps),
        (Type::Union(alternatives), value) => {
            let closest = closest(alternatives.iter(), value, most, steps);
            closest.map_or(Fit::UNKNOWN, |(fit, _)| fit)
        }
        _ => Fit::OTHER,
    }
}

fn fit_object(fields: &[Field], map: &Map<String, Value>, most: Fit, steps: &mut u64) -> Fit {
    let known = fields.iter().filter(|field| map.contains_key(&field.name)).count();
    let unknown = u32::try_from(map.len().saturating_sub(known)).unwrap_or(u32::MAX);
    let parts = fields.iter().map(|field| match map.get(&field.name) {
        Some(value) => fit(&field.kind, value, most, steps),
        None if field.is_required() => Fit::OTHER,
        None => Fit::EXACT,
    });
    Fit { wrong: unknown, coerced: false }.sum(parts, most)
}

/// Whether values of the type are written as this one is: both strings, both objects, …
fn same_json_type(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (Type::String(_) | Type::Literal(_), Value::String(_))
        | (Type::Int(_) | Type::Float(_), Value::Number(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Array(..), Value::Array(_))
        | (Type::Map(..) | Type::Object(_) | Type::ObjectByLines, Value::Object(_)) => true,
        (Type::Nullable(inner), value) => same_json_type(inner, value),
        _ => false,
    }
}

/// The integer that a JSON number is: written as one, or as a float without a fraction that is
/// small enough to be exact.
fn int_of(number: &Number) -> Option<i64> {
    if let Some(int) = number.as_i64() {
        return Some(int);
    }
    let float = number.as_f64().filter(|_| number.is_f64())?;
    // The bounds make the cast exact.
    (float.fract() == 0.0 && float.abs() <= MAX_SAFE_INT).then_some(float as i64)
}

/// Whether the number has no fraction, however large it is.
fn int_like(number: &Number) -> bool {
    number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// Counts characters only where the bytes leave it open.
fn text_fits(length: LengthRange, text: &str) -> bool {
    let short_enough = length.max().is_none_or(|max| text.len() as u64 <= max);
    (length.min() == 0 && short_enough) || length.contains(text.chars().count())
}

fn nests_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => {
            levels > 0 && values.iter().all(|value| nests_within(value, levels - 1))
        }
        Value::Object(map) => {
            levels > 0 && map.values().all(|value| nests_within(value, levels - 1))
        }
        _ => true,
    }
}

/// Drops a value without recursion, however deep it is.
fn dismantle(value: Value) {
    let mut parts = vec![value];
    while let Some(part) = parts.pop() {
        match part {
            Value::Array(values) => parts.extend(values),
            Value::Object(map) => parts.extend(map.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

fn type_text(kind: &Type) -> String {
    shortened(&kind.to_string(), SHOWN)
}

/// A few names, and how many more there are.
fn listed(names: &[String]) -> String {
    const MAX: usize = 8;
    let shown = names.iter().take(MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a value is, in a few words.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => format!("bool {bool}"),
        Value::Number(number) if number.is_f64() => format!("float {number}"),
        Value::Number(number) => format!("int {number}"),
        Value::String(text) => format!("string {}", quoted(&shortened(text, SHOWN_TEXT))),
        Value::Array(values) => match values.len() {
            1 => "array of 1 item".to_owned(),
            length => format!("array of {length} items"),
        },
        Value::Object(map) => match map.len() {
            1 => "object with 1 field".to_owned(),
            length => format!("object with {length} fields"),
        },
    }
}

/// What to write instead, where the value looks like a slip.
fn hint(kind: &Type, value: &Value) -> Option<String> {
    match (kind, value) {
        (Type::Nullable(inner), value) => hint(inner, value),
        (Type::Int(_), Value::Number(number)) if number.as_i64().is_none() => {
            Some(if int_like(number) {
                format!("write an integer from {} to {}", i64::MIN, i64::MAX)
            } else {
                "write a number without a fraction".to_owned()
            })
        }
        (Type::Int(_) | Type::Float(_) | Type::Bool, Value::String(text))
            if text.len() <= COMPARED =>
        {
            let bare: Value = serde_json::from_str(text).ok()?;
            let fits = kind.check(bare).is_ok();
            fits.then(|| format!("leave out the quotes: `{}`", text.trim()))
        }
        (Type::String(_), Value::Number(_) | Value::Bool(_)) => {
            Some(format!("put it in quotes: `\"{value}\"`"))
        }
        (Type::Array(..) | Type::Object(_) | Type::Map(..), Value::String(text))
            if text.trim_start().starts_with(['[', '{']) =>
        {
            Some("pass the JSON itself, not a string that holds it".to_owned())
        }
        (Type::Array(items, _), value) if !value.is_array() && fits(items, value) => {
            Some("put it in an array: `[…]`".to_owned())
        }
        (Type::Literal(literal), Value::String(_)) => Some(format!("write {}", quoted(literal))),
        (Type::Union(alternatives), Value::String(text)) if text.len() <= COMPARED => {
            let near = nearest(text, alternatives.iter().filter_map(literal))?;
            Some(format!("did you mean {}?", quoted(near)))
        }
        _ => None,
    }
}

/// Whether a value fits, as far as a short look tells.
fn fits(kind: &Type, value: &Value) -> bool {
    fit(kind, value, Fit::COERCED, &mut 10_000).wrong == 0
}

fn literal(kind: &Type) -> Option<&str> {
    match kind {
        Type::Literal(text) => Some(text),
        _ => None,
    }
}
