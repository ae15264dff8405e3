//! `log`: lines for whoever looks for a fault later. Open to every script, bounded by volume.

use super::ModuleBuilder;
use crate::feature::event::{EventBody, Level};
use crate::script::frame::{self, Native};
use crate::script::native::display::{self, Style};
use rhai::{Dynamic, Module, Shared};

/// The module, the same for everybody.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "The log of the call, for whoever looks for a fault later. Neither the model nor the \
         user reads it. A value that is no text is written as `print` would.",
    );
    for (name, level) in [
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ] {
        let docs = match level {
            Level::Debug => ["/// Writes a line of level `debug`.", "/// log::debug(map)"],
            Level::Warn => ["/// Writes a line of level `warn`.", "/// log::warn(\"no date\")"],
            Level::Error => ["/// Writes a line of level `error`.", "/// log::error(reason)"],
            _ => ["/// Writes a line of level `info`.", "/// log::info(`read ${count} files`)"],
        };
        builder
            .docs(&docs)
            .function(name, ["value: any"], move |value: Dynamic| write(level, &value));
    }
    builder.build()
}

/// Writes any value as one line of the log; `print` and `debug` end here too.
pub(crate) fn write(level: Level, value: &Dynamic) -> Native {
    line(level, display::text(value, Style::Print).into())
}

/// Writes a line that is text already.
pub(crate) fn line(level: Level, text: String) -> Native {
    frame::with(|frame| frame.emit(None, EventBody::Log { level, text }))
}
