//! Values in annotations: JSON, and what Rhai writes differently (`#{}`, `()`, `'c'`, `1_000`).
//! Never evaluates anything.

use super::cursor::{Cursor, shortened};
use super::{Mismatch, Subject, Type, TypeError};
use serde_json::{Map, Value};

/// Arrays and objects that a literal may nest.
const MAX_DEPTH: usize = 32;
/// Bytes of a literal.
const MAX_TEXT: usize = 64 * 1024;

/// Parses a default that is the whole text, and checks it against its type. Null stands for "may be
/// left out" and fits every type: `string = ()` is `string?`.
///
/// # Errors
///
/// The text is no literal, or the value does not fit (`annotation/default`).
pub fn parse_default(text: &str, kind: &Type) -> Result<Value, TypeError> {
    let cursor = &mut start(text, TypeError::DEFAULT)?;
    let value = read_default(cursor, kind)?;
    end(cursor, TypeError::DEFAULT)?;
    Ok(value)
}

/// Parses the default that the text starts with, checks it against its type, and says how many
/// bytes it took.
///
/// # Errors
///
/// The text does not start with a literal, or the value does not fit (`annotation/default`).
pub fn parse_default_prefix(text: &str, kind: &Type) -> Result<(Value, usize), TypeError> {
    let cursor = &mut start(text, TypeError::DEFAULT)?;
    let value = read_default(cursor, kind)?;
    Ok((value, cursor.at()))
}

/// Parses a literal that is the whole text.
///
/// # Errors
///
/// The text is no literal (`annotation/value`).
pub fn parse_value(text: &str) -> Result<Value, TypeError> {
    let cursor = &mut start(text, TypeError::VALUE)?;
    let value = Reader { cursor, code: TypeError::VALUE, depth: 0 }.value()?;
    end(cursor, TypeError::VALUE)?;
    Ok(value)
}

/// Parses the literal that the text starts with, and says how many bytes it took: what `@example`
/// needs before its `=>`.
///
/// # Errors
///
/// The text does not start with a literal (`annotation/value`).
pub fn parse_value_prefix(text: &str) -> Result<(Value, usize), TypeError> {
    let cursor = &mut start(text, TypeError::VALUE)?;
    let value = Reader { cursor, code: TypeError::VALUE, depth: 0 }.value()?;
    Ok((value, cursor.at()))
}

/// Reads a default where the cursor stands, and checks it against its type. Null says that the
/// value may be left out, whatever the type.
pub(super) fn read_default(cursor: &mut Cursor<'_>, kind: &Type) -> Result<Value, TypeError> {
    cursor.skip_space();
    let start = cursor.at();
    let value = Reader { cursor, code: TypeError::DEFAULT, depth: 0 }.value()?;
    if value.is_null() {
        return Ok(value);
    }
    let given = cursor.since(start);
    kind.check(value).map_err(|found| {
        let (message, help) = misfit(given, kind, &found);
        cursor.error_since(TypeError::DEFAULT, start, message).help(help)
    })
}

/// What to say about a default that does not fit its type.
pub(super) fn misfit(given: &str, kind: &Type, found: &[Mismatch]) -> (String, String) {
    let (given, expected) = (shortened(given, 40), shortened(&kind.to_string(), 80));
    let inside = found.first().filter(|mismatch| !mismatch.path.is_empty());
    let reason = inside
        .map_or_else(String::new, |mismatch| format!(": {}", mismatch.message(Subject::Arguments)));
    let help = found.first().and_then(|mismatch| mismatch.help.clone());
    let help = help.unwrap_or_else(|| format!("write a default that is `{expected}`"));
    (format!("the default `{given}` does not fit `{expected}`{reason}"), help)
}

fn start<'t>(text: &'t str, code: &'static str) -> Result<Cursor<'t>, TypeError> {
    if text.len() > MAX_TEXT {
        let message = format!("the value is {} bytes long", text.len());
        let help = format!("a value in an annotation has at most {MAX_TEXT} bytes");
        return Err(TypeError::new(code, 0, 1, message).help(help));
    }
    Ok(Cursor::new(text))
}

fn end(cursor: &mut Cursor<'_>, code: &'static str) -> Result<(), TypeError> {
    cursor.skip_space();
    if cursor.peek().is_none() {
        return Ok(());
    }
    let start = cursor.at();
    let rest = shortened(cursor.take_while(|_| true), 40);
    Err(cursor
        .error_since(code, start, format!("`{rest}` stands after the end of the value"))
        .help("write one value; a text stands in double quotes"))
}

struct Reader<'c, 't> {
    cursor: &'c mut Cursor<'t>,
    code: &'static str,
    depth: usize,
}

impl Reader<'_, '_> {
    fn value(&mut self) -> Result<Value, TypeError> {
        self.cursor.skip_space();
        match self.cursor.peek() {
            Some('"') => self.cursor.string(self.code).map(Value::from),
            Some('\'') => self.character(),
            Some('[') => self.nested(Self::array),
            Some('{') => self.nested(Self::object),
            Some('#') if self.cursor.eat("#{") => {
                self.cursor.back_to(self.cursor.at() - 1);
                self.nested(Self::object)
            }
            Some('(') if self.cursor.eat("()") => Ok(Value::Null),
            Some('-' | '0'..='9') => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(),
            _ => Err(self.no_value()),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, TypeError>,
    ) -> Result<Value, TypeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("the value nests more than {MAX_DEPTH} arrays and objects");
            return Err(self.cursor.error_here(self.code, message).help("write a flatter value"));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, TypeError> {
        let start = self.cursor.at();
        self.cursor.eat("[");
        let mut items = Vec::new();
        while !self.closed("]") {
            items.push(self.value()?);
            self.separator(start, ']')?;
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Result<Value, TypeError> {
        let start = self.cursor.at();
        self.cursor.eat("{");
        let mut fields = Map::new();
        while !self.closed("}") {
            let key_start = self.cursor.at();
            let key = self.key()?;
            self.cursor.skip_space();
            if !self.cursor.eat(":") {
                let message = format!("{} where `:` is missing", self.cursor.here());
                let error = self.cursor.error_here(self.code, message);
                return Err(error.help("the form is `{ \"name\": value }`"));
            }
            let value = self.value()?;
            if fields.contains_key(&key) {
                let message = format!("the key `{}` is given twice", shortened(&key, 40));
                let error = self.cursor.error_since(self.code, key_start, message);
                return Err(error.help("keep one of the two"));
            }
            fields.insert(key, value);
            self.separator(start, '}')?;
        }
        Ok(Value::Object(fields))
    }

    fn key(&mut self) -> Result<String, TypeError> {
        if self.cursor.peek() == Some('"') {
            return self.cursor.string(self.code);
        }
        let word = self.cursor.word();
        if !word.is_empty() {
            return Ok(word.to_owned());
        }
        let message = format!("{} where a key is missing", self.cursor.here());
        Err(self.cursor.error_here(self.code, message).help("the form is `{ \"name\": value }`"))
    }

    fn closed(&mut self, bracket: &str) -> bool {
        self.cursor.skip_space();
        self.cursor.eat(bracket)
    }

    /// A comma, unless the closing bracket follows.
    fn separator(&mut self, start: usize, bracket: char) -> Result<(), TypeError> {
        self.cursor.skip_space();
        if self.cursor.eat(",") || self.cursor.peek() == Some(bracket) {
            return Ok(());
        }
        let message = format!("{} where `,` or `{bracket}` is missing", self.cursor.here());
        let error = match self.cursor.peek() {
            Some(_) => self.cursor.error_here(self.code, message),
            None => self.cursor.error_since(self.code, start, message),
        };
        Err(error.help(format!("separate with `,` and close with `{bracket}`")))
    }

    /// `'c'`, which is a text of one character.
    fn character(&mut self) -> Result<Value, TypeError> {
        let start = self.cursor.at();
        let text = self.cursor.quoted('\'', self.code)?;
        if text.chars().count() == 1 {
            return Ok(Value::from(text));
        }
        let given = shortened(self.cursor.since(start), 40);
        let message = format!("`{given}` is not one character");
        Err(self
            .cursor
            .error_since(self.code, start, message)
            .help("write texts in double quotes: `\"text\"`"))
    }

    fn number(&mut self) -> Result<Value, TypeError> {
        let start = self.cursor.at();
        self.cursor.eat("-");
        let digits = |c: char| c.is_ascii_digit() || c == '_';
        self.cursor.take_while(digits);
        let fraction = self.cursor.rest().strip_prefix('.');
        let mut whole = true;
        if fraction.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.cursor.eat(".");
            self.cursor.take_while(digits);
            whole = false;
        }
        if self.cursor.eat("e") || self.cursor.eat("E") {
            let _sign = self.cursor.eat("-") || self.cursor.eat("+");
            self.cursor.take_while(digits);
            whole = false;
        }
        let glued = !self.cursor.word().is_empty();
        let text = self.cursor.since(start).replace('_', "");
        let value = if whole {
            let large = || text.parse::<u64>().ok().map(Value::from);
            text.parse::<i64>().ok().map(Value::from).or_else(large)
        } else {
            let finite = text.parse::<f64>().ok().filter(|number| number.is_finite());
            finite.map(Value::from)
        };
        value.filter(|_| !glued).ok_or_else(|| {
            let given = shortened(self.cursor.since(start), 40);
            self.cursor
                .error_since(self.code, start, format!("`{given}` is no number"))
                .help("write a decimal number, such as `1_000` or `2.5`, within 64 bits")
        })
    }

    fn word(&mut self) -> Result<Value, TypeError> {
        let start = self.cursor.at();
        let word = self.cursor.word();
        let help = match word {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            "True" | "TRUE" | "yes" => "write `true`".to_owned(),
            "False" | "FALSE" | "no" => "write `false`".to_owned(),
            "None" | "nil" | "undefined" => "write `null` or `()`".to_owned(),
            _ if word.len() <= 40 => format!("write a text in double quotes: `\"{word}\"`"),
            _ => "write a text in double quotes".to_owned(),
        };
        let message = format!("`{}` is no value", shortened(word, 40));
        Err(self.cursor.error_since(self.code, start, message).help(help))
    }

    fn no_value(&self) -> TypeError {
        let help = match self.cursor.peek() {
            Some('`') => "write texts in double quotes: `\"text\"`",
            Some('+') => "write positive numbers without a sign",
            Some('.') => "write the zero in front: `0.5`",
            _ => "write JSON, such as `\"text\"`, `1`, `true`, `[]`, `{}` or `null`",
        };
        let message = format!("{} where a value is missing", self.cursor.here());
        self.cursor.error_here(self.code, message).help(help)
    }
}
