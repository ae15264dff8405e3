//! From the path of a nested `@param` line to the field that it refines. Never touches a type that
//! the path does not lead to.

use super::cursor::{Cursor, shortened};
use super::print::{is_identifier, key};
use super::{Field, MAX_TYPE_PARTS, Type, TypeError, settled};
use crate::diagnostic::nearest;
use serde_json::Value;

/// One `@param` line.
pub(super) struct Line<'a> {
    pub path: &'a str,
    pub kind: Type,
    pub default: Option<Value>,
    pub description: String,
}

/// What a path goes through after the parameter's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Items,
    Values,
}

pub(super) struct Steps {
    pub root: String,
    pub list: Vec<Step>,
}

impl Steps {
    /// `name`, then any of `.field`, `."field"`, `[]` and `{}`; the last step is a field.
    pub(super) fn parse(path: &str) -> Result<Self, TypeError> {
        let cursor = &mut Cursor::new(path);
        let root = cursor.word().to_owned();
        if !is_identifier(&root) {
            let message = format!("`{}` does not start with a parameter's name", clipped(path));
            return Err(whole(path, message).help(FORM));
        }
        let mut list = Vec::new();
        while cursor.peek().is_some() {
            list.push(Self::step(cursor, path)?);
        }
        if !matches!(list.last(), None | Some(Step::Field(_))) {
            let message = format!("`{}` names no field", clipped(path));
            let help = format!("end the path with a field, or write the type in `@param {root}`");
            return Err(whole(path, message).help(help));
        }
        Ok(Self { root, list })
    }

    fn step(cursor: &mut Cursor<'_>, path: &str) -> Result<Step, TypeError> {
        if cursor.eat("[]") {
            return Ok(Step::Items);
        }
        if cursor.eat("{}") {
            return Ok(Step::Values);
        }
        if cursor.eat(".") {
            if cursor.peek() == Some('"') {
                return cursor.string(TypeError::PARAM_PATH).map(Step::Field);
            }
            let name = cursor.word();
            if is_identifier(name) {
                return Ok(Step::Field(name.to_owned()));
            }
        }
        let help = match cursor.peek() {
            Some('?') => "put the question mark after the type: `@param name string?`",
            Some('[') => "`[]` stands for every item, as in `items[].qty`",
            _ => FORM,
        };
        let message = format!("{} where the path `{}` goes on", cursor.here(), clipped(path));
        Err(cursor.error_here(TypeError::PARAM_PATH, message).help(help))
    }

    /// The path of the first `count` steps, in its one form.
    pub(super) fn text(&self, count: usize) -> String {
        let mut text = self.root.clone();
        for step in self.list.iter().take(count) {
            push_step(&mut text, step);
        }
        text
    }
}

pub(super) fn push_step(text: &mut String, step: &Step) {
    match step {
        Step::Items => text.push_str("[]"),
        Step::Values => text.push_str("{}"),
        Step::Field(name) => {
            text.push('.');
            text.push_str(&key(name));
        }
    }
}

const FORM: &str =
    "write `name`, or a field as in `options.limit`, `items[].qty` or `prices{}.net`";

/// The way down a type along the steps of a path.
pub(super) struct Descent<'a> {
    pub steps: &'a Steps,
    pub growing: &'a mut Vec<String>,
}

impl Descent<'_> {
    pub(super) fn place(&mut self, root: &mut Type, line: Line<'_>) -> Result<(), TypeError> {
        let Some((Step::Field(name), parents)) = self.steps.list.split_last() else {
            return Err(whole(line.path, "the path names no field").help(FORM));
        };
        let mut kind = root;
        for (index, step) in parents.iter().enumerate() {
            kind = self.descend(kind, step, index)?;
        }
        let index = parents.len();
        let path = self.steps.text(index);
        let fields = self.fields_of(kind, index)?;
        if let Some(at) = fields.iter().position(|field| field.name == *name) {
            return narrow(&mut fields[at], line);
        }
        if !self.growing.contains(&path) {
            return Err(no_field(&path, name, fields));
        }
        if fields.len() >= MAX_TYPE_PARTS {
            let message = format!("`{}` has more than {MAX_TYPE_PARTS} fields", clipped(&path));
            return Err(TypeError::new(TypeError::TYPE_SIZE, 0, path.chars().count(), message)
                .help("take `map<string, T>`"));
        }
        let field = Field::new(name.clone(), line.kind).describe(line.description);
        fields.push(field.with_default(line.default));
        Ok(())
    }

    /// The type that one step leads to. `any` becomes what the step asks for.
    fn descend<'t>(
        &mut self,
        kind: &'t mut Type,
        step: &Step,
        index: usize,
    ) -> Result<&'t mut Type, TypeError> {
        let kind = present(kind);
        match step {
            Step::Field(name) => {
                let path = self.steps.text(index);
                let fields = self.fields_of(kind, index)?;
                match fields.iter().position(|field| field.name == *name) {
                    Some(at) => Ok(&mut fields[at].kind),
                    None => Err(no_field(&path, name, fields)),
                }
            }
            Step::Items => {
                if *kind == Type::Any {
                    *kind = Type::array(Type::Any);
                }
                match kind {
                    Type::Array(items, _) => Ok(items),
                    other => Err(self.wrong_parent(other, index)),
                }
            }
            Step::Values => {
                if *kind == Type::Any {
                    *kind = Type::map(Type::Any);
                }
                match kind {
                    Type::Map(values, _) => Ok(values),
                    other => Err(self.wrong_parent(other, index)),
                }
            }
        }
    }

    /// The fields of an object; `any` and `object` become one that grows.
    fn fields_of<'t>(
        &mut self,
        kind: &'t mut Type,
        index: usize,
    ) -> Result<&'t mut Vec<Field>, TypeError> {
        let kind = present(kind);
        if matches!(kind, Type::Any | Type::ObjectByLines) {
            *kind = Type::Object(Vec::new());
            self.growing.push(self.steps.text(index));
        }
        match kind {
            Type::Object(fields) => Ok(fields),
            other => Err(self.wrong_parent(other, index)),
        }
    }

    /// Step `index` does not fit the type that the steps before it lead to.
    fn wrong_parent(&self, kind: &Type, index: usize) -> TypeError {
        let parent = self.steps.text(index);
        let given = self.steps.text(index + 1);
        let wanted = match &self.steps.list[index] {
            Step::Field(_) => "fields",
            Step::Items => "items",
            Step::Values => "values",
        };
        let help = match kind {
            Type::Array(..) => format!("write `{parent}[]` for each item"),
            Type::Map(..) => format!("write `{parent}{{}}` for each value"),
            Type::Object(_) | Type::ObjectByLines => format!("write `{parent}.name` for a field"),
            Type::Union(_) => format!("write the fields into the type of `{parent}` itself"),
            _ => format!("give `{parent}` the type `object` or `object[]`, or drop this line"),
        };
        let (parent, kind) = (clipped(&parent), shortened(&kind.to_string(), 80));
        let message = format!("`{parent}` is `{kind}`, which has no {wanted}");
        TypeError::new(TypeError::PARAM_PATH, 0, given.chars().count(), message).help(help)
    }
}

/// The type behind a `?`.
fn present(kind: &mut Type) -> &mut Type {
    match kind {
        Type::Nullable(inner) => inner,
        other => other,
    }
}

/// Gives a field that its parent lists the type of its own line.
fn narrow(field: &mut Field, mut line: Line<'_>) -> Result<(), TypeError> {
    let (kind, default) = settled(filled(line.kind, &field.kind), line.default);
    line.kind = kind;
    if !covers(&field.kind, &line.kind) {
        let (path, listed) = (clipped(line.path), shortened(&field.kind.to_string(), 80));
        let given = shortened(&line.kind.to_string(), 80);
        let message = format!("`{path}` is `{given}` here, and `{listed}` in its parent");
        let help = format!("write `{listed}`, or change the parent's line; this one may narrow it");
        return Err(whole(line.path, message).help(help));
    }
    // What may be left out stays so; the line speaks of the value where there is one.
    let may_be_left_out = matches!(field.kind, Type::Nullable(_)) && default.is_none();
    field.kind = if may_be_left_out { line.kind.optional() } else { line.kind };
    field.default = default.or(field.default.take());
    if !line.description.is_empty() {
        field.description = line.description;
    }
    Ok(())
}

/// The type with each `object` in it replaced by the fields that are listed already.
fn filled(kind: Type, listed: &Type) -> Type {
    match (kind, listed) {
        (Type::ObjectByLines, Type::Object(_)) => listed.clone(),
        (Type::Array(inner, length), Type::Array(listed, _)) => {
            Type::Array(Box::new(filled(*inner, listed)), length)
        }
        (Type::Map(inner, length), Type::Map(listed, _)) => {
            Type::Map(Box::new(filled(*inner, listed)), length)
        }
        (Type::Nullable(inner), Type::Nullable(listed)) => filled(*inner, listed).optional(),
        (kind, Type::Nullable(listed)) => filled(kind, listed),
        (kind, _) => kind,
    }
}

/// Whether every value of `inner` is one of `outer`, as far as the types alone tell.
fn covers(outer: &Type, inner: &Type) -> bool {
    match (outer, inner) {
        (Type::Any, _) => true,
        (Type::Nullable(outer), Type::Nullable(inner)) => covers(outer, inner),
        (Type::Nullable(_), Type::Null) => true,
        (Type::Nullable(outer), inner) => covers(outer, inner),
        (outer, Type::Union(inner)) => inner.iter().all(|inner| covers(outer, inner)),
        (Type::Union(outer), inner) => outer.iter().any(|outer| covers(outer, inner)),
        (Type::Int(outer), Type::Int(inner)) => outer.covers(*inner),
        (Type::Float(outer), Type::Float(inner)) => outer.covers(*inner),
        (Type::String(outer), Type::String(inner)) => outer.covers(*inner),
        (Type::String(length), Type::Literal(text)) => length.contains(text.chars().count()),
        (Type::Array(outer, long), Type::Array(inner, short))
        | (Type::Map(outer, long), Type::Map(inner, short)) => {
            long.covers(*short) && covers(outer, inner)
        }
        (Type::ObjectByLines, Type::Object(_)) => true,
        (Type::Object(outer), Type::Object(inner)) => {
            outer.len() == inner.len()
                && inner.iter().all(|field| {
                    let same = outer.iter().find(|other| other.name == field.name);
                    same.is_some_and(|other| covers(&other.kind, &field.kind))
                })
        }
        (outer, inner) => outer == inner,
    }
}

fn no_field(parent: &str, name: &str, fields: &[Field]) -> TypeError {
    let names = fields.iter().map(|field| field.name.as_str());
    let near = if name.len() <= 64 { nearest(name, names) } else { None };
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add it to the type of `{}`, or drop this line", clipped(parent)),
    };
    let message = format!("`{}` has no field `{}`", clipped(parent), shortened(name, 40));
    let offset = parent.chars().count() + 1;
    TypeError::new(TypeError::PARAM_PATH, offset, name.chars().count(), message).help(help)
}

pub(super) fn whole(path: &str, message: impl Into<String>) -> TypeError {
    TypeError::new(TypeError::PARAM_PATH, 0, path.chars().count(), message)
}

pub(super) fn clipped(path: &str) -> String {
    shortened(path, 80)
}
