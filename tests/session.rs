//! Sessions and the record of calls: killed at any moment, run again from the log alone, exported.

use peasy::diagnostic::Diagnostic;
use peasy::feature::catalog::CallOptions;
use peasy::feature::grant::HostPolicy;
use peasy::feature::hook_event::TurnEnd;
use peasy::feature::id::FeatureSource;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::limit::Limits;
use peasy::pod::session::{
    About, Answered, Asked, Content, Entry, Reason, Session, transcript, verify,
};
use peasy::pod::{Features, OnRecord, Pod, PodOptions};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::store::Durability;
use peasy::workspace::replay::{Replayer, Verdict};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const FEATURE: &str = r#"//! @request store
//! @request notify:model
//! @request fs:read=**
//! @request exec=echo
//! @limit memory 16MiB

import "helper" as helper;

/// Count some more, and tell the model.
/// @tool
/// @param by int = 1
/// @returns int
fn add(by) {
    let n = store::update("n", 0, |n| n + helper::twice(by));
    notify::model(`now ${n}`);
    n
}

/// What hangs on the world.
/// @tool
fn mixed() {
    let missing = "";
    try { fs::read("none.txt"); } catch (reason) { missing = reason.message; }
    store::set("seen", time::now());
    if store::delete("old") { store::set("was", true); }
    #{
        time: time::now(), random: random::int(1, 1_000_000), text: fs::read("a.txt"), missing: missing,
        lines: fs::read_lines("a.txt", 1, 2), stat: fs::stat("a.txt"), keys: store::keys(),
        said: exec::run("echo", ["hi"]).stdout,
    }
}

/// Fail, after something was written that is then not kept.
/// @tool
/// @param text string
fn refuse(text) { store::set("n", 7); fail("no " + text) }

/// @hook pre_tool_call kind=shell
fn guard(event) { if event.command.contains("rm") { return deny("no rm"); } }
"#;

const HELPER: &str = "fn twice(n) { 2 * n }\n";

/// A folder with one feature, and a pod for it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("counter.rhai"), FEATURE).expect("a feature");
        fs::write(folder.path().join("helper.rhai"), HELPER).expect("what it imports");
        fs::write(folder.path().join("a.txt"), "one\ntwo\nthree\n").expect("a file");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn folder(&self) -> PathBuf {
        options(self.path()).session_folder()
    }

    fn replayer(&self) -> Replayer {
        Replayer::new(&self.folder())
    }

    /// The words of a verdict for each recorded call.
    fn verdicts(&self) -> Vec<String> {
        let mut verdicts = Vec::new();
        let take = |replayed: peasy::workspace::replay::Replayed| {
            let word = match &replayed.verdict {
                Verdict::Same => "same".to_owned(),
                other => format!("{other:?} {:?} {:?}", replayed.before, replayed.after),
            };
            verdicts.push(format!("{} {word}", replayed.contribution));
        };
        self.replayer().all(take, &mut |_| ()).expect("the log can be read");
        verdicts
    }

    fn peasy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        let command = command.args(arguments).env_clear().env("HOME", self.path());
        command.env("PEASY_STATE", self.path().join("state")).current_dir(self.path());
        command.output().expect("the command runs")
    }
}

fn options(folder: &Path) -> PodOptions {
    PodOptions {
        project: None,
        state: folder.join("state"),
        session: "default".into(),
        durability: Durability::Never,
        workspace: folder.canonicalize().ok(),
        closed: Vec::new(),
        secrets: None,
    }
}

fn pod(folder: &Path) -> Pod {
    let runtime = ScriptRuntime::new(&Limits::default()).expect("this binary counts");
    let path = folder.join("counter.rhai");
    let location = Location { path, source: FeatureSource::User };
    let outcome = runtime.read(std::slice::from_ref(&location)).remove(0);
    let script = outcome.script.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
    let (id, tree) = (script.descriptor.id.clone(), Arc::clone(&script.tree));
    let mut policy = HostPolicy::new();
    for capability in ["notify:model", "fs:read=**", "exec=echo", "memory", "workitem"] {
        policy = policy.grant(id.clone(), capability.parse().expect("a capability"));
    }
    let on_record = OnRecord {
        root: location.root(),
        digest: tree.digest.clone(),
        source: Some(Arc::new(move || serde_json::to_value(tree.pinned()).expect("JSON"))),
    };
    let catalog = FeatureRegistryBuilder::new(policy).module(runtime.feature(script)).plan();
    let features = Features::from([(id, on_record)]);
    Pod::open(&options(folder), Arc::new(catalog.install().0), features).expect("a log")
}

fn call(pod: &Pod, tool: &str, arguments: Value) -> Result<Value, String> {
    let outcome = pod.call(tool, arguments, CallOptions::default());
    outcome.result.map_err(|failure| failure.to_string())
}

fn guard(pod: &Pod, command: &str) {
    let event = json!({ "kind": "shell", "tool": "Bash", "command": command, "args": {} });
    let feature = "user:counter".parse().expect("an id");
    let outcome = pod.decide(&feature, "guard", event, CallOptions::default());
    outcome.decision.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Calls everything that the feature has, then takes away all that the calls hung on.
fn a_history(place: &Place) {
    let pod = pod(place.path());
    assert_eq!(call(&pod, "add", json!({})), Ok(json!(2)));
    assert_eq!(call(&pod, "add", json!({ "by": 20 })), Ok(json!(42)));
    let mixed = call(&pod, "mixed", json!({})).expect("it works");
    assert_eq!(mixed["lines"], json!(["one", "two"]), "{mixed}");
    assert!(call(&pod, "refuse", json!({ "text": "way" })).is_err());
    guard(&pod, "rm x");
    guard(&pod, "ls");
    drop(pod);
    for name in ["a.txt", "counter.rhai", "helper.rhai"] {
        fs::remove_file(place.path().join(name)).expect("the file is there");
    }
    fs::remove_dir_all(place.path().join("state/store")).expect("the stores are there");
}

#[test]
fn recorded_calls_run_again_from_the_log_alone() {
    let place = Place::new();
    a_history(&place);
    let expected =
        ["add same", "add same", "mixed same", "refuse same", "guard same", "guard same"];
    assert_eq!(place.verdicts(), expected);
}

#[test]
fn a_record_that_says_something_else_differs() {
    let place = Place::new();
    a_history(&place);
    let log = place.folder().join("log.jsonl");
    let text = fs::read_to_string(&log).expect("the log");
    // What the second call found in its store was another number.
    let changed = text.replacen(r#""n":{"text":"2"}"#, r#""n":{"text":"3"}"#, 1);
    assert_ne!(text, changed);
    fs::write(&log, changed).expect("the log is ours");
    let verdicts = place.verdicts();
    assert!(
        verdicts[1].starts_with("add Differs") && verdicts[1].contains("Number(43)"),
        "{verdicts:?}"
    );
    assert_eq!(verdicts[2..], ["mixed same", "refuse same", "guard same", "guard same"]);
}

const WATCHFUL: &str = r#"//! @request store
//! @request memory
//! @request workitem
//! @request fs:read=**
//! @request notify:model

/// Act.
/// @tool
/// @param text string
/// @returns string
fn act(text) { text }

/// @hook pre_tool_call
fn limited(event) {
    if store::get("blocked") == event.args.text { return deny(`since ${time::iso(time::now())}`); }
    if memory::recall("careful") != [] { return ask("Really?"); }
}

/// @hook post_tool_call
fn counted(event) { store::incr("results"); notify::model(`${store::get("results")} so far`); }

/// @hook turn_end
fn torn(event) { throw fs::read("a.txt") + workitem::list().len() }

/// Block a text.
/// @tool
/// @param text string
fn block(text) { store::set("blocked", text); memory::remember("be careful"); }
"#;

/// A hook is recorded with what it read: those that only looked, that kept something, and that failed.
#[test]
fn hooks_that_read_are_run_again_from_the_log_alone() {
    let place = Place::new();
    fs::write(place.path().join("counter.rhai"), WATCHFUL).expect("a feature");
    let options = CallOptions::default;
    let pod = pod(place.path());
    assert_eq!(call(&pod, "act", json!({ "text": "a" })), Ok(json!("a")));
    call(&pod, "block", json!({ "text": "a" })).expect("it is kept");
    let denied = call(&pod, "act", json!({ "text": "a" })).expect_err("it is blocked");
    assert!(denied.contains("since 2"), "{denied}");
    let asked = call(&pod, "act", json!({ "text": "b" })).expect_err("a person is asked");
    assert!(asked.contains("Really?"), "{asked}");
    pod.turn_end(&TurnEnd::default(), options());
    drop(pod);
    fs::remove_file(place.path().join("a.txt")).expect("the file is there");
    fs::remove_dir_all(place.path().join("state/store")).expect("the stores are there");
    let not_run = "act NotReplayable { why: \"it ended before it reached the feature";
    let verdicts = place.verdicts();
    let short = |verdict: &String| match verdict.starts_with(not_run) {
        true => "act not run".to_owned(),
        false => verdict.clone(),
    };
    let verdicts: Vec<_> = verdicts.iter().map(short).collect();
    let expected = [
        // Around the first call, and around what blocks.
        "limited same",
        "act same",
        "counted same",
        "limited same",
        "block same",
        "counted same",
        // Denied and asked: by the hook, and by nothing else.
        "limited same",
        "act not run",
        "limited same",
        "act not run",
        "torn same",
    ];
    assert_eq!(verdicts, expected);
    // Of one, by its id: what it read then is what it reads now.
    let lines = peasy::pod::session::lines(&place.folder()).expect("the log");
    let mut hooks = lines.filter_map(|line| match line.expect("a line").0.entry {
        Entry::Decision { hooks, .. } => hooks.into_iter().next(),
        _ => None,
    });
    let denied =
        hooks.find(|hook| format!("{:?}", hook.decision).contains("deny")).expect("one denied");
    let output = place.peasy(&["replay", &denied.call]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("same") && text.contains("since 2"), "{text}");
}

const TELLING: &str = r#"//! @request store
//! @request notify:model

/// Say it again.
/// @tool
/// @param text string
/// @returns string
fn say(text) { store::set("said", text); notify::model(`said ${text}`); text }

/// How long it is.
/// @tool
/// @param text string
/// @returns int
fn length(text) { text.len() }

/// Fail with it.
/// @tool
/// @param text string
fn refuse(text) { fail(`not ${text}`) }

/// A key that stands in the feature is part of it.
/// @tool
/// @returns bool
fn is_mine(text) { text == "AKIAQ3X7Q3X7Q3X7Q3X7" }

/// @hook pre_tool_call tools=length
fn seen(event) { diagnose("info", `asked with ${event.args.text}`); }
"#;

#[test]
fn no_log_holds_a_key_that_is_known_by_its_shape_and_what_was_taken_out_is_marked() {
    let place = Place::new();
    fs::write(place.path().join("counter.rhai"), TELLING).expect("a feature");
    let key = format!("ghp_{}", "aB3x".repeat(9));
    let long = format!("{} {key}", "x".repeat(5_000));
    let pod = pod(place.path());
    let session = Session::begin(Arc::clone(pod.log()), &about()).expect("it begins");
    session.append_user(&json!(format!("Use {key}."))).expect("a fact");
    session.append_user(&json!("Use nothing.")).expect("a fact");
    assert_eq!(call(&pod, "say", json!({ "text": key })), Ok(json!(key)), "who calls sees it");
    assert_eq!(call(&pod, "say", json!({ "text": long })), Ok(json!(long)));
    assert_eq!(call(&pod, "length", json!({ "text": key })), Ok(json!(40)));
    assert!(call(&pod, "refuse", json!({ "text": key })).is_err());
    assert_eq!(call(&pod, "is_mine", json!({ "text": "AKIA" })), Ok(json!(false)));
    drop((session, pod));
    let held = |folder: PathBuf| -> Vec<String> {
        let files =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
        let texts = files.filter(|path| path.is_file()).map(fs::read_to_string);
        texts.map(|text| text.expect("text")).collect()
    };
    for text in held(place.folder()).into_iter().chain(held(place.folder().join("bodies"))) {
        assert!(!text.contains(&key), "{text}");
    }
    let verified = verify(&place.folder(), None, &mut |_| ()).expect("it can be read");
    assert!(verified.is_sound(), "{:?}", verified.findings);
    // What only passes a key on is run again as it was; of what looks into it, it is said.
    let verdicts = place.verdicts();
    let words: Vec<_> =
        verdicts.iter().map(|one| one.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        words,
        [
            "say same",
            "say same",
            "seen same",
            "length NotReplayable",
            "refuse same",
            "is_mine same"
        ],
        "{verdicts:?}"
    );
    assert!(verdicts[3].contains("a secret was taken out of its record"), "{verdicts:?}");
    let messages = transcript(&place.folder(), None).expect("it can be read");
    let messages: Vec<_> = messages.map(|message| message.expect("a message")).collect();
    assert_eq!(messages.iter().map(|one| one.redacted).collect::<Vec<_>>(), [true, false]);
    assert_eq!(
        messages[0].content,
        Content::User { content: json!("Use [redacted: GitHub token].") }
    );
    let shown = place.peasy(&["replay"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("a secret was taken out of it"), "{shown}");
}

/// What an edit would have changed: the edit, and for each call of the history what is said of it.
const EDITS: [(&str, &str, [&str; 6]); 5] = [
    ("`now ${n}`", "`it is ${n}`", ["Differs", "Differs", "Same", "Same", "Same", "Same"]),
    ("\"no rm\"", "\"never\"", ["Same", "Same", "Same", "Same", "Differs", "Same"]),
    ("\"no \" + text", "\"not \" + text", ["Same", "Same", "Same", "Differs", "Same", "Same"]),
    (
        "fs::read(\"a.txt\")",
        "fs::read(\"b.txt\")",
        ["Same", "Same", "Unknown", "Same", "Same", "Same"],
    ),
    (
        "store::update(\"n\"",
        "store::update(\"m\"",
        ["Unknown", "Unknown", "Same", "Same", "Same", "Same"],
    ),
];

#[test]
fn an_edit_is_run_over_the_history() {
    let place = Place::new();
    a_history(&place);
    for (old, new, expected) in EDITS {
        let text = FEATURE.replacen(old, new, 1);
        assert_ne!(text, FEATURE, "{old}");
        fs::write(place.path().join("edited.rhai"), text).expect("the folder takes it");
        fs::write(place.path().join("helper.rhai"), HELPER).expect("the folder takes it");
        let output = place.peasy(&["replay", "--with", "edited.rhai", "--json", "--all"]);
        let printed = String::from_utf8_lossy(&output.stdout);
        let verdicts: Vec<_> = printed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["verdict"].clone())
            .collect();
        let expected = expected.map(|word| json!(word.to_lowercase()));
        assert_eq!(verdicts, expected, "{new}: {output:?}");
        let differs = expected.contains(&json!("differs"));
        assert_eq!(output.status.code(), Some(i32::from(differs)), "{new}");
    }
    let shown = place.peasy(&["replay", "--with", "edited.rhai"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("asks for what the store held under `m`"), "{shown}");
}

#[test]
fn what_is_too_much_for_the_record_is_said() {
    let place = Place::new();
    fs::write(place.path().join("a.txt"), "x".repeat(2 << 20)).expect("the folder takes it");
    let pod = pod(place.path());
    let _ = call(&pod, "mixed", json!({}));
    let verdicts = place.verdicts();
    assert!(verdicts[0].starts_with("mixed NotReplayable"), "{verdicts:?}");
    assert!(verdicts[0].contains("more from its host than is kept"), "{verdicts:?}");
}

#[test]
fn people_look_at_sessions() {
    let place = Place::new();
    let pod = pod(place.path());
    let session = Session::begin(Arc::clone(pod.log()), &about()).expect("it begins");
    turn(&pod, &session, 1);
    drop((session, pod));
    let said = |arguments: &[&str]| {
        let output = place.peasy(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = said(&["replay"]);
    for part in ["user", "Add 1.", "add {\"by\":1}", "notice", "now 2", "5 messages", "the call "] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let proof: Value = serde_json::from_str(&said(&["replay", "--json"])).expect("JSON");
    assert_eq!((&proof["ok"], proof["messages"].as_array().map(Vec::len)), (&json!(true), Some(5)));
    let listed: Value = serde_json::from_str(&said(&["log", "list", "--json"])).expect("JSON");
    assert_eq!((&listed[0]["front"], &listed[0]["requests"]), (&json!("test"), &json!(2)));
    assert!(said(&["log", "list"]).contains("2 requests"));
    let exported: Value = serde_json::from_str(&said(&["log", "export"])).expect("JSON");
    let catalog = &exported[1]["features"][0];
    assert_eq!(catalog["source"]["modules"]["helper"]["text"], json!(HELPER), "{exported}");
    let markdown = said(&["log", "export", "--format", "markdown", "default"]);
    assert!(markdown.contains("## User\n\nAdd 1.\n"), "{markdown}");
    assert!(!markdown.contains("\n\n\n"), "{markdown}");
    assert!(markdown.contains("\n\n## ") && !markdown.contains("}\n##"), "{markdown}");
    assert!(markdown.contains("### `add`") && markdown.contains("> now 2"), "{markdown}");
    assert!(said(&["log", "show", "--last", "3"]).contains("the turn ends: done"));
    let id = exported.as_array().and_then(|all| all.iter().find(|one| one["kind"] == "intent"));
    let id = id.and_then(|one| one["call"].as_str()).expect("a call").to_owned();
    assert!(said(&["replay", &id]).contains("same"));
    // What is not there is named, and what there is.
    let refused = |arguments: &[&str]| {
        let output = place.peasy(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = refused(&["replay", "nobody-1"]);
    assert!(text.contains("there is no session `nobody-1`, and no recorded call"), "{text}");
    assert!(text.contains(&format!("`{id}` (add)")), "{text}");
    assert!(text.contains("there are the sessions `default`"), "{text}");
    let text = refused(&["replay", "defautl", "--calls"]);
    assert!(
        text.contains("no session `defautl`") && text.contains("the session `default`?"),
        "{text}"
    );
    let text = refused(&["replay", &id, "--session", "other"]);
    assert!(text.contains("there is no session `other`"), "{text}");
    let text = refused(&["replay", "nobody-1", "--session", "default"]);
    assert!(text.contains("the session `default` holds no call `nobody-1`"), "{text}");
    let nobody = TempDir::new().expect("a folder for the test");
    let mut empty = Command::new(env!("CARGO_BIN_EXE_peasy"));
    empty.args(["replay", "nobody-1"]).env_clear().env("HOME", nobody.path());
    let output = empty.output().expect("the command runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("`nobody-1`") && text.contains("nothing is on record yet"), "{text}");
    assert_eq!(place.peasy(&["log", "show", "--session", "../x"]).status.code(), Some(2));
    // A message that was changed.
    let log = place.folder().join("log.jsonl");
    let text = fs::read_to_string(&log).expect("the log");
    fs::write(&log, text.replacen("Add 1.", "Add 9.", 1)).expect("the log is ours");
    assert_eq!(place.peasy(&["replay"]).status.code(), Some(1));
}

fn about() -> About {
    About { front: "test".to_owned(), agent: None, root: None }
}

/// One turn of an agent: a question, a call, its result and text, an answer.
fn turn(pod: &Pod, session: &Session, number: u64) {
    let asked = Asked { provider: "test".into(), model: "tiny".into(), ..Asked::default() };
    session.append_user(&json!(format!("Add {number}."))).expect("a fact");
    let request = session.append_request(&asked).expect("a request");
    let calls = vec![(format!("c{number}"), "add".to_owned(), json!({ "by": 1 }))];
    let answer = Answered { calls, ..Answered::default() };
    session.append_assistant(request, &answer).expect("a fact");
    let id = pod.next_call();
    let outcome = pod.call_as(id.clone(), "add", json!({ "by": 1 }), CallOptions::default());
    outcome.result.unwrap_or_else(|failure| panic!("{failure}"));
    session.append_tool_result(&format!("c{number}"), id.as_str()).expect("a fact");
    session.append_notices_of(id.as_str()).expect("facts");
    let request = session.append_request(&asked).expect("a request");
    let answer = Answered { text: format!("Added {number}."), ..Answered::default() };
    session.append_assistant(request, &answer).expect("a fact");
    session.append_turn_end("done").expect("it is recorded");
}

/// Names the folder in which this test binary plays the process that is killed.
const CHILD: &str = "PEASY_TEST_SESSION";

#[test]
fn a_session_that_is_killed_at_any_moment_goes_on() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return take_turns(Path::new(&folder));
    }
    let place = Place::new();
    let rounds: u32 =
        std::env::var("PEASY_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut turns, mut counted) = (0, 0);
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let this = std::env::current_exe().expect("this binary");
        let mut child = Command::new(this)
            .args(["--exact", "session::a_session_that_is_killed_at_any_moment_goes_on"])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("standard output"));
        let acknowledged = output
            .lines()
            .filter_map(|line| line.ok()?.strip_prefix("acknowledged ").map(str::to_owned))
            .take(1 + usize::try_from(random % 5).expect("small"))
            .filter(|line| !line.is_empty())
            .count();
        std::thread::sleep(Duration::from_micros(random % 5_000));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        turns += acknowledged;
        // The next to open the log brings the calls of the dead to an end.
        drop(pod(place.path()));
        let stores = options(place.path()).stores();
        let verified = verify(&place.folder(), Some(&stores), &mut |_| ()).expect("it can be read");
        assert!(verified.is_sound(), "round {round}: {:?}", verified.findings);
        let messages = transcript(&place.folder(), None).expect("a session");
        let ended = messages
            .map(|message| message.expect("it can be read").content)
            .filter(|content| matches!(content, Content::Assistant { text, .. } if text.starts_with("Added")))
            .count();
        assert!(ended >= turns, "round {round}: {turns} turns acknowledged, {ended} on record");
        turns = ended;
        let committed = usize::try_from(verified.committed).expect("few");
        assert!(committed >= turns && committed >= counted, "round {round}");
        counted = committed;
    }
}

/// Goes on with the session of a folder for ever, and says each turn that is on record.
fn take_turns(folder: &Path) {
    let pod = pod(folder);
    let log = || Arc::clone(pod.log());
    let session = Session::resume(log(), &about())
        .unwrap_or_else(|_| Session::begin(log(), &about()).expect("it begins"));
    let mut number = verify(&folder.join("state/session/default"), None, &mut |_| ())
        .expect("it can be read")
        .requests;
    // More than any test waits for: it ends by itself where nobody kills it.
    for _ in 0..2_000 {
        number += 1;
        turn(&pod, &session, number);
        // The harness has written the test's name on the line.
        println!("\nacknowledged {number}");
        std::io::stdout().flush().expect("somebody reads");
    }
}

#[test]
fn one_process_at_a_time_goes_on_with_a_session() {
    let place = Place::new();
    let (one, two) = (pod(place.path()), pod(place.path()));
    let session = Session::begin(Arc::clone(one.log()), &about()).expect("it begins");
    let refused = Session::resume(Arc::clone(two.log()), &about());
    let code = |outcome: Result<Session, peasy::pod::session::SessionError>| {
        outcome.map(|_| ()).map_err(|error| error.diagnostic().code.to_string())
    };
    assert_eq!(code(refused), Err("session/in-use".to_owned()));
    // Calls of other processes are on record in the same log.
    assert_eq!(call(&two, "add", json!({})), Ok(json!(2)));
    turn(&one, &session, 1);
    assert_eq!(call(&two, "add", json!({})), Ok(json!(6)));
    turn(&one, &session, 2);
    session.append_trouble(None, vec![Diagnostic::host("host/panic", "no")]).expect("recorded");
    let said = Reason::Host("host/panic".to_owned());
    session.append_notice("Mind the gap.", said).expect("a fact");
    drop(session);
    Session::resume(Arc::clone(two.log()), &about()).expect("it goes on");
    assert!(verify(&place.folder(), None, &mut |_| ()).expect("it can be read").is_sound());
}
