//! The features that are built in, as a person meets them: off at first, granted by name, called like any
//! other; and what the memory and the work items keep of calls that end in the middle.

use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A person with a home folder and a project.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        let person = Self(TempDir::new().expect("a folder for the test"));
        fs::create_dir_all(person.0.path().join("home")).expect("a home");
        fs::create_dir_all(person.0.path().join("project/.git")).expect("a project");
        fs::create_dir_all(person.0.path().join("project/src")).expect("a project");
        person
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.path().join("project").join(path), text).expect("a file of the project");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join("project").join(path)).expect("a file of the project")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("HOME", self.0.path().join("home"));
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.current_dir(self.0.path().join("project"));
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

    /// What a command prints that succeeds.
    fn gives(&self, arguments: &[&str]) -> String {
        let (code, text) = self.says(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text
    }

    /// The result of a call that succeeds.
    fn result(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["call", "--json"], arguments].concat());
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(output.status.success(), "{arguments:?}: {value}");
        value["result"].clone()
    }
}

#[test]
fn what_is_built_in_is_off_until_it_is_granted_something() {
    let person = Person::new();
    fs::create_dir_all(person.0.path().join("project/.peasy/features")).expect("a folder");
    // The name of a tool that is built in and off is free.
    person.write(
        ".peasy/features/mine.rhai",
        "/// Read.\n/// @tool\nfn read_file(path) { `mine ${path}` }\n",
    );
    let listed = person.gives(&["list"]);
    assert!(listed.contains("built in, and off: builtin:exec, builtin:fs"), "{listed}");
    assert!(person.gives(&["call", "read_file", "path=a"]).contains("mine a"));
    let all = person.gives(&["list", "--all"]);
    assert!(all.contains("builtin:exec  off"), "{all}");
    assert!(all.contains("peasy grant builtin:exec exec=PROGRAM"), "{all}");
    let (code, denied) = person.says(&["call", "builtin:fs", "read_file", "path=src/a.txt"]);
    assert_eq!(code, Some(3), "{denied}");
    assert!(denied.contains("peasy grant builtin:fs fs:read=GLOB"), "{denied}");
    fs::remove_file(person.0.path().join("project/.peasy/features/mine.rhai"))
        .expect("it is there");

    person.write("src/a.txt", "one\ntwo\n");
    let (code, unknown) = person.says(&["grant", "builtin:nope", "store"]);
    assert_eq!(code, Some(2), "{unknown}");
    for part in ["there is no `builtin:nope`", "there are `builtin:exec`, `builtin:fs`"] {
        assert!(unknown.contains(part), "{part}: {unknown}");
    }
    person.gives(&["grant", "builtin:fs", "fs:read=./src/**"]);
    assert_eq!(person.gives(&["call", "builtin:fs", "read_file", "path=src/a.txt"]), "one\ntwo\n");
    assert_eq!(person.gives(&["call", "read_file", "path=src/a.txt", "from=2"]), "two\n");
    let listed = person.gives(&["list"]);
    assert!(
        listed.contains("builtin:fs 1.0.0") && listed.contains("granted  fs:read=src/**"),
        "{listed}"
    );
    assert!(listed.contains("built in, and off: builtin:exec, builtin:memory"), "{listed}");
    // Reading was granted, and reading alone.
    let (code, denied) =
        person.says(&["call", "builtin:fs", "write_file", "path=src/b.txt", "content=x"]);
    assert!(code == Some(3) && denied.contains("fs:write=GLOB"), "{denied}");
    let (code, denied) = person.says(&["call", "builtin:fs", "read_file", "path=Cargo.toml"]);
    assert!(code == Some(3) && denied.contains("fs:read=Cargo.toml"), "{denied}");

    person.gives(&["disable", "builtin:fs"]);
    assert!(person.gives(&["list", "--all"]).contains("builtin:fs"));
    let (code, _) = person.says(&["call", "builtin:fs", "read_file", "path=src/a.txt"]);
    assert_ne!(code, Some(0));
    person.gives(&["enable", "builtin:fs"]);
    person.gives(&["revoke", "builtin:fs"]);
    let listed = person.says(&["list"]).1;
    assert!(!listed.contains("builtin:fs 1.0.0"), "{listed}");
    let policy = fs::read_to_string(person.0.path().join("home/.config/peasy/policy.toml"));
    assert!(!policy.expect("the policy").contains("root"), "what is built in lies in no folder");
}

#[test]
fn a_scope_is_named_by_every_grant_and_by_every_other_feature() {
    let person = Person::new();
    for (grant, form) in
        [("exec", "exec=PROGRAM"), ("fs:read", "fs:read=GLOB"), ("http", "http=HOST")]
    {
        let (code, refused) = person.says(&["grant", "builtin:exec", grant]);
        assert!(code == Some(2) && refused.contains(form), "{refused}");
        person
            .write("greedy.rhai", &format!("//! @request {grant}\n\n/// @tool\nfn go() {{ 1 }}\n"));
        let (code, refused) = person.says(&["check", "greedy.rhai"]);
        assert!(code == Some(1) && refused.contains("capability/malformed"), "{refused}");
    }
    assert!(person.says(&["call", "builtin:memroy", "recall"]).1.contains("builtin:memory"));
}

#[test]
fn files_are_edited_searched_and_found() {
    let person = Person::new();
    person.write("src/a.rs", "fn main() {\n    old();\n}\n");
    person.write("src/b.rs", "fn other() { old(); }\n");
    person.gives(&["grant", "builtin:fs", "fs:read=**", "fs:write=src/**"]);
    let edit =
        ["builtin:fs", "edit_file", "path=src/a.rs", "old_text=    old();", "new_text=    new();"];
    let shown = person.result(&[&edit[..], &["dry_run=true"]].concat());
    assert_eq!((&shown["written"], &shown["replaced"]), (&json!(false), &json!(1)));
    assert!(shown["diff"].as_str().expect("a diff").contains("+    new();"), "{shown}");
    assert!(person.read("src/a.rs").contains("old"));
    person.result(&edit);
    assert_eq!(person.read("src/a.rs"), "fn main() {\n    new();\n}\n");
    let (code, refused) = person.says(&[&["call"], &edit[..]].concat());
    assert!(code == Some(2) && refused.contains("does not hold old_text"), "{refused}");

    let found = person.result(&["builtin:fs", "grep_files", "pattern=old|new", "files=src/*.rs"]);
    assert_eq!(found["found"], "src/a.rs\n2:     new();\n\nsrc/b.rs\n1: fn other() { old(); }");
    let found = person.result(&["builtin:fs", "grep_files", "pattern=fn", "show=files"]);
    assert_eq!((&found["found"], &found["files"]), (&json!("src/a.rs\nsrc/b.rs"), &json!(2)));
    let files = person.result(&["builtin:fs", "glob_files", "pattern=**/b.rs"]);
    assert_eq!(files, json!({ "files": ["src/b.rs"], "left_out": 0 }));
    let entries = person.result(&["builtin:fs", "list_files"]);
    assert_eq!(entries["entries"], json!([".git/", "src/"]));
    person.result(&["builtin:fs", "write_file", "path=src/new/c.txt", "content=é\n"]);
    assert_eq!(person.read("src/new/c.txt"), "é\n");
    let (code, denied) =
        person.says(&["call", "builtin:fs", "write_file", "path=d.txt", "content=x"]);
    assert!(code == Some(3) && denied.contains("fs:write=d.txt"), "{denied}");
}

#[test]
fn programs_run_by_name_and_no_others() {
    let person = Person::new();
    person.gives(&["grant", "builtin:exec", "exec=sort"]);
    let call = ["builtin:exec", "run_program", "program=sort"];
    // A person is asked before each call, and here there is none.
    let (code, asked) = person.says(&[&["call"], &call[..]].concat());
    assert!(code != Some(0) && asked.contains("ask/unanswered"), "{asked}");
    person.gives(&["permission", "allow", "run_program"]);
    let done = person.result(&[&call[..], &["arguments=[\"-r\"]", "input=a\nb\n"]].concat());
    assert_eq!(done, json!({ "status": 0, "stdout": "b\na\n", "stderr": "" }));
    // A guard of commands sees the line.
    fs::create_dir_all(person.0.path().join("home/.config/peasy/features")).expect("a folder");
    let guard = "/// @hook pre_tool_call kind=shell\nfn guard(event) { if event.command.contains(\"-u\") { deny(\"not -u\") } }\n";
    fs::write(person.0.path().join("home/.config/peasy/features/guard.rhai"), guard)
        .expect("a hook");
    let (code, denied) = person.says(&["call", "run_program", "program=sort", "arguments=-u"]);
    assert!(code == Some(3) && denied.contains("not -u"), "{denied}");
    let (code, denied) = person.says(&["call", "builtin:exec", "run_program", "program=env"]);
    assert!(code == Some(3) && denied.contains("peasy grant builtin:exec exec=env"), "{denied}");
    let (code, refused) = person.says(&["call", "builtin:exec", "run_program", "program=sort -r"]);
    assert!(code == Some(2) && refused.contains("a line for a shell"), "{refused}");
}

#[test]
fn notes_and_items_outlast_the_process_and_belong_to_the_project() {
    let person = Person::new();
    person.gives(&["grant", "builtin:memory", "memory"]);
    person.gives(&["grant", "builtin:work-item", "workitem"]);
    let text = "text=The tests are running against Postgres.";
    assert_eq!(person.result(&["remember", text, "tags=[\"tests\"]"]), json!({ "id": 1 }));
    person.result(&["remember", "text=Release notes are in docs; naïve ones too."]);
    // Words are found by their stems, their beginnings, and without accents.
    for (words, id) in [("run test", 1), ("postg", 1), ("naive", 2), ("releases \" OR NEAR(", 2)] {
        let notes = person.result(&["recall", &format!("words={words}")]);
        assert_eq!(notes["notes"][0]["id"], id, "{words}: {notes}");
    }
    assert_eq!(person.result(&["forget", "id=1"]), json!({ "forgotten": true }));
    assert_eq!(person.result(&["recall", "words=postgres"])["notes"], json!([]));
    assert_eq!(person.result(&["remember", "text=new"]), json!({ "id": 3 }));

    let made = person.result(&["create_work_item", "title=Mend the build", "labels=[\"ci\"]"]);
    assert_eq!(made, json!({ "id": 1 }));
    person.result(&["comment_work_item", "id=1", "text=Only on Windows"]);
    person.result(&["update_work_item", "id=1", "status=blocked"]);
    let items = person.result(&["list_work_items", "words=windows"]);
    assert_eq!(items["items"][0]["status"], "blocked");

    // A folder of the project is the same place, and another project is another.
    let below = person
        .command(&["call", "list_memories"])
        .current_dir(person.0.path().join("project/src"))
        .output();
    assert!(String::from_utf8_lossy(&below.expect("it runs").stdout).contains("naïve"));
    fs::create_dir_all(person.0.path().join("other/.git")).expect("another project");
    let other = person
        .command(&["call", "list_memories"])
        .current_dir(person.0.path().join("other"))
        .output();
    assert!(!String::from_utf8_lossy(&other.expect("it runs").stdout).contains("naïve"));
}

#[test]
fn who_may_only_look_changes_nothing() {
    let person = Person::new();
    person.gives(&["grant", "builtin:memory", "memory:read"]);
    assert_eq!(person.result(&["recall", "words=a"])["notes"], json!([]));
    let (code, denied) = person.says(&["call", "builtin:memory", "remember", "text=a"]);
    assert!(code == Some(3) && denied.contains("peasy grant builtin:memory memory"), "{denied}");
}

const KEEPER: &str = r#"//! @request store
//! @request memory
//! @request workitem

/// Keep something everywhere.
/// @tool
/// @returns int
fn keep() {
    let note = memory::remember("note " + store::incr("n"));
    let item = workitem::create(#{ title: "item" });
    if memory::list().len() != note.id { fail("what was staged is not seen") }
    item.id
}

/// The same in another order, and with a read before.
/// @tool
fn keep_backwards() {
    workitem::list();
    workitem::create(#{ title: "item" });
    memory::remember("note");
    store::incr("n")
}

/// Keep something and fail.
/// @tool
fn keep_and_fail() {
    memory::remember("note");
    workitem::create(#{ title: "item" });
    fail("no")
}

/// How much there is of each.
/// @tool
/// @returns int[]
fn kept() { [store::get("n", 0), memory::list(#{ most: 200 }).len(), workitem::list(#{ most: 200 }).len()] }

/// How many notes there are; nothing else is looked at.
/// @tool
/// @returns int
fn notes() { memory::list(#{ most: 200 }).len() }
"#;

fn keeper() -> Person {
    let person = Person::new();
    fs::remove_dir(person.0.path().join("project/.git")).expect("it is empty");
    person.write("keeper.rhai", KEEPER);
    person.gives(&["grant", "keeper.rhai", "memory", "workitem"]);
    person
}

#[test]
fn a_call_that_fails_keeps_nothing_anywhere() {
    let person = keeper();
    assert_eq!(person.says(&["call", "keeper.rhai", "keep_and_fail"]).0, Some(2));
    assert_eq!(person.result(&["keeper.rhai", "kept"]), json!([0, 0, 0]));
    assert_eq!(person.result(&["keeper.rhai", "keep"]), json!(1));
    assert_eq!(person.result(&["keeper.rhai", "kept"]), json!([1, 1, 1]));
    assert_eq!(person.result(&["keeper.rhai", "keep"]), json!(2));
}

#[test]
fn a_process_that_dies_at_a_step_leaves_all_of_a_call_in_all_stores_or_nothing() {
    for (step, kept) in [("intent", 0), ("prepared", 0), ("commit", 1), ("settled", 1), ("done", 1)]
    {
        for look in ["kept", "notes", "keep"] {
            let person = keeper();
            let died = person
                .command(&["call", "keeper.rhai", "keep"])
                .env("PEASY_TEST_DIE_AFTER", step)
                .output()
                .expect("the command starts");
            assert_eq!(died.status.code(), None, "{step}: it was ended by a signal");
            // Whoever looks first brings it to an end, whichever of the stores that is.
            let found = person.result(&["keeper.rhai", look]);
            match look {
                "notes" => assert_eq!(found, json!(kept), "{step}"),
                "keep" => assert_eq!(found, json!(kept + 1), "{step}"),
                _ => (),
            }
            let all = kept + u64::from(look == "keep");
            assert_eq!(
                person.result(&["keeper.rhai", "kept"]),
                json!([all, all, all]),
                "{step} {look}"
            );
            let verified = person.gives(&["log", "verify", "--json"]);
            let verified: Value = serde_json::from_str(&verified).expect("JSON");
            assert_eq!(verified["findings"], json!([]), "{step} {look}");
        }
    }
}

#[test]
fn another_feature_sees_what_a_dead_call_of_a_feature_committed() {
    let person = keeper();
    person.gives(&["grant", "builtin:memory", "memory"]);
    let died = person
        .command(&["call", "keeper.rhai", "keep"])
        .env("PEASY_TEST_DIE_AFTER", "commit")
        .status()
        .expect("the command starts");
    assert_eq!(died.code(), None);
    let notes = person.result(&["builtin:memory", "list_memories"]);
    assert_eq!(notes["notes"][0]["text"], "note 1", "{notes}");
}

#[test]
fn several_processes_share_the_memory_and_the_items_in_any_order() {
    let person = keeper();
    std::thread::scope(|scope| {
        for tool in ["keep", "keep_backwards", "keep", "keep_backwards"] {
            let person = &person;
            scope.spawn(move || {
                for _ in 0..4 {
                    let said = person.says(&["call", "keeper.rhai", tool, "--limit", "time=120s"]);
                    assert_eq!(said.0, Some(0), "{said:?}");
                }
            });
        }
    });
    assert_eq!(person.result(&["keeper.rhai", "kept"]), json!([16, 16, 16]));
}
