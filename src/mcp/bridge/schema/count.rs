//! Numbers and texts of values, as JSON Schema compares them.

use serde_json::{Map, Number, Value};

/// Whether a number keeps to a bound of its schema.
pub(super) fn holds(schema: &Map<String, Value>, key: &str, bound: &Value, value: &Value) -> bool {
    let (Some(number), Some(limit)) = (value.as_f64(), bound.as_f64()) else {
        // As draft 4 writes it: a flag beside `minimum` or `maximum`.
        let beside = match key {
            "exclusiveMinimum" => "minimum",
            "exclusiveMaximum" => "maximum",
            _ => return true,
        };
        let limit = schema.get(beside).filter(|_| *bound == Value::Bool(true));
        return limit.is_none_or(|limit| holds(&Map::new(), key, limit, value));
    };
    // Whole numbers are compared as such: a float would round the large ones.
    let whole = whole(value).zip(whole(bound));
    match (key, whole) {
        ("minimum", Some((number, limit))) => number >= limit,
        ("maximum", Some((number, limit))) => number <= limit,
        ("exclusiveMinimum", Some((number, limit))) => number > limit,
        ("exclusiveMaximum", Some((number, limit))) => number < limit,
        ("multipleOf", Some((number, limit))) => limit <= 0 || number % limit == 0,
        ("minimum", None) => number >= limit,
        ("maximum", None) => number <= limit,
        ("exclusiveMinimum", None) => number > limit,
        ("exclusiveMaximum", None) => number < limit,
        _ => is_multiple(number, limit),
    }
}

fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// Within what floats can tell: `0.3` is a multiple of `0.1`.
fn is_multiple(number: f64, of: f64) -> bool {
    if of <= 0.0 {
        return true;
    }
    let times = number / of;
    !times.is_finite() || (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

/// The same text for what counts as the same value.
pub(super) fn plain(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => text.push_str(&plain_number(number)),
        Value::Array(list) => {
            text.push('[');
            for value in list {
                write(value, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in fields {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// A float that is whole is written as the integer that it is.
fn plain_number(number: &Number) -> String {
    const SAFE: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= SAFE => {
            format!("{float:.0}")
        }
        _ => number.to_string(),
    }
}

/// The start of a value as JSON.
pub(super) fn short(value: &Value, most: usize) -> String {
    let text = value.to_string();
    let cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
