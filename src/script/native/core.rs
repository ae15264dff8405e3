//! The natives of the language itself.
//!
//! Left out of Rhai's own set: `sleep`, which no bound reaches; `parse_json`, which is `json::parse`
//! here; and `get_fn_metadata_list`.

use crate::script::native::compare::{Outcome, fail};
use rhai::Position;
use rhai::plugin::*;

/// Most decimals that a number is rounded to: a float holds no more.
const MOST_DECIMALS: i64 = 15;

/// A number rounded to so many decimals, half away from zero; as it is where a float that large has
/// no decimals.
pub(crate) fn rounded(number: f64, decimals: i64) -> Outcome<f64> {
    if !(0..=MOST_DECIMALS).contains(&decimals) {
        return fail(format!("{decimals} decimals cannot be had; write 0 to {MOST_DECIMALS}"));
    }
    let scale = 10_f64.powi(decimals as i32);
    let scaled = number * scale;
    // The nearest number with one decimal more, so that 1.005, a little less as a float, goes up.
    let close = (scaled * 10.0).round() / 10.0;
    let is_half = (scaled - close).abs() <= scaled.abs() * 4.0 * f64::EPSILON;
    let scaled = if is_half { close } else { scaled };
    Ok(if scaled.is_finite() { scaled.round() / scale } else { number })
}

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

    /// The number rounded to so many decimals, half away from zero.
    #[rhai_fn(name = "round", return_raw)]
    pub fn round_to(number: f64, decimals: i64) -> Outcome<f64> {
        rounded(number, decimals)
    }

    /// The number itself: an integer has no decimals.
    #[rhai_fn(name = "round", return_raw)]
    pub fn round_int_to(number: i64, decimals: i64) -> Outcome<i64> {
        rounded(0.0, decimals).map(|_| number)
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
