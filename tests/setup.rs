//! The commands that set things up: `init`, `completions`, `mcp install`, `doctor`. What they write,
//! what they leave alone, and what they refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A person with a home folder and a work folder.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        for name in ["home", "work"] {
            fs::create_dir(folder.path().join(name)).expect("an empty folder");
        }
        Self(folder)
    }

    fn home(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the folder").join("home")
    }

    fn work(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the folder").join("work")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder takes it");
        fs::write(&file, text).expect("the folder takes it");
        file
    }

    fn read(&self, name: &str) -> String {
        let file = self.0.path().join(name);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).current_dir(self.work()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.home()).env("PATH", "/usr/bin:/bin");
        command
    }

    /// The exit code and both streams, with the folders of the test by name.
    fn says(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("the command runs");
        let all = [stdout, stderr].concat();
        (status.code(), self.named(&String::from_utf8_lossy(&all)))
    }

    fn named(&self, text: &str) -> String {
        let text = text.replace(&self.home().display().to_string(), "HOME");
        let text = text.replace(&self.work().display().to_string(), "WORK");
        text.replace(env!("CARGO_BIN_EXE_peasy"), "PEASY")
    }
}

/// Every file below a folder, with its text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
    found.sort();
    found
}

#[test]
fn a_project_begins_with_a_feature_that_works() {
    let person = Person::new();
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("wrote .peasy/features/greet.rhai"), "{said}");
    let (code, said) = person.says(&["check"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = person.says(&["test"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = person.says(&["call", ".peasy/features/greet.rhai", "name=World"]);
    assert_eq!((code, &*said), (Some(0), "Hello, World!\n"));
}

#[test]
fn a_project_is_begun_again_without_a_change() {
    let person = Person::new();
    person.write("work/.peasy/README.md", "ours\n");
    person.write("work/.peasy/features/own.rhai", "/// Say it.\n/// @tool\nfn own() { 1 }\n");
    let before = files(&person.work());
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(files(&person.work()), before);
}

#[test]
fn a_project_is_not_begun_where_it_would_do_harm() {
    let person = Person::new();
    let home = person.home().display().to_string();
    let (code, said) = person.says(&["init", &home]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error[cli/usage]: the home folder is no project"), "{said}");
    assert_eq!(files(&person.home()), []);
    person.write("work/.peasy", "a file");
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error[cli/unwritable]"), "{said}");
    assert_eq!(person.read("work/.peasy"), "a file");
}

#[test]
fn a_part_of_a_project_is_said_to_be_one() {
    let person = Person::new();
    fs::create_dir(person.work().join(".git")).expect("an empty folder");
    let (code, said) = person.says(&["init", "part/of it", "--bare"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("  cd 'part/of it'\n"), "{said}");
    assert_eq!(files(&person.work()), [], "bare means bare");
    assert!(person.work().join("part/of it/.peasy/features").is_dir());
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = person.command(&["completions", shell]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert_eq!(output.stderr, b"", "{shell}: the hint is for terminals");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        for word in ["describe", "deny-warnings", "completions", "verify"] {
            assert!(text.contains(word), "{shell} does not know `{word}`");
        }
        assert!(!text.contains("sandbox-process"), "{shell} offers what is not for people");
    }
    let (code, said) = person.says(&["completions", "tcsh"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("possible values: bash, elvish, fish, powershell, zsh"), "{said}");
}

#[test]
fn a_shell_reads_its_completions() {
    let person = Person::new();
    let output = person.command(&["completions", "bash"]).output().expect("it runs");
    let script = person.write("work/peasy.bash", &String::from_utf8_lossy(&output.stdout));
    // Asked as bash asks: what may follow `peasy des`.
    let ask = format!(
        "source '{}'; COMP_WORDS=(peasy des); COMP_CWORD=1; _peasy peasy des peasy; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let Ok(answer) = Command::new("bash").args(["-c", &ask]).output() else { return };
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "describe\n");
}

const GREET: &str = "/// Greet.\n/// @tool\nfn greet() { \"hello\" }\n";

/// Installs `greet.rhai` for a client whose file holds `before`, and gives the file.
fn installed(person: &Person, client: &str, file: &str, before: Option<&str>) -> String {
    person.write("work/greet.rhai", GREET);
    if let Some(before) = before {
        person.write(file, before);
    }
    let (code, said) = person.says(&["mcp", "install", client, "greet.rhai"]);
    assert_eq!(code, Some(0), "{client}: {said}");
    assert!(
        said.contains(&format!("undo       peasy mcp uninstall {client} --name greet")),
        "{said}"
    );
    person.named(&person.read(file))
}

#[test]
fn each_client_gets_its_own_words() {
    for (client, file, expected) in [
        (
            "claude-code",
            "home/.claude.json",
            "{\n  \"mcpServers\": {\n    \"greet\": {\n      \"type\": \"stdio\",\n      \"command\": \"PEASY\",\n      \
             \"args\": [\"serve\", \"WORK/greet.rhai\"]\n    }\n  }\n}\n",
        ),
        (
            "codex",
            "home/.codex/config.toml",
            "[mcp_servers.greet]\ncommand = \"PEASY\"\nargs = [\"serve\", \"WORK/greet.rhai\"]\n",
        ),
        (
            "cursor",
            "home/.cursor/mcp.json",
            "{\n  \"mcpServers\": {\n    \"greet\": {\n      \"type\": \"stdio\",\n      \"command\": \"PEASY\",\n      \
             \"args\": [\"serve\", \"WORK/greet.rhai\"]\n    }\n  }\n}\n",
        ),
        #[cfg(target_os = "linux")]
        (
            "zed",
            "home/.config/zed/settings.json",
            "{\n  \"context_servers\": {\n    \"greet\": {\n      \"command\": \"PEASY\",\n      \
             \"args\": [\"serve\", \"WORK/greet.rhai\"]\n    }\n  }\n}\n",
        ),
        #[cfg(unix)]
        (
            "opencode",
            "home/.config/opencode/opencode.json",
            "{\n  \"mcp\": {\n    \"greet\": {\n      \"type\": \"local\",\n      \"command\": [\"PEASY\", \"serve\", \
             \"WORK/greet.rhai\"],\n      \"enabled\": true\n    }\n  }\n}\n",
        ),
        #[cfg(target_os = "linux")]
        (
            "vscode",
            "home/.config/Code/User/mcp.json",
            "{\n  \"servers\": {\n    \"greet\": {\n      \"type\": \"stdio\",\n      \"command\": \"PEASY\",\n      \
             \"args\": [\"serve\", \"WORK/greet.rhai\"]\n    }\n  }\n}\n",
        ),
    ] {
        let person = Person::new();
        assert_eq!(installed(&person, client, file, None), expected, "{client}");
        let (code, said) = person.says(&["mcp", "install", client, "greet.rhai"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nothing was changed"), "{client}: {said}");
        assert_eq!(person.named(&person.read(file)), expected, "{client}");
    }
}

#[test]
fn what_stands_in_a_file_stays_to_the_letter() {
    let person = Person::new();
    let settings = "// My settings.\n{\n    \"theme\": \"One\", // dark\n    \"context_servers\": {\n        /* the old one */\n        \
                    \"other\": { \"command\": \"npx\", \"args\": [\"a\"], },\n    },\n    \"vim_mode\": true,\n}\n";
    let after = installed(&person, "zed", "home/.config/zed/settings.json", Some(settings));
    let new = "        \"greet\": {\n            \"command\": \"PEASY\",\n            \
               \"args\": [\"serve\", \"WORK/greet.rhai\"],\n        },\n";
    let expected = settings.replace("\"a\"], },\n    },", &format!("\"a\"], }},\n{new}    }},"));
    assert_eq!(after, expected);

    let config = "# mine\r\nmodel = \"m\" # best\r\n\r\n[mcp_servers.other]\r\ncommand = \"npx\"\r\n\r\n[tui]\r\ntheme = \"x\"\r\n";
    let after = installed(&person, "codex", "home/.codex/config.toml", Some(config));
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
    for line in config.lines() {
        assert!(after.lines().any(|other| other == line), "{line:?} is lost:\n{after}");
    }
    assert!(after.contains("[mcp_servers.greet]\r\ncommand = \"PEASY\"\r\n"), "{after}");

    let windows = "{\r\n\t\"mcpServers\": {}\r\n}\r\n";
    let after = installed(&person, "cursor", "home/.cursor/mcp.json", Some(windows));
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
    assert!(after.contains("\r\n\t\t\"greet\": {\r\n"), "{after:?}");
}

#[test]
fn the_second_shape_of_opencode_is_kept() {
    let person = Person::new();
    let before = "{\n  \"mcp\": {\n    \"servers\": {\n      \"a\": { \"type\": \"local\", \"command\": [\"x\"] }\n    }\n  }\n}\n";
    let after =
        installed(&person, "opencode", "home/.config/opencode/opencode.jsonc", Some(before));
    let read: serde_json::Value = serde_json::from_str(&after).expect("JSON");
    assert_eq!(read["mcp"]["servers"]["greet"]["command"][0], "PEASY", "{after}");
    assert_eq!(read["mcp"]["servers"]["greet"].get("enabled"), None);
    let (code, said) = person.says(&["mcp", "uninstall", "opencode", "--name", "greet"]);
    assert_eq!(code, Some(0), "{said}");
    let back = person.read("home/.config/opencode/opencode.jsonc");
    let (back, before): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&back).expect("JSON"), serde_json::from_str(before).expect("JSON"));
    assert_eq!(back, before);
}

#[test]
fn a_file_that_cannot_be_understood_is_not_touched() {
    for (client, file, text) in [
        ("claude-code", "home/.claude.json", "{ \"mcpServers\": {"),
        ("claude-code", "home/.claude.json", "[]"),
        ("cursor", "home/.cursor/mcp.json", "{ \"mcpServers\": [] }"),
        ("cursor", "home/.cursor/mcp.json", "{ \"mcpServers\": {}, \"mcpServers\": {} }"),
        ("cursor", "home/.cursor/mcp.json", "{ mcpServers: {} }"),
        ("codex", "home/.codex/config.toml", "model = "),
        ("codex", "home/.codex/config.toml", "mcp_servers = 1"),
    ] {
        let person = Person::new();
        person.write("work/greet.rhai", GREET);
        person.write(file, text);
        let (code, said) = person.says(&["mcp", "install", client, "greet.rhai", "--force"]);
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.contains("error[mcp/client-file]"), "{text}: {said}");
        assert_eq!(person.read(file), text);
        let (code, said) = person.says(&["mcp", "list"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("warning[mcp/client-file]"), "{text}: {said}");
    }
}

#[test]
fn a_name_that_is_taken_is_not_taken_away() {
    let person = Person::new();
    person.write("work/greet.rhai", GREET);
    let file = "home/.cursor/mcp.json";
    let before =
        "{ \"mcpServers\": { \"greet\": { \"command\": \"npx\", \"args\": [\"greet it\"] } } }\n";
    person.write(file, before);
    let (code, said) = person.says(&["mcp", "install", "cursor", "greet.rhai"]);
    assert_eq!(code, Some(2), "{said}");
    for words in
        ["error[mcp/client-name]", "it has  npx 'greet it'", "not     PEASY serve WORK/greet.rhai"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(person.read(file), before);
    let (code, said) = person.says(&["mcp", "uninstall", "cursor", "--name", "greet"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("does not run peasy"), "{said}");
    assert_eq!(person.read(file), before);
    let (code, said) = person.says(&["mcp", "install", "cursor", "greet.rhai", "--force"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("changed `greet`"), "{said}");
    assert!(person.named(&person.read(file)).contains("\"command\": \"PEASY\""));
    let (code, said) = person.says(&["mcp", "uninstall", "cursor"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("as `greet`: `peasy mcp uninstall cursor --name greet`"), "{said}");
    let (code, said) = person.says(&["mcp", "uninstall", "cursor", "--name", "greet"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = person.says(&["mcp", "uninstall", "cursor", "--name", "greet"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no server `greet`"), "{said}");
    assert!(said.contains("nothing there runs peasy; `peasy mcp list`"), "{said}");
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let person = Person::new();
    person.write("work/greet.rhai", GREET);
    let config = "# mine\nmodel = \"m\"\n";
    person.write("home/.codex/config.toml", config);
    let (code, said) = person.says(&["mcp", "install", "codex", "greet.rhai", "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "--- HOME/.codex/config.toml\n",
        " # mine\n",
        "+[mcp_servers.greet]\n",
        "+command = \"PEASY\"\n",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(person.read("home/.codex/config.toml"), config);
    let (code, said) = person.says(&["mcp", "install", "claude-code", "greet.rhai", "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!person.home().join(".claude.json").exists(), "{said}");
}

#[test]
fn a_project_has_its_own_file_and_its_own_features() {
    let person = Person::new();
    let (code, said) = person.says(&["mcp", "install", "claude-code", "--project"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("peasy init"), "{said}");
    assert_eq!(person.says(&["init"]).0, Some(0));
    let (code, said) = person.says(&["mcp", "install", "claude-code"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("written down with `--project`"), "{said}");
    let (code, said) = person.says(&["mcp", "install", "claude-code", "--project"]);
    assert_eq!(code, Some(0), "{said}");
    let file = person.named(&person.read("work/.mcp.json"));
    assert!(file.contains("\"peasy\": {") && file.contains("\"WORK/.peasy/features\""), "{file}");
    let (code, said) = person.says(&["mcp", "list", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let listed: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let [one] = &listed["servers"].as_array().expect("a list")[..] else { panic!("{said}") };
    let words = ["client", "scope", "name"].map(|key| one[key].as_str().expect("text"));
    assert_eq!(words, ["Claude Code", "project", "peasy"]);
    assert_eq!(one["problem"], serde_json::Value::Null);
    fs::remove_dir_all(person.work().join(".peasy")).expect("it is ours");
    let (_, said) = person.says(&["mcp", "list"]);
    assert!(
        said.contains("problem: there is no `WORK/.peasy/features`, which it serves"),
        "{said}"
    );
}

#[test]
fn what_was_installed_starts_as_it_is_written() {
    let person = Person::new();
    assert_eq!(person.says(&["init"]).0, Some(0));
    assert_eq!(person.says(&["mcp", "install", "claude-code", "--project"]).0, Some(0));
    let file: serde_json::Value =
        serde_json::from_str(&person.read("work/.mcp.json")).expect("JSON");
    let server = &file["mcpServers"]["peasy"];
    let words = server["args"].as_array().expect("a list").iter();
    let mut command = Command::new(server["command"].as_str().expect("a program"));
    command.args(words.map(|word| word.as_str().expect("text")));
    // From a folder of the client's own choosing.
    command.current_dir("/").env_clear().env("HOME", person.home());
    let mut client = crate::client::Client::start(&mut command);
    assert_eq!(client.tools(), ["greet"]);
    drop(client.child.stdin.take());
    client.child.wait().expect("the server ends with its client");
}

/// What `doctor --json` finds in an area: states and texts.
fn found(person: &Person, area: &str) -> (Option<i32>, Vec<(String, String)>) {
    let output = person.command(&["doctor", "--json"]).output().expect("it runs");
    let text = person.named(&String::from_utf8(output.stdout).expect("UTF-8"));
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let findings = report["findings"].as_array().expect("a list").iter();
    let text =
        |finding: &serde_json::Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let found = findings.filter(|finding| finding["area"] == area);
    let found = found.map(|finding| (text(finding, "state"), text(finding, "text"))).collect();
    (output.status.code(), found)
}

#[track_caller]
fn has(found: &[(String, String)], state: &str, words: &str) {
    let is_it = |(found, text): &(String, String)| found == state && text.contains(words);
    assert!(found.iter().any(is_it), "no {state} with `{words}`: {found:#?}");
}

#[test]
fn doctor_finds_nothing_wrong_with_a_new_project_and_changes_nothing() {
    let person = Person::new();
    assert_eq!(person.says(&["init"]).0, Some(0));
    let before = files(&person.home());
    let (code, said) = person.says(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("ok       project:greet (.peasy/features/greet.rhai): 1 tool, 0 hooks"),
        "{said}"
    );
    assert!(!said.contains("problem  "), "{said}");
    assert_eq!(files(&person.home()), before);
}

#[test]
fn doctor_says_which_features_do_not_run_and_why() {
    let person = Person::new();
    person.write("work/.peasy/features/broken.rhai", "fn f( {");
    person.write(
        "work/.peasy/features/guard.rhai",
        "/// Guard.\n/// @hook pre_tool_call\nfn guard(event) { }\n",
    );
    person.write("work/.peasy/features/off.rhai", GREET);
    assert_eq!(person.says(&["disable", ".peasy/features/off.rhai"]).0, Some(0));
    let (code, found) = found(&person, "features");
    assert_eq!(code, Some(1), "only features are broken: {found:#?}");
    has(&found, "problem", "broken.rhai is broken");
    has(&found, "warning", "project:guard");
    has(&found, "warning", "project:off (.peasy/features/off.rhai)");
}

#[test]
fn doctor_says_which_hooks_are_asked_and_by_whom() {
    let person = Person::new();
    person.write(
        "home/.config/peasy/features/guard.rhai",
        "/// Guard.\n/// @hook pre_tool_call kind=shell\nfn guard(event) { }\n",
    );
    has(&found(&person, "hooks").1, "ok", "no other agent asks them");
    assert_eq!(person.says(&["hook", "install", "codex"]).0, Some(0));
    let (code, hooks) = found(&person, "hooks");
    assert_eq!(code, Some(0), "{hooks:#?}");
    has(&hooks, "ok", "guard at pre_tool_call, kind=shell of user:guard");
    has(&hooks, "ok", "Codex asks them");
    person.write("home/.gemini/settings.json", "[");
    has(&found(&person, "hooks").1, "warning", "[config/agent-file]");
}

#[cfg(feature = "bridge")]
#[test]
fn doctor_says_which_servers_are_named_and_what_they_lack() {
    let person = Person::new();
    has(&found(&person, "servers").1, "ok", "no other server is named");
    assert_eq!(
        person.says(&["mcp", "add", "far", "--", env!("CARGO_BIN_EXE_peasy"), "serve"]).0,
        Some(0)
    );
    let (code, servers) = found(&person, "servers");
    assert_eq!(code, Some(0), "{servers:#?}");
    has(&servers, "ok", "far: PEASY serve");
    let gone = ["mcp", "add", "gone", "--env", "KEY=secret:KEY", "--", "peasy-no-such-program"];
    assert_eq!(person.says(&gone).0, Some(0));
    let (code, servers) = found(&person, "servers");
    assert_eq!(code, Some(2));
    has(&servers, "problem", "gone: peasy-no-such-program: there is no `peasy-no-such-program`");
    has(&servers, "problem", "the secret `KEY` is not there");
}

#[test]
fn doctor_says_what_of_the_users_has_to_be_mended() {
    let person = Person::new();
    person.write("home/.config/peasy/policy.toml", "what = ");
    person.write("home/.config/peasy/config.toml", "isolate = \"box\"\n");
    let (code, settings) = found(&person, "settings");
    assert_eq!(code, Some(2));
    has(&settings, "problem", "[config/policy]");
    has(&settings, "problem", "[config/settings]");
    has(&found(&person, "features").1, "warning", "[cli/no-features]");
}

#[cfg(unix)]
#[test]
fn doctor_sees_who_may_write_to_the_configuration() {
    use std::os::unix::fs::PermissionsExt;
    let person = Person::new();
    let config = person.home().join(".config/peasy");
    fs::create_dir_all(&config).expect("the folder takes it");
    fs::set_permissions(&config, PermissionsExt::from_mode(0o777)).expect("it is ours");
    let (code, folders) = found(&person, "folders");
    assert_eq!(code, Some(2));
    has(&folders, "problem", "may be written to by others");
}

#[test]
fn doctor_sees_a_damaged_log_a_damaged_store_and_a_client_that_cannot_start() {
    let person = Person::new();
    let keeper = "//! @request store\n\n/// Keep.\n/// @tool\nfn keep() { store::incr(\"n\") }\n";
    person.write("work/keep.rhai", keeper);
    let (code, said) = person.says(&["call", "keep.rhai", "keep"]);
    assert_eq!(code, Some(0), "{said}");
    has(&found(&person, "log").1, "ok", "whole");
    has(&found(&person, "stores").1, "ok", "1 readable store");
    let state = person.home().join(".local/state/peasy");
    let log = state.join("session/default/log.jsonl");
    let text = fs::read_to_string(&log).expect("text");
    fs::write(&log, text.replacen("keep", "kept", 1)).expect("it is ours");
    let mut stores = fs::read_dir(state.join("store")).expect("a folder");
    let store = stores.find_map(|entry| {
        let path = entry.expect("a readable entry").path();
        path.extension().is_some_and(|ending| ending == "sqlite").then_some(path)
    });
    fs::write(store.expect("it was made"), "no store").expect("it is ours");
    assert_eq!(person.says(&["mcp", "install", "cursor", "keep.rhai"]).0, Some(0));
    fs::remove_file(person.work().join("keep.rhai")).expect("it is ours");
    let (code, log) = found(&person, "log");
    assert_eq!(code, Some(2));
    has(&log, "problem", "wrong; first: ");
    assert!(found(&person, "stores").1.iter().any(|(state, _)| state == "problem"));
    has(&found(&person, "clients").1, "problem", "there is no `WORK/keep.rhai`, which it serves");
}
