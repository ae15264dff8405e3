//! Puts guards into the text of a script, before it is compiled, where the engine works natively
//! and without bounds on values of any size, and nothing can be overridden or interrupted:
//!
//! - A `switch` hashes its operand, however large it is and however often it shares its parts:
//!   `switch EXPR {` is compiled as `switch __switch(EXPR) {`.
//! - An interpolation falls back to the engine's own display when a limit ends the call right before
//!   the value is written: `${EXPR}` is compiled as `${ __text({EXPR}) }`, so that the engine only
//!   ever sees a text there.
//! - An assignment to a range of a text writes the assigned value with that same display:
//!   `t[INDEX] = …` is compiled as `t[__index(INDEX)] = …`, which refuses a range.
//!
//! The insertions are remembered, and columns are counted as if they were not there. Nothing here
//! parses or runs a script.

use rhai::{AST, ASTFlags, ASTNode, Expr, Position, Stmt, Token};

/// The names of the guards; no script may define or call them.
pub(super) const SWITCH: &str = "__switch";
pub(super) const TEXT: &str = "__text";
pub(super) const INDEX: &str = "__index";

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

/// What a token means to the search for places.
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

/// What to insert, in source order. `targets` are the brackets of [`targets`], where they need a
/// guard.
///
/// # Errors
///
/// The place of a `switch` whose operand is a statement without parentheses.
pub(super) fn insertions(
    marks: &[(Mark, Position)],
    targets: &[Position],
) -> Result<Vec<Insertion>, Position> {
    let mut found = Vec::new();
    for (index, &(mark, position)) in marks.iter().enumerate() {
        let rest = &marks[index + 1..];
        match mark {
            Mark::Switch => {
                let body = operand_end(rest).ok_or(position)?;
                found.push((behind(position, "switch").ok_or(position)?, " __switch("));
                found.push((body, ") "));
            }
            Mark::Text => {
                let Some((&(Mark::Brace, brace), rest)) = rest.split_first() else { continue };
                let end = closing(rest).ok_or(position)?;
                found.push((behind(brace, "{").ok_or(position)?, " __text({"));
                found.push((end, "})"));
            }
            Mark::Open if targets.contains(&position) => {
                let end = closing(rest).ok_or(position)?;
                found.push((behind(position, "[").ok_or(position)?, "__index("));
                found.push((end, ")"));
            }
            _ => (),
        }
    }
    // A guard within the operand of another closes before it.
    found.sort_by_key(|(at, _)| (at.line(), at.position()));
    Ok(found)
}

/// The place right behind a token.
fn behind(token: Position, text: &str) -> Option<Position> {
    let column = token.position()? + text.len();
    Some(Position::new(u16::try_from(token.line()?).ok()?, u16::try_from(column).ok()?))
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

/// Where the bracket that is open closes.
fn closing(marks: &[(Mark, Position)]) -> Option<Position> {
    let mut depth = 0_usize;
    for &(mark, position) in marks {
        match mark {
            Mark::Open | Mark::Brace => depth += 1,
            Mark::Close if depth == 0 => return Some(position),
            Mark::Close => depth -= 1,
            _ => (),
        }
    }
    None
}

/// Whether a range can get into a variable. It cannot where each stands in the head of a `for`, as
/// an index, or behind `in`; most scripts have no other, and their assignments need no guard.
pub(super) fn keeps_ranges(ast: &AST) -> bool {
    !ast.walk(&mut |path: &[ASTNode]| match path {
        [.., parent, ASTNode::Expr(Expr::FnCall(call, _))] if is_range(&call.name) => {
            matches!(
                parent,
                ASTNode::Stmt(Stmt::For(..)) | ASTNode::Expr(Expr::Index(..))
            ) || matches!(parent, ASTNode::Expr(Expr::FnCall(outer, _)) if outer.name == "contains")
        }
        [ASTNode::Expr(Expr::FnCall(call, _))] => !is_range(&call.name),
        _ => true,
    })
}

fn is_range(operator: &str) -> bool {
    matches!(operator, ".." | "..=")
}

/// The last `[` of each target of an assignment whose index may be a range; where the program keeps
/// no range, that is one that is written there.
pub(super) fn targets(ast: &AST, keeps_ranges: bool) -> Vec<Position> {
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(parts))) = path.last()
            && let Some((index, bracket)) = last_index(&parts.1.lhs)
        {
            let may_be_range = match index {
                Expr::FnCall(call, _) if is_range(&call.name) => true,
                Expr::IntegerConstant(..)
                | Expr::StringConstant(..)
                | Expr::InterpolatedString(..) => false,
                Expr::FnCall(call, _) if call.op_token.is_some() => false,
                _ => keeps_ranges,
            };
            if may_be_range {
                found.push(bracket);
            }
        }
        true
    });
    found
}

/// The index that is assigned to, and the place of its bracket. A chain binds to the right: what
/// follows an index or a property is in its right side, up to the index that breaks the chain.
fn last_index(target: &Expr) -> Option<(&Expr, Position)> {
    match target {
        Expr::Index(parts, flags, bracket) => match &parts.rhs {
            rest @ (Expr::Index(..) | Expr::Dot(..)) if !flags.intersects(ASTFlags::BREAK) => {
                last_index(rest)
            }
            index => Some((index, *bracket)),
        },
        Expr::Dot(parts, ..) => last_index(&parts.rhs),
        _ => None,
    }
}

/// The text with each insertion before its position. Lines and columns count from 1, columns in
/// characters.
pub(super) fn insert(source: &str, insertions: &[Insertion]) -> String {
    let more: usize = insertions.iter().map(|(_, piece)| piece.len()).sum();
    let mut text = String::with_capacity(source.len() + more);
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
