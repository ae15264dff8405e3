//! Calls in processes of their own: they come out as they do on a thread, and whatever becomes of
//! a process, nothing but its call is lost.

use crate::client::Client;
use peasy::feature::call::{Cancel, Outcome};
use peasy::feature::catalog::{CallOptions, Catalog};
use peasy::feature::event::{FeatureEvent, Sink};
use peasy::feature::grant::HostPolicy;
use peasy::feature::id::FeatureSource;
use peasy::feature::question::Answer;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::feature::transaction::Scratch;
use peasy::limit::{Limit, Limits};
use peasy::script::isolate::Launch;
use peasy::script::runtime::{Location, ScriptRuntime};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a script may do, and what may go wrong with it.
const ALL: &str = r#"//! @request store
//! @request emit
//! @request ask
//! @request notify:user
//! @request notify:model
//! @channel progress
//! @limit operations 200_000

import "part" as part;

const FACTOR = 3;

/// Keeps, counts and gives back.
/// @tool
/// @param n int
fn keep(n) {
    store::set("list", [1, 2.5, "ü\n", #{ a: () }]);
    let seen = store::update("n", 0, |old| old + n * FACTOR);
    store::delete("gone");
    notify::model(`seen ${seen}`);
    [store::keys(), store::get("list"), store::get("gone", "nothing"), seen, part::twice(n)]
}

/// Talks.
/// @tool
fn talk() {
    emit::info("one", "more");
    emit::progress(1, 2, "half");
    emit::to("progress", "two");
    notify::user("look");
    log::info("line");
    print("printed");
    [random::int(0, 1_000_000), time::now(), granted("store"), granted("exec=git")]
}

/// Fails as the caller's fault.
/// @tool
fn caller() { fail("no such thing") }

/// Fails as the author's fault.
/// @tool
/// @param text string
fn author(text) { part::throws(text) }

/// Divides.
/// @tool
fn divides() { let none = 0; 1 / none }

/// Asks twice.
/// @tool
fn asks() {
    let who = ask::text("Who?");
    emit::info(who);
    try { ask::form(`How old, ${who}?`, #{ age: #{ type: "int = 3", title: "Age" } }, #{ name: "age" }) } catch { 1 }
}

/// Gives blocks.
/// @tool
fn shows() { content::result(["a", content::image("AAAA", "image/png")], #{ n: 1 }) }

/// Gives one block.
/// @tool
fn shows_one() { content::text("alone") }

/// Runs for ever.
/// @tool
fn spins() { loop { } }

/// Takes all memory.
/// @tool
fn takes() { let all = []; loop { all.push(text::repeat("x", 100_000)); } }

/// Recurses.
/// @tool
fn recurses() { recurses() }

/// Says too much.
/// @tool
fn floods() { loop { emit::info(text::repeat("x", 1_000)); } }

/// Gives what is no JSON.
/// @tool
fn closure() { || 1 }

/// Goes against its own word.
/// @tool
/// @returns int
fn lies() { "seven" }
"#;

const PART: &str = "fn twice(n) { n * 2 }\nfn throws(text) {\n    throw \"thrown: \" + text\n}\n";

/// The calls, each of which ends in its own way.
const CALLS: [(&str, &str); 16] = [
    ("shows", "{}"),
    ("shows_one", "{}"),
    ("asks", "{}"),
    ("keep", r#"{"n": 2}"#),
    ("keep", r#"{"n": "two"}"#),
    ("talk", "{}"),
    ("caller", "{}"),
    ("author", r#"{"text": "here"}"#),
    ("divides", "{}"),
    ("spins", "{}"),
    ("takes", "{}"),
    ("recurses", "{}"),
    ("floods", "{}"),
    ("closure", "{}"),
    ("lies", "{}"),
    ("nobody", "{}"),
];

fn launch() -> Launch {
    Launch {
        program: env!("CARGO_BIN_EXE_peasy").into(),
        arguments: vec!["sandbox-process".into()],
    }
}

struct Host {
    catalog: Catalog,
}

/// A feature on the disk.
fn feature(text: &str) -> (TempDir, Location) {
    let folder = TempDir::new().expect("a folder for the feature");
    let path = folder.path().join("all.rhai");
    fs::write(&path, text).expect("a feature");
    fs::write(folder.path().join("part.rhai"), PART).expect("a module");
    (folder, Location { path, source: FeatureSource::User })
}

impl Host {
    fn new(runtime: &ScriptRuntime, location: &Location, limits: &Limits) -> Self {
        let read = runtime.read(std::slice::from_ref(location)).remove(0);
        let script = read.script.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let policy = script
            .descriptor
            .requests
            .iter()
            .map(|request| (script.descriptor.id.clone(), request.capability.clone()))
            .fold(HostPolicy::default(), |policy, (id, capability)| policy.grant(id, capability));
        let (catalog, _) = FeatureRegistryBuilder::new(policy)
            .limits(limits.clone())
            .module(runtime.feature(script))
            .plan()
            .install();
        Self { catalog }
    }

    fn call(&self, tool: &str, arguments: &str) -> (Outcome, Vec<FeatureEvent>) {
        let sink = Arc::new(Heard::default());
        let answer = [("answer".to_owned(), json!("Ada"))].into_iter().collect();
        let mut options = CallOptions {
            sink: Arc::clone(&sink) as Arc<dyn Sink>,
            transaction: Arc::new(Scratch::default()),
            answers: Arc::new([Answer::Given(answer)]),
            ..CallOptions::default()
        };
        options.conditions.now = Some(1_000);
        options.conditions.seed = 7;
        let arguments = serde_json::from_str(arguments).expect("JSON");
        let outcome = self.catalog.call(tool, arguments, options);
        let heard = std::mem::take(&mut *sink.0.lock().expect("nothing panics with it"));
        (outcome, heard)
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<FeatureEvent>>);

impl Sink for Heard {
    fn emit(&self, event: FeatureEvent) {
        self.0.lock().expect("nothing panics with it").push(event);
    }
}

fn runtime(limits: &Limits) -> ScriptRuntime {
    ScriptRuntime::new(limits).expect("the test binary counts its allocations")
}

fn isolated(limits: &Limits) -> ScriptRuntime {
    runtime(limits).isolated(launch()).expect("a process starts")
}

#[test]
fn a_call_comes_out_as_on_a_thread() {
    let limits = Limits::default();
    let (_folder, location) = feature(ALL);
    let here = Host::new(&runtime(&limits), &location, &limits);
    let there = Host::new(&isolated(&limits), &location, &limits);
    for (tool, arguments) in CALLS {
        let (expected, expected_events) = here.call(tool, arguments);
        let (outcome, events) = there.call(tool, arguments);
        assert_eq!(outcome.result, expected.result, "{tool}");
        assert_eq!(outcome.form, expected.form, "{tool}");
        assert_eq!(outcome.notices, expected.notices, "{tool}");
        assert_eq!(events, expected_events, "{tool}");
        assert_eq!(outcome.receipt.operations, expected.receipt.operations, "{tool}");
        assert_eq!(outcome.receipt.dropped_messages, expected.receipt.dropped_messages);
    }
}

#[test]
fn a_call_is_cancelled_and_bounded_in_time() {
    let mut limits = Limits::default();
    limits.set(Limit::Operations, 1_000_000_000).expect("the ceiling");
    let (_folder, location) = feature("/// Runs for ever.\n/// @tool\nfn spins() { loop { } }\n");
    let host = Host::new(&isolated(&limits), &location, &limits);
    let cancel = Cancel::default();
    let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
    let outcome = thread::scope(|scope| {
        let call = scope.spawn(|| host.catalog.call("spins", json!({}), options));
        cancel.cancel();
        call.join().expect("it is answered")
    });
    let failure = outcome.result.expect_err("it was cancelled");
    assert_eq!(failure.diagnostics[0].code, "call/cancelled");

    limits.set(Limit::Time, 100).expect("a bound");
    let host = Host::new(&isolated(&limits), &location, &limits);
    for _ in 0..2 {
        let failure = host.call("spins", "{}").0.result.expect_err("it runs for ever");
        assert_eq!(failure.diagnostics[0].code, "limit/time", "{failure}");
    }
}

#[test]
fn calls_wait_for_a_process_and_use_each_again() {
    let mut limits = Limits::default();
    limits.set(Limit::Operations, 1_000_000_000).expect("the ceiling");
    let text =
        "/// Adds.\n/// @tool\n/// @param n int\nfn add(n) { for i in 0..1_000 { n += 1 } n }\n";
    let (_folder, location) = feature(text);
    let host = Host::new(&isolated(&limits), &location, &limits);
    thread::scope(|scope| {
        for n in 0..8 {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..20 {
                    let (outcome, _) = host.call("add", &json!({ "n": n }).to_string());
                    assert_eq!(outcome.result, Ok(json!(n + 1_000)));
                }
            });
        }
    });
}

#[test]
fn a_program_that_is_none_of_ours_is_refused() {
    let limits = Limits::default();
    let (_folder, location) = feature(ALL);
    let missing = Launch { program: "/no/such/program".into(), arguments: Vec::new() };
    assert!(runtime(&limits).isolated(missing).is_err());
    let mut limits = limits;
    limits.set(Limit::Time, 300).expect("a bound");
    for (program, arguments) in [("cat", &[][..]), ("true", &[]), ("sh", &["-c", "echo hello >&0"])]
    {
        let arguments = arguments.iter().map(Into::into).collect();
        let launch = Launch { program: program.into(), arguments };
        // One that ends at once may be noticed at once.
        let Ok(runtime) = runtime(&limits).isolated(launch) else { continue };
        let host = Host::new(&runtime, &location, &limits);
        let failure = host.call("caller", "{}").0.result.expect_err("there is no process");
        let code = failure.diagnostics[0].code.as_ref();
        assert!(["host/no-process", "script/died"].contains(&code), "{program}: {failure}");
    }
}

/// A user with a feature whose functions a test may make misbehave.
struct User(TempDir);

const FEATURE: &str = r#"//! @request store
//! @request fs:read=*.txt
//! @request fs:read=~/**
//! @request fs:write=*.txt
//! @request exec=cat

/// Counts.
/// @tool
/// @returns int
fn good() { store::incr("n") }

/// Counts, and never comes back.
/// @tool
/// @returns int
fn bad() { store::incr("n") }

/// Looks where peasy keeps its log.
/// @tool
fn peek() { fs::read("~/.local/state/peasy/session/default/log.jsonl") }

/// Reads, runs and writes.
/// @tool
fn reach() {
    let text = fs::read("in.txt");
    let ran = exec::run("cat", [], #{ input: text });
    fs::write("out.txt", ran.stdout.to_upper());
    fs::read("out.txt")
}
"#;

impl User {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("all.rhai"), FEATURE).expect("a feature");
        fs::write(folder.path().join("in.txt"), "text").expect("a file");
        Self(folder)
    }

    fn peasy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).env_clear().env("PATH", path);
        command.env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    fn call(&self, tool: &str, misbehave: &str) -> Output {
        let mut arguments = vec!["call", "--isolate", "process", "--limit", "time=2s"];
        for grant in ["fs:read=*.txt", "fs:read=~/**", "fs:write=*.txt", "exec=cat"] {
            arguments.extend(["--grant", grant]);
        }
        arguments.extend(["all.rhai", tool]);
        let mut command = self.peasy(&arguments);
        command.env("PEASY_TEST_MISBEHAVE", misbehave).output().expect("the command runs")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_ends_a_process_leaves_the_store_as_it_was() {
    let user = User::new();
    assert_eq!(text(&user.call("good", "").stdout), "1\n");
    for (misbehave, code) in
        [("abort:bad", "script/died"), ("eat:bad", "script/died"), ("hang:bad", "limit/time")]
    {
        let output = user.call("bad", misbehave);
        assert_eq!(output.status.code(), Some(1), "{misbehave}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(code), "{misbehave}: {}", text(&output.stderr));
    }
    assert_eq!(text(&user.call("good", "").stdout), "2\n");
    let verified = user.peasy(&["log", "verify"]).output().expect("the command runs");
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn files_and_programs_are_reached_through_a_process() {
    let user = User::new();
    let output = user.call("reach", "");
    assert_eq!(text(&output.stdout), "TEXT\n", "{}", text(&output.stderr));
    let output = user.call("peek", "");
    assert!(text(&output.stderr).contains("fs/own"), "{}", text(&output.stderr));
    let log = user.peasy(&["log", "show", "--json"]).output().expect("the command runs");
    for act in ["\"exec\"", "\"write\""] {
        assert!(text(&log.stdout).contains(act), "{act} is on record: {}", text(&log.stdout));
    }
}

impl User {
    fn serve(&self, misbehave: &str) -> Client {
        let mut server =
            self.peasy(&["serve", "--isolate", "process", "--limit", "time=2s", "all.rhai"]);
        Client::start(server.env("PEASY_TEST_MISBEHAVE", misbehave))
    }
}

/// The processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux tells") {
        let path = entry.expect("a readable entry").path();
        // One may end while this reads.
        let Ok(stat) = fs::read_to_string(path.join("stat")) else { continue };
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        if fields.get(2) == Some(&parent.to_string().as_str()) && fields.get(1) != Some(&"Z") {
            let name = path.file_name().and_then(|name| name.to_str());
            found.extend(name.and_then(|name| name.parse::<u32>().ok()));
        }
    }
    found
}

fn kill(process: u32) {
    let status = Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(status.expect("there is `kill`").success());
}

fn is_gone(process: &u32) -> bool {
    let path = format!("/proc/{process}/stat");
    fs::read_to_string(Path::new(&path)).map_or(true, |stat| stat.contains(") Z "))
}

/// Whether it becomes true within some seconds.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_secs(20) {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[test]
fn a_server_outlives_its_processes_and_they_end_with_it() {
    let user = User::new();
    let mut server = user.serve("abort:bad");
    for n in 0..3 {
        assert_eq!(server.text_of("good"), Some((2 * n + 1).to_string()));
        let before = children(server.child.id());
        assert_eq!(server.text_of("good"), Some((2 * n + 2).to_string()));
        // One that answered may not be back yet when the next call comes; then there are two.
        let after = children(server.child.id());
        assert!(before.iter().all(|one| after.contains(one)), "a process is used again");
        let died = server.call("bad");
        assert_eq!(died["isError"], json!(true), "{died}");
    }
    // One that is ended from outside while it waits is not called.
    let ended = children(server.child.id());
    ended.iter().copied().for_each(kill);
    assert!(soon(|| ended.iter().all(is_gone)), "{ended:?} were killed");
    assert_eq!(server.text_of("good"), Some("7".to_owned()));

    let left = children(server.child.id());
    assert!(!left.is_empty(), "a process is kept for the next call");
    kill(server.child.id());
    server.child.wait().expect("it has ended");
    assert!(soon(|| left.iter().all(is_gone)), "{left:?} outlived their host");
    assert_eq!(server.rest(), "");
}
