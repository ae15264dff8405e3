//! Installing: each feature's own code, once, behind its context; then everything is frozen.

use super::context::{Contributions, FeatureInstallContext};
use super::plan::{Candidate, InstallPlan};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::{Catalog, CatalogParts, InstalledFeature};
use crate::feature::event::Sink;
use crate::feature::gate::{Gate, Span, Speaker};
use crate::feature::hook::HookPoint;
use crate::feature::id::FeatureId;
use crate::feature::measure::{bound_diagnostic, bound_diagnostics};
use crate::feature::report::{
    ContributionName, FeatureInstallReport, FeatureState, SkippedContribution,
};
use crate::feature::service::HostServices;
use crate::limit::Limits;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) fn install(plan: InstallPlan) -> Catalog {
    let InstallPlan { candidates, diagnostics, limits, limits_of, services, sink, in_flight } =
        plan;
    let mut parts = CatalogParts::new(limits, in_flight, diagnostics);
    for candidate in candidates {
        let own = limits_of.get(&candidate.descriptor.id);
        let report = install_one(candidate, own, &mut parts, &services, &sink);
        parts.reports.push(report);
    }
    parts.freeze()
}

fn install_one(
    candidate: Candidate,
    own: Option<&Limits>,
    parts: &mut CatalogParts,
    services: &HostServices,
    sink: &Arc<dyn Sink>,
) -> FeatureInstallReport {
    let Candidate { module, descriptor, grants, skipped, mut report } = candidate;
    if !report.is_enabled() {
        return report;
    }
    let limits = match own {
        Some(own) => Limits::shared(&Arc::new(own.clone()), &descriptor.limits),
        None => Limits::shared(&parts.limits, &descriptor.limits),
    };
    let (feature, grants) = (Arc::new(descriptor.id.clone()), Arc::new(grants));
    let channels = descriptor.channels.iter().map(|channel| channel.name.clone()).collect();
    let speaker = Speaker { feature, grants, channels: Arc::new(channels) };
    let gate =
        Arc::new(Gate::new(speaker.clone(), Arc::clone(&limits), Span::Event, Arc::clone(sink)));
    let mut context = FeatureInstallContext::new(
        &descriptor,
        &speaker.grants,
        &skipped,
        services,
        &parts.limits,
        gate,
    );
    let result = catch_unwind(AssertUnwindSafe(|| module.install(&mut context)));
    let contributions = context.finish();
    let error = match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(bound_diagnostic(error.diagnostic())),
        Err(_) => Some(panicked(&descriptor.id)),
    };
    match error {
        Some(error) => fail(&mut report, error, contributions, &parts.limits),
        None => {
            let feature = Arc::new(InstalledFeature::new(descriptor, speaker, limits));
            add(&mut report, &feature, contributions, parts);
        }
    }
    report
}

fn panicked(feature: &FeatureId) -> Diagnostic {
    Diagnostic::host("host/panic", format!("`{feature}` panicked while it was installed"))
}

fn fail(
    report: &mut FeatureInstallReport,
    error: Diagnostic,
    contributions: Contributions,
    limits: &Limits,
) {
    report.state = FeatureState::Failed;
    report.tools.clear();
    report.hooks.clear();
    let others = contributions.diagnostics.into_iter().filter(|other| *other != error);
    let mut diagnostics = vec![error.clone()];
    diagnostics.extend(others);
    report.diagnostics.append(&mut diagnostics);
    bound_diagnostics(&mut report.diagnostics, limits);
}

/// Adds what the feature registered to the catalog, in the order in which it was declared.
fn add(
    report: &mut FeatureInstallReport,
    feature: &Arc<InstalledFeature>,
    mut contributions: Contributions,
    parts: &mut CatalogParts,
) {
    report.diagnostics.append(&mut contributions.diagnostics);
    bound_diagnostics(&mut report.diagnostics, &parts.limits);
    let planned = std::mem::take(&mut report.tools);
    for (index, tool) in feature.descriptor().tools.iter().enumerate() {
        if !planned.contains(&tool.name) {
            continue;
        }
        match contributions.tools.remove(&tool.name) {
            Some(code) => {
                report.tools.push(tool.name.clone());
                parts.add_tool(feature, index, code);
            }
            None => skip(report, ContributionName::Tool { name: tool.name.clone() }),
        }
    }
    let planned = std::mem::take(&mut report.hooks);
    for (index, hook) in feature.descriptor().hooks.iter().enumerate() {
        if !planned.contains(&hook.name) {
            continue;
        }
        match contributions.hooks.remove(&hook.name) {
            Some(code) => {
                report.hooks.push(hook.name.clone());
                parts.add_hook(feature, index, code);
            }
            None => {
                let (name, point): (_, HookPoint) = (hook.name.clone(), hook.point);
                skip(report, ContributionName::Hook { name, point });
            }
        }
    }
    report.settle_state();
    if report.is_enabled() {
        parts.add_feature(Arc::clone(feature));
    }
}

fn skip(report: &mut FeatureInstallReport, contribution: ContributionName) {
    let message = format!("the {contribution} is declared and was not installed");
    let why = Diagnostic::author("registry/not-installed", message)
        .help("register it while installing, or take it out of the descriptor");
    report.skipped.push(SkippedContribution { contribution, why });
}
