//! The contribution API as a program that embeds the crate sees it: one feature in Rust from its
//! descriptor to a call, and what cannot be written at all.

use peasy::feature::schema::{Arguments, Type};
use peasy::feature::{
    CallContext, CallOptions, Capability, CapabilityRequest, Catalog, Decision, FeatureDescriptor,
    FeatureId, FeatureInstallContext, FeatureInstallError, FeatureInstallReport, FeatureModule,
    FeatureRegistryBuilder, FeatureRuntimeKind, FeatureState, Hook, HookContribution,
    HookDeclaration, HookOutcome, HookPoint, HostPolicy, HostService, HostServices, Outcome, Tool,
    ToolContribution, ToolDeclaration,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Everything here that is not to be written does not compile, and says why.
#[test]
fn what_the_types_forbid() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// A store that the host owns.
#[derive(Default)]
struct WorkItems(Mutex<BTreeMap<u64, String>>);

impl HostService for WorkItems {
    const NAME: &'static str = "work items";

    fn capability() -> Capability {
        "workitem".parse().expect("one of the forms")
    }
}

/// The state of the feature; the host never sees it.
#[derive(Default)]
struct State {
    created: AtomicU64,
}

struct WorkItemFeature {
    state: Arc<State>,
}

impl FeatureModule for WorkItemFeature {
    fn descriptor(&self) -> FeatureDescriptor {
        let mut create = ToolDeclaration::new(name("work_item_create"), "Creates a work item.");
        create
            .parameters
            .add("title", Type::string(), None, "What is to be done")
            .expect("a parameter");
        create.returns = Some(Type::int());
        create.requires = vec![WorkItems::capability()];
        let count = ToolDeclaration::new(name("work_item_count"), "Counts what was created.");
        FeatureDescriptor::new(feature(), FeatureRuntimeKind::Builtin)
            .request(CapabilityRequest::required(WorkItems::capability(), "to create work items"))
            .tool(create)
            .tool(count)
            .hook(HookDeclaration::new("audit", HookPoint::PreToolCall))
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        if let Ok(items) = context.services.get::<WorkItems>() {
            let create = Create { items, state: Arc::clone(&self.state) };
            context.tools.register(ToolContribution::new(name("work_item_create"), create))?;
        }
        let count = Count(Arc::clone(&self.state));
        context.tools.register(ToolContribution::new(name("work_item_count"), count))?;
        context.hooks.register(HookContribution::new("audit", Audit))?;
        Ok(())
    }
}

struct Create {
    items: Arc<WorkItems>,
    state: Arc<State>,
}

impl Tool for Create {
    fn call(&self, arguments: Arguments, _: &CallContext) -> Outcome {
        let number = self.state.created.fetch_add(1, Ordering::Relaxed) + 1;
        let title = arguments.get("title").and_then(Value::as_str).unwrap_or_default();
        self.items.0.lock().expect("nothing panics with the lock").insert(number, title.into());
        Outcome::success(number)
    }
}

struct Count(Arc<State>);

impl Tool for Count {
    fn call(&self, _: Arguments, _: &CallContext) -> Outcome {
        Outcome::success(self.0.created.load(Ordering::Relaxed))
    }
}

struct Audit;

impl Hook for Audit {
    fn decide(&self, event: &Arc<Value>, _: &CallContext) -> HookOutcome {
        HookOutcome::decided(if event["kind"] == "shell" {
            Decision::Deny { reason: "work items only".into() }
        } else {
            Decision::Proceed
        })
    }
}

fn name(text: &str) -> peasy::feature::ToolName {
    text.parse().expect("a tool name")
}

fn feature() -> FeatureId {
    FeatureId::builtin("work-item").expect("a feature name")
}

fn install(policy: HostPolicy, items: &Arc<WorkItems>) -> (Catalog, Vec<FeatureInstallReport>) {
    FeatureRegistryBuilder::new(policy)
        .services(HostServices::new().with(Arc::clone(items)))
        .module(WorkItemFeature { state: Arc::default() })
        .plan()
        .install()
}

#[test]
fn a_granted_feature_works_through_the_services_of_the_host() {
    let items = Arc::new(WorkItems::default());
    let policy = HostPolicy::new().grant(feature(), WorkItems::capability());
    let (catalog, reports) = install(policy, &items);
    assert_eq!(reports[0].state, FeatureState::Enabled);
    assert!(reports[0].denied.is_empty() && reports[0].skipped.is_empty());

    let created =
        catalog.call("work_item_create", json!({ "title": "mend it" }), CallOptions::default());
    assert_eq!(created.result, Ok(json!(1)));
    assert_eq!(items.0.lock().expect("not poisoned").get(&1).map(String::as_str), Some("mend it"));
    let count = catalog.call("work_item_count", json!({}), CallOptions::default());
    assert_eq!(count.result, Ok(json!(1)));
}

#[test]
fn a_feature_without_its_grant_keeps_what_needs_none() {
    let (catalog, reports) = install(HostPolicy::new(), &Arc::default());
    let [report] = &reports[..] else { panic!("one feature") };
    assert_eq!(report.state, FeatureState::Enabled);
    assert_eq!(report.tools, [name("work_item_count")]);
    assert_eq!(report.hooks, ["audit"]);
    assert_eq!(report.denied[0].command, "peasy grant builtin:work-item workitem");
    let [skipped] = &report.skipped[..] else { panic!("one contribution is skipped") };
    assert_eq!(
        (skipped.why.code.as_ref(), skipped.contribution.to_string().as_str()),
        ("grant/workitem", "tool `work_item_create`")
    );
    let outcome = catalog.call("work_item_create", json!({ "title": "x" }), CallOptions::default());
    let failure = outcome.result.expect_err("not installed");
    assert_eq!(failure.diagnostics[0].code, "call/unknown-tool");
}

#[test]
fn a_hook_decides_on_a_snapshot() {
    let (catalog, _) = install(HostPolicy::new(), &Arc::default());
    let [hook] = &catalog.hooks(HookPoint::PreToolCall).collect::<Vec<_>>()[..] else {
        panic!("one hook listens")
    };
    let decide = |event| {
        let name = &hook.declaration().name;
        catalog.decide(hook.feature(), name, event, CallOptions::default()).decision
    };
    let denied = Decision::Deny { reason: "work items only".into() };
    assert_eq!(decide(json!({ "kind": "shell" })), Ok(denied));
    assert_eq!(decide(json!({ "kind": "file" })), Ok(Decision::Proceed));
}

#[test]
fn the_plan_says_beforehand_what_the_catalog_will_say() {
    let builder =
        FeatureRegistryBuilder::default().module(WorkItemFeature { state: Arc::default() });
    let plan = builder.plan();
    let planned: Vec<_> = plan.reports().cloned().collect();
    assert_eq!(planned, plan.install().1);
}
