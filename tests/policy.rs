//! What features may do, as a person decides it: denied first, granted with the command that the
//! message gave, taken back, and bound to what was read.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

const TELLER: &str = r#"//! @request notify:model
//! @request store

/// Tell the model.
/// @tool
fn tell() { notify::model("hello"); store::incr("n") }

/// Only compute.
/// @tool
fn add(a, b) { a + b }

/// @hook pre_tool_call
fn guard(event) { if event.tool == "rm" { return deny("no") } }
"#;

/// A person with a home folder and a project.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let person = Self(folder);
        fs::create_dir_all(person.project().join(".git")).expect("a project");
        fs::create_dir_all(person.0.path().join("home")).expect("a home");
        person.write(TELLER);
        person
    }

    fn project(&self) -> PathBuf {
        self.0.path().join("project")
    }

    fn write(&self, text: &str) {
        fs::write(self.project().join("teller.rhai"), text).expect("a feature");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("HOME", self.0.path().join("home"));
        command.current_dir(self.project());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command runs")
    }

    /// Exit code, and both streams.
    fn says(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&all).into_owned())
    }

    /// As [`Self::says`], at a terminal where `typed` was typed ahead.
    #[cfg(unix)]
    fn says_at_terminal(&self, arguments: &[&str], typed: &str) -> (Option<i32>, String) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use std::io::{Read, Write};
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let terminal = openpt(flags).expect("a terminal");
        grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let name = name.into_string().expect("UTF-8");
        let side = || fs::OpenOptions::new().read(true).write(true).open(&name).expect("it opens");
        let mut terminal = fs::File::from(terminal);
        let mut child = self
            .command(arguments)
            .stdin(side())
            .stdout(std::process::Stdio::piped())
            .stderr(side())
            .spawn()
            .expect("the command runs");
        terminal.write_all(typed.as_bytes()).expect("it takes what is typed");
        let mut said = String::new();
        // The other side is gone with the command; what it wrote is read before that is told.
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            said.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        let mut result = String::new();
        let mut out = child.stdout.take().expect("a pipe");
        out.read_to_string(&mut result).expect("text");
        (child.wait().expect("it ends").code(), format!("{result}{said}"))
    }

    /// The command that a message tells to run.
    fn advised(&self, text: &str) -> Vec<String> {
        let start = text.find("`peasy ").expect("a command") + "`peasy ".len();
        let command = text[start..].split('`').next().expect("an end");
        command.split(' ').map(str::to_owned).collect()
    }

    fn follow(&self, text: &str) {
        let advised = self.advised(text);
        let words: Vec<_> = advised.iter().map(String::as_str).collect();
        let (exit, said) = self.says(&words);
        assert_eq!(exit, Some(0), "{advised:?}: {said}");
    }
}

#[cfg(feature = "mcp")]
#[test]
fn what_waits_for_grants_is_one_line_at_each_start() {
    let person = Person::new();
    let (_, said) = person.says(&["serve", "teller.rhai"]);
    let note = "note: 1 feature waits for grants, hooks among them: `peasy list teller.rhai`\n";
    assert!(said.contains(note), "{said}");
    assert!(!said.contains("[grant/"), "{said}");
    assert_eq!(person.says(&["trust", "."]).0, Some(0));
    assert_eq!(person.says(&["grant", "teller.rhai", "notify:model"]).0, Some(0));
    let (_, said) = person.says(&["serve", "teller.rhai"]);
    assert!(!said.contains("for grants"), "{said}");
}

#[test]
fn what_is_denied_is_granted_by_the_command_in_the_message() {
    let person = Person::new();
    let call = ["call", "teller.rhai", "tell"];
    assert_eq!(person.says(&["call", "teller.rhai", "add", "a=1", "b=2"]), (Some(0), "3\n".into()));
    // Two requests, and one command that ends both denials.
    let (exit, said) = person.says(&call);
    assert_eq!(exit, Some(3), "{said}");
    let both = "`tell` needs `notify:model` and `store`, which are not granted";
    assert!(said.contains(both), "{said}");
    // Whoever asks what it has is told the same command, and a listing says it once.
    let (_, shown) = person.says(&["grant", "teller"]);
    let all = "`peasy grant project:teller notify:model store`";
    assert!(shown.contains("  store  not granted\n") && shown.contains(all), "{shown}");
    let (_, listed) = person.says(&["list", "teller.rhai"]);
    assert!(listed.contains(all) && !listed.contains("denied"), "{listed}");
    person.follow(&said);
    assert!(!person.says(&["grant", "teller"]).1.contains("not granted"));
    assert_eq!(person.says(&call), (Some(0), "1\nfor the model: hello\n".into()));
    let (_, said) = person.says(&["grant", "teller"]);
    assert!(said.contains("notify:model  granted"), "{said}");

    assert_eq!(person.says(&["revoke", "teller", "notify:model"]).0, Some(0));
    assert_eq!(person.says(&call).0, Some(3));
    assert_eq!(
        person.says(&["revoke", "teller", "notify:model"]).0,
        Some(2),
        "there is nothing left"
    );
    assert_eq!(person.says(&["trust", "--undo"]).0, Some(0));
    assert_eq!(person.says(&["call", "teller.rhai", "guard", "tool=rm"]).0, Some(3));
}

#[cfg(unix)]
#[test]
fn at_a_terminal_a_person_is_asked() {
    let person = Person::new();
    let call = ["call", "teller.rhai", "tell"];
    for no in ["n\n", "\n", "\u{4}"] {
        let (exit, said) = person.says_at_terminal(&call, no);
        assert_eq!(exit, Some(3), "{said}");
        assert!(said.contains("Allow it?") && said.contains("allow it with"), "{said}");
    }
    // What is allowed once is asked again; a word that is no answer is asked again at once.
    for _ in 0..2 {
        let (exit, said) = person.says_at_terminal(&call, "what\no\n");
        assert_eq!(exit, Some(0), "{said}");
        assert_eq!(said.matches("Allow it?").count(), 2, "both at once: {said}");
    }
    assert_eq!(person.says(&call).0, Some(3), "nothing was written down");
    let (exit, said) = person.says_at_terminal(&call, "a\n");
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("`peasy revoke project:teller notify:model store`"), "{said}");
    assert_eq!(person.says(&call).0, Some(0), "it was written down");
    let guard = ["call", "teller.rhai", "guard", "tool=rm"];
    assert_eq!(person.says_at_terminal(&guard, "a\n").0, Some(0), "the project is trusted");
    let (exit, said) = person.says_at_terminal(&guard, "");
    assert_eq!((exit, said.contains("Allow it?")), (Some(0), false), "{said}");
    // A program that reads the answer is never asked.
    assert_eq!(person.says(&["revoke", "teller"]).0, Some(0));
    let json = ["call", "--json", "teller.rhai", "tell"];
    assert!(!person.says_at_terminal(&json, "a\n").1.contains("Allow it?"));
}

/// Elsewhere no folder has such a name.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_whose_name_is_no_text_loses_nothing() {
    use std::os::unix::ffi::OsStrExt;
    let person = Person::new();
    assert_eq!(person.says(&["grant", "teller.rhai", "store"]).0, Some(0));
    assert_eq!(person.says(&["call", "teller.rhai", "add", "a=1", "b=2"]).0, Some(0));
    let policy =
        || fs::read(person.0.path().join("home/.config/peasy/policy.toml")).expect("it is there");
    let before = policy();
    let strange = person.0.path().join(std::ffi::OsStr::from_bytes(b"pro\xffject"));
    fs::create_dir_all(strange.join(".git")).expect("a project");
    fs::write(strange.join("teller.rhai"), TELLER).expect("a feature");
    let says = |arguments: &[&str]| {
        let output = person.command(arguments).current_dir(&strange).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    for change in [
        &["trust"][..],
        &["trust", "--undo"],
        &["grant", "teller.rhai", "store"],
        &["revoke", "teller.rhai"],
        &["disable", "teller.rhai"],
        &["enable", "teller.rhai"],
    ] {
        let (exit, said) = says(change);
        assert!(exit == Some(2) && said.contains("error[config/root]"), "{change:?}: {said}");
    }
    assert_eq!(policy(), before, "nothing was written down");
    // It computes, and that is on record; what would be kept is refused.
    assert_eq!(says(&["call", "teller.rhai", "add", "a=1", "b=2"]), (Some(0), "3\n".into()));
    let (exit, said) = says(&["call", "teller.rhai", "tell", "--trust", "--grant", "notify:model"]);
    assert!(exit == Some(2) && said.contains("error[store/root]"), "{said}");
    assert_eq!(says(&["list", "teller.rhai"]).0, Some(0));
    let (exit, verified) = says(&["log", "verify"]);
    assert!(exit == Some(0) && verified.contains("3 calls"), "{verified}");
    // The others are met and granted as before.
    let (exit, said) = person.says(&["grant", "teller"]);
    assert!(exit == Some(0) && said.contains("store  granted"), "{said}");
}

#[test]
fn a_feature_is_switched_off_and_on() {
    let person = Person::new();
    let call = ["call", "teller.rhai", "add", "a=1", "b=2"];
    assert_eq!(person.says(&["disable", "teller.rhai"]).0, Some(0));
    let (exit, said) = person.says(&call);
    assert_eq!(exit, Some(3), "{said}");
    person.follow(&said);
    assert_eq!(person.says(&call).0, Some(0));
}

#[test]
fn what_reaches_the_world_is_granted_for_the_text_that_was_read() {
    let person = Person::new();
    let text = TELLER.replace("notify:model", "exec=git");
    let text =
        text.replace("notify::model(\"hello\");", "if granted(\"exec=git\") { return 1 } 0;");
    person.write(&text);
    person.says(&["trust"]);
    assert_eq!(person.says(&["grant", "teller.rhai", "exec=git"]).0, Some(0));
    let (_, said) = person.says(&["list", "teller.rhai"]);
    assert!(!said.contains("grant/stale") && said.contains("exec=git"), "{said}");
    person.write(&(text + "\n// another text\n"));
    let (_, said) = person.says(&["list", "teller.rhai"]);
    assert!(said.contains("warning[grant/stale]"), "{said}");
    person.follow(said.split("grant/stale").nth(1).expect("a warning"));
    let (_, said) = person.says(&["list", "teller.rhai"]);
    assert!(!said.contains("grant/stale"), "{said}");
}

#[test]
fn a_project_grants_itself_nothing() {
    let person = Person::new();
    for folder in [".config/peasy", ".peasy", "."] {
        let folder = person.project().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let root = person.project().canonicalize().expect("it is there");
        let policy = format!(
            "trusted = [\"{0}\"]\n[[feature]]\nid = \"project:teller\"\nroot = \"{0}\"\ngrants = [\"notify:model\"]\n",
            root.display()
        );
        fs::write(folder.join("policy.toml"), policy).expect("a file");
    }
    assert_eq!(person.says(&["call", "teller.rhai", "tell"]).0, Some(3));
}

#[test]
fn a_policy_that_cannot_be_understood_stops_everything() {
    let person = Person::new();
    let folder = person.0.path().join("home/.config/peasy");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("policy.toml"), "trusted = 1").expect("a file");
    let (exit, said) = person.says(&["call", "teller.rhai", "add", "a=1", "b=2"]);
    assert!(exit == Some(2) && said.contains("error[config/policy]"), "{said}");
}

#[test]
fn settings_hold_for_every_command_and_flags_go_before_them() {
    let person = Person::new();
    let folder = person.0.path().join("home/.config/peasy");
    fs::create_dir_all(&folder).expect("a folder");
    let settings = |text: &str| fs::write(folder.join("config.toml"), text).expect("a file");
    settings("durability = \"always\"\nisolate = \"process\"\n[limits]\noperations = 1\n");
    let call = ["call", "teller.rhai", "add", "a=1", "b=2"];
    let (exit, said) = person.says(&call);
    assert_eq!((exit, said.contains("limit/operations")), (Some(1), true), "{said}");
    let more = [&call[..], &["--limit", "operations=1000"]].concat();
    assert_eq!(person.says(&more), (Some(0), "3\n".into()));
    settings("isolate = \"proces\"");
    for command in [&call[..], &["list"], &["check", "teller.rhai"]] {
        let (exit, said) = person.says(command);
        assert_eq!((exit, said.contains("config/settings")), (Some(2), true), "{said}");
    }
}
