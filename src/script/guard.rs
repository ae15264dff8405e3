//! Puts a guard around the operand of every `switch`, in the text, before it is compiled.
//!
//! A `switch` hashes its operand natively and recursively, however large it is and however often
//! it shares its parts, and nothing of that can be overridden or interrupted. So
//! `switch EXPR {` is compiled as `switch __switch(EXPR) {`, where the guard refuses what cannot
//! be hashed within bounds. The insertions are remembered, and columns are counted as if they were
//! not there. Nothing here parses or runs a script.

use rhai::{Position, Token};

/// The guard's name; no script may define or call it.
pub(super) const GUARD: &str = "__switch";

const OPEN: &str = " __switch(";
const CLOSE: &str = ") ";

/// Where text was inserted, in source order: line, column of the original text, characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Columns(Vec<(usize, usize, usize)>);

impl Columns {
    pub(super) fn of(insertions: &[Insertion]) -> Self {
        let shift = |(at, text): &Insertion| {
            (at.line().unwrap_or(0), at.position().unwrap_or(0), text.chars().count())
        };
        Self(insertions.iter().map(shift).collect())
    }

    /// The column that the author sees for a column of the compiled text.
    pub(super) fn original(&self, line: usize, column: usize) -> usize {
        let mut shift = 0;
        for &(_, at, length) in self.0.iter().filter(|&&(on, ..)| on == line) {
            if column < at + shift {
                break;
            }
            shift += length.min(column - at - shift);
        }
        column - shift
    }
}

/// What a token means to the search for operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Switch,
    Open,
    Brace,
    Close,
    /// The beginning of a statement that has a block of its own.
    Statement,
    /// Text whose interpolated block follows.
    Text,
    Other,
}

impl Mark {
    pub(super) fn of(token: &Token) -> Self {
        match token {
            Token::Switch => Self::Switch,
            Token::LeftParen | Token::LeftBracket | Token::QuestionBracket | Token::MapStart => {
                Self::Open
            }
            Token::LeftBrace => Self::Brace,
            Token::RightParen | Token::RightBracket | Token::RightBrace => Self::Close,
            Token::If | Token::While | Token::Loop | Token::Do | Token::For | Token::Try => {
                Self::Statement
            }
            Token::InterpolatedString(..) => Self::Text,
            _ => Self::Other,
        }
    }
}

/// A piece of text and the place it goes before.
pub(super) type Insertion = (Position, &'static str);

/// What to insert, in source order.
///
/// # Errors
///
/// The place of a `switch` whose operand is a statement without parentheses.
pub(super) fn insertions(marks: &[(Mark, Position)]) -> Result<Vec<Insertion>, Position> {
    let mut found = Vec::new();
    for (index, &(mark, position)) in marks.iter().enumerate() {
        if mark == Mark::Switch {
            let body = operand_end(&marks[index + 1..]).ok_or(position)?;
            found.push((behind(position).ok_or(position)?, OPEN));
            found.push((body, CLOSE));
        }
    }
    // A `switch` inside the operand of another closes before it.
    found.sort_by_key(|(at, _)| (at.line(), at.position()));
    Ok(found)
}

/// The place right behind a `switch`.
fn behind(switch: Position) -> Option<Position> {
    let column = switch.position()? + "switch".len();
    Some(Position::new(u16::try_from(switch.line()?).ok()?, u16::try_from(column).ok()?))
}

/// Where the body of a `switch` begins; `None` when its operand is a statement.
fn operand_end(marks: &[(Mark, Position)]) -> Option<Position> {
    let mut depth = 0_usize;
    let mut before = Mark::Switch;
    for &(mark, position) in marks {
        match mark {
            Mark::Brace if depth == 0 && before != Mark::Text => {
                // Right behind `switch` it would be the operand itself.
                return (before != Mark::Switch).then_some(position);
            }
            Mark::Open | Mark::Brace => depth += 1,
            Mark::Close => depth = depth.checked_sub(1)?,
            Mark::Statement | Mark::Switch if depth == 0 => return None,
            _ => (),
        }
        before = mark;
    }
    None
}

/// The text with each insertion before its position. Lines and columns count from 1, columns in
/// characters.
pub(super) fn insert(source: &str, insertions: &[Insertion]) -> String {
    let mut text = String::with_capacity(source.len() + insertions.len() * OPEN.len());
    let mut pending = insertions.iter().peekable();
    for (index, line) in source.split_inclusive('\n').enumerate() {
        for (column, letter) in line.chars().enumerate() {
            while let Some((_, piece)) = pending.next_if(|(at, _)| {
                at.line() == Some(index + 1) && at.position() == Some(column + 1)
            }) {
                text.push_str(piece);
            }
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_author() {
        let columns = Columns(vec![(1, 7, 10), (1, 9, 2)]);
        // `switch x { y }` becomes `switch __switch( x ) { y }`.
        let seen: Vec<_> =
            [1, 7, 17, 18, 19, 21, 23].map(|column| columns.original(1, column)).into();
        assert_eq!(seen, [1, 7, 7, 8, 9, 9, 11]);
        assert_eq!(columns.original(2, 30), 30);
    }
}
