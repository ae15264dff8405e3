//! Other servers behind `peasy serve --gateway`, and the commands that name them.

use crate::client::Client;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A user with a folder of settings.
struct User(TempDir);

impl User {
    fn new() -> Self {
        let user = Self(TempDir::new().expect("a folder for the test"));
        fs::create_dir_all(user.path(".config/peasy")).expect("a folder of settings");
        user
    }

    fn path(&self, rest: &str) -> PathBuf {
        self.0.path().join(rest)
    }

    fn write(&self, file: &str, text: &str) -> String {
        let path = self.path(file);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn peasy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let ran = self.peasy(arguments).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    }
}

const REMOTE: &str = "\
//! Counts.

/// Count words.
/// @tool
/// @param text string
/// @returns { words: int }
fn count_words(text) { #{ words: text::words(text).len() } }

/// Greet.
/// @tool
fn greet() { \"hello from afar\" }
";

const LOCAL: &str = "/// Greet.\n/// @tool\nfn greet() { \"hello from here\" }\n";

#[test]
fn scripts_and_tools_of_other_servers_are_served_together() {
    let user = User::new();
    let remote = user.write("remote.rhai", REMOTE);
    let local = user.write("local.rhai", LOCAL);
    let peasy = env!("CARGO_BIN_EXE_peasy");
    let home = format!("HOME={}", user.path("elsewhere").display());
    let added = user.run(&["mcp", "add", "far", "--env", &home, "--", peasy, "serve", &remote]);
    assert_eq!(added.0, Some(0), "{}", added.2);

    // Both have `greet`: neither gets it, and the line to write is said.
    let mut client = Client::start(&mut user.peasy(&["serve", "--gateway", &local]));
    assert_eq!(client.tools(), ["count_words"]);
    drop(client.child.stdin.take());
    client.child.wait().expect("it ends with its input");
    let settings = user.path(".config/peasy/config.toml");
    let text = fs::read_to_string(&settings).expect("it was written");
    fs::write(&settings, text + "rename = { greet = \"far_greet\" }\n").expect("a file");

    let mut client = Client::start(&mut user.peasy(&["serve", "--gateway", &local]));
    assert_eq!(client.tools(), ["greet", "count_words", "far_greet"]);
    let called =
        client.ask("tools/call", json!({ "name": "count_words", "arguments": { "text": "a b" } }));
    assert_eq!(called["structuredContent"], json!({ "words": 2 }));
    let wrong =
        client.ask("tools/call", json!({ "name": "count_words", "arguments": { "txet": "a b" } }));
    assert_eq!(wrong["isError"], true);
    let said = wrong["content"][0]["text"].as_str().unwrap_or_default();
    assert!(
        said.contains("[arguments/missing]") && said.contains("did you mean `text`?"),
        "{said}"
    );
    assert_eq!(client.text_of("far_greet").as_deref(), Some("hello from afar"));
    assert_eq!(client.text_of("greet").as_deref(), Some("hello from here"));
    drop(client.child.stdin.take());
    client.child.wait().expect("it ends with its input");

    let (code, log, _) = user.run(&["log", "show", "--json", "--last", "0"]);
    assert_eq!(code, Some(0));
    assert!(log.contains("bridge:far"), "{log}");
    assert_eq!(user.run(&["log", "verify"]).0, Some(0));
}

/// Hooks of both points that a gateway has, which count how often they were asked.
const GUARD: &str = r#"//! @request store
//! @request hook:pre_tool_call:rewrite
//! @request hook:post_tool_call:replace

/// @hook pre_tool_call kind=mcp
fn before(event) {
    store::incr("before");
    if event.args.text == "stop" { return deny("not these words"); }
    if event.args.text == "other" { return rewrite(#{ text: "a b c d" }); }
    if event.args.text == "person" { return ask("May it be counted?"); }
}

/// @hook post_tool_call kind=mcp
fn after(event) {
    store::incr("after");
    if event.result.words == 2 { return replace(#{ words: 22 }); }
}

/// How often the hooks were asked.
/// @tool
/// @returns { before: int, after: int }
fn asked() { #{ before: store::get("before", 0), after: store::get("after", 0) } }
"#;

#[test]
fn every_point_fires_in_the_gateway_for_tools_of_other_servers() {
    let user = User::new();
    let remote = user.write("remote.rhai", REMOTE);
    let guard = user.write("guard.rhai", GUARD);
    let home = format!("HOME={}", user.path("elsewhere").display());
    let peasy = env!("CARGO_BIN_EXE_peasy");
    let added = user.run(&["mcp", "add", "far", "--env", &home, "--", peasy, "serve", &remote]);
    assert_eq!(added.0, Some(0), "{}", added.2);
    let powers = ["hook:pre_tool_call:rewrite", "hook:post_tool_call:replace"];
    let granted = user.run(&[&["grant", &guard][..], &powers].concat());
    assert_eq!(granted.0, Some(0), "{}", granted.2);

    let mut client = Client::start(&mut user.peasy(&["serve", "--gateway", &guard]));
    let mut count = |text: &str| {
        let call = json!({ "name": "count_words", "arguments": { "text": text } });
        let answer = client.ask("tools/call", call);
        let said = answer["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (answer["structuredContent"]["words"].clone(), said)
    };
    assert_eq!(count("one").0, json!(1));
    assert_eq!(count("one two").0, json!(22), "the result was replaced");
    assert_eq!(count("other").0, json!(4), "the arguments were rewritten");
    let (words, said) = count("stop");
    assert!(words.is_null() && said.contains("[user:guard] not these words"), "{said}");
    let (words, said) = count("person");
    assert!(words.is_null() && said.contains("May it be counted?"), "{said}");
    let asked = client.ask("tools/call", json!({ "name": "asked", "arguments": {} }));
    // A rewrite is held against the hooks that came before it, and there are none but its own.
    assert_eq!(asked["structuredContent"], json!({ "before": 5, "after": 3 }));
    drop(client.child.stdin.take());
    client.child.wait().expect("it ends with its input");

    // What was denied never reached the server: each call that did is an act.
    let (_, log, _) = user.run(&["log", "show", "--json", "--last", "0"]);
    let kinds = |kind: &str| log.lines().filter(|line| line.contains(kind)).count();
    assert_eq!(kinds(r#""act":"bridge""#), 3, "{log}");
    assert_eq!(kinds(r#""kind":"decision""#), 8, "{log}");
    assert_eq!(user.run(&["log", "verify"]).0, Some(0));
    // A permission holds as well, by the name that the tool goes by.
    assert_eq!(user.run(&["permission", "deny", "count_*"]).0, Some(0));
    let mut client = Client::start(&mut user.peasy(&["serve", "--gateway", &guard]));
    let call = json!({ "name": "count_words", "arguments": { "text": "one" } });
    let answer = client.ask("tools/call", call);
    let said = answer["content"][0]["text"].as_str().unwrap_or_default();
    assert!(answer["isError"] == true && said.contains("[permission/denied]"), "{said}");
    drop(client.child.stdin.take());
    client.child.wait().expect("it ends with its input");
}

#[test]
fn a_slow_server_holds_no_client_up_and_its_tools_come_when_it_is_there() {
    let user = User::new();
    let script = "mkfifo gate
        while IFS= read -r line; do
            id=${line#*\\\"id\\\":}; id=${id%%,*}
            case $line in
                *initialize\\\"*) read -r open < gate
                    r='{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"slow\",\"version\":\"1\"}}' ;;
                *tools/list*) r='{\"tools\":[{\"name\":\"slow\",\"inputSchema\":{\"type\":\"object\"}}]}' ;;
                *tools/call*) r='{\"content\":[{\"type\":\"text\",\"text\":\"at last\"}]}' ;;
                *) continue ;;
            esac
            printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\\n' \"$id\" \"$r\"
        done";
    let cwd = user.0.path().display().to_string();
    assert_eq!(
        user.run(&["mcp", "add", "slow", "--cwd", &cwd, "--", "sh", "-c", script]).0,
        Some(0)
    );
    for flags in [&[][..], &["--no-reload"]] {
        let _ = fs::remove_file(user.path("gate"));
        let arguments = [&["serve", "--gateway"][..], flags].concat();
        let mut client = Client::start(&mut user.peasy(&arguments));
        assert_eq!(client.tools(), [""; 0]);
        fs::write(user.path("gate"), "open\n").expect("the server waits for it");
        let begun = Instant::now();
        while client.heard("notifications/tools/list_changed") == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is told when they are there");
        }
        assert_eq!(client.tools(), ["slow"]);
        assert_eq!(client.text_of("slow").as_deref(), Some("at last"));
        drop(client.child.stdin.take());
        client.child.wait().expect("it ends with its input");
    }
}

#[test]
fn servers_are_named_listed_and_taken_out() {
    let user = User::new();
    let remote = user.write("remote.rhai", REMOTE);
    let peasy = env!("CARGO_BIN_EXE_peasy");
    let (code, out, err) = user.run(&["mcp", "servers"]);
    assert_eq!((code, out.contains("no servers are named")), (Some(0), true), "{err}");
    assert_eq!(user.run(&["mcp", "add", "far", "--", peasy, "serve", &remote]).0, Some(0));
    assert_eq!(user.run(&["mcp", "add", "far", "--", "other"]).0, Some(2), "it stays as it is");
    assert_eq!(user.run(&["mcp", "add", "Far", "--", "other"]).0, Some(2));
    assert_eq!(user.run(&["mcp", "add", "none"]).0, Some(2));
    assert_eq!(user.run(&["mcp", "add", "a", "--env", "KEY", "--", "x"]).0, Some(2));
    assert_eq!(user.run(&["mcp", "add", "gone", "--", "peasy-no-such-program"]).0, Some(0));

    let (code, out, _) = user.run(&["mcp", "servers", "--json"]);
    assert_eq!(code, Some(1), "one of them does not come up");
    let listing: Value = serde_json::from_str(&out).expect("JSON");
    let [far, gone] = listing["servers"].as_array().expect("a list").as_slice() else {
        panic!("{listing}")
    };
    assert_eq!((&far["name"], &far["lifecycle"]), (&json!("far"), &json!("ready")));
    assert_eq!(far["tools"], json!(["count_words", "greet"]));
    assert_eq!(
        (&gone["lifecycle"], &gone["problems"][0]["code"]),
        (&json!("failed"), &json!("bridge/start"))
    );
    let (code, out, _) = user.run(&["mcp", "servers", "far"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("far  ready") && out.contains("2 tools: count_words, greet"), "{out}");
    assert_eq!(user.run(&["mcp", "servers", "fra"]).0, Some(2));
    assert_eq!(user.run(&["mcp", "remove", "gone"]).0, Some(0));
    assert_eq!(user.run(&["mcp", "remove", "gone"]).0, Some(2));
}
