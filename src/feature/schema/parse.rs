//! Types from text: recursive descent over the grammar in `docs/annotations.md`. Never recurses
//! deeper than [`MAX_NESTING`], whatever the text.

use super::cursor::{Cursor, shortened};
use super::print::quoted;
use super::{
    Field, FloatRange, IntRange, LengthRange, MAX_TYPE_DEPTH, MAX_TYPE_PARTS, MAX_TYPE_TEXT,
    RangeEnd, Type, TypeError, habit, literal,
};

/// Brackets of any kind that may be open at once: a canonical type has at most two a container.
const MAX_NESTING: usize = 2 * MAX_TYPE_DEPTH + 2;
/// Bytes of a serialized type. The canonical text of a type that was accepted is always shorter.
const MAX_STORED_TEXT: usize = 256 * 1024;

impl Type {
    /// Parses a type that is the whole text.
    ///
    /// # Errors
    ///
    /// The text is no type; `object` is refused as well, because no nested lines can follow.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        parse_whole(text, MAX_TYPE_TEXT)
    }

    /// Parses the type that the text starts with, and says how many bytes it took, white space in
    /// front included. What follows, such as ` = 5` or ` - description`, is for others to read.
    ///
    /// # Errors
    ///
    /// The text does not start with a type; `object` is refused, as in [`Type::parse`].
    pub fn parse_prefix(text: &str) -> Result<(Self, usize), TypeError> {
        parse_start(text, ByLines::Refused)
    }

    /// As [`Type::parse_prefix`], for a `@param`: `object` is allowed, since nested lines may
    /// follow.
    ///
    /// # Errors
    ///
    /// The text does not start with a type.
    pub fn parse_param_prefix(text: &str) -> Result<(Self, usize), TypeError> {
        parse_start(text, ByLines::Allowed)
    }

    /// Parses what `Display` printed, which may be longer than what a person may write.
    pub(super) fn parse_stored(text: &str) -> Result<Self, TypeError> {
        parse_whole(text, MAX_STORED_TEXT)
    }
}

fn parse_whole(text: &str, limit: usize) -> Result<Type, TypeError> {
    if text.len() > limit {
        return Err(too_long(text.len(), limit));
    }
    let mut parser = Parser::new(text, ByLines::Refused);
    let kind = parser.alternatives()?;
    parser.end()?;
    Ok(kind)
}

fn parse_start(text: &str, by_lines: ByLines) -> Result<(Type, usize), TypeError> {
    let mut parser = Parser::new(text, by_lines);
    let kind = parser.alternatives()?;
    let read = parser.cursor.at();
    if read > MAX_TYPE_TEXT { Err(too_long(read, MAX_TYPE_TEXT)) } else { Ok((kind, read)) }
}

fn too_long(length: usize, limit: usize) -> TypeError {
    TypeError::new(TypeError::TYPE_SIZE, 0, 1, format!("the type is {length} bytes long"))
        .help(format!("a type has at most {limit} bytes; take `any` for a part of it"))
}

/// Whether `object` may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByLines {
    Allowed,
    Refused,
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    by_lines: ByLines,
    nesting: usize,
}

type Parsed<T> = Result<T, TypeError>;

impl<'t> Parser<'t> {
    fn new(text: &'t str, by_lines: ByLines) -> Self {
        Self { cursor: Cursor::new(text), by_lines, nesting: 0 }
    }

    /// `A | B | …`, one alternative included.
    fn alternatives(&mut self) -> Parsed<Type> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.too_deep());
        }
        self.cursor.skip_space();
        let start = self.cursor.at();
        let mut list = vec![self.postfixed(None)?];
        while self.another_alternative()? {
            let next = self.postfixed(Some(&list))?;
            list.push(next);
            if list.len() > MAX_TYPE_PARTS {
                return Err(self.too_many(start, "alternatives", "take `string` or `any`"));
            }
        }
        self.nesting -= 1;
        self.union(list, start)
    }

    fn union(&self, list: Vec<Type>, start: usize) -> Parsed<Type> {
        if list.len() == 1 {
            return Ok(Type::union(list));
        }
        let refused = |what: &str, help: &str| {
            let message = format!("{what} cannot be an alternative of a union");
            Err(self.cursor.error_since(TypeError::TYPE_SYNTAX, start, message).help(help))
        };
        if list.contains(&Type::Null) {
            return refused("`()`", "write `(A | B)?` for a union that may be null or left out");
        }
        if list.iter().any(|kind| without_null(kind) == &Type::ObjectByLines) {
            return refused("`object`", habit::OBJECT);
        }
        let union = Type::union(list);
        match without_null(&union) {
            Type::Union(flat) if flat.len() > MAX_TYPE_PARTS => {
                Err(self.too_many(start, "alternatives", "take `string` or `any`"))
            }
            _ => Ok(union),
        }
    }

    /// Whether a `|` follows; white space in front of anything else is left alone.
    fn another_alternative(&mut self) -> Parsed<bool> {
        let end = self.cursor.at();
        self.cursor.skip_space();
        if !self.cursor.eat("|") {
            if self.cursor.peek() == Some('&') {
                return Err(self
                    .cursor
                    .error_here(TypeError::TYPE_SYNTAX, "`&` joins no types")
                    .help("write all fields into one `{ … }`, or `A | B` for one of several"));
            }
            self.cursor.back_to(end);
            return Ok(false);
        }
        if self.cursor.eat("|") {
            let message = "`||` joins no types";
            return Err(self
                .cursor
                .error_since(TypeError::TYPE_SYNTAX, self.cursor.at() - 2, message)
                .help("write `A | B`, with one `|`"));
        }
        self.cursor.skip_space();
        Ok(true)
    }

    /// A type with any number of `?` and `[]` behind it. `before` holds the alternatives to the
    /// left of it, for the message about `| null`.
    fn postfixed(&mut self, before: Option<&[Type]>) -> Parsed<Type> {
        let start = self.cursor.at();
        let mut kind = self.primary(before)?;
        loop {
            if self.cursor.eat("?") {
                kind = self.optional(kind, start)?;
            } else if self.cursor.rest().starts_with('[') {
                self.empty_brackets()?;
                let length = self.length_range()?;
                kind = self.contained(Type::Array(Box::new(kind), length), start)?;
            } else if self.cursor.peek() == Some('(') {
                return Err(self.no_range(&kind));
            } else {
                return Ok(kind);
            }
        }
    }

    fn optional(&self, kind: Type, start: usize) -> Parsed<Type> {
        if kind == Type::Null {
            let message = "`()` is null already, so `()?` says nothing";
            return Err(self
                .cursor
                .error_since(TypeError::TYPE_SYNTAX, start, message)
                .help("write `()`"));
        }
        Ok(kind.optional())
    }

    fn empty_brackets(&mut self) -> Parsed<()> {
        let start = self.cursor.at();
        self.cursor.eat("[");
        self.cursor.skip_space();
        if self.cursor.eat("]") {
            return Ok(());
        }
        self.cursor.take_while(|c| c != ']' && c != '[');
        self.cursor.eat("]");
        let given = shortened(self.cursor.since(start), 40);
        Err(self
            .cursor
            .error_since(
                TypeError::TYPE_SYNTAX,
                start,
                format!("`{given}` after a type is no `[]`"),
            )
            .help("write `T[]` for an array, and its length as `T[](..=50)`"))
    }

    /// Refuses a container that nests too deep.
    fn contained(&self, kind: Type, start: usize) -> Parsed<Type> {
        if kind.depth() <= MAX_TYPE_DEPTH {
            return Ok(kind);
        }
        let message = format!("more than {MAX_TYPE_DEPTH} arrays, maps and objects are nested");
        Err(self
            .cursor
            .error_since(TypeError::TYPE_SIZE, start, message)
            .help("take `any` for the innermost part"))
    }

    fn primary(&mut self, before: Option<&[Type]>) -> Parsed<Type> {
        match self.cursor.peek() {
            Some('"') => self.cursor.string(TypeError::TYPE_SYNTAX).map(Type::Literal),
            Some('(') => self.group(),
            Some('{') => self.object(),
            Some('-' | '0'..='9') => Err(self.number()),
            Some(c) if c.is_alphabetic() || c == '_' => self.named(before),
            _ => Err(self.no_type()),
        }
    }

    /// `()` or a type in parentheses.
    fn group(&mut self) -> Parsed<Type> {
        let start = self.cursor.at();
        self.cursor.eat("(");
        self.cursor.skip_space();
        if self.cursor.eat(")") {
            return Ok(Type::Null);
        }
        let inner = self.alternatives()?;
        self.cursor.skip_space();
        if self.cursor.eat(")") {
            return Ok(inner);
        }
        let message = format!("{} where `)` is missing", self.cursor.here());
        let error = if self.cursor.peek().is_some() {
            self.cursor.error_here(TypeError::TYPE_SYNTAX, message)
        } else {
            self.cursor.error_since(TypeError::TYPE_SYNTAX, start, message)
        };
        Err(error.help("close the parenthesis: `(A | B)`"))
    }

    fn named(&mut self, before: Option<&[Type]>) -> Parsed<Type> {
        let start = self.cursor.at();
        match self.cursor.word() {
            "string" => Ok(Type::String(self.length_range()?)),
            "int" => Ok(Type::Int(self.int_range()?)),
            "float" => Ok(Type::Float(self.float_range()?)),
            "bool" => Ok(Type::Bool),
            "any" => Ok(Type::Any),
            "array" if self.cursor.peek() == Some('<') => self.array(start),
            "map" if self.cursor.peek() == Some('<') => self.map(start),
            "object" if self.by_lines == ByLines::Allowed => Ok(Type::ObjectByLines),
            word => Err(self.unknown(word, start, before)),
        }
    }

    /// `array<T>`, the name of which was read.
    fn array(&mut self, start: usize) -> Parsed<Type> {
        self.cursor.eat("<");
        let items = self.alternatives()?;
        self.closing_angle("array<T>")?;
        let length = self.length_range()?;
        self.contained(Type::Array(Box::new(items), length), start)
    }

    /// `map<string, T>`, the name of which was read.
    fn map(&mut self, start: usize) -> Parsed<Type> {
        self.cursor.eat("<");
        self.cursor.skip_space();
        let key_start = self.cursor.at();
        let keys = self.alternatives()?;
        self.cursor.skip_space();
        let comma = self.cursor.peek() == Some(',');
        if keys != Type::string() || !comma {
            let given = shortened(&keys.to_string(), 40);
            let message = if comma {
                format!("the keys of a map are given as `{given}`, and are always `string`")
            } else {
                format!("the map names one type, `{given}`, and has two")
            };
            return Err(self
                .cursor
                .error_since(TypeError::TYPE_SYNTAX, key_start, message)
                .help(habit::MAP));
        }
        self.cursor.eat(",");
        let values = self.alternatives()?;
        self.closing_angle("map<string, T>")?;
        let length = self.length_range()?;
        self.contained(Type::Map(Box::new(values), length), start)
    }

    fn closing_angle(&mut self, form: &str) -> Parsed<()> {
        self.cursor.skip_space();
        if self.cursor.eat(">") {
            return Ok(());
        }
        let message = format!("{} where `>` is missing", self.cursor.here());
        Err(self
            .cursor
            .error_here(TypeError::TYPE_SYNTAX, message)
            .help(format!("the form is `{form}`")))
    }

    fn object(&mut self) -> Parsed<Type> {
        let start = self.cursor.at();
        self.cursor.eat("{");
        let mut fields: Vec<Field> = Vec::new();
        loop {
            self.cursor.skip_space();
            if self.cursor.eat("}") {
                return self.contained(Type::Object(fields), start);
            }
            let field = self.field(&fields)?;
            fields.push(field);
            if fields.len() > MAX_TYPE_PARTS {
                return Err(self.too_many(start, "fields", "take `map<string, T>`"));
            }
            self.cursor.skip_space();
            if !self.cursor.eat(",") && self.cursor.peek() != Some('}') {
                return Err(self.object_end(start));
            }
        }
    }

    fn object_end(&self, start: usize) -> TypeError {
        let message = format!("{} where `,` or `}}` is missing", self.cursor.here());
        let error = if self.cursor.peek().is_some() {
            self.cursor.error_here(TypeError::TYPE_SYNTAX, message)
        } else {
            self.cursor.error_since(TypeError::TYPE_SYNTAX, start, message)
        };
        error.help("fields are separated by commas: `{ name: string, age?: int }`")
    }

    fn field(&mut self, earlier: &[Field]) -> Parsed<Field> {
        let start = self.cursor.at();
        let name = self.field_name()?;
        if earlier.iter().any(|field| field.name == name) {
            let message = format!("the field `{name}` is given twice");
            return Err(self
                .cursor
                .error_since(TypeError::TYPE_SYNTAX, start, message)
                .help("keep one of the two; `A | B` is a value of either type"));
        }
        let optional = self.cursor.eat("?");
        self.cursor.skip_space();
        if !self.cursor.eat(":") {
            let message = format!("{} where `:` is missing after `{name}`", self.cursor.here());
            return Err(self
                .cursor
                .error_here(TypeError::TYPE_SYNTAX, message)
                .help("the form is `name: T` or `name?: T`; other names stand in quotes"));
        }
        let kind_start = self.cursor.at();
        let mut kind = self.alternatives()?;
        if optional {
            kind = self.optional(kind, kind_start)?;
        }
        let default = self.field_default(&kind)?;
        Ok(Field::new(name, kind).with_default(default))
    }

    fn field_name(&mut self) -> Parsed<String> {
        if self.cursor.peek() == Some('"') {
            return self.cursor.string(TypeError::TYPE_SYNTAX);
        }
        let start = self.cursor.at();
        let name = self.cursor.word();
        if super::print::is_identifier(name) {
            return Ok(name.to_owned());
        }
        if name.is_empty() {
            let message = format!("{} where the name of a field is missing", self.cursor.here());
            let help = match self.cursor.peek() {
                Some('[') => habit::MAP,
                _ => "the form is `{ name: T, other?: T }`",
            };
            return Err(self.cursor.error_here(TypeError::TYPE_SYNTAX, message).help(help));
        }
        let message = format!("the name `{}` needs quotes", shortened(name, 40));
        Err(self
            .cursor
            .error_since(TypeError::TYPE_SYNTAX, start, message)
            .help(format!("write `{}`", quoted(&shortened(name, 40)))))
    }

    fn field_default(&mut self, kind: &Type) -> Parsed<Option<serde_json::Value>> {
        let end = self.cursor.at();
        self.cursor.skip_space();
        if !self.cursor.eat("=") {
            self.cursor.back_to(end);
            return Ok(None);
        }
        literal::read_default(&mut self.cursor, kind).map(Some)
    }

    fn int_range(&mut self) -> Parsed<IntRange> {
        let Some((ends, start)) = self.range("int")? else { return Ok(IntRange::default()) };
        let parse = |text: &str| integer(text).ok_or("an integer in the range of 64 bits");
        let (low, high) = self.ends(&ends, start, "int", parse)?;
        let last = match (high, ends.end) {
            (Some(high), RangeEnd::Excluded) => match high.checked_sub(1) {
                Some(last) => Some(last),
                None => return Err(self.empty_range(start)),
            },
            (high, _) => high,
        };
        IntRange::new(low, last).ok_or_else(|| self.empty_range(start))
    }

    fn float_range(&mut self) -> Parsed<FloatRange> {
        let Some((ends, start)) = self.range("float")? else { return Ok(FloatRange::default()) };
        let parse = |text: &str| float(text).ok_or("a finite number");
        let (low, high) = self.ends(&ends, start, "float", parse)?;
        FloatRange::new(low, high, ends.end).ok_or_else(|| self.empty_range(start))
    }

    fn length_range(&mut self) -> Parsed<LengthRange> {
        let Some((ends, start)) = self.range("string")? else { return Ok(LengthRange::default()) };
        let parse = |text: &str| {
            let length = integer(text).and_then(|length| u64::try_from(length).ok());
            length.ok_or("a length: an integer that is not negative")
        };
        let (low, high) = self.ends(&ends, start, "string", parse)?;
        let last = match (high, ends.end) {
            (Some(0), RangeEnd::Excluded) => return Err(self.empty_range(start)),
            (Some(high), RangeEnd::Excluded) => Some(high - 1),
            (high, _) => high,
        };
        LengthRange::new(low.unwrap_or(0), last).ok_or_else(|| self.empty_range(start))
    }

    /// The texts of `(low..=high)`, if a parenthesis follows.
    fn range(&mut self, name: &str) -> Parsed<Option<(Ends<'t>, usize)>> {
        let start = self.cursor.at();
        if !self.cursor.eat("(") {
            return Ok(None);
        }
        let inner = self.cursor.take_while(|c| c != ')' && c != '\n');
        if !self.cursor.eat(")") {
            return Err(self
                .cursor
                .error_since(TypeError::BOUNDS, start, "the range has no `)`")
                .help(range_help(name)));
        }
        let Some((low, high)) = inner.split_once("..") else {
            let message = format!("`{}` is no range", shortened(inner, 40));
            let error = self.cursor.error_since(TypeError::BOUNDS, start, message);
            let help = match integer(inner.trim()) {
                Some(n) => format!(
                    "write `{name}({n}..={n})` for exactly, `{name}(..={n})` for at most {n}"
                ),
                None => range_help(name),
            };
            return Err(error.help(help));
        };
        let (high, end) = match high.strip_prefix('=') {
            Some(high) => (high, RangeEnd::Included),
            None => (high, RangeEnd::Excluded),
        };
        let ends = Ends { low: low.trim(), high: high.trim(), end };
        if ends.high.is_empty() && (ends.end == RangeEnd::Included || ends.low.is_empty()) {
            let message = format!("`{}` lacks a number", inner.trim());
            let error = self.cursor.error_since(TypeError::BOUNDS, start, message);
            return Err(error.help(range_help(name)));
        }
        Ok(Some((ends, start)))
    }

    /// Both ends of a range as numbers.
    fn ends<T>(
        &self,
        ends: &Ends<'_>,
        start: usize,
        name: &str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Parsed<(Option<T>, Option<T>)> {
        let one = |text: &str| match text {
            "" => Ok(None),
            text => parse(text).map(Some).map_err(|wanted| {
                let message = format!("`{}` in a range is not {wanted}", shortened(text, 40));
                self.cursor.error_since(TypeError::BOUNDS, start, message).help(range_help(name))
            }),
        };
        Ok((one(ends.low)?, one(ends.high)?))
    }

    fn empty_range(&self, start: usize) -> TypeError {
        let given = self.cursor.since(start);
        self.cursor
            .error_since(TypeError::BOUNDS, start, format!("the range `{given}` holds nothing"))
            .help("the smaller end comes first; `..=` includes the upper end, `..` does not")
    }

    fn no_range(&mut self, kind: &Type) -> TypeError {
        let start = self.cursor.at();
        self.cursor.take_while(|c| c != ')');
        self.cursor.eat(")");
        let given = shortened(self.cursor.since(start), 40);
        let what = match kind {
            Type::Nullable(_) => "`?`".to_owned(),
            Type::Int(_) | Type::Float(_) | Type::String(_) | Type::Array(..) | Type::Map(..) => {
                "another range".to_owned()
            }
            kind => format!("`{}`", shortened(&kind.to_string(), 40)),
        };
        let help = match kind {
            Type::Nullable(_) => "the range comes first: `int(1..=5)?`",
            _ => "`int`, `float`, `string`, `T[]` and `map<string, T>` take one range",
        };
        let message = format!("`{given}` cannot stand after {what}");
        self.cursor.error_since(TypeError::BOUNDS, start, message).help(help)
    }

    fn unknown(&self, word: &str, start: usize, before: Option<&[Type]>) -> TypeError {
        let given = shortened(word, 40);
        let is_null = matches!(word, "null" | "None" | "nil" | "undefined");
        let (message, help) = match before {
            Some(before) if is_null => (
                format!("`{given}` is no type, so it cannot be an alternative"),
                optional_help(before),
            ),
            _ if word == "object" || word == "array" || word == "map" => {
                (format!("`{given}` alone does not say what is in it"), habit::instead_of(word))
            }
            _ => (format!("`{given}` is no type"), habit::instead_of(word)),
        };
        self.cursor.error_since(TypeError::UNKNOWN_TYPE, start, message).help(help)
    }

    fn number(&mut self) -> TypeError {
        let start = self.cursor.at();
        let given = self.cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        let given = shortened(given, 40);
        let help = match integer(&given) {
            Some(n) => format!("write `int({n}..={n})` for this number alone, or a range"),
            None => "only texts can be literals; write a range, as in `int(1..=5)`".to_owned(),
        };
        let message = format!("`{given}` is a number, not a type");
        self.cursor.error_since(TypeError::TYPE_SYNTAX, start, message).help(help)
    }

    fn no_type(&self) -> TypeError {
        let help = match self.cursor.peek() {
            Some('[') => habit::ARRAY,
            Some('\'' | '`') => "write texts in double quotes: `\"a\" | \"b\"`",
            Some('?') => "the question mark comes last: `string?`",
            Some('#') => "write an object's fields without `#`: `{ name: T }`",
            _ => "write a type, such as `string`, `int[]` or `{ name: string }`",
        };
        let message = format!("{} where a type is missing", self.cursor.here());
        self.cursor.error_here(TypeError::TYPE_SYNTAX, message).help(help)
    }

    fn too_deep(&self) -> TypeError {
        let message = format!("more than {MAX_NESTING} brackets are open here");
        self.cursor.error_here(TypeError::TYPE_SIZE, message).help("take `any` for this part")
    }

    fn too_many(&self, start: usize, parts: &str, help: &str) -> TypeError {
        let message = format!("the type has more than {MAX_TYPE_PARTS} {parts}");
        self.cursor.error_since(TypeError::TYPE_SIZE, start, message).help(help)
    }

    /// Refuses what stands after the type.
    fn end(&mut self) -> Parsed<()> {
        let type_end = self.cursor.at();
        self.cursor.skip_space();
        let start = self.cursor.at();
        if self.cursor.peek().is_none() {
            return Ok(());
        }
        let spaced = start > type_end;
        let help = match self.cursor.peek() {
            Some('(' | '[' | '?' | '<') if spaced => "write it without a space in front",
            Some('=') => "a default belongs to a `@param` line or to a field of an object",
            Some('<') => "only `array<T>` and `map<string, T>` take a type in angle brackets",
            _ => "end the text after the type; alternatives are joined by `|`",
        };
        self.cursor.take_while(|_| true);
        let rest = shortened(self.cursor.since(start), 40);
        let message = format!("`{rest}` stands after the end of the type");
        Err(self.cursor.error_since(TypeError::TYPE_SYNTAX, start, message).help(help))
    }
}

/// The two ends of a range as they were written.
struct Ends<'t> {
    low: &'t str,
    high: &'t str,
    end: RangeEnd,
}

fn without_null(kind: &Type) -> &Type {
    match kind {
        Type::Nullable(inner) => inner,
        other => other,
    }
}

fn optional_help(before: &[Type]) -> String {
    let left = Type::union(before.to_vec()).optional().to_string();
    format!("write `{}`, which may be null or left out", shortened(&left, 80))
}

fn range_help(name: &str) -> String {
    format!("write `{name}(1..=5)`, `{name}(1..)` or `{name}(..=5)`")
}

/// Digits with an optional sign, and underscores between them.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fine = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if fine { text.replace('_', "").parse().ok() } else { None }
}

/// A decimal number with an optional sign, fraction and exponent, and underscores between digits.
fn float(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fine = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"_.eE+-".contains(&byte));
    let number: f64 = if fine { text.replace('_', "").parse().ok()? } else { return None };
    number.is_finite().then_some(number)
}
