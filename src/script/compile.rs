//! Compiles one file for running: guarded, bounded, and with its constants under names of their
//! own.
//!
//! The token hook does three things while the parser reads: it ends a parse that takes too much,
//! it notes where a `switch` stands for [`super::guard`], and it renames constants. A closure that
//! a function of another file calls sees that file's constants; under names that no other file
//! has, it sees its own. Nothing here evaluates anything.

use super::engine;
use super::guard::{self, Columns, GUARD, Mark};
use super::meter;
use rhai::{
    AST, ASTFlags, Dynamic, Engine, Identifier, LexError, ParseError, Position, Stmt, Token,
};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A compiled file.
pub(super) struct Compiled {
    pub ast: AST,
    /// Maps columns of the compiled text to those of the author's.
    pub columns: Columns,
    /// The constants by the names that the tree uses, and by those that the author wrote.
    pub constants: Vec<Constant>,
}

/// A constant of a file's top level.
pub(super) struct Constant {
    pub name: Identifier,
    pub written: Identifier,
    pub value: Dynamic,
}

/// Why a text cannot be compiled.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// The parser refuses it.
    Parse(ParseError),
    /// The operand of the `switch` that stands here is a statement without parentheses.
    Operand(Position),
    /// The guard's own name is used.
    Reserved,
}

/// What divides a constant's name from the number of its file; no identifier holds it.
pub(super) const DIVIDER: char = '#';

thread_local! {
    static HOOK: RefCell<Hook> = RefCell::default();
    static PARSER: Engine = {
        let mut parser = engine::parser();
        #[expect(deprecated, reason = "marked volatile, not going away")]
        parser.on_parse_token(|token, position, _| {
            if meter::tick().is_some() {
                let reason = "the source takes too long or too much memory to compile";
                return Token::LexError(Box::new(LexError::Runtime(reason.into())));
            }
            HOOK.with_borrow_mut(|hook| hook.take(token, position))
        });
        parser
    };
}

/// What the token hook keeps between two tokens.
#[derive(Default)]
struct Hook {
    marks: Vec<(Mark, Position)>,
    /// The constants to rename, and the number of their file.
    renames: Option<(BTreeSet<Identifier>, usize)>,
    /// For each open bracket whether it is that of a map.
    open: Vec<bool>,
    before: Before,
}

/// What the token before says about a name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    /// A property, a function or an item of a module follows.
    Qualifier,
    /// The key of a map follows, if a map is open.
    Separator,
    #[default]
    Other,
}

impl Hook {
    fn take(&mut self, token: Token, position: Position) -> Token {
        let mark = Mark::of(&token);
        let awaited = matches!(self.marks.last(), Some((Mark::Switch | Mark::Text, _)));
        if mark != Mark::Other || awaited {
            self.marks.push((mark, position));
        }
        if self.renames.is_some() { self.rename(token, mark) } else { token }
    }

    fn rename(&mut self, token: Token, mark: Mark) -> Token {
        let is_key = self.before == Before::Separator && self.open.last() == Some(&true);
        let is_free = self.before != Before::Qualifier && !is_key;
        match mark {
            Mark::Open | Mark::Brace => self.open.push(token == Token::MapStart),
            Mark::Close => drop(self.open.pop()),
            _ => (),
        }
        self.before = match token {
            Token::Period | Token::Elvis | Token::DoubleColon | Token::Fn => Before::Qualifier,
            Token::MapStart | Token::Comma => Before::Separator,
            _ => Before::Other,
        };
        match (token, &self.renames) {
            (Token::Identifier(name), Some((names, file)))
                if is_free && names.contains(name.as_str()) =>
            {
                Token::Identifier(Box::new(renamed(&name, *file)))
            }
            (token, _) => token,
        }
    }
}

fn renamed(name: &str, file: usize) -> Identifier {
    format!("{name}{DIVIDER}{file}").into()
}

/// Compiles a file on this thread. `file` is its number where the program has several.
///
/// # Errors
///
/// The text does not parse, or holds what the guard cannot stand around.
pub(super) fn compile(source: &str, file: Option<usize>) -> Result<Compiled, SourceError> {
    if source.contains(GUARD) {
        return Err(SourceError::Reserved);
    }
    let (ast, marks) = parse(source, None)?;
    let insertions = guard::insertions(&marks).map_err(SourceError::Operand)?;
    let constants = constants(&ast);
    let names = renameable(&ast, &constants);
    let renames = file.filter(|_| !names.is_empty()).map(|file| (names, file));
    if insertions.is_empty() && renames.is_none() {
        return Ok(Compiled { ast, columns: Columns::default(), constants });
    }
    let text = guard::insert(source, &insertions);
    let (ast, _) = parse(&text, renames.clone()).map_err(|error| match insertions.first() {
        // What parsed before and does not now had an operand that ends elsewhere than it seemed.
        Some((at, _)) => SourceError::Operand(*at),
        None => error,
    })?;
    let constants = constants.into_iter().map(|constant| match &renames {
        Some((names, file)) if names.contains(&constant.written) => {
            Constant { name: renamed(&constant.written, *file), ..constant }
        }
        _ => constant,
    });
    Ok(Compiled { ast, columns: Columns::of(&insertions), constants: constants.collect() })
}

fn parse(
    source: &str,
    renames: Option<(BTreeSet<Identifier>, usize)>,
) -> Result<(AST, Vec<(Mark, Position)>), SourceError> {
    HOOK.set(Hook { renames, ..Hook::default() });
    let ast = PARSER.with(|parser| parser.compile(source)).map_err(SourceError::Parse);
    let marks = HOOK.take().marks;
    Ok((ast?, marks))
}

/// The names that can be taken for nothing but the constant: where a function or an import has
/// the same one, it stays as it is.
fn renameable(ast: &AST, constants: &[Constant]) -> BTreeSet<Identifier> {
    let is_taken = |name: &Identifier| {
        ast.iter_functions().any(|function| function.name == name.as_str())
            || ast.statements().iter().any(
                |statement| matches!(statement, Stmt::Import(parts, _) if parts.1.name == name.as_str()),
            )
    };
    constants
        .iter()
        .map(|constant| constant.written.clone())
        .filter(|name| !is_taken(name))
        .collect()
}

/// The constants of the top level. A value that is not a literal is left out; reading the file has
/// reported it.
fn constants(ast: &AST) -> Vec<Constant> {
    ast.statements()
        .iter()
        .filter_map(|statement| match statement {
            Stmt::Var(parts, flags, _) if flags.intersects(ASTFlags::CONSTANT) => {
                let name: Identifier = parts.0.name.as_str().into();
                let value = parts.1.get_literal_value(None)?;
                Some(Constant { written: name.clone(), name, value })
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(source: &str) -> String {
        let (_, marks) = parse(source, None).expect("the test's source parses");
        guard::insert(source, &guard::insertions(&marks).expect("its operands are plain"))
    }

    #[test]
    fn operands_are_wrapped_wherever_they_stand() {
        for (source, expected) in [
            ("switch x { 1 => 2 }", "switch __switch( x ) { 1 => 2 }"),
            ("switch f(#{a: [1]}).b { _ => 2 }", "switch __switch( f(#{a: [1]}).b ) { _ => 2 }"),
            ("switch `a${ {1} }b` { _ => 2 }", "switch __switch( `a${ {1} }b` ) { _ => 2 }"),
            (
                "switch (if a {1} else {2}) { _ => 2 }",
                "switch __switch( (if a {1} else {2}) ) { _ => 2 }",
            ),
            (
                "switch x\n{ _ => switch y { _ => 1 } }",
                "switch __switch( x\n) { _ => switch __switch( y ) { _ => 1 } }",
            ),
        ] {
            assert_eq!(guarded(source), expected);
            compile(source, None).map(drop).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        }
    }

    #[test]
    fn a_statement_as_operand_is_refused_and_not_mistaken() {
        for source in ["switch if a {1} else {2} { _ => 2 }", "switch { 1 } { _ => 2 }"] {
            assert!(matches!(compile(source, None), Err(SourceError::Operand(_))), "{source}");
        }
        assert!(matches!(compile("__switch(1)", None), Err(SourceError::Reserved)));
    }
}
