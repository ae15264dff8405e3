//! Sub-pods as scripts start them, with a function in the place of a model: hooks, permissions and grants of
//! the parent hold in them at every point, and no call waits for itself.

#![allow(clippy::disallowed_methods, reason = "writes the features that it calls")]

use peasy::diagnostic::Diagnostic;
use peasy::feature::catalog::CallOptions;
use peasy::feature::grant::HostPolicy;
use peasy::feature::hook_event::{PostAssistant, PreRequest, TurnEnd};
use peasy::feature::id::FeatureSource;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::limit::Limits;
use peasy::pod::session::{Entry, lines};
use peasy::pod::{Features, OnRecord, Pod, PodOptions, Responder, SubTurn};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::store::Durability;
use peasy::workspace::replay::{Replayed, Replayer, Verdict};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

struct Answers<F>(F);

impl<F: Fn(&SubTurn<'_>) -> Result<String, Diagnostic> + Send + Sync> Responder for Answers<F> {
    fn respond(&self, turn: &SubTurn<'_>) -> Result<String, Diagnostic> {
        (self.0)(turn)
    }
}

struct World {
    folder: TempDir,
    pod: Pod,
}

impl World {
    fn new(
        scripts: &[(&str, &str)],
        answer: impl Fn(&SubTurn<'_>) -> Result<String, Diagnostic> + Send + Sync + 'static,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let limits = Limits::default();
        let runtime = ScriptRuntime::new(&limits).expect("the tests count allocations");
        let user = scripts.iter().map(|(name, text)| {
            let path = folder.path().join(format!("{name}.rhai"));
            fs::write(&path, text).expect("the folder takes it");
            Location { path, source: FeatureSource::User }
        });
        let locations: Vec<_> = user.chain([Location::built_in("pod")]).collect();
        let outcomes = runtime.read(&locations);
        let mut policy = HostPolicy::new();
        let (mut features, mut recorded) = (Vec::new(), Features::new());
        for outcome in outcomes {
            let script = outcome.script.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
            for request in &script.descriptor.requests {
                policy = policy.grant(script.descriptor.id.clone(), request.capability.clone());
            }
            let tree = Arc::clone(&script.tree);
            let on_record = OnRecord {
                root: PathBuf::new(),
                digest: tree.digest.clone(),
                source: Some(Arc::new(move || json!(tree.pinned()))),
            };
            recorded.insert(script.descriptor.id.clone(), on_record);
            features.push(runtime.feature(script));
        }
        let builder = FeatureRegistryBuilder::new(policy).limits(limits);
        let plan = features.into_iter().fold(builder, FeatureRegistryBuilder::module).plan();
        let options = PodOptions {
            project: None,
            state: folder.path().join("state"),
            session: "s".into(),
            durability: Durability::Group,
            workspace: None,
            secrets: None,
            closed: Vec::new(),
        };
        let catalog = Arc::new(plan.install().0);
        let pod = Pod::open(&options, catalog, recorded).expect("a pod");
        pod.set_responder(Arc::new(Answers(answer)));
        Self { folder, pod }
    }

    fn call(&self, tool: &str, arguments: Value) -> Value {
        call(&self.pod, tool, arguments)
    }

    /// The answer to a message. How often a call had to look for it depends on the machine.
    fn answer(&self, pod: &str, text: &str) -> Value {
        let mut told = self.call("message_pod", json!({ "pod": pod, "text": text }));
        while told["state"] == "working" {
            told = self.call("read_pod", json!({ "pod": pod }));
        }
        told
    }
}

/// The result, or the code of why there is none.
fn call(pod: &Pod, tool: &str, arguments: Value) -> Value {
    match pod.call(tool, arguments, CallOptions::default()).result {
        Ok(result) => result,
        Err(failure) => json!(failure.diagnostics[0].code),
    }
}

const EVERYWHERE: &str = r#"//! @request store

/// @hook pre_request
fn a(event) { count("pre_request"); if event.text == "stop" { return stop("no"); } }
/// @hook post_assistant
fn b(event) { count("post_assistant"); }
/// @hook pre_tool_call tools=act
fn c(event) { count("pre_tool_call"); if event.args.text == "no" { return deny("no"); } }
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

const TOOLS: &str = r#"//! @request store
//! @request? emit

/// Act on a text.
/// @tool
/// @param text string
/// @returns string
fn act(text) { store::incr("runs"); text }

/// What this may do.
/// @tool
/// @returns string
fn may() { `${granted("store")} ${granted("emit")} ${granted("store:read")}` }
"#;

#[test]
fn every_point_fires_in_a_sub_pod_and_its_hooks_are_the_parent_s() {
    let world = World::new(&[("everywhere", EVERYWHERE), ("tools", TOOLS)], |turn| {
        let options = CallOptions::default;
        let request = PreRequest { text: turn.message.into(), ..PreRequest::default() };
        let (verdict, _) = turn.pod.pre_request(&request, options());
        turn.pod.post_assistant(&PostAssistant::default(), options());
        let acted = ["yes", "no"].map(|text| call(turn.pod, "act", json!({ "text": text })));
        let (end, _) = turn.pod.turn_end(&TurnEnd::default(), options());
        Ok(format!("{verdict:?} {} {} {end:?}", acted[0], acted[1]))
    });
    // The sub-pod has one tool, and every hook.
    let spawned = world.call("spawn_pod", json!({ "tools": ["act"], "message": "go" }));
    assert_eq!((&spawned["pod"], &spawned["session"]), (&json!("pod-1"), &json!("s.pod-1")));
    let mut told = world.call("read_pod", json!({ "pod": "pod-1" }));
    while told["state"] == "working" {
        told = world.call("read_pod", json!({ "pod": "pod-1" }));
    }
    assert_eq!(told["text"], r#"Proceed "yes" "hook/denied" End"#, "{told}");
    let told = world.answer("pod-1", "stop");
    let text = told["text"].as_str().expect("an answer");
    assert!(text.starts_with("Stop { reason: \"[user:everywhere] no\" }"), "{text}");
    let asked = world.call("asked", json!({}));
    let expected = json!({
        "pre_request": 2, "post_assistant": 2, "pre_tool_call": 4, "post_tool_call": 2, "turn_end": 2
    });
    assert_eq!(asked, expected);
    let reports = world.pod.hook_report();
    assert_eq!(
        reports.iter().map(|report| report.asked).sum::<u64>(),
        12,
        "the parent counts them"
    );
}

#[test]
fn grants_are_narrowed_and_never_more() {
    let world = World::new(&[("tools", TOOLS)], |turn| {
        let act = call(turn.pod, "act", json!({ "text": "yes" }));
        let may = call(turn.pod, "may", json!({}));
        Ok(format!("{act} {may}"))
    });
    let of = |grants: Value| {
        let spawned = world.call("spawn_pod", json!({ "grants": grants }));
        let pod = spawned["pod"].as_str().unwrap_or_else(|| panic!("{spawned}")).to_owned();
        let told = world.answer(&pod, "go");
        told["text"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    assert_eq!(of(Value::Null), r#""yes" "true true true""#);
    assert_eq!(of(json!(["store", "exec=git", "pod:spawn"])), r#""yes" "true false true""#);
    // What writes to the store is left out, and the rest does with less.
    assert_eq!(of(json!(["store:read"])), r#""call/unknown-tool" "false false true""#);
    assert_eq!(of(json!([])), r#""call/unknown-tool" "false false false""#);
    let refused = world.call("spawn_pod", json!({ "grants": ["exec"] }));
    assert_eq!(refused, "pod/terms");
    assert_eq!(world.call("may", json!({})), "true true true", "the parent has what it had");

    // Run again, a call of a sub-pod has the grants that it had.
    let sessions = world.folder.path().join("state/session");
    drop(world.pod);
    let mut replayed = 0;
    for session in ["s.pod-1", "s.pod-2", "s.pod-3", "s.pod-4"] {
        let take = |one: Replayed| {
            let was_refused = one.feature.is_none();
            assert!(was_refused || one.verdict == Verdict::Same, "{session}: {one:?}");
            replayed += usize::from(!was_refused);
        };
        Replayer::new(&sessions.join(session)).all(take, &mut |_| ()).expect("it can be read");
    }
    assert_eq!(replayed, 6);
}

const DELEGATES: &str = r#"//! @request store
//! @request pod:spawn
//! @request pod:message

/// Let a sub-pod count, which calls this feature again.
/// @tool
/// @returns string
fn delegate() {
    store::incr("delegated");
    let one = pod::start(#{ name: "deep", tools: ["count", "delegate"] });
    pod::message(one.pod, "count");
    one.pod
}

/// Count.
/// @tool
/// @returns int
fn count() { store::incr("counted") }

/// What a sub-pod said.
/// @tool
/// @param pod string
fn said(pod) { pod::wait(pod) }

/// @hook turn_end
fn hooked(event) { pod::start(); }

/// @hook post_assistant
fn caught(event) { try { pod::list() } catch (reason) { diagnose("info", reason.code); } }
"#;

#[test]
fn a_feature_whose_sub_pod_calls_it_again_waits_for_nobody() {
    let world = World::new(&[("delegates", DELEGATES)], |turn| {
        let counted = call(turn.pod, "count", json!({}));
        // Down to the bottom, each a call of the feature whose call began it all.
        Ok(format!("{counted} {}", call(turn.pod, "delegate", json!({}))))
    });
    assert_eq!(world.call("delegate", json!({})), "deep-1");
    let mut said = world.call("said", json!({ "pod": "deep-1" }));
    while said["state"] == "working" {
        said = world.call("said", json!({ "pod": "deep-1" }));
    }
    let text = said["text"].as_str().expect("an answer");
    assert!(text.ends_with("\"deep-1\""), "{said}");
    let (_, heard) = world.pod.turn_end(&TurnEnd::default(), CallOptions::default());
    let told = format!("{:?}", heard.diagnostics);
    assert!(told.contains("sub-pods are for tools"), "{told}");
    let heard = world.pod.post_assistant(&PostAssistant::default(), CallOptions::default());
    assert!(heard.diagnostics.is_empty(), "{:?}", heard.diagnostics);
    world.pod.shut_down(std::time::Duration::from_secs(60));
}

#[test]
fn what_was_said_to_a_sub_pod_is_run_again_from_the_record() {
    let world = World::new(&[("tools", TOOLS)], |turn| Ok(turn.message.to_uppercase()));
    world.call("spawn_pod", json!({ "name": "loud", "instructions": "Shout." }));
    assert_eq!(
        world.answer("loud-1", "hello"),
        json!({ "pod": "loud-1", "state": "idle", "text": "HELLO" })
    );
    assert_eq!(world.call("stop_pod", json!({ "pod": "loud-1" }))["ended"], true);
    assert_eq!(world.call("message_pod", json!({ "pod": "loud-1", "text": "x" })), "pod/stopped");
    let listed = world.call("list_pods", json!({}));
    assert_eq!(listed["pods"][0]["state"], "stopped");
    assert_eq!(world.call("restore_pod", json!({ "pod": "loud-1" }))["state"], "idle");
    assert_eq!(world.answer("loud-1", "again")["text"], "AGAIN");
    assert_eq!(world.call("read_pod", json!({ "pod": "loud-2" })), "pod/none");
    let World { folder, pod } = world;
    drop(pod);
    let session = folder.path().join("state/session/s");
    let calls =
        lines(&session).expect("a log").filter_map(|line| match line.expect("a line").0.entry {
            Entry::Call { call, about, .. } => Some((call, about.contribution)),
            _ => None,
        });
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() >= 8, "{calls:?}");
    let mut replayer = Replayer::new(&session);
    for (call, tool) in calls {
        let replayed = replayer.call(&call).expect("it is on record");
        assert_eq!(replayed.verdict, Verdict::Same, "{tool}: {replayed:?}");
    }
}
