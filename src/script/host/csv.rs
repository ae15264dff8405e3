//! `csv`: tables as comma-separated text, as RFC 4180 has them.
//!
//! Every value is a text: what is a number is for the script to say. A row that is longer or
//! shorter than the first, and a quote that is never closed, are errors with their line.

mod read;
#[cfg(test)]
mod tests;
mod write;

use super::ModuleBuilder;
use super::options::Options;
use crate::script::host::text::work::refuse;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use rhai::{Module, Shared};
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Comma-separated text, as RFC 4180 has it. All values that are read are texts. A quote \
             that is not closed, or something behind it, is an error with its line.",
        );
        read::register(&mut builder);
        write::register(&mut builder);
        builder.build()
    }))
}

/// The option `delimiter`: one ASCII character that means nothing else.
fn delimiter(function: &str, options: &mut Options) -> Outcome<u8> {
    let Some(text) = options.text("delimiter", "\";\"")? else { return Ok(b',') };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err(refuse(format!(
            "{function}: `delimiter` is {:?}; write one ASCII character that is no quote and no \
             line break, such as \";\" or \"\\t\"",
            prefix(&text, 20)
        ))),
    }
}
