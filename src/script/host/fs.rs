//! `fs`: the files that a feature was granted, by path.
//!
//! Every path is made plain, held against the grants, and then walked by handles that no link and
//! no exchange of files leads astray ([`reach`]). Only regular files are opened and nothing waits
//! for another process. What is written is on record before it happens; nothing of it is undone.
//! Without a folder to work in, as in a test, there is no `fs` at all.

#[cfg(unix)]
mod glob;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod reach;
#[cfg(unix)]
mod read;
#[cfg(all(test, unix))]
mod tests;
#[cfg(unix)]
mod write;

use super::ModuleBuilder;
#[cfg(unix)]
use glob::{glob, list};
#[cfg(unix)]
use read::{exists, read, read_lines, stat};
use rhai::{Module, Shared};
#[cfg(unix)]
use write::{append, copy, make_folder, remove, rename, write};

/// The module of a feature that asked for `fs:read=…` or `fs:write=…`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    reading(&mut builder);
    writing(&mut builder);
    builder.build()
}

fn reading(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text of a file, in UTF-8 and at most 16 MiB.",
            "///",
            "/// `fs::read(\"Cargo.toml\")`",
        ])
        .function("read", ["path: string", "string"], read)
        .docs(&[
            "/// Some lines of a file without their ends, counted from 1; fewer where it ends before.",
            "///",
            "/// `fs::read_lines(\"server.log\", 1, 100)`",
        ])
        .function("read_lines", ["path: string", "from: int", "count: int", "array"], read_lines)
        .docs(&["/// Whether there is something at a path."])
        .function("exists", ["path: string", "bool"], exists)
        .docs(&[
            "/// What is at a path: `kind` (`file`, `folder` or `special`), `size` in bytes, `modified` in ms.",
        ])
        .function("stat", ["path: string", "map"], stat)
        .docs(&[
            "/// What lies in a folder and is granted, by name: maps of `name` and `kind`.",
            "///",
            "/// `fs::list(\".\")`",
        ])
        .function("list", ["folder: string", "array"], list)
        .docs(&[
            "/// The paths of the granted files that a pattern takes, in order; no link is followed.",
            "///",
            "/// `fs::glob(\"src/**/*.rs\")`",
        ])
        .function("glob", ["pattern: string", "array"], glob);
}

fn writing(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Makes a file, or replaces it as a whole: `fs::write(\"out/report.md\", text)`.",
        ])
        .function("write", ["path: string", "text: string"], write)
        .docs(&["/// Adds to the end of a file, which is made where there is none."])
        .function("append", ["path: string", "text: string"], append)
        .docs(&["/// Makes a folder and those it lies in, and says whether it was not there."])
        .function("make_folder", ["path: string", "bool"], make_folder)
        .docs(&["/// Removes a file, a link or an empty folder, and says whether it was there."])
        .function("remove", ["path: string", "bool"], remove)
        .docs(&["/// Copies a file, whatever is in it; `from` is read and `to` written."])
        .function("copy", ["from: string", "to: string"], copy)
        .docs(&["/// Moves a file; `from` is read and written, and `to` written."])
        .function("rename", ["from: string", "to: string"], rename);
}

/// Elsewhere there are no handles of folders to walk by, and nothing less will do.
#[cfg(not(unix))]
mod elsewhere {
    use crate::diagnostic::Diagnostic;
    use crate::script::frame::{Native, refusal};
    use rhai::{Array, Map};

    fn none<T>() -> Native<T> {
        let message = "there is no `fs` on this system";
        Err(refusal(Diagnostic::operator("fs/failed", message)))
    }

    pub fn read(_: &str) -> Native<String> {
        none()
    }

    pub fn read_lines(_: &str, _: i64, _: i64) -> Native<Array> {
        none()
    }

    pub fn exists(_: &str) -> Native<bool> {
        none()
    }

    pub fn stat(_: &str) -> Native<Map> {
        none()
    }

    pub fn list(_: &str) -> Native<Array> {
        none()
    }

    pub fn glob(_: &str) -> Native<Array> {
        none()
    }

    pub fn write(_: &str, _: &str) -> Native {
        none()
    }

    pub fn append(_: &str, _: &str) -> Native {
        none()
    }

    pub fn make_folder(_: &str) -> Native<bool> {
        none()
    }

    pub fn remove(_: &str) -> Native<bool> {
        none()
    }

    pub fn copy(_: &str, _: &str) -> Native {
        none()
    }

    pub fn rename(_: &str, _: &str) -> Native {
        none()
    }
}
#[cfg(not(unix))]
use elsewhere::*;
