//! `exec`: the programs that a feature was granted, by name.
//!
//! A program gets a list of arguments and no shell, the workspace as its folder, an environment of
//! four variables, and no terminal. It is on record before it starts. When the call is done with
//! it, its whole process group is ended, whatever it does about that ([`group`]). What a granted
//! program does by itself is not bounded here: it runs with the rights of the user.

#[cfg(unix)]
mod group;
#[cfg(unix)]
mod run;
#[cfg(all(test, unix))]
mod tests;

use super::ModuleBuilder;
use crate::script::frame::Native;
use rhai::{Array, Map, Module, Shared};
#[cfg(unix)]
use run::run;

/// The module of a feature that asked for `exec=…`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder
        .docs(&[
            "/// Runs a program to its end, and gives `status`, `stdout`, `stderr`, `cut` and `timed_out`.",
            "///",
            "/// `exec::run(\"git\", [\"log\", \"--oneline\"])`,",
            "/// `exec::run(\"sort\", [], #{ input: text, timeout: 2000, most: 65536 })`",
        ])
        .function(
            "run",
            ["program: string", "arguments: array", "map"],
            |program: &str, arguments: Array| -> Native<Map> { run(program, &arguments, &Map::new()) },
        )
        .function(
            "run",
            ["program: string", "arguments: array", "options: map", "map"],
            |program: &str, arguments: Array, options: Map| -> Native<Map> {
                run(program, &arguments, &options)
            },
        );
    builder.build()
}

/// Elsewhere a program cannot be ended with all that it started.
#[cfg(not(unix))]
fn run(_: &str, _: &Array, _: &Map) -> Native<Map> {
    use crate::diagnostic::Diagnostic;
    let message = "there is no `exec` on this system";
    Err(crate::script::frame::refusal(Diagnostic::operator("exec/failed", message)))
}
