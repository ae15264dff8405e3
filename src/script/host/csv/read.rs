//! Text to rows.

use super::delimiter;
use crate::script::host::ModuleBuilder;
use crate::script::host::options::Options;
use crate::script::host::text::work::{Pace, WINDOW, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use rhai::{Array, Dynamic, ImmutableString, Map};

/// What an entry of a map takes beside its key and value, roughly.
const ENTRY: usize = 64;
/// The most columns.
const MAX_COLUMNS: usize = 4096;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The rows as maps, whose keys are the names in the first row. All values are texts.",
            "/// csv::parse(\"name,qty\\nnut,3\") // => [#{ name: \"nut\", qty: \"3\" }]",
        ])
        .function("parse", ["text: string", "map[]"], parse)
        .docs(&[
            "/// The same with options: `delimiter`; `header: false` gives every row as a list; `trim: true` \
             takes white space off the ends of values.",
            "/// csv::parse(\"nut; 3\", #{ delimiter: \";\", header: false, trim: true }) // => [[\"nut\", \"3\"]]",
        ])
        .function("parse", ["text: string", "options: map", "any[]"], parse_with)
        .docs(&[
            "/// Every row as a list of texts, the first one included; rows may differ in length.",
            "/// csv::rows(\"a,b\\n\\\"1,5\\\",x,y\") // => [[\"a\", \"b\"], [\"1,5\", \"x\", \"y\"]]",
        ])
        .function("rows", ["text: string", "string[][]"], rows)
        .docs(&[
            "/// The same with options: `delimiter`, `trim`.",
            "/// csv::rows(\"a\\tb\", #{ delimiter: \"\\t\" }) // => [[\"a\", \"b\"]]",
        ])
        .function("rows", ["text: string", "options: map", "string[][]"], rows_with);
}

fn parse(text: &str) -> Outcome<Array> {
    parse_with(text, Map::new())
}

fn parse_with(text: &str, options: Map) -> Outcome<Array> {
    let function = "csv::parse";
    let mut options = Options::new(function, &options);
    let delimiter = delimiter(function, &mut options)?;
    let (has_header, trim) = (options.flag("header", true)?, options.flag("trim", false)?);
    options.done()?;
    let mut reader = Reader::new(function, text, delimiter, trim);
    if has_header { reader.maps() } else { reader.lists(true) }
}

fn rows(text: &str) -> Outcome<Array> {
    rows_with(text, Map::new())
}

fn rows_with(text: &str, options: Map) -> Outcome<Array> {
    let function = "csv::rows";
    let mut options = Options::new(function, &options);
    let delimiter = delimiter(function, &mut options)?;
    let trim = options.flag("trim", false)?;
    options.done()?;
    Reader::new(function, text, delimiter, trim).lists(false)
}

struct Reader<'t> {
    function: &'static str,
    text: &'t str,
    delimiter: u8,
    trim: bool,
    at: usize,
    /// The line of `at`, from 1.
    line: usize,
    pace: Pace,
    /// The last value, for a column whose rows repeat it.
    last: ImmutableString,
}

impl<'t> Reader<'t> {
    fn new(function: &'static str, text: &'t str, delimiter: u8, trim: bool) -> Self {
        // A byte order mark is no part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let last = ImmutableString::new();
        Self { function, text, delimiter, trim, at: 0, line: 1, pace: Pace::default(), last }
    }

    fn lists(&mut self, is_even: bool) -> Outcome<Array> {
        let (mut rows, mut width) = (Array::new(), None);
        while self.skip_blank()? {
            let (line, mut row) = (self.line, Array::new());
            self.row(|reader, value| reader.pace.push(&mut row, value.into()))?;
            let width = *width.get_or_insert(row.len());
            if is_even && row.len() != width {
                return Err(self.uneven(line, row.len(), width, "the first row"));
            }
            self.pace.push(&mut rows, Dynamic::from_array(row))?;
        }
        Ok(rows)
    }

    fn maps(&mut self) -> Outcome<Array> {
        let mut names: Vec<ImmutableString> = Vec::new();
        if self.skip_blank()? {
            self.row(|reader, name| {
                if names.len() == MAX_COLUMNS {
                    return Err(refuse(format!(
                        "{}: the first row has more than {MAX_COLUMNS} values; check the \
                         delimiter, or use csv::rows",
                        reader.function
                    )));
                }
                names.push(name);
                Ok(())
            })?;
        }
        self.check(&names)?;
        let bytes: usize = names.iter().map(|name| name.len() + ENTRY).sum();
        let mut rows = Array::new();
        while self.skip_blank()? {
            let line = self.line;
            meter::reserve(bytes)?;
            self.pace.touch(bytes)?;
            let (mut map, mut width) = (Map::new(), 0);
            self.row(|_, value| {
                if let Some(name) = names.get(width) {
                    map.insert(name.as_str().into(), value.into());
                }
                width += 1;
                Ok(())
            })?;
            if width != names.len() {
                return Err(self.uneven(line, width, names.len(), "the row of names"));
            }
            self.pace.push(&mut rows, Dynamic::from_map(map))?;
        }
        Ok(rows)
    }

    /// Names must differ, or a value would be lost.
    fn check(&mut self, names: &[ImmutableString]) -> Outcome<()> {
        let mut sorted: Vec<&str> = names.iter().map(ImmutableString::as_str).collect();
        self.pace.touch(names.iter().map(|name| name.len() * 8).sum())?;
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(refuse(format!(
                "{}: two columns have the name {:?}; use csv::rows, whose rows are lists",
                self.function,
                prefix(pair[0], 40)
            ))),
        }
    }

    fn uneven(
        &self,
        line: usize,
        found: usize,
        wanted: usize,
        where_: &str,
    ) -> Box<rhai::EvalAltResult> {
        refuse(format!(
            "{}: line {line} has {found} values, and {where_} has {wanted}; check the delimiter and \
             the quotes, or use csv::rows, whose rows may differ",
            self.function
        ))
    }

    /// Skips empty lines; `false` at the end.
    fn skip_blank(&mut self) -> Outcome<bool> {
        while let Some(b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.pace.pay(1)?;
            self.end_line();
        }
        Ok(self.at < self.text.len())
    }

    /// Goes behind a line break.
    fn end_line(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += if bytes[self.at..].starts_with(b"\r\n") { 2 } else { 1 };
        self.line += 1;
    }

    /// Reads one row, and gives every value away.
    fn row(
        &mut self,
        mut give: impl FnMut(&mut Self, ImmutableString) -> Outcome<()>,
    ) -> Outcome<()> {
        loop {
            let value = if self.text.as_bytes().get(self.at) == Some(&b'"') {
                self.quoted()?
            } else {
                self.bare()?
            };
            give(self, value)?;
            match self.text.as_bytes().get(self.at) {
                Some(&byte) if byte == self.delimiter => self.at += 1,
                Some(_) => {
                    self.end_line();
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// A text of its own; one that is the same as the last is shared with it.
    fn owned(&mut self, value: &str) -> Outcome<ImmutableString> {
        let value = if self.trim { value.trim() } else { value };
        if value.len() >= WINDOW {
            meter::reserve(value.len())?;
        }
        self.pace.touch(value.len())?;
        if self.last.as_str() != value {
            self.last = value.into();
        }
        Ok(self.last.clone())
    }

    fn bare(&mut self) -> Outcome<ImmutableString> {
        let (text, delimiter, start) = (self.text, self.delimiter, self.at);
        let is_end = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
        self.at = self.find(is_end)?;
        self.owned(&text[start..self.at])
    }

    /// Where the next byte of that kind stands, or the end of the text.
    fn find(&mut self, is_wanted: impl Fn(&u8) -> bool) -> Outcome<usize> {
        let mut at = self.at;
        for window in self.text.as_bytes()[at..].chunks(WINDOW) {
            if let Some(found) = window.iter().position(&is_wanted) {
                self.pace.touch(found)?;
                return Ok(at + found);
            }
            self.pace.touch(window.len())?;
            at += window.len();
        }
        Ok(at)
    }

    fn quoted(&mut self) -> Outcome<ImmutableString> {
        let (text, bytes, line) = (self.text, self.text.as_bytes(), self.line);
        self.at += 1;
        let mut unescaped: Option<String> = None;
        loop {
            let start = self.at;
            self.at = self.find(|&byte| byte == b'"')?;
            let piece = &text[start..self.at];
            self.line += piece.bytes().filter(|&byte| byte == b'\n').count();
            if self.at == text.len() {
                return Err(refuse(format!(
                    "{}: the quote in line {line} is never closed; write a quote inside of a \
                     quoted value twice",
                    self.function
                )));
            }
            if bytes.get(self.at + 1) == Some(&b'"') {
                // The first of two quotes stays.
                let unescaped = unescaped.get_or_insert_default();
                self.pace.write(unescaped, &text[start..=self.at])?;
                self.at += 2;
                continue;
            }
            self.at += 1;
            match bytes.get(self.at) {
                None | Some(b'\n' | b'\r') => (),
                Some(&byte) if byte == self.delimiter => (),
                Some(_) => {
                    return Err(refuse(format!(
                        "{}: there is more behind the closing quote in line {}; write a quote \
                         inside of a quoted value twice",
                        self.function, self.line
                    )));
                }
            }
            return match unescaped {
                None => self.owned(piece),
                Some(mut unescaped) => {
                    self.pace.write(&mut unescaped, piece)?;
                    self.owned(&unescaped)
                }
            };
        }
    }
}
