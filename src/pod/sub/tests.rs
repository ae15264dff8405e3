use super::*;
use crate::feature::call::{CallContext, Outcome};
use crate::feature::catalog::CallOptions;
use crate::feature::grant::HostPolicy;
use crate::feature::hook::{Decision, HookPoint};
use crate::feature::permission::{Permission, PermissionRule, Permissions};
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::schema::{Arguments, Parameters, Type};
use crate::feature::testing::{Module, capability, hook, id, success, tool};
use crate::pod::session::{Answered, Asked, Line, verify};
use crate::pod::{Features, PodOptions};
use crate::store::Durability;
use serde_json::{Value, json};
use std::sync::mpsc::channel;
use std::thread;

/// Longer than any turn of a test takes; nothing waits for it.
const LONG: u64 = 600_000;

/// What answers is a function.
struct Answers<F>(F);

impl<F: Fn(&SubTurn<'_>) -> Result<String, Diagnostic> + Send + Sync> Responder for Answers<F> {
    fn respond(&self, turn: &SubTurn<'_>) -> Result<String, Diagnostic> {
        (self.0)(turn)
    }
}

/// A feature whose tool asks of the sub-pods what it is given.
fn asking(feature: &str, name: &str) -> Module {
    let mut declared = tool(name);
    let mut parameters = Parameters::new();
    parameters.add("ask", Type::Any, None, "").expect("a parameter");
    parameters.finish().expect("parameters");
    declared.parameters = parameters;
    let run = |arguments: Arguments, context: &CallContext| {
        let ask = arguments.get("ask").cloned().unwrap_or_default();
        let ask: PodAsk = serde_json::from_value(ask).expect("the test asks what can be asked");
        match context.transaction.pod(&ask) {
            Ok(answer) => success(json!(answer)),
            Err(problem) => Outcome::failure(problem),
        }
    };
    Module::new(feature).tool(declared).running(name, run)
}

fn catalog(modules: Vec<Module>) -> Arc<Catalog> {
    let mut policy = HostPolicy::new();
    for module in &modules {
        for request in &module.descriptor.requests {
            policy = policy.grant(module.descriptor.id.clone(), request.capability.clone());
        }
    }
    let builder = FeatureRegistryBuilder::new(policy);
    let builder = modules.into_iter().fold(builder, FeatureRegistryBuilder::module);
    Arc::new(builder.plan().install().0)
}

fn modules() -> Vec<Module> {
    vec![
        asking("user:asks", "asks"),
        asking("user:other", "other"),
        Module::new("user:tools").tool(tool("t")).tool(tool("u")),
    ]
}

struct World {
    folder: tempfile::TempDir,
    pod: Pod,
}

impl World {
    fn new(
        answer: impl Fn(&SubTurn<'_>) -> Result<String, Diagnostic> + Send + Sync + 'static,
    ) -> Self {
        let world = Self::without_a_model(tempfile::tempdir().expect("a temporary folder"));
        world.pod.set_responder(Arc::new(Answers(answer)));
        world
    }

    fn without_a_model(folder: tempfile::TempDir) -> Self {
        let options = PodOptions {
            project: None,
            state: folder.path().to_owned(),
            session: "s".into(),
            durability: Durability::Group,
            workspace: None,
            secrets: None,
            closed: Vec::new(),
        };
        let pod = Pod::open(&options, catalog(modules()), Features::new()).expect("a pod");
        Self { folder, pod }
    }

    fn lines(&self, session: &str) -> Vec<Line> {
        let folder = self.folder.path().join("session").join(session);
        let lines = lines(&folder).expect("a log");
        lines.map(|line| line.expect("it can be read").0).collect()
    }

    fn is_sound(&self, session: &str) {
        let folder = self.folder.path().join("session").join(session);
        let verified = verify(&folder, None, &mut |_| ()).expect("it can be read");
        assert!(verified.is_sound(), "{session}: {:?}", verified.findings);
    }

    fn tell(&self, pod: &str, text: &str) -> Result<Value, String> {
        let pod = pod.to_owned();
        ask(&self.pod, &PodAsk::Message { pod: pod.clone(), text: text.into() })?;
        ask(&self.pod, &PodAsk::Look { pod, patience: LONG })
    }
}

fn ask_as(pod: &Pod, tool: &str, ask: &PodAsk) -> Result<Value, String> {
    let outcome = pod.call(tool, json!({ "ask": ask }), CallOptions::default());
    match outcome.result {
        Ok(value) => Ok(value
            .get("one")
            .or(value.get("all"))
            .or(value.get("done"))
            .cloned()
            .expect("an answer")),
        Err(failure) => Err(failure.diagnostics[0].code.to_string()),
    }
}

fn ask(pod: &Pod, what: &PodAsk) -> Result<Value, String> {
    ask_as(pod, "asks", what)
}

fn spawn_with(pod: &Pod, name: &str, scope: Narrowing) -> Result<String, String> {
    let terms = SpawnTerms { name: Some(name.to_owned()), instructions: None, scope };
    let one = ask(pod, &PodAsk::Spawn(Box::new(terms)))?;
    Ok(one["pod"].as_str().expect("an id").to_owned())
}

fn spawn(pod: &Pod) -> String {
    spawn_with(pod, "a", Narrowing::default()).expect("a sub-pod")
}

fn only(tools: &[&str]) -> Narrowing {
    let tools = tools.iter().map(|tool| tool.parse().expect("a pattern")).collect();
    Narrowing { tools: Some(tools), grants: None }
}

/// What comes of a call, in a word.
fn came(pod: &Pod, tool: &str) -> String {
    match pod.call(tool, json!({}), CallOptions::default()).result {
        Ok(_) => "ok".to_owned(),
        Err(failure) => failure.diagnostics[0].code.to_string(),
    }
}

fn names(pod: &Pod) -> String {
    let names: Vec<_> =
        pod.catalog().tools().map(|tool| tool.declaration().name.to_string()).collect();
    names.join(" ")
}

#[test]
fn a_sub_pod_answers_and_both_records_name_the_other() {
    let world = World::new(|turn| {
        turn.session.append_user(&turn.message.into()).expect("it is recorded");
        let called = came(turn.pod, "t");
        Ok(format!("{} {called}", turn.message))
    });
    let terms = SpawnTerms {
        name: Some("reader".into()),
        instructions: Some("You read.".into()),
        scope: Narrowing::default(),
    };
    let one = ask(&world.pod, &PodAsk::Spawn(Box::new(terms))).expect("a sub-pod");
    assert_eq!(
        one,
        json!({ "pod": "reader-1", "session": "s.reader-1", "state": "idle", "turns": 0 })
    );
    let told = world.tell("reader-1", "hello").expect("an answer");
    assert_eq!(
        (&told["text"], &told["state"], &told["turns"]),
        (&json!("hello ok"), &json!("idle"), &json!(1))
    );

    let deeds = world.lines("s").into_iter().filter_map(|line| match line.entry {
        Entry::Act { act: Act::Pod { does, session }, call, .. } => Some((does, session, call)),
        _ => None,
    });
    let deeds: Vec<_> = deeds.collect();
    let kinds: Vec<_> = deeds.iter().map(|(does, session, _)| (*does, session.as_str())).collect();
    assert_eq!(kinds, [(PodDeed::Spawn, "s.reader-1"), (PodDeed::Message, "s.reader-1")]);
    let spawned = world.lines("s.reader-1").into_iter().find_map(|line| match line.entry {
        Entry::Session(begin) => begin.spawned,
        _ => None,
    });
    let spawned = spawned.expect("it says who started it");
    assert_eq!((spawned.session.as_str(), &spawned.call), ("s", &deeds[0].2));
    assert_eq!(spawned.feature, id("user:asks"));
    let kinds: Vec<_> = world.lines("s.reader-1").into_iter().map(|line| line.entry).collect();
    assert!(kinds.iter().any(|entry| matches!(entry, Entry::Instructions(_))));
    assert!(
        kinds
            .iter()
            .any(|entry| matches!(entry, Entry::Call { about, .. } if about.contribution == "t"))
    );
    world.is_sound("s");
    world.is_sound("s.reader-1");
}

#[test]
fn without_a_model_there_are_no_sub_pods_and_it_is_said() {
    let world = World::without_a_model(tempfile::tempdir().expect("a temporary folder"));
    let refused = spawn_with(&world.pod, "a", Narrowing::default());
    assert_eq!(refused.expect_err("nobody would answer"), "pod/no-model");
    assert_eq!(ask(&world.pod, &PodAsk::List), Ok(json!([])));
    let folder = world.folder.path().join("session");
    assert_eq!(sessions(&folder).expect("the folder"), ["s"], "nothing is left of it");
}

#[test]
fn permissions_and_tools_of_the_parent_hold_as_they_are_at_each_moment() {
    let world = World::new(|turn| Ok(came(turn.pod, turn.message)));
    let pod = spawn(&world.pod);
    let text = |text: &str| world.tell(&pod, text).expect("an answer")["text"].clone();
    assert_eq!(text("t"), "ok");
    let rule = PermissionRule::new(Permission::Deny, "t".parse().expect("a pattern"));
    world.pod.set_permissions(Permissions { user: vec![rule], project: Vec::new() });
    assert_eq!((text("t"), text("u")), (json!("permission/denied"), json!("ok")));
    let rule = PermissionRule::new(Permission::Ask, "t".parse().expect("a pattern"));
    world.pod.set_permissions(Permissions { user: vec![rule], project: Vec::new() });
    assert_eq!(text("t"), "ask/unanswered", "nobody can be asked there");
    world.pod.set_permissions(Permissions::default());

    let (begin, begun) = channel();
    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    world.pod.set_responder(Arc::new(Answers(move |turn: &SubTurn<'_>| {
        begin.send(()).expect("the test waits");
        let _ = unpoisoned(&waits).recv();
        Ok(format!("{} {} {}", came(turn.pod, "t"), came(turn.pod, "other"), names(turn.pod)))
    })));
    ask(&world.pod, &PodAsk::Message { pod: pod.clone(), text: "go".into() }).expect("it begins");
    begun.recv().expect("the turn is under way");
    world
        .pod
        .swap(catalog(modules().into_iter().take(1).collect()), Features::new())
        .expect("it is recorded");
    drop(go_on);
    let told = ask(&world.pod, &PodAsk::Look { pod, patience: LONG }).expect("an answer");
    assert_eq!(told["text"], "call/unknown-tool call/unknown-tool asks");
}

#[test]
fn a_guard_that_comes_during_a_turn_guards_the_rest_of_it() {
    let world = World::new(|_| Ok(String::new()));
    let pod = spawn(&world.pod);
    let sub = Arc::clone(&world.pod.shared_subs().live().pods[&pod]);
    assert_eq!(came(sub.pod(), "t"), "ok");
    let guard = Module::new("user:guard").hook(hook("h", HookPoint::PreToolCall));
    let guard = guard.deciding("h", Decision::Deny { reason: "no".into() });
    let guarded = catalog(modules().into_iter().chain([guard]).collect());
    world.pod.swap(guarded, Features::new()).expect("it is recorded");
    assert_eq!(came(sub.pod(), "t"), "hook/denied");
    world.is_sound("s.a-1");
}

#[test]
fn no_sub_pod_has_more_than_its_parent() {
    let world = World::new(|turn| match turn.message {
        "names" => Ok(names(turn.pod)),
        below => {
            let tools: Vec<_> = below.split(' ').collect();
            let below = spawn_with(turn.pod, "b", only(&tools))
                .map_err(|code| Diagnostic::host(code, ""))?;
            let sub = Arc::clone(&turn.pod.shared_subs().live().pods[&below]);
            Ok(names(sub.pod()))
        }
    });
    let narrow = spawn_with(&world.pod, "a", only(&["asks", "t"])).expect("a sub-pod");
    let text = |message: &str| world.tell(&narrow, message).expect("an answer");
    assert_eq!(text("names")["text"], "asks t");
    assert_eq!(text("*")["text"], "asks t", "its own sub-pod asks for all, and gets what there is");
    assert_eq!(text("u")["failure"]["code"], "pod/terms", "what it has not it cannot give");
    assert_eq!(spawn_with(&world.pod, "a", only(&["nothing"])), Err("pod/terms".into()));
    assert_eq!(spawn_with(&world.pod, "../x", Narrowing::default()), Err("pod/terms".into()));
    // A tool that was installed with a grant, and cannot do with less, goes with the grant.
    let mut modules = modules();
    let mut needs = tool("v");
    needs.requires = vec![capability("store")];
    modules.push(Module::new("user:store").requires("store").tool(needs));
    modules.push(Module::new("user:maybe").can_use("emit").tool(tool("w")));
    world.pod.swap(catalog(modules), Features::new()).expect("it is recorded");
    let with = |grants: &[&str]| {
        let grants = grants.iter().map(|grant| capability(grant)).collect();
        let scope = Narrowing { tools: None, grants: Some(grants) };
        let pod = spawn_with(&world.pod, "c", scope).expect("a sub-pod");
        let sub = Arc::clone(&world.pod.shared_subs().live().pods[&pod]);
        names(sub.pod())
    };
    assert_eq!(with(&["store", "emit"]), "asks w other v t u");
    assert_eq!(with(&["emit", "exec=git"]), "asks w other t u");
    assert_eq!(with(&[]), "asks other t u");
}

#[test]
fn sub_pods_are_bounded_in_depth_and_number() {
    let world = World::new(|turn| {
        // Each starts one below itself, until that is refused.
        match spawn_with(turn.pod, "b", Narrowing::default()) {
            Ok(pod) => {
                ask(turn.pod, &PodAsk::Message { pod: pod.clone(), text: "go".into() })
                    .expect("it begins");
                let told = ask(turn.pod, &PodAsk::Look { pod, patience: LONG }).expect("an answer");
                Ok(format!("1{}", told["text"].as_str().unwrap_or_default()))
            }
            Err(code) => Ok(code),
        }
    });
    let first = spawn(&world.pod);
    assert_eq!(world.tell(&first, "go").expect("an answer")["text"], "11pod/too-deep");
    world.is_sound("s.a-1.b-1.b-1");
    let more: Vec<_> = (MOST_DEPTH..MOST_SUB_PODS).map(|_| spawn(&world.pod)).collect();
    let refused = spawn_with(&world.pod, "a", Narrowing::default());
    assert_eq!(refused, Err("pod/too-many".into()), "those below it count as well");
    assert_eq!(ask(&world.pod, &PodAsk::Stop { pod: more[0].clone() }), Ok(json!(true)));
    spawn(&world.pod);
    // With the first go those below it.
    assert_eq!(ask(&world.pod, &PodAsk::Stop { pod: first }), Ok(json!(true)));
    (0..MOST_DEPTH).for_each(|_| drop(spawn(&world.pod)));
    assert_eq!(spawn_with(&world.pod, "a", Narrowing::default()), Err("pod/too-many".into()));
}

#[test]
fn a_feature_reaches_what_it_started_and_nothing_else() {
    let world = World::new(|_| Ok("mine".into()));
    let pod = spawn(&world.pod);
    let asks = |pod: &str| {
        let pod = pod.to_owned();
        [
            PodAsk::Message { pod: pod.clone(), text: "x".into() },
            PodAsk::Look { pod: pod.clone(), patience: 0 },
            PodAsk::Interrupt { pod: pod.clone() },
            PodAsk::Restore { pod: pod.clone() },
            PodAsk::Stop { pod },
        ]
    };
    for what in asks(&pod) {
        assert_eq!(ask_as(&world.pod, "other", &what), Err("pod/none".into()), "{what:?}");
    }
    assert_eq!(ask_as(&world.pod, "other", &PodAsk::List), Ok(json!([])));
    assert_eq!(world.tell(&pod, "x").expect("an answer")["text"], "mine");
    for strange in ["", "..", "a/../s", "A-1", "a-2", "a-1.b-1"] {
        for what in asks(strange) {
            assert_eq!(ask(&world.pod, &what), Err("pod/none".into()), "{what:?}");
        }
    }
}

#[test]
fn one_message_at_a_time_and_whoever_ends_it_may_send_another() {
    let world = World::new(|turn| {
        while turn.message == "wait" && !turn.cancel.is_cancelled() {
            thread::yield_now();
        }
        match turn.cancel.is_cancelled() {
            true => Err(Diagnostic::caller("call/cancelled", "the turn was ended")),
            false => Ok(turn.message.to_owned()),
        }
    });
    let pod = spawn(&world.pod);
    let message = |text: &str| PodAsk::Message { pod: pod.clone(), text: text.into() };
    let begun = ask(&world.pod, &message("wait")).expect("it begins");
    assert_eq!(begun["state"], "working");
    assert_eq!(ask(&world.pod, &message("x")), Err("pod/busy".into()));
    let interrupt = PodAsk::Interrupt { pod: pod.clone() };
    assert_eq!(ask(&world.pod, &interrupt), Ok(json!(true)));
    let look = PodAsk::Look { pod: pod.clone(), patience: LONG };
    let ended = ask(&world.pod, &look).expect("its state");
    assert_eq!(
        (&ended["state"], &ended["failure"]["code"]),
        (&json!("idle"), &json!("call/cancelled"))
    );
    assert_eq!(ask(&world.pod, &interrupt), Ok(json!(false)));
    assert_eq!(world.tell(&pod, "next").expect("an answer")["text"], "next");
}

/// Puts a turn on record as a model's is, with this answer.
fn answered(turn: &SubTurn<'_>, text: &str) -> Result<String, Diagnostic> {
    let session = turn.session;
    let asked = Asked { provider: "p".into(), model: "m".into(), tools: None, settings: None };
    let answer = Answered { text: text.to_owned(), ..Answered::default() };
    session
        .append_user(&turn.message.into())
        .and_then(|_| session.append_request(&asked))
        .and_then(|request| session.append_assistant(request, &answer))
        .and_then(|_| session.append_turn_end("done"))
        .expect("it is recorded");
    Ok(text.to_owned())
}

#[test]
fn what_was_answered_is_read_from_the_record_when_its_process_is_gone() {
    let world = World::new(|turn| match turn.message {
        "fail" => {
            let problem = Diagnostic::operator("worker/denied", "nobody knows me");
            turn.session
                .append_user(&turn.message.into())
                .and_then(|_| turn.session.append_trouble(None, vec![problem.clone()]))
                .and_then(|_| turn.session.append_turn_end("failed"))
                .expect("it is recorded");
            Err(problem)
        }
        "die" => {
            turn.session.append_user(&turn.message.into()).expect("it is recorded");
            Ok("nobody hears this".into())
        }
        message => answered(turn, &message.repeat(2_000)),
    });
    let [one, two, three] = ["a", "b", "c"]
        .map(|name| spawn_with(&world.pod, name, Narrowing::default()).expect("a sub-pod"));
    world.tell(&one, "one").expect("an answer");
    world.tell(&one, "two").expect("an answer");
    world.tell(&two, "one").expect("an answer");
    world.tell(&two, "fail").expect("its state");
    world.tell(&three, "one").expect("an answer");
    world.tell(&three, "die").expect("its state");
    let World { folder, pod } = world;
    drop(pod);
    let world = World::without_a_model(folder);
    let listed = ask(&world.pod, &PodAsk::List).expect("a list");
    world.pod.set_responder(Arc::new(Answers(|turn: &SubTurn<'_>| answered(turn, "more"))));
    for (at, pod, turns) in [(0, &one, 2), (1, &two, 2), (2, &three, 1)] {
        let restored = ask(&world.pod, &PodAsk::Restore { pod: pod.clone() }).expect("it is there");
        for (state, is) in [(&listed[at], "stopped"), (&restored, "idle")] {
            assert_eq!((&state["turns"], &state["state"]), (&json!(turns), &json!(is)), "{state}");
            let failure = &state["failure"]["code"];
            match at {
                0 => assert_eq!(state["text"], "two".repeat(2_000)),
                1 => assert_eq!((failure, &state["text"]), (&json!("worker/denied"), &Value::Null)),
                _ => {
                    assert_eq!((failure, &state["text"]), (&json!("pod/interrupted"), &Value::Null))
                }
            }
        }
    }
    let told = world.tell(&one, "again").expect("an answer");
    assert_eq!((&told["text"], &told["turns"]), (&json!("more"), &json!(3)));
}

#[test]
fn what_was_stopped_is_restored_with_what_it_had_at_most() {
    let world = World::new(|turn| {
        let said = turn.session.transcript().expect("it can be read").len();
        answered(turn, &format!("{said} {}", names(turn.pod)))
    });
    let pod = spawn_with(&world.pod, "a", only(&["t"])).expect("a sub-pod");
    assert_eq!(world.tell(&pod, "one").expect("an answer")["text"], "0 t");
    assert_eq!(ask(&world.pod, &PodAsk::Stop { pod: pod.clone() }), Ok(json!(true)));
    assert_eq!(ask(&world.pod, &PodAsk::Stop { pod: pod.clone() }), Ok(json!(false)));
    assert_eq!(world.tell(&pod, "two"), Err("pod/stopped".into()));
    let listed = ask(&world.pod, &PodAsk::List).expect("a list");
    assert_eq!(
        listed,
        json!([{ "pod": "a-1", "session": "s.a-1", "state": "stopped", "turns": 1, "text": "0 t" }])
    );
    let restored = ask(&world.pod, &PodAsk::Restore { pod: pod.clone() }).expect("it is there");
    assert_eq!(restored["state"], "idle");
    assert_eq!(world.tell(&pod, "two").expect("an answer")["text"], "2 t");

    // The process ends, and another goes on.
    let World { folder, pod: ended } = world;
    drop(ended);
    let world = World::without_a_model(folder);
    world.pod.set_responder(Arc::new(Answers(|turn: &SubTurn<'_>| Ok(names(turn.pod)))));
    ask(&world.pod, &PodAsk::Restore { pod: pod.clone() }).expect("it is on record");
    assert_eq!(world.tell(&pod, "three").expect("an answer")["text"], "t");
    assert_eq!(spawn(&world.pod), "a-2", "no id is given twice");
    world.is_sound("s.a-1");
}

#[test]
fn a_person_sees_sub_pods_at_every_depth_and_ends_their_turns() {
    let (tell, told) = channel();
    let world = World::new(move |turn| {
        if turn.message == "deeper" {
            let below = spawn_with(turn.pod, "b", Narrowing::default()).expect("a sub-pod");
            let message = PodAsk::Message { pod: below, text: "go".into() };
            ask(turn.pod, &message).expect("it begins");
        }
        tell.send(()).expect("the test listens");
        while turn.message != "now" && !turn.cancel.is_cancelled() {
            thread::yield_now();
        }
        Ok(turn.turns.to_string())
    });
    let pod = spawn(&world.pod);
    ask(&world.pod, &PodAsk::Message { pod: pod.clone(), text: "deeper".into() }).expect("a turn");
    for _ in 0..2 {
        told.recv().expect("both are at a message");
    }
    let seen = || world.pod.sub_pods().into_iter().map(|one| one.session).collect::<Vec<_>>();
    assert_eq!(seen(), ["s.a-1", "s.a-1.b-1"]);
    assert!(world.pod.sub_pods().iter().all(|one| one.state == Working::Working));
    assert_eq!(world.pod.interrupt_below(), 2);
    let look = PodAsk::Look { pod: pod.clone(), patience: LONG };
    assert_eq!(ask(&world.pod, &look).expect("its state")["text"], "0");
    assert_eq!(world.tell(&pod, "now").expect("it goes on")["text"], "1", "one turn came before");
    assert!(world.pod.stop_below("s.a-1.b-1"));
    assert!(!world.pod.stop_below("s.a-1.b-1"));
    assert_eq!(seen(), ["s.a-1"]);
}

#[test]
fn the_host_itself_refuses_a_commons_that_was_not_granted() {
    use crate::feature::commons::{Commons, CommonsAsk, key_of};
    let looks = |feature: &str, name: &str, granted: &str| {
        let run = |_: Arguments, context: &CallContext| {
            let ask = |ask| match context.transaction.commons(Commons::Memory, &ask) {
                Ok(_) => "ok".to_owned(),
                Err(problem) => problem.code.to_string(),
            };
            let (value, words) = ("1".to_owned(), String::new());
            success(json!([
                ask(CommonsAsk::Get(key_of(1))),
                ask(CommonsAsk::Set { key: key_of(1), value, words })
            ]))
        };
        Module::new(feature).tool(tool(name)).can_use(granted).running(name, run)
    };
    let world = World::without_a_model(tempfile::tempdir().expect("a temporary folder"));
    let modules = vec![
        looks("user:none", "none", "workitem"),
        looks("user:reads", "reads", "memory:read"),
        looks("user:all", "all", "memory"),
    ];
    world.pod.swap(catalog(modules), Features::new()).expect("it is recorded");
    let came = |tool: &str| world.pod.call(tool, json!({}), CallOptions::default()).result;
    assert_eq!(came("none").expect("a result"), json!(["grant/memory", "grant/memory"]));
    assert_eq!(came("reads").expect("a result"), json!(["ok", "grant/memory"]));
    assert_eq!(came("all").expect("a result"), json!(["ok", "ok"]));
}

#[test]
fn what_answers_may_fail_and_panic_and_say_too_much() {
    let world = World::new(|turn| match turn.message {
        "fail" => Err(Diagnostic::operator("model/failed", "no answer")),
        "panic" => std::panic::panic_any("secret"),
        much => Ok(much.repeat(MOST_MUCH)),
    });
    const MOST_MUCH: usize = 100_000;
    let pod = spawn(&world.pod);
    let told = |text: &str| world.tell(&pod, text).expect("its state");
    assert_eq!(told("fail")["failure"]["code"], "model/failed");
    let panicked = told("panic");
    assert_eq!(panicked["failure"]["code"], "host/panic");
    assert!(!panicked.to_string().contains("secret"), "{panicked}");
    let cut = told("ü")["text"].as_str().expect("a text").to_owned();
    assert!(
        cut.len() < crate::feature::subpod::MOST_TEXT + 100 && cut.contains("[cut: "),
        "{}",
        cut.len()
    );
}

#[test]
fn turns_end_with_the_pod_of_their_parent() {
    let (tell, told) = channel();
    let world = World::new(move |turn| {
        tell.send("began").expect("the test listens");
        while !turn.cancel.is_cancelled() {
            thread::yield_now();
        }
        tell.send("ended").expect("the test listens");
        Ok(String::new())
    });
    let pod = spawn(&world.pod);
    ask(&world.pod, &PodAsk::Message { pod, text: "go".into() }).expect("it begins");
    assert_eq!(told.recv(), Ok("began"));
    let ended = world.pod.shut_down(Duration::from_secs(60));
    assert!(ended.abandoned.is_empty(), "{ended:?}");
    assert_eq!(told.recv(), Ok("ended"));
    let refused = spawn_with(&world.pod, "a", Narrowing::default())
        .expect("a sub-pod that nobody can message");
    let late = ask(&world.pod, &PodAsk::Message { pod: refused.clone(), text: "go".into() });
    assert_eq!(late, Err("background/stopping".into()));
    let state = ask(&world.pod, &PodAsk::Look { pod: refused, patience: 0 }).expect("its state");
    assert_eq!(state["state"], "idle", "the turn that did not begin is over");
}
