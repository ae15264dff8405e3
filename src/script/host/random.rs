//! `random`: numbers from the call's own seed, so that the same call can be made again.
//!
//! Not for secrets: the seed is in the record.

use super::ModuleBuilder;
use crate::script::frame::{self, Native, error};
use crate::script::meter;
use crate::script::native::callback::copied;
use rhai::{Array, Dynamic, Module, Shared};

/// The module, the same for everybody.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Random numbers, from the seed of the call, so that a test gives the same each time. Not \
         for secrets.",
    );
    builder
        .docs(&["/// A whole number from `low` to `high`, both included.", "/// random::int(1, 6)"])
        .function("int", ["low: int", "high: int", "int"], |low: i64, high: i64| -> Native<i64> {
            if low > high {
                return Err(error(format!(
                    "random::int({low}, {high}) has no numbers to choose from; the first must not be larger"
                )));
            }
            frame::with(|frame| Ok(frame.random().i64(low..=high)))
        })
        .docs(&["/// A number from 0.0 up to, and without, 1.0.", "/// random::float()"])
        .function("float", ["float"], || -> Native<f64> { frame::with(|frame| Ok(frame.random().f64())) })
        .docs(&["/// `true` or `false`.", "/// random::bool()"])
        .function("bool", ["bool"], || -> Native<bool> { frame::with(|frame| Ok(frame.random().bool())) })
        .docs(&["/// One value of a list; `()` of an empty one.", "/// random::pick([\"a\", \"b\"])"])
        .function("pick", ["list: any[]", "any"], |list: &mut Array| -> Native<Dynamic> {
            if list.is_empty() {
                return Ok(Dynamic::UNIT);
            }
            let index = frame::with(|frame| Ok(frame.random().usize(..list.len())))?;
            copied(&list[index])
        })
        .docs(&[
            "/// The values in another order; the list given stays as it is.",
            "/// random::shuffle([1, 2, 3])",
        ])
        .function("shuffle", ["list: any[]", "any[]"], |mut list: Array| -> Native<Array> {
            meter::charge(list.len() as u64)?;
            frame::with(|frame| {
                frame.random().shuffle(&mut list);
                Ok(list)
            })
        });
    builder.build()
}
