//! The `peasy` command as people and scripts meet it: standard output, standard error and exit code
//! of each command together, as snapshots.

#![allow(
    clippy::disallowed_methods,
    reason = "writes features to a folder of its own and runs the command"
)]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const WORDS: &str = r#"//! Counts words.
//! @feature word-count 1.0.0
//! @request? emit
//!   Show progress on long texts.

/// Count the words in a text.
/// @tool
/// @hint read_only
/// @param text string
///   The text to count.
/// @param unique bool = false
///   Count each distinct word once.
/// @returns { words: int }
/// @example { "text": "a b a", "unique": true } => { "words": 2 }
fn count_words(text, unique) {
    emit::info("counting", "one text");
    let words = if unique { list::unique(text::words(text)) } else { text::words(text) };
    #{ words: words.len() }
}

/// Say a text again.
/// @tool
/// @param text string(..=10)
/// @param times int(1..=3) = 1
/// @returns string
fn echo(text, times) {
    if text == "stop" { fail("nothing to say") }
    if text == "broken" { throw "the author's fault" }
    let said = "";
    for i in 0..times { said += text; }
    said
}

/// @test
fn counts() { assert_eq(count_words("a b", false).words, 2); }
"#;

const GUARD: &str = r#"/// Keep shell commands away from the home folder.
/// @hook pre_tool_call kind=shell
fn guard(event) {
    if event.command.contains("rm -rf ~") { return deny("not the home folder"); }
}
"#;

const NOTIFIER: &str = r#"//! @request notify:model

/// Tell the model something.
/// @tool
/// @param text string
fn tell(text) {
    notify::model(text);
    "told"
}
"#;

const BROKEN: &str = "/// @tool\nfn half(a {\n";

const FAILING: &str = r#"/// Double a number.
/// @tool
/// @param n int
/// @returns int
/// @example { "n": 2 } => 5
fn double(n) { n * 2 }

/// @test
fn doubles() { assert_eq(double(4), 9); }
"#;

/// A folder of its own for each test, and a home folder without configuration.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::create_dir_all(folder.path().join("home")).expect("a home folder");
        fs::create_dir_all(folder.path().join("work")).expect("a work folder");
        Self(folder)
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, text) in files {
            let file = place.work().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        place
    }

    fn work(&self) -> std::path::PathBuf {
        self.0.path().join("work")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.0.path().join("home"))
            .env("PATH", "/usr/bin:/bin");
        command
    }

    /// Runs `peasy` and writes down everything that can be seen of it.
    fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, "", &[])
    }

    fn run_with(&self, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> String {
        let mut child = self
            .command(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("peasy starts");
        let mut stdin = child.stdin.take().expect("standard input");
        // A command that reads nothing may be gone by now.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("peasy ends");
        let text = |bytes: &[u8]| self.stable(&String::from_utf8_lossy(bytes));
        format!(
            "$ peasy {}\n--- stdout\n{}--- stderr\n{}--- exit {}\n",
            arguments.join(" "),
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().unwrap_or(-1),
        )
    }

    /// Takes out what differs from run to run: folders, times, costs.
    fn stable(&self, text: &str) -> String {
        let root = self.0.path().canonicalize().expect("the folder");
        let text = text
            .replace(&root.display().to_string(), "ROOT")
            .replace(&self.0.path().display().to_string(), "ROOT");
        let mut stable = String::new();
        for line in text.lines() {
            stable.push_str(&without_cost(line));
            stable.push('\n');
        }
        stable
    }
}

/// A line of JSON or of a receipt without the figures that no two runs share.
fn without_cost(line: &str) -> String {
    const COSTS: [&str; 9] = [
        "\"operations\":",
        "\"time_us\":",
        "\"elapsed_us\":",
        "\"peak_memory\":",
        "\"leaked_memory\":",
        "\"time\":",
        "\"memory\":",
        "\"digest\":",
        "receipt:",
    ];
    let trimmed = line.trim_start();
    match COSTS.iter().find(|cost| trimmed.starts_with(**cost)) {
        Some(cost) => format!("{}{cost} …", &line[..line.len() - trimmed.len()]),
        None => line.to_owned(),
    }
}

macro_rules! pin {
    ($name:literal, $($seen:expr),+ $(,)?) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($name, [$($seen),+].join("\n"))
        })
    };
}

#[test]
fn a_newcomer_writes_checks_and_calls() {
    let place = Place::new();
    pin!(
        "newcomer",
        place.run(&["new", "greet"]),
        place.run(&["check", "greet.rhai"]),
        place.run(&["call", "greet.rhai", "greet", "name=World"]),
        place.run(&["call", "greet.rhai", "name=World", "loud=true"]),
        place.run(&["test", "greet.rhai"]),
        place.run(&["new", "greet"]),
    );
}

#[test]
fn a_hook_is_written_and_asked() {
    let place = Place::new();
    pin!(
        "new_hook",
        place.run(&["new", "guard", "--hook", "--dir", "--folder", "features"]),
        place.run(&["check", "features/guard"]),
        place.run(&["call", "features/guard", "guard", "kind=shell", "command=rm -rf ~"]),
        place.run(&["call", "features/guard", "kind=shell", "command=ls"]),
        place.run(&["test", "features"]),
    );
}

#[test]
fn a_name_that_is_none_is_answered_with_one() {
    let place = Place::new();
    pin!("new_name", place.run(&["new", "My Tool"]), place.run(&["new", "--", "--"]));
}

#[test]
fn check_shows_everything_in_one_pass() {
    let place = Place::with(&[
        ("broken.rhai", BROKEN),
        ("words.rhai", WORDS),
        ("tell.rhai", NOTIFIER),
        ("unknown.rhai", "/// @tool\n/// @parm a string\nfn f(a) { text::wrods(a) }\n"),
    ]);
    pin!(
        "check",
        place.run(&["check", "words.rhai"]),
        place.run(&["check", "."]),
        place.run(&["check", "words.rhai", "broken.rhai", "--json"]),
        place.run(&["check", "no.rhai"]),
    );
}

#[test]
fn list_says_what_runs_and_why_not() {
    let place = Place::with(&[
        ("f/words.rhai", WORDS),
        ("f/guard/main.rhai", GUARD),
        ("f/tell.rhai", NOTIFIER),
        ("f/broken.rhai", BROKEN),
    ]);
    pin!(
        "list",
        place.run(&["list", "f"]),
        place.run(&["list", "f/tell.rhai", "--grant", "notify:model"]),
        place.run(&["list", "f", "--grant", "tel=notify:model"]),
        place.run(&["list", "f/tell.rhai", "--json"]),
    );
}

const REWRITER: &str = "//! Keeps calls short.
//! @request store
//! @request hook:pre_tool_call:rewrite

/// Shorten a command.
/// @hook pre_tool_call kind=shell tools=run_*,exec band=early
fn shorten(event) {
    store::incr(\"seen\");
    if event.command.len() > 9 { return rewrite(#{ command: \"true\" }); }
}

/// @hook turn_end
fn ended(event) { }
";

#[test]
fn list_says_where_hooks_listen_and_what_they_may_use() {
    let place = Place::with(&[("shorten.rhai", REWRITER)]);
    pin!(
        "hooks",
        place.run(&["list", "shorten.rhai"]),
        place.run(&["list", "shorten.rhai", "--grant", "hook:pre_tool_call:rewrite"]),
        place.run(&["list", "shorten.rhai", "--json"]),
    );
}

#[test]
fn a_project_waits_for_trust() {
    let place = Place::with(&[
        (".peasy/features/guard.rhai", GUARD),
        (".peasy/features/words.rhai", WORDS),
    ]);
    pin!(
        "project",
        place.run(&["list"]),
        place.run(&["list", "--trust"]),
        place.run(&["call", "word-count", "echo", "text=a b"]),
        place.run(&["call", "guard", "kind=shell", "command=ls"]),
        place.run(&["call", "guard", "kind=shell", "command=ls", "--trust"]),
    );
}

#[test]
fn nothing_to_work_on_is_said_with_a_hint() {
    let place = Place::with(&[("empty/readme.txt", ""), ("words.rhai", WORDS)]);
    pin!(
        "nothing",
        place.run(&["list"]),
        place.run(&["list", "empty"]),
        place.run(&["list", "wrods.rhai"]),
        place.run(&["check", "words"]),
        place.run(&["check", "empty/readme.txt"]),
        place.run(&["test", "words.rhai", "missing.rhai"]),
    );
}

#[test]
fn describe_shows_what_models_see() {
    let place = Place::with(&[("words.rhai", WORDS), ("guard.rhai", GUARD)]);
    pin!(
        "describe",
        place.run(&["describe", "words.rhai"]),
        place.run(&["describe", ".", "echo"]),
        place.run(&["describe", ".", "ehco"]),
        place.run(&["describe", "guard.rhai"]),
        place.run(&["describe", "words.rhai", "echo", "--json"]),
    );
}

#[test]
fn call_takes_arguments_in_every_form() {
    let place = Place::with(&[("words.rhai", WORDS), ("note.txt", "a b c")]);
    let call = |words: &[&str]| place.run(&[&["call", "words.rhai"], words].concat());
    pin!(
        "call_arguments",
        call(&["count_words", "text=a b a", "unique=true"]),
        call(&["count_words", "{\"text\": \"a b a\"}"]),
        call(&["count_words", "text=@note.txt"]),
        call(&["echo", "text=12", "times=2"]),
        place.run_with(&["call", "words.rhai", "echo", "-"], "{\"text\": \"piped\"}", &[]),
        place.run_with(&["call", "words.rhai", "echo", "text=@-"], "raw", &[]),
    );
}

#[test]
fn call_says_everything_that_is_wrong() {
    let place = Place::with(&[
        ("words.rhai", WORDS),
        ("tell.rhai", NOTIFIER),
        ("broken.rhai", BROKEN),
        ("plain.rhai", "fn f() { 1 }\n"),
    ]);
    let call = |words: &[&str]| place.run(&[&["call", "words.rhai"], words].concat());
    pin!(
        "call_wrong",
        call(&["echo", "txet=a", "times=9"]),
        call(&["echo", "World"]),
        call(&["ehco", "text=a"]),
        call(&["text=a"]),
        call(&["echo", "text=@missing.txt"]),
        call(&["echo", "text=stop"]),
        call(&["echo", "text=broken"]),
        call(&["echo", "text=a", "--limit", "tiem=1s"]),
        place.run(&["call", "tell.rhai", "text=a"]),
        place.run(&["call", "tell.rhai", "text=a", "--grant", "tell=notify:model"]),
        place.run(&["call", "broken.rhai", "a=1"]),
        place.run(&["call", "plain.rhai"]),
        place.run(&["call", "nothing"]),
    );
}

#[test]
fn call_as_json_holds_everything() {
    let place = Place::with(&[("words.rhai", WORDS), ("guard.rhai", GUARD)]);
    pin!(
        "call_json",
        place.run(&["call", "words.rhai", "count_words", "text=a b", "--json"]),
        place.run(&["call", "words.rhai", "echo", "times=0", "--json"]),
        place.run(&["call", "guard.rhai", "kind=shell", "command=rm -rf ~", "--json"]),
        place.run(&["call", "words.rhai", "ehco", "--json"]),
        place.run(&["call", "words.rhai", "echo", "text=a", "--receipt"]),
    );
}

#[test]
fn limits_end_a_call() {
    let endless = "/// @tool\nfn spin() { loop {} }\n";
    let place = Place::with(&[("spin.rhai", endless)]);
    pin!("limits", place.run(&["call", "spin.rhai", "--limit", "operations=1000"]));
}

#[test]
fn tests_are_run_and_counted() {
    let place = Place::with(&[
        ("words.rhai", WORDS),
        ("failing.rhai", FAILING),
        ("guard.rhai", GUARD),
        ("broken.rhai", BROKEN),
    ]);
    pin!(
        "tests",
        place.run(&["test", "words.rhai"]),
        place.run(&["test", "failing.rhai"]),
        place.run(&["test", "guard.rhai"]),
        place.run(&["test", "words.rhai", "--filter", "example"]),
        place.run(&["test", "words.rhai", "--filter", "nothing like it"]),
        place.run(&["test", "broken.rhai"]),
        place.run(&["test", "words.rhai", "--json"]),
    );
}

#[test]
fn a_broken_feature_does_not_take_the_good_one_with_it() {
    let place = Place::with(&[
        (".peasy/features/broken.rhai", BROKEN),
        (".peasy/features/words.rhai", WORDS),
    ]);
    pin!(
        "broken_beside_good",
        place.run(&["call", "echo", "text=still"]),
        place.run(&["list"]),
        place.run(&["call", "half", "a=1"]),
    );
}

#[test]
fn colours_appear_only_where_they_are_wanted() {
    let place = Place::with(&[("words.rhai", WORDS)]);
    let seen = |arguments: &[&str], variables: &[(&str, &str)]| {
        place.run_with(arguments, "", variables).contains('\u{1b}')
    };
    assert!(!seen(&["list", "words.rhai"], &[]), "a pipe is no terminal");
    assert!(seen(&["list", "words.rhai", "--color", "always"], &[]));
    assert!(!seen(&["list", "words.rhai"], &[("NO_COLOR", "1"), ("TERM", "xterm")]));
    assert!(!seen(&["list", "words.rhai", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!seen(&["check", "no.rhai"], &[("NO_COLOR", "1")]));
}

#[test]
fn results_reach_a_pipe_unchanged() {
    let script = "/// @tool\n/// @returns string\nfn raw() { \"\\x1b[1mbold\\x1b[0m\\ttab\" }\n";
    let place = Place::with(&[("raw.rhai", script)]);
    let seen = place.run(&["call", "raw.rhai"]);
    assert!(seen.contains("\u{1b}[1mbold\u{1b}[0m\ttab"), "{seen:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::with(&[("words.rhai", WORDS)]);
    let mut child = place
        .command(&["list", "words.rhai"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("peasy starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("peasy ends");
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn wrong_words_end_with_two() {
    let place = Place::new();
    for arguments in [&["lsit"][..], &[], &["call"], &["list", "--colour", "x"]] {
        let output = place.command(arguments).output().expect("peasy runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["call", "--help"], &["--version"]] {
        let output = place.command(arguments).output().expect("peasy runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn only_what_was_asked_for_is_written() {
    let place = Place::new();
    place.run(&["new", "greet", "--dir"]);
    let names: Vec<_> = fs::read_dir(place.work())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["greet"]);
    assert!(place.work().join("greet/main.rhai").is_file());
}

#[test]
fn a_checkout_of_any_kind_waits_for_trust() {
    for mark in [".git", ".hg", ".jj", ".svn", ".bzr", ".pijul", "_darcs", ".peasy"] {
        let place = Place::with(&[("evil/tools/guard.rhai", GUARD)]);
        fs::create_dir(place.work().join("evil").join(mark)).expect("a mark");
        let seen = place.run(&["list", "evil/tools"]);
        assert!(seen.contains("project:guard  inactive"), "{mark}: {seen}");
    }
    for mark in [".fslckout", "_FOSSIL_", ".git"] {
        let place = Place::with(&[("evil/tools/guard.rhai", GUARD), (&format!("evil/{mark}"), "")]);
        let seen = place.run(&["list", "evil/tools"]);
        assert!(seen.contains("project:guard  inactive"), "{mark}: {seen}");
    }
}

#[test]
fn no_relative_folder_is_anybodys_own() {
    let place = Place::with(&[("conf/features/guard.rhai", GUARD), (".git/config", "")]);
    for variable in ["PEASY_HOME", "XDG_CONFIG_HOME", "HOME"] {
        for folder in ["conf", "."] {
            let seen = place.run_with(&["list", "conf/features"], "", &[(variable, folder)]);
            assert!(seen.contains("project:guard  inactive"), "{variable}={folder}: {seen}");
            let seen = place.run_with(&["list"], "", &[(variable, folder)]);
            assert!(seen.contains("error[cli/no-features]"), "{variable}={folder}: {seen}");
        }
    }
}

#[test]
fn features_of_nobody_in_particular_are_not_found() {
    let place = Place::with(&[
        (".peasy/features/words.rhai", WORDS),
        ("repository/.hg/store", ""),
        ("repository/deep/note.txt", ""),
        ("plain/deep/note.txt", ""),
    ]);
    let seen = |folder: &str, home: &str| {
        let output = place
            .command(&["list"])
            .current_dir(place.work().join(folder))
            .env("HOME", place.work().join(home))
            .output()
            .expect("peasy runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(seen("plain/deep", "home").contains("project:word-count"));
    assert_eq!(seen("repository/deep", "home"), "", "the repository ends the search");
    assert_eq!(seen("plain/deep", "plain"), "", "the home folder ends the search");
    assert!(seen("plain/deep", "").contains("project:word-count"), "which is looked into itself");
}

#[test]
fn what_two_files_claim_is_an_error() {
    let count = "/// Count.\n/// @tool\nfn count() { 1 }\n";
    let place = Place::with(&[
        ("tools/a.rhai", count),
        ("tools/b.rhai", count),
        ("names/a.rhai", &format!("//! @feature greet\n{count}")),
        ("names/b.rhai", &format!("//! @feature greet 2.0\n{count}")),
    ]);
    pin!(
        "clash",
        place.run(&["check", "tools"]),
        place.run(&["check", "names"]),
        place.run(&["check", "names", "--json"]),
        place.run(&["list", "names"]),
        place.run(&["call", "names/a.rhai", "count"]),
        place.run(&["call", "greet"]),
    );
    for flags in [&["check", "tools"][..], &["check", "names", "--deny-warnings"]] {
        assert!(place.run(flags).ends_with("--- exit 1\n"), "{flags:?}");
    }
}

// The words are those of the system.
#[cfg(target_os = "linux")]
#[test]
fn links_that_lead_nowhere_are_said_to() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    symlink("loop.rhai", place.work().join("loop.rhai")).expect("a link");
    symlink("gone.rhai", place.work().join("dangling.rhai")).expect("a link");
    fs::create_dir(place.work().join("folder")).expect("a folder");
    symlink("gone.rhai", place.work().join("folder/main.rhai")).expect("a link");
    pin!(
        "links",
        place.run(&["check", "loop.rhai"]),
        place.run(&["check", "dangling.rhai"]),
        place.run(&["check", "folder"]),
        place.run(&["check", "loop.rhai/inner.rhai"]),
    );
}

#[test]
fn a_hook_is_not_asked_about_what_it_does_not_listen_for() {
    let narrow = GUARD.replace("kind=shell", "tools=fs_*,git kind=shell,file");
    let place = Place::with(&[("guard.rhai", GUARD), ("narrow.rhai", &narrow)]);
    let ask = |file: &str, words: &[&str]| {
        place.run(&[&["call", file], words, &["command=rm -rf ~"]].concat())
    };
    pin!(
        "hook_filter",
        ask("guard.rhai", &["kind=file"]),
        ask("guard.rhai", &["kind=file", "--json"]),
        ask("guard.rhai", &[]),
        ask("guard.rhai", &["kind=shel"]),
        ask("narrow.rhai", &["kind=file", "tool=fs_read"]),
        ask("narrow.rhai", &["kind=file", "tool=git_push"]),
        ask("narrow.rhai", &["kind=fetch", "tool=git"]),
    );
}

#[test]
fn json_is_answered_with_json() {
    let place = Place::with(&[("words.rhai", WORDS), ("broken.rhai", BROKEN)]);
    let answer = |arguments: &[&str]| {
        let output = place.command(arguments).output().expect("peasy runs");
        let answer: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}"));
        assert!(output.stderr.is_empty(), "{arguments:?}");
        (answer, output.status.code())
    };
    for command in ["check", "list", "test", "describe"] {
        let (found, code) = answer(&[command, "--json", "missing.rhai", "gone.rhai"]);
        let codes: Vec<_> =
            found["problems"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
        assert_eq!(codes, ["source/unreadable", "source/unreadable"], "{command}");
        assert_eq!((&found["features"], code), (&serde_json::json!([]), Some(2)), "{command}");

        let (found, code) = answer(&[command, "--json"]);
        assert_eq!(found["problems"][0]["code"], "cli/no-features", "{command}");
        assert_eq!(code, Some(2), "{command}");

        let (found, code) = answer(&[command, "--json", "words.rhai", "--limit", "tiem=1s"]);
        assert_eq!(found["problems"][0]["code"], "cli/usage", "{command}");
        assert_eq!((&found["features"], code), (&serde_json::json!([]), Some(2)), "{command}");

        let (found, code) = answer(&[command, "--json", "words.rhai", "missing.rhai"]);
        assert_eq!(found["problems"][0]["code"], "source/unreadable", "{command}");
        assert_eq!(found["features"][0]["path"], "words.rhai", "{command}");
        assert_eq!(code, Some(2), "{command}");
    }
    let (found, code) = answer(&["describe", "--json", "words.rhai", "broken.rhai"]);
    assert_eq!(found["features"][1]["errors"][0]["code"], "source/syntax");
    assert_eq!((&found["features"][1]["descriptor"], code), (&serde_json::Value::Null, Some(0)));
    let (found, code) = answer(&["describe", "--json", "broken.rhai"]);
    assert_eq!((found["features"][0]["errors"].is_array(), code), (true, Some(1)));
    let (found, code) = answer(&["describe", "--json", ".", "no_such_tool"]);
    assert_eq!((&found["problems"][0]["code"], code), (&"cli/usage".into(), Some(2)));
}

#[test]
fn what_is_shown_can_be_copied() {
    let odd = "/// @tool\n/// @param text string\n/// @param mode \"slow\" | \"very fast\" = \"slow\"\n\
        /// @param tags string[]\n/// @param place { city: string }\nfn odd(text, mode, tags, place) { 1 }\n";
    let place = Place::with(&[("my tools/odd one.rhai", odd), ("my tools/bad one.rhai", BROKEN)]);
    pin!(
        "copied",
        place.run(&["call", "my tools/odd one.rhai", "a b"]),
        place.run(&["call", "my tools/odd one.rhai", "odd", "a b"]),
        place.run(&["call", "my tools/odd one.rhai", "text=a"]),
        place.run(&["describe", "my tools/odd one.rhai", "odd"]),
        place.run(&["list", "my tools/bad one.rhai"]),
    );
}

#[test]
fn a_grant_that_nobody_asked_for_is_said() {
    let place = Place::with(&[("tell.rhai", NOTIFIER), ("words.rhai", WORDS)]);
    pin!(
        "unasked",
        place.run(&["call", "tell.rhai", "text=a", "--grant", "tell=emit"]),
        place.run(&["call", "words.rhai", "echo", "text=a", "--grant", "notify:model"]),
    );
}
