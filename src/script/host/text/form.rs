//! Texts from values and values from texts: joining, templates, numbers, escaping.

use super::work::{self, Pace, output, refuse, windows};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native;
use crate::script::native::compare::Outcome;
use crate::script::native::display::{self, Style};
use crate::script::value::{Kind, prefix};
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};

pub(super) fn register(builder: &mut ModuleBuilder) {
    register_forms(builder);
    builder
        .docs(&[
            "/// The integer that the text is, or `()` where it is none; white space around it is ignored.",
            "/// text::parse_int(\" 42 \") // => 42",
            "/// text::parse_int(\"4.2\") // => ()",
        ])
        .function("parse_int", ["text: string", "int?"], parse_int)
        .docs(&[
            "/// The same in another base from 2 to 36.",
            "/// text::parse_int(\"ff\", 16) // => 255",
        ])
        .function("parse_int", ["text: string", "base: int", "int?"], parse_int_in)
        .docs(&[
            "/// The number that the text is, as a float, or `()` where it is none.",
            "/// text::parse_float(\"1e3\") // => 1000.0",
            "/// text::parse_float(\"ten\") // => ()",
        ])
        .function("parse_float", ["text: string", "float?"], parse_float)
        .docs(&[
            "/// A number with exactly so many decimals, from 0 to 15, rounded half away from zero.",
            "/// text::fixed(2.567, 2) // => \"2.57\"",
            "/// text::fixed(3, 2) // => \"3.00\"",
        ])
        .function("fixed", ["number: float", "decimals: int", "string"], fixed)
        .docs(&[
            "/// The text with `&`, `<`, `>` and quotes written so that HTML shows them.",
            "/// text::escape_html(\"<a href='x'>\") // => \"&lt;a href=&#39;x&#39;&gt;\"",
        ])
        .function("escape_html", ["text: string", "string"], escape_html);
}

fn register_forms(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The values of a list as one text.",
            "/// text::join([\"a\", \"b\", 3]) // => \"ab3\"",
        ])
        .function("join", ["list: any[]", "string"], join_all)
        .docs(&[
            "/// The same with a separator between them.",
            "/// text::join([\"a\", \"b\", 3], \", \") // => \"a, b, 3\"",
        ])
        .function("join", ["list: any[]", "separator: string", "string"], join)
        .docs(&[
            "/// Fills in `{name}` from a map; `{{` and `}}` stand for braces.",
            "/// text::format(\"{who} is {age}\", #{ who: \"Ann\", age: 7 }) // => \"Ann is 7\"",
        ])
        .function("format", ["template: string", "values: map", "string"], format_map)
        .docs(&[
            "/// Fills in `{}` one after the other and `{0}` by index from a list.",
            "/// text::format(\"{} of {}\", [3, 10]) // => \"3 of 10\"",
        ])
        .function("format", ["template: string", "values: any[]", "string"], format_list);
}

/// Appends the text of a value.
fn write_value(pace: &mut Pace, result: &mut String, value: &Dynamic) -> Outcome<()> {
    match value.as_immutable_string_ref() {
        Ok(text) if !value.is_shared() => pace.write(result, &text),
        _ => pace.write(result, &display::text(value, Style::Print)),
    }
}

fn join_all(list: &mut Array) -> Outcome<ImmutableString> {
    join_with(list, "")
}

fn join(list: &mut Array, separator: Dynamic) -> Outcome<ImmutableString> {
    join_with(list, &work::text_of("text::join", "separator", &separator)?)
}

fn join_with(list: &Array, separator: &str) -> Outcome<ImmutableString> {
    let mut pace = Pace::default();
    let mut bytes = separator.len().saturating_mul(list.len().saturating_sub(1));
    for value in list {
        pace.pay(1)?;
        if Kind::of(value) == Kind::Text
            && let Ok(text) = value.as_immutable_string_ref()
        {
            bytes = bytes.saturating_add(text.len());
        }
    }
    let mut result = output(bytes)?;
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            pace.write(&mut result, separator)?;
        }
        write_value(&mut pace, &mut result, value)?;
    }
    Ok(result.into())
}

fn format_map(template: &str, values: Map) -> Outcome<ImmutableString> {
    fill(template, |name| {
        values.get(name).ok_or_else(|| {
            let known: Vec<String> =
                values.keys().take(8).map(|key| format!("`{}`", prefix(key, 40))).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            refuse(format!(
                "text::format: the template asks for `{{{}}}`, and the values hold {known}; \
                 write `{{{{` for a brace",
                prefix(name, 40)
            ))
        })
    })
}

fn format_list(template: &str, values: Array) -> Outcome<ImmutableString> {
    let mut next = 0;
    fill(template, |name| {
        let index = if name.is_empty() {
            next += 1;
            Some(next - 1)
        } else {
            name.parse::<usize>().ok()
        };
        index.and_then(|index| values.get(index)).ok_or_else(|| {
            refuse(format!(
                "text::format: the template asks for value `{{{}}}`, and the list has {}; give \
                 one for each `{{}}`, or a map for names",
                prefix(name, 40),
                values.len()
            ))
        })
    })
}

/// Writes a template with the values that `find` gives for its names.
fn fill<'a>(
    template: &str,
    mut find: impl FnMut(&str) -> Outcome<&'a Dynamic>,
) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (output(template.len())?, Pace::default());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        pace.write(&mut result, &rest[..at])?;
        let (brace, tail) = rest[at..].split_at(1);
        if let Some(tail) = tail.strip_prefix(brace) {
            pace.write(&mut result, brace)?;
            rest = tail;
            continue;
        }
        let name = if brace == "{" { tail.split_once('}') } else { None };
        let Some((name, tail)) = name else {
            return Err(refuse(format!(
                "text::format: a `{brace}` stands alone in the template; write `{brace}{brace}` \
                 for a brace"
            )));
        };
        let value = find(name.trim())?;
        write_value(&mut pace, &mut result, value)?;
        rest = tail;
    }
    pace.write(&mut result, rest)?;
    Ok(result.into())
}

fn parse_int(text: &str) -> Outcome<Dynamic> {
    meter::charge_bytes(text.len())?;
    Ok(text.trim().parse().map_or(Dynamic::UNIT, Dynamic::from_int))
}

fn parse_int_in(text: &str, base: i64) -> Outcome<Dynamic> {
    meter::charge_bytes(text.len())?;
    let radix =
        u32::try_from(base).ok().filter(|radix| (2..=36).contains(radix)).ok_or_else(|| {
            refuse(format!("text::parse_int: `base` is {base}; write one from 2 to 36"))
        })?;
    Ok(i64::from_str_radix(text.trim(), radix).map_or(Dynamic::UNIT, Dynamic::from_int))
}

fn parse_float(text: &str) -> Outcome<Dynamic> {
    meter::charge_bytes(text.len())?;
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    Ok(number.map_or(Dynamic::UNIT, Dynamic::from_float))
}

fn fixed(number: Dynamic, decimals: i64) -> Outcome<ImmutableString> {
    let float = match (number.as_float(), number.as_int()) {
        (Ok(float), _) => float,
        (_, Ok(int)) => {
            // Every digit of an integer counts, and a float does not hold them all.
            native::rounded(0.0, decimals).map_err(|_| no_decimals(decimals))?;
            let zeros = "0".repeat(usize::try_from(decimals).unwrap_or(0));
            let point = if decimals == 0 { "" } else { "." };
            return Ok(format!("{int}{point}{zeros}").into());
        }
        _ => {
            return Err(refuse(format!(
                "text::fixed: `number` is {}; give it an int or a float",
                work::a_type(&number)
            )));
        }
    };
    let rounded = native::rounded(float, decimals).map_err(|_| no_decimals(decimals))?;
    let mut result = output(32)?;
    let places = usize::try_from(decimals).unwrap_or(0);
    // A zero that was rounded to has no sign.
    let shown = if rounded == 0.0 { 0.0 } else { rounded };
    Pace::default().write(&mut result, &format!("{shown:.places$}"))?;
    Ok(result.into())
}

fn no_decimals(decimals: i64) -> Box<EvalAltResult> {
    refuse(format!("text::fixed: `decimals` is {decimals}; write one from 0 to 15"))
}

fn escape_html(text: ImmutableString) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    for window in windows(&text) {
        let mut rest = window;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, tail) = rest.split_at(at);
            pace.write(&mut result, before)?;
            let (sign, tail) = tail.split_at(1);
            pace.write(&mut result, html(sign))?;
            rest = tail;
        }
        pace.write(&mut result, rest)?;
    }
    if result.len() == text.len() { Ok(text) } else { Ok(result.into()) }
}

fn html(sign: &str) -> &'static str {
    match sign {
        "&" => "&amp;",
        "<" => "&lt;",
        ">" => "&gt;",
        "\"" => "&quot;",
        _ => "&#39;",
    }
}
