//! Rhai behind the feature API: reading, checking and running scripts under hard limits.
//!
//! The road through it: [`source`] reads files, `parse` and `annotation` make a descriptor of the
//! syntax tree, [`analysis`] says what it reaches, [`runtime`] turns the [`script`] into a feature
//! module; a call goes through `invoke` to a thread of the [`sandbox`], where `call` evaluates it
//! under the [`meter`].

pub mod analysis;
mod annotation;
pub mod cache;
mod call;
mod compile;
mod engine;
mod explain;
mod format;
mod frame;
mod guard;
mod host;
mod invoke;
pub mod isolate;
mod lend;
mod location;
pub mod meter;
mod native;
mod outside;
mod parse;
pub mod reference;
mod remedy;
pub mod runtime;
pub mod sandbox;
#[expect(clippy::module_inception, reason = "a script is what this module is about")]
pub mod script;
pub mod source;
pub mod testing;
mod value;

pub use host::diff::differences;
pub use invoke::MemoryBound;
