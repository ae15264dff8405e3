//! What survives: processes that are killed at each step of a commit and at any moment, logs that
//! are torn or changed, several processes at once, and a disk that is full.

use peasy::pod::session::SessionLog;
use peasy::pod::session::entry::StoreChange;
use peasy::store::{Durability, Owner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const COUNTER: &str = r#"//! @request store
//! @request notify:model

/// Count one more, and tell the model.
/// @tool
/// @returns int
fn add() {
    let n = store::incr("n");
    notify::model(`now ${n}`);
    n
}

/// The count.
/// @tool
/// @returns int
fn count() { store::get("n", 0) }

/// Count, and fail.
/// @tool
fn add_and_fail() { store::incr("n"); fail("no") }
"#;

/// A user with one feature.
struct User(TempDir);

impl User {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("counter.rhai"), COUNTER).expect("a feature");
        Self(folder)
    }

    fn peasy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.peasy(arguments).output().expect("the command runs")
    }

    fn call(&self, tool: &str) -> Output {
        self.run(&["call", "counter.rhai", tool, "--grant", "notify:model"])
    }

    fn verify(&self) -> (Value, Option<i32>) {
        let output = self.run(&["log", "verify", "--json"]);
        (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code())
    }

    fn assert_sound(&self) -> Value {
        let (verified, exit) = self.verify();
        assert_eq!((&verified["findings"], exit), (&json!([]), Some(0)));
        verified
    }

    fn kept(&self) -> u64 {
        let output = self.run(&["store", "get", "counter", "n"]);
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
    }

    /// The store of `counter`, with nothing left beside it.
    fn store(&self) -> PathBuf {
        let folder = self.0.path().join(".local/state/peasy/store");
        let mut files = fs::read_dir(folder).expect("the folder of stores");
        let store = files.find_map(|file| {
            let path = file.expect("it can be read").path();
            path.extension().is_some_and(|extension| extension == "sqlite").then_some(path)
        });
        store.expect("the store")
    }

    /// Changes the store behind the back of peasy.
    fn tamper(&self, sql: &str) {
        let store = rusqlite::Connection::open(self.store()).expect("a store");
        store.execute_batch(sql).expect("it can be changed");
    }

    /// Everything in the folder of stores, to the byte.
    fn stores(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = self.0.path().join(".local/state/peasy/store");
        let files = fs::read_dir(folder).expect("the folder of stores");
        let files = files.map(|file| file.expect("it can be read").path());
        files.map(|file| (file.clone(), fs::read(&file).expect("a file"))).collect()
    }

    fn put_stores(&self, files: &BTreeMap<PathBuf, Vec<u8>>) {
        for file in self.stores().keys() {
            fs::remove_file(file).expect("the file is ours");
        }
        for (file, bytes) in files {
            fs::write(file, bytes).expect("the folder is ours");
        }
    }

    /// What verifying finds, which leaves the stores as they are.
    fn assert_found(&self, problem: &str) {
        let before = self.stores();
        let (verified, exit) = self.verify();
        let found = verified["findings"].to_string();
        assert!(exit == Some(1) && found.contains(problem), "{problem}: {verified}");
        assert_eq!(before, self.stores(), "{problem}: it only looks");
    }

    fn log(&self) -> PathBuf {
        self.0.path().join(".local/state/peasy/session/default/log.jsonl")
    }
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_call_that_succeeds_is_kept_and_one_that_fails_is_not() {
    let user = User::new();
    assert_eq!(text(&user.call("add")).0, "1\n");
    assert_eq!(user.call("add_and_fail").status.code(), Some(2));
    assert_eq!(text(&user.call("count")).0, "1\n");
    let verified = user.assert_sound();
    assert_eq!((&verified["calls"], &verified["committed"]), (&json!(3), &json!(1)));
    let shown = text(&user.run(&["log", "show"])).0;
    for part in ["add", "for the model: now 1", "lasting", "error[call/failed]: no", "count"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
}

#[test]
fn a_process_that_dies_at_a_step_leaves_all_of_a_call_or_nothing() {
    for (step, kept, completed, void) in
        [("intent", 0, 0, 1), ("commit", 1, 1, 0), ("done", 1, 0, 0)]
    {
        let user = User::new();
        let died = user
            .peasy(&["call", "counter.rhai", "add", "--grant", "notify:model"])
            .env("PEASY_TEST_DIE_AFTER", step)
            .output()
            .expect("the command starts");
        assert_eq!(died.status.code(), None, "{step}: it was ended by a signal");
        assert_eq!(text(&died).0, "", "{step}: no reply went out");
        if step != "done" {
            let (verified, exit) = user.verify();
            assert_eq!(exit, Some(1), "{step}: {verified}");
        }
        let next = user.call("count");
        assert_eq!(text(&next).0, format!("{kept}\n"), "{step}");
        let said = format!("{completed} of them completed, {void} void");
        assert_eq!(text(&next).1.contains(&said), completed + void > 0, "{step}: {next:?}");
        let verified = user.assert_sound();
        assert_eq!(verified["committed"], json!(kept), "{step}");
        let log = fs::read_to_string(user.log()).expect("the log");
        // What was found lasting carries the texts that the model has not seen yet.
        assert_eq!(log.contains(r#""notices":["now 1"],"recovered":true"#), step == "commit");
    }
}

const ACTOR: &str = r#"//! @request store
//! @request exec=true

/// Run a program twice, and count.
/// @tool
/// @param note string
/// @returns int
fn act(note) {
    exec::run("true", [note]);
    exec::run("true", ["again"]);
    store::incr("n")
}

/// Run a program before each call of `plain`.
/// @hook pre_tool_call tools=plain
fn look(event) { exec::run("true", [event.tool]); }

/// Nothing.
/// @tool
/// @returns int
fn plain() { 1 }
"#;

#[test]
fn a_call_that_dies_after_an_act_says_which_it_was() {
    for (tool, name, left) in [("act", "act", 1), ("plain", "look", 1)] {
        let user = User::new();
        fs::write(user.0.path().join("actor.rhai"), ACTOR).expect("a feature");
        let call = |tool: &str| {
            let note = (tool == "act").then_some("note=here");
            let arguments = ["call", "actor.rhai", tool, "--grant", "exec=true"];
            let mut command = user.peasy(&arguments);
            command.args(note);
            command
        };
        let died = call(tool).env("PEASY_TEST_DIE_AFTER", "act").output().expect("it starts");
        assert_eq!((died.status.code(), text(&died).0.as_str()), (None, ""), "{tool}");
        let (verified, exit) = user.verify();
        assert!(exit == Some(1) && verified.to_string().contains("has no end"), "{verified}");
        let next = user.call("count");
        assert!(text(&next).1.contains("in the middle of the call"), "{next:?}");
        assert_eq!(user.assert_sound()["acts"], left, "{tool}");
        // The advice of that line shows the act and the end, with what was called.
        let (_, said) = text(&next);
        let command = said.split('`').nth(1).expect("a command").replace("peasy ", "");
        let shown = text(&user.run(&command.split(' ').collect::<Vec<_>>())).0;
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(lines[0].contains("user:actor runs true") && lines[0].contains(name), "{shown}");
        assert!(lines[1].contains("error[call/interrupted]") && lines[1].contains(name), "{shown}");
        let id = command.rsplit(' ').next().expect("the id");
        assert!(lines.iter().all(|line| line.contains(id)), "{shown}");
        let replayed = text(&user.run(&["replay", id])).0;
        assert!(replayed.contains("not run again"), "{replayed}");
        for format in ["json", "markdown"] {
            let exported = text(&user.run(&["log", "export", "--format", format])).0;
            assert!(exported.contains("call/interrupted"), "{exported}");
        }
        // It is said once.
        assert!(!text(&user.call("count")).1.contains("in the middle"), "{tool}");
    }
}

#[test]
fn only_the_first_act_of_a_call_tells_what_was_called() {
    let user = User::new();
    fs::write(user.0.path().join("actor.rhai"), ACTOR).expect("a feature");
    let output = user.run(&["call", "actor.rhai", "act", "note=here", "--grant", "exec=true"]);
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(user.log()).expect("the log");
    let acts: Vec<_> = log.lines().filter(|line| line.contains(r#""kind":"act""#)).collect();
    let tells: Vec<_> = acts.iter().map(|line| line.contains(r#""begun":{"#)).collect();
    assert_eq!(tells, [true, false], "{log}");
    user.assert_sound();
}

/// How often a server is killed: a few times in every run, and as often as the variable says.
fn kills() -> u32 {
    std::env::var("PEASY_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[test]
fn a_server_that_is_killed_at_any_moment_loses_nothing_it_acknowledged() {
    let user = User::new();
    let mut acknowledged = 0;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..kills() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut server = Server::start(&user);
        server.after_handshake();
        let most = 1 + random % 40;
        for _ in 0..most {
            acknowledged = server.add();
        }
        // In the middle of the calls that follow.
        server.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": { "name": "add", "arguments": {} } }));
        server.send(&json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/call",
            "params": { "name": "add", "arguments": {} } }));
        std::thread::sleep(Duration::from_micros(random % 3_000));
        server.kill();
        // The next to open the log brings it to an end.
        let counted = text(&user.call("count")).0.trim().parse::<u64>().expect("a number");
        assert!(
            counted >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {counted} kept"
        );
        assert!(counted <= acknowledged + 2, "round {round}: more than was asked for");
        acknowledged = counted;
        let verified = user.assert_sound();
        assert_eq!(verified["committed"], json!(counted), "round {round}: log and store");
        assert_eq!(user.kept(), counted, "round {round}");
    }
}

#[test]
fn several_processes_share_a_store_and_a_log() {
    let user = User::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let output = user.call("add");
                    assert!(output.status.success(), "{output:?}");
                }
            });
        }
    });
    assert_eq!(user.kept(), 20);
    assert_eq!(user.assert_sound()["committed"], 20);
}

#[test]
fn a_torn_last_line_is_cut_off_and_said() {
    let user = User::new();
    user.call("add");
    let whole = fs::read(user.log()).expect("the log");
    for torn in [&b"{"[..], b"\xff\xfe", br#"{"n":6,"at":1,"prev":"#] {
        let mut text = whole.clone();
        text.extend_from_slice(torn);
        fs::write(user.log(), text).expect("the log is ours");
        assert_eq!(user.verify().1, Some(1));
        assert!(user.call("count").status.success());
        user.assert_sound();
        let log = fs::read_to_string(user.log()).expect("the log");
        assert!(log.contains(&format!(r#""kind":"cut","bytes":{}"#, torn.len())), "{log}");
        assert!(log.as_bytes().starts_with(&whole), "what was whole is as it was");
        fs::write(user.log(), &whole).expect("the log is ours");
    }
}

#[test]
fn a_call_that_dies_behind_a_torn_line_is_found() {
    let user = User::new();
    user.call("count");
    let mut text = fs::read(user.log()).expect("the log");
    // Longer than all that the process writes before it dies.
    text.extend([b'x'; 100_000]);
    fs::write(user.log(), text).expect("the log is ours");
    let died = user
        .peasy(&["call", "counter.rhai", "add", "--grant", "notify:model"])
        .env("PEASY_TEST_DIE_AFTER", "intent")
        .status()
        .expect("the command starts");
    assert_eq!(died.code(), None);
    let next = user.call("count");
    assert!(self::text(&next).1.contains("0 of them completed, 1 void"), "{next:?}");
    user.assert_sound();
}

#[test]
fn a_line_that_was_changed_is_found() {
    let user = User::new();
    user.call("add");
    user.call("add");
    let whole = fs::read_to_string(user.log()).expect("the log");
    let lines: Vec<_> = whole.lines().collect();
    let without = |index: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, line)| *line);
        kept.fold(String::new(), |text, line| text + line + "\n")
    };
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(2, 3);
        lines.join("\n") + "\n"
    };
    for (what, text) in [
        ("another text", whole.replacen("now 1", "now 7", 1)),
        ("a line less", without(3)),
        ("two lines exchanged", swapped),
        ("no beginning", without(0)),
    ] {
        fs::write(user.log(), text).expect("the log is ours");
        let (verified, exit) = user.verify();
        assert_eq!(exit, Some(1), "{what}: {verified}");
    }
    // A last line that was changed takes no further one.
    let text = whole.trim_end().strip_suffix('}').expect("an object").to_owned() + " }\n";
    fs::write(user.log(), &text).expect("the log is ours");
    let output = user.call("count");
    assert!(self::text(&output).1.contains("error[log/damaged]"), "{output:?}");
    assert_eq!(fs::read_to_string(user.log()).expect("the log"), text);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_answers_no_call() {
    let user = User::new();
    user.call("add");
    fs::rename(user.log(), user.log().with_extension("kept")).expect("the log is ours");
    std::os::unix::fs::symlink("/dev/full", user.log()).expect("a link");
    let output = user.call("add");
    let (out, err) = text(&output);
    assert_eq!(out, "");
    assert!(err.contains("error[log/full]"), "{err}");
    assert_eq!(user.kept(), 1, "nothing was kept that could not be recorded");
}

/// What runs a command with a folder that cannot be written to: nothing, where permissions bind this user;
/// a mount of its own, for one whom they do not. `None` where neither can be had.
#[cfg(target_os = "linux")]
fn read_only(folder: &std::path::Path) -> Option<Vec<String>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = |mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("ours");
    mode(0o500);
    if fs::write(folder.join("probe"), "").is_err() {
        return Some(Vec::new());
    }
    fs::remove_file(folder.join("probe")).expect("ours");
    mode(0o700);
    let script = r#"mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@""#;
    let folder = folder.to_str().expect("text");
    let words = ["unshare", "--mount", "sh", "-c", script, folder].map(str::to_owned).to_vec();
    let works = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    works.is_ok_and(|output| output.status.success()).then_some(words)
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_cannot_be_written_answers_no_call_and_is_looked_at() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    user.call("add");
    let state = user.0.path().join(".local/state/peasy");
    let on_read_only = |folder: &std::path::Path, arguments: &[&str]| {
        let words = read_only(folder)?;
        let mut command = user.peasy(arguments);
        if let Some((first, rest)) = words.split_first() {
            command = Command::new(first);
            command.args(rest).arg(env!("CARGO_BIN_EXE_peasy")).args(arguments);
            command.env("HOME", user.0.path()).current_dir(user.0.path());
        }
        let output = command.output().expect("it runs");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("ours");
        Some((output.status.code(), text(&output).0, text(&output).1))
    };
    let Some(_) = read_only(&state) else {
        return eprintln!("neither permissions nor mounts make a folder read-only here");
    };
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("ours");
    let call = ["call", "counter.rhai", "add", "--grant", "notify:model"];
    // The log is in a folder of it, the store in another.
    for (folder, code) in [("session/default", "log/failed"), ("store", "store/read-only")] {
        let folder = state.join(folder);
        let file = if code == "log/failed" { user.log() } else { user.store() };
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("ours");
        let (exit, out, said) = on_read_only(&folder, &call).expect("as before");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(&format!("error[{code}]")), "{said}");
        for looking in
            [&["store", "get", "counter", "n"][..], &["store", "list"], &["log", "verify"]]
        {
            let (exit, _, said) = on_read_only(&folder, looking).expect("as before");
            assert_eq!(exit, Some(0), "{looking:?}: {said}");
        }
    }
    assert_eq!(text(&user.call("add")).0, "2\n", "nothing was kept that was not answered");
    user.assert_sound();
}

#[test]
fn a_file_in_the_place_of_a_folder_answers_no_call() {
    for (folder, code) in [("session", "log/failed"), ("store", "store/unreadable")] {
        let user = User::new();
        let state = user.0.path().join(".local/state/peasy");
        fs::create_dir_all(&state).expect("a folder");
        fs::write(state.join(folder), "no folder").expect("a file");
        let output = user.call("add");
        let (out, said) = text(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(&format!("error[{code}]")), "{said}");
        assert_eq!(fs::read(state.join(folder)).expect("a file"), b"no folder");
    }
}

#[test]
fn a_store_that_was_emptied_removed_or_exchanged_is_found() {
    let user = User::new();
    user.call("add");
    let first = user.stores();
    user.call("add");
    user.call("add");
    let whole = user.stores();
    let summary = text(&user.run(&["log", "verify"])).0;
    let said = "✓ the log of `default` is whole and agrees with the store of its calls: ";
    assert!(summary.starts_with(said), "{summary}");
    user.put_stores(&BTreeMap::new());
    user.assert_found("lacks 3 calls that are done");
    assert!(user.stores().is_empty());
    user.put_stores(&first);
    user.assert_found("lacks 2 calls that are done");
    user.put_stores(&whole);
    user.tamper("DELETE FROM entry; DELETE FROM committed");
    user.assert_found("lacks 3 calls that are done");
    user.put_stores(&whole);
    user.tamper("DELETE FROM committed WHERE number = 2");
    user.assert_found("is done, and the store of `user:counter` lacks it");
    user.put_stores(&whole);
    for change in ["UPDATE entry SET value = '7'", "DELETE FROM entry"] {
        user.tamper(change);
        user.assert_found("does not hold under `n` what the call");
        user.put_stores(&whole);
    }
    user.assert_sound();
    // What a person changes is on record, and no loss.
    assert!(user.run(&["store", "set", "counter", "n", "7"]).status.success());
    user.assert_sound();
    assert!(user.run(&["store", "clear", "counter", "--yes"]).status.success());
    user.assert_sound();
    let shown = text(&user.run(&["log", "show"])).0;
    for part in
        ["the store of user:counter has `n` set by a person", "is cleared by a person; keys: 1"]
    {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
}

#[test]
fn a_key_that_only_the_store_holds_is_no_change() {
    let user = User::new();
    // Made so that nobody takes it for one that was leaked.
    let key = "aB3x".repeat(9);
    let keep = format!(
        "//! @request store\n\n/// Keep it.\n/// @tool\nfn keep() {{\n    store::set(\"token\", \"ghp_{key}\");\n    \
         store::set(\"ghp_{key}\", 1);\n}}\n"
    );
    fs::write(user.0.path().join("counter.rhai"), keep).expect("a feature");
    assert!(user.run(&["call", "counter.rhai", "keep"]).status.success());
    assert!(!fs::read_to_string(user.log()).expect("the log").contains(&format!("ghp_{key}")));
    user.assert_sound();
    user.tamper("UPDATE entry SET value = '\"other\"'");
    user.assert_found("does not hold under `token` what the call");
}

#[test]
fn calls_of_a_store_that_the_log_lacks_are_found() {
    let user = User::new();
    user.call("add");
    let before = fs::read(user.log()).expect("the log");
    let stores = user.stores();
    let log = String::from_utf8_lossy(&before).into_owned();
    let opened: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    let instance = opened["instance"].as_str().expect("a name");
    user.tamper(&format!("INSERT INTO committed VALUES (2, '{instance}-99', 0, '[]')"));
    user.assert_found(&format!("holds the call `{instance}-99`, and the log lacks it"));
    user.put_stores(&stores);
    // Its last lines go, and with them all that a process wrote.
    user.call("add");
    let whole = fs::read(user.log()).expect("the log");
    fs::write(user.log(), &before).expect("the log is ours");
    user.assert_found("that no log has, the latest");
    fs::write(user.log(), &whole).expect("the log is ours");
    user.assert_sound();
    // A log that was put away as a whole is no fault of the next one.
    let folder = user.log().parent().expect("a folder").to_owned();
    fs::rename(&folder, user.0.path().join("away")).expect("the log is ours");
    user.call("count");
    let note = |verified: &Value| verified["notes"].to_string().contains("2 calls of processes");
    assert!(note(&user.assert_sound()));
    user.call("add");
    assert!(note(&user.assert_sound()));
    // Where it lies beside the new one, it explains them.
    fs::rename(user.0.path().join("away"), folder.with_file_name("old")).expect("ours");
    assert_eq!(user.assert_sound()["notes"], Value::Null);
}

#[test]
fn a_damaged_store_is_looked_at_and_set_aside_on_record() {
    let user = User::new();
    user.call("add");
    user.call("add");
    let (store, whole) = (user.store(), user.stores());
    let garbage = b"no database at all, and long enough to be looked at by somebody ".repeat(100);
    for tail in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{tail}", store.display()));
    }
    fs::write(&store, &garbage).expect("the file is ours");
    user.assert_found("is damaged");
    let looked = user.stores();
    for looking in
        [&["store", "list"][..], &["store", "get", "counter", "n"], &["store", "export", "counter"]]
    {
        let output = user.run(looking);
        assert!(text(&output).1.contains("error[store/damaged]"), "{output:?}");
        assert_eq!((output.status.code(), user.stores()), (Some(2), looked.clone()));
    }
    // A call sets it aside, and begins anew.
    let output = user.call("add");
    assert!(text(&output).1.contains("error[store/damaged]"), "{output:?}");
    assert_eq!(text(&user.call("add")).0, "1\n");
    let verified = user.assert_sound();
    assert_eq!((&verified["committed"], &verified["stores"]), (&json!(3), &json!(1)));
    let log = fs::read_to_string(user.log()).expect("the log");
    let aside =
        user.stores().into_iter().find(|(_, bytes)| *bytes == garbage).expect("it is kept").0;
    assert!(
        log.contains(r#""kind":"store","#) && log.contains(aside.to_str().expect("text")),
        "{log}"
    );
    // Without that line it is a loss, until another session tells of it.
    user.put_stores(&whole);
    user.call("add");
    let newest = user.stores();
    user.put_stores(&BTreeMap::new());
    user.assert_found("lacks");
    let root = user.0.path().canonicalize().expect("it is there");
    let owner = Owner { feature: "user:counter".parse().expect("an id"), root };
    let other = user.log().parent().expect("a folder").with_file_name("other");
    let other = SessionLog::open(&other, Durability::Never).expect("it opens");
    other.store_changes(&owner, StoreChange::SetAside { file: aside }).expect("it is written");
    drop(other);
    user.assert_sound();
    user.put_stores(&newest);
}

#[test]
fn people_look_at_stores_and_mend_them() {
    let user = User::new();
    assert!(text(&user.run(&["store", "list"])).1.contains("no feature has a store yet"));
    user.call("add");
    assert!(text(&user.run(&["store", "list"])).0.starts_with("user:counter  1 key, 2 bytes"));
    let set = user.run(&["store", "set", "counter", "n", "41"]);
    assert_eq!((set.status.success(), text(&set).1.as_str()), (true, "`n` is 41 now\n"));
    assert_eq!(text(&user.call("add")).0, "42\n");
    assert_eq!(user.run(&["store", "set", "counter", "n", "text"]).status.code(), Some(2));
    let exported = text(&user.run(&["store", "export", "counter"])).0;
    assert_eq!(serde_json::from_str::<Value>(&exported).expect("JSON"), json!({ "n": 42 }));
    assert_eq!(
        user.run(&["store", "clear", "counter"]).status.code(),
        Some(2),
        "not without a word"
    );
    assert!(user.run(&["store", "clear", "counter", "--yes"]).status.success());
    assert_eq!(text(&user.call("count")).0, "0\n");
    fs::write(user.0.path().join("kept.json"), exported).expect("a file");
    assert!(user.run(&["store", "import", "counter", "kept.json"]).status.success());
    assert_eq!(text(&user.call("count")).0, "42\n");
    let missing = user.run(&["store", "get", "cuonter"]);
    assert!(text(&missing).1.contains("did you mean `counter`?"), "{missing:?}");
    user.assert_sound();
}

/// `peasy serve` with both ends of its pipe.
struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Server {
    fn start(user: &User) -> Self {
        let mut child = user
            .peasy(&["serve", "counter.rhai", "--grant", "notify:model"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        Self { child, lines }
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.child.stdin.as_mut().expect("standard input");
        stdin.write_all(format!("{message}\n").as_bytes()).expect("the server reads");
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters }));
        let line = self.lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("the protocol")
    }

    fn after_handshake(&mut self) {
        let client = json!({ "name": "test", "version": "1" });
        let parameters =
            json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        self.ask("initialize", parameters);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    fn add(&mut self) -> u64 {
        let answer = self.ask("tools/call", json!({ "name": "add", "arguments": {} }));
        answer["result"]["content"][0]["text"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("{answer}"))
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
