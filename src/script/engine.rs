//! Engines, hardened: one way to make one, and nothing registered that was not put on a list.

use super::host::{self, global};
use super::meter::{self, Kill};
use super::{frame, native};
use crate::feature::capability::Capability;
use crate::feature::event::Level;
use crate::feature::hook::Decision;
use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Dynamic, Engine, Identifier, Module, OptimizationLevel, Shared};
use std::collections::HashMap;
use std::sync::OnceLock;

/// How deeply expressions may nest; the parser recurses on the sandbox's large stack.
const MAX_EXPRESSION_DEPTH: usize = 128;

/// An engine that can only parse. Shares every setting that shapes a syntax tree with the engines
/// that run it.
pub(crate) fn parser() -> Engine {
    let mut engine = Engine::new_raw();
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_strings_interned(0);
    engine.set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH);
    engine.set_max_functions(1_000);
    engine.set_max_modules(64);
    for symbol in ["eval", "curry", "Fn"] {
        engine.disable_symbol(symbol);
    }
    engine
}

/// An engine that runs the scripts of one feature, with the host modules that it asked for.
///
/// The engine's own limits on operations and data sizes stay off (in Rhai `0` is unlimited): the
/// first restart inside callbacks, the second make growth quadratic. The meter counts instead.
pub(crate) fn runner(requested: &[Capability]) -> Engine {
    static GLOBAL: OnceLock<Shared<Module>> = OnceLock::new();
    let mut engine = parser();
    engine.register_global_module(native::package());
    engine.register_global_module(Shared::clone(GLOBAL.get_or_init(global::module)));
    for (name, module) in host::requested(requested) {
        engine.register_static_module(name, module);
    }
    engine.register_type_with_name::<frame::CallerError>("error");
    engine.register_type_with_name::<frame::Refusal>("error");
    engine.register_type_with_name::<frame::Assertion>("error");
    engine.register_type_with_name::<Decision>("decision");
    engine.register_type_with_name::<host::secret::Handle>("secret");
    engine.register_type_with_name::<host::content::Block>("block");
    engine.register_type_with_name::<host::content::Blocks>("content");
    engine.set_module_resolver(DummyModuleResolver::new());
    engine.set_max_operations(0);
    engine.set_max_string_size(0);
    engine.set_max_array_size(0);
    engine.set_max_map_size(0);
    engine.set_max_variables(10_000);
    engine.set_fail_on_invalid_map_property(false);
    engine.on_progress(|_| meter::tick().map(|end| Dynamic::from(Kill(end))));
    engine.on_print(|text| print(Level::Info, text));
    engine.on_debug(|text, _, _| print(Level::Debug, text));
    engine
}

/// Lets scripts read constants by bare name. Two files of a program have no name in common.
///
/// The engine looks a name up in the scope alone; `index` is 0 where the parser found it in no
/// scope.
pub(crate) fn resolve_constants(engine: &mut Engine, constants: HashMap<Identifier, Dynamic>) {
    #[expect(deprecated, reason = "marked volatile, not going away")]
    engine.on_var(move |name, index, _| {
        Ok(if index == 0 { constants.get(name).cloned() } else { None })
    });
}

/// Where `print` and `debug` end: a line of the log. Their volume is the log's; passing it ends
/// the call through the meter, for the engine gives this callback no way to fail.
fn print(level: Level, text: &str) {
    let _: frame::Native = host::log::line(level, text.to_owned());
}
