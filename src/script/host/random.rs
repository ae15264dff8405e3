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
    builder
        .docs(&["/// An integer from `low` to `high`, both included: `random::int(1, 6)`."])
        .function("int", ["low: int", "high: int"], |low: i64, high: i64| -> Native<i64> {
            if low > high {
                return Err(error(format!(
                    "random::int({low}, {high}) has no numbers to choose from; the first must not be larger"
                )));
            }
            frame::with(|frame| Ok(frame.random().i64(low..=high)))
        })
        .docs(&["/// A number from 0.0 up to, and without, 1.0."])
        .function("float", [], || -> Native<f64> { frame::with(|frame| Ok(frame.random().f64())) })
        .docs(&["/// `true` or `false`."])
        .function("bool", [], || -> Native<bool> { frame::with(|frame| Ok(frame.random().bool())) })
        .docs(&["/// One element of a list; `()` of an empty one."])
        .function("pick", ["list: array"], |list: &mut Array| -> Native<Dynamic> {
            if list.is_empty() {
                return Ok(Dynamic::UNIT);
            }
            let index = frame::with(|frame| Ok(frame.random().usize(..list.len())))?;
            copied(&list[index])
        })
        .docs(&["/// The list in another order."])
        .function("shuffle", ["list: array"], |mut list: Array| -> Native<Array> {
            meter::charge(list.len() as u64)?;
            frame::with(|frame| {
                frame.random().shuffle(&mut list);
                Ok(list)
            })
        });
    builder.build()
}
