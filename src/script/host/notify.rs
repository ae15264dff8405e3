//! `notify`: text that must reach someone. To the user it goes at once; to the model it is staged
//! and leaves with the outcome, or not at all when the call fails.

use super::ModuleBuilder;
use crate::feature::event::EventBody;
use crate::script::frame::{self, Native};
use rhai::{ImmutableString, Module, Shared};

/// The module of a feature that was granted `notify:model` or `notify:user`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Texts that must reach someone. Request `notify:user`, or `notify:model`, which nobody \
         has by default.",
    );
    builder
        .docs(&[
            "/// Gives the model a text beside the result, if the call succeeds; needs `notify:model`, and \
             is silent without it.",
            "/// notify::model(\"The index is a day old.\")",
        ])
        .function("model", ["text: string"], |text: ImmutableString| -> Native {
            frame::with(|frame| {
                if super::is_granted(frame, "notify:model") {
                    frame.stage(text.into())
                } else {
                    frame.drop_silently();
                    Ok(())
                }
            })
        });
    builder
        .docs(&[
            "/// Shows the user a text that should not be missed, at once; needs `notify:user`, and is silent \
             without it.",
            "/// notify::user(\"The backup is a week old.\")",
        ])
        .function("user", ["text: string"], |text: ImmutableString| -> Native {
            frame::with(|frame| {
                if super::is_granted(frame, "notify:user") {
                    frame.emit(None, EventBody::Notice { text: text.into() })
                } else {
                    frame.drop_silently();
                    Ok(())
                }
            })
        });
    builder.build()
}
