//! The top level of a file: constants with literal values and imports; functions are elsewhere in
//! the tree, and nothing else may stand there, because loading runs no code.

use super::{Constant, Import, ParsedFile, is_identifier, span_at};
use crate::diagnostic::{Diagnostic, Span};
use rhai::{AST, ASTFlags, Dynamic, Expr, Ident, Position, Stmt};

/// Reads constants and imports into `parsed`; anything else becomes a diagnostic.
pub(super) fn read(ast: &AST, text: &str, parsed: &mut ParsedFile, problems: &mut Vec<Diagnostic>) {
    for statement in ast.statements() {
        match statement {
            Stmt::Var(parts, flags, _) if flags.intersects(ASTFlags::CONSTANT) => {
                match constant(&parts.0, &parts.1, text, &parsed.constants) {
                    Ok(constant) => parsed.constants.push(constant),
                    Err(problem) => problems.push(*problem),
                }
            }
            Stmt::Import(parts, position) => {
                match import(&parts.0, &parts.1, *position, text, &parsed.imports) {
                    Ok(import) => parsed.imports.push(import),
                    Err(problem) => problems.push(*problem),
                }
            }
            other => problems.push(misplaced(other, text)),
        }
    }
}

fn constant(
    name: &Ident,
    value: &Expr,
    text: &str,
    earlier: &[Constant],
) -> Result<Constant, Box<Diagnostic>> {
    let span = span_at(text, name.pos, name.name.chars().count());
    if let Some(first) = earlier.iter().find(|constant| constant.name == name.name.as_str()) {
        return Err(Diagnostic::author(
            "source/duplicate-constant",
            format!("the constant `{}` is given twice", name.name),
        )
        .at(span, "again")
        .at(first.span, "first")
        .help("give one of them another name")
        .into());
    }
    let literal = value.get_literal_value(None).filter(is_plain);
    let Some(value) = literal else {
        return Err(Diagnostic::author(
            "source/top-level",
            format!("the constant `{}` is not a literal value; loading runs no code", name.name),
        )
        .at(span, "has to be computed")
        .help(format!(
            "write the value itself, or a function: `fn {}() {{ … }}`",
            name.name.to_lowercase()
        ))
        .into());
    };
    Ok(Constant { name: name.name.to_string(), span, value })
}

/// Numbers, text, characters, booleans, `()`, and arrays and maps of those. Closures and ranges
/// count as literals for Rhai.
fn is_plain(value: &Dynamic) -> bool {
    if let Ok(items) = value.as_array_ref() {
        return items.iter().all(is_plain);
    }
    if let Ok(fields) = value.as_map_ref() {
        return fields.values().all(is_plain);
    }
    value.is_unit()
        || value.is_bool()
        || value.is_int()
        || value.is_float()
        || value.is_char()
        || value.is_string()
}

fn import(
    path: &Expr,
    alias: &Ident,
    position: Position,
    text: &str,
    earlier: &[Import],
) -> Result<Import, Box<Diagnostic>> {
    let Expr::StringConstant(path, path_position) = path else {
        return Err(Diagnostic::author("import/path", "the path of an import must be plain text")
            .at(span_at(text, position, 6), "")
            .help("write it in quotes, as in `import \"parse\" as parse;`")
            .into());
    };
    let path_span = span_at(text, *path_position, path.chars().count() + 2);
    let (alias, alias_span) = if alias.name.is_empty() {
        (path.rsplit('/').next().unwrap_or(path).to_owned(), path_span)
    } else {
        (alias.name.to_string(), span_at(text, alias.pos, alias.name.chars().count()))
    };
    if let Some(problem) = bad_alias(&alias, path, alias_span, earlier) {
        return Err(problem.into());
    }
    Ok(Import { path: path.to_string(), alias, path_span, alias_span })
}

fn bad_alias(alias: &str, path: &str, span: Span, earlier: &[Import]) -> Option<Diagnostic> {
    if !is_identifier(alias) {
        // A path that is wrong in other ways is explained where it is resolved.
        let usable = alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if alias.is_empty() || !usable {
            return None;
        }
        let better = alias.replace('-', "_");
        return Some(
            Diagnostic::author(
                "import/alias",
                format!("`{alias}`, the last part of the path, cannot be a name in a script"),
            )
            .at(span, "")
            .help(format!("give it one: `import \"{path}\" as {better};`")),
        );
    }
    let first = earlier.iter().find(|import| import.alias == alias)?;
    Some(
        Diagnostic::author("import/alias", format!("two imports are named `{alias}`"))
            .at(span, "again")
            .at(first.alias_span, "first")
            .help(format!("give one another name: `import \"{path}\" as {alias}_2;`")),
    )
}

fn call_help(name: &str) -> String {
    format!("move `{name}(…)` into a function; to try it out, into one with `/// @test` above it")
}

fn misplaced(statement: &Stmt, text: &str) -> Diagnostic {
    let (what, help) = match statement {
        Stmt::Var(parts, ..) => (
            "`let`",
            format!(
                "write `const {} = …;` for a fixed value, or move it into the function that uses it",
                parts.0.name
            ),
        ),
        Stmt::Export(..) => {
            ("`export`", "remove it; every function that is not `private` is exported".into())
        }
        Stmt::Assignment(..) => {
            ("an assignment", "move it into a function: `fn name() { … }`".into())
        }
        Stmt::If(..) | Stmt::Switch(..) | Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) => {
            ("a statement", "move it into a function: `fn name() { … }`".into())
        }
        Stmt::FnCall(call, _) => ("a call", call_help(&call.name)),
        Stmt::Expr(expression) => match &**expression {
            Expr::FnCall(call, _) if call.op_token.is_none() => ("a call", call_help(&call.name)),
            _ => ("an expression", "move it into a function: `fn name() { … }`".into()),
        },
        _ => ("a statement", "move it into a function: `fn name() { … }`".into()),
    };
    Diagnostic::author(
        "source/top-level",
        format!("{what} stands outside of a function; loading a feature runs no code"),
    )
    .at(span_at(text, statement.position(), 1), "only `const`, `fn` and `import` may stand here")
    .help(help)
}
