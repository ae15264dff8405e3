//! Rows to text.

use super::delimiter;
use crate::script::host::ModuleBuilder;
use crate::script::host::options::Options;
use crate::script::host::text::work::{Pace, WINDOW, a_type, refuse, unreadable};
use crate::script::native::compare::Outcome;
use crate::script::native::display::{self, Style};
use crate::script::value::Kind;
use rhai::{Array, Dynamic, ImmutableString, Map};

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text of rows. Rows that are maps get a first row with the names of the first one's fields; \
             rows that are lists are written as they are.",
            "/// csv::stringify([#{ name: \"nut, big\", qty: 3 }]) // => \"name,qty\\n\\\"nut, big\\\",3\\n\"",
            "/// csv::stringify([[\"a\", 1], [\"b\", ()]]) // => \"a,1\\nb,\\n\"",
        ])
        .function("stringify", ["rows: any[]", "string"], stringify)
        .docs(&[
            "/// The same with options: `delimiter`; `columns`, the fields to write and their order; \
             `header: false` leaves the row of names out.",
            "/// csv::stringify([#{ a: 1, b: 2 }], #{ columns: [\"b\", \"a\"], delimiter: \";\" }) // => \"b;a\\n2;1\\n\"",
        ])
        .function("stringify", ["rows: any[]", "options: map", "string"], stringify_with);
}

fn stringify(rows: &mut Array) -> Outcome<ImmutableString> {
    stringify_with(rows, Map::new())
}

fn stringify_with(rows: &mut Array, options: Map) -> Outcome<ImmutableString> {
    let function = "csv::stringify";
    let mut options = Options::new(function, &options);
    let delimiter = delimiter(function, &mut options)?;
    let columns = options.names("columns", "[\"name\", \"qty\"]")?;
    let has_header = options.flag("header", true)?;
    options.done()?;
    let mut writer = Writer { delimiter, out: String::new(), pace: Pace::default(), written: 0 };
    let mut names = columns;
    for (place, row) in rows.iter().enumerate() {
        match Kind::of(row) {
            Kind::Array if names.is_none() => {
                let row = row.as_array_ref().map_err(|_| unreadable("rows"))?;
                writer.line(row.iter(), row.len())?;
            }
            Kind::Map => {
                let row = row.as_map_ref().map_err(|_| unreadable("rows"))?;
                if place > 0 && names.is_none() {
                    return Err(mixed(function, place));
                }
                let names = names.get_or_insert_with(|| {
                    row.keys().map(|name| ImmutableString::from(name.as_str())).collect()
                });
                if place == 0 && has_header {
                    let header = names.iter().map(|name| Dynamic::from(name.clone()));
                    let header: Vec<_> = header.collect();
                    writer.line(header.iter(), header.len())?;
                }
                let missing = Dynamic::UNIT;
                let values = names.iter().map(|name| row.get(name.as_str()).unwrap_or(&missing));
                writer.line(values, names.len())?;
            }
            Kind::Array => return Err(mixed(function, place)),
            _ => {
                return Err(refuse(format!(
                    "{function}: row {place} is {}; give a list of maps or a list of lists",
                    a_type(row)
                )));
            }
        }
    }
    Ok(writer.out.into())
}

fn mixed(function: &str, place: usize) -> Box<rhai::EvalAltResult> {
    refuse(format!(
        "{function}: row {place} is of another kind than those before, or `columns` is given for \
         lists; give either maps or lists"
    ))
}

struct Writer {
    delimiter: u8,
    out: String,
    pace: Pace,
    written: usize,
}

impl Writer {
    fn line<'a>(&mut self, values: impl Iterator<Item = &'a Dynamic>, width: usize) -> Outcome<()> {
        for (column, value) in values.enumerate() {
            if column > 0 {
                self.pace
                    .write(&mut self.out, char::from(self.delimiter).encode_utf8(&mut [0; 4]))?;
            }
            let text = match Kind::of(value) {
                Kind::Function | Kind::Shared => {
                    return Err(refuse(format!(
                        "csv::stringify: value {column} of line {} is {}; give texts, numbers or \
                         booleans",
                        self.written,
                        a_type(value)
                    )));
                }
                _ => display::text(value, Style::Print),
            };
            // A line that is empty would be no row.
            self.value(&text, width == 1)?;
        }
        self.written += 1;
        self.pace.write(&mut self.out, "\n")
    }

    fn value(&mut self, text: &str, is_alone: bool) -> Outcome<()> {
        let special = [self.delimiter, b'"', b'\n', b'\r'];
        let mut is_special = is_alone && text.is_empty() || text.starts_with('\u{feff}');
        for window in text.as_bytes().chunks(WINDOW) {
            self.pace.touch(window.len())?;
            is_special = is_special || window.iter().any(|byte| special.contains(byte));
        }
        if !is_special {
            return self.pace.write(&mut self.out, text);
        }
        self.pace.write(&mut self.out, "\"")?;
        for (index, piece) in text.split('"').enumerate() {
            if index > 0 {
                self.pace.write(&mut self.out, "\"\"")?;
            }
            self.pace.write(&mut self.out, piece)?;
        }
        self.pace.write(&mut self.out, "\"")
    }
}
