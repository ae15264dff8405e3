//! peasy runs *features*: small sandboxed Rhai scripts that give an LLM agent new tools and hooks.
//!
//! The modules below stand in the order of the road that data travels: a source becomes a
//! descriptor, a descriptor and policy become a plan, a plan becomes a catalog, a call becomes an
//! outcome. `docs/ARCHITECTURE.md` is the map.

pub mod diagnostic;
pub mod limit;

pub mod builtin;
pub mod feature;
pub mod script;

pub mod agent_hook;
pub mod config;
pub mod pod;
mod private;
pub mod secret;
pub mod store;
#[cfg(feature = "worker")]
pub mod worker;
pub mod workspace;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "mcp")]
pub mod mcp;

pub use script::meter::Meter;

/// The unit tests count allocations, as a program that embeds the crate does.
#[cfg(test)]
#[global_allocator]
static METER: Meter = Meter;

/// The Rust of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
