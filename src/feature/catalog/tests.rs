use super::*;
use crate::diagnostic::Blame;
use crate::feature::call::{Failure, Receipt};
use crate::feature::content::{Content, ContentBlock, ContentBody, ResultForm};
use crate::feature::event::{EventBody, FeatureEvent, Level};
use crate::feature::grant::HostPolicy;
use crate::feature::hook::Decision;
use crate::feature::id::ToolName;
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::schema::Type;
use crate::feature::testing::{Memory, Module, capability, hook, id, success, tool};
use crate::limit::Limit;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Barrier;
use std::time::Duration;

fn catalog(modules: impl IntoIterator<Item = Module>) -> Catalog {
    under(HostPolicy::new(), Limits::default(), modules)
}

fn under(policy: HostPolicy, limits: Limits, modules: impl IntoIterator<Item = Module>) -> Catalog {
    let builder = FeatureRegistryBuilder::new(policy).limits(limits);
    modules.into_iter().fold(builder, FeatureRegistryBuilder::module).plan().install().0
}

fn limited(limit: Limit, value: u64) -> Limits {
    let mut limits = Limits::default();
    limits.set(limit, value).expect("within the ceiling");
    limits
}

fn call(catalog: &Catalog, name: &str, arguments: Value) -> Outcome {
    catalog.call(name, arguments, CallOptions::default())
}

fn code(outcome: &Outcome) -> (&str, Blame) {
    let failure = outcome.result.as_ref().expect_err("a failure");
    (failure.diagnostics[0].code.as_ref(), failure.blame())
}

fn with_parameter(name: &str, parameter: &str, kind: Type) -> ToolDeclaration {
    let mut tool = tool(name);
    tool.parameters.add(parameter, kind, None, "for the test").expect("a parameter");
    tool
}

fn giving(value: Value) -> Module {
    Module::new("user:a").tool(tool("t")).running("t", move |_, _| success(value.clone()))
}

#[test]
fn a_call_gives_the_result_and_what_it_cost() {
    let catalog =
        catalog([Module::new("user:a").tool(with_parameter("echo", "text", Type::string()))]);
    let outcome = call(&catalog, "echo", json!({ "text": "é" }));
    assert_eq!(outcome.result, Ok(json!({ "text": "é" })));
    assert_eq!((outcome.receipt.bytes_in, outcome.receipt.bytes_out), (13, 13));
    assert!(outcome.receipt.elapsed > Duration::ZERO);
}

#[test]
fn tools_are_found_by_text_and_by_name() {
    let catalog = catalog([giving(json!(1))]);
    let name: ToolName = "t".parse().expect("a name");
    assert!(catalog.tool(&name).is_some() && catalog.tool("t").is_some());
    assert_eq!(catalog.call(&name, json!({}), CallOptions::default()).result, Ok(json!(1)));
}

#[test]
fn an_unknown_tool_is_the_callers_error_with_a_suggestion() {
    let catalog = catalog([Module::new("user:a").tool(tool("count_words"))]);
    let outcome = call(&catalog, "cuont_words", json!({}));
    assert_eq!(code(&outcome), ("call/unknown-tool", Blame::Caller));
    let failure = outcome.result.expect_err("unknown");
    assert_eq!(failure.to_string(), "there is no tool `cuont_words`; did you mean `count_words`?");
    let outcome = call(&catalog, &"é\u{1b}".repeat(10_000), json!({}));
    assert!(outcome.result.expect_err("unknown").to_string().len() < 200);
}

#[test]
fn arguments_are_checked_before_the_tool_sees_them() {
    let module = Module::new("user:a").tool(with_parameter("t", "text", Type::string()));
    let catalog = catalog([module.running("t", |_, _| panic!("not to be called"))]);
    for arguments in [json!({}), json!({ "text": 1 }), json!([]), json!({ "text": "a", "more": 1 })]
    {
        let outcome = call(&catalog, "t", arguments);
        let (code, blame) = code(&outcome);
        assert!(code.starts_with("arguments/"), "{code}");
        assert_eq!(blame, Blame::Caller);
        assert_eq!(outcome.receipt.bytes_out, 0);
    }
}

#[test]
fn arguments_that_are_too_large_are_refused_unread() {
    let module = Module::new("user:a").tool(with_parameter("t", "text", Type::string()));
    let catalog = under(HostPolicy::new(), limited(Limit::Arguments, 100), [module]);
    let fits = "x".repeat(100 - r#"{"text":""}"#.len());
    assert!(call(&catalog, "t", json!({ "text": fits })).result.is_ok());
    let outcome = call(&catalog, "t", json!({ "text": format!("{fits}x") }));
    assert_eq!(code(&outcome), ("limit/arguments", Blame::Caller));
}

#[test]
fn a_structured_result_that_is_too_large_is_an_error() {
    let catalog =
        under(HostPolicy::new(), limited(Limit::Result, 64), [giving(json!(vec![1; 64]))]);
    let outcome = call(&catalog, "t", json!({}));
    assert_eq!(code(&outcome), ("limit/result", Blame::Author));
    assert_eq!(outcome.receipt.bytes_out, 0);
}

#[test]
fn a_text_that_is_too_large_is_cut_and_says_so() {
    let catalog =
        under(HostPolicy::new(), limited(Limit::Result, 256), [giving(json!("\"é\n".repeat(999)))]);
    let outcome = call(&catalog, "t", json!({}));
    let text = outcome.result.expect("cut, not refused");
    let text = text.as_str().expect("a text");
    assert!(text.starts_with("\"é\n\"é\n") && text.contains("of 3996 bytes shown"), "{text}");
    assert!(outcome.receipt.bytes_out <= 256);
    let tiny =
        under(HostPolicy::new(), limited(Limit::Result, 20), [giving(json!("x".repeat(99)))]);
    assert_eq!(code(&call(&tiny, "t", json!({}))), ("limit/result", Blame::Author));
}

#[test]
fn a_result_of_the_wrong_type_is_the_authors_error() {
    let mut declared = tool("t");
    declared.returns = Some(Type::int());
    let module = Module::new("user:a").tool(declared);
    let catalog = catalog([module.running("t", |_, _| success(json!("no number")))]);
    assert_eq!(code(&call(&catalog, "t", json!({}))), ("result/type", Blame::Author));
}

#[test]
fn a_result_is_given_back_as_its_type_says() {
    let mut declared = tool("t");
    declared.returns = Some(Type::float());
    let module = Module::new("user:a").tool(declared).running("t", |_, _| success(json!(1)));
    assert_eq!(call(&catalog([module]), "t", json!({})).result, Ok(json!(1.0)));
}

#[test]
fn a_tool_that_panics_is_an_outcome_without_the_words_of_the_panic() {
    let module = Module::new("user:a").tool(tool("t")).running("t", |_, _| panic!("secret-token"));
    let catalog = catalog([module]);
    for _ in 0..3 {
        let outcome = call(&catalog, "t", json!({}));
        assert_eq!(code(&outcome), ("host/panic", Blame::Host));
        assert!(!format!("{outcome:?}").contains("secret-token"));
    }
    assert_eq!(catalog.in_flight().count(), 0, "a panic gives its place back");
}

#[test]
fn limits_are_lowered_by_the_feature_and_then_by_the_tool() {
    let mut declared = tool("t");
    declared.limits = vec![(Limit::Time, 500), (Limit::Memory, u64::MAX)];
    let mut module = Module::new("user:a").tool(declared);
    module.descriptor.limits = vec![(Limit::Time, 1_000), (Limit::Operations, 7)];
    let module = module.running("t", |_, context| {
        let limits = [Limit::Time, Limit::Operations, Limit::Memory];
        success(json!(limits.map(|limit| context.limits.get(limit))))
    });
    let catalog = catalog([module]);
    let memory = Limit::Memory.default_value();
    assert_eq!(call(&catalog, "t", json!({})).result, Ok(json!([500, 7, memory])));
    assert_eq!(catalog.tool("t").expect("installed").limits().get(Limit::Time), 500);
    let feature = catalog.features().next().expect("installed");
    assert_eq!(feature.limits().get(Limit::Time), 1_000);
}

#[test]
fn calls_in_flight_are_counted_for_the_host_and_across_reloads() {
    let barriers = Arc::new((Barrier::new(2), Barrier::new(2)));
    let shared = Arc::clone(&barriers);
    let waiting = Module::new("user:a").tool(tool("wait")).running("wait", move |_, _| {
        shared.0.wait();
        shared.1.wait();
        success(json!(null))
    });
    let limits = limited(Limit::InFlight, 1);
    let first = under(
        HostPolicy::new(),
        limits.clone(),
        [waiting, Module::new("user:b").tool(tool("quick"))],
    );
    let builder =
        FeatureRegistryBuilder::default().limits(limits).in_flight(first.in_flight().clone());
    let (second, _) = builder.module(Module::new("user:b").tool(tool("quick"))).plan().install();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| call(&first, "wait", json!({})));
        barriers.0.wait();
        for catalog in [&first, &second] {
            assert_eq!(
                code(&call(catalog, "quick", json!({}))),
                ("limit/in-flight", Blame::Caller)
            );
        }
        barriers.1.wait();
        assert!(running.join().expect("no panic").result.is_ok());
    });
    assert!(call(&second, "quick", json!({})).result.is_ok());
}

#[test]
fn a_feature_may_allow_itself_fewer_calls_at_once() {
    let barriers = Arc::new((Barrier::new(2), Barrier::new(2)));
    let shared = Arc::clone(&barriers);
    let mut module = Module::new("user:a").tool(tool("wait"));
    module.descriptor.limits = vec![(Limit::InFlight, 1)];
    let module = module.running("wait", move |_, _| {
        shared.0.wait();
        shared.1.wait();
        success(json!(null))
    });
    let catalog = catalog([module, Module::new("user:b").tool(tool("quick"))]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| call(&catalog, "wait", json!({})));
        barriers.0.wait();
        assert_eq!(code(&call(&catalog, "wait", json!({}))).0, "limit/in-flight");
        assert!(call(&catalog, "quick", json!({})).result.is_ok());
        barriers.1.wait();
        assert!(running.join().expect("no panic").result.is_ok());
    });
}

#[test]
fn a_cancelled_call_does_not_begin() {
    let module =
        Module::new("user:a").tool(tool("t")).running("t", |_, _| panic!("not to be called"));
    let options = CallOptions::default();
    options.cancel.cancel();
    let outcome = catalog([module]).call("t", json!({}), options);
    assert_eq!(code(&outcome), ("call/cancelled", Blame::Caller));
}

#[test]
fn conditions_reach_the_tool() {
    let module = Module::new("user:a").tool(tool("t")).running("t", |_, context| {
        success(json!([context.conditions.now, context.conditions.seed]))
    });
    let conditions = Conditions { now: Some(5), seed: 7 };
    let options = CallOptions { conditions, ..CallOptions::default() };
    assert_eq!(catalog([module]).call("t", json!({}), options).result, Ok(json!([5, 7])));
}

fn event(feature: &str, channel: Option<&str>, body: EventBody) -> FeatureEvent {
    let channel = channel.map(|name| name.parse().expect("a channel"));
    FeatureEvent { feature: id(feature), channel, body }
}

fn message(text: &str) -> EventBody {
    EventBody::Message { level: Level::Info, summary: text.into(), detail: None }
}

#[test]
fn a_tool_speaks_under_its_own_name_and_as_far_as_granted() {
    let speak = |module: Module| {
        module.tool(tool("t")).running("t", |_, context| {
            context.sink.emit(event("builtin:host", None, message("forged")));
            context.sink.emit(event("user:a", Some("undeclared"), message("stray")));
            context.sink.emit(event("user:a", None, EventBody::Notice { text: "notice".into() }));
            let text = "line".into();
            context.sink.emit(event("user:a", None, EventBody::Log { level: Level::Debug, text }));
            success(json!(null))
        })
    };
    let heard = |module: Module| {
        let sink = Arc::new(Memory::default());
        let options =
            CallOptions { sink: Arc::clone(&sink) as Arc<dyn Sink>, ..CallOptions::default() };
        assert!(catalog([speak(module)]).call("t", json!({}), options).result.is_ok());
        sink.take()
    };
    let all = heard(Module::new("user:a").requires("emit").requires("notify:user"));
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], event("user:a", None, message("forged")), "stamped with its own name");
    let log_only = heard(Module::new("project:a").can_use("emit"));
    assert!(matches!(&log_only[..], [FeatureEvent { body: EventBody::Log { .. }, .. }]));
}

#[test]
fn what_a_call_says_is_bounded_and_the_cut_is_said_once() {
    let module =
        Module::new("user:a").requires("emit").tool(tool("t")).running("t", |_, context| {
            for _ in 0..100 {
                context.sink.emit(event("user:a", None, message(&"x".repeat(10))));
            }
            success(json!(null))
        });
    let catalog = under(HostPolicy::new(), limited(Limit::Events, 375), [module]);
    for _ in 0..2 {
        let sink = Arc::new(Memory::default());
        let options =
            CallOptions { sink: Arc::clone(&sink) as Arc<dyn Sink>, ..CallOptions::default() };
        assert!(catalog.call("t", json!({}), options).result.is_ok());
        let heard = sink.take();
        assert_eq!(heard.len(), 6, "five messages and a warning, for each call anew");
        assert!(
            matches!(&heard[5].body, EventBody::Log { text, .. } if text.contains("limit/events"))
        );
    }
}

fn noticing(notices: &[&str]) -> Module {
    let notices: Vec<String> = notices.iter().map(|text| (*text).to_owned()).collect();
    Module::new("user:a")
        .requires("notify:model")
        .tool(tool("t"))
        .running("t", move |_, _| Outcome { notices: notices.clone(), ..success(json!(null)) })
}

#[test]
fn words_for_the_model_need_the_grant_and_keep_the_bound() {
    let without = catalog([noticing(&["hello"])]);
    let outcome = call(&without, "t", json!({}));
    assert!(outcome.result.is_ok() && outcome.notices.is_empty());

    let policy = || HostPolicy::new().grant(id("user:a"), capability("notify:model"));
    let with = under(policy(), Limits::default(), [noticing(&["hello", "world"])]);
    assert_eq!(call(&with, "t", json!({})).notices, ["hello", "world"]);

    let long = "é".repeat(100);
    let bounded =
        under(policy(), limited(Limit::Notifications, 100), [noticing(&["hello", &long, "x"])]);
    let notices = call(&bounded, "t", json!({})).notices;
    assert_eq!(notices.len(), 2);
    assert!(notices[1].ends_with("\n[cut: limit/notifications]"));
    assert!(notices.iter().map(String::len).sum::<usize>() <= 100);
}

#[test]
fn content_is_bounded_whole_and_its_value_is_held_against_the_type() {
    let given = |returns: &str, structured: Option<Value>, most: u64| {
        let mut declared = tool("t");
        if !returns.is_empty() {
            declared.returns = Some(Type::parse(returns).expect("a type"));
        }
        let block = ContentBlock::from(ContentBody::Text { text: "x".repeat(100) });
        let content = Content { content: vec![block], structured };
        let value = serde_json::to_value(content).expect("plain data");
        let module = Module::new("user:a").tool(declared).running("t", move |_, _| Outcome {
            form: ResultForm::Content,
            ..success(value.clone())
        });
        let mut limits = Limits::default();
        limits.set(Limit::Result, most).expect("below the ceiling");
        let outcome = call(&under(HostPolicy::new(), limits, [module]), "t", json!({}));
        let content = outcome.content();
        outcome
            .result
            .map(|_| content.expect("it is content"))
            .map_err(|why| why.diagnostics[0].code.to_string())
    };
    let fits = given("{ n: int, m?: int = 3 }", Some(json!({ "n": 1 })), 1_000).expect("it fits");
    assert_eq!((fits.content.len(), fits.structured), (1, Some(json!({ "n": 1, "m": 3 }))));
    assert_eq!(given("", None, 1_000).expect("nothing is promised").structured, None);
    assert_eq!(given("{ n: int }", None, 1_000), Err("result/type".to_owned()));
    assert_eq!(given("{ n: int }", Some(json!({})), 1_000), Err("result/missing".to_owned()));
    assert_eq!(given("", None, 120), Err("limit/result".to_owned()));
}

#[test]
fn a_failed_call_tells_the_model_nothing_beside_its_failure() {
    let policy = HostPolicy::new().grant(id("user:a"), capability("notify:model"));
    let module =
        Module::new("user:a").requires("notify:model").tool(tool("t")).running("t", |_, _| {
            let failure = Failure::from(Diagnostic::caller("call/failed", "no"));
            Outcome {
                result: Err(failure),
                notices: vec!["leak".into()],
                receipt: Receipt::default(),
                form: ResultForm::Value,
            }
        });
    let outcome = call(&under(policy, Limits::default(), [module]), "t", json!({}));
    assert!(outcome.notices.is_empty());
    assert_eq!(code(&outcome), ("call/failed", Blame::Caller));
}

#[test]
fn a_failure_is_bounded_and_never_empty() {
    let failing = |count: usize| {
        Module::new("user:a").tool(tool("t")).running("t", move |_, _| {
            let diagnostic = Diagnostic::caller("call/failed", "x".repeat(100_000));
            let failure = Failure { diagnostics: vec![diagnostic; count], question: None };
            Outcome { result: Err(failure), ..success(json!(null)) }
        })
    };
    let outcome = call(&catalog([failing(1_000)]), "t", json!({}));
    let failure = outcome.result.expect_err("a failure");
    assert_eq!(failure.diagnostics.len(), 100);
    assert!(failure.diagnostics.iter().all(|diagnostic| diagnostic.message.len() <= 4096));
    assert_eq!(code(&call(&catalog([failing(0)]), "t", json!({}))).0, "call/unexplained");
}

fn decide(policy: HostPolicy, limits: Limits, point: HookPoint, decision: Decision) -> HookOutcome {
    let module = Module::new("user:a")
        .can_use("hook:pre_tool_call:rewrite")
        .can_use("hook:post_tool_call:replace")
        .can_use("notify:model")
        .hook(hook("h", point))
        .deciding("h", decision);
    under(policy, limits, [module]).decide(&id("user:a"), "h", json!({}), CallOptions::default())
}

fn refusal(outcome: HookOutcome) -> Diagnostic {
    outcome.decision.expect_err("refused").diagnostics.remove(0)
}

fn decisions() -> Vec<Decision> {
    vec![
        Decision::Proceed,
        Decision::Stop { reason: "r".into() },
        Decision::Deny { reason: "r".into() },
        Decision::Answer { value: json!(1) },
        Decision::Ask { question: "q".into() },
        Decision::Rewrite { arguments: json!({}) },
        Decision::Replace { result: json!(1) },
        Decision::Again { reason: "r".into() },
    ]
}

#[test]
fn a_decision_stands_where_its_point_allows_it_and_nowhere_else() {
    let all = || {
        ["hook:pre_tool_call:rewrite", "hook:post_tool_call:replace", "notify:model"]
            .into_iter()
            .fold(HostPolicy::new(), |policy, text| policy.grant(id("user:a"), capability(text)))
    };
    for point in HookPoint::ALL {
        for decision in decisions() {
            let outcome = decide(all(), Limits::default(), point, decision.clone());
            if point.allows(&decision) {
                assert_eq!(outcome.decision, Ok(decision));
            } else {
                let refusal = refusal(outcome);
                assert_eq!(refusal.code, "hook/decision-not-allowed");
                assert_eq!(refusal.blame, Blame::Author);
            }
        }
    }
}

#[test]
fn what_changes_a_call_needs_a_grant() {
    let cases = [
        (HookPoint::PreToolCall, Decision::Rewrite { arguments: json!({}) }, "grant/hook"),
        (HookPoint::PostToolCall, Decision::Replace { result: json!(1) }, "grant/hook"),
        (HookPoint::TurnEnd, Decision::Again { reason: "r".into() }, "grant/notify"),
    ];
    for (point, decision, code) in cases {
        let refusal = refusal(decide(HostPolicy::new(), Limits::default(), point, decision));
        assert_eq!((refusal.code.as_ref(), refusal.blame), (code, Blame::Operator));
        assert!(refusal.help[0].starts_with("allow it with `peasy grant a "));
    }
}

#[test]
fn what_a_decision_carries_is_bounded() {
    let policy = || HostPolicy::new().grant(id("user:a"), capability("hook:pre_tool_call:rewrite"));
    let long = "x".repeat(101);
    let cases = [
        (Limit::Decision, Decision::Deny { reason: long.clone() }, "limit/decision"),
        (Limit::Decision, Decision::Ask { question: long.clone() }, "limit/decision"),
        (Limit::Arguments, Decision::Rewrite { arguments: json!(long.clone()) }, "limit/arguments"),
        (Limit::Result, Decision::Answer { value: json!(long) }, "limit/result"),
    ];
    for (limit, decision, code) in cases {
        let outcome = decide(policy(), limited(limit, 100), HookPoint::PreToolCall, decision);
        assert_eq!(refusal(outcome).code, code);
    }
    let fits = Decision::Deny { reason: "x".repeat(100) };
    let outcome =
        decide(policy(), limited(Limit::Decision, 100), HookPoint::PreToolCall, fits.clone());
    assert_eq!(outcome.decision, Ok(fits));
}

#[test]
fn a_hook_that_panics_or_is_unknown_is_an_outcome() {
    let panics =
        Module::new("user:a").hook(hook("guard", HookPoint::PreToolCall)).install(|context| {
            let hook = crate::feature::testing::Decide(|_, _: &_| panic!("secret-token"));
            context.hooks.register(crate::feature::hook::HookContribution::new("guard", hook))?;
            Ok(())
        });
    let catalog = catalog([panics]);
    let ask = |feature: &str, name: &str| {
        refusal(catalog.decide(&id(feature), name, json!({}), CallOptions::default()))
    };
    let panicked = ask("user:a", "guard");
    assert_eq!((panicked.code.as_ref(), panicked.blame), ("host/panic", Blame::Host));
    assert!(!panicked.message.contains("secret-token"));
    assert_eq!(ask("user:a", "gaurd").help, ["did you mean `guard`?"]);
    assert_eq!(ask("user:b", "guard").code, "hook/unknown");
}

proptest! {
    /// Whatever a tool gives back, and whatever the bound is: what comes out keeps it.
    #[test]
    fn no_outcome_exceeds_its_bound(
        text in "(\\PC|\n|\"|\u{1}|é|😀){0,300}",
        structured in any::<bool>(),
        most in 1_u64..400,
    ) {
        let value = if structured { json!({ "text": text }) } else { json!(text) };
        let fits = serde_json::to_string(&value).expect("plain data").len() as u64 <= most;
        let catalog = under(HostPolicy::new(), limited(Limit::Result, most), [giving(value.clone())]);
        let outcome = call(&catalog, "t", json!({}));
        match &outcome.result {
            Ok(given) => {
                let bytes = serde_json::to_string(given).expect("plain data").len() as u64;
                prop_assert!(bytes <= most, "{bytes} of {most}");
                prop_assert_eq!(bytes, outcome.receipt.bytes_out);
                prop_assert_eq!(fits, *given == value);
            }
            Err(failure) => {
                prop_assert!(!fits);
                prop_assert_eq!(failure.diagnostics[0].code.as_ref(), "limit/result");
            }
        }
    }
}
