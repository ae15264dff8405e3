//! `table`: rows for people to read: aligned text, Markdown, columns chosen and sorted.
//!
//! Rows are maps, or lists of which the first names the columns. A column of numbers stands to the
//! right. Widths are those of a terminal, where a Chinese character takes two places.

mod draw;
mod rows;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use super::options::{Options, texts};
use crate::script::host::list::order::{Direction, picked, sorted};
use crate::script::host::text::work::{Pace, array, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use draw::Look;
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use rows::Table;
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Tables for people. Rows are maps, or lists of which the first names the columns.",
        );
        register_looks(&mut builder);
        register_rows(&mut builder);
        builder.build()
    }))
}

fn register_looks(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The rows as aligned text: maps, or lists of which the first names the columns.",
            "/// table::text([#{ name: \"nut\", qty: 3 }, #{ name: \"bolt\", qty: 12 }]) // => \"name  qty\\n----  ---\\nnut     3\\nbolt   12\"",
        ])
        .function("text", ["rows: any[]", "string"], |rows: &mut Array| {
            drawn("table::text", rows, Map::new(), Look::Text)
        })
        .docs(&[
            "/// The same with options: `columns`, the fields to show and their order; `width`, the most places a \
             value takes.",
            "/// table::text([[\"a\", \"b\"], [1, \"xyz\"]], #{ columns: [\"b\"], width: 2 }) // => \"b\\n--\\nx…\"",
        ])
        .function("text", ["rows: any[]", "options: map", "string"], |rows: &mut Array, options: Map| {
            drawn("table::text", rows, options, Look::Text)
        })
        .docs(&[
            "/// The rows as a Markdown table.",
            "/// table::markdown([[\"name\", \"qty\"], [\"a|b\", 3]]) // => \"| name | qty |\\n| ---- | --: |\\n| a\\\\|b |   3 |\"",
        ])
        .function("markdown", ["rows: any[]", "string"], |rows: &mut Array| {
            drawn("table::markdown", rows, Map::new(), Look::Markdown)
        })
        .docs(&[
            "/// The same with options, as for `text`.",
            "/// table::markdown([#{ b: 1, a: 2 }], #{ columns: [\"b\"] }) // => \"|   b |\\n| --: |\\n|   1 |\"",
        ])
        .function("markdown", ["rows: any[]", "options: map", "string"], |rows: &mut Array, options: Map| {
            drawn("table::markdown", rows, options, Look::Markdown)
        });
}

fn register_rows(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The names of all columns: those of the first row, and of the others what is new.",
            "/// table::columns([#{ a: 1 }, #{ a: 2, b: 3 }]) // => [\"a\", \"b\"]",
        ])
        .function("columns", ["rows: any[]", "string[]"], columns)
        .docs(&[
            "/// The rows with those columns only; rows that are lists get them in that order.",
            "/// table::select([#{ a: 1, b: 2 }], [\"b\"]) // => [#{ b: 2 }]",
            "/// table::select([[\"a\", \"b\"], [1, 2]], [\"b\", \"a\"]) // => [[\"b\", \"a\"], [2, 1]]",
        ])
        .function("select", ["rows: any[]", "columns: string[]", "any[]"], select)
        .docs(&[
            "/// The rows in the order of a column, the smallest value first; equal ones stay as they are.",
            "/// table::sort([#{ n: 2 }, #{ n: 1 }], \"n\") // => [#{ n: 1 }, #{ n: 2 }]",
        ])
        .function("sort", ["rows: any[]", "column: string", "any[]"], |rows: &mut Array, column: &str| {
            sort("table::sort", rows, column, Direction::Ascending)
        })
        .docs(&[
            "/// The rows in the order of a column, the largest value first.",
            "/// table::sort_desc([[\"n\"], [1], [2]], \"n\") // => [[\"n\"], [2], [1]]",
        ])
        .function("sort_desc", ["rows: any[]", "column: string", "any[]"], |rows: &mut Array, column: &str| {
            sort("table::sort_desc", rows, column, Direction::Descending)
        });
}

fn drawn(
    function: &'static str,
    rows: &Array,
    options: Map,
    look: Look,
) -> Outcome<ImmutableString> {
    let mut options = Options::new(function, &options);
    let columns = options.names("columns", "[\"name\", \"qty\"]")?;
    let width = match options.number("width")? {
        Some(width) => crate::script::host::text::work::positive(function, "width", width)?,
        None => usize::MAX,
    };
    options.done()?;
    let table = Table::read(function, rows)?;
    let chosen = match columns {
        Some(names) => table.places(function, &names)?,
        None => (0..table.names.len()).collect(),
    };
    Ok(draw::draw(function, &table, &chosen, width, look)?.into())
}

fn columns(rows: &mut Array) -> Outcome<Array> {
    let table = Table::read("table::columns", rows)?;
    let (mut names, mut pace) = (array(table.names.len())?, Pace::default());
    for name in &table.names {
        pace.push(&mut names, name.clone().into())?;
    }
    Ok(names)
}

fn select(rows: &mut Array, columns: Array) -> Outcome<Array> {
    let function = "table::select";
    let names = texts(function, "columns", &columns)?;
    let table = Table::read(function, rows)?;
    let chosen = table.places(function, &names)?;
    let (mut result, mut pace) = (Array::new(), Pace::default());
    if table.is_lists {
        let mut head = array(names.len())?;
        head.extend(names.iter().map(|name| Dynamic::from(name.clone())));
        pace.push(&mut result, Dynamic::from_array(head))?;
    }
    for row in 0..table.len() {
        if table.is_lists {
            let mut values = array(chosen.len())?;
            for &column in &chosen {
                values.push(table.value(row, column, |value| pace.copy(value))??);
            }
            pace.push(&mut result, Dynamic::from_array(values))?;
            continue;
        }
        let mut values = Map::new();
        for (&column, name) in chosen.iter().zip(&names) {
            meter::reserve(name.len().saturating_add(64))?;
            pace.touch(name.len() + 64)?;
            let value = table.value(row, column, |value| pace.copy(value))??;
            values.insert(name.as_str().into(), value);
        }
        pace.push(&mut result, Dynamic::from_map(values))?;
    }
    Ok(result)
}

fn sort(
    function: &'static str,
    rows: &Array,
    column: &str,
    direction: Direction,
) -> Outcome<Array> {
    let table = Table::read(function, rows)?;
    let Some(column) = table.names.iter().position(|name| name.as_str() == column) else {
        if rows.is_empty() {
            return Ok(Array::new());
        }
        return Err(refuse(format!(
            "{function}: there is no column `{}`; there are {}",
            prefix(column, 40),
            table.some_names()
        )));
    };
    let (mut keys, mut pace) = (array(table.len())?, Pace::default());
    for row in 0..table.len() {
        keys.push(table.value(row, column, |value| pace.copy(value))??);
    }
    let order = sorted(&keys, direction)?;
    let head = usize::from(table.is_lists);
    let mut places = Vec::new();
    meter::reserve((order.len() + 1).saturating_mul(size_of::<usize>()))?;
    places.extend((0..head).chain(order.into_iter().map(|place| place + head)));
    picked(rows, places.into_iter())
}
