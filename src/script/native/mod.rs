//! The functions that every script sees without asking.
//!
//! Nothing here reaches outside the script, and no function costs more, in time or memory, than a
//! small factor of what the call already holds, or it is paid for before it happens. Rhai's own
//! functions on numbers are taken over as they are. Its functions on arrays, maps, texts and values
//! of any type are not, because their cost has no bound; those here give the same results. There
//! are no blobs and no clock.
//!
//! `reviewed.txt` lists every function. A test compares it with the package, so that one which a new
//! version of Rhai adds is reviewed before a script sees it.

mod array;
pub(crate) mod callback;
pub(crate) mod compare;
mod core;
pub(crate) mod display;
mod map;
mod string;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trial;

pub(crate) use self::core::rounded;

use rhai::packages::{
    ArithmeticPackage, BasicFnPackage, BasicIteratorPackage, BasicMathPackage, BitFieldPackage,
    LogicPackage, Package,
};
use rhai::plugin::combine_with_exported_module;
use rhai::{Array, Dynamic, ImmutableString, Module, Shared};
use std::any::TypeId;
use std::sync::OnceLock;

/// The natives of every script, built once.
pub(crate) fn package() -> Shared<Module> {
    static PACKAGE: OnceLock<Shared<Module>> = OnceLock::new();
    PACKAGE.get_or_init(|| build().into()).clone()
}

fn build() -> Module {
    let mut module = Module::new();
    ArithmeticPackage::init(&mut module);
    LogicPackage::init(&mut module);
    BasicMathPackage::init(&mut module);
    BitFieldPackage::init(&mut module);
    BasicIteratorPackage::init(&mut module);
    BasicFnPackage::init(&mut module);
    // What follows replaces a function of the same name and parameters.
    combine_with_exported_module!(&mut module, "core", core::natives);
    combine_with_exported_module!(&mut module, "display", display::natives);
    combine_with_exported_module!(&mut module, "string", string::natives);
    combine_with_exported_module!(&mut module, "array", array::natives);
    combine_with_exported_module!(&mut module, "map", map::natives);
    module.set_iterable::<Array>();
    module.set_iterator::<string::Chars>();
    module.set_iter(TypeId::of::<ImmutableString>(), |text| {
        let text = text.into_immutable_string().unwrap_or_default();
        Box::new(string::Chars::all(text).map(Dynamic::from_char))
    });
    module.register_lazy_functions();
    module.build_index();
    module
}
