//! `html`: a page as text that people and models read: Markdown, plain words, its title.
//!
//! A page is read once, from its start to its end, as a list of tags and texts; no tree is built of it.
//! What is never shown (scripts, styles, comments, forms' options) is left out, and nothing of a page runs or
//! is fetched. A page that is broken gives what can be read of it.

mod entity;
#[cfg(test)]
mod tests;
mod token;
mod write;

use super::ModuleBuilder;
use super::options::Options;
use crate::script::host::text::work::{Pace, output};
use crate::script::native::compare::Outcome;
use rhai::{ImmutableString, Map, Module, Shared};
use std::sync::OnceLock;
use token::{Token, Tokens};
use write::{Style, Writer};

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Pages in HTML as text. A page is read from its start to its end, broken or not; scripts, \
             styles and what is hidden are left out.",
        );
        register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The page in Markdown: headings, lists, links, code, quotations; the cells of a table stand in \
             one line.",
            "/// html::to_markdown(\"<h1>One</h1><p>see <a href='/d'>the <b>docs</b></a>\") // => \"# One\\n\\nsee [the **docs**](/d)\"",
        ])
        .function("to_markdown", ["html: string", "string"], |html: &str| {
            convert(html, Style::Markdown, &Map::new())
        })
        .docs(&[
            "/// The same with options: `main: true` takes only what stands in `<main>` or `<article>`, where \
             there is one, and `base` is the address from which links lead.",
            "/// html::to_markdown(\"<nav>x</nav><main><a href='/d'>y</a></main>\", #{ main: true, base: \"https://a.example/b\" }) // => \"[y](https://a.example/d)\"",
        ])
        .function("to_markdown", ["html: string", "options: map", "string"], |html: &str, options: Map| {
            convert(html, Style::Markdown, &options)
        })
        .docs(&[
            "/// The words of the page without any markup.",
            "/// html::to_text(\"<h1>One</h1><p>a <b>b</b> &amp; c<br>d\") // => \"One\\n\\na b & c\\nd\"",
        ])
        .function("to_text", ["html: string", "string"], |html: &str| {
            convert(html, Style::Text, &Map::new())
        })
        .docs(&[
            "/// The title of the page; `()` where it has none.",
            "/// html::title(\"<head><title> A &lt;b&gt;\\n c </title>\") // => \"A <b> c\"",
            "/// html::title(\"<p>a\") // => ()",
        ])
        .function("title", ["html: string", "string?"], title)
        .docs(&[
            "/// The text with the characters that names such as `&amp;` and `&#233;` stand for.",
            "/// html::unescape(\"caf&eacute; &lt;3 &#x2713; &nothing;\") // => \"café <3 ✓ &nothing;\"",
        ])
        .function("unescape", ["text: string", "string"], unescape);
}

fn convert(html: &str, style: Style, options: &Map) -> Outcome<ImmutableString> {
    let mut options = Options::new("html::to_markdown", options);
    let is_main = options.flag("main", false)?;
    let base = match options.text("base", "\"https://example.com/page\"")? {
        Some(text) => Some(super::url::read("html::to_markdown", &text)?),
        None => None,
    };
    options.done()?;
    let mut pace = Pace::default();
    let main = if is_main { main_of(&mut pace, html)? } else { None };
    let mut writer = Writer::new(style, main.is_none(), base);
    for token in Tokens::new(html) {
        pace.touch(token.length())?;
        if let Some(main) = main {
            writer.enter_main(&token, main);
        }
        writer.take(&mut pace, &token)?;
    }
    Ok(writer.end(&mut pace)?.into())
}

/// The element that holds what the page is about.
fn main_of(pace: &mut Pace, html: &str) -> Outcome<Option<&'static str>> {
    let mut found = None;
    for token in Tokens::new(html) {
        pace.touch(token.length())?;
        if let Token::Open { name, .. } = token {
            if name.eq_ignore_ascii_case("main") {
                return Ok(Some("main"));
            }
            if name.eq_ignore_ascii_case("article") {
                found = Some("article");
            }
        }
    }
    Ok(found)
}

fn title(html: &str) -> Outcome<rhai::Dynamic> {
    let mut pace = Pace::default();
    let mut tokens = Tokens::new(html);
    while let Some(token) = tokens.next() {
        pace.touch(token.length())?;
        match token {
            Token::Open { name, .. } if name.eq_ignore_ascii_case("title") => {
                let mut writer = Writer::new(Style::Text, true, None);
                if let Some(text @ Token::Text(_)) = tokens.next() {
                    pace.touch(text.length())?;
                    writer.take(&mut pace, &text)?;
                }
                let title = writer.end(&mut pace)?;
                return Ok(if title.is_empty() { rhai::Dynamic::UNIT } else { title.into() });
            }
            // Pictures have titles of their own.
            Token::Open { name, .. } if name.eq_ignore_ascii_case("body") => break,
            _ => (),
        }
    }
    Ok(rhai::Dynamic::UNIT)
}

fn unescape(text: &str) -> Outcome<ImmutableString> {
    let mut pace = Pace::default();
    let mut plain = output(text.len())?;
    entity::each_piece(text, |piece| pace.write(&mut plain, piece))?;
    Ok(plain.into())
}
