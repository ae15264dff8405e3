//! The other side: stock Rhai as an embedder without peasy would call it.
//!
//! `Engine::new()` of the same crate with the same features, a compiled script, `call_fn`, the
//! arguments read from JSON text with serde, the result written back with serde; no limits of ours.

#![expect(clippy::disallowed_methods, reason = "the stock engine is what peasy is compared with")]

use crate::Result;
use rhai::packages::{Package, StandardPackage};
use rhai::{AST, Array, CallFnOptions, Dynamic, Engine, Map, OptimizationLevel, Scope};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// A compiled script and its engine.
pub struct Raw {
    engine: Engine,
    ast: AST,
}

impl Raw {
    /// Compiles `text` with a stock engine.
    pub fn new(text: &str) -> Result<Self> {
        Self::with_engine(Engine::new(), text)
    }

    /// Compiles `text` with an engine that was changed.
    pub fn with_engine(engine: Engine, text: &str) -> Result<Self> {
        let ast = engine.compile(text)?;
        Ok(Self { engine, ast })
    }

    /// Calls a function with the named arguments that `arguments` holds as a JSON object, and
    /// gives its result as JSON text.
    pub fn call(&self, function: &str, names: &[&str], arguments: &str) -> Result<String> {
        let given: Dynamic = serde_json::from_str(arguments)?;
        let mut given: Map = given.try_cast().ok_or("the arguments are no object")?;
        let values: Array =
            names.iter().map(|name| given.remove(*name).unwrap_or(Dynamic::UNIT)).collect();
        let options = CallFnOptions::new().eval_ast(false);
        let mut scope = Scope::new();
        let result: Dynamic =
            self.engine.call_fn_with_options(options, &mut scope, &self.ast, function, values)?;
        Ok(serde_json::to_string(&result)?)
    }
}

/// A stock engine.
pub fn engine() -> Engine {
    Engine::new()
}

/// An engine with the settings of peasy's that shape speed, and nothing that limits.
pub fn bare_engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_strings_interned(0);
    engine.set_max_call_levels(0);
    engine.set_max_variables(usize::MAX);
    engine
}

/// Raw calls on a thread that sleeps until it is given one, as a sandbox thread does; only the call
/// itself is timed.
pub struct Woken {
    wake: SyncSender<()>,
    answers: Receiver<Result<Duration>>,
}

impl Woken {
    /// A thread that makes one and the same call whenever it is woken.
    pub fn new(
        raw: Raw,
        function: &'static str,
        names: &'static [&'static str],
        arguments: String,
    ) -> Self {
        let (wake, woken) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        thread::spawn(move || {
            while woken.recv().is_ok() {
                let begun = Instant::now();
                let result = raw.call(function, names, &arguments);
                let time = begun.elapsed();
                if answer.send(result.map(|_| time)).is_err() {
                    return;
                }
            }
        });
        Self { wake, answers }
    }

    /// Wakes the thread, and gives the time that its call took.
    pub fn call(&self) -> Result<Duration> {
        self.wake.send(())?;
        self.answers.recv()?
    }
}
