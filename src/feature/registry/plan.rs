//! Planning: descriptors and policy become a list of what will be installed and why the rest is not.
//!
//! Runs no code of a feature but `descriptor`, and touches nothing.

use super::context::Skipped;
use super::{FeatureModule, FeatureRegistryBuilder, bounds};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::Capability;
use crate::feature::catalog::{Catalog, InFlight};
use crate::feature::descriptor::{FeatureDescriptor, Need};
use crate::feature::event::Sink;
use crate::feature::grant::{
    GrantSet, HostPolicy, Verdict, all_of, enable_command, grant_all_command, trust_command,
};
use crate::feature::id::{FeatureId, ToolName};
use crate::feature::measure::{bound_diagnostics, shortened};
use crate::feature::report::{
    CapabilityDenial, ContributionName, FeatureInstallReport, FeatureState, SkippedContribution,
};
use crate::feature::service::HostServices;
use crate::limit::Limits;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What will be installed, and what will not. Only a plan can be installed, and a plan only comes
/// from [`FeatureRegistryBuilder::plan`].
pub struct InstallPlan {
    pub(super) candidates: Vec<Candidate>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) limits: Limits,
    pub(super) limits_of: BTreeMap<FeatureId, Limits>,
    pub(super) services: HostServices,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) in_flight: InFlight,
}

/// One module and what was decided about it.
pub(super) struct Candidate {
    pub module: Arc<dyn FeatureModule>,
    pub descriptor: Arc<FeatureDescriptor>,
    pub grants: GrantSet,
    pub skipped: Skipped,
    pub report: FeatureInstallReport,
}

impl InstallPlan {
    /// A report for every feature, by id: what will be installed if each feature's own code goes
    /// through with it. Tools and hooks listed here are planned.
    pub fn reports(&self) -> impl ExactSizeIterator<Item = &FeatureInstallReport> {
        self.candidates.iter().map(|candidate| &candidate.report)
    }

    /// Problems that belong to no feature: a module that panicked before it could say who it is.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Runs each feature's install and freezes what came of it. A feature that errs or panics is
    /// disabled; the others go on.
    pub fn install(self) -> (Catalog, Vec<FeatureInstallReport>) {
        let catalog = self.into_catalog();
        let reports = catalog.reports().to_vec();
        (catalog, reports)
    }

    /// As [`Self::install`]; the reports stand in the catalog.
    pub(crate) fn into_catalog(self) -> Catalog {
        super::install::install(self)
    }
}

pub(super) fn plan(builder: FeatureRegistryBuilder) -> InstallPlan {
    let FeatureRegistryBuilder { modules, policy, limits, limits_of, services, sink, in_flight } =
        builder;
    let mut diagnostics = Vec::new();
    let mut candidates: Vec<_> =
        modules.into_iter().filter_map(|module| describe(module, &mut diagnostics)).collect();
    sort(&mut candidates);
    refuse_disabled(&mut candidates, &policy);
    refuse_duplicate_features(&mut candidates);
    for candidate in running(&mut candidates) {
        candidate.check_bounds(&limits);
    }
    for candidate in running(&mut candidates) {
        candidate.decide_grants(&policy);
        candidate.skip_repeated();
    }
    skip_duplicate_tools(&mut candidates);
    for candidate in running(&mut candidates) {
        candidate.skip_denied(&policy);
        candidate.settle(&limits);
    }
    InstallPlan { candidates, diagnostics, limits, limits_of, services, sink, in_flight }
}

fn describe(
    module: Arc<dyn FeatureModule>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Candidate> {
    let Ok(descriptor) = catch_unwind(AssertUnwindSafe(|| module.shared_descriptor())) else {
        let message = "a feature panicked while it was asked for its descriptor";
        diagnostics.push(Diagnostic::host("host/panic", message));
        return None;
    };
    let report = FeatureInstallReport {
        feature: descriptor.id.clone(),
        title: shortened(&descriptor.title, bounds::MAX_TITLE),
        runtime: descriptor.runtime,
        state: FeatureState::Enabled,
        granted: Vec::new(),
        denied: Vec::new(),
        tools: Vec::new(),
        hooks: Vec::new(),
        skipped: Vec::new(),
        diagnostics: Vec::new(),
    };
    let (grants, skipped) = (GrantSet::none(), Skipped::default());
    Some(Candidate { module, descriptor, grants, skipped, report })
}

/// By id; among features of one id, which are all refused, by what they declare.
fn sort(candidates: &mut [Candidate]) {
    let text = |candidate: &Candidate| serde_json::to_string(&*candidate.descriptor).ok();
    candidates
        .sort_by(|a, b| a.descriptor.id.cmp(&b.descriptor.id).then_with(|| text(a).cmp(&text(b))));
}

fn running(candidates: &mut [Candidate]) -> impl Iterator<Item = &mut Candidate> {
    candidates.iter_mut().filter(|candidate| candidate.report.is_enabled())
}

fn refuse_disabled(candidates: &mut [Candidate], policy: &HostPolicy) {
    for candidate in candidates {
        let id = &candidate.descriptor.id;
        if !policy.is_enabled(id) {
            let message = format!("`{id}` is switched off");
            let help = format!("switch it on with `{}`", enable_command(id));
            let mut note = Diagnostic::operator("registry/disabled", message).help(help);
            note.severity = crate::diagnostic::Severity::Note;
            candidate.end(FeatureState::Disabled, note);
        }
    }
}

fn refuse_duplicate_features(candidates: &mut [Candidate]) {
    // They are sorted by id, and whether one is switched off hangs on its id alone.
    for same in candidates.chunk_by_mut(|a, b| a.descriptor.id == b.descriptor.id) {
        let count = same.len();
        for candidate in running(same).filter(|_| count > 1) {
            let id = &candidate.descriptor.id;
            let message = format!("{count} features call themselves `{id}`; none of them runs");
            let error = Diagnostic::operator("registry/duplicate-feature", message)
                .help("rename all but one, or remove them");
            candidate.end(FeatureState::Refused, error);
        }
    }
}

/// Refuses a tool that several features declare, whether or not each of them could install it: who
/// has a tool must not depend on what else was granted.
fn skip_duplicate_tools(candidates: &mut [Candidate]) {
    let mut claims: BTreeMap<ToolName, BTreeMap<FeatureId, Arc<dyn FeatureModule>>> =
        declared_again(candidates).into_iter().map(|name| (name, BTreeMap::new())).collect();
    if claims.is_empty() {
        return;
    }
    for candidate in running(candidates) {
        for tool in &candidate.descriptor.tools {
            let (id, module) = (candidate.descriptor.id.clone(), Arc::clone(&candidate.module));
            claims.entry(tool.name.clone()).and_modify(|claims| _ = claims.insert(id, module));
        }
    }
    claims.retain(|_, features| features.len() > 1);
    for candidate in running(candidates) {
        let names: Vec<_> =
            candidate.descriptor.tools.iter().map(|tool| tool.name.clone()).collect();
        for name in names {
            if let Some(features) = claims.get(&name) {
                candidate.skip_tool(&name, duplicate_tool(&name, features));
            }
        }
    }
}

/// The names of tools that are declared more than once.
fn declared_again(candidates: &[Candidate]) -> BTreeSet<ToolName> {
    let mut seen = HashSet::new();
    let running = candidates.iter().filter(|candidate| candidate.report.is_enabled());
    let names = running.flat_map(|candidate| &candidate.descriptor.tools).map(|tool| &tool.name);
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

fn duplicate_tool(
    name: &ToolName,
    features: &BTreeMap<FeatureId, Arc<dyn FeatureModule>>,
) -> Diagnostic {
    let list: Vec<_> = features.keys().map(|feature| format!("`{feature}`")).collect();
    let message =
        format!("the tool `{name}` is declared by {}; none of them gets it", list.join(" and "));
    let problem = Diagnostic::operator("registry/duplicate-tool", message);
    // Its code is its own to be asked, and may fail like any other of it.
    let ask = |module: &Arc<dyn FeatureModule>| {
        catch_unwind(AssertUnwindSafe(|| module.rename_help(name))).ok().flatten()
    };
    let mut renames = features.values().filter_map(ask).peekable();
    if renames.peek().is_none() {
        return problem.help("rename it in all but one of them, or disable the others");
    }
    renames.fold(problem, Diagnostic::help)
}

impl Candidate {
    fn end(&mut self, state: FeatureState, why: Diagnostic) {
        self.report.state = state;
        self.report.diagnostics.push(why);
    }

    fn check_bounds(&mut self, limits: &Limits) {
        let mut problems = bounds::check(&self.descriptor, limits);
        if !problems.is_empty() {
            bound_diagnostics(&mut problems, limits);
            self.report.state = FeatureState::Refused;
            self.report.diagnostics = problems;
        }
    }

    fn decide_grants(&mut self, policy: &HostPolicy) {
        let mut granted = BTreeSet::new();
        for request in &self.descriptor.requests {
            let denial = match policy.decide(&self.descriptor.id, request) {
                Verdict::Granted => {
                    granted.insert(request.capability.clone());
                    continue;
                }
                Verdict::Narrowed { granted: parts, denial } => {
                    granted.extend(parts);
                    denial
                }
                Verdict::Chosen(parts) => {
                    granted.extend(parts);
                    continue;
                }
                Verdict::Denied(denial) => denial,
            };
            if !self.report.denied.contains(&denial) {
                self.report.denied.push(denial);
            }
        }
        self.grants = GrantSet::of(granted);
        self.report.granted = self.grants.iter().cloned().collect();
    }

    /// Refuses what one feature declares twice: which of the two was meant cannot be told.
    fn skip_repeated(&mut self) {
        let id = self.descriptor.id.clone();
        for name in repeated(self.descriptor.tools.iter().map(|tool| &tool.name)) {
            let message = format!("`{id}` declares the tool `{name}` twice");
            let error = Diagnostic::author("registry/duplicate-tool", message);
            self.skip_tool(&name, error.help("rename one of them"));
        }
        for name in repeated(self.descriptor.hooks.iter().map(|hook| &hook.name)) {
            let message = format!("`{id}` declares the hook `{name}` twice");
            let error = Diagnostic::author("registry/duplicate-hook", message);
            self.skip_hook(&name, error.help("rename one of them"));
        }
    }

    /// Skips what reaches a capability that was denied, or that nobody asked for.
    fn skip_denied(&mut self, policy: &HostPolicy) {
        let mut tools = Vec::new();
        for tool in &self.descriptor.tools {
            if let Some(why) = self.missing(&format!("the tool `{}`", tool.name), &tool.requires) {
                tools.push((tool.name.clone(), why));
            }
        }
        let mut hooks = Vec::new();
        let trusted = policy.is_trusted(&self.descriptor.id);
        for hook in &self.descriptor.hooks {
            let what = format!("the hook `{}`", hook.name);
            let why = if trusted {
                self.missing(&what, &hook.requires)
            } else {
                Some(untrusted_hook(&self.descriptor.id, &what))
            };
            hooks.extend(why.map(|why| (hook.name.clone(), why)));
        }
        tools.into_iter().for_each(|(name, why)| self.skip_tool(&name, why));
        hooks.into_iter().for_each(|(name, why)| self.skip_hook(&name, why));
    }

    /// Everything that it lacks, and one command that allows it all; or what nobody asked for.
    fn missing(&self, what: &str, requires: &[Capability]) -> Option<Diagnostic> {
        let mut lacking = Vec::new();
        for wanted in requires.iter().filter(|wanted| !self.grants.meets(wanted)) {
            let mut asked =
                self.descriptor.requests.iter().filter(|asked| asked.capability.covers(wanted));
            match asked.clone().position(|asked| asked.need == Need::Required) {
                Some(at) => lacking.extend(asked.nth(at).map(|asked| (wanted, asked))),
                None if asked.next().is_some() => (),
                None => return Some(unrequested(what, wanted)),
            }
        }
        let (first, _) = lacking.first()?;
        let id = &self.descriptor.id;
        // In the order of the requests, each once.
        let requests = self.descriptor.requests.iter().map(|request| &request.capability);
        let requests: Vec<_> = requests
            .filter(|request| lacking.iter().any(|(_, asked)| asked.capability == **request))
            .collect();
        let are = if lacking.len() == 1 { "is" } else { "are" };
        let wanted = all_of(lacking.iter().map(|(wanted, _)| *wanted));
        Some(
            CapabilityDenial {
                capability: (*first).clone(),
                need: Need::Required,
                reason: format!("{what} needs {wanted}, which {are} not granted to `{id}`"),
                command: grant_all_command(id, &requests),
            }
            .diagnostic(),
        )
    }

    fn skip_tool(&mut self, name: &ToolName, why: Diagnostic) {
        if self.skipped.tools.insert(name.clone()) {
            let contribution = ContributionName::Tool { name: name.clone() };
            self.report.skipped.push(SkippedContribution { contribution, why });
        }
    }

    fn skip_hook(&mut self, name: &str, why: Diagnostic) {
        let declared = self.descriptor.hooks.iter().find(|hook| hook.name == name);
        if let Some(point) = declared.map(|hook| hook.point)
            && self.skipped.hooks.insert(name.to_owned())
        {
            let contribution = ContributionName::Hook { name: name.to_owned(), point };
            self.report.skipped.push(SkippedContribution { contribution, why });
        }
    }

    /// Writes down what is left.
    fn settle(&mut self, limits: &Limits) {
        let tools = self.descriptor.tools.iter().map(|tool| &tool.name);
        self.report.tools =
            tools.filter(|name| !self.skipped.tools.contains(*name)).cloned().collect();
        let hooks = self.descriptor.hooks.iter().map(|hook| &hook.name);
        self.report.hooks =
            hooks.filter(|name| !self.skipped.hooks.contains(*name)).cloned().collect();
        self.report.settle_state();
        bound_diagnostics(&mut self.report.diagnostics, limits);
    }
}

fn repeated<'a, T: Ord + Clone + 'a>(names: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let again: BTreeSet<_> = names.filter(|name| !seen.insert(*name)).collect();
    again.into_iter().cloned().collect()
}

fn unrequested(what: &str, wanted: &Capability) -> Diagnostic {
    let message = format!("{what} needs `{wanted}`, which the feature does not ask for");
    Diagnostic::author("registry/unrequested", message).help(format!("request `{wanted}`"))
}

fn untrusted_hook(feature: &FeatureId, what: &str) -> Diagnostic {
    let message = format!("{what} does not run: `{feature}` is not trusted to add hooks");
    Diagnostic::operator("grant/hook", message)
        .help(format!("read it, then trust it with `{}`", trust_command(feature)))
}
