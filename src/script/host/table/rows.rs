//! Rows as a table: names of columns, and the value of a row in one.

use crate::script::host::options::texts;
use crate::script::host::text::work::{Pace, a_type, refuse, unreadable};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, prefix};
use rhai::{Array, Dynamic, ImmutableString};
use std::collections::HashSet;

/// The most columns.
const MAX_COLUMNS: usize = 1024;

pub(super) struct Table<'r> {
    rows: &'r [Dynamic],
    pub names: Vec<ImmutableString>,
    /// Whether rows are lists; the first, which names the columns, is none of the rows here.
    pub is_lists: bool,
}

impl<'r> Table<'r> {
    pub(super) fn read(function: &str, rows: &'r Array) -> Outcome<Self> {
        match rows.first().map(Kind::of) {
            None => Ok(Self { rows, names: Vec::new(), is_lists: false }),
            Some(Kind::Array) => Self::of_lists(function, rows),
            Some(_) => Self::of_maps(function, rows),
        }
    }

    fn of_lists(function: &str, rows: &'r Array) -> Outcome<Self> {
        let head = rows[0].as_array_ref().map_err(|_| unreadable("rows"))?;
        check_width(function, head.len())?;
        let names = texts(function, "the first row", &head)?;
        let mut pace = Pace::default();
        for (place, row) in rows.iter().enumerate() {
            pace.pay(1)?;
            if Kind::of(row) != Kind::Array {
                return Err(mixed(function, place, row));
            }
            let width = row.as_array_ref().map_err(|_| unreadable("rows"))?.len();
            if width > names.len() {
                return Err(refuse(format!(
                    "{function}: row {place} has {width} values, and the first row names {} \
                     columns; name all of them",
                    names.len()
                )));
            }
        }
        Ok(Self { rows: &rows[1..], names, is_lists: true })
    }

    fn of_maps(function: &str, rows: &'r Array) -> Outcome<Self> {
        let (mut names, mut known, mut pace) = (Vec::new(), HashSet::new(), Pace::default());
        for (place, row) in rows.iter().enumerate() {
            if Kind::of(row) != Kind::Map {
                return Err(mixed(function, place, row));
            }
            let map = row.as_map_ref().map_err(|_| unreadable("rows"))?;
            for name in map.keys() {
                pace.touch(name.len().saturating_mul(2) + 32)?;
                if known.contains(name.as_str()) {
                    continue;
                }
                check_width(function, names.len() + 1)?;
                meter::reserve(name.len().saturating_mul(2) + 128)?;
                known.insert(name.to_string());
                names.push(name.as_str().into());
            }
        }
        Ok(Self { rows, names, is_lists: false })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Lends a value; `()` where the row has none.
    pub(super) fn value<T>(
        &self,
        row: usize,
        column: usize,
        act: impl FnOnce(&Dynamic) -> T,
    ) -> Outcome<T> {
        let row = &self.rows[row];
        if self.is_lists {
            let list = row.as_array_ref().map_err(|_| unreadable("rows"))?;
            return Ok(act(list.get(column).unwrap_or(&Dynamic::UNIT)));
        }
        let map = row.as_map_ref().map_err(|_| unreadable("rows"))?;
        let name = self.names[column].as_str();
        // A look-up compares the name with a few others.
        meter::charge_bytes(name.len().saturating_mul(4))?;
        Ok(act(map.get(name).unwrap_or(&Dynamic::UNIT)))
    }

    /// The places of columns by their names.
    pub(super) fn places(&self, function: &str, names: &[ImmutableString]) -> Outcome<Vec<usize>> {
        check_width(function, names.len())?;
        names
            .iter()
            .map(|wanted| {
                meter::charge(self.names.len() as u64 / 4 + 1)?;
                self.names.iter().position(|name| name == wanted).ok_or_else(|| {
                    refuse(format!(
                        "{function}: there is no column `{}`; there are {}",
                        prefix(wanted, 40),
                        self.some_names()
                    ))
                })
            })
            .collect()
    }

    /// The names of columns for a message.
    pub(super) fn some_names(&self) -> String {
        if self.names.is_empty() {
            return "none".to_owned();
        }
        let shown: Vec<_> =
            self.names.iter().take(10).map(|name| format!("`{}`", prefix(name, 40))).collect();
        let more = if self.names.len() > 10 { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}

fn check_width(function: &str, width: usize) -> Outcome<()> {
    if width <= MAX_COLUMNS {
        return Ok(());
    }
    Err(refuse(format!(
        "{function}: there are more than {MAX_COLUMNS} columns; choose some with list::pluck or a \
         closure first"
    )))
}

fn mixed(function: &str, place: usize, row: &Dynamic) -> Box<rhai::EvalAltResult> {
    refuse(format!(
        "{function}: row {place} is {}; give a list of maps, or a list of lists of which the first \
         names the columns",
        a_type(row)
    ))
}
