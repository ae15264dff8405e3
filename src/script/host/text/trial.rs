//! What the tests of the pure modules share: running their examples, and calls under bounds.

use crate::limit::Limit;
use crate::script::host::{
    csv, date, diff, hash, html, json, list, markdown, regex, table, text, url,
};
use crate::script::meter::{self, Bounds, Spent};
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, Module, Scope};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// An engine with the pure modules, metered as in a call.
pub(in crate::script::host) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    for (name, module) in [
        ("csv", csv::module()),
        ("date", date::module()),
        ("diff", diff::module()),
        ("hash", hash::module()),
        ("html", html::module()),
        ("json", json::module()),
        ("list", list::module()),
        ("markdown", markdown::module()),
        ("regex", regex::module()),
        ("table", table::module()),
        ("text", text::module()),
        ("url", url::module()),
    ] {
        engine.register_static_module(name, module);
    }
    engine.set_max_strings_interned(0);
    engine.set_max_expr_depths(200, 200);
    engine.on_progress(|_| meter::tick().map(|end| Dynamic::from(meter::Kill(end))));
    engine
}

/// What a script gives, as `debug` shows it; an error as its message.
pub(in crate::script::host) fn show(script: &str) -> String {
    match engine().eval_with_scope::<Dynamic>(&mut Scope::new(), script) {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error: {error}"),
    }
}

/// Checks that two scripts give the same.
#[track_caller]
pub(in crate::script::host) fn check(script: &str, wanted: &str) {
    assert_eq!(show(script), show(wanted), "{script}");
}

/// Checks that a script ends with an error that it could have caught, and whose message holds
/// `part`.
#[track_caller]
pub(in crate::script::host) fn check_refused(script: &str, part: &str) {
    let message = show(script);
    assert!(message.starts_with("error: ") && message.contains(part), "{script}: {message}");
    check(&format!("let caught = 0; try {{ {script} }} catch {{ caught = 1 }} caught"), "1");
}

/// Runs every example in a module's documentation: lines of the form `/// call // => result`.
pub(in crate::script::host) fn check_examples(name: &str, module: &Module) {
    let mut engine = Engine::new_raw();
    engine.register_static_module(name, module.clone().into());
    let functions = engine.collect_fn_metadata(
        None,
        |info| {
            let comments: Vec<_> = info.metadata.comments.iter().map(ToString::to_string).collect();
            Some((info.metadata.name.to_string(), info.metadata.num_params, comments.join("\n")))
        },
        true,
    );
    assert!(functions.len() > 3, "the functions of `{name}` are found");
    for (function, parameters, comments) in functions {
        let call = format!("{name}::{function}(");
        let mut examples = 0;
        for line in comments.lines().filter_map(|line| line.strip_prefix("/// ")) {
            if let Some((script, wanted)) = line.split_once(" // => ") {
                assert!(script.contains(&call), "an example of {call} is `{script}`");
                check(script, wanted);
                examples += 1;
            }
        }
        assert!(examples > 0, "{name}::{function}/{parameters} has no example");
    }
}

/// Runs a script under these bounds and says which of them ended it, and what it spent.
pub(in crate::script::host) fn bounded(
    script: &str,
    operations: u64,
    memory: u64,
) -> (Option<Limit>, Spent) {
    let engine = engine();
    let tree = engine.compile(script).expect("the script parses");
    meter::begin(Bounds {
        operations,
        memory: Some(memory),
        deadline: Instant::now() + Duration::from_secs(20),
        stop: Arc::new(AtomicBool::new(false)),
    });
    let result = engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &tree);
    let spent = meter::end();
    assert_eq!(spent.killed.is_some(), result.is_err(), "{script}: {result:?}");
    (spent.killed, spent)
}

/// How late a script ends that would run for long, in milliseconds.
pub(in crate::script::host) fn lateness(script: &str) -> u128 {
    let engine = engine();
    let tree = engine.compile(script).expect("the script parses");
    let deadline = Instant::now() + Duration::from_millis(300);
    meter::begin(Bounds {
        operations: u64::MAX,
        memory: None,
        deadline,
        stop: Arc::new(AtomicBool::new(false)),
    });
    let result = engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &tree);
    let late = deadline.elapsed().as_millis();
    let spent = meter::end();
    assert_eq!(spent.killed, Some(Limit::Time), "{script}: {result:?}");
    late
}
