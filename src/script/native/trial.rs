//! What the tests of the natives share: engines, bounds, and values that are hard to hold.

use crate::script::meter::{self, Bounds, Meter, Spent};
use rhai::{Dynamic, Engine};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An engine with the stock natives, as a measure of ordinary behaviour.
pub(crate) fn stock() -> Engine {
    #[expect(clippy::disallowed_methods, reason = "the stock natives are the measure")]
    Engine::new()
}

/// An engine with the natives of this crate, paying the meter.
pub(crate) fn ours() -> Engine {
    let mut engine = Engine::new_raw();
    engine.set_max_strings_interned(0);
    engine.register_global_module(super::package());
    engine.on_progress(|_| meter::tick().map(|end| Dynamic::from(meter::Kill(end))));
    engine
}

/// Runs `work` under bounds and says what it spent. There are few operations, because what they pay
/// for takes long without optimisation.
pub(crate) fn bounded<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    assert!(Meter::is_installed(), "the test binary counts allocations");
    meter::begin(Bounds {
        operations: 2_000_000,
        memory: Some(32 << 20),
        deadline: Instant::now() + Duration::from_secs(3),
        stop: Arc::default(),
    });
    let result = work();
    (result, meter::end())
}

/// Arrays inside each other.
pub(crate) fn nested(depth: usize) -> Dynamic {
    (0..depth).fold(Dynamic::from_array(vec![]), |inner, _| Dynamic::from_array(vec![inner]))
}
