//! Guards that should be there and are not: features that cannot be read, or were refused, and perhaps have
//! a hook that keeps something back.
//!
//! What is merely not granted or switched off is the user's choice and no guard, and so is a project that is
//! not trusted. Nothing here decides what becomes of a call.

use super::{ReadFeature, Workspace};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::grant::HostPolicy;
use crate::feature::hook::HookPoint;
use crate::feature::id::FeatureSource;
use crate::feature::report::{FeatureInstallReport, FeatureState};
use std::collections::BTreeMap;

impl Workspace {
    /// Why a guard is missing, at each point where one is, in a catalog that was installed under a policy.
    pub(super) fn lost(
        &self,
        policy: &HostPolicy,
        catalog: &Catalog,
    ) -> BTreeMap<HookPoint, Diagnostic> {
        let is_lost = |state| matches!(state, FeatureState::Refused | FeatureState::Failed);
        let reports: Vec<_> =
            catalog.reports().iter().filter(|report| is_lost(report.state)).collect();
        let counts = |read: &ReadFeature| {
            read.location.source != FeatureSource::Project
                || policy.is_project_trusted(&read.location.root())
        };
        let broken = self.features.iter().map(AsRef::as_ref).filter(|read| read.is_broken());
        let broken: Vec<&ReadFeature> = broken.filter(|read| counts(read)).collect();
        let at = |point: HookPoint| {
            let unread = broken.iter().find(|read| read.may_hook(point));
            let refused = |report: &&&FeatureInstallReport| {
                let of_id = self.features.iter().filter(|read| read.id() == Some(&report.feature));
                of_id.map(AsRef::as_ref).any(|read| counts(read) && read.hooks(point))
            };
            unread
                .map(|read| unreadable(read, point))
                .or_else(|| reports.iter().find(refused).map(|report| not_installed(report, point)))
        };
        let guards = HookPoint::ALL.into_iter().filter(|point| point.is_guard());
        guards.filter_map(|point| Some((point, at(point)?))).collect()
    }
}

impl ReadFeature {
    /// The points that it perhaps guards, where it is broken.
    #[cfg(feature = "reload")]
    pub(super) fn lost_points(&self) -> Vec<HookPoint> {
        let guards = HookPoint::ALL.into_iter().filter(|point| point.is_guard());
        guards.filter(|point| self.is_broken() && self.may_hook(*point)).collect()
    }

    /// Whether a feature that can be read declares a hook at a point.
    fn hooks(&self, point: HookPoint) -> bool {
        self.script().is_some_and(|script| {
            script.descriptor.hooks.iter().any(|declared| declared.point == point)
        })
    }
}

fn unreadable(read: &ReadFeature, point: HookPoint) -> Diagnostic {
    let why = read.errors().next().map_or_else(String::new, ToString::to_string);
    let path = read.path();
    let message = format!("`{path}` is broken and perhaps has a hook of `{point}`: {why}");
    Diagnostic::operator("hook/broken", message)
        .help(format!("mend it (`peasy check {path}` shows how), or move it away"))
}

fn not_installed(report: &FeatureInstallReport, point: HookPoint) -> Diagnostic {
    // What was skipped for want of a grant comes last: it is not why the feature was refused.
    let skipped = report.skipped.iter().map(|skipped| &skipped.why);
    let why = report.diagnostics.iter().chain(skipped).find(|problem| problem.is_error());
    let why = why.map_or_else(String::new, ToString::to_string);
    let id = &report.feature;
    let message = format!("`{id}` has a hook of `{point}` and was refused: {why}");
    Diagnostic::operator("hook/broken", message).help("`peasy list` shows what was refused")
}
