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

/// A guard with nothing to say, and one that nobody can read.
const GUARD: &str = "/// @hook pre_tool_call\nfn guard(event) { }\n";
const BROKEN: &str = "/// @hook pre_tool_call\nfn guard(event {\n";

#[test]
fn a_guard_that_was_never_good_denies_until_it_is_mended_or_gone() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 1));
    user.write("guard.rhai", BROKEN);
    let mut client = user.serve();
    let denied = client.text_of("one").expect("a text");
    assert!(denied.contains("hook/broken"), "{denied}");
    user.write("guard.rhai", GUARD);
    soon(&mut client, "the mended guard", |client| client.text_of("one").as_deref() == Some("1"));
    // One that was good goes on; another that never was does not.
    user.write("guard.rhai", BROKEN);
    user.write("other.rhai", &giving("other", 1));
    soon(&mut client, "the one beside it", |client| client.tools().contains(&"other".to_owned()));
    assert_eq!(client.text_of("one").as_deref(), Some("1"), "the last good guard goes on");
    user.write("new.rhai", BROKEN);
    soon(&mut client, "the new guard", |client| {
        client.text_of("one").is_some_and(|text| text.contains("hook/broken"))
    });
    fs::remove_file(user.folder().join("new.rhai")).expect("it is there");
    soon(&mut client, "nothing broken", |client| client.text_of("one").as_deref() == Some("1"));
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
        soon(&mut client, &format!("the import {value}"), |client| {
            client.text_of("one").as_deref() == Some(value)
        });
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

/// What an editor does to save a file, in words and as a deed.
type Habit = (&'static str, fn(&Path, &str));

const HABITS: [Habit; 9] = [
    ("written over", |file, text| fs::write(file, text).expect("a file")),
    ("written in parts", |file, text| {
        use std::io::Write;
        let mut open = fs::File::create(file).expect("a file");
        for part in text.as_bytes().chunks(9) {
            open.write_all(part).expect("a part");
            open.sync_data().expect("it is there");
        }
    }),
    ("the old one moved away, and a new one written, as Vim does", |file, text| {
        let backup = file.with_extension("rhai~");
        fs::write(file.with_file_name("4913"), "").expect("a file");
        fs::remove_file(file.with_file_name("4913")).expect("it was there");
        fs::rename(file, &backup).expect("it moves");
        fs::write(file, text).expect("a file");
        fs::remove_file(&backup).expect("it was there");
    }),
    ("a new one put in its place", |file, text| {
        let new = file.with_extension("rhai.tmp.7");
        fs::write(&new, text).expect("a file");
        fs::rename(&new, file).expect("it takes the place");
    }),
    ("both moved, as JetBrains does", |file, text| {
        let (new, old) =
            (file.with_extension("rhai___jb_tmp___"), file.with_extension("rhai___jb_old___"));
        fs::write(&new, text).expect("a file");
        fs::rename(file, &old).expect("it moves");
        fs::rename(&new, file).expect("it takes the place");
        fs::remove_file(&old).expect("it was there");
    }),
    ("locked by a link and copied first, as Emacs does", |file, text| {
        let lock = file.with_file_name(".#one.rhai");
        link(Path::new("someone@here.1:2"), &lock);
        fs::write(file.with_file_name("#one.rhai#"), &text[..text.len() / 2]).expect("a file");
        fs::copy(file, file.with_extension("rhai~")).expect("a copy");
        fs::write(file, text).expect("a file");
        fs::remove_file(file.with_file_name("#one.rhai#")).expect("it was there");
        fs::remove_file(&lock).expect("it was there");
        fs::remove_file(file.with_extension("rhai~")).expect("it was there");
    }),
    ("removed and written anew", |file, text| {
        fs::remove_file(file).expect("it was there");
        fs::write(file, text).expect("a file");
    }),
    ("a link put in its place", |file, text| {
        let (target, new) = (file.with_extension("txt"), file.with_extension("new"));
        fs::write(&target, text).expect("a file");
        link(&target, &new);
        fs::rename(&new, file).expect("it takes the place");
    }),
    ("a file put in the place of the link", |file, text| {
        let new = file.with_extension("new");
        fs::write(&new, text).expect("a file");
        fs::rename(&new, file).expect("it takes the place");
    }),
];

#[test]
fn whatever_an_editor_does_to_save_the_save_is_seen() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 0));
    let mut client = user.serve();
    let file = user.folder().join("one.rhai");
    for (turn, (habit, save)) in HABITS.into_iter().cycle().take(2 * HABITS.len()).enumerate() {
        let value = 10 + i64::try_from(turn).expect("it is small");
        save(&file, &giving("one", value));
        let value = value.to_string();
        soon(&mut client, habit, |client| {
            let seen = client.text_of("one");
            assert!(seen.is_some(), "{habit}: the tool is there all the while");
            seen.as_deref() == Some(value.as_str())
        });
    }
    assert_eq!(client.heard(CHANGED), 0, "nobody was told of tools that came and went");
}

#[test]
fn a_storm_of_saves_loses_no_request_and_ends_on_the_last() {
    let user = User::new();
    user.write("one.rhai", &giving("one", 0));
    let mut client = user.serve();
    let file = user.folder().join("one.rhai");
    let storm = std::thread::spawn(move || {
        for value in 1..=3_000 {
            let text = giving("one", value);
            match value % 3 {
                0 => fs::write(&file, text).expect("a file"),
                1 => {
                    fs::write(&file, &text[..text.len() / 2]).expect("half of it");
                    fs::write(&file, text).expect("a file");
                }
                _ => {
                    let new = file.with_extension("new");
                    fs::write(&new, text).expect("a file");
                    fs::rename(&new, &file).expect("it takes the place");
                }
            }
        }
    });
    let mut last = 0;
    while !storm.is_finished() {
        let answer = client.call("one");
        let seen = answer["content"][0]["text"].as_str().and_then(|text| text.parse().ok());
        let seen: i64 = seen.unwrap_or_else(|| panic!("no result: {answer}"));
        assert!(seen >= last, "{seen} after {last}");
        last = seen;
    }
    storm.join().expect("every save went through");
    soon(&mut client, "the last save", |client| client.text_of("one").as_deref() == Some("3000"));
    assert_eq!(client.heard(CHANGED), 0);
}

#[test]
fn folders_that_go_and_come_and_links_that_turn_are_followed() {
    let user = User::new();
    user.write("kept.rhai", &giving("kept", 1));
    let mut client = user.serve();
    for turn in 0..4 {
        fs::remove_dir_all(user.folder()).expect("it was there");
        if turn % 2 == 0 {
            soon(&mut client, "no tools", |client| client.tools().is_empty());
        }
        fs::create_dir(user.folder()).expect("a folder");
        fs::create_dir(user.folder().join("deep")).expect("a folder");
        user.write("deep/main.rhai", &giving("kept", 10 + turn));
        let value = (10 + turn).to_string();
        soon(&mut client, "made anew", |client| client.text_of("kept").as_ref() == Some(&value));
    }
    // A feature's folder has another name: the tool stays.
    fs::rename(user.folder().join("deep"), user.folder().join("moved")).expect("it moves");
    user.write("moved/main.rhai", &giving("kept", 20));
    soon(&mut client, "moved", |client| client.text_of("kept").as_deref() == Some("20"));
    // A link that is turned from one release to the next, and a ring of links beside it.
    fs::remove_dir_all(user.folder().join("moved")).expect("it was there");
    for release in ["a", "b"] {
        let folder = user.0.path().join(release);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("main.rhai"), giving("kept", if release == "a" { 30 } else { 31 }))
            .expect("a file");
    }
    let (current, next) = (user.folder().join("current"), user.folder().join(".next"));
    for (release, value) in [("a", "30"), ("b", "31"), ("a", "30")] {
        link(&user.0.path().join(release), &next);
        fs::rename(&next, &current).expect("it takes the place");
        soon(&mut client, release, |client| client.text_of("kept").as_deref() == Some(value));
    }
    link(&user.folder().join("ring-b"), &user.folder().join("ring-a"));
    link(&user.folder().join("ring-a"), &user.folder().join("ring-b"));
    link(&user.folder(), &user.folder().join("self"));
    fs::write(user.0.path().join("a/main.rhai"), giving("kept", 32)).expect("a file");
    soon(&mut client, "among rings", |client| client.text_of("kept").as_deref() == Some("32"));
}

#[test]
fn what_is_kept_of_reading_changes_nothing_but_time() {
    let user = User::new();
    for index in 0..6 {
        user.write(&format!("f{index}.rhai"), &giving(&format!("give_{index}"), index));
    }
    user.write("noted.rhai", "/// Gives.\n/// @tool\nfn noted(x) { x / 2 }\n");
    user.write("broken.rhai", "fn one( {");
    let listed = || {
        let output = user.peasy(&["list", "features", "--json"]).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text") + &*String::from_utf8_lossy(&output.stderr)
    };
    let first = listed();
    let kept = user.0.path().join("home/.cache/peasy/read");
    let file = fs::read_dir(&kept).expect("something is kept").next().expect("a file");
    let file = file.expect("an entry").path();
    assert_eq!(listed(), first);
    for damage in [&b""[..], b"peasy", &[0xff; 4_000]] {
        fs::write(&file, damage).expect("a file");
        assert_eq!(listed(), first);
    }
    // A place that cannot be written only costs time.
    fs::remove_dir_all(&kept).expect("it was there");
    fs::write(&kept, "in the way").expect("a file");
    assert_eq!(listed(), first);
    // Another text under the same name and of the same length, with the same times.
    fs::remove_file(&kept).expect("it was there");
    assert_eq!(listed(), first);
    let one = user.folder().join("f1.rhai");
    let times = fs::metadata(&one).expect("it is there").modified().expect("a time");
    user.write("f1.rhai", &giving("gave_1", 1));
    fs::File::options()
        .append(true)
        .open(&one)
        .expect("it is ours")
        .set_modified(times)
        .expect("set");
    assert_eq!(listed(), first.replace("give_1", "gave_1"));
}

#[test]
fn a_save_that_asks_for_more_waits_and_the_version_before_goes_on() {
    let user = User::new();
    let text = |value: i64, asks: &str| {
        format!(
            "//! @request notify:model\n{asks}\n/// Tells.\n/// @tool\nfn tell() {{ notify::model(\"m\"); {value} }}\n"
        )
    };
    user.write("one.rhai", &text(1, ""));
    let peasy = |arguments: &[&str]| {
        let output = user.peasy(arguments).output().expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    peasy(&["grant", "features/one.rhai", "notify:model"]);
    let mut client = user.serve();
    assert_eq!(client.text_of("tell").as_deref(), Some("1"));
    let more = "//! @request fs:read=notes/**\n\n/// @test\nfn nothing() {}\n";
    let reads =
        text(2, more).replace("fn tell() {", "fn tell() { if false { fs::read(\"notes/a\"); }");
    user.write("one.rhai", &reads);
    user.write("beside.rhai", &giving("beside", 0));
    soon(&mut client, "the one beside it", |client| client.tools().contains(&"beside".to_owned()));
    assert_eq!(client.text_of("tell").as_deref(), Some("1"), "the version before");
    peasy(&["grant", "features/one.rhai", "fs:read=notes/**"]);
    soon(&mut client, "what was granted", |client| client.text_of("tell").as_deref() == Some("2"));
}
