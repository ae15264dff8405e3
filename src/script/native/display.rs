//! Values as text: `print`, `debug`, `to_string`, `to_debug`, `+` with a string, interpolation.
//!
//! The forms are Rhai's (`[1, "a"]`, `#{"a": 1}`, `Fn(name)`). The writer has a budget of bytes,
//! values and depth, because texts are shared: an array of a hundred thousand references to one
//! megabyte is small in memory and a hundred gigabytes in print. It never looks into a captured
//! variable or at what a function captured.
//!
//! The natives never fail: where a bound is passed they end the call, which no later step survives,
//! and give the text so far. The engine's string interpolation would fall back to its own display,
//! which has no bound, so a guard gives it texts only.

use crate::limit::Limit;
use crate::script::frame::words;
use crate::script::host::secret::Handle;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, MAX_DEPTH, prefix, type_label};
use rhai::plugin::*;
use rhai::{Array, FnPtr, Identifier, Map};
use std::fmt::{self, Write as _};
use std::mem;

/// The most bytes that one value is written in, whatever the memory bound.
const MAX_TEXT: usize = 64 << 20;
/// The most values, nested ones included, that are written into one text.
const MAX_NODES: usize = 4 << 20;

/// Builds a text piece by piece; each is paid for and its memory reserved first.
#[derive(Debug, Default)]
pub(crate) struct TextBuilder {
    text: Identifier,
}

impl TextBuilder {
    /// A builder that goes on where a text ends; the text is taken if nobody else holds it, and
    /// copied if somebody does.
    ///
    /// # Errors
    ///
    /// The copy does not fit; the call is over.
    pub(crate) fn continuing(text: &mut ImmutableString) -> Outcome<Self> {
        if let Some(text) = text.get_mut() {
            return Ok(Self { text: mem::take(text) });
        }
        let mut builder = Self::default();
        builder.push_str(text)?;
        Ok(builder)
    }

    /// Appends `piece`.
    ///
    /// # Errors
    ///
    /// A bound is passed; the call is over.
    pub(crate) fn push_str(&mut self, piece: &str) -> Outcome<()> {
        meter::charge_bytes(piece.len() / 4)?;
        self.grow(piece.len())?;
        self.text.push_str(piece);
        Ok(())
    }

    /// Appends one character.
    pub(crate) fn push(&mut self, c: char) -> Outcome<()> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }

    /// Reserves what the text takes when it grows by `more` bytes: its buffer doubles.
    fn grow(&self, more: usize) -> Outcome<()> {
        let (needed, capacity) = (self.text.len().saturating_add(more), self.text.capacity());
        if needed <= capacity {
            return Ok(());
        }
        let mut wanted = capacity.max(32);
        while wanted < needed {
            wanted = wanted.saturating_mul(2);
        }
        meter::reserve(wanted - capacity)
    }

    /// The text, in a buffer of its size.
    pub(crate) fn finish(mut self) -> ImmutableString {
        if self.text.capacity() - self.text.len() > self.text.len() / 8 {
            self.text.shrink_to_fit();
        }
        self.text.into()
    }

    /// The text, in a buffer with room for more.
    pub(crate) fn finish_growing(self) -> ImmutableString {
        self.text.into()
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As `print` and `to_string` do: a string as it is, `()` as nothing. Parts of arrays and maps
    /// are written in the other style.
    Print,
    /// As `debug` and `to_debug` do: a string in quotes.
    Debug,
}

/// Where a writer's text goes.
enum Out {
    /// Paid for and reserved.
    Metered(TextBuilder),
    /// A short text outside the call's account.
    Free(String),
}

/// Writes values within a budget.
struct Writer {
    out: Out,
    bytes_left: usize,
    nodes_left: usize,
    /// The meter's refusal, if it was the meter that stopped the writer.
    ended: Option<Box<EvalAltResult>>,
}

impl Writer {
    fn write(&mut self, value: &Dynamic, style: Style, depth: usize) -> fmt::Result {
        if self.nodes_left == 0 || depth > MAX_DEPTH {
            return Err(fmt::Error);
        }
        self.nodes_left -= 1;
        match Kind::of(value) {
            Kind::Unit if style == Style::Print => Ok(()),
            Kind::Text => match value.read_lock::<ImmutableString>() {
                Some(text) => self.text(&text, style),
                None => Ok(()),
            },
            Kind::Array => match value.read_lock::<Array>() {
                Some(array) => self.list(&array, depth),
                None => Ok(()),
            },
            Kind::Map => match value.read_lock::<Map>() {
                Some(map) => self.fields(&map, depth),
                None => Ok(()),
            },
            Kind::Function => match value.read_lock::<FnPtr>() {
                Some(function) => self.function(&function),
                None => Ok(()),
            },
            Kind::Shared => self.write_str("<shared>"),
            Kind::Other if type_label(value) != "range" => match words(value) {
                Some(words) => self.text(&words, style),
                None => match value.read_lock::<Handle>() {
                    Some(handle) => write!(self, "{}", *handle),
                    None => self.write_str(type_label(value)),
                },
            },
            // Scalars and ranges, which the engine writes in a few bytes.
            Kind::Float if style == Style::Debug => write!(self, "{value:?}"),
            Kind::Unit => self.write_str("()"),
            _ => write!(self, "{value}"),
        }
    }

    fn text(&mut self, text: &str, style: Style) -> fmt::Result {
        // What does not fit is not looked at: escaping a text reads all of it.
        let fits = prefix(text, self.bytes_left);
        match style {
            Style::Print => self.write_str(fits)?,
            Style::Debug => write!(self, "{fits:?}")?,
        }
        if fits.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }

    fn list(&mut self, array: &Array, depth: usize) -> fmt::Result {
        self.write_str("[")?;
        for (index, item) in array.iter().enumerate() {
            if index > 0 {
                self.write_str(", ")?;
            }
            self.write(item, Style::Debug, depth + 1)?;
        }
        self.write_str("]")
    }

    fn fields(&mut self, map: &Map, depth: usize) -> fmt::Result {
        self.write_str("#{")?;
        for (index, (key, item)) in map.iter().enumerate() {
            if index > 0 {
                self.write_str(", ")?;
            }
            self.text(key, Style::Debug)?;
            self.write_str(": ")?;
            self.write(item, Style::Debug, depth + 1)?;
        }
        self.write_str("}")
    }

    fn function(&mut self, function: &FnPtr) -> fmt::Result {
        self.write_str("Fn(")?;
        self.text(function.fn_name(), Style::Print)?;
        self.write_str(")")
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let fits = prefix(piece, self.bytes_left);
        self.bytes_left -= fits.len();
        match &mut self.out {
            Out::Free(text) => text.push_str(fits),
            Out::Metered(text) => {
                if let Err(error) = text.push_str(fits) {
                    self.ended = Some(error);
                    return Err(fmt::Error);
                }
            }
        }
        if fits.len() < piece.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Appends `value` to a text in the making.
///
/// # Errors
///
/// The text is too long or the value too deep, and the call is over.
pub(crate) fn append(out: &mut TextBuilder, value: &Dynamic, style: Style) -> Outcome<()> {
    let room = meter::memory_left().map_or(MAX_TEXT, |left| left.min(MAX_TEXT));
    let mut writer = Writer {
        out: Out::Metered(mem::take(out)),
        bytes_left: room,
        nodes_left: MAX_NODES,
        ended: None,
    };
    let written = writer.write(value, style, 0);
    if let Out::Metered(text) = writer.out {
        *out = text;
    }
    match (written, writer.ended) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error),
        (Err(_), None) => Err(meter::kill(Limit::Memory)),
    }
}

/// The text of `value`. Where a bound is passed the call is over and the text is cut.
pub(crate) fn text(value: &Dynamic, style: Style) -> ImmutableString {
    if style == Style::Print
        && Kind::of(value) == Kind::Text
        && let Ok(text) = value.as_immutable_string_ref()
    {
        return text.clone();
    }
    let mut out = TextBuilder::default();
    // The call is over on an error, and every next step of it refuses.
    let _ = append(&mut out, value, style);
    out.finish()
}

/// The beginning of the text of `value` for a message: at most `bytes` bytes, and an ellipsis where
/// it is cut. It costs the call nothing, and works after the call's end.
pub(crate) fn excerpt(value: &Dynamic, style: Style, bytes: usize) -> String {
    let mut writer =
        Writer { out: Out::Free(String::new()), bytes_left: bytes, nodes_left: bytes, ended: None };
    let written = writer.write(value, style, 0);
    let Out::Free(mut text) = writer.out else { return String::new() };
    if written.is_err() {
        text.push('…');
    }
    text
}

#[export_module]
#[expect(clippy::unwrap_used, reason = "the macro writes `unwrap` where the types are known")]
pub(super) mod natives {
    /// The text of a value, as `print` shows it.
    #[rhai_fn(name = "to_string", name = "print", pure)]
    pub fn to_string(value: &mut Dynamic) -> ImmutableString {
        text(value, Style::Print)
    }

    /// The text of a value with strings in quotes, as `debug` shows it.
    #[rhai_fn(name = "to_debug", name = "debug", pure)]
    pub fn to_debug(value: &mut Dynamic) -> ImmutableString {
        text(value, Style::Debug)
    }

    /// The empty text.
    #[rhai_fn(name = "print", name = "debug")]
    pub fn nothing() -> ImmutableString {
        ImmutableString::new()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests evaluate values alone, without a sandbox")]
mod tests {
    use super::*;
    use crate::script::native::trial::{bounded, nested, ours, stock};

    #[test]
    fn values_look_as_in_stock_rhai() {
        for value in [
            "()",
            "true",
            "42",
            "-7",
            "1.0",
            "0.1",
            "1e300",
            "1e-20",
            "100000000000000000000.0",
            "0.0 / 0.0",
            "'a'",
            r"'\n'",
            r#""text""#,
            r#""a \"quoted\" \\ line\n\u0001é""#,
            "[]",
            r#"[1, 2.5, 'c', "s", (), true, [], #{}]"#,
            "[[1], [[2]]]",
            "#{}",
            r##"#{a: 1, "b c": ["x"], d: #{e: ()}}"##,
            "0..10",
            "0..=10",
            "[0..3]",
            r#"Fn("foo")"#,
            r#"[Fn("foo")]"#,
            "(5..)",
        ] {
            for form in ["to_string", "to_debug"] {
                for text in [format!("({value}).{form}()"), format!("`${{{value}}}`")] {
                    let wanted: String = stock().eval(&text).expect("stock evaluates it");
                    let found: String = ours().eval(&text).expect("ours evaluates it");
                    assert_eq!(found, wanted, "{text}");
                }
            }
        }
    }

    #[test]
    fn one_shared_text_cannot_be_multiplied() {
        let many = Dynamic::from_array(vec![Dynamic::from("x".repeat(1 << 20)); 10_000]);
        for style in [Style::Print, Style::Debug] {
            let (cut, spent) = bounded(|| text(&many, style));
            assert_eq!(spent.killed, Some(Limit::Memory));
            assert!(cut.len() < 32 << 20 && spent.peak_memory < 40 << 20, "{spent:?}");
        }
    }

    #[test]
    fn deep_values_end_the_call() {
        for depth in [200, 2_000] {
            let (_, spent) = bounded(|| text(&nested(depth), Style::Print));
            assert_eq!(spent.killed, Some(Limit::Memory));
        }
        let (shown, spent) = bounded(|| text(&nested(100), Style::Print));
        assert_eq!((shown.len(), spent.killed), (202, None));
    }

    #[test]
    fn captured_variables_are_not_looked_into() {
        let shared = Dynamic::from_int(1).into_shared();
        let mut function = FnPtr::new("f").expect("a valid name");
        function.add_curry(shared.clone());
        let value = Dynamic::from_array(vec![function.into(), shared]);
        assert_eq!(text(&value, Style::Print), "[Fn(f), <shared>]");
        assert_eq!(text(&value, Style::Debug), "[Fn(f), <shared>]");
    }

    #[test]
    fn an_excerpt_is_short_whatever_the_value() {
        let value = Dynamic::from_array(vec![Dynamic::from("é".repeat(1 << 20)); 1_000]);
        let cut = excerpt(&value, Style::Debug, 20);
        assert_eq!(cut, "[\"ééééééééé…");
        assert_eq!(excerpt(&Dynamic::from_int(5), Style::Print, 20), "5");
        assert!(excerpt(&nested(5_000), Style::Print, 1_000).len() < 1_010);
    }

    #[test]
    fn a_host_type_shows_its_name_only() {
        let value = Dynamic::from(std::time::Duration::from_secs(5));
        assert_eq!(text(&value, Style::Print), "Duration");
    }
}
