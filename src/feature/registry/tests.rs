use super::*;
use crate::diagnostic::{Blame, Severity};
use crate::feature::capability::Capability;
use crate::feature::descriptor::{EventChannelDeclaration, FeatureRuntimeKind};
use crate::feature::event::{EventBody, Level};
use crate::feature::grant::GrantSet;
use crate::feature::hook::{Band, Decision, HookContribution, HookPoint};
use crate::feature::id::FeatureId;
use crate::feature::report::{ContributionName, FeatureInstallReport, FeatureState};
use crate::feature::service::HostService;
use crate::feature::testing::{Memory, Module, Run, capability, hook, id, success, tool};
use crate::feature::tool::ToolContribution;
use crate::limit::Limit;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn plan(policy: HostPolicy, modules: impl IntoIterator<Item = Module>) -> InstallPlan {
    modules
        .into_iter()
        .fold(FeatureRegistryBuilder::new(policy), FeatureRegistryBuilder::module)
        .plan()
}

fn install(policy: HostPolicy, modules: impl IntoIterator<Item = Module>) -> Catalog {
    plan(policy, modules).install().0
}

fn report<'a>(catalog: &'a Catalog, feature: &str) -> &'a FeatureInstallReport {
    let report = catalog.reports().iter().find(|report| report.feature == id(feature));
    report.unwrap_or_else(|| panic!("no report of {feature}"))
}

fn codes(report: &FeatureInstallReport) -> Vec<&str> {
    report.problems().map(|problem| problem.code.as_ref()).collect()
}

fn tools(catalog: &Catalog) -> Vec<String> {
    catalog.tools().map(|tool| tool.declaration().name.to_string()).collect()
}

fn needing(name: &str, wanted: &[&str]) -> crate::feature::descriptor::ToolDeclaration {
    let mut tool = tool(name);
    tool.requires = wanted.iter().map(|text| capability(text)).collect();
    tool
}

/// Everything a client could notice of a catalog.
fn picture(catalog: &Catalog) -> String {
    let tools: Vec<_> =
        catalog.tools().map(|tool| (tool.feature().to_string(), tool.declaration())).collect();
    let hooks: Vec<_> = HookPoint::ALL
        .into_iter()
        .flat_map(|point| catalog.hooks(point))
        .map(|hook| (hook.feature().to_string(), hook.declaration()))
        .collect();
    serde_json::to_string(&(tools, hooks, catalog.reports())).expect("plain data")
}

#[test]
fn tools_come_by_feature_id_and_then_as_declared() {
    let catalog = install(
        HostPolicy::new(),
        [
            Module::new("user:b").tool(tool("z")).tool(tool("a")),
            Module::new("user:a").tool(tool("m")),
            Module::new("builtin:z").tool(tool("y")),
        ],
    );
    assert_eq!(tools(&catalog), ["y", "m", "z", "a"]);
    assert_eq!(catalog.tool("m").expect("installed").feature(), &id("user:a"));
    let names: Vec<_> = catalog.features().map(|feature| feature.id().to_string()).collect();
    assert_eq!(names, ["builtin:z", "user:a", "user:b"]);
}

#[test]
fn hooks_come_by_band_then_feature_then_as_declared() {
    let point = HookPoint::PreToolCall;
    let band = |name: &str, band| {
        let mut hook = hook(name, point);
        hook.band = band;
        hook
    };
    let catalog = install(
        HostPolicy::new(),
        [
            Module::new("user:b").hook(band("late", Band::Late)).hook(band("first", Band::Early)),
            Module::new("user:a")
                .hook(band("two", Band::Normal))
                .hook(band("one", Band::Normal))
                .hook(hook("end", HookPoint::TurnEnd)),
        ],
    );
    let names: Vec<_> = catalog.hooks(point).map(|hook| hook.declaration().name.as_str()).collect();
    assert_eq!(names, ["first", "two", "one", "late"]);
    assert_eq!(catalog.hooks(HookPoint::TurnEnd).len(), 1);
    assert_eq!(catalog.hooks(HookPoint::PreRequest).len(), 0);
}

#[test]
fn planning_runs_no_code_of_a_feature_but_its_descriptor() {
    let (described, installed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    struct Counting(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl FeatureModule for Counting {
        fn descriptor(&self) -> FeatureDescriptor {
            self.0.fetch_add(1, Ordering::Relaxed);
            Module::new("user:a").tool(tool("t")).descriptor
        }

        fn install(&self, _: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
    let sink = Arc::new(Memory::default());
    let module = Counting(Arc::clone(&described), Arc::clone(&installed));
    let sink_handle = Arc::clone(&sink) as Arc<dyn Sink>;
    let plan = FeatureRegistryBuilder::default().sink(sink_handle).module(module).plan();
    let counts = || (described.load(Ordering::Relaxed), installed.load(Ordering::Relaxed));
    assert_eq!(counts(), (1, 0));
    assert_eq!(plan.reports().len(), 1);
    assert_eq!(plan.reports().next().map(|report| report.tools.len()), Some(1));
    assert_eq!(counts(), (1, 0));
    plan.install();
    assert_eq!(counts(), (1, 1));
    assert!(sink.take().is_empty());
}

#[test]
fn two_features_of_one_id_are_both_refused() {
    let catalog = install(
        HostPolicy::new(),
        [
            Module::new("user:a").tool(tool("one")),
            Module::new("user:a").tool(tool("two")),
            Module::new("user:b").tool(tool("three")),
        ],
    );
    assert_eq!(tools(&catalog), ["three"]);
    assert_eq!(catalog.reports().len(), 3);
    for report in catalog.reports().iter().filter(|report| report.feature == id("user:a")) {
        assert_eq!(report.state, FeatureState::Refused);
        assert_eq!(codes(report), ["registry/duplicate-feature"]);
    }
}

#[test]
fn a_tool_that_two_features_declare_is_refused_for_both_and_names_both() {
    let catalog = install(
        HostPolicy::new(),
        [
            Module::new("user:a").tool(tool("same")).tool(tool("own")),
            Module::new("project:a").tool(tool("same")),
        ],
    );
    assert_eq!(tools(&catalog), ["own"]);
    for feature in ["user:a", "project:a"] {
        let report = report(&catalog, feature);
        assert_eq!(codes(report), ["registry/duplicate-tool"]);
        let message = &report.skipped[0].why.message;
        assert!(message.contains("`user:a`") && message.contains("`project:a`"), "{message}");
    }
    assert_eq!(report(&catalog, "project:a").state, FeatureState::Inactive);
}

#[test]
fn a_name_is_taken_by_declaring_it_even_where_the_grant_is_missing() {
    let modules = || {
        [
            Module::new("user:a").requires("exec=git").tool(needing("same", &["exec=git"])),
            Module::new("user:b").tool(tool("same")),
        ]
    };
    assert!(tools(&install(HostPolicy::new(), modules())).is_empty());
    let disabled = HostPolicy::new().disable(id("user:a"));
    assert_eq!(tools(&install(disabled, modules())), ["same"]);
}

#[test]
fn what_one_feature_declares_twice_is_refused() {
    let catalog = install(
        HostPolicy::new(),
        [Module::new("user:a")
            .tool(tool("t"))
            .tool(tool("t"))
            .tool(tool("u"))
            .hook(hook("h", HookPoint::TurnEnd))
            .hook(hook("h", HookPoint::PreRequest))
            .install(|context| {
                let run = Run(|_, _: &_| success(1.into()));
                context.tools.register(ToolContribution::new(tool("u").name, run))?;
                Ok(())
            })],
    );
    assert_eq!(tools(&catalog), ["u"]);
    let report = report(&catalog, "user:a");
    assert_eq!(codes(report), ["registry/duplicate-tool", "registry/duplicate-hook"]);
    assert_eq!(report.skipped[0].why.blame, Blame::Author);
}

#[test]
fn a_descriptor_out_of_bounds_is_refused_with_a_count() {
    let long = "x".repeat(MAX_DESCRIPTION + 1);
    type Change = Box<dyn Fn(&mut FeatureDescriptor)>;
    let cases: Vec<(&str, Change)> = vec![
        ("129 tools", Box::new(|d| d.tools = (0..129).map(|n| tool(&format!("t{n}"))).collect())),
        (
            "65 hooks",
            Box::new(|d| {
                d.hooks = (0..65).map(|n| hook(&format!("h{n}"), HookPoint::TurnEnd)).collect();
            }),
        ),
        ("the title has 129 bytes", Box::new(|d| d.title = "x".repeat(129))),
        ("the version has 65 bytes", Box::new(|d| d.version = Some("1".repeat(65)))),
        (
            "the description has",
            Box::new({
                let long = long.clone();
                move |d| d.description = long.clone()
            }),
        ),
        (
            "the description of `t`",
            Box::new({
                let long = long.clone();
                move |d| {
                    let mut tool = tool("t");
                    tool.description = long.clone();
                    d.tools.push(tool);
                }
            }),
        ),
        ("is not a hook's name", Box::new(|d| d.hooks.push(hook("a b", HookPoint::TurnEnd)))),
        ("is not a hook's name", Box::new(|d| d.hooks.push(hook("", HookPoint::TurnEnd)))),
        (
            "65 capabilities of `t`",
            Box::new(|d| {
                let mut tool = tool("t");
                tool.requires = vec![Capability::Emit; 65];
                d.tools.push(tool);
            }),
        ),
        (
            "65 globs of `h`",
            Box::new(|d| {
                let mut hook = hook("h", HookPoint::PreToolCall);
                hook.filter.tools = vec!["x".parse().expect("a glob"); 65];
                d.hooks.push(hook);
            }),
        ),
        (
            "the descriptor has more than",
            Box::new({
                let large = "x".repeat(MAX_DESCRIPTION);
                move |d| {
                    d.tools = (0..20)
                        .map(|n| {
                            let mut tool = tool(&format!("t{n}"));
                            tool.description = large.clone();
                            tool
                        })
                        .collect();
                }
            }),
        ),
    ];
    for (expected, change) in cases {
        let mut module = Module::new("user:a");
        change(&mut module.descriptor);
        let catalog =
            install(HostPolicy::new(), [module, Module::new("user:b").tool(tool("other"))]);
        let report = report(&catalog, "user:a");
        assert_eq!(report.state, FeatureState::Refused, "{expected}");
        let problem = &report.diagnostics[0];
        assert_eq!(problem.code, "limit/descriptor");
        assert!(problem.message.contains(expected), "{expected}: {}", problem.message);
        assert!(report.title.len() <= MAX_TITLE);
        assert_eq!(tools(&catalog), ["other"]);
    }
}

#[test]
fn a_denied_request_skips_exactly_what_reaches_it() {
    let module = || {
        Module::new("user:a")
            .requires("http=api.example.com")
            .requires("store")
            .can_use("ask")
            .tool(needing("plain", &[]))
            .tool(needing("remember", &["store"]))
            .tool(needing("fetch", &["store", "http=api.example.com"]))
            .tool(needing("maybe", &["ask"]))
            .hook(hook("watch", HookPoint::PreToolCall))
    };
    let catalog = install(HostPolicy::new(), [module()]);
    assert_eq!(tools(&catalog), ["plain", "remember", "maybe"]);
    let denied = report(&catalog, "user:a");
    assert_eq!(denied.state, FeatureState::Enabled);
    assert_eq!(denied.granted, [capability("store")]);
    assert_eq!(denied.hooks, ["watch"]);
    let commands: Vec<_> = denied.denied.iter().map(|denial| denial.command.as_str()).collect();
    assert_eq!(commands, ["peasy grant a http=api.example.com", "peasy grant a ask"]);
    let [skipped] = &denied.skipped[..] else { panic!("one is skipped") };
    assert_eq!(skipped.contribution.to_string(), "tool `fetch`");
    assert_eq!(skipped.why.code, "grant/http");
    assert_eq!(
        skipped.why.message,
        "the tool `fetch` needs `http=api.example.com`, which is not granted to `user:a`"
    );
    assert_eq!(skipped.why.help, ["allow it with `peasy grant a http=api.example.com`"]);
    assert_eq!(denied.denied[1].diagnostic().severity, Severity::Note);

    let policy = HostPolicy::new().grant(id("user:a"), capability("http=*.example.com"));
    let catalog = install(policy, [module()]);
    assert_eq!(tools(&catalog), ["plain", "remember", "fetch", "maybe"]);
    let granted: Vec<_> =
        catalog.features().next().expect("one").grants().iter().cloned().collect();
    assert_eq!(granted, [capability("store"), capability("http=api.example.com")]);
}

#[test]
fn part_of_a_grant_installs_what_that_part_is_enough_for() {
    let policy = HostPolicy::new().grant(id("project:a"), capability("store:read"));
    let module = Module::new("project:a")
        .requires("store")
        .tool(needing("look", &["store:read"]))
        .tool(needing("change", &["store"]));
    let catalog = install(policy, [module]);
    assert_eq!(tools(&catalog), ["look"]);
    let report = report(&catalog, "project:a");
    assert_eq!(report.granted, [capability("store:read")]);
    assert!(report.denied[0].reason.contains("granted only `store:read`"));
    assert_eq!(report.skipped[0].why.code, "grant/store");
}

#[test]
fn what_was_never_asked_for_is_the_authors_fault() {
    let policy = HostPolicy::new().grant(id("user:a"), capability("exec=git"));
    let catalog = install(policy, [Module::new("user:a").tool(needing("t", &["exec=git"]))]);
    let report = report(&catalog, "user:a");
    assert_eq!(codes(report), ["registry/unrequested"]);
    assert_eq!(report.skipped[0].why.blame, Blame::Author);
    assert!(report.granted.is_empty(), "a grant that nobody asked for is not handed out");
}

#[test]
fn an_untrusted_project_computes_and_guards_nothing() {
    let module = || {
        Module::new("project:a")
            .requires("store")
            .tool(tool("pure"))
            .tool(needing("remember", &["store"]))
            .hook(hook("guard", HookPoint::PreToolCall))
    };
    let catalog = install(HostPolicy::new(), [module()]);
    assert_eq!(tools(&catalog), ["pure"]);
    let denied = report(&catalog, "project:a");
    assert_eq!(codes(denied), ["grant/store", "grant/hook"]);
    let guard = &denied.skipped[1];
    let point = HookPoint::PreToolCall;
    assert_eq!(guard.contribution, ContributionName::Hook { name: "guard".into(), point });
    assert!(guard.why.is_error(), "a guard that does not run is said loudly");
    assert!(guard.why.help[0].contains("`peasy trust project:a`"));

    let trusted = HostPolicy::new().trust(id("project:a"));
    let catalog = install(trusted, [module()]);
    assert_eq!(tools(&catalog), ["pure", "remember"]);
    assert_eq!(catalog.hooks(point).len(), 1);
}

#[test]
fn undeclared_contributions_are_refused_even_when_the_error_is_ignored() {
    let stray = || ToolContribution::new(tool("cuont").name, Run(|_, _: &_| success(1.into())));
    let ignoring = Module::new("user:a").tool(tool("count")).install(move |context| {
        let refused = context.tools.register(stray());
        assert_eq!(
            refused.expect_err("undeclared").to_string(),
            "the tool `cuont` is not declared; did you mean `count`?"
        );
        let hook = HookContribution::new(
            "h",
            crate::feature::testing::Decide(|_, _: &_| Decision::Proceed),
        );
        assert!(context.hooks.register(hook).is_err());
        assert!(context.events.declare(&"c".parse().expect("a channel")).is_err());
        Ok(())
    });
    let catalog = install(HostPolicy::new(), [ignoring]);
    assert!(tools(&catalog).is_empty());
    assert_eq!(catalog.features().len(), 0, "nothing of it is there to run");
    let report = report(&catalog, "user:a");
    assert_eq!(report.state, FeatureState::Inactive);
    assert_eq!(
        codes(report),
        [
            "registry/not-installed",
            "registry/undeclared",
            "registry/undeclared",
            "registry/undeclared"
        ]
    );
    assert_eq!(report.diagnostics[0].help, ["did you mean `count`?"]);
}

#[test]
fn an_undeclared_contribution_passed_on_disables_the_feature() {
    let module = Module::new("user:a").tool(tool("t")).install(|context| {
        let run = || Run(|_, _: &_| success(1.into()));
        context.tools.register(ToolContribution::new(tool("t").name, run()))?;
        context.tools.register(ToolContribution::new(tool("t").name, run()))?;
        Ok(())
    });
    let catalog = install(HostPolicy::new(), [module]);
    assert!(tools(&catalog).is_empty());
    let report = report(&catalog, "user:a");
    assert_eq!(report.state, FeatureState::Failed);
    assert_eq!(codes(report), ["registry/registered-twice"]);
}

#[test]
fn registering_what_the_plan_skips_is_no_error() {
    let module = Module::new("user:a").requires("ask").tool(needing("t", &["ask"])).tool(tool("u"));
    let module = module.install(|context| {
        let run = || Run(|_, _: &_| success(1.into()));
        let (skipped, kept) = (tool("t").name, tool("u").name);
        assert!(!context.tools.is_wanted(&skipped) && context.tools.is_wanted(&kept));
        let became = context.tools.register(ToolContribution::new(skipped, run()))?;
        assert_eq!(became, Registered::Skipped);
        let became = context.tools.register(ToolContribution::new(kept, run()))?;
        assert_eq!(became, Registered::Installed);
        Ok(())
    });
    assert_eq!(tools(&install(HostPolicy::new(), [module])), ["u"]);
}

#[test]
fn a_feature_that_fails_leaves_the_others_alone() {
    let fails = Module::new("user:b")
        .tool(tool("b"))
        .install(|_| Err(FeatureInstallError::failed("no database")));
    let panics = Module::new("user:c").tool(tool("c")).install(|_| panic!("secret-token"));
    let (catalog, reports) =
        plan(HostPolicy::new(), [fails, panics, Module::new("user:a").tool(tool("a"))]).install();
    assert_eq!(tools(&catalog), ["a"]);
    assert_eq!(catalog.features().len(), 1);
    assert_eq!(catalog.reports(), reports);
    let b = report(&catalog, "user:b");
    assert_eq!((b.state, codes(b)), (FeatureState::Failed, vec!["install/failed"]));
    assert!(b.tools.is_empty());
    let c = report(&catalog, "user:c");
    assert_eq!((c.state, codes(c)), (FeatureState::Failed, vec!["host/panic"]));
    assert!(!serde_json::to_string(&c).expect("plain data").contains("secret-token"));
}

#[test]
fn a_feature_that_cannot_say_who_it_is_is_reported_and_left_out() {
    struct Nameless;
    impl FeatureModule for Nameless {
        fn descriptor(&self) -> FeatureDescriptor {
            panic!("no name")
        }

        fn install(&self, _: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
            Ok(())
        }
    }
    let builder = FeatureRegistryBuilder::default().module(Nameless);
    let (catalog, _) = builder.module(Module::new("user:a").tool(tool("a"))).plan().install();
    assert_eq!(tools(&catalog), ["a"]);
    assert_eq!(catalog.diagnostics()[0].code, "host/panic");
}

#[test]
fn a_disabled_feature_is_listed_and_does_not_run() {
    let modules = || [Module::new("user:a").tool(tool("a")), Module::new("user:b").tool(tool("b"))];
    let policy = HostPolicy::new().disable(id("user:a"));
    let catalog = install(policy.clone(), modules());
    assert_eq!(tools(&catalog), ["b"]);
    let disabled = report(&catalog, "user:a");
    assert_eq!(disabled.state, FeatureState::Disabled);
    assert_eq!(disabled.diagnostics[0].help, ["switch it on with `peasy enable a`"]);
    assert_eq!(disabled.diagnostics[0].severity, Severity::Note);
    assert_eq!(tools(&install(policy.enable(&id("user:a")), modules())), ["a", "b"]);
}

#[test]
fn nothing_of_an_inactive_feature_runs() {
    let module = Module::new("user:a")
        .requires("exec=git")
        .tool(needing("t", &["exec=git"]))
        .install(|_| panic!("not to be installed"));
    let catalog = install(HostPolicy::new(), [module]);
    assert_eq!(report(&catalog, "user:a").state, FeatureState::Inactive);
}

struct Clock;

impl HostService for Clock {
    const NAME: &'static str = "clock";

    fn capability() -> Capability {
        Capability::Ask
    }
}

#[test]
fn a_service_that_is_denied_or_absent_ends_in_the_report() {
    let module = || {
        Module::new("user:a").can_use("ask").install(|context| {
            context.services.get::<Clock>()?;
            Ok(())
        })
    };
    let catalog = install(HostPolicy::new(), [module()]);
    assert_eq!(codes(report(&catalog, "user:a")), ["service/denied"]);

    let policy = HostPolicy::new().grant(id("user:a"), capability("ask"));
    let catalog = install(policy.clone(), [module()]);
    assert_eq!(codes(report(&catalog, "user:a")), ["service/unavailable"]);

    let services = HostServices::new().with(Arc::new(Clock));
    let builder = FeatureRegistryBuilder::new(policy).services(services).module(module());
    let (catalog, _) = builder.plan().install();
    assert_eq!(report(&catalog, "user:a").state, FeatureState::Enabled);
}

#[test]
fn a_feature_sees_its_own_id_and_grants_at_install() {
    let module = Module::new("user:a").requires("store").can_use("ask").install(|context| {
        assert_eq!(context.feature_id, &id("user:a"));
        assert!(context.grants.covers(&capability("store:read")));
        assert!(!context.grants.opens("ask"));
        assert_eq!(context.grants, &GrantSet::of([capability("store")]));
        Ok(())
    });
    let catalog = install(HostPolicy::new(), [module]);
    assert_eq!(report(&catalog, "user:a").state, FeatureState::Enabled);
}

#[test]
fn events_outside_of_calls_are_stamped_and_need_the_grant() {
    let channel = EventChannelDeclaration {
        name: "work-item".parse().expect("a channel"),
        description: String::new(),
    };
    let module = |feature: &str| {
        let mut module = Module::new(feature).can_use("emit").can_use("notify:user");
        module.descriptor.channels.push(channel.clone());
        module.install(|context| {
            let channel = context.events.declare(&"work-item".parse().expect("a channel"))?;
            channel.message(Level::Info, "ready", None);
            channel.progress(f64::NAN, None, None);
            context.events.emit(Level::Warn, "x".repeat(100_000));
            context.notify.user("done");
            Ok(())
        })
    };
    let sink = Arc::new(Memory::default());
    let builder = FeatureRegistryBuilder::default().sink(Arc::clone(&sink) as Arc<dyn Sink>);
    builder.module(module("user:a")).module(module("project:a")).plan().install();
    let events = sink.take();
    assert!(events.iter().all(|event| event.feature == id("user:a")), "the project has no grant");
    let [message, warning, notice] = &events[..] else { panic!("{events:?}") };
    assert_eq!(message.channel, Some("work-item".parse().expect("a channel")));
    assert!(
        matches!(&warning.body, EventBody::Log { level: Level::Warn, text } if text.contains("limit/events"))
    );
    assert!(matches!(&notice.body, EventBody::Notice { text } if text == "done"));
}

#[test]
fn diagnostics_of_a_feature_are_bounded_in_number_and_size() {
    let module = Module::new("user:a").install(|context| {
        for _ in 0..1_000 {
            context.diagnostics.report(Diagnostic::author("a/b", "x".repeat(100_000)));
        }
        Ok(())
    });
    let catalog = install(HostPolicy::new(), [module]);
    let report = report(&catalog, "user:a");
    let most = Limit::Diagnostics.default_value() as usize;
    assert!(report.diagnostics.len() <= most, "{}", report.diagnostics.len());
    assert!(report.diagnostics.iter().all(|diagnostic| diagnostic.message.len() <= 4096));
    assert_eq!(report.diagnostics.last().map(|last| last.code.as_ref()), Some("limit/diagnostics"));
}

#[test]
fn a_report_survives_being_written_down() {
    let module = Module::new("project:a")
        .requires("secret=API_KEY@api.example.com")
        .tool(needing("t", &["secret=API_KEY@api.example.com"]))
        .hook(hook("h", HookPoint::TurnEnd));
    let catalog = install(HostPolicy::new(), [module]);
    let json = serde_json::to_string(catalog.reports()).expect("plain data");
    let back: Vec<FeatureInstallReport> = serde_json::from_str(&json).expect("the same");
    assert_eq!(back, catalog.reports());
}

#[test]
fn the_catalog_and_the_plan_can_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Catalog>();
    crosses::<InstallPlan>();
}

fn many() -> Vec<Module> {
    let kinds = [FeatureRuntimeKind::Builtin, FeatureRuntimeKind::Script];
    let mut modules: Vec<_> = (0..6)
        .map(|n| {
            let source = ["user", "project", "builtin"][n % 3];
            let mut module = Module::new(&format!("{source}:f{}", n / 2))
                .requires("store")
                .can_use("http=api.example.com")
                .tool(tool(&format!("t{n}")))
                .tool(tool(&format!("shared{}", n % 4)))
                .tool(needing(&format!("store{n}"), &["store"]))
                .hook(hook("guard", HookPoint::PreToolCall));
            module.descriptor.runtime = kinds[n % 2];
            module
        })
        .collect();
    modules.push(Module::new("user:twin").tool(tool("left")));
    modules.push(Module::new("user:twin").tool(tool("right")));
    modules.push(Module::new("user:broken").tool(tool("t0")).install(|_| panic!("broken")));
    modules
}

proptest! {
    #[test]
    fn the_order_in_which_modules_are_added_makes_no_difference(
        order in Just((0..many().len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let expected = picture(&install(HostPolicy::new(), many()));
        let mut modules: Vec<_> = many().into_iter().map(Some).collect();
        let shuffled: Vec<_> =
            order.into_iter().map(|index| modules[index].take().expect("each once")).collect();
        prop_assert_eq!(picture(&install(HostPolicy::new(), shuffled)), expected);
    }

    /// Whatever is disabled or granted, the rest keeps its order.
    #[test]
    fn a_reload_keeps_the_order_of_what_stays(off in prop::collection::vec(any::<bool>(), 6)) {
        let all = tools(&install(HostPolicy::new(), many()));
        let policy = off.iter().enumerate().filter(|(_, off)| **off).fold(
            HostPolicy::new(),
            |policy, (n, _)| policy.disable(many()[n].descriptor.id.clone()),
        );
        let some = tools(&install(policy, many()));
        let kept: Vec<_> = all.iter().filter(|name| some.contains(name)).collect();
        let stayed: Vec<_> = some.iter().filter(|name| all.contains(name)).collect();
        prop_assert_eq!(kept, stayed);
    }
}

#[test]
fn ids_of_one_name_and_several_sources_live_side_by_side() {
    let sources = ["builtin:a", "user:a", "project:a", "plugin:0123abcd:a"];
    let modules =
        sources.iter().enumerate().map(|(n, id)| Module::new(id).tool(tool(&format!("t{n}"))));
    let catalog = install(HostPolicy::new(), modules);
    assert_eq!(tools(&catalog).len(), 4);
    let ids: Vec<FeatureId> = catalog.features().map(|feature| feature.id().clone()).collect();
    assert!(ids.is_sorted());
}

/// A module that knows how its tools are renamed, and one whose code panics when it is asked.
struct Renaming(Module, &'static str);

impl FeatureModule for Renaming {
    fn descriptor(&self) -> FeatureDescriptor {
        self.0.descriptor()
    }

    fn rename_help(&self, tool: &ToolName) -> Option<String> {
        match self.1 {
            "" => panic!("as it may"),
            word => Some(format!("{word} {tool}")),
        }
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        (self.0.install)(context)
    }
}

#[test]
fn who_knows_how_a_tool_is_renamed_says_so_where_the_name_is_taken() {
    let declares = |name: &str, how: &'static str| {
        let descriptor =
            FeatureDescriptor::new(id(name), FeatureRuntimeKind::McpBridge).tool(tool("same"));
        Renaming(Module { descriptor, install: Arc::new(|_| Ok(())) }, how)
    };
    let plan = FeatureRegistryBuilder::default()
        .module(declares("bridge:a", "call it other than"))
        .module(declares("bridge:b", ""))
        .plan();
    let help: Vec<_> = plan.reports().flat_map(|report| &report.skipped[0].why.help).collect();
    assert_eq!(help, ["call it other than same"; 2]);
}

#[test]
fn the_user_raises_a_bound_for_one_feature_alone() {
    let module = |name: &str| {
        let descriptor =
            FeatureDescriptor::new(id(name), FeatureRuntimeKind::McpBridge).tool(tool(&name[7..]));
        let own: ToolName = name[7..].parse().expect("a name");
        let install = move |context: &mut FeatureInstallContext<'_>| {
            let run = Run(|_, _: &_| success(serde_json::Value::Null));
            context.tools.register(ToolContribution::new(own.clone(), run))?;
            Ok(())
        };
        Module { descriptor, install: Arc::new(install) }
    };
    let mut raised = Limits::default();
    raised.set(Limit::Time, 60_000).expect("below the ceiling");
    let builder = FeatureRegistryBuilder::default().limits_of(id("bridge:slow"), raised);
    let (catalog, _) =
        builder.module(module("bridge:slow")).module(module("bridge:fast")).plan().install();
    let time = |name: &str| catalog.tool(name).expect("it is there").limits().get(Limit::Time);
    assert_eq!((time("slow"), time("fast")), (60_000, Limit::Time.default_value()));
}
