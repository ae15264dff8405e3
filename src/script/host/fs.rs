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
use crate::script::frame::Native;
use crate::script::outside;
#[cfg(unix)]
use glob::{glob, list};
#[cfg(unix)]
use read::{exists, read, read_lines, stat};
use rhai::{Array, ImmutableString, Map, Module, Shared};
use serde_json::json;
#[cfg(unix)]
use write::{append, copy, make_folder, remove, rename, write};

/// The module of a feature that asked for `fs:read=…` or `fs:write=…`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Files, as far as they are granted: request `fs:read=GLOB` and `fs:write=GLOB`. A relative \
         path begins at the workspace, the folder in which `peasy` was started; others begin with \
         `~/` or `/`. A link leads where it leads, and only to what is granted as well. What was \
         written is not undone when the call fails.\n\nWhat is not granted is a refusal that names \
         the grant, and what the disk refuses is one that says why; both can be caught. A test has \
         no files, so keep what works on their text in functions of its own.",
    );
    reading(&mut builder);
    writing(&mut builder);
    builder.build()
}

fn reading(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text of a file, in UTF-8 and at most 16 MiB.",
            "/// fs::read(\"Cargo.toml\")",
        ])
        .function("read", ["path: string", "string"], |path: &str| -> Native<ImmutableString> {
            outside::from("fs::read", || json!([path]), || read(path))
        })
        .docs(&[
            "/// Some lines of a file without their ends, counted from 1; fewer where it ends before.",
            "/// fs::read_lines(\"server.log\", 1, 100)",
        ])
        .function(
            "read_lines",
            ["path: string", "from: int", "count: int", "string[]"],
            |path: &str, from: i64, count: i64| -> Native<Array> {
                let asked = || json!([path, from, count]);
                outside::from("fs::read_lines", asked, || read_lines(path, from, count))
            },
        )
        .docs(&["/// Whether there is something at a path.", "/// fs::exists(\"Cargo.toml\")"])
        .function("exists", ["path: string", "bool"], |path: &str| -> Native<bool> {
            outside::from("fs::exists", || json!([path]), || exists(path))
        })
        .docs(&[
            "/// What is at a path: `kind` (`file`, `folder` or `special`), `size` in bytes, `modified` in ms.",
            "/// fs::stat(\"Cargo.toml\").size",
        ])
        .function("stat", ["path: string", "map"], |path: &str| -> Native<Map> {
            outside::from("fs::stat", || json!([path]), || stat(path))
        })
        .docs(&[
            "/// What lies in a folder and is granted, by name: maps of `name` and `kind`, which may be \
             `link` as well.",
            "/// fs::list(\"src\").map(|entry| entry.name)",
        ])
        .function("list", ["folder: string", "map[]"], |folder: &str| -> Native<Array> {
            outside::from("fs::list", || json!([folder]), || list(folder))
        })
        .docs(&[
            "/// The paths of the granted files that a pattern takes, in order and at most 10,000; no link \
             is followed. `*` stands for any characters of one name, `**` for any folders.",
            "/// fs::glob(\"src/**/*.rs\")",
        ])
        .function("glob", ["pattern: string", "string[]"], |pattern: &str| -> Native<Array> {
            outside::from("fs::glob", || json!([pattern]), || glob(pattern))
        });
}

fn writing(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Makes a file, or replaces it as a whole.",
            "/// fs::write(\"out/report.md\", text)",
        ])
        .function("write", ["path: string", "text: string"], |path: &str, text: &str| -> Native {
            outside::from("fs::write", || json!([path, text]), || write(path, text))
        })
        .docs(&[
            "/// Adds to the end of a file, which is made where there is none.",
            "/// fs::append(\"out/log.txt\", \"done\\n\")",
        ])
        .function("append", ["path: string", "text: string"], |path: &str, text: &str| -> Native {
            outside::from("fs::append", || json!([path, text]), || append(path, text))
        })
        .docs(&[
            "/// Makes a folder and those it lies in; `false` where it is there already.",
            "/// fs::make_folder(\"out/pages\")",
        ])
        .function("make_folder", ["path: string", "bool"], |path: &str| -> Native<bool> {
            outside::from("fs::make_folder", || json!([path]), || make_folder(path))
        })
        .docs(&[
            "/// Removes a file, a link or an empty folder; `false` where it is not there.",
            "/// fs::remove(\"out/old.md\")",
        ])
        .function("remove", ["path: string", "bool"], |path: &str| -> Native<bool> {
            outside::from("fs::remove", || json!([path]), || remove(path))
        })
        .docs(&[
            "/// Copies a file, whatever is in it; `from` is read and `to` written.",
            "/// fs::copy(\"out/report.md\", \"out/report.bak\")",
        ])
        .function("copy", ["from: string", "to: string"], |from: &str, to: &str| -> Native {
            outside::from("fs::copy", || json!([from, to]), || copy(from, to))
        })
        .docs(&[
            "/// Moves a file on one disk; `from` is read and written, and `to` written.",
            "/// fs::rename(\"out/draft.md\", \"out/report.md\")",
        ])
        .function("rename", ["from: string", "to: string"], |from: &str, to: &str| -> Native {
            outside::from("fs::rename", || json!([from, to]), || rename(from, to))
        });
}

/// Elsewhere there are no handles of folders to walk by, and nothing less will do.
#[cfg(not(unix))]
mod elsewhere {
    use crate::diagnostic::Diagnostic;
    use crate::script::frame::{Native, refusal};
    use rhai::{Array, ImmutableString, Map};

    fn none<T>() -> Native<T> {
        let message = "there is no `fs` on this system";
        Err(refusal(Diagnostic::operator("fs/failed", message)))
    }

    pub fn read(_: &str) -> Native<ImmutableString> {
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
