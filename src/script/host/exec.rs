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
    builder.about(
        "Programs, as far as they are granted: request `exec=PROGRAM` for each. No shell reads the \
         arguments: each element of the list is one. A program works in the workspace with four \
         variables, `PATH`, `HOME`, `LANG=C.UTF-8` and `TERM=dumb`, and no terminal. It ends with \
         the call at the latest, and takes what it left in the background with it. A test starts \
         none.",
    );
    builder
        .docs(&[
            "/// Runs a program to its end: `status` is its number, or 128 and that of the signal that \
             ended it; `stdout` and `stderr` are what it wrote, `cut` whether there was more, and \
             `timed_out` whether its time was up. A status other than 0 is no error.",
            "/// exec::run(\"git\", [\"log\", \"--oneline\"]).stdout",
        ])
        .function(
            "run",
            ["program: string", "arguments: string[]", "map"],
            |program: &str, arguments: Array| -> Native<Map> { run(program, &arguments, &Map::new()) },
        )
        .docs(&[
            "/// The same with options: `input`, the text that the program reads; `timeout` in ms; `most`, \
             the bytes that are kept of each output (256 KiB, and 4 MiB at most).",
            "/// exec::run(\"sort\", [], #{ input: text, timeout: 2000, most: 65536 }).stdout",
        ])
        .function(
            "run",
            ["program: string", "arguments: string[]", "options: map", "map"],
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
