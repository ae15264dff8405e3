//! The parameters of a tool, built line by line, and the arguments that were checked against them.
//! Never looks at the function whose parameters they are.

use super::cursor::shortened;
use super::literal::misfit;
use super::nested::{Descent, Line, Step, Steps, clipped, push_step, whole};
use super::{MAX_TYPE_DEPTH, MAX_TYPE_PARTS, Type, TypeError, habit, settled};
use crate::diagnostic::nearest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name in the script, such as `default_`.
    pub name: String,
    /// What its value may be; a [`Type::Nullable`] parameter may be left out.
    pub kind: Type,
    /// The value of an argument that was left out.
    pub default: Option<Value>,
    /// What it is for; empty when nobody said.
    pub description: String,
    /// What a person reads in a form, in the place of names.
    pub labels: Labels,
}

/// What a person reads in a form, in the place of the names that a script uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// In the place of the parameter's name; empty where the name says enough.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// In the place of texts to choose from, by the text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, String>,
    /// How the schema of a form says what stands for a text.
    #[serde(skip_serializing_if = "ChoiceStyle::is_const")]
    pub style: ChoiceStyle,
}

/// How the schema of a form says what stands for a text to choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceStyle {
    /// A `const` with its `title` for each, as MCP has it since 2025-11-25.
    #[default]
    Const,
    /// `enum` and `enumNames` side by side, which forms of before read.
    EnumNames,
}

impl ChoiceStyle {
    fn is_const(&self) -> bool {
        *self == Self::Const
    }
}

impl Labels {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Parameter {
    /// The name that callers use: the script's, without the trailing underscore that escapes a
    /// reserved word.
    pub fn argument_name(&self) -> &str {
        match self.name.strip_suffix('_') {
            Some(name) if !name.trim_matches('_').is_empty() => name,
            _ => &self.name,
        }
    }

    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !self.kind.is_optional()
    }
}

/// The parameters of a tool, in declared order.
///
/// Serde writes them as the list of lines that [`Parameters::add`] would take to make them again.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    list: Vec<Parameter>,
    /// Paths that had a line of their own.
    seen: Vec<String>,
    /// Paths of objects that take new fields from nested lines, because no type listed them.
    growing: Vec<String>,
}

/// By the parameters alone; how they were written does not matter.
impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Parameters {}

impl Parameters {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter (`text`) or refines a nested field of one (`items[].qty`).
    ///
    /// `[]` stands for each item of an array and `{}` for each value of a map. The parent comes
    /// first. A parent that lists its fields keeps to them, and its line may only be narrowed; one
    /// given as `any` or `object` grows the fields that its nested lines name.
    ///
    /// # Errors
    ///
    /// The path is malformed, its parent is missing or of another type (`annotation/param-path`),
    /// it was described before (`annotation/duplicate-param`), the default does not fit
    /// (`annotation/default`), or there are too many (`annotation/type-size`). Offsets count in
    /// the path. After an error nothing has changed.
    pub fn add(
        &mut self,
        path: &str,
        kind: Type,
        default: Option<Value>,
        description: impl Into<String>,
    ) -> Result<(), TypeError> {
        let steps = Steps::parse(path)?;
        let default = default.map(|value| checked_default(path, &kind, value)).transpose()?;
        let line = Line { path, kind, default, description: description.into() };
        if steps.list.is_empty() { self.add_parameter(line) } else { self.refine(&steps, line) }
    }

    fn add_parameter(&mut self, line: Line<'_>) -> Result<(), TypeError> {
        let (kind, default) = settled(line.kind, line.default);
        let parameter = Parameter {
            name: line.path.to_owned(),
            kind,
            default,
            description: line.description,
            labels: Labels::default(),
        };
        let name = parameter.argument_name();
        if let Some(twin) = self.iter().find(|other| other.argument_name() == name) {
            let message = format!(
                "`{}` and `{}` are both the argument `{name}`",
                shortened(&twin.name, 40),
                shortened(line.path, 40)
            );
            return Err(duplicate(line.path, message));
        }
        if self.list.len() >= MAX_TYPE_PARTS {
            let message = format!("the tool has more than {MAX_TYPE_PARTS} parameters");
            return Err(TypeError::new(TypeError::TYPE_SIZE, 0, line.path.len(), message)
                .help("take one parameter of type `map<string, T>`"));
        }
        self.list.push(parameter);
        Ok(())
    }

    fn refine(&mut self, steps: &Steps, line: Line<'_>) -> Result<(), TypeError> {
        let Some(index) = self.list.iter().position(|parameter| parameter.name == steps.root)
        else {
            return Err(self.no_parent(steps, line.path));
        };
        let normal = steps.text(steps.list.len());
        if self.seen.contains(&normal) {
            let message = format!("`{}` is described twice", shortened(line.path, 80));
            return Err(duplicate(line.path, message));
        }
        let inside = |seen: &String| {
            seen.strip_prefix(&normal).is_some_and(|rest| rest.starts_with(['.', '[', '{']))
        };
        if let Some(later) = self.seen.iter().find(|seen| inside(seen)) {
            let message =
                format!("`{}` was described before `{}`", clipped(later), clipped(line.path));
            return Err(whole(line.path, message).help("write the line of a parent first"));
        }
        if steps.list.len() + line.kind.depth() > MAX_TYPE_DEPTH {
            let message = format!("the type nests more than {MAX_TYPE_DEPTH} levels");
            return Err(TypeError::new(
                TypeError::TYPE_SIZE,
                0,
                line.path.chars().count(),
                message,
            )
            .help("take `any` for the innermost part"));
        }
        let mut kind = self.list[index].kind.clone();
        let mut growing = self.growing.clone();
        Descent { steps, growing: &mut growing }.place(&mut kind, line)?;
        self.list[index].kind = kind;
        self.growing = growing;
        self.seen.push(normal);
        Ok(())
    }

    fn no_parent(&self, steps: &Steps, path: &str) -> TypeError {
        let root = shortened(&steps.root, 40);
        let message = format!("`{}` is part of `{root}`, which is not declared yet", clipped(path));
        let names = self.iter().map(|parameter| parameter.name.as_str());
        let help = match nearest(&root, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write the line of `{root}` first, as in `@param {root} object`"),
        };
        TypeError::new(TypeError::PARAM_PATH, 0, steps.root.chars().count(), message).help(help)
    }

    /// Ends the list: refuses an `object` that no nested line has filled in, and checks defaults
    /// again, since nested lines may have narrowed their types. Call it after the last line.
    ///
    /// # Errors
    ///
    /// The first such `object` (`annotation/param-path`) or default (`annotation/default`); the
    /// message names the parameter, and the offset counts in its name.
    pub fn finish(&mut self) -> Result<(), TypeError> {
        for parameter in &mut self.list {
            if leaves_open(&parameter.kind) {
                let name = clipped(&parameter.name);
                let message = format!("the fields of an `object` in `{name}` are given nowhere");
                return Err(TypeError::new(
                    TypeError::PARAM_PATH,
                    0,
                    parameter.name.len(),
                    message,
                )
                .help(format!(
                    "add lines such as `@param {name}.field string`, or {}",
                    habit::OBJECT
                )));
            }
            parameter.default = match parameter.default.take() {
                Some(value) => Some(checked_default(&parameter.name, &parameter.kind, value)?),
                None => None,
            };
            recheck_fields(&mut parameter.kind, &parameter.name)?;
        }
        Ok(())
    }

    /// Gives back memory that nothing needs.
    pub fn shrink_to_fit(&mut self) {
        self.list.shrink_to_fit();
        self.seen.shrink_to_fit();
        self.growing.shrink_to_fit();
        for parameter in &mut self.list {
            parameter.kind.shrink_to_fit();
            parameter.description.shrink_to_fit();
        }
    }

    /// The parameters, in declared order.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Says what a person reads in a form in the place of the names of a parameter that was added.
    pub fn label(&mut self, name: &str, labels: Labels) {
        if let Some(parameter) = self.list.iter_mut().find(|parameter| parameter.name == name) {
            parameter.labels = labels;
        }
    }

    /// The parameter of that name in the script.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.list.iter().find(|parameter| parameter.name == name)
    }
}

impl<'a> IntoIterator for &'a Parameters {
    type Item = &'a Parameter;
    type IntoIter = std::slice::Iter<'a, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether an `object` is left whose fields no line has given.
fn leaves_open(kind: &Type) -> bool {
    match kind {
        Type::ObjectByLines => true,
        Type::Array(inner, _) | Type::Map(inner, _) | Type::Nullable(inner) => leaves_open(inner),
        Type::Object(fields) => fields.iter().any(|field| leaves_open(&field.kind)),
        Type::Union(alternatives) => alternatives.iter().any(leaves_open),
        _ => false,
    }
}

/// Checks the defaults of nested fields again.
fn recheck_fields(kind: &mut Type, name: &str) -> Result<(), TypeError> {
    match kind {
        Type::Array(inner, _) | Type::Map(inner, _) | Type::Nullable(inner) => {
            recheck_fields(inner, name)
        }
        Type::Union(alternatives) => {
            alternatives.iter_mut().try_for_each(|kind| recheck_fields(kind, name))
        }
        Type::Object(fields) => fields.iter_mut().try_for_each(|field| {
            recheck_fields(&mut field.kind, name)?;
            if let Some(value) = field.default.take() {
                field.default = Some(checked_default(name, &field.kind, value)?);
            }
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The default as its type has it. Null stands for "may be left out" and fits every type.
fn checked_default(path: &str, kind: &Type, value: Value) -> Result<Value, TypeError> {
    if value.is_null() {
        return Ok(value);
    }
    let given = value.to_string();
    kind.check(value).map_err(|found| {
        let (message, help) = misfit(&given, kind, &found);
        let message = format!("`{}`: {message}", clipped(path));
        TypeError::new(TypeError::DEFAULT, 0, path.chars().count(), message).help(help)
    })
}

fn duplicate(path: &str, message: String) -> TypeError {
    TypeError::new(TypeError::DUPLICATE_PARAM, 0, path.chars().count(), message)
        .help("keep one of the two lines")
}

/// A line as serde writes it.
#[derive(Serialize, Deserialize)]
struct StoredLine {
    name: String,
    #[serde(rename = "type")]
    kind: Type,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines = Vec::new();
        for parameter in &self.list {
            lines.push(StoredLine {
                name: parameter.name.clone(),
                kind: parameter.kind.clone(),
                default: parameter.default.clone(),
                description: parameter.description.clone(),
                labels: parameter.labels.clone(),
            });
            describe_fields(&parameter.kind, &parameter.name, &mut lines);
        }
        lines.serialize(serializer)
    }
}

/// A line for each field that says what it is for; the rest is in its parent's type.
fn describe_fields(kind: &Type, path: &str, lines: &mut Vec<StoredLine>) {
    let nested = |step: Step| {
        let mut nested = path.to_owned();
        push_step(&mut nested, &step);
        nested
    };
    match kind {
        Type::Nullable(inner) => describe_fields(inner, path, lines),
        Type::Array(inner, _) => describe_fields(inner, &nested(Step::Items), lines),
        Type::Map(inner, _) => describe_fields(inner, &nested(Step::Values), lines),
        Type::Object(fields) => {
            for field in fields {
                let path = nested(Step::Field(field.name.clone()));
                if !field.description.is_empty() {
                    let (kind, description) = (field.kind.clone(), field.description.clone());
                    let (name, labels) = (path.clone(), Labels::default());
                    lines.push(StoredLine { name, kind, default: None, description, labels });
                }
                describe_fields(&field.kind, &path, lines);
            }
        }
        _ => {}
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut parameters = Self::new();
        for line in Vec::<StoredLine>::deserialize(deserializer)? {
            let added = parameters.add(&line.name, line.kind, line.default, line.description);
            added.map_err(D::Error::custom)?;
            parameters.label(&line.name, line.labels);
        }
        parameters.finish().map_err(D::Error::custom)?;
        Ok(parameters)
    }
}

/// Arguments that were checked: every parameter has its value, in declared order. Only
/// [`Parameters::check`] makes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// For [`Parameters::check`] alone.
    pub(super) fn checked(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// The value of an argument, by the name that callers use.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The values in declared order, for the call.
    pub fn into_values(self) -> impl ExactSizeIterator<Item = Value> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// The arguments by name, in declared order.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}
