//! Hooks in scripts, around calls of a pod: each folder of `tests/hooks` has features and a `case.json`
//! that says what comes of a call. No call that is denied runs; and every front asks the same hooks.

#![allow(clippy::disallowed_methods, reason = "reads the cases and runs commands")]

use crate::client::Client;
use peasy::feature::catalog::CallOptions;
use peasy::feature::grant::HostPolicy;
use peasy::feature::hook_event::{PostAssistant, PreRequest, TurnEnd};
use peasy::feature::id::FeatureSource;
use peasy::feature::permission::{Permission, PermissionRule, Permissions};
use peasy::feature::question::Answer;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::limit::Limits;
use peasy::pod::{EndVerdict, Pod, PodOptions, RequestVerdict};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::store::Durability;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

const TOOLS: &str = r#"//! @feature tools
//! @request store

/// Act on a text.
/// @tool
/// @param text string
/// @returns string
fn act(text) { store::incr("runs"); text }

/// How often that happened.
/// @tool
/// @returns int
fn runs() { store::get("runs") ?? 0 }
"#;

fn pod(state: &Path, features: &[PathBuf], grants: &[String]) -> Pod {
    let limits = Limits::default();
    let runtime = ScriptRuntime::new(&limits).expect("the tests count allocations");
    let located =
        features.iter().map(|path| Location { path: path.clone(), source: FeatureSource::User });
    let outcomes = runtime.read(&located.collect::<Vec<_>>());
    let mut policy = HostPolicy::new();
    let mut builder = Vec::new();
    for outcome in outcomes {
        let script = outcome.script.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
        for grant in grants {
            policy =
                policy.grant(script.descriptor.id.clone(), grant.parse().expect("a capability"));
        }
        builder.push(runtime.feature(script));
    }
    let registry = FeatureRegistryBuilder::new(policy).limits(limits);
    let catalog = builder.into_iter().fold(registry, FeatureRegistryBuilder::module);
    let options = PodOptions {
        project: None,
        state: state.to_owned(),
        session: "s".into(),
        durability: Durability::Group,
        workspace: None,
        secrets: None,
        closed: Vec::new(),
    };
    let catalog = Arc::new(catalog.plan().install().0);
    Pod::open(&options, catalog, Default::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().map(|item| item.as_str().expect("a text").to_owned()).collect()
}

fn check(case: &Path) {
    let name = case.display();
    let about = fs::read_to_string(case.join("case.json")).expect("a case");
    let about: Value =
        serde_json::from_str(&about).unwrap_or_else(|error| panic!("{name}: {error}"));
    let folder = TempDir::new().expect("a temporary folder");
    let tools = folder.path().join("tools.rhai");
    fs::write(&tools, TOOLS).expect("the folder takes it");
    let scripts =
        fs::read_dir(case).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut features: Vec<_> =
        scripts.filter(|path| path.extension().is_some_and(|ending| ending == "rhai")).collect();
    features.push(tools);
    let pod = pod(&folder.path().join("state"), &features, &texts(&about["grants"]));
    let deny = texts(&about["deny"])
        .into_iter()
        .map(|tool| PermissionRule::new(Permission::Deny, tool.parse().expect("a pattern")));
    pod.set_permissions(Permissions { user: deny.collect(), project: Vec::new() });
    let answers: Arc<[Answer]> = about["answers"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .map(|answer| match answer {
            Value::Bool(true) => Answer::Given(Map::new()),
            _ => Answer::Declined,
        })
        .collect();
    let call = || {
        let options = CallOptions { answers: Arc::clone(&answers), ..CallOptions::default() };
        pod.call("act", json!({ "text": "hello" }), options)
    };
    for _ in 1..about["calls"].as_u64().unwrap_or(1) {
        call();
    }
    let outcome = call();
    let (result, codes, message, question) = match &outcome.result {
        Ok(result) => (result.clone(), Value::Null, Value::Null, Value::Null),
        Err(failure) => {
            let codes: Vec<_> = failure.diagnostics.iter().map(|one| one.code.as_ref()).collect();
            let question = failure.question.as_ref().map(|question| question.text.clone());
            (Value::Null, json!(codes), json!(failure.diagnostics[0].message), json!(question))
        }
    };
    assert_eq!(result, about["result"], "{name}: {message}");
    assert_eq!(codes, about["codes"], "{name}: {message}");
    for (key, found) in [("message", message), ("question", question)] {
        if about.get(key).is_some() {
            assert_eq!(found, about[key], "{name}");
        }
    }
    assert_eq!(outcome.notices, texts(&about["notices"]), "{name}");
    let runs = pod.call("runs", json!({}), CallOptions::default());
    assert_eq!(runs.result.expect("it counts"), about["runs"], "{name}: how often the tool ran");
}

#[test]
fn calls_come_out_as_their_hooks_decide() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    cases.sort();
    assert!(cases.len() > 20, "{}", cases.len());
    cases.iter().for_each(|case| check(case));
}

/// One script with a hook at every point, which counts how often it was asked.
const EVERYWHERE: &str = r#"//! @request store

/// @hook pre_request
fn a(event) { count("pre_request"); if event.text == "stop" { return stop("you said so"); } }
/// @hook post_assistant
fn b(event) { count("post_assistant"); }
/// @hook pre_tool_call tools=act
fn c(event) { count("pre_tool_call"); if event.args.text == "no" { return deny("you said so"); } }
/// @hook post_tool_call tools=act
fn d(event) { count("post_tool_call"); }
/// @hook turn_end
fn e(event) { count("turn_end"); }

fn count(point) { store::incr(point); () }

/// What was counted.
/// @tool
/// @returns map<string, int>
fn asked() { let all = #{}; for key in store::keys() { all[key] = store::get(key); } all }
"#;

fn everywhere(folder: &Path) -> Vec<PathBuf> {
    [("everywhere.rhai", EVERYWHERE), ("tools.rhai", TOOLS)]
        .into_iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            fs::write(&path, text).expect("the folder takes it");
            path
        })
        .collect()
}

#[test]
fn every_point_fires_in_a_pod_and_keeps_what_it_counts() {
    let folder = TempDir::new().expect("a temporary folder");
    let pod = pod(&folder.path().join("state"), &everywhere(folder.path()), &[]);
    let options = CallOptions::default;
    let request = |text: &str| PreRequest { text: text.into(), ..PreRequest::default() };
    assert_eq!(pod.pre_request(&request("go"), options()).0, RequestVerdict::Proceed);
    let stopped = RequestVerdict::Stop { reason: "[user:everywhere] you said so".into() };
    assert_eq!(pod.pre_request(&request("stop"), options()).0, stopped);
    pod.post_assistant(&PostAssistant::default(), options());
    pod.call("act", json!({ "text": "yes" }), options()).result.expect("it runs");
    pod.call("act", json!({ "text": "no" }), options()).result.expect_err("it is denied");
    assert_eq!(pod.turn_end(&TurnEnd::default(), options()).0, EndVerdict::End);
    let asked = pod.call("asked", json!({}), options()).result.expect("counts");
    let expected = json!({
        "pre_request": 2, "post_assistant": 1, "pre_tool_call": 2, "post_tool_call": 1, "turn_end": 1
    });
    assert_eq!(asked, expected);
    let reports = pod.hook_report();
    assert_eq!(reports.iter().map(|report| report.asked).sum::<u64>(), 7);
}

#[test]
fn a_hook_that_is_ended_leaves_the_others_of_its_event_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let hook = |name: &str, body: &str| {
        let path = folder.path().join(format!("{name}.rhai"));
        let text = format!(
            "//! @request? notify:model\n//! @limit operations 100000\n/// @hook turn_end\nfn end(event) {{ {body} }}\n"
        );
        fs::write(&path, text).expect("the folder takes it");
        path
    };
    let again = "if event.again == 1 { return again(event.text); }";
    let features = [
        hook("a", again),
        hook("b", "loop {}"),
        hook("c", again),
        hook("d", "let s = event.text; loop { s += s; }"),
        hook("e", "event.text = \"\"; event.again = 0;"),
        hook("f", again),
    ];
    let pod = pod(&folder.path().join("state"), &features, &["notify:model".to_owned()]);
    for _ in 0..3 {
        let event = TurnEnd { text: "go".into(), turns: 1, again: 1 };
        let (verdict, heard) = pod.turn_end(&event, CallOptions::default());
        let reason = "[user:a] go\n[user:c] go\n[user:f] go".to_owned();
        assert_eq!(verdict, EndVerdict::Again { reason });
        let told: Vec<_> = heard.diagnostics.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("`user:b`") && told[1].contains("`user:d`"), "{told:?}");
    }
}

/// A person whose own features these are.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let features = folder.path().join("home/features");
        fs::create_dir_all(&features).expect("a new folder");
        fs::create_dir_all(folder.path().join("work")).expect("a new folder");
        everywhere(&features);
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).env_clear().env("PEASY_HOME", self.0.path().join("home"));
        command.current_dir(self.0.path().join("work"));
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output: Output = self.command(arguments).output().expect("it runs");
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&all).into_owned())
    }
}

#[test]
fn the_command_line_asks_hooks_and_permissions() {
    let person = Person::new();
    assert_eq!(person.run(&["call", "act", "text=yes"]), (Some(0), "yes\n".into()));
    let (code, text) = person.run(&["call", "act", "text=no"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("error[hook/denied]: [user:everywhere] you said so"), "{text}");
    let (_, asked) = person.run(&["call", "asked"]);
    let asked: Value =
        serde_json::from_str(&asked).unwrap_or_else(|error| panic!("{error}: {asked}"));
    assert_eq!(asked, json!({ "pre_tool_call": 2, "post_tool_call": 1 }));

    assert_eq!(person.run(&["permission", "deny", "act", "text=s*"]).0, Some(0));
    let (code, text) = person.run(&["call", "act", "text=secret"]);
    assert!(code == Some(3) && text.contains("error[permission/denied]"), "{text}");
    assert_eq!(person.run(&["call", "act", "text=yes"]).0, Some(0));
    let (_, listed) = person.run(&["permission", "list", "--json"]);
    let listed: Value =
        serde_json::from_str(&listed).unwrap_or_else(|error| panic!("{error}: {listed}"));
    let rule = json!({ "layer": "user", "permission": "deny", "tool": "act", "arguments": [{ "argument": "text", "value": "s*" }] });
    assert_eq!(listed, json!({ "permissions": [rule], "problems": [] }));
    assert_eq!(person.run(&["permission", "ask", "act"]).0, Some(0));
    let (code, text) = person.run(&["call", "act", "text=yes"]);
    assert!(code == Some(3) && text.contains("error[ask/unanswered]"), "{text}");
    assert_eq!(person.run(&["permission", "remove", "act"]).0, Some(0));
    assert_eq!(person.run(&["permission", "remove", "act"]).0, Some(2));

    let (code, verified) = person.run(&["log", "verify"]);
    assert_eq!(code, Some(0), "{verified}");
    let (_, shown) = person.run(&["log", "show"]);
    assert!(
        shown.contains("pre_tool_call") && shown.contains("deny by the user's rule"),
        "{shown}"
    );
}

#[test]
fn a_project_narrows_what_the_user_allows_and_fails_closed() {
    let person = Person::new();
    let project = person.0.path().join("work/.peasy");
    fs::create_dir_all(&project).expect("a new folder");
    fs::write(
        project.join("permissions.toml"),
        "[[permission]]\ndeny = \"act\"\n[[permission]]\nallow = \"*\"\n",
    )
    .expect("the folder takes it");
    assert_eq!(person.run(&["permission", "allow", "act"]).0, Some(0));
    let (code, text) = person.run(&["call", "act", "text=yes"]);
    assert!(code == Some(3) && text.contains("the project's rule `deny act`"), "{text}");
    assert!(text.contains("warning[permission/project-allow]"), "{text}");
    fs::write(project.join("permissions.toml"), "broken").expect("the folder takes it");
    let (code, text) = person.run(&["call", "act", "text=yes"]);
    assert!(code == Some(2) && text.contains("error[config/permissions]"), "{text}");
}

#[test]
fn the_server_asks_hooks_and_permissions() {
    let person = Person::new();
    assert_eq!(person.run(&["permission", "ask", "runs"]).0, Some(0));
    let mut client = Client::start(&mut person.command(&["serve"]));
    let mut call = |tool: &str, arguments: Value| {
        let answer = client.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        let text = answer["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (answer["isError"].as_bool().unwrap_or(false), text)
    };
    assert_eq!(call("act", json!({ "text": "yes" })), (false, "yes".into()));
    let denied = "not allowed: [user:everywhere] you said so [hook/denied]".to_owned();
    assert_eq!(call("act", json!({ "text": "no" })), (true, denied));
    let (is_error, text) = call("runs", json!({}));
    assert!(is_error && text.contains("ask/unanswered"), "{text}");
    let (_, asked) = call("asked", json!({}));
    let asked: Value =
        serde_json::from_str(&asked).unwrap_or_else(|error| panic!("{error}: {asked}"));
    assert_eq!(asked, json!({ "pre_tool_call": 2, "post_tool_call": 1 }));
    drop(client.child.stdin.take());
    client.rest();
}
