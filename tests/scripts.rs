//! The scripts of `scripts/` are examples to copy: each reads without a warning, and its tests pass.

#![allow(clippy::disallowed_methods, reason = "looks for the scripts")]

use peasy::builtin;
use peasy::feature::descriptor::{FeatureRuntimeKind, ToolDeclaration};
use peasy::feature::id::FeatureSource;
use peasy::limit::Limits;
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::script::testing::TestRun;
use std::path::Path;

fn locations() -> Vec<Location> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the scripts are there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Location { path, source: FeatureSource::User }).collect()
}

/// Whether a tool cannot do without files, programs or the network, of which a test has none. It shows
/// a call without a result then; what it makes of their texts is tested in functions of their own.
fn needs_the_world(tool: &ToolDeclaration) -> bool {
    let modules = tool.requires.iter().filter_map(|capability| capability.module());
    modules.into_iter().any(|module| matches!(module, "fs" | "exec" | "http"))
}

#[test]
fn every_script_is_an_example_to_copy() {
    let limits = Limits::default();
    let runtime = ScriptRuntime::new(&limits).expect("the test binary counts its allocations");
    let locations = locations();
    assert!(locations.len() >= 15, "the scripts are there");
    for (location, outcome) in locations.iter().zip(runtime.read(&locations)) {
        let name = location.path.display();
        assert_eq!(outcome.diagnostics, [], "{name}");
        let script = outcome.script.expect("a script without errors");
        let results = runtime.test(&script, &TestRun { filter: None, limits: &limits });
        assert!(results.len() >= 3, "{name} has {} tests", results.len());
        for result in &results {
            assert_eq!(result.failure, None, "{name}: {}", result.name);
        }
        for tool in &script.descriptor.tools {
            let is_free = needs_the_world(tool);
            assert!(
                tool.examples.iter().any(|example| is_free || example.result.is_some()),
                "{name}: `{}` has no example{}",
                tool.name,
                if is_free { "" } else { " with a result" }
            );
        }
    }
}

/// What is built in is read as any script is, without a warning, and its tests pass.
#[test]
fn every_built_in_feature_reads_and_passes_its_tests() {
    let limits = Limits::default();
    let runtime = ScriptRuntime::new(&limits).expect("the test binary counts its allocations");
    let locations: Vec<_> = builtin::names().map(Location::built_in).collect();
    for (name, outcome) in builtin::names().zip(runtime.read(&locations)) {
        assert_eq!(outcome.diagnostics, [], "{name}");
        let script = outcome.script.expect("a feature without errors");
        assert_eq!(script.descriptor.id.to_string(), format!("{}{name}", builtin::PREFIX));
        assert_eq!(script.descriptor.runtime, FeatureRuntimeKind::Builtin);
        let results = runtime.test(&script, &TestRun { filter: None, limits: &limits });
        assert!(results.len() >= 2, "{name} has {} tests", results.len());
        for result in &results {
            assert_eq!(result.failure, None, "{name}: {}", result.name);
        }
        for tool in &script.descriptor.tools {
            assert!(!tool.examples.is_empty(), "{name}: `{}` has no example", tool.name);
            assert!(!tool.requires.is_empty(), "{name}: `{}` needs no grant", tool.name);
            let described = tool.parameters.iter().all(|one| !one.description.is_empty());
            assert!(described, "{name}: a parameter of `{}` is not explained", tool.name);
        }
    }
}

/// What reads scripts holds no engine that could run one.
#[test]
fn reading_runs_no_script() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script");
    let mut open: Vec<_> =
        ["source", "parse", "annotation", "analysis"].map(|folder| script.join(folder)).into();
    let mut files = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a readable folder");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("source is text");
        for word in ["engine::runner", "eval_", ".eval(", "call_fn", "EvalContext", "invoke::"] {
            assert!(!text.contains(word), "{} could run a script: {word}", path.display());
        }
        files += 1;
    }
    assert!(files > 10, "the readers are there");
}
