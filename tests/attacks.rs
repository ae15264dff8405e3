//! Scripts that broke stock Rhai, one after another in one process: each is answered, no thread is
//! given up, nothing panics through, and what a script leaves behind is bounded and counted.
//!
//! Every file of `tests/attacks` defines `fn attack(input)`; adding one needs no Rust.

use peasy::feature::grant::HostPolicy;
use peasy::feature::id::FeatureSource;
use peasy::feature::registry::{CallOptions, Catalog, FeatureRegistryBuilder};
use peasy::limit::{Limit, Limits};
use peasy::script::isolate::Launch;
use peasy::script::runtime::{Location, ScriptRuntime};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The memory that may stay in use after all attacks, beside what was counted as leaked.
const SLACK: u64 = 64 << 20;

fn attacks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    files.sort();
    files
}

/// The attack as a feature with one tool.
fn feature(folder: &Path, attack: &Path) -> PathBuf {
    let text = std::fs::read_to_string(attack).expect("attacks are text");
    let at = text.find("fn attack(").expect("every attack defines the function");
    let text = format!("{}\n/// Attacks.\n/// @tool\n{}", &text[..at], &text[at..]);
    let name = attack.file_name().expect("a file has a name");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the temporary folder takes it");
    path
}

fn install(runtime: &ScriptRuntime, path: PathBuf, limits: &Limits) -> Option<Catalog> {
    let location = Location { path, source: FeatureSource::User };
    let script = runtime.read(&[location]).remove(0).script?;
    let (catalog, _) = FeatureRegistryBuilder::new(HostPolicy::default())
        .limits(limits.clone())
        .module(runtime.feature(script))
        .plan()
        .install();
    Some(catalog)
}

/// Codes that say that the sandbox lost control, or that the attack did not run at all.
const NO_ANSWERS: [&str; 4] =
    ["script/panic", "call/busy", "feature/quarantined", "call/unknown-tool"];

/// A feature that has done nothing, to be called after each attack.
fn bystander(runtime: &ScriptRuntime, folder: &Path, limits: &Limits) -> Catalog {
    let path = folder.join("bystander.rhai");
    let text = "/// Add.\n/// @tool\n/// @param a int\n/// @param b int\nfn add(a, b) { a + b }\n";
    std::fs::write(&path, text).expect("the temporary folder takes it");
    install(runtime, path, limits).expect("it is sound")
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

/// Set in the process that the test starts: what stays in memory is that of the attacks alone there.
const ALONE: &str = "PEASY_ATTACKS_ALONE";

/// Set for attacks that run in processes of their own.
const ISOLATE: &str = "PEASY_TEST_ISOLATE";

fn in_processes(runtime: ScriptRuntime) -> ScriptRuntime {
    let launch = Launch {
        program: env!("CARGO_BIN_EXE_peasy").into(),
        arguments: vec!["sandbox-process".into()],
    };
    runtime.isolated(launch).expect("a process starts")
}

#[test]
fn every_attack_is_answered_and_leaves_little() {
    if std::env::var_os(ALONE).is_some() {
        return run_attacks();
    }
    let program = std::env::current_exe().expect("the test runs from a file");
    let output = std::process::Command::new(program)
        .args(["--exact", "attacks::every_attack_is_answered_and_leaves_little", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("the test binary runs");
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{shown}\n{errors}", output.status);
    assert!(shown.contains("1 passed"), "the attacks did not run: {shown}");
}

fn run_attacks() {
    peasy::script::meter::settle_allocator();
    let mut limits = Limits::default();
    limits.set(Limit::Time, 1_000).expect("below the ceiling");
    let runtime = ScriptRuntime::new(&limits).expect("the test binary counts its allocations");
    let isolates = std::env::var_os(ISOLATE).is_some();
    let runtime = if isolates { in_processes(runtime) } else { runtime };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bystander = bystander(&runtime, folder.path(), &limits);
    let before = resident();
    let mut leaked = 0;
    let mut refused = 0;
    for attack in attacks() {
        let name = attack.file_stem().expect("a name").to_string_lossy().into_owned();
        let path = feature(folder.path(), &attack);
        let Some(catalog) = install(&runtime, path, &limits) else {
            refused += 1;
            continue;
        };
        let arguments = json!({ "input": { "n": 1000 } });
        let outcome = catalog.call("attack", arguments, CallOptions::default());
        if let Err(failure) = &outcome.result {
            let code = failure.diagnostics[0].code.as_ref();
            let is_an_answer = !code.starts_with("host/") && !NO_ANSWERS.contains(&code);
            assert!(is_an_answer, "{name}: {failure}");
        }
        let sum = bystander.call("add", json!({ "a": 1, "b": 2 }), CallOptions::default());
        assert_eq!(sum.result, Ok(json!(3)), "another feature after {name}");
        let receipt = outcome.receipt;
        assert!(
            receipt.leaked_memory <= limits.get(Limit::Memory) * 2,
            "{name} left {} bytes",
            receipt.leaked_memory
        );
        leaked += receipt.leaked_memory;
        // What leaks in a process of its own goes with that.
        if receipt.leaked_memory > 512 * 1024 && !isolates {
            let again = catalog.call("attack", json!({ "input": null }), CallOptions::default());
            let failure = again.result.expect_err("a feature that leaks is quarantined");
            assert_eq!(failure.diagnostics[0].code, "feature/quarantined", "{name}");
        }
        assert_eq!(runtime.abandoned_threads(), 0, "{name} hung");
    }
    let after = resident();
    assert!(
        after <= before + leaked + SLACK,
        "{before} bytes before, {after} after, {leaked} leaked"
    );
    assert!(refused < 60, "most attacks must reach the sandbox, {refused} were refused on reading");
}
