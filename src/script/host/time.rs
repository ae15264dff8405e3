//! `time`: the clock as the call sees it. A test's clock stands still; a replay's is the recorded.

use super::ModuleBuilder;
use crate::script::frame::{self, Native, error};
use rhai::{Module, Shared};

/// The module, the same for everybody.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "The clock as the call sees it. In tests it stands still, at 2026-01-01T00:00:00Z. \
         `date` has the calendar.",
    );
    builder
        .docs(&["/// The moment in milliseconds since 1970-01-01T00:00:00Z.", "/// time::now()"])
        .function("now", ["int"], now)
        .docs(&["/// The moment as text in RFC 3339, in UTC.", "/// time::iso()"])
        .function("iso", ["string"], || iso(now()?))
        .docs(&[
            "/// A moment in milliseconds as text in RFC 3339, in UTC.",
            "/// time::iso(0) // => \"1970-01-01T00:00:00Z\"",
        ])
        .function("iso", ["milliseconds: int", "string"], iso)
        .docs(&[
            "/// The milliseconds of a moment written in RFC 3339; any other text is an error. `date::parse` \
             reads more forms.",
            "/// time::parse(\"1970-01-01T00:00:01Z\") // => 1000",
        ])
        .function("parse", ["text: string", "int"], |text: &str| -> Native<i64> {
            text.parse::<jiff::Timestamp>().map(|moment| moment.as_millisecond()).map_err(|_| {
                error(format!(
                    "`{text}` is not a moment; write it in RFC 3339, as in 2026-01-31T12:00:00Z"
                ))
            })
        });
    builder.build()
}

/// The clock of the call, in milliseconds since 1970.
pub(super) fn now() -> Native<i64> {
    frame::with(|frame| Ok(frame.now()))
}

fn iso(milliseconds: i64) -> Native<String> {
    jiff::Timestamp::from_millisecond(milliseconds).map(|moment| moment.to_string()).map_err(|_| {
        error(format!("{milliseconds} ms is not a moment between the years -9999 and 9999"))
    })
}
