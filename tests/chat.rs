//! `peasy chat` as a command: one question, resuming, lines from a pipe and from a terminal, bad input, and
//! a process that is killed in the middle of a turn.

use crate::fake_model::FakeModel;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const FEATURE: &str = r#"//! @request store
//! @request ask

/// Say what was given.
/// @tool
/// @param text string
/// @returns string
fn echo(text) { store::incr("calls"); text }

/// Ask first.
/// @tool
fn paint() { if ask::confirm("Paint it red?") { "red" } else { "grey" } }

/// @hook pre_request
fn before(event) { if event.text == "forbidden" { return stop("not that"); } }
"#;

struct Place {
    folder: TempDir,
    model: FakeModel,
}

struct Ran {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Place {
    fn new(steps: impl IntoIterator<Item = Value>) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("tools.rhai"), FEATURE).expect("a feature");
        Self { folder, model: FakeModel::start(steps) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of("openai/fake", arguments)
    }

    fn command_of(&self, model: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(["chat", "tools.rhai", "--grant", "ask"]).args(arguments);
        command.args(["--model", model, "--base-url", &self.model.url()]);
        command.env_clear().env("HOME", self.path()).current_dir(self.path());
        command.env("PEASY_HOME", self.path().join("home")).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().expect("the command runs"))
    }

    fn peasy(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("HOME", self.path()).current_dir(self.path());
        command.env("PEASY_HOME", self.path().join("home")).stdin(Stdio::null());
        ran(command.output().expect("the command runs"))
    }

    /// Runs it with these lines on standard input.
    fn lines(&self, arguments: &[&str], lines: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(lines.as_bytes()).expect("it reads");
        drop(input);
        ran(child.wait_with_output().expect("it ends"))
    }
}

fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("peasy prints UTF-8");
    Ran { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

fn echo(text: &str) -> Value {
    json!({ "calls": [{ "tool": "echo", "arguments": { "text": text } }] })
}

#[test]
fn one_question_is_answered_and_the_session_goes_on() {
    let place = Place::new([
        echo("hello\u{1b}[2J"),
        json!({ "text": "It said hello.\n" }),
        json!({ "text": "As before." }),
    ]);
    let ran = place.run(&["-p", "say hello", "--session", "s"]);
    assert_eq!((&*ran.out, ran.code), ("It said hello.\n", Some(0)), "{}", ran.err);
    assert!(ran.err.contains("→ echo") && ran.err.contains("← echo hello"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    // One of that name cannot begin again.
    let ran = place.run(&["-p", "x", "--session", "s"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("worker/session"), "{}", ran.err);
    let ran = place.run(&["-p", "and now?", "--continue"]);
    assert_eq!((&*ran.out, ran.code), ("As before.\n", Some(0)), "{}", ran.err);
    let last = place.model.requests()[2].body.to_string();
    for part in ["say hello", "It said hello.", "and now?"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    assert_eq!(place.peasy(&["replay", "s"]).code, Some(0));
    assert_eq!(place.peasy(&["log", "verify", "--session", "s"]).code, Some(0));
}

#[test]
fn json_is_one_object_a_line_and_answers_come_with_the_command() {
    let paint = || json!({ "calls": [{ "tool": "paint", "arguments": {} }] });
    let place = Place::new([
        paint(),
        json!({ "text": "Red." }),
        paint(),
        json!({ "text": "Nobody said." }),
    ]);
    let events = |arguments: &[&str]| {
        let ran = place.run(arguments);
        let events = ran.out.lines().map(|line| serde_json::from_str(line).expect(line));
        (events.collect::<Vec<Value>>(), ran.code)
    };
    let (all, code) = events(&["-p", "paint", "--json", "--answer", "yes"]);
    assert_eq!(code, Some(0));
    let of = |all: &[Value], name: &str| {
        all.iter().find(|event| event["event"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(all[0]["event"], "session");
    assert_eq!(of(&all, "result")["shown"], "red", "{all:?}");
    assert_eq!(of(&all, "question")["question"]["text"], "Paint it red?");
    let end = all.last().expect("a last line");
    assert_eq!(
        (&end["why"], &end["text"], &end["calls"]),
        (&json!("done"), &json!("Red."), &json!(1))
    );
    let (all, code) = events(&["-p", "paint", "--json"]);
    assert_eq!((of(&all, "result")["is_error"].clone(), code), (true.into(), Some(0)), "{all:?}");
}

#[test]
fn what_goes_wrong_says_so_and_ends_with_its_code() {
    let place = Place::new([json!({ "status": 401, "message": "who are you" })]);
    let ran = place.run(&["-p", "hello"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("worker/denied") && ran.err.contains("who are you"), "{}", ran.err);
    let ran = place.run(&["-p", "forbidden", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let end: Value = serde_json::from_str(ran.out.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&end["why"], &end["problem"]["code"]), (&json!("stopped"), &json!("hook/stopped")));
    for (arguments, code) in [
        (&["chat", "-p", "x"][..], "worker/model"),
        (&["chat", "-p", "x", "--model", "fake"], "worker/model"),
        (&["chat", "-p", "x", "--model", "openai/fake"], "worker/key"),
        (&["chat", "-p", "x", "--model", "ollama/q", "--base-url", "nowhere"], "worker/address"),
        (&["chat", "-p", "x", "--model", "ollama/q", "--resume", "none"], "session/none"),
    ] {
        let ran = place.peasy(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(code), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn lines_of_a_pipe_are_questions_and_commands() {
    let place = Place::new([json!({ "text": "One." }), json!({ "text": "Two lines." })]);
    let ran = place.lines(&[], "first\n\n/tools\n/usage\n/features\n/report\n/grants\n/hooks\n/model\nsec\\\nond\n/nonsense\n/quit\nnever\n");
    assert_eq!(ran.code, Some(2), "a command that is none, in {}", ran.err);
    for part in ["One.\n", "Two lines.\n"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    for part in ["echo         Say what was given.", "turns        1", "openai/fake", "pre_request"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.err.contains("there is no command `/nonsense`"), "{}", ran.err);
    let requests = place.model.requests();
    assert_eq!(requests.len(), 2, "what stands behind `/quit` is not asked");
    assert!(requests[1].body.to_string().contains("sec\\nond"), "{}", requests[1].body);
}

#[test]
fn a_key_comes_from_a_secret_or_a_variable_and_is_in_no_log() {
    let place =
        Place::new([json!({ "text": "the key is sk-from-the-variable" }), json!({ "text": "b" })]);
    let mut command = place.command(&["-p", "x", "--session", "s"]);
    command.env("OPENAI_API_KEY", "sk-from-the-variable");
    assert_eq!(ran(command.output().expect("it runs")).code, Some(0));
    let file = place.path().join("key");
    fs::write(&file, "sk-from-a-file").expect("a file");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let set = ["secret", "set", "openai_api_key", "--file", file.to_str().expect("plain")];
    let set = place.peasy(&set);
    assert_eq!(set.code, Some(0), "{}", set.err);
    let mut command = place.command(&["-p", "x", "--resume", "s"]);
    command.env("OPENAI_API_KEY", "sk-from-the-variable");
    assert_eq!(ran(command.output().expect("it runs")).code, Some(0));
    let sent: Vec<_> = place.model.requests().into_iter().map(|asked| asked.headers).collect();
    assert!(sent[0].contains("bearer sk-from-the-variable"), "{}", sent[0]);
    assert!(sent[1].contains("bearer sk-from-a-file"), "a secret goes first: {}", sent[1]);
    let log = place.path().join("home/state/session/s/log.jsonl");
    assert!(!fs::read_to_string(log).expect("a log").contains("sk-from"));
}

#[test]
fn the_key_of_the_settings_goes_to_the_provider_of_their_model_alone() {
    let place = Place::new((0..4).map(|_| json!({ "text": "a" })));
    let file = place.path().join("key");
    fs::write(&file, "sk-of-anthropic").expect("a file");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let set = place.peasy(&["secret", "set", "mine", "--file", file.to_str().expect("plain")]);
    assert_eq!(set.code, Some(0), "{}", set.err);
    let settings = place.path().join("home/config.toml");
    fs::write(&settings, "[chat]\nmodel = \"anthropic/a\"\nkey = \"mine\"\n").expect("a file");
    for model in ["openai/b", "anthropic/c"] {
        let ran = ran(place.command_of(model, &["-p", "x"]).output().expect("it runs"));
        assert_eq!(ran.code, Some(0), "{model}: {}", ran.err);
    }
    let sent: Vec<_> = place.model.requests().into_iter().map(|asked| asked.headers).collect();
    assert!(!sent[0].contains("sk-of-anthropic"), "{}", sent[0]);
    assert!(sent[1].contains("sk-of-anthropic"), "{}", sent[1]);
}

/// Starts a chat in a pipe, with what waits for words of it on standard error.
fn started(command: &mut Command) -> (Child, impl FnMut(&str) + use<>) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let wait = move |wanted: &str| {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(errors.read_line(&mut line).expect("text") > 0, "no `{wanted}`");
        }
    };
    (child, wait)
}

#[test]
fn a_save_is_told_and_its_tools_are_there() {
    let place = Place::new([]);
    let mut command = place.command(&[]);
    let (mut child, mut wait) = started(&mut command);
    wait("with 2 tools");
    let more = format!("{FEATURE}\n/// One more.\n/// @tool\nfn shout() {{ \"!\" }}\n");
    let new = place.path().join("new");
    fs::write(&new, more).expect("a file");
    fs::rename(new, place.path().join("tools.rhai")).expect("a save");
    wait("was taken over");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"/tools\n/reload\n").expect("it reads");
    wait("looking at the features");
    drop(input);
    let ran = ran(child.wait_with_output().expect("it ends"));
    assert!(ran.out.contains("shout        One more."), "{}", ran.out);
    assert_eq!(ran.code, Some(0));
}

const REMOTE: &str = "\
/// Count words.
/// @tool
/// @param text string
/// @returns { words: int }
fn count_words(text) { #{ words: text::words(text).len() } }
";

const GUARD: &str = r#"
/// @hook pre_tool_call kind=mcp
fn guard(event) { if event.args.text == "stop" { return deny("not these words"); } }
"#;

#[test]
fn the_tools_of_the_servers_in_the_settings_are_the_model_s_under_hooks_and_permissions() {
    let count =
        |text: &str| json!({ "calls": [{ "tool": "count_words", "arguments": { "text": text } }] });
    let place = Place::new([
        count("one two three"),
        count("stop"),
        json!({ "text": "Three." }),
        count("one"),
        json!({ "text": "I may not." }),
        json!({ "text": "I have no such tool." }),
    ]);
    fs::write(place.path().join("tools.rhai"), format!("{FEATURE}{GUARD}")).expect("a feature");
    let remote = place.path().join("remote.rhai");
    fs::write(&remote, REMOTE).expect("a feature");
    let home = format!("HOME={}", place.path().join("elsewhere").display());
    let (peasy, remote) = (env!("CARGO_BIN_EXE_peasy"), remote.display().to_string());
    let added = place.peasy(&["mcp", "add", "far", "--env", &home, "--", peasy, "serve", &remote]);
    assert_eq!(added.code, Some(0), "{}", added.err);

    let ran = place.run(&["-p", "count", "--session", "s"]);
    assert_eq!((&*ran.out, ran.code), ("Three.\n", Some(0)), "{}", ran.err);
    assert!(ran.err.contains(r#"← count_words {"words":3}"#), "{}", ran.err);
    assert!(ran.err.contains("✗ count_words [user:tools] not these words"), "{}", ran.err);
    let log = place.peasy(&["log", "show", "--session", "s", "--json", "--last", "0"]).out;
    let acts = log.lines().filter(|line| line.contains(r#""act":"bridge""#)).count();
    assert_eq!(acts, 1, "what was denied never reached the server: {log}");
    assert_eq!(place.peasy(&["replay", "s"]).code, Some(0));

    assert_eq!(place.peasy(&["permission", "deny", "count_*"]).code, Some(0));
    let ran = place.run(&["-p", "count"]);
    assert!(ran.err.contains("✗ count_words"), "{}", ran.err);
    assert!(place.model.requests()[4].body.to_string().contains("permission"), "{}", ran.err);

    // A server that does not come up is told, and costs nothing else; without servers none is started.
    let gone = ["mcp", "add", "gone", "--", "peasy-no-such-program"];
    assert_eq!(place.peasy(&gone).code, Some(0));
    let settings = place.path().join("home/config.toml");
    let text = fs::read_to_string(&settings).expect("it was written");
    let text = text.replace("[mcp.servers.far]", "[mcp.servers.far]\nenabled = false");
    fs::write(&settings, text).expect("a file");
    let ran = place.run(&["-p", "count"]);
    assert_eq!((&*ran.out, ran.code), ("I have no such tool.\n", Some(0)), "{}", ran.err);
    assert!(ran.err.contains("bridge/start") && ran.err.contains("`gone`"), "{}", ran.err);
    assert!(!place.model.requests()[5].body.to_string().contains("count_words"));
    place.model.push([json!({ "text": "Alone." })]);
    let ran = place.run(&["-p", "count", "--no-servers"]);
    assert_eq!((&*ran.out, ran.code), ("Alone.\n", Some(0)), "{}", ran.err);
    assert!(!ran.err.contains("gone"), "{}", ran.err);
}

#[test]
fn a_server_that_is_late_holds_nobody_up_and_its_tools_come() {
    let place = Place::new([]);
    let script = "mkfifo gate
        while IFS= read -r line; do
            id=${line#*\\\"id\\\":}; id=${id%%,*}
            case $line in
                *initialize\\\"*) read -r open < gate
                    r='{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"late\",\"version\":\"1\"}}' ;;
                *tools/list*) r='{\"tools\":[{\"name\":\"late\",\"inputSchema\":{\"type\":\"object\"}}]}' ;;
                *) continue ;;
            esac
            printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\\n' \"$id\" \"$r\"
        done";
    let cwd = place.path().display().to_string();
    let added = place.peasy(&["mcp", "add", "late", "--cwd", &cwd, "--", "/bin/sh", "-c", script]);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let mut command = place.command(&[]);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let (mut child, mut wait) = started(&mut command);
    wait("the server `late` is not up yet");
    wait("with 2 tools");
    fs::write(place.path().join("gate"), "open\n").expect("the server waits for it");
    wait("the server `late` is ready, with 1 tool");
    // It is said when the server is there; the catalog is exchanged beside that.
    let mut input = child.stdin.take().expect("a pipe");
    let mut shown = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut tools = String::new();
    while !tools.contains("late") {
        tools.clear();
        input.write_all(b"/tools\n/model\n").expect("it reads");
        while !tools.contains("openai/fake") {
            assert!(shown.read_line(&mut tools).expect("text") > 0, "{tools}");
        }
    }
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// Reads up to a text.
fn until(child: &mut Child, wanted: &str) -> String {
    let mut out = child.stdout.take().expect("a pipe");
    let mut text = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&text).contains(wanted) {
        assert_eq!(out.read(&mut byte).expect("a pipe"), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    child.stdout = Some(out);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_latest_session_is_the_one_of_this_project_that_says_something() {
    let said = |text: &str| json!({ "text": text });
    let place = Place::new([said("here"), said("there"), said("here again")]);
    place.run(&["-p", "x", "--session", "first"]);
    fs::create_dir_all(place.path().join("other/.git")).expect("another project");
    let mut other = place.command(&["-p", "x", "--session", "second"]);
    let features = place.path().join("tools.rhai");
    fs::copy(&features, place.path().join("other/tools.rhai")).expect("a feature");
    assert!(other.current_dir(place.path().join("other")).status().expect("it runs").success());
    let empty = place.lines(&["--session", "third"], "/quit\n");
    assert_eq!(empty.code, Some(0), "{}", empty.err);
    let latest = place.run(&["-p", "go on", "--continue"]);
    assert_eq!(latest.out, "here again\n", "{}", latest.err);
    let listed = place.run(&["-p", "x", "--resume"]);
    for part in ["first (2 turns, 2", "second (1 turn, 2", "third (0 turns, 2"] {
        assert!(listed.err.contains(part), "{part}: {}", listed.err);
    }
    let mut nowhere = place.command(&["-p", "x", "--continue"]);
    fs::create_dir_all(place.path().join("third/.git")).expect("another project");
    fs::copy(&features, place.path().join("third/tools.rhai")).expect("a feature");
    let nowhere = nowhere.current_dir(place.path().join("third")).output().expect("it runs");
    let refused = ran(nowhere);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("no session of a chat of this project"), "{}", refused.err);
}

#[test]
fn a_kill_in_the_middle_of_a_turn_loses_nothing_that_was_shown() {
    let place = Place::new([
        echo("first"),
        json!({ "text": "I am in the middle of", "hold": true }),
        json!({ "text": "I went on." }),
    ]);
    let mut command = place.command(&["-p", "begin", "--session", "s", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the command runs");
    let seen = until(&mut child, "middle");
    // It is in the hands of that process until then.
    let other = place.run(&["-p", "x", "--resume", "s"]);
    assert!(other.code == Some(2) && other.err.contains("session/in-use"), "{}", other.err);
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    assert!(seen.contains(r#""shown":"first""#), "{seen}");
    assert_eq!(place.peasy(&["replay", "s"]).code, Some(0));
    let ran = place.run(&["-p", "go on", "--continue"]);
    assert_eq!((&*ran.out, ran.code), ("I went on.\n", Some(0)), "{}", ran.err);
    let last = place.model.requests()[2].body.to_string();
    for part in ["begin", "first", "go on"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    assert!(!last.contains("in the middle of"), "what was not whole is not said: {last}");
    assert_eq!(place.peasy(&["log", "verify", "--session", "s"]).code, Some(0));
}

#[test]
fn an_interrupt_ends_the_turn_and_what_was_said_stands() {
    let place = Place::new([
        json!({ "text": "I babble, STOPPED", "hold": true }),
        json!({ "text": "Yes." }),
    ]);
    let mut command = place.command(&["-p", "talk", "--session", "s", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the command runs");
    until(&mut child, "STOPPED");
    let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::INT)
        .expect("it lives");
    let mut rest = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert!(rest.contains(r#""why":"cancelled""#), "{rest}");
    place.run(&["-p", "really?", "--continue"]);
    assert!(place.model.requests()[1].body.to_string().contains("I babble, STOPPED"));
}

const DELEGATES: &str = r#"
/// Let a sub-pod echo, and wait for it.
/// @tool
fn delegate() { let one = begin(); pod::message(one, "echo"); pod::wait(one).text }

/// Let a sub-pod begin to work, and wait no longer.
/// @tool
fn start() { let one = begin(); pod::message(one, "work"); pod::wait(one, 2000); "begun" }

/// Let a sub-pod work, and wait for nothing.
/// @tool
fn leave() { pod::message(begin(), "work"); "begun" }

fn begin() { pod::start(#{ name: "below", tools: ["echo"] }).pod }
"#;

/// The arguments, with tools that delegate beside the others.
fn delegating<'a>(place: &Place, arguments: &[&'a str]) -> Vec<&'a str> {
    let requests = "//! @request pod:spawn\n//! @request pod:message\n";
    let text = format!("{requests}{FEATURE}{DELEGATES}");
    fs::write(place.path().join("tools.rhai"), text).expect("a feature");
    [&["--grant", "pod:spawn", "--grant", "pod:message"], arguments].concat()
}

fn call(tool: &str) -> Value {
    json!({ "calls": [{ "tool": tool, "arguments": {} }] })
}

#[test]
fn what_sub_pods_do_is_shown_and_what_they_cost_is_counted() {
    let mut asks = echo("from below");
    asks["usage"] = json!([100, 10]);
    let steps = || {
        let said = json!({ "text": "It said so.", "usage": [200, 20] });
        [call("delegate"), asks.clone(), said, json!({ "text": "Delegated." })]
    };
    let place = Place::new(steps());
    let ran = place.run(&delegating(&place, &["-p", "x", "--session", "s", "--json"]));
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let below = events.iter().filter(|event| event["event"] == "sub_pod");
    let below: Vec<_> = below.inspect(|event| assert_eq!(event["session"], "s.below-1")).collect();
    let result = below.iter().find(|event| event["said"]["event"] == "result");
    let result = result.unwrap_or_else(|| panic!("{} {}", ran.out, ran.err));
    assert_eq!(result["said"]["shown"], "from below");
    assert_eq!(below.last().expect("its end")["said"]["why"], "done");
    let end = events.last().expect("a last line");
    assert_eq!(end["sub_pods"], json!({ "input": 300, "output": 30, "cached": 0 }), "{end}");
    assert_eq!((&end["why"], &end["text"]), (&json!("done"), &json!("Delegated.")));

    place.model.push(steps().map(|mut step| {
        step["usage"] = json!([1, 1]);
        step
    }));
    let lines = "/usage\nonce more\n/usage\n/pods\n";
    let ran = place.lines(&delegating(&place, &["--resume", "s"]), lines);
    assert!(ran.err.contains("below-2 ← echo from below"), "{}", ran.err);
    for part in ["sub-pods     300 read", "sub-pods     302 read", "below-2      idle, 1 turn"] {
        assert!(ran.out.contains(part), "{part}: {} {}", ran.out, ran.err);
    }
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn sub_pods_that_still_work_after_one_question_are_ended_with_a_word() {
    let hold = json!({ "text": "I babble", "hold": true });
    let place = Place::new([call("start"), hold, json!({ "text": "It works on it." })]);
    let ran = place.run(&delegating(&place, &["-p", "go"]));
    assert_eq!((&*ran.out, ran.code), ("It works on it.\n", Some(0)), "{}", ran.err);
    assert!(ran.err.contains("1 turn of sub-pods ended"), "{}", ran.err);
}

#[test]
fn an_interrupt_ends_the_turns_of_sub_pods_as_well() {
    let hold = || json!({ "text": "I babble", "hold": true });
    let place = Place::new([call("leave"), hold(), hold()]);
    let mut command = place.command(&delegating(&place, &["--session", "s"]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"go\n").expect("it reads");
    while place.model.requests().len() < 3 {
        assert!(child.try_wait().expect("a process").is_none(), "it goes on");
        std::thread::yield_now();
    }
    let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::INT)
        .expect("it lives");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("below-1 ✗ the turn was cancelled") {
        line.clear();
        assert!(errors.read_line(&mut line).expect("text") > 0, "the sub-pod goes on");
    }
    input.write_all(b"/pods\n/pods stop none\n/pods stop below-1\n/pods\n").expect("it reads");
    drop(input);
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("text");
    let out = ran(child.wait_with_output().expect("it ends")).out;
    assert!(out.contains("below-1 "), "{out}");
    for part in ["no sub-pod `none` lives", "below-1 is ended", "no sub-pods live"] {
        assert!(rest.contains(part), "{part}: {rest}");
    }
    let shown = place.peasy(&["log", "show", "--session", "s.below-1", "--json", "--last", "0"]);
    assert!(shown.out.contains(r#""why":"cancelled""#), "{}", shown.out);
}

#[test]
fn an_interrupt_without_a_turn_ends_the_program() {
    let place = Place::new([]);
    let mut command = place.command(&[]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // Held, for whoever waits for a process closes it.
    let input = child.stdin.take().expect("a pipe");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("with 2 tools") {
        line.clear();
        assert!(errors.read_line(&mut line).expect("text") > 0, "no greeting");
    }
    let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::INT)
        .expect("it lives");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{status}");
    drop(input);
}

#[test]
fn a_rule_that_asks_is_answered_with_the_command() {
    let place = Place::new([
        echo("a"),
        json!({ "text": "It was allowed." }),
        echo("b"),
        json!({ "text": "It was not." }),
    ]);
    let rule = place.peasy(&["permission", "ask", "echo"]);
    assert_eq!(rule.code, Some(0), "{}", rule.err);
    let ran = place.run(&["-p", "x", "--answer", "yes", "--system", "Be brief."]);
    assert!(ran.err.contains("← echo a"), "{}", ran.err);
    assert!(place.model.requests()[0].body.to_string().contains("Be brief."));
    let ran = place.run(&["-p", "x"]);
    assert!(ran.err.contains("✗ echo"), "{}", ran.err);
    let last = place.model.requests()[3].body.to_string();
    assert!(last.contains("error: "), "the model reads that nobody was asked: {last}");
}

/// A chat at a terminal, with what it showed and was not waited for yet.
struct Terminal {
    child: Child,
    keys: fs::File,
    screen: BufReader<fs::File>,
    shown: String,
}

impl Terminal {
    fn open(place: &Place, kind: &str) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&near).and_then(|()| unlockpt(&near)).expect("a terminal");
        let name = ptsname(&near, Vec::new()).expect("it has a name");
        let far = || {
            let path = name.to_str().expect("plain");
            Stdio::from(fs::OpenOptions::new().read(true).write(true).open(path).expect("a file"))
        };
        let mut command = place.command(&[]);
        command.stdin(far()).stdout(far()).stderr(far());
        command.env("TERM", kind).env("NO_COLOR", "1");
        let child = command.spawn().expect("the command runs");
        let keys = fs::File::from(near);
        let screen = BufReader::new(keys.try_clone().expect("a handle"));
        let mut terminal = Self { child, keys, screen, shown: String::new() };
        terminal.wait("/help lists the commands");
        terminal.wait("> ");
        terminal
    }

    fn wait(&mut self, wanted: &str) {
        while !self.shown.contains(wanted) {
            let bytes = self.screen.fill_buf().unwrap_or_default();
            assert!(!bytes.is_empty(), "{wanted}: {}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(bytes));
            let count = bytes.len();
            self.screen.consume(count);
        }
        let rest = self.shown.split_once(wanted).map(|(_, rest)| rest.to_owned());
        self.shown = rest.unwrap_or_default();
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
    }

    fn ends(mut self) {
        self.wait("go on with `peasy chat --resume");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

#[test]
fn a_terminal_shows_a_prompt_and_takes_questions_and_answers() {
    let place = Place::new([
        json!({ "calls": [{ "tool": "paint", "arguments": {} }] }),
        json!({ "text": "Done in red." }),
    ]);
    let mut terminal = Terminal::open(&place, "xterm");
    terminal.press("paint it\r");
    terminal.wait("Paint it red?");
    terminal.wait("[y]es, [n]o");
    terminal.press("y\n");
    terminal.wait("paint red");
    terminal.wait("Done in red.");
    terminal.wait("> ");
    terminal.press("/quit\r");
    terminal.ends();
    place.model.push([json!({ "text": "Plainly." })]);
    let mut terminal = Terminal::open(&place, "dumb");
    terminal.press("again\n");
    terminal.wait("Plainly.");
    terminal.wait("> ");
    terminal.press("/quit\r");
    terminal.ends();
}

#[test]
fn an_interrupt_at_a_question_comes_back_to_the_prompt_and_two_at_an_empty_one_leave() {
    const CTRL_C: &str = "\u{3}";
    let place = Place::new([
        json!({ "calls": [{ "tool": "paint", "arguments": {} }] }),
        json!({ "text": "Here." }),
    ]);
    let mut terminal = Terminal::open(&place, "xterm");
    terminal.press("paint it\r");
    terminal.wait("[y]es, [n]o");
    // While it asks, the terminal makes a signal of the key.
    let id = i32::try_from(terminal.child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::INT)
        .expect("it lives");
    terminal.wait("cancelled");
    terminal.wait("> ");
    terminal.press("thrown away");
    terminal.wait("away");
    terminal.press(CTRL_C);
    terminal.wait("> ");
    terminal.press("still there?\r");
    terminal.wait("Here.");
    terminal.wait("> ");
    assert_eq!(place.model.requests().len(), 2, "what was thrown away was not asked");
    terminal.press(CTRL_C);
    terminal.wait("Ctrl-C once more");
    terminal.wait("> ");
    terminal.press(CTRL_C);
    terminal.ends();
}
