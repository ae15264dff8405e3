//! The pipeline with hooks and tools written in Rust: what each point does, in which order, and what
//! stands in the log before it does.

use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Outcome, Receipt};
use crate::feature::catalog::{CallOptions, Catalog};
use crate::feature::descriptor::{HookDeclaration, ToolDeclaration};
use crate::feature::event::{EventBody, Level};
use crate::feature::grant::HostPolicy;
use crate::feature::hook::{
    Band, Decision, EventKind, Hook, HookContribution, HookOutcome, HookPoint, HookThreads,
    ToolFilter,
};
use crate::feature::hook_event::{EventShape, PostAssistant, PreRequest, TurnEnd};
use crate::feature::permission::{Condition, Permission, PermissionRule, Permissions};
use crate::feature::question::{Answer, Wanted};
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::schema::{Arguments, Parameters, Type};
use crate::feature::testing::{Module, Run, capability, hook, id, tool};
use crate::feature::tool::ToolContribution;
use crate::limit::{Limit, Limits};
use crate::pod::session::{Entry, lines};
use crate::pod::{EndVerdict, Pod, PodOptions, RequestVerdict};
use crate::store::Durability;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

type Seen = Arc<Mutex<Vec<String>>>;

/// A hook made of a closure that gives everything.
struct Full<F>(F);

impl<F: Fn(&Value) -> HookOutcome + Send + Sync> Hook for Full<F> {
    fn decide(&self, event: &Arc<Value>, _: &CallContext) -> HookOutcome {
        (self.0)(event)
    }
}

/// A feature with one hook.
fn full(
    feature: &str,
    declared: HookDeclaration,
    decide: impl Fn(&Value) -> HookOutcome + Send + Sync + 'static,
) -> Module {
    let name = declared.name.clone();
    let decide = Arc::new(decide);
    let mut module = Module::new(feature).can_use("notify:model");
    for power in ["hook:pre_tool_call:rewrite", "hook:post_tool_call:replace"] {
        module = module.can_use(power);
    }
    module.hook(declared).install(move |context| {
        let decide = Arc::clone(&decide);
        let hook = Full(move |event: &Value| decide(event));
        context.hooks.register(HookContribution::new(name.clone(), hook))?;
        Ok(())
    })
}

fn hooked(
    feature: &str,
    point: HookPoint,
    decide: impl Fn(&Value) -> Decision + Send + Sync + 'static,
) -> Module {
    full(feature, hook("h", point), move |event| HookOutcome::decided(decide(event)))
}

fn deny(reason: &str) -> Decision {
    Decision::Deny { reason: reason.into() }
}

fn ask(question: &str) -> Decision {
    Decision::Ask { question: question.into() }
}

fn fails() -> HookOutcome {
    HookOutcome::failure(Diagnostic::author("script/throw", "it broke"))
}

/// A tool `t` that takes `n` and counts its runs.
fn counting(runs: &Arc<AtomicUsize>) -> Module {
    let mut declared = tool("t");
    let mut parameters = Parameters::new();
    let kind = Type::parse("int(0..=9)").expect("a type");
    parameters.add("n", kind, Some(json!(1)), "").expect("a parameter");
    parameters.finish().expect("parameters");
    declared.parameters = parameters;
    declared.returns = Some(Type::parse("int").expect("a type"));
    declared.event = Some(EventShape::shell(["n"]));
    counting_as(runs, declared)
}

fn counting_as(runs: &Arc<AtomicUsize>, declared: ToolDeclaration) -> Module {
    let (runs, name) = (Arc::clone(runs), declared.name.clone());
    Module::new("user:tools").tool(declared).install(move |context| {
        let runs = Arc::clone(&runs);
        let run = Run(move |arguments: Arguments, _: &CallContext| {
            runs.fetch_add(1, Ordering::Relaxed);
            Outcome::success(arguments.get("n").cloned().unwrap_or_default())
        });
        context.tools.register(ToolContribution::new(name.clone(), run))?;
        Ok(())
    })
}

struct World {
    folder: tempfile::TempDir,
    pod: Pod,
    runs: Arc<AtomicUsize>,
}

fn catalog(modules: Vec<Module>, limits: Limits) -> Catalog {
    let mut policy = HostPolicy::new();
    for module in &modules {
        for request in &module.descriptor.requests {
            policy = policy.grant(module.descriptor.id.clone(), request.capability.clone());
        }
    }
    let builder = FeatureRegistryBuilder::new(policy).limits(limits);
    modules.into_iter().fold(builder, FeatureRegistryBuilder::module).plan().install().0
}

impl World {
    fn new(modules: Vec<Module>) -> Self {
        Self::bounded(modules, Limits::default())
    }

    fn bounded(mut modules: Vec<Module>, limits: Limits) -> Self {
        let runs = Arc::default();
        modules.push(counting(&runs));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = PodOptions {
            project: None,
            state: folder.path().to_owned(),
            session: "s".into(),
            durability: Durability::Group,
            workspace: None,
            secrets: None,
            closed: Vec::new(),
        };
        let catalog = Arc::new(catalog(modules, limits));
        let pod = Pod::open(&options, catalog, Default::default()).expect("a pod");
        Self { folder, pod, runs }
    }

    fn ruled(self, rules: &[(Permission, &str)]) -> Self {
        let rule = |(permission, tool): &(Permission, &str)| {
            PermissionRule::new(*permission, tool.parse().expect("a pattern"))
        };
        let user = rules.iter().map(rule).collect();
        self.pod.set_permissions(Permissions { user, project: Vec::new() });
        self
    }

    fn call(&self, n: i64, answers: &[Answer]) -> Outcome {
        let options = CallOptions { answers: answers.into(), ..CallOptions::default() };
        self.pod.call("t", json!({ "n": n }), options)
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// The kinds of lines since the pod was opened, and what came of decisions.
    fn log(&self) -> Vec<String> {
        let lines = lines(&self.folder.path().join("session").join("s")).expect("a log");
        let told = lines.filter_map(|line| match line.expect("it can be read").0.entry {
            Entry::Open { .. } | Entry::Catalog { .. } => None,
            Entry::Decision { point, decision, hooks, answers, .. } => {
                let decision = serde_json::to_value(decision).expect("plain")["value"].clone();
                Some(format!("{point} {decision} of {} answers {}", hooks.len(), answers.len()))
            }
            Entry::Permission { verdict, answer, .. } => Some(format!("{verdict} {answer:?}")),
            Entry::Call { failure, result, .. } => Some(match failure.first() {
                Some(why) => format!("call {}", why.code),
                None => format!("call {}", serde_json::to_value(result).expect("plain")["value"]),
            }),
            other => Some(format!("{other:?}").chars().take(20).collect()),
        });
        told.collect()
    }
}

fn code(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(value) => value.to_string(),
        Err(failure) => failure.diagnostics[0].code.to_string(),
    }
}

fn message(outcome: &Outcome) -> String {
    outcome.result.as_ref().map_or_else(|why| why.diagnostics[0].message.clone(), Value::to_string)
}

fn yes() -> Answer {
    Answer::Given(Map::new())
}

#[test]
fn every_point_fires_and_tells_the_event_that_it_lists() {
    let seen = Seen::default();
    let modules = HookPoint::ALL.map(|point| {
        let seen = Arc::clone(&seen);
        hooked(&format!("user:{}", point.name().replace('_', "-")), point, move |event| {
            let examined = point.examine(event).expect("an event of its point");
            assert!(examined.notes.is_empty(), "{:?}", examined.notes);
            seen.lock().expect("no panic").push(format!("{point} {}", event["text"]));
            Decision::Proceed
        })
    });
    let world = World::new(modules.into());
    let options = CallOptions::default;
    let text = || "x".to_owned();
    let request = PreRequest { text: text(), ..PreRequest::default() };
    assert_eq!(world.pod.pre_request(&request, options()).0, RequestVerdict::Proceed);
    let answer = PostAssistant { text: text(), ..PostAssistant::default() };
    world.pod.post_assistant(&answer, options());
    assert_eq!(code(&world.call(3, &[])), "3");
    let end = TurnEnd { text: text(), ..TurnEnd::default() };
    assert_eq!(world.pod.turn_end(&end, options()).0, EndVerdict::End);
    let seen = seen.lock().expect("no panic").clone();
    let expected = [
        "pre_request \"x\"",
        "post_assistant \"x\"",
        "pre_tool_call null",
        "post_tool_call null",
        "turn_end \"x\"",
    ];
    assert_eq!(seen, expected);
    let reports = world.pod.hook_report();
    assert_eq!(reports.len(), 5);
    assert!(reports.iter().all(|report| (report.asked, report.failures) == (1, 0)));
}

#[test]
fn a_denied_call_does_not_run_and_the_denial_is_on_record_before() {
    let world = World::new(vec![hooked("user:guard", HookPoint::PreToolCall, |event| {
        assert_eq!((&event["kind"], &event["tool"]), (&json!("shell"), &json!("t")));
        assert_eq!((&event["command"], &event["args"]), (&json!("7"), &json!({ "n": 7 })));
        deny("not that")
    })]);
    let outcome = world.call(7, &[]);
    assert_eq!((code(&outcome), world.runs()), ("hook/denied".into(), 0));
    assert_eq!(message(&outcome), "[user:guard] not that");
    let log = world.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].contains("deny") && log[0].contains("[user:guard] not that"), "{log:?}");
    assert_eq!(log[1], "call hook/denied");
}

#[test]
fn deny_over_ask_over_answer_whatever_the_order() {
    let answers =
        || hooked("user:a", HookPoint::PreToolCall, |_| Decision::Answer { value: json!(4) });
    let asks = || hooked("user:b", HookPoint::PreToolCall, |_| ask("sure?"));
    let denies = || hooked("user:c", HookPoint::PreToolCall, |_| deny("no"));
    for (modules, expected) in [
        (vec![answers()], "4"),
        (vec![answers(), asks()], "ask/unanswered"),
        (vec![answers(), asks(), denies()], "hook/denied"),
        (vec![answers(), denies()], "hook/denied"),
    ] {
        let world = World::new(modules);
        let outcome = world.call(1, &[]);
        assert_eq!((code(&outcome).as_str(), world.runs()), (expected, 0));
    }
    let world = World::new(vec![answers(), asks()]);
    let outcome = world.call(1, &[yes()]);
    assert_eq!((code(&outcome), world.runs()), ("4".into(), 0));
    assert_eq!(outcome.notices, ["[user:a] answered in the place of `t`"]);
}

#[test]
fn no_hook_allows_what_the_host_denied() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let world = World::new(vec![hooked("user:a", HookPoint::PreToolCall, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Decision::Answer { value: json!(4) }
    })]);
    let world = world.ruled(&[(Permission::Deny, "t")]);
    let outcome = world.call(1, &[yes(), yes()]);
    assert_eq!((code(&outcome), world.runs()), ("permission/denied".into(), 0));
    assert_eq!(asked.load(Ordering::Relaxed), 0, "the host comes first");
    assert_eq!(world.log(), ["deny None", "call permission/denied"]);
}

#[test]
fn questions_take_answers_in_order_and_what_is_left_is_the_tools() {
    let asks = |feature: &str, text: &'static str| {
        hooked(feature, HookPoint::PreToolCall, move |_| ask(text))
    };
    let modules = vec![asks("user:a", "first?"), asks("user:b", "second?")];
    let world = World::new(modules).ruled(&[(Permission::Ask, "t")]);
    let question = |answers: &[Answer]| {
        let failure = world.call(1, answers).result.expect_err("it is asked");
        assert_eq!(failure.diagnostics[0].code, "ask/unanswered");
        let question = failure.question.expect("a question");
        assert_eq!(question.wanted, Wanted::Consent);
        (question.feature.map(|feature| feature.to_string()), question.text)
    };
    assert_eq!(question(&[]), (None, "May `t` run with {\"n\":1}?".into()));
    assert_eq!(question(&[yes()]), (Some("user:a".into()), "first?".into()));
    assert_eq!(question(&[yes(), yes()]), (Some("user:b".into()), "second?".into()));
    assert_eq!(world.runs(), 0);
    assert_eq!(code(&world.call(1, &[yes(), yes(), yes()])), "1");
    for (answers, expected) in [
        (&[Answer::Declined][..], "permission/declined"),
        (&[Answer::Dismissed], "permission/declined"),
        (&[yes(), Answer::Declined], "hook/declined"),
        (&[yes(), yes(), Answer::Dismissed], "hook/declined"),
    ] {
        assert_eq!(code(&world.call(1, answers)), expected, "{answers:?}");
    }
    assert_eq!(world.runs(), 1);
    let log = world.log();
    assert!(log.iter().any(|line| line.contains("answers 2")), "{log:?}");
}

#[test]
fn a_tool_gets_the_answers_that_the_host_did_not_use() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let module = Module::new("user:asks").tool(tool("u")).running("u", move |_, context| {
        count.store(context.answers.len(), Ordering::Relaxed);
        Outcome::success(1)
    });
    let world = World::new(vec![module]).ruled(&[(Permission::Ask, "u")]);
    let answers: Arc<[Answer]> = [yes(), Answer::Declined, yes()].into();
    let options = CallOptions { answers, ..CallOptions::default() };
    assert_eq!(code(&world.pod.call("u", json!({}), options)), "1");
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[test]
fn a_tool_that_asks_by_itself_is_asked_about_where_no_rule_says_otherwise() {
    let runs = Arc::default();
    let mut declared = tool("u");
    declared.asks = true;
    let mut module = counting_as(&runs, declared);
    module.descriptor.id = id("user:asks");
    let world = World::new(vec![module]);
    let call = || code(&world.pod.call("u", json!({}), CallOptions::default()));
    assert_eq!(call(), "ask/unanswered");
    let allow = PermissionRule::new(Permission::Allow, "u".parse().expect("a pattern"));
    world.pod.set_permissions(Permissions { user: vec![allow], project: Vec::new() });
    assert_eq!(call(), "null");
    let condition = Condition::new("n", "*".parse().expect("a pattern")).expect("a condition");
    let mut deny = PermissionRule::new(Permission::Deny, "u".parse().expect("a pattern"));
    let user = world.pod.permissions().user.clone();
    deny.arguments = vec![condition];
    world.pod.set_permissions(Permissions { user: user.clone(), project: vec![deny.clone()] });
    assert_eq!(call(), "null", "the condition is not met");
    deny.arguments.clear();
    world.pod.set_permissions(Permissions { user, project: vec![deny] });
    assert_eq!(call(), "permission/denied");
}

fn rewrite(n: i64) -> Decision {
    Decision::Rewrite { arguments: json!({ "n": n }) }
}

#[test]
fn a_rewrite_is_held_against_the_types_and_the_rules_again() {
    for (n, expected) in [(4, "4"), (5, "permission/denied"), (10, "hook/failed")] {
        let rewrites = hooked("user:a", HookPoint::PreToolCall, move |_| rewrite(n));
        let world = World::new(vec![rewrites]);
        let mut rule = PermissionRule::new(Permission::Deny, "t".parse().expect("a pattern"));
        let five = "5".parse().expect("a pattern");
        rule.arguments = vec![Condition::new("n", five).expect("a condition")];
        world.pod.set_permissions(Permissions { user: vec![rule], project: Vec::new() });
        let outcome = world.call(1, &[]);
        assert_eq!(code(&outcome), expected);
        assert_eq!(world.runs(), usize::from(expected == "4"));
    }
    let rewrites = hooked("user:a", HookPoint::PreToolCall, |_| rewrite(4));
    let world = World::new(vec![rewrites]).ruled(&[(Permission::Ask, "t")]);
    assert_eq!(
        code(&world.call(1, &[yes()])),
        "ask/unanswered",
        "a person said yes to other arguments"
    );
    assert_eq!(code(&world.call(1, &[yes(), yes()])), "4");
    let log = world.log();
    let decision = log.iter().find(|line| line.contains("rewrite")).expect("it is on record");
    assert!(decision.contains("\"n\":4"), "{decision}");
}

#[test]
fn a_guard_that_comes_before_a_rewrite_is_asked_about_what_will_run() {
    let guard = |feature: &str, band| {
        let mut declared = hook("guard", HookPoint::PreToolCall);
        declared.band = band;
        full(feature, declared, |event| {
            HookOutcome::decided(match event["args"]["n"].as_i64() {
                Some(4) => deny("not four"),
                _ => Decision::Proceed,
            })
        })
    };
    for band in [Band::Early, Band::Normal, Band::Late] {
        let rewrites = hooked("user:m", HookPoint::PreToolCall, |_| rewrite(4));
        let world = World::new(vec![guard("user:g", band), rewrites]);
        assert_eq!(
            (code(&world.call(1, &[])), world.runs()),
            ("hook/denied".into(), 0),
            "{band:?}"
        );
    }
    // One that says the same again is no conflict; one that insists on something else is.
    for (late, expected) in [(3, "3"), (4, "hook/failed")] {
        let mut last = hook("last", HookPoint::PreToolCall);
        last.band = Band::Late;
        let last = full("user:z", last, move |_| HookOutcome::decided(rewrite(late)));
        let first = hooked("user:a", HookPoint::PreToolCall, |_| rewrite(3));
        let world = World::new(vec![first, last]);
        let outcome = world.call(1, &[]);
        assert_eq!(code(&outcome), expected);
        if late == 4 {
            let failure = outcome.result.expect_err("a conflict");
            assert_eq!(failure.diagnostics[1].code, "hook/rewrite-conflict");
        }
    }
}

#[test]
fn an_answer_or_a_replacement_that_does_not_fit_is_a_failure_of_its_hook() {
    let answers =
        hooked("user:a", HookPoint::PreToolCall, |_| Decision::Answer { value: json!("x") });
    let world = World::new(vec![answers]);
    assert_eq!((code(&world.call(1, &[])), world.runs()), ("hook/failed".into(), 0));
    let replaces =
        hooked("user:a", HookPoint::PostToolCall, |_| Decision::Replace { result: json!("x") });
    let world = World::new(vec![replaces]);
    assert_eq!((code(&world.call(1, &[])), world.runs()), ("hook/withheld".into(), 1));
}

#[test]
fn replacements_go_through_each_other_and_the_original_is_on_record() {
    let adds = |feature: &str, more: i64| {
        hooked(feature, HookPoint::PostToolCall, move |event| {
            let result = event["result"].as_i64().expect("a number") + more;
            Decision::Replace { result: json!(result) }
        })
    };
    let world = World::new(vec![adds("user:a", 10), adds("user:b", 100)]);
    let outcome = world.call(1, &[]);
    assert_eq!(code(&outcome), "111");
    assert_eq!(outcome.notices, ["[user:b] replaced the result"]);
    let log = world.log();
    assert_eq!(log[0], "call 1", "what the tool gave");
    assert!(log[1].contains("111"), "{log:?}");
}

#[test]
fn a_hook_that_fails_is_met_as_the_table_says() {
    let failing = |point| full("user:broken", hook("h", point), |_| fails());
    let world = World::new(vec![failing(HookPoint::PreRequest)]);
    let (verdict, heard) = world.pod.pre_request(&PreRequest::default(), CallOptions::default());
    let RequestVerdict::Stop { reason } = verdict else { panic!("it is stopped") };
    assert_eq!(reason, "the hook `h` of `user:broken` failed: it broke");
    assert_eq!(heard.diagnostics[0].code, "hook/failed");

    let world = World::new(vec![failing(HookPoint::PostAssistant)]);
    let heard = world.pod.post_assistant(&PostAssistant::default(), CallOptions::default());
    assert_eq!(heard.diagnostics[0].code, "hook/failed");

    let world = World::new(vec![failing(HookPoint::PreToolCall)]);
    let outcome = world.call(1, &[]);
    assert_eq!((code(&outcome), world.runs()), ("hook/failed".into(), 0));
    let failure = outcome.result.expect_err("it is denied");
    assert_eq!(failure.diagnostics[1].code, "script/throw");

    let world = World::new(vec![failing(HookPoint::PostToolCall)]);
    let outcome = world.call(1, &[]);
    assert_eq!((code(&outcome), world.runs()), ("hook/withheld".into(), 1));
    assert_eq!(world.log()[0], "call 1", "what the call did stands");

    let world = World::new(vec![failing(HookPoint::TurnEnd)]);
    let (verdict, heard) = world.pod.turn_end(&TurnEnd::default(), CallOptions::default());
    assert_eq!((verdict, heard.diagnostics[0].code.as_ref()), (EndVerdict::End, "hook/failed"));
    assert_eq!(world.pod.hook_report()[0].failures, 1);
}

#[test]
fn a_decision_that_its_point_does_not_take_and_a_panic_are_failures() {
    for decide in [
        (|_| Decision::Replace { result: json!(1) }) as fn(&Value) -> Decision,
        |_| deny(&"x".repeat(100_000)),
        |_| panic!("a hook that panics"),
    ] {
        let world = World::new(vec![hooked("user:a", HookPoint::PreToolCall, decide)]);
        assert_eq!((code(&world.call(1, &[])), world.runs()), ("hook/failed".into(), 0));
    }
}

#[test]
fn what_is_not_granted_is_not_decided() {
    let module = Module::new("user:a").hook(hook("h", HookPoint::PreToolCall));
    let world = World::new(vec![module.deciding("h", rewrite(4))]);
    let failure = world.call(1, &[]).result.expect_err("it is denied");
    let codes: Vec<_> = failure.diagnostics.iter().map(|one| one.code.as_ref()).collect();
    assert_eq!((codes, world.runs()), (vec!["hook/failed", "grant/hook"], 0));
    assert!(
        !world
            .pod
            .catalog()
            .features()
            .any(|feature| { feature.grants().covers(&capability("hook:pre_tool_call:rewrite")) })
    );
}

#[test]
fn a_turn_goes_on_a_bounded_number_of_times() {
    let again = |feature: &str| {
        hooked(feature, HookPoint::TurnEnd, |_| Decision::Again { reason: "more".into() })
    };
    let world = World::new(vec![again("user:a"), again("user:b")]);
    let end = |again| {
        let event = TurnEnd { again, ..TurnEnd::default() };
        world.pod.turn_end(&event, CallOptions::default())
    };
    let most = Limit::Again.default_value();
    let reason = "[user:a] more\n[user:b] more".to_owned();
    assert_eq!(end(most - 1).0, EndVerdict::Again { reason });
    let (verdict, heard) = end(most);
    assert_eq!((verdict, heard.diagnostics[0].code.as_ref()), (EndVerdict::End, "limit/again"));
}

#[test]
fn a_request_is_stopped_by_the_first_that_says_so() {
    let stops = |feature: &str| {
        let text = format!("by {feature}");
        hooked(feature, HookPoint::PreRequest, move |_| Decision::Stop { reason: text.clone() })
    };
    let world = World::new(vec![stops("user:b"), stops("user:a")]);
    let (verdict, _) = world.pod.pre_request(&PreRequest::default(), CallOptions::default());
    assert_eq!(verdict, RequestVerdict::Stop { reason: "[user:a] by user:a".into() });
    assert_eq!(world.pod.hook_report().len(), 1, "the other was not asked");
    assert_eq!(world.log().len(), 1);
}

#[test]
fn hooks_are_asked_in_bands_then_by_feature_then_as_declared() {
    let seen = Seen::default();
    let module = |feature: &'static str, band| {
        let seen = Arc::clone(&seen);
        let mut declared = hook("h", HookPoint::PreToolCall);
        declared.band = band;
        full(feature, declared, move |_| {
            seen.lock().expect("no panic").push(feature.to_owned());
            HookOutcome::decided(Decision::Proceed)
        })
    };
    let world = World::new(vec![
        module("user:late", Band::Late),
        module("user:b", Band::Normal),
        module("user:early", Band::Early),
        module("user:a", Band::Normal),
    ]);
    world.call(1, &[]);
    let seen = seen.lock().expect("no panic").clone();
    assert_eq!(seen, ["user:early", "user:a", "user:b", "user:late"]);
}

#[test]
fn an_event_that_nobody_wants_leaves_no_trace() {
    let mut declared = hook("h", HookPoint::PreToolCall);
    let tools = vec!["other_*".parse().expect("a pattern")];
    declared.filter = ToolFilter { tools, kinds: vec![EventKind::Shell] };
    let mut of_kind = hook("h", HookPoint::PreToolCall);
    of_kind.filter.kinds = vec![EventKind::File];
    let world = World::new(vec![
        full("user:a", declared, |_| fails()),
        full("user:b", of_kind, |_| fails()),
    ]);
    assert_eq!(code(&world.call(1, &[])), "1");
    assert_eq!(world.log(), ["call 1"]);
    assert!(world.pod.hook_report().is_empty());
}

#[test]
fn texts_of_hooks_for_the_model_carry_their_author() {
    let tells = full("user:a", hook("h", HookPoint::PreToolCall), |_| HookOutcome {
        notices: vec!["look out".into()],
        ..HookOutcome::decided(deny("no"))
    });
    let world = World::new(vec![tells]);
    let outcome = world.call(1, &[]);
    assert_eq!(
        (code(&outcome), outcome.notices),
        ("hook/denied".into(), vec!["[user:a] look out".into()])
    );
    let log = world.log();
    assert!(log[0].starts_with("Intent") && log[1].starts_with("Done"), "{log:?}");
    assert!(log[2].starts_with("pre_tool_call"), "{log:?}");
}

#[test]
fn the_hooks_of_one_event_share_a_budget() {
    let costs = |feature: &str| {
        full(feature, hook("h", HookPoint::PreToolCall), |_| HookOutcome {
            receipt: Receipt { operations: 600, ..Receipt::default() },
            ..HookOutcome::decided(Decision::Proceed)
        })
    };
    let mut limits = Limits::default();
    limits.set(Limit::EventOperations, 1_000).expect("below the ceiling");
    let modules = || vec![costs("user:a"), costs("user:b")];
    assert_eq!(code(&World::bounded(modules(), limits.clone()).call(1, &[])), "1");
    let mut more = modules();
    more.push(costs("user:c"));
    let world = World::bounded(more, limits);
    let failure = world.call(1, &[]).result.expect_err("the third is not asked");
    assert_eq!(failure.diagnostics[1].code, "limit/event-operations");
    assert_eq!(world.runs(), 0);
}

#[test]
fn what_a_hook_says_beside_its_decision_is_heard_and_on_record() {
    let says = full("user:a", hook("h", HookPoint::PreToolCall), |_| HookOutcome {
        diagnostics: vec![Diagnostic::warning("hook/diagnose", "odd")],
        ..HookOutcome::decided(Decision::Proceed)
    });
    let world = World::new(vec![says]);
    let listener = world.pod.listen();
    world.call(1, &[]);
    let event = listener.try_next().expect("it is heard");
    let body = EventBody::Log { level: Level::Warn, text: "odd".into() };
    assert_eq!((event.feature, event.body), (id("user:a"), body));
    let mut lines = lines(&world.folder.path().join("session").join("s")).expect("a log");
    let said = lines.find_map(|line| match &line.expect("it can be read").0.entry {
        Entry::Decision { hooks, .. } => Some(hooks[0].said[0].message.clone()),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("odd"));
}

/// Threads that do not come to an end in time: the work goes on after its caller was answered.
struct Late {
    began: Mutex<std::sync::mpsc::Receiver<()>>,
    thread: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl HookThreads for Late {
    fn run(&self, _: Instant, work: Box<dyn FnOnce() + Send>) -> Result<(), Diagnostic> {
        *self.thread.lock().expect("no panic") = Some(std::thread::spawn(work));
        self.began.lock().expect("no panic").recv().expect("the hook begins");
        Err(Diagnostic::author("limit/time", "it did not stop"))
    }
}

struct Slow {
    threads: Arc<Late>,
    begin: std::sync::mpsc::Sender<()>,
    go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Hook for Slow {
    fn decide(&self, _: &Arc<Value>, context: &CallContext) -> HookOutcome {
        context.transaction.store_set("a", "1").expect("it is still in time");
        self.begin.send(()).expect("somebody waits");
        self.go_on.lock().expect("no panic").recv().expect("the test goes on");
        assert!(context.transaction.store_set("b", "1").is_err(), "the event is over");
        HookOutcome { notices: vec!["late".into()], ..HookOutcome::decided(Decision::Proceed) }
    }

    fn threads(&self) -> Option<Arc<dyn HookThreads>> {
        Some(Arc::clone(&self.threads) as Arc<dyn HookThreads>)
    }
}

#[test]
fn what_a_hook_does_after_its_event_is_over_counts_for_nothing() {
    use std::sync::mpsc::channel;
    let ((begin, began), (tell, go_on)) = (channel(), channel());
    let thread = Arc::default();
    let threads = Arc::new(Late { began: Mutex::new(began), thread: Arc::clone(&thread) });
    let slow = Mutex::new(Some(Slow { threads, begin, go_on: Mutex::new(go_on) }));
    let module = Module::new("user:slow").can_use("notify:model").can_use("store");
    let module = module.hook(hook("h", HookPoint::PreToolCall)).install(move |context| {
        let hook = slow.lock().expect("no panic").take().expect("it is installed once");
        context.hooks.register(HookContribution::new("h", hook))?;
        Ok(())
    });
    let world = World::new(vec![module]);
    let outcome = world.call(1, &[]);
    assert_eq!((code(&outcome), world.runs()), ("hook/failed".into(), 0));
    let before = world.log();
    tell.send(()).expect("the hook waits");
    let thread = thread.lock().expect("no panic").take().expect("it was started");
    thread.join().expect("it ends");
    assert_eq!(world.log(), before, "nothing of it is on record");
    assert!(!before.iter().any(|line| line.starts_with("Intent")), "{before:?}");
}

#[test]
fn a_cancelled_call_is_cancelled_and_not_denied() {
    let options = CallOptions::default();
    let cancel = options.cancel.clone();
    let world = World::new(vec![
        hooked("user:a", HookPoint::PreToolCall, move |_| {
            cancel.cancel();
            Decision::Proceed
        }),
        hooked("user:b", HookPoint::PreToolCall, |_| Decision::Proceed),
    ]);
    let outcome = world.pod.call("t", json!({ "n": 1 }), options);
    assert_eq!((code(&outcome), world.runs()), ("call/cancelled".into(), 0));
}

#[test]
fn a_guard_that_is_missing_keeps_back_what_it_would_have_seen() {
    let world = World::new(vec![]);
    let lost = |point: HookPoint| {
        let why = Diagnostic::operator("hook/broken", "`guard.rhai` is broken");
        let catalog = catalog(vec![counting(&world.runs)], Limits::default());
        world.pod.swap(Arc::new(catalog.with_lost([(point, why)].into())), Default::default())
    };
    let code = |outcome: Outcome| outcome.result.expect_err("it is kept back").diagnostics;
    let proceeds = || {
        let asked = world.pod.pre_request(&PreRequest::default(), CallOptions::default());
        asked.0 == RequestVerdict::Proceed
    };

    lost(HookPoint::PreToolCall).expect("a log");
    assert_eq!(code(world.call(1, &[]))[0].code, "hook/broken");
    assert_eq!(world.runs.load(Ordering::Relaxed), 0, "it did not run");
    assert!(proceeds());

    lost(HookPoint::PostToolCall).expect("a log");
    let withheld = code(world.call(1, &[]));
    assert_eq!((&*withheld[0].code, &*withheld[1].code), ("hook/withheld", "hook/broken"));
    assert_eq!(world.runs.load(Ordering::Relaxed), 1, "what it did stands");

    lost(HookPoint::PreRequest).expect("a log");
    assert!(world.call(1, &[]).result.is_ok());
    assert!(!proceeds());
}
