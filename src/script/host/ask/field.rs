//! The fields of a form, as a script writes them: `#{ age: "int(0..=150) = 30" }`.

use super::refuse;
use crate::feature::schema::{
    ChoiceStyle, Labels, Parameters, Type, TypeError, parse_default_prefix,
};
use crate::script::frame::Native;
use crate::script::host::options::Options;
use crate::script::host::text::work::{a_type, text_of};
use crate::script::meter;
use crate::script::value::{Budget, Kind, prefix, to_json};
use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::Value;

/// Most fields of a form, and most texts to choose from.
const MOST_FIELDS: usize = 32;
const MOST_CHOICES: usize = 100;

/// Most bytes of a title, a description, a default and a text to choose.
const MOST_TEXT: usize = 1_000;

/// A field without its name.
pub(super) struct Piece {
    kind: Type,
    labels: Labels,
    description: String,
}

impl Piece {
    pub(super) fn new(kind: Type) -> Self {
        Self { kind, labels: Labels::default(), description: String::new() }
    }

    /// One of these texts.
    pub(super) fn of_list(list: &Array) -> Native<Self> {
        let function = "ask::choose";
        let mut texts = Vec::new();
        for text in few(function, list)? {
            texts.push(Type::Literal(short(function, "a text to choose", &text)?));
        }
        Ok(Self::new(Type::union(texts)))
    }

    /// One of these texts, for each of which something else is shown.
    pub(super) fn of_map(map: &Map) -> Native<Self> {
        let function = "ask::choose";
        let labels = Labels { choices: shown(function, map)?, ..Labels::default() };
        let texts = labels.choices.keys().cloned().map(Type::Literal);
        let kind = Type::union(texts);
        Ok(Self { kind, labels, description: String::new() })
    }

    /// About the bytes that a person reads.
    fn bytes(&self) -> usize {
        let choices = self.labels.choices.iter().map(|(text, shown)| text.len() + shown.len());
        let kind = self.kind.to_string().len();
        kind + self.labels.title.len() + self.description.len() + choices.sum::<usize>()
    }
}

/// The texts of a list that is not long, and not empty.
fn few(function: &str, list: &Array) -> Native<Vec<ImmutableString>> {
    if list.is_empty() || list.len() > MOST_CHOICES {
        return Err(refuse(format!(
            "{function}: there are {} texts to choose from; give 1 to {MOST_CHOICES}",
            list.len()
        )));
    }
    meter::charge(list.len() as u64)?;
    list.iter().map(|text| text_of(function, "from", text)).collect()
}

/// What is shown for each text.
fn shown(function: &str, map: &Map) -> Native<std::collections::BTreeMap<String, String>> {
    if map.is_empty() || map.len() > MOST_CHOICES {
        return Err(refuse(format!(
            "{function}: there are {} texts to choose from; give 1 to {MOST_CHOICES}",
            map.len()
        )));
    }
    meter::charge(map.len() as u64)?;
    let mut choices = std::collections::BTreeMap::new();
    for (text, label) in map {
        let label = text_of(function, text, label)?;
        let label = short(function, "what is shown", &label)?;
        choices.insert(short(function, "a text to choose", text)?, label);
    }
    Ok(choices)
}

fn short(function: &str, what: &str, text: &str) -> Native<String> {
    if text.len() > MOST_TEXT {
        return Err(refuse(format!("{function}: {what} has more than {MOST_TEXT} bytes")));
    }
    Ok(text.to_owned())
}

/// The fields of a form that is being put together.
pub(super) struct Fields {
    function: &'static str,
    parameters: Parameters,
    /// About the bytes that a person reads.
    pub(super) bytes: usize,
}

impl Fields {
    pub(super) fn new(function: &'static str) -> Self {
        Self { function, parameters: Parameters::new(), bytes: 0 }
    }

    /// The fields of a map.
    ///
    /// # Errors
    ///
    /// There are none or too many, or one cannot be understood; the script may catch that.
    pub(super) fn read(function: &'static str, map: &Map) -> Native<Self> {
        if map.is_empty() || map.len() > MOST_FIELDS {
            return Err(refuse(format!(
                "{function}: a form has 1 to {MOST_FIELDS} fields, and this one has {}",
                map.len()
            )));
        }
        let mut fields = Self::new(function);
        for (name, written) in map {
            meter::charge(20)?;
            match Kind::of(written) {
                Kind::Text => {
                    let text = text_of(function, name, written)?;
                    let (kind, default) = typed(function, name, &text)?;
                    fields.add(name, &Piece::new(kind), default)?;
                }
                Kind::Map => {
                    let map = written.as_map_ref().map_err(|_| refuse("the field is in use"))?;
                    fields.add_map(name, &map)?;
                }
                _ => {
                    return Err(refuse(format!(
                        "{function}: the field `{}` is {}; write its type as a text, {}: \"string\"",
                        prefix(name, 40),
                        a_type(written),
                        prefix(name, 40),
                    )));
                }
            }
        }
        Ok(fields)
    }

    fn add_map(&mut self, name: &str, map: &Map) -> Native {
        let function = self.function;
        let mut options = Options::new(function, map);
        let text = options.text("type", "\"string\"")?.unwrap_or_else(|| "string".into());
        let (kind, mut default) = typed(function, name, &text)?;
        if let Some(given) = options.take("preset") {
            default = Some(value(function, name, given)?);
        }
        let title = options.text("title", "\"Size\"")?.unwrap_or_default();
        let description = options.text("description", "\"The size in cm.\"")?.unwrap_or_default();
        let mut labels = Labels::default();
        if let Some(choices) = options.take("choices") {
            let Some(choices) = choices.read_lock::<Map>() else {
                return Err(refuse(format!(
                    "{function}: `choices` is {}; write choices: #{{ s: \"Small\" }}",
                    a_type(choices)
                )));
            };
            labels.choices = shown(function, &choices)?;
        }
        if options.flag("enum_names", false)? {
            labels.style = ChoiceStyle::EnumNames;
        }
        options.done()?;
        labels.title = short(function, "`title`", &title)?;
        let description = short(function, "`description`", &description)?;
        self.add(name, &Piece { kind, labels, description }, default)
    }

    /// Adds a field.
    pub(super) fn add(&mut self, name: &str, piece: &Piece, default: Option<Value>) -> Native {
        let function = self.function;
        let shown = prefix(name, 40);
        if !piece.kind.fits_a_form() {
            return Err(refuse(format!(
                "{function}: `{shown}` is `{}`, which no field of a form holds; take a string, a number, \
                 a bool, one of several texts, or a list of those",
                prefix(&piece.kind.to_string(), 80)
            )));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.len() > super::MOST_NAME || !name.chars().all(is_word) {
            return Err(refuse(format!(
                "{function}: `{shown}` is no name of a field; take letters, digits and `_`"
            )));
        }
        let Piece { kind, description, labels } = piece;
        self.parameters
            .add(name, kind.clone(), default, description.as_str())
            .map_err(|error| wrong(function, name, &error))?;
        self.parameters.label(name, labels.clone());
        self.bytes += name.len() + piece.bytes();
        Ok(())
    }

    pub(super) fn done(mut self) -> Native<Parameters> {
        let function = self.function;
        self.parameters.finish().map_err(|error| wrong(function, super::ONLY, &error))?;
        Ok(self.parameters)
    }
}

/// `int(0..=150) = 30`: a type, and what is there before the person writes.
fn typed(function: &str, name: &str, text: &str) -> Native<(Type, Option<Value>)> {
    meter::charge_bytes(text.len())?;
    let problem = |error: &TypeError| wrong(function, name, error);
    let (kind, taken) = Type::parse_prefix(text).map_err(|error| problem(&error))?;
    let rest = text[taken..].trim();
    let Some(given) = rest.strip_prefix('=') else {
        return match rest {
            "" => Ok((kind, None)),
            _ => Err(refuse(format!(
                "{function}: `{}` stands behind the type of `{}`; a default begins with `=`",
                prefix(rest, 40),
                prefix(name, 40)
            ))),
        };
    };
    let given = given.trim();
    let (default, taken) = parse_default_prefix(given, &kind).map_err(|error| problem(&error))?;
    match given[taken..].trim() {
        "" => Ok((kind, Some(default))),
        rest => Err(refuse(format!(
            "{function}: `{}` stands behind the default of `{}`",
            prefix(rest, 40),
            prefix(name, 40)
        ))),
    }
}

fn value(function: &str, name: &str, given: &Dynamic) -> Native<Value> {
    to_json(given, Budget::of_bytes(MOST_TEXT)).map_err(|reason| {
        refuse(format!("{function}: the preset of `{}` is of no use: {reason}", prefix(name, 40)))
    })
}

fn wrong(function: &str, name: &str, error: &TypeError) -> Box<rhai::EvalAltResult> {
    let help = error.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    let name = prefix(name, 40);
    match error.message.contains(&format!("`{name}`")) {
        true => refuse(format!("{function}: {}{help}", error.message)),
        false => refuse(format!("{function}: `{name}`: {}{help}", error.message)),
    }
}
