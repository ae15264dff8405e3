//! `text`: work on texts, one native call for what would be a loop in a script.
//!
//! Indexes and lengths are in characters, a text given stays as it is, and what is not found is
//! `()`. Where a part of a text is asked for, a character will do as well. There are no patterns
//! here: `regex` has those.

mod case;
mod cut;
mod distance;
mod form;
mod search;
mod shape;
pub(super) mod work;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod trial;

use super::ModuleBuilder;
use rhai::{Module, Shared};
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Work on texts: one native call for what would be a loop in a script. Indexes and \
             lengths are in characters, the text given stays as it is, and what is not found is \
             `()`. There are no patterns here: `regex` has those.",
        );
        cut::register(&mut builder);
        search::register(&mut builder);
        case::register(&mut builder);
        shape::register(&mut builder);
        form::register(&mut builder);
        distance::register(&mut builder);
        builder.build()
    }))
}
