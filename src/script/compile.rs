//! Compiles one file for running: guarded, bounded, and with its constants under names of their
//! own.
//!
//! The token hook does three things while the parser reads: it ends a parse that takes too much,
//! it notes where guards may have to stand for [`super::guard`], and it renames constants. A closure that
//! a function of another file calls sees that file's constants; under names that no other file
//! has, it sees its own. Nothing here evaluates anything.

use super::engine;
use super::guard::{self, Columns, Mark};
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
    /// The name of a guard is used.
    Reserved(&'static str),
}

/// The bytes that the syntax trees of one feature may take: some tens of times their text.
pub(super) const PARSE_MEMORY: u64 = 256 << 20;

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

/// A file that parses, before its guards are put in.
pub(super) struct Draft<'a> {
    source: &'a str,
    ast: AST,
    marks: Vec<(Mark, Position)>,
}

impl<'a> Draft<'a> {
    /// Parses a file on this thread.
    ///
    /// # Errors
    ///
    /// The text does not parse, or uses the name of a guard.
    pub fn new(source: &'a str) -> Result<Self, SourceError> {
        let source = without_interpreter(source);
        let names = [guard::SWITCH, guard::TEXT, guard::INDEX];
        if let Some(name) = names.into_iter().find(|name| source.contains(name)) {
            return Err(SourceError::Reserved(name));
        }
        let (ast, marks) = parse(source, None)?;
        Ok(Self { source, ast, marks })
    }

    /// Whether a range can get into a variable.
    pub fn keeps_ranges(&self) -> bool {
        guard::keeps_ranges(&self.ast)
    }

    /// Compiles the file with its guards in place. `file` is its number where the program has
    /// several, and `keeps_ranges` says whether a variable of any of them may hold a range.
    ///
    /// # Errors
    ///
    /// It holds what a guard cannot stand around.
    pub fn compile(self, file: Option<usize>, keeps_ranges: bool) -> Result<Compiled, SourceError> {
        let Self { source, ast, marks } = self;
        let targets = guard::targets(&ast, keeps_ranges);
        let insertions = guard::insertions(&marks, &targets).map_err(SourceError::Operand)?;
        let constants = constants(&ast);
        let names = renameable(&ast, &constants);
        let renames = file.filter(|_| !names.is_empty()).map(|file| (names, file));
        if insertions.is_empty() && renames.is_none() {
            return Ok(Compiled { ast, columns: Columns::default(), constants });
        }
        let text = guard::insert(source, &insertions);
        let (ast, _) = parse(&text, renames.clone()).map_err(|error| match insertions.first() {
            // What parsed before and does not now had an operand that ends elsewhere than it
            // seemed.
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
}

/// The text of a file without a first line `#!…`, which is not Rhai; an empty line takes its place,
/// so that positions stay.
pub(super) fn without_interpreter(text: &str) -> &str {
    if text.starts_with("#!") { text.find('\n').map_or("", |end| &text[end..]) } else { text }
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

    fn compile(source: &str) -> Result<Compiled, SourceError> {
        let draft = Draft::new(source)?;
        let keeps_ranges = draft.keeps_ranges();
        draft.compile(None, keeps_ranges)
    }

    fn guarded(source: &str) -> String {
        let draft = Draft::new(source).expect("the test's source parses");
        let targets = guard::targets(&draft.ast, draft.keeps_ranges());
        let insertions = guard::insertions(&draft.marks, &targets).expect("its operands are plain");
        compile(source).map(drop).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        guard::insert(source, &insertions)
    }

    #[test]
    fn operands_are_wrapped_wherever_they_stand() {
        for (source, expected) in [
            ("switch x { 1 => 2 }", "switch __switch( x ) { 1 => 2 }"),
            ("switch f(#{a: [1]}).b { _ => 2 }", "switch __switch( f(#{a: [1]}).b ) { _ => 2 }"),
            (
                "switch `a${ {1} }b` { _ => 2 }",
                "switch __switch( `a${ __text({ {1} })}b` ) { _ => 2 }",
            ),
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
        }
    }

    #[test]
    fn what_is_interpolated_is_wrapped_wherever_it_stands() {
        for (source, expected) in [
            ("`${a}`", "`${ __text({a})}`"),
            ("`${}`", "`${ __text({})}`"),
            ("`x${a}y${b}z`", "`x${ __text({a})}y${ __text({b})}z`"),
            ("`${`${a}` + 1}`", "`${ __text({`${ __text({a})}` + 1})}`"),
            (
                "`é${let x = 1; #{a: x}.a}\n${b}` + `${c}`",
                "`é${ __text({let x = 1; #{a: x}.a})}\n${ __text({b})}` + `${ __text({c})}`",
            ),
            ("let f = |x| `${x}`; f.call(1)", "let f = |x| `${ __text({x})}`; f.call(1)"),
            ("\"${a}\"", "\"${a}\""),
        ] {
            assert_eq!(guarded(source), expected);
        }
    }

    #[test]
    fn a_target_is_wrapped_where_its_index_may_be_a_range() {
        let keeping = |rest: &str| format!("let r = 0..1; {rest}");
        for (source, expected) in [
            ("t[0..1] = a", "t[__index(0..1)] = a"),
            ("t[0..=1] += a", "t[__index(0..=1)] += a"),
            ("fn f() { this[0..1] = a }", "fn f() { this[__index(0..1)] = a }"),
            ("for i in 0..9 { t[i] = t[0..i] }", "for i in 0..9 { t[i] = t[0..i] }"),
            ("if x in 0..9 { t[x] = 1 }", "if x in 0..9 { t[x] = 1 }"),
            (&keeping("t[r] = a"), &keeping("t[__index(r)] = a")),
            (&keeping("t[f(r)[0]] = a"), &keeping("t[__index(f(r)[0])] = a")),
            (&keeping("m.a[1].b[r] = a"), &keeping("m.a[1].b[__index(r)] = a")),
            (&keeping("m[r][x][r] = a"), &keeping("m[r][x][__index(r)] = a")),
            (&keeping("m[r].x = a; m[\"k\"] = t[r]"), &keeping("m[r].x = a; m[\"k\"] = t[r]")),
            (&keeping("t[i + 1] = a"), &keeping("t[i + 1] = a")),
            ("f(0..1); let g = |r| t[r] = 1;", "f(0..1); let g = |r| t[__index(r)] = 1;"),
        ] {
            assert_eq!(guarded(source), expected);
        }
    }

    #[test]
    fn a_statement_as_operand_is_refused_and_not_mistaken() {
        for source in ["switch if a {1} else {2} { _ => 2 }", "switch { 1 } { _ => 2 }"] {
            assert!(matches!(compile(source), Err(SourceError::Operand(_))), "{source}");
        }
        assert!(matches!(compile("__switch(1)"), Err(SourceError::Reserved("__switch"))));
    }
}
