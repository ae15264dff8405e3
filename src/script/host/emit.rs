//! `emit`: live events for the person at the screen. Never seen by a model, never undone.

use super::ModuleBuilder;
use crate::feature::event::{EventBody, Level};
use crate::script::frame::{self, Native, error};
use rhai::{Dynamic, ImmutableString, Module, Shared};

/// The module of a feature that was granted `emit`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Live events for the person at the screen. They never reach the model, and are not \
         undone when the call fails. Request them with `//! @request emit`.",
    );
    for (name, level) in [("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)] {
        builder
            .docs(&[
                match level {
                    Level::Warn => "/// Shows a warning to the person at the screen.",
                    Level::Error => "/// Shows an error to the person at the screen.",
                    _ => "/// Shows a message to the person at the screen.",
                },
                match level {
                    Level::Warn => "/// emit::warn(\"the disk is slow\", \"it took 2 s\")",
                    Level::Error => {
                        "/// emit::error(\"2 files are broken\", text::join(names, \"\\n\"))"
                    }
                    _ => "/// emit::info(\"read 3 files\")",
                },
            ])
            .function(name, ["summary: string"], move |summary: ImmutableString| {
                message(level, summary, None)
            });
        builder.function(
            name,
            ["summary: string", "detail: string"],
            move |summary: ImmutableString, detail: ImmutableString| {
                message(level, summary, Some(detail.into()))
            },
        );
    }
    builder
        .docs(&[
            "/// Shows how far a long piece of work is; `total` is `()` where nobody knows.",
            "/// emit::progress(3, 10, \"reading\")",
        ])
        .function(
            "progress",
            ["done: number", "total: number"],
            |done: Dynamic, total: Dynamic| progress(done, total, None),
        );
    builder.function(
        "progress",
        ["done: number", "total: number", "text: string"],
        |done: Dynamic, total: Dynamic, text: ImmutableString| {
            progress(done, total, Some(text.into()))
        },
    );
    builder
        .docs(&[
            "/// Shows a message on a channel that the feature declares with `@channel`.",
            "/// emit::to(\"note-added\", \"Call Ann\")",
        ])
        .function("to", ["channel: string", "summary: string"], |channel: &str, summary: &str| {
            to(channel, summary, None)
        });
    builder.function(
        "to",
        ["channel: string", "summary: string", "detail: string"],
        |channel: &str, summary: &str, detail: &str| to(channel, summary, Some(detail.into())),
    );
    builder.build()
}

fn message(level: Level, summary: ImmutableString, detail: Option<String>) -> Native {
    let summary = summary.into();
    send(None, EventBody::Message { level, summary, detail })
}

fn progress(done: Dynamic, total: Dynamic, text: Option<String>) -> Native {
    let done = number("done", &done)?;
    let total = if total.is_unit() { None } else { Some(number("total", &total)?) };
    send(None, EventBody::Progress { done, total, text })
}

fn number(what: &str, value: &Dynamic) -> Native<f64> {
    let number = value.as_float().or_else(|_| value.as_int().map(|number| number as f64));
    match number {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(error(format!(
            "`{what}` of emit::progress must be a number that is not negative, as in emit::progress(3, 10)"
        ))),
    }
}

fn to(channel: &str, summary: &str, detail: Option<String>) -> Native {
    let declared = frame::with(|frame| {
        let channels = frame.channels();
        channels.iter().find(|declared| declared.as_str() == channel).cloned().ok_or_else(|| {
            error(format!(
                "the channel `{channel}` is not declared; add `//! @channel {channel}` at the head of the file"
            ))
        })
    })?;
    let body = EventBody::Message { level: Level::Info, summary: summary.to_owned(), detail };
    send(Some(declared), body)
}

fn send(channel: Option<crate::feature::id::ChannelName>, body: EventBody) -> Native {
    frame::with(|frame| {
        if super::is_granted(frame, "emit") {
            frame.emit(channel, body)
        } else {
            frame.drop_silently();
            Ok(())
        }
    })
}
