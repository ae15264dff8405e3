//! The one integration test binary. Each module says what it is for.

#![allow(clippy::disallowed_methods, reason = "tests lay out files and run programs of their own")]

mod agent_hook;
mod annotations;
mod architecture;
mod attacks;
#[cfg(unix)]
mod built_ins;
#[cfg(all(unix, feature = "worker"))]
mod chat;
mod cli;
mod client;
mod docs;
mod durability;
mod fake_model;
mod feature_api;
mod format;
#[cfg(all(unix, feature = "bridge"))]
mod gateway;
mod hooks;
#[cfg(all(unix, feature = "mcp"))]
mod http;
#[cfg(unix)]
mod isolate;
#[cfg(all(unix, feature = "http"))]
mod journey;
mod library;
mod mcp;
mod mistakes;
mod pods;
mod policy;
mod reference;
mod reload;
#[cfg(all(unix, feature = "http"))]
mod requests;
mod scripts;
#[cfg(unix)]
mod session;
mod setup;
#[cfg(feature = "worker")]
mod worker;

/// Counts allocations, as a program that embeds the crate does.
#[global_allocator]
static METER: peasy::Meter = peasy::Meter;
