//! Upper and lower case, and names in the styles of programming languages.

use super::work::{Pace, WINDOW, output, windows};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::ImmutableString;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// The text in upper case.", "/// text::upper(\"straße\") // => \"STRASSE\""])
        .function("upper", ["text: string", "string"], upper)
        .docs(&["/// The text in lower case.", "/// text::lower(\"ÀB\") // => \"àb\""])
        .function("lower", ["text: string", "string"], lower)
        .docs(&[
            "/// The first character in upper case, all others in lower case.",
            "/// text::capitalize(\"hELLO world\") // => \"Hello world\"",
        ])
        .function("capitalize", ["text: string", "string"], capitalize)
        .docs(&[
            "/// Each word with its first letter in upper case, all others in lower case.",
            "/// text::title(\"don't PANIC\") // => \"Don't Panic\"",
        ])
        .function("title", ["text: string", "string"], title)
        .docs(&[
            "/// A name for an address: letters and digits in lower case, `-` for all between.",
            "/// text::slug(\"What's new, in 2.0?\") // => \"what-s-new-in-2-0\"",
        ])
        .function("slug", ["text: string", "string"], slug)
        .docs(&[
            "/// The words of a text or name in kebab case.",
            "/// text::kebab(\"HTTPServer name\") // => \"http-server-name\"",
        ])
        .function("kebab", ["text: string", "string"], kebab)
        .docs(&[
            "/// The words of a text or name in snake case.",
            "/// text::snake(\"userId\") // => \"user_id\"",
        ])
        .function("snake", ["text: string", "string"], snake)
        .docs(&[
            "/// The words of a text or name in camel case.",
            "/// text::camel(\"user_id\") // => \"userId\"",
        ])
        .function("camel", ["text: string", "string"], camel)
        .docs(&[
            "/// The words of a text or name in pascal case.",
            "/// text::pascal(\"user-id\") // => \"UserId\"",
        ])
        .function("pascal", ["text: string", "string"], pascal);
}

fn upper(text: &str) -> Outcome<ImmutableString> {
    by_window(text, |window, result| result.push_str(&window.to_uppercase()))
}

fn lower(text: &str) -> Outcome<ImmutableString> {
    by_window(text, |window, result| result.push_str(&window.to_lowercase()))
}

fn capitalize(text: &str) -> Outcome<ImmutableString> {
    let mut is_first = true;
    by_window(text, |window, result| {
        let mut rest = window;
        if std::mem::take(&mut is_first)
            && let Some(c) = window.chars().next()
        {
            result.extend(c.to_uppercase());
            rest = &window[c.len_utf8()..];
        }
        result.push_str(&rest.to_lowercase());
    })
}

fn title(text: &str) -> Outcome<ImmutableString> {
    let mut in_word = false;
    by_window(text, |window, result| {
        for c in window.chars() {
            if in_word {
                result.extend(c.to_lowercase());
            } else {
                result.extend(c.to_uppercase());
            }
            in_word = c.is_alphanumeric() || (in_word && matches!(c, '\'' | '’'));
        }
    })
}

/// Pays for the text and converts it window by window.
fn by_window(text: &str, mut convert: impl FnMut(&str, &mut String)) -> Outcome<ImmutableString> {
    let mut result = output(text.len())?;
    for window in windows(text) {
        meter::charge_bytes(window.len().saturating_mul(4))?;
        // A character can become three; the text then doubles at most.
        if result.capacity() - result.len() < window.len() * 3 {
            meter::reserve(result.capacity().saturating_mul(2) + window.len() * 3)?;
        }
        convert(window, &mut result);
    }
    Ok(result.into())
}

/// Where a name is taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Only where a character is neither letter nor digit.
    Signs,
    /// Also where a capital begins a word: `userId`, `HTTPServer`.
    Capitals,
}

/// How a word of a name is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Lower,
    Capital,
}

fn slug(text: &str) -> Outcome<ImmutableString> {
    name(text, Cut::Signs, "-", |_| Style::Lower)
}

fn kebab(text: &str) -> Outcome<ImmutableString> {
    name(text, Cut::Capitals, "-", |_| Style::Lower)
}

fn snake(text: &str) -> Outcome<ImmutableString> {
    name(text, Cut::Capitals, "_", |_| Style::Lower)
}

fn camel(text: &str) -> Outcome<ImmutableString> {
    name(text, Cut::Capitals, "", |index| if index == 0 { Style::Lower } else { Style::Capital })
}

fn pascal(text: &str) -> Outcome<ImmutableString> {
    name(text, Cut::Capitals, "", |_| Style::Capital)
}

fn name(
    text: &str,
    cut: Cut,
    separator: &str,
    style: impl Fn(usize) -> Style,
) -> Outcome<ImmutableString> {
    let mut result = output(text.len())?;
    let (mut pace, mut count) = (Pace::default(), 0);
    parts(text, cut, |part| {
        if count > 0 {
            pace.write(&mut result, separator)?;
        }
        let word = match style(count) {
            Style::Lower => lower(part)?,
            Style::Capital => capitalize(part)?,
        };
        count += 1;
        pace.write(&mut result, &word)
    })?;
    Ok(result.into())
}

/// Tells `found` each word of a name.
fn parts(text: &str, cut: Cut, mut found: impl FnMut(&str) -> Outcome<()>) -> Outcome<()> {
    let (mut start, mut before, mut paid) = (None, ' ', 0);
    let mut characters = text.char_indices().peekable();
    while let Some((index, c)) = characters.next() {
        if index >= paid {
            meter::charge_bytes(WINDOW.min(text.len() - index).saturating_mul(4))?;
            paid = index + WINDOW;
        }
        let after = characters.peek().map_or(' ', |&(_, c)| c);
        let begins = cut == Cut::Capitals
            && c.is_uppercase()
            && (!before.is_uppercase() || after.is_lowercase());
        let is_sign = !c.is_alphanumeric();
        if (begins || is_sign)
            && let Some(start) = start.take()
        {
            found(&text[start..index])?;
        }
        if !is_sign && start.is_none() {
            start = Some(index);
        }
        before = c;
    }
    match start {
        Some(start) => found(&text[start..]),
        None => Ok(()),
    }
}
