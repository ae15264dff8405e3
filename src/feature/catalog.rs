//! The catalog: the immutable snapshot of everything installed, and the only way to call it.
//!
//! Every call passes the same checks in the same order, whatever runs behind it: arguments, the run
//! under lowered limits, the result, the receipt. What a contribution does wrong becomes an outcome
//! that says so; nothing it does becomes a panic of the host. Permissions, hooks and the log are the
//! pod's.

mod call;
mod decide;
#[cfg(test)]
mod tests;

pub(crate) use call::Ready;

use super::call::{Cancel, Conditions, Outcome};
use super::descriptor::{FeatureDescriptor, FeatureRuntimeKind, HookDeclaration, ToolDeclaration};
use super::event::{Silent, Sink};
use super::gate::Speaker;
use super::grant::GrantSet;
use super::hook::{Hook, HookOutcome, HookPoint, HookThreads};
use super::id::FeatureId;
use super::question::Answers;
use super::report::FeatureInstallReport;
use super::subpod::Narrowing;
use super::tool::Tool;
use super::transaction::{Detached, Transaction};
use crate::diagnostic::Diagnostic;
use crate::limit::{Limit, Limits};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one call is given beside its arguments.
#[derive(Clone)]
pub struct CallOptions {
    /// Where live events go; the default forgets them.
    pub sink: Arc<dyn Sink>,
    /// Ends the call early.
    pub cancel: Cancel,
    /// The clock and the seed; the default reads the system's clock and draws a seed.
    pub conditions: Conditions,
    /// What the host does for the call; the default keeps nothing and lets nothing out. One value
    /// serves one call.
    pub transaction: Arc<dyn Transaction>,
    /// What a person answered when the call was run before, in the order of its questions.
    pub answers: Answers,
}

impl Default for CallOptions {
    fn default() -> Self {
        let seed = RandomState::new().build_hasher().finish();
        let conditions = Conditions { now: None, seed };
        Self {
            sink: Arc::new(Silent),
            cancel: Cancel::default(),
            conditions,
            transaction: Arc::new(Detached),
            answers: Arc::new([]),
        }
    }
}

/// Counts calls in flight; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicU64>);

impl InFlight {
    /// How many calls run or wait right now.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Takes a place if fewer than `most` are taken; it is given back when the place is dropped.
    fn enter(&self, most: u64) -> Option<Place<'_>> {
        let add = |taken: u64| (taken < most).then_some(taken + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).ok()?;
        Some(Place(&self.0))
    }
}

struct Place<'a>(&'a AtomicU64);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A feature whose requests met the user's policy, and whose own code agreed to run.
pub struct InstalledFeature {
    descriptor: Arc<FeatureDescriptor>,
    speaker: Speaker,
    limits: Arc<Limits>,
    in_flight: InFlight,
}

impl InstalledFeature {
    pub(super) fn new(
        descriptor: Arc<FeatureDescriptor>,
        speaker: Speaker,
        limits: Arc<Limits>,
    ) -> Self {
        Self { descriptor, speaker, limits, in_flight: InFlight::default() }
    }

    /// The same feature with other grants; both count their calls together.
    fn narrowed(&self, grants: GrantSet) -> Self {
        Self {
            descriptor: Arc::clone(&self.descriptor),
            speaker: Speaker { grants: Arc::new(grants), ..self.speaker.clone() },
            limits: Arc::clone(&self.limits),
            in_flight: self.in_flight.clone(),
        }
    }

    /// Which feature.
    pub fn id(&self) -> &FeatureId {
        &self.descriptor.id
    }

    /// What it declared.
    pub fn descriptor(&self) -> &FeatureDescriptor {
        &self.descriptor
    }

    /// What it was granted.
    pub fn grants(&self) -> &GrantSet {
        &self.speaker.grants
    }

    /// The bounds of its calls, before a tool lowers them further.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A tool in the catalog.
#[derive(Clone)]
pub struct InstalledTool {
    feature: Arc<InstalledFeature>,
    index: usize,
    limits: Arc<Limits>,
    code: Arc<dyn Tool>,
}

impl InstalledTool {
    /// What runs its feature.
    pub(crate) fn runtime(&self) -> FeatureRuntimeKind {
        self.feature.descriptor.runtime
    }

    /// Whose it is.
    pub fn feature(&self) -> &FeatureId {
        self.feature.id()
    }

    /// What its feature declared of it.
    pub fn declaration(&self) -> &ToolDeclaration {
        &self.feature.descriptor.tools[self.index]
    }

    /// The bounds of its calls.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A hook in the catalog.
#[derive(Clone)]
pub struct InstalledHook {
    feature: Arc<InstalledFeature>,
    index: usize,
    limits: Arc<Limits>,
    code: Arc<dyn Hook>,
}

impl InstalledHook {
    /// The threads that it runs on, where it does not run on its caller's.
    pub(crate) fn threads(&self) -> Option<Arc<dyn HookThreads>> {
        self.code.threads()
    }

    /// Whose it is.
    pub fn feature(&self) -> &FeatureId {
        self.feature.id()
    }

    /// What its feature declared of it.
    pub fn declaration(&self) -> &HookDeclaration {
        &self.feature.descriptor.hooks[self.index]
    }

    /// The bounds of its runs.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Everything installed, at one moment. Made by [`InstallPlan::install`] and never changed; a reload
/// makes another.
///
/// [`InstallPlan::install`]: super::registry::InstallPlan::install
pub struct Catalog {
    features: Vec<Arc<InstalledFeature>>,
    tools: Vec<InstalledTool>,
    by_name: HashMap<String, usize>,
    hooks: [Vec<InstalledHook>; HookPoint::ALL.len()],
    lost: BTreeMap<HookPoint, Diagnostic>,
    reports: Vec<FeatureInstallReport>,
    diagnostics: Vec<Diagnostic>,
    limits: Arc<Limits>,
    in_flight: InFlight,
}

impl Catalog {
    /// Every tool: features by id, tools as declared. The same modules give the same order.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &InstalledTool> {
        self.tools.iter()
    }

    /// The tool of that name.
    pub fn tool(&self, name: impl AsRef<str>) -> Option<&InstalledTool> {
        self.by_name.get(name.as_ref()).map(|index| &self.tools[*index])
    }

    /// The hooks that listen at `point`: by band, then features by id, then as declared.
    pub fn hooks(&self, point: HookPoint) -> impl ExactSizeIterator<Item = &InstalledHook> {
        self.hooks[point as usize].iter()
    }

    /// The hook at a place of that list.
    pub(crate) fn hook_at(&self, point: HookPoint, index: usize) -> &InstalledHook {
        &self.hooks[point as usize][index]
    }

    /// The same catalog, of which is known that guards are missing: at each of these points, why nobody can
    /// tell what they would have said. Whatever passes such a point is kept back.
    #[must_use]
    pub fn with_lost(mut self, lost: BTreeMap<HookPoint, Diagnostic>) -> Self {
        self.lost = lost;
        self
    }

    /// Why a guard of `point` cannot be asked, where one is missing.
    pub fn lost(&self, point: HookPoint) -> Option<&Diagnostic> {
        self.lost.get(&point)
    }

    /// Whether a hook listens at `point`, or is missing there.
    pub(crate) fn is_guarded(&self, point: HookPoint) -> bool {
        self.hooks(point).len() > 0 || self.lost(point).is_some()
    }

    /// The features that run, by id.
    pub fn features(&self) -> impl ExactSizeIterator<Item = &InstalledFeature> {
        self.features.iter().map(Arc::as_ref)
    }

    /// A report for every feature that was planned, by id.
    pub fn reports(&self) -> &[FeatureInstallReport] {
        &self.reports
    }

    /// The report of that feature; the first where several claim the id, and none of them runs.
    pub fn report(&self, feature: &FeatureId) -> Option<&FeatureInstallReport> {
        self.reports.iter().find(|report| report.feature == *feature)
    }

    /// Problems that belong to no feature.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The count of calls in flight, for the catalog that comes after this one.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// The catalog of a sub-pod: no tool and no grant more than here, and every hook, missing ones too. A tool whose
    /// required grants are gone is left out, and so is one that cannot do with fewer than it has. Features
    /// are listed with all that they were granted, for their hooks have it here as well.
    pub(crate) fn narrowed(&self, to: &Narrowing) -> Self {
        let mut features: HashMap<&FeatureId, Arc<InstalledFeature>> = HashMap::new();
        let tools = self.tools.iter().filter(|tool| to.has_tool(tool.declaration().name.as_str()));
        let tools: Vec<_> = tools
            .filter_map(|tool| {
                let Some(grants) = &to.grants else { return Some(tool.clone()) };
                let whole = tool.feature.grants();
                let feature = features
                    .entry(tool.feature.id())
                    .or_insert_with(|| Arc::new(tool.feature.narrowed(whole.narrowed(grants))));
                let grants = feature.grants();
                let required = &tool.declaration().requires;
                if !required.iter().all(|wanted| grants.meets(wanted)) {
                    return None;
                }
                let code = match grants == whole {
                    true => Arc::clone(&tool.code),
                    false => tool.code.narrowed(grants)?,
                };
                Some(InstalledTool { feature: Arc::clone(feature), code, ..tool.clone() })
            })
            .collect();
        let name = |tool: &InstalledTool| tool.declaration().name.to_string();
        Self {
            features: self.features.clone(),
            by_name: tools.iter().enumerate().map(|(index, tool)| (name(tool), index)).collect(),
            tools,
            hooks: self.hooks.clone(),
            lost: self.lost.clone(),
            reports: self.reports.clone(),
            diagnostics: self.diagnostics.clone(),
            limits: self.limits.clone(),
            in_flight: self.in_flight.clone(),
        }
    }

    /// Calls a tool and waits for its outcome.
    ///
    /// Whatever goes wrong is in the outcome: an unknown name (`call/unknown-tool`), too many calls
    /// (`limit/in-flight`), arguments that are too large (`limit/arguments`) or do not fit
    /// (`arguments/…`), a panic (`host/panic`), a result that is too large (`limit/result`) or does
    /// not fit (`result/…`). A text that is too large is cut and says so.
    pub fn call(&self, name: impl AsRef<str>, arguments: Value, options: CallOptions) -> Outcome {
        call::call(self, name.as_ref(), arguments, options)
    }

    /// Checks a call as [`Self::call`] does, and holds it back until the host lets it run.
    ///
    /// # Errors
    ///
    /// What the call ends with.
    pub(crate) fn prepare(
        &self,
        name: &str,
        arguments: Value,
        options: &CallOptions,
    ) -> Result<Ready<'_>, Box<Outcome>> {
        call::prepare(self, name, arguments, options)
    }

    /// Asks a hook about an event that others are asked about as well, under its bounds and what is
    /// left for all of them. As [`Self::decide`] else.
    pub(crate) fn ask(
        &self,
        hook: &InstalledHook,
        event: &Arc<Value>,
        left: &[(Limit, u64)],
        options: CallOptions,
    ) -> HookOutcome {
        decide::ask(hook, event, left, options)
    }

    /// The bounds of the host, before features lower them.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks one hook about one event and waits for its decision.
    ///
    /// What the decision does is the pod's to say. One that its point does not allow
    /// (`hook/decision-not-allowed`), that carries too much (`limit/decision`, `limit/arguments`,
    /// `limit/result`) or that needs a grant (`grant/hook`, `grant/notify`) becomes a failure.
    pub fn decide(
        &self,
        feature: &FeatureId,
        hook: &str,
        event: Value,
        options: CallOptions,
    ) -> HookOutcome {
        decide::decide(self, feature, hook, event, options)
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("reports", &self.reports).finish_non_exhaustive()
    }
}

/// A catalog that is being put together.
pub(super) struct CatalogParts {
    pub limits: Arc<Limits>,
    pub reports: Vec<FeatureInstallReport>,
    features: Vec<Arc<InstalledFeature>>,
    tools: Vec<InstalledTool>,
    hooks: Vec<InstalledHook>,
    diagnostics: Vec<Diagnostic>,
    in_flight: InFlight,
}

impl CatalogParts {
    pub fn new(limits: Limits, in_flight: InFlight, diagnostics: Vec<Diagnostic>) -> Self {
        let (reports, features, tools, hooks) = Default::default();
        let limits = Arc::new(limits);
        Self { limits, reports, features, tools, hooks, diagnostics, in_flight }
    }

    pub fn add_feature(&mut self, feature: Arc<InstalledFeature>) {
        self.features.push(feature);
    }

    pub fn add_tool(&mut self, feature: &Arc<InstalledFeature>, index: usize, code: Arc<dyn Tool>) {
        let limits = Limits::shared(&feature.limits, &feature.descriptor.tools[index].limits);
        self.tools.push(InstalledTool { feature: Arc::clone(feature), index, limits, code });
    }

    pub fn add_hook(&mut self, feature: &Arc<InstalledFeature>, index: usize, code: Arc<dyn Hook>) {
        let limits = Limits::shared(&feature.limits, &feature.descriptor.hooks[index].limits);
        self.hooks.push(InstalledHook { feature: Arc::clone(feature), index, limits, code });
    }

    pub fn freeze(self) -> Catalog {
        let name = |tool: &InstalledTool| tool.declaration().name.to_string();
        let by_name = self.tools.iter().enumerate().map(|(index, tool)| (name(tool), index));
        let mut hooks: [Vec<_>; HookPoint::ALL.len()] = Default::default();
        let by_name = by_name.collect();
        for hook in self.hooks {
            hooks[hook.declaration().point as usize].push(hook);
        }
        for list in &mut hooks {
            list.sort_by_key(|hook: &InstalledHook| hook.declaration().band);
        }
        Catalog {
            features: self.features,
            tools: self.tools,
            by_name,
            hooks,
            lost: BTreeMap::new(),
            reports: self.reports,
            diagnostics: self.diagnostics,
            limits: self.limits,
            in_flight: self.in_flight,
        }
    }
}
