//! A save, and the tools of it in a client that goes on: at once, whole, and never less than before.

use crate::client::Client;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CHANGED: &str = "notifications/tools/list_changed";

/// A user with a folder of features.
struct User(TempDir);

impl User {
    fn new() -> Self {
        let user = Self(TempDir::new().expect("a folder for the test"));
        fs::create_dir(user.folder()).expect("a folder of features");
        user
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("features")
    }

    fn peasy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        let home = self.0.path().join("home");
        command.args(arguments).env_clear().env("HOME", home).current_dir(self.0.path());
        command
    }

    fn serve(&self) -> Client {
        Client::start(&mut self.peasy(&["serve", "features"]))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).expect("a file");
    }

    /// As editors save: a new file takes the place of the old.
    fn replace(&self, name: &str, text: &str) {
        let new = self.folder().join(format!(".{name}.swp"));
        fs::write(&new, text).expect("a file");
        fs::rename(new, self.folder().join(name)).expect("it takes the place");
    }
}

/// A feature with a tool that gives `value`.
fn giving(tool: &str, value: i64) -> String {
    format!("/// Gives a number.\n/// @tool\nfn {tool}() {{ {value} }}\n")
}

/// Waits until the client sees something, some seconds at most.
fn soon(client: &mut Client, what: &str, mut seen: impl FnMut(&mut Client) -> bool) {
    let begun = Instant::now();
    while !seen(client) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[test]
fn a_save_is_seen_and_told_only_where_a_client_would_list_something_else() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 1));
    let mut client = user.serve();
    assert_eq!(client.text_of("one").as_deref(), Some("1"));

    user.write("one.rhai", &giving("one", 2));
    soon(&mut client, "another body", |client| client.text_of("one").as_deref() == Some("2"));
    assert_eq!(client.heard(CHANGED), 0, "a client lists the same");

    user.replace("one.rhai", &giving("one", 3).replace("Gives", "Hands out"));
    soon(&mut client, "another description", |client| client.heard(CHANGED) == 1);
    assert_eq!(client.text_of("one").as_deref(), Some("3"), "it held before it was told");

    user.write("two.rhai", &giving("two", 7));
    soon(&mut client, "another tool", |client| client.heard(CHANGED) == 1);
    assert_eq!(client.tools(), ["one", "two"]);

    fs::remove_file(user.folder().join("one.rhai")).expect("it was there");
    soon(&mut client, "a tool less", |client| client.heard(CHANGED) == 1);
    assert_eq!(client.tools(), ["two"]);
    fs::rename(user.folder().join("two.rhai"), user.folder().join("three.rhai"))
        .expect("it was there");
    soon(&mut client, "another name, the same tool", |client| {
        client.text_of("two").as_deref() == Some("7")
    });
}

#[test]
fn what_is_broken_or_fails_its_tests_leaves_the_last_good_version() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 1));
    let mut client = user.serve();
    let failing = giving("one", 2) + "\n/// @test\nfn fails() { assert_eq(one(), 1); }\n";
    // A feature beside it tells that the save was looked at.
    for (turn, bad) in
        ["fn one( {", &failing, "/// @tool\nfn one() { nobody() }"].iter().enumerate()
    {
        user.write("one.rhai", bad);
        let beside = format!("beside_{turn}");
        user.write(&format!("{beside}.rhai"), &giving(&beside, 0));
        soon(&mut client, "the one beside it", |client| client.tools().contains(&beside));
        assert_eq!(client.text_of("one").as_deref(), Some("1"), "{bad}");
    }
    user.write("one.rhai", &failing.replace("one(), 1", "one(), 2"));
    soon(&mut client, "the mended one", |client| client.text_of("one").as_deref() == Some("2"));
}

#[test]
fn imports_folders_and_links_are_followed() {
    let user = User::new();
    let main = "import \"part\" as part;\n/// Gives.\n/// @tool\nfn one() { part::give() }\n";
    fs::create_dir(user.folder().join("one")).expect("a folder");
    user.write("one/main.rhai", main);
    let mut client = user.serve();
    assert!(client.tools().is_empty(), "it lacks a file");
    for value in ["1", "2"] {
        user.write("one/part.rhai", &format!("fn give() {{ {value} }}"));
        soon(&mut client, "the import", |client| client.text_of("one").as_deref() == Some(value));
    }
    // The whole folder is exchanged for another.
    let aside = user.0.path().join("aside");
    fs::rename(user.folder(), &aside).expect("it moves");
    soon(&mut client, "no tools", |client| client.tools().is_empty());
    fs::create_dir(user.folder()).expect("a folder");
    user.write("two.rhai", &giving("two", 5));
    soon(&mut client, "the new folder", |client| client.tools() == ["two"]);
    user.write("two.rhai", &giving("two", 6));
    soon(&mut client, "in it", |client| client.text_of("two").as_deref() == Some("6"));
    link(&aside.join("one"), &user.folder().join("linked"));
    soon(&mut client, "a link", |client| client.text_of("one").as_deref() == Some("2"));
    fs::write(aside.join("one/part.rhai"), "fn give() { 9 }").expect("a file");
    soon(&mut client, "behind the link", |client| client.text_of("one").as_deref() == Some("9"));
    // A link that leads to itself is no feature and no end.
    link(&user.folder().join("loop.rhai"), &user.folder().join("loop.rhai"));
    user.write("two.rhai", &giving("two", 7));
    soon(&mut client, "beside a loop", |client| client.text_of("two").as_deref() == Some("7"));
}

fn link(target: &Path, name: &Path) {
    std::os::unix::fs::symlink(target, name).expect("a link");
}

#[test]
fn a_call_ends_on_the_version_that_it_began_with() {
    let user = User::new();
    let slow = |value: i64| {
        format!(
            "//! @request emit\n\n/// Gives, slowly.\n/// @tool\nfn slow() {{ emit::info(\"begun\"); let n = 0; while n < 1_000_000 {{ n += 1 }} {value} }}\n{}",
            giving("quick", value)
        )
    };
    user.write("one.rhai", &slow(1));
    let mut client = user.serve();
    let begun = client.begin("tools/call", json!({ "name": "slow", "arguments": {} }));
    // A request that was sent need not have been taken up yet.
    soon(&mut client, "it runs", |client| client.heard("notifications/message") == 1);
    user.write("one.rhai", &slow(2));
    soon(&mut client, "the new one", |client| client.text_of("quick").as_deref() == Some("2"));
    // The answer may have come meanwhile; a client keeps what it was told.
    let answer = client.result_of(begun);
    assert_eq!(answer["content"][0]["text"], "1", "{answer}");
}

#[test]
fn many_saves_lose_no_request() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 0));
    let mut client = user.serve();
    let mut last = 0;
    for value in 1..=200 {
        let text = giving("one", value);
        match value % 4 {
            0 => user.write("one.rhai", &text),
            1 => user.replace("one.rhai", &text),
            // Half a save, and the rest of it.
            2 => {
                user.write("one.rhai", &text[..text.len() / 2]);
                user.write("one.rhai", &text);
            }
            _ => {
                fs::remove_file(user.folder().join("one.rhai")).expect("it was there");
                user.write("one.rhai", &text);
            }
        }
        let seen: i64 = client.text_of("one").expect("a result").parse().expect("a number");
        assert!(seen >= last, "{seen} after {last}");
        last = seen;
    }
    soon(&mut client, "the last save", |client| client.text_of("one").as_deref() == Some("200"));
    assert_eq!(client.heard(CHANGED), 0);
}

#[test]
fn a_grant_reaches_a_server_that_runs() {
    let user = User::new();
    let text = "//! @request notify:model\n/// Tells.\n/// @tool\nfn tell() { notify::model(\"hello\"); 1 }\n";
    user.write("one.rhai", text);
    let mut client = user.serve();
    assert!(client.tools().is_empty(), "nothing is granted");
    let peasy = |arguments: &[&str]| {
        let output = user.peasy(arguments).output().expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    peasy(&["grant", "features/one.rhai", "notify:model"]);
    soon(&mut client, "the grant", |client| client.tools() == ["tell"]);
    peasy(&["disable", "features/one.rhai"]);
    soon(&mut client, "the switch", |client| client.tools().is_empty());
    // A policy that cannot be understood changes nothing that runs.
    peasy(&["enable", "features/one.rhai"]);
    soon(&mut client, "the switch", |client| client.tools() == ["tell"]);
    let policy = user.0.path().join("home/.config/peasy/policy.toml");
    fs::write(policy, "trusted = 1").expect("a file");
    user.write("two.rhai", &giving("two", 1));
    assert_eq!(client.text_of("tell").as_deref(), Some("1"));
}
