//! How different two texts are.

use super::work::{self, count_chars};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native::compare::Outcome;

/// Cells of the table filled for one operation.
const CELLS: usize = 16;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// How many characters must be inserted, removed or replaced to turn `a` into `b`.",
            "/// text::distance(\"kitten\", \"sitting\") // => 3",
        ])
        .function("distance", ["a: string", "b: string", "int"], distance)
        .docs(&[
            "/// How alike two texts are: 0.0 for nothing in common, 1.0 for equal texts.",
            "/// text::similarity(\"colour\", \"color\") > 0.8 // => true",
        ])
        .function("similarity", ["a: string", "b: string", "float"], similarity);
}

fn distance(a: &str, b: &str) -> Outcome<i64> {
    Ok(i64::from(levenshtein(a, b)?))
}

fn similarity(a: &str, b: &str) -> Outcome<f64> {
    let longest = count_chars(a)?.max(count_chars(b)?);
    if longest == 0 {
        return Ok(1.0);
    }
    Ok(1.0 - f64::from(levenshtein(a, b)?) / longest as f64)
}

/// The Levenshtein distance, by one row of the table at a time.
fn levenshtein(a: &str, b: &str) -> Outcome<u32> {
    let (a, b) = (characters(a)?, characters(b)?);
    let (long, short) = if a.len() >= b.len() { (&a, &b) } else { (&b, &a) };
    meter::reserve(short.len().saturating_mul(size_of::<u32>()))?;
    // row[j]: the distance of what was read of `long` from the first j + 1 of `short`.
    let mut row: Vec<u32> = (1..).take(short.len()).collect();
    for (read, &c) in (1..).zip(long) {
        meter::charge(short.len() as u64 / CELLS as u64 + 1)?;
        let (mut above_left, mut left) = (read - 1, read);
        for (cell, &d) in row.iter_mut().zip(short) {
            let replaced = above_left + u32::from(c != d);
            above_left = *cell;
            left = replaced.min(above_left + 1).min(left + 1);
            *cell = left;
        }
    }
    Ok(row.last().copied().unwrap_or_else(|| u32::try_from(long.len()).unwrap_or(u32::MAX)))
}

fn characters(text: &str) -> Outcome<Vec<char>> {
    let count = count_chars(text)?;
    meter::reserve(count.saturating_mul(size_of::<char>()))?;
    let mut characters = Vec::with_capacity(count);
    for window in work::windows(text) {
        meter::charge_bytes(window.len())?;
        characters.extend(window.chars());
    }
    Ok(characters)
}
