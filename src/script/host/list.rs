//! `list`: work on arrays, one native call for what would be a loop in a script.
//!
//! Every function gives a new value and leaves the list as it is. What the language has as a
//! method that takes a function (`map`, `filter`, `reduce`, …) is not repeated here; a key may be
//! the name of a field instead of a function, which is faster. Functions are called once for each
//! value, and their errors end the whole.

mod group;
mod hash;
mod index;
pub(super) mod order;
mod part;
mod rank;
mod record;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use rhai::{Module, Shared};
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Work on lists. Every function gives a new value and leaves the list as it is. A \
             *key* is the name of a field, or a function that gives the key of a value; the name \
             is faster. What the language has as a method that takes a function, such as `map` \
             and `filter`, is not repeated here.",
        );
        part::register(&mut builder);
        group::register(&mut builder);
        rank::register(&mut builder);
        record::register(&mut builder);
        builder.build()
    }))
}
