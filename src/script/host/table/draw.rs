//! Tables as text. A table is measured first, and takes no memory before it is known to fit.

use super::rows::Table;
use crate::script::host::text::work::{Pace, WINDOW, a_type, output, refuse};
use crate::script::native::compare::Outcome;
use crate::script::native::display::{self, Style};
use crate::script::value::{Kind, prefix};
use rhai::{Dynamic, ImmutableString};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Text,
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

struct Column {
    /// Its place in the table.
    place: usize,
    width: usize,
    side: Side,
}

/// What one value looks like, and how many places it takes.
struct Cell {
    text: ImmutableString,
    width: usize,
}

pub(super) fn draw(
    function: &str,
    table: &Table,
    chosen: &[usize],
    most: usize,
    look: Look,
) -> Outcome<String> {
    let mut pen = Pen { function, look, most, out: String::new(), pace: Pace::default() };
    if chosen.is_empty() {
        return Ok(pen.out);
    }
    let mut columns = Vec::with_capacity(chosen.len());
    let mut bytes = 0_usize;
    for &place in chosen {
        let head = pen.named(&table.names[place])?;
        let least = if look == Look::Markdown { 3 } else { 1 };
        let (mut width, mut numbers, mut others) = (head.width.max(least), 0_usize, 0_usize);
        for row in 0..table.len() {
            let cell = table.value(row, place, |value| {
                match Kind::of(value) {
                    Kind::Int | Kind::Float => numbers += 1,
                    Kind::Unit => (),
                    _ => others += 1,
                }
                pen.cell(value)
            })??;
            width = width.max(cell.width);
            bytes = bytes.saturating_add(cell.text.len() - cell.width.min(cell.text.len()));
        }
        let side = if numbers > 0 && others == 0 { Side::Right } else { Side::Left };
        columns.push(Column { place, width, side });
    }
    // All of it is padded to the widths, but for the last column of a text.
    let padded = match (look, columns.split_last()) {
        (Look::Text, Some((last, others))) if last.side == Side::Left => others,
        _ => &columns,
    };
    let line: usize = padded.iter().map(|column| column.width + 3).sum();
    let size = line.saturating_add(4).saturating_mul(table.len() + 2).saturating_add(bytes);
    pen.out = output(size)?;
    pen.line(&columns, |pen, place| pen.named(&table.names[place]))?;
    pen.rule(&columns)?;
    for row in 0..table.len() {
        pen.line(&columns, |pen, place| table.value(row, place, |value| pen.cell(value))?)?;
    }
    // The last line has no end, as with text::join.
    pen.out.pop();
    Ok(pen.out)
}

struct Pen<'f> {
    function: &'f str,
    look: Look,
    most: usize,
    out: String,
    pace: Pace,
}

impl Pen<'_> {
    fn line(
        &mut self,
        columns: &[Column],
        mut cell: impl FnMut(&mut Self, usize) -> Outcome<Cell>,
    ) -> Outcome<()> {
        if self.look == Look::Markdown {
            self.write("| ")?;
        }
        for (index, column) in columns.iter().enumerate() {
            let cell = cell(self, column.place)?;
            let missing = column.width - cell.width.min(column.width);
            let is_last = index + 1 == columns.len();
            if column.side == Side::Right {
                self.spaces(missing)?;
            }
            self.write(&cell.text)?;
            if column.side == Side::Left && !(is_last && self.look == Look::Text) {
                self.spaces(missing)?;
            }
            self.write(match (self.look, is_last) {
                (Look::Text, true) => "\n",
                (Look::Text, false) => "  ",
                (Look::Markdown, true) => " |\n",
                (Look::Markdown, false) => " | ",
            })?;
        }
        Ok(())
    }

    fn rule(&mut self, columns: &[Column]) -> Outcome<()> {
        for (index, column) in columns.iter().enumerate() {
            let is_right = column.side == Side::Right;
            match self.look {
                Look::Text => {
                    if index > 0 {
                        self.write("  ")?;
                    }
                    self.pace.write_times(&mut self.out, "-", column.width)?;
                }
                Look::Markdown => {
                    self.write(if index == 0 { "| " } else { " | " })?;
                    self.pace.write_times(
                        &mut self.out,
                        "-",
                        column.width - usize::from(is_right),
                    )?;
                    self.write(if is_right { ":" } else { "" })?;
                }
            }
        }
        self.write(if self.look == Look::Markdown { " |\n" } else { "\n" })
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.pace.write(&mut self.out, text)
    }

    fn spaces(&mut self, count: usize) -> Outcome<()> {
        self.pace.write_times(&mut self.out, " ", count)
    }

    fn cell(&mut self, value: &Dynamic) -> Outcome<Cell> {
        match Kind::of(value) {
            Kind::Function | Kind::Shared => Err(refuse(format!(
                "{}: a value is {}; give texts, numbers or booleans",
                self.function,
                a_type(value)
            ))),
            _ => self.named(&display::text(value, Style::Print)),
        }
    }

    /// A text on one line, cut where it is too wide.
    fn named(&mut self, text: &ImmutableString) -> Outcome<Cell> {
        let (mut width, mut is_plain) = (0, true);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (window, others) = rest.split_at(prefix(rest, WINDOW).len());
            self.pace.touch(window.len().saturating_mul(4))?;
            width += window.width();
            is_plain = is_plain && !window.contains(|c: char| c.is_control() || self.is_sign(c));
            rest = others;
        }
        if is_plain && width <= self.most {
            return Ok(Cell { text: text.clone(), width });
        }
        self.tamed(text)
    }

    /// Whether a character means something in a table of this look.
    fn is_sign(&self, c: char) -> bool {
        self.look == Look::Markdown && (c == '|' || c == '\\')
    }

    fn tamed(&mut self, text: &str) -> Outcome<Cell> {
        let (mut tame, mut width) = (String::new(), 0);
        let mut rest = text.chars().peekable();
        // Where the text may have to be cut, for the mark that it was.
        let mut cut = (0, 0);
        while let Some(c) = rest.next() {
            let mut buffer = [0; 4];
            let piece = match c {
                '\r' if rest.peek() == Some(&'\n') => continue,
                '\n' if self.look == Look::Markdown => "<br>",
                '|' if self.look == Look::Markdown => "\\|",
                '\\' if self.look == Look::Markdown => "\\\\",
                c if c.is_control() => " ",
                c => c.encode_utf8(&mut buffer),
            };
            let places = if piece.len() > 1 && piece.is_ascii() {
                piece.len()
            } else {
                piece.chars().next().and_then(UnicodeWidthChar::width).unwrap_or(0)
            };
            if width + places > self.most {
                tame.truncate(cut.0);
                self.pace.write(&mut tame, "…")?;
                return Ok(Cell { width: cut.1 + 1, text: tame.into() });
            }
            self.pace.write(&mut tame, piece)?;
            width += places;
            if width < self.most {
                cut = (tame.len(), width);
            }
        }
        // Counted as a whole: some characters take less room beside others.
        let width = tame.width();
        Ok(Cell { text: tame.into(), width })
    }
}
