//! The natives of the language itself.
//!
//! Left out of Rhai's own set: `sleep`, which no bound reaches; `parse_json`, which is `json::parse`
//! here; and `get_fn_metadata_list`.

use crate::script::native::compare::{Outcome, fail};
use rhai::Position;
use rhai::plugin::*;

#[export_module]
#[expect(clippy::unwrap_used, reason = "the macro writes `unwrap` where the types are known")]
pub(super) mod natives {
    /// Ends the script with a value.
    #[rhai_fn(name = "exit", volatile, return_raw)]
    pub fn exit_with_value(value: Dynamic) -> Outcome<Dynamic> {
        Err(EvalAltResult::Exit(value, Position::NONE).into())
    }

    /// Ends the script.
    #[rhai_fn(volatile, return_raw)]
    pub fn exit() -> Outcome<Dynamic> {
        Err(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE).into())
    }

    /// Moves a value out of its variable, which becomes `()`.
    pub fn take(value: &mut Dynamic) -> Dynamic {
        mem::take(value)
    }

    /// The number attached to a value.
    #[rhai_fn(name = "tag", get = "tag", pure)]
    pub fn get_tag(value: &mut Dynamic) -> i64 {
        i64::from(value.tag())
    }

    /// Attaches a number to a value.
    #[rhai_fn(name = "set_tag", set = "tag", return_raw)]
    pub fn set_tag(value: &mut Dynamic, tag: i64) -> Outcome<()> {
        let Ok(small) = i32::try_from(tag) else {
            return fail(format!("{tag} does not fit a tag; use {} to {}", i32::MIN, i32::MAX));
        };
        value.set_tag(small);
        Ok(())
    }
}
